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
    assert cli("growth", "desk", "--json").json == desk


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
    assert answer.json["sections"][0]["why"] in shown.out


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
