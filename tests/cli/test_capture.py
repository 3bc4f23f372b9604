"""``seasoned capture``: executions that happened somewhere else become runs that are learned from."""

from __future__ import annotations

import hashlib
import json
import random
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from seasoned.plugin.cli.app import build

TASK = "Create FastAPI CRUD endpoint for users"
STEPS = [
    {"step": 1, "action": "rag_query", "duration_ms": 1200, "outcome": "success"},
    {"step": 2, "action": "code_generation", "files": ["api/users.py"], "duration_ms": 850, "outcome": "success"},
]
ARTIFACTS = [{"file": "api/users.py", "type": "source_code", "language": "python", "lines_added": 145}]
EXAMPLE = (
    "--prompt", TASK, "--task-type", "code_generation", "--domain", "api_development", "--agent", "agent-api-architect",
    "--success", "true", "--quality-score", "0.92", "--duration-ms", "15400", "--steps-json", json.dumps(STEPS),
    "--artifacts", json.dumps(ARTIFACTS),
)  # fmt: skip


@pytest.fixture
def piped(home):
    """``seasoned capture -`` with this on standard input."""

    def call(data: str | bytes, *arguments: str):
        return CliRunner().invoke(build(), ["capture", "--home", str(home), "-", *arguments], input=data)

    return call


def written(content, name: str = "x.json") -> str:
    text = content if isinstance(content, (str, bytes)) else json.dumps(content)
    Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return name


def events(cli, run: str = "last", kind: str | None = None) -> list[dict]:
    shown = cli("show", run, "--json").json["events"]
    return [event for event in shown if kind in (None, event["kind"])]


def nothing_recorded(cli) -> bool:
    answer = cli("runs", "--json")
    return answer.code == 1 or answer.json == []


# -- one execution ---------------------------------------------------------------------------------------------------


def test_the_example_of_the_specification(cli):
    answer = cli("capture", *EXAMPLE, "--json")
    assert (answer.code, answer.err) == (0, "")
    told = answer.json
    assert told == {
        "run_id": told["run_id"], "fingerprint": hashlib.sha256(TASK.lower().encode()).hexdigest(),
        "steps": 2, "artifacts": 1, "learned": True, "similar": 0, "skipped": False,
    }  # fmt: skip
    shown = cli("show", told["run_id"], "--json").json
    run = shown["run"]
    assert (run["task"], run["task_type"], run["domain"]) == (TASK, "code_generation", "api_development")
    assert (run["success"], run["quality"], run["outcome_source"]) == (True, 0.92, "user")
    assert run["duration_s"] == pytest.approx(15.4)
    assert [event["kind"] for event in shown["events"]] == [
        "run_started", "message", "tool_call", "tool_result", "tool_call", "tool_result", "artifact", "outcome",
        "run_finished",
    ]  # fmt: skip
    started, asked, call, result, _, made, artifact, _, finished = shown["events"]
    assert (started["source"], asked["sender"], asked["content"]) == ("capture", "user", TASK)
    assert (call["tool"], call["arguments"], call["agent"]) == ("rag_query", {}, "agent-api-architect")
    assert (result["ok"], result["content"], result["duration_ms"]) == (True, None, 1200)
    assert (made["at_ns"] - started["at_ns"]) / 1e6 == pytest.approx(2050, abs=0.1)
    assert (artifact["path"], artifact["content"]) == ("api/users.py", None)
    assert (artifact["type"], artifact["language"], artifact["lines_added"]) == ("source_code", "python", 145)
    assert finished["reason"] == "captured"
    times = [event["at_ns"] for event in shown["events"]]
    assert times == sorted(set(times))


def test_growth_learned_from_it(cli):
    cli("capture", *EXAMPLE)
    profile = cli("growth", "agent-api-architect", "--json").json
    assert profile["total_xp"] > 0
    assert {skill["name"] for skill in profile["skills"]} >= {"Code Generation", "Rag Query"}


@pytest.mark.parametrize(
    ("verdict", "success"),
    [(("--success",), True), (("--failure",), False), (("--success", "false"), False), (("--success=true",), True),
     (("--failure", "false"), True), (("--success=false",), False)],
)  # fmt: skip
def test_the_verdict(cli, verdict, success):
    answer = cli("capture", "--task", "Sort these numbers", *verdict, "--step", "sort", "--agent", "a")
    assert (answer.code, answer.err) == (0, "")
    (outcome,) = events(cli, kind="outcome")
    assert (outcome["success"], outcome["source"]) == (success, "user")


def test_three_like_tasks_make_a_template_with_their_steps(cli):
    for thing in ("users", "invoices", "orders"):
        cli(
            "capture", "--task", f"Create a CRUD endpoint for {thing} in api/{thing}.py", "--agent", "ann", "--success",
            "--step", f'search_docs {{"query": "{thing}"}}', "--step", f'write_file {{"path": "api/{thing}.py"}}',
        )  # fmt: skip
    cli("learn")
    (template,) = cli("skills", "list", "--json").json
    steps = [(step["tool"], step["agent"], list(step["arguments"])) for step in template["procedure"]]
    assert steps == [("search_docs", "ann", ["query"]), ("write_file", "ann", ["path"])]
    like = ("--task", "Create a CRUD endpoint for carts in api/carts.py", "--failure", "--agent", "ann", "--json")
    assert cli("capture", *like).json["similar"] == 1
    other = ("--task", "Compose a sonnet about autumn leaves", "--failure", "--agent", "ann", "--json")
    assert cli("capture", *other).json["similar"] == 0


def test_agents_pass_the_turn_along_the_chain(cli):
    steps = [{"tool": "plan"}, {"tool": "build", "agent": "bob"}, {"tool": "help", "agent": "eve"}, {"tool": "check"}]
    cli("capture", "--task", "Build the shed", "--success", "--agent", "ann", "--agent-chain", "ann,carl,bob,dora",
        "--steps-json", json.dumps(steps))  # fmt: skip
    found = [event for event in events(cli) if event["kind"] in ("transition", "tool_call")]
    assert [
        (event["from_agent"], event["to_agent"]) if event["kind"] == "transition" else event["tool"] for event in found
    ] == ["plan", ("ann", "carl"), ("carl", "bob"), "build", ("bob", "eve"), "help", ("eve", "ann"), "check",
          ("ann", "dora")]  # fmt: skip
    assert [event["agent"] for event in found if event["kind"] == "tool_call"] == ["ann", "bob", "eve", "ann"]
    assert [event["turn"] for event in found] == [1, 1, 2, 3, 3, 4, 4, 5, 5]


def test_results_errors_and_what_is_not_known(cli):
    steps = [
        {"tool": "a", "result": {"rows": 3}}, {"tool": "b", "result": "Error: no such table"},
        {"tool": "c", "ok": False, "error": "timed out"}, {"tool": "d"}, {"tool": "e", "outcome": "partial"},
    ]  # fmt: skip
    cli("capture", "--task", "Query the tables", "--failure", "--steps-json", json.dumps(steps), "--answer", "Sorry.")
    results = events(cli, kind="tool_result")
    assert [one["ok"] for one in results] == [True, False, False, None, None]
    assert results[0]["content"] == {"rows": 3}
    assert (results[1]["error"], results[2]["error"], results[3]["content"]) == (
        "Error: no such table", "timed out", None,
    )  # fmt: skip
    assert events(cli, kind="message")[1]["content"] == "Sorry."
    assert cli("runs", "--json").json[0]["errors"] == 2


def test_times(cli):
    steps = [{"tool": "a", "duration_ms": 1000}, {"tool": "b"}, {"tool": "c"}]
    cli("capture", "--task", "Wait for it", "--success", "--at", "2026-01-31T12:00:00Z", "--duration-ms", "5000",
        "--steps-json", json.dumps(steps))  # fmt: skip
    run = cli("show", "last", "--json").json["run"]
    assert (run["started_at"][:19], run["finished_at"][:19]) == ("2026-01-31T11:59:55", "2026-01-31T12:00:00")
    begun = events(cli)[0]["at_ns"]
    ends = [(event["at_ns"] - begun) / 1e9 for event in events(cli, kind="tool_result")]
    assert ends == pytest.approx([1, 3, 5], abs=0.001)


def test_acceptance_complexity_session_and_facts(cli):
    cli(
        "capture", "--task", "Do the thing well", "--success", "--user-acceptance", "false", "--complexity-score",
        "0.7", "--correlation-id", "talk-7", "--technology-stack", "fastapi,docker", "--tools-used", '["git", "make"]',
    )  # fmt: skip
    (feedback,) = events(cli, kind="feedback")
    assert (feedback["positive"], feedback["source"]) == (False, "user")
    assert events(cli, kind="outcome")[0]["complexity"] == "high"
    assert cli("runs", "--json").json[0]["session_id"] == "talk-7"
    (facts,) = events(cli, kind="context_snapshot")
    assert facts["content"] == {"tools_used": ["git", "make"], "technology_stack": ["fastapi", "docker"]}
    assert [event["tool"] for event in events(cli, kind="tool_call")] == ["git", "make"]


@pytest.mark.parametrize(
    ("score", "complexity"),
    [(0, "low"), (0.339, "low"), (0.34, "medium"), (0.67, "high"), (0.899, "high"), (0.9, "critical"), (1, "critical")],
)
def test_complexity_of_a_score(cli, score, complexity):
    cli("capture", written({"task": "Do the thing well", "success": True, "complexity_score": score}))
    assert events(cli, kind="outcome")[0]["complexity"] == complexity


def test_without_a_verdict_nothing_is_learned_and_that_is_said(cli):
    answer = cli("capture", "--task", "Sort these numbers", "--step", "sort", "--agent", "a", "--json")
    assert (answer.code, answer.json["learned"]) == (0, False)
    assert "--success" in answer.line
    assert cli("runs", "--json").json[0]["success"] is None
    assert events(cli, kind="outcome") == []


def test_who_gets_nothing_is_told_why(cli):
    answer = cli("capture", "--task", "Sort these numbers", "--success")
    assert "no agent was named" in answer.err
    assert "without steps" in answer.err


def test_text_for_people(cli):
    answer = cli("capture", *EXAMPLE, "--execution-id", "e1")
    assert answer.out == "Captured capture-e1: 2 steps, 1 artifact; learned from it; 0 templates like it.\n"
    assert cli("capture", *EXAMPLE, "--execution-id", "e1").out == "Skipped capture-e1, which is there already.\n"


# -- artifacts and secrets -------------------------------------------------------------------------------------------


def test_files_are_read(cli):
    binary = random.Random(1).randbytes(1_500_000)
    Path("small.py").write_text("x = 1\ny = 'ü'\n")
    Path("large.txt").write_text("a" * 1_000_001)
    Path("image.png").write_bytes(binary)
    Path("limit.txt").write_text("a" * 1_000_000)
    names = ("small.py", "large.txt", "image.png", "limit.txt")
    more = [argument for name in names for argument in ("--artifact", name)]
    answer = cli("capture", "--task", "Write some files", "--success", *more, "--json")
    assert answer.json["artifacts"] == 4
    small, large, image, limit = events(cli, kind="artifact")
    assert (small["content"], small["language"], small["lines"]) == ("x = 1\ny = 'ü'\n", "python", 2)
    assert small["sha256"] == hashlib.sha256("x = 1\ny = 'ü'\n".encode()).hexdigest()
    assert (large["content"], large["bytes"]) == (None, 1_000_001)
    assert (image["content"], image["sha256"], image["bytes"]) == (None, hashlib.sha256(binary).hexdigest(), 1_500_000)
    assert len(limit["content"]) == 1_000_000


@pytest.mark.parametrize("path", ["nowhere.py", ".", "/dev/zero"])
def test_an_artifact_that_is_no_file(cli, path):
    answer = cli("capture", "--task", "Write some files", "--success", "--artifact", path)
    assert (answer.code, answer.out) == (1, "")
    assert f"artifact {path} is not" in answer.line
    assert nothing_recorded(cli)


def test_a_record_cannot_pull_in_a_file(cli):
    Path("private.txt").write_text("my diary")
    cli("capture", written({"task": "Write it down", "success": True, "artifacts": [{"path": "private.txt"}]}))
    assert events(cli, kind="artifact")[0]["content"] is None


def test_secrets_are_redacted_everywhere(cli, home):
    secret = "sk-abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGH"
    Path(f"{secret}.py").write_text(f"KEY = '{secret}'\n")
    record = {
        "task": f"Use the key {secret} for it", "success": True, "answer": f"I used {secret}",
        "steps": [{"tool": "t", "arguments": {"key": secret}, "result": {"sent": secret}, "files": [f"{secret}.py"]}],
        "artifacts": [{"path": f"{secret}.py", "content": f"KEY = '{secret}'", "type": secret, "language": "python"}],
        "technology_stack": [secret],
    }  # fmt: skip
    assert cli("capture", written(record)).code == 0
    assert cli("capture", "--task", "Write some files", "--success", "--artifact", f"{secret}.py").code == 0
    for run in cli("runs", "--json").json:
        assert secret not in cli("show", run["run_id"], "--json", "--full").out
    assert not any(secret.encode() in file.read_bytes() for file in home.rglob("*") if file.is_file())
    artifact = events(cli, kind="artifact")[0]
    assert artifact["sha256"] == hashlib.sha256(artifact["content"].encode()).hexdigest()


def test_without_content_only_the_facts_are_recorded(cli, home):
    Path("seasoned.toml").write_text("content = false\n")
    record = {
        "task": "Keep the zebra private", "success": True, "agent": "a", "answer": "zebra", "file_patterns": ["zebra"],
        "steps": [{"tool": "look", "arguments": {"at": "zebra"}, "result": "zebra", "files": ["zebra"]}],
        "artifacts": [{"path": "zebra", "type": "zebra", "content": "zebra", "lines_added": 3}],
    }  # fmt: skip
    assert cli("capture", written(record)).code == 0
    assert not any(b"zebra" in file.read_bytes() for file in home.rglob("*") if file.is_file())
    assert events(cli, kind="artifact")[0]["lines_added"] == 3
    assert cli("growth", "a", "--json").json["total_xp"] > 0


# -- files and standard input ----------------------------------------------------------------------------------------


def good(number: int, **more) -> dict:
    return {"prompt": f"Sort the list number {number}", "success": True, "agent": "a", "steps": [{"tool": "s"}], **more}


def test_a_lone_object_a_list_and_lines(cli, piped):
    assert cli("capture", written(good(1), "one.json"), "--json").json["learned"] is True
    several = cli("capture", written([good(2), good(3)], "list.json"), "--json").json
    assert (several["captured"], several["skipped"], several["errors"]) == (2, 0, [])
    assert [run["steps"] for run in several["runs"]] == [1, 1]
    lines = "".join(json.dumps(good(number)) + "\r\n\n" for number in (4, 5, 6))
    assert json.loads(piped(lines, "--json").stdout)["captured"] == 3
    assert json.loads(piped("\ufeff" + json.dumps(good(7), indent=2), "--json").stdout)["skipped"] is False
    both = cli("capture", "one.json", "list.json", "--json").json
    assert both["captured"] == 3
    assert len(cli("runs", "--json").json) == 10


def test_all_names_of_the_specification(cli):
    record = {
        "prompt": "Do the thing well", "task_type": "testing", "quality_score": 0.5, "success": False,
        "steps_json": json.dumps([{"action": "x", "arguments": '{"a": 1}', "files_modified": ["f"]}]),
        "artifacts": [{"file_path": "f", "artifact_type": "test", "content_hash": "abc"}], "agent_chain": "a, b",
        "correlation_id": "c", "execution_id": "e", "user_acceptance": True, "complexity": "low",
        "file_patterns": ["*.py"], "technology_stack": [], "completed_at": "2026-01-31T12:00:00",
    }  # fmt: skip
    answer = cli("capture", written(record))
    assert (answer.code, answer.err) == (0, "")
    run = cli("show", "capture-e", "--json").json["run"]
    assert (run["task_type"], run["quality"], run["success"], run["session_id"]) == ("testing", 0.5, False, "c")
    assert run["finished_at"].startswith("2026-01-31T12:00:00")
    assert events(cli, kind="tool_call")[0]["arguments"] == {"a": 1}
    artifact = events(cli, kind="artifact")[0]
    assert (artifact["type"], artifact["sha256"], artifact["agent"]) == ("test", "abc", "a")


def test_an_execution_is_captured_once(cli):
    twice = [good(1, execution_id="e1"), good(2, execution_id="e2"), good(1, execution_id="e1")]
    first = cli("capture", written(twice), "--json").json
    assert (first["captured"], first["skipped"]) == (2, 1)
    xp = cli("growth", "a", "--json").json["total_xp"]
    again = cli("capture", "x.json", "--json")
    assert (again.code, again.json["captured"], again.json["skipped"]) == (0, 0, 3)
    assert again.json["runs"][0]["run_id"] == "capture-e1"
    assert cli("growth", "a", "--json").json["total_xp"] == xp
    assert len(cli("runs", "--json").json) == 2


@pytest.mark.parametrize("lines", [False, True])
def test_one_bad_record_among_good_ones(cli, lines):
    records = [good(1), good(2, quality=1.5), good(3)]
    text = "\n".join(map(json.dumps, records)) if lines else json.dumps(records)
    answer = cli("capture", written(text), "--json")
    assert answer.code == 1
    assert answer.json["captured"] == 2
    (error,) = answer.json["errors"]
    assert (error["file"], error["line"]) == ("x.json", 2 if lines else 0)
    assert "quality is 1.5" in error["error"]
    assert ("record 2" in error["error"]) is not lines
    assert "quality is 1.5" in answer.line
    assert len(cli("runs", "--json").json) == 2


def test_a_broken_line_among_good_ones(cli):
    text = "\n".join(['{"task": "a b c", }', json.dumps(good(1)), "nonsense"])
    answer = cli("capture", written(text), "--json")
    assert (answer.code, answer.json["captured"]) == (1, 1)
    assert [error["line"] for error in answer.json["errors"]] == [1, 3]


def test_of_many_tasks_none_is_looked_up(cli):
    runs = cli("capture", written([good(number) for number in range(21)]), "--json").json["runs"]
    assert [run["similar"] for run in runs] == [None] * 21
    assert all(run["learned"] for run in runs)


def test_a_database_that_is_away_loses_nothing(cli, home, monkeypatch):
    monkeypatch.setattr("seasoned.plugin.cli.options.PATIENCE", 0.1)
    monkeypatch.setattr("seasoned.instrumentation.store.BUSY_SECONDS", 0.1)
    cli("capture", written(good(1)))
    database = next(home.glob("*.db"))
    with sqlite3.connect(database, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = cli("capture", written(good(2)), "--json")
    other.close()
    assert (answer.code, answer.json["learned"]) == (0, False)
    assert "not in the database yet" in answer.err
    cli("flush")
    assert [run["success"] for run in cli("runs", "--json").json] == [True, True]


def test_unknown_keys_are_named_once(cli):
    records = [good(1, colour="red", steps=[{"tool": "s", "query": 1}]), good(2, colour="blue")]
    answer = cli("capture", written(records))
    assert answer.code == 0
    assert answer.line == "seasoned: unknown keys were ignored: colour, steps[].query"


def test_several_files_of_which_one_is_not_there(cli):
    answer = cli("capture", written(good(1)), "nowhere.json", "--json")
    assert answer.out, answer.err
    assert (answer.code, answer.json["captured"], len(answer.json["errors"])) == (1, 1, 1)


def test_a_long_task_other_scripts_and_control_characters(cli):
    tasks = [
        "Sortiere " + "ä" * 200_000,
        "整理这些数字 و العربية עברית 🎉",
        "bell \x07 escape \x1b[31m nul \x00 end",
        "half \ud83d pair",
    ]
    names = {
        "agent": "агент",
        "domain": "数据",
        "steps": [{"tool": "整理", "arguments": {"ключ": "\x00\ud800"}, "result": "\x00"}],
    }
    answer = cli("capture", written([{"task": task, "success": True, **names} for task in tasks]), "--json")
    assert answer.code == 0, answer.err
    assert (answer.code, answer.json["captured"]) == (0, 4)
    assert all(run["learned"] for run in answer.json["runs"])
    shown = [cli("show", run["run_id"], "--json").json["run"]["task"] for run in answer.json["runs"]]
    assert shown[:2] == tasks[:2]
    assert shown[2] == "bell \x07 escape \x1b[31m nul \\x00 end"
    assert "\x1b" not in cli("show", answer.json["runs"][2]["run_id"]).out
    assert cli("growth", "агент", "--json").json["total_xp"] > 0
    assert cli("doctor", "--json").json["problems"] == []
