"""``seasoned growth`` and ``seasoned prompt``."""

from __future__ import annotations

SKILL_KEYS = {
    "name", "domain", "level", "xp", "xp_to_next", "times_used", "times_succeeded", "success_rate", "abilities",
}  # fmt: skip


def grown(record, runs: int = 14, **options) -> None:
    for _ in range(runs):
        record(success=True, **options)


def test_growth_with_every_published_key(cli, record):
    grown(record)
    found = cli("growth", "--json")
    assert found.code == 0
    profiles = {profile["agent"]: profile for profile in found.json}
    desk = profiles["desk"]
    assert {"agent", "title", "agent_level", "total_xp", "specialization", "skills", "attributes"} <= set(desk)
    assert desk["agent_level"] > 1
    assert set(desk["skills"][0]) >= SKILL_KEYS
    alone = cli("growth", "desk", "--json").json
    assert set(alone.pop("history")) == {"specializations", "curve", "events"}
    assert alone == desk


def test_growth_in_the_terminal(cli, record):
    grown(record)
    answer = cli("growth", "desk")
    assert answer.code == 0
    profile = cli("growth", "desk", "--json").json
    assert answer.out.startswith("desk  ")
    assert f"{profile['total_xp']} XP" in answer.out
    for skill in profile["skills"]:
        assert skill["name"] in answer.out
    assert "█" in answer.out


def test_an_agent_that_nobody_knows(cli, record):
    grown(record, 1)
    answer = cli("growth", "dezk")
    assert (answer.code, answer.out) == (1, "")
    assert "dezk" in answer.line
    assert "desk" in answer.line


def test_nobody_has_learned_yet(cli, record, home):
    assert cli("growth").code == 1
    assert str(home) in cli("growth").line
    record()
    answer = cli("growth")
    assert (answer.code, answer.out) == (0, "")
    assert "seasoned outcome" in answer.line
    assert cli("growth", "--json").json == []


def test_the_only_namespace_with_experience_is_meant(cli, record):
    grown(record, 2, namespace="other")
    assert cli("growth", "--json").json == []
    cli("flush", "--namespace", "other")
    answer = cli("growth", "desk", "--json")
    assert answer.json["agent"] == "desk"
    assert "'other'" in answer.line
    assert cli("growth", "desk", "--namespace", "other").err == ""
    assert cli("growth", "--json", "--namespace", "third").json == []


def test_growth_can_be_blocked(cli, record, monkeypatch):
    record(success=True)
    monkeypatch.setenv("SEASONED_BLOCK", "growth")
    answer = cli("growth")
    assert answer.code == 1
    assert "block" in answer.line


def test_the_report_of_one_agent(cli, record, monkeypatch):
    grown(record)
    record(success=False)
    monkeypatch.setenv("COLUMNS", "80")
    answer = cli("growth", "desk")
    lines = answer.out.splitlines()
    assert max(len(line.rstrip()) for line in lines) <= 80
    assert "\x1b" not in answer.out
    headings = ("Skills ", "Traits ", "Titles ", "Experience over time ", "What moved it last ")
    places = [next(number for number, line in enumerate(lines) if line.startswith(name)) for name in headings]
    assert places == sorted(places)
    profile = cli("growth", "desk", "--json").json
    for skill in profile["skills"]:
        bar = "█" * skill["level"] + "░" * (10 - skill["level"])
        assert any(skill["name"] in line and bar + f" L{skill['level']}" in line for line in lines)
    for trait, value in profile["attributes"].items():
        assert f"{value:.0%}" in next(part for line in lines for part in [line.partition(trait)[2]] if part)
    assert "Dominant traits: " in answer.out
    assert profile["title"] in answer.out
    assert "Solved a task" in answer.out
    assert "a task failed" in answer.out
    assert any(line.strip().startswith("└──") for line in lines)


def test_no_color_and_a_narrow_terminal(cli, record, monkeypatch):
    grown(record, 3)
    monkeypatch.setenv("COLUMNS", "50")
    monkeypatch.setenv("NO_COLOR", "1")
    answer = cli("growth", "desk")
    assert answer.code == 0
    assert max(len(line.rstrip()) for line in answer.out.splitlines()) <= 50


def test_history_in_json(cli, record):
    runs = [record(success=True) for _ in range(5)]
    profile = cli("growth", "desk", "--json").json
    history = profile["history"]
    assert history["curve"][-1][1] == profile["total_xp"]
    assert len(history["curve"]) == 5
    assert history["events"][0]["id"] > history["events"][-1]["id"]
    assert len(history["events"]) == 20
    assert {event["run_id"] for event in history["events"]} <= set(runs)
    change = history["specializations"][-1]
    assert (change["specialization"], change["title"]) == (profile["specialization"], profile["title"])
    assert change["run_id"] in runs
    assert "history" not in cli("growth", "--json").json[0]


def test_all_agents_briefly(cli, record):
    grown(record, 3, tool="refund_order")
    grown(record, 2, agents=("customer", "clerk"))
    answer = cli("growth")
    assert answer.out.index("clerk  ") < answer.out.index("desk  ")
    assert "What moved it last" not in answer.out
    assert "seasoned" not in answer.err


def test_the_page_instead_of_the_report(cli, record, tmp_path):
    grown(record, 3)
    page = tmp_path / "desk.html"
    answer = cli("growth", "desk", "--html", str(page))
    assert (answer.code, answer.out.replace("\n", "")) == (0, f"Written: {page}")
    assert '<h1 class="data">desk</h1>' in page.read_text(encoding="utf-8")
    found = cli("growth", "--html", str(page), "--json")
    assert found.json == cli("growth", "--json").json
    assert "Agents and what they have become" in page.read_text(encoding="utf-8")


def test_a_page_that_cannot_be_written(cli, record, tmp_path):
    grown(record, 1)
    missing = cli("growth", "desk", "--html", str(tmp_path / "no" / "desk.html"))
    assert (missing.code, missing.out) == (1, "")
    assert "no/desk.html" in missing.line
    assert "make the folder first" in missing.line
    assert cli("growth", "--html", str(tmp_path)).code == 1
    assert cli("growth", "nobody", "--html", str(tmp_path / "x.html")).code == 1
    assert not (tmp_path / "x.html").exists()


def test_names_of_others_cannot_write_to_the_terminal(cli, record, tmp_path):
    hostile = "desk\x1b[31m\u202e[bold]" + "W" * 500
    grown(record, 3, agents=("customer", hostile))
    for command in (("growth",), ("agents",), ("growth", hostile)):
        shown = cli(*command)
        assert shown.code == 0
        assert not {"\x1b", "\u202e"} & set(shown.out)
        assert "[bold]" in shown.out
        assert max(len(line.rstrip()) for line in shown.out.splitlines()) <= (160 if command == ("agents",) else 100)
        assert shown.out.count("W") < 500, "a name is cut to what a line can bear"
    assert cli("growth", hostile, "--html", str(tmp_path / "x.html")).code == 0


ROSTER = """
[agents.Tess]
title = "Test Engineer"
specialization = "Test Reliability"
[agents.Tess.skills.pytest]
name = "Pytest Mastery"
domain = "testing"
level = 3
"""


def test_agents_lists_the_roster_too(cli, record, tmp_path, monkeypatch):
    (tmp_path / "agents.toml").write_text(ROSTER, encoding="utf-8")
    monkeypatch.setenv("SEASONED_ROSTER", str(tmp_path / "agents.toml"))
    runs = [record(success=success) for success in (True, True, False)]
    found = cli("agents", "--json").json
    assert [agent["agent"] for agent in found] == ["desk", "Tess"]
    desk, tess = found
    assert (desk["runs"], desk["runs_succeeded"], desk["success_rate"]) == (3, 2, 0.6667)
    assert desk["last_run_id"] == runs[-1]
    assert desk["last_run_at"].startswith("20")
    assert desk["last_run_at"].endswith("+00:00")
    assert desk["total_xp"] == cli("growth", "desk", "--json").json["total_xp"]
    assert tess == {
        "agent": "Tess", "title": "Test Engineer", "agent_level": 1, "total_xp": 0,
        "specialization": "Test Reliability", "runs": 0, "runs_succeeded": 0, "success_rate": None,
        "last_run_id": None, "last_run_at": None,
    }  # fmt: skip
    rows = cli("agents").out.splitlines()
    assert [row.split()[0] for row in rows] == ["agent", "desk", "Tess"]
    assert "67%" in rows[1]
    shown = cli("growth", "Tess").out
    assert "at the start" in shown
    assert "Pytest Mastery" in shown


def test_agents_where_nobody_has_grown(cli, record):
    assert cli("agents").code == 1
    record()
    assert cli("agents", "--json").json == []
    assert "seasoned outcome" in cli("agents").line


def test_prompt_shows_the_block_and_why(cli, record):
    grown(record)
    answer = cli("prompt", "desk", "--task", "Refund order W9", "--json")
    assert answer.code == 0
    assert {"text", "tokens", "sections"} == set(answer.json)
    assert answer.json["text"].startswith('<experience agent="desk">')
    assert 0 < answer.json["tokens"] <= 400
    for section in answer.json["sections"]:
        assert {"name", "text", "why"} <= set(section)
        assert section["text"] in answer.json["text"]
        assert section["why"]
    shown = cli("prompt", "desk", "--task", "Refund order W9", "--no-flush")
    assert answer.json["text"] in shown.out
    (section,) = answer.json["sections"]
    assert [line["text"] for line in section["lines"]] == section["text"].split("\n")[1:]
    for line in section["lines"]:
        assert f"{line['text']}\n    because {line['why']}\n" in shown.out
        assert all(f"run {event['run_id']}" in shown.out for event in line["events"])
        assert {"id", "event", "rule", "run_id", "at"} <= line["events"][0].keys()


def test_prompt_records_nothing(cli, record):
    grown(record, 2)
    before = cli("doctor", "--json").json["database"]["events"]
    cli("prompt", "desk", "--task", "Refund order W9")
    after = cli("doctor", "--json").json
    assert after["database"]["events"] == before
    assert after["journal"]["dead_writers"] == after["journal"]["live_writers"] == []


def test_prompt_of_a_stranger_is_empty(cli, record):
    grown(record, 2)
    answer = cli("prompt", "stranger", "--task", "Refund order W9", "--json")
    assert (answer.code, answer.json) == (0, {"text": "", "tokens": 0, "sections": []})
    assert "nothing is injected" in cli("prompt", "stranger", "--task", "x").line
    assert cli("prompt", "desk").code == 2
