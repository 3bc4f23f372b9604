"""``seasoned flush``, ``ingest``, ``rebuild``, ``forget`` and ``import``."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from seasoned.plugin.cli.app import build


def events(cli) -> int:
    return cli("doctor", "--json").json["database"]["events"]


def recorded_run(run_id: str, *, success: bool | None = True) -> dict:
    return {
        "run_id": run_id, "task": "Refund order W123, please", "domain": "retail", "framework": "tau",
        "model": "gpt-4o",
        "outcome": {"success": success, "reward": None if success is None else float(success)},
        "agents": ["customer", "desk"],
        "messages": [
            {"role": "user", "agent": "customer", "content": "Refund order W123, please"},
            {"role": "assistant", "agent": "desk", "content": None,
             "tool_calls": [{"id": "c1", "name": "refund", "arguments": {"order": "W123"}}]},
            {"role": "tool", "agent": "desk", "content": "done", "tool_call_id": "c1", "tool_name": "refund"},
            {"role": "assistant", "agent": "desk", "content": "Refunded."},
        ],
    }  # fmt: skip


# -- flush and ingest ----------------------------------------------------------------------------------------------


def test_flush_counts_and_is_idempotent(cli, record):
    record(success=True)
    first = cli("flush", "--json")
    assert first.code == 0
    assert first.json["ingested"] == 8
    assert first.json["learned"] == 1
    assert first.json["pending_bytes"] == 0
    assert first.json["error"] is None
    assert cli("flush", "--json").json["ingested"] == 0
    assert events(cli) == 8


def test_ingest_once(cli, record):
    record(success=True)
    assert cli("ingest", "--json").json["ingested"] == 8
    assert cli("ingest").out == "Ingested 0 events, judged 0 runs, learned from 0.\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ingest_follows_until_told_to_stop(cli, record, home, surroundings, number):
    first = record(success=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "seasoned", "ingest", "--follow", "--json", "--home", str(home)],
        env=surroundings,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        wait_for(lambda: ids(cli) == {first})
        second = record(success=True)
        wait_for(lambda: ids(cli) == {first, second})
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, err
    assert json.loads(out)["ingested"] == 16, (out, err)


def ids(cli) -> set[str]:
    answer = cli("runs", "--json", "--no-flush")
    return {run["run_id"] for run in answer.json if run["success"]} if answer.code == 0 else set()


def wait_for(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


# -- rebuild and forget --------------------------------------------------------------------------------------------


def test_rebuild_gives_the_same_growth(cli, record):
    for success in (True, False, True):
        record(success=success)
    before = cli("growth", "--json").json
    answer = cli("rebuild", "--json")
    assert answer.code == 0
    assert answer.json == {"ingested": 0, "learned": 3}
    assert cli("growth", "--json").json == before


def test_forget_a_run(cli, record):
    gone, kept = record("Forget this secret errand", success=True), record(success=True)
    xp = cli("growth", "desk", "--json").json["total_xp"]
    answer = cli("forget", gone, "--yes", "--json")
    assert answer.code == 0
    assert answer.json["runs"] == 1
    assert answer.json["events"] == 8
    assert {run["run_id"] for run in cli("runs", "--json").json} == {kept}
    assert 0 < cli("growth", "desk", "--json").json["total_xp"] < xp
    assert cli("show", gone).code == 1


def test_forget_by_text_and_by_date(cli, record):
    record("Call alice@example.com about it", success=True)
    kept = record("Call bob about the parcel", success=True)
    assert cli("forget", "--match", "alice@example.com", "--yes", "--json").json["runs"] == 1
    assert {run["run_id"] for run in cli("runs", "--json").json} == {kept}
    assert cli("forget", "--before", "1d", "--yes", "--json").json["runs"] == 0
    assert cli("forget", "--before", "2999-01-01", "--yes", "--json").json["runs"] == 1
    assert cli("runs", "--json").json == []


def test_forget_asks_and_changes_nothing_where_nobody_can_answer(cli, record):
    run = record()
    answer = cli("forget", run)
    assert answer.code == 2
    assert "--yes" in answer.err
    assert len(cli("runs", "--json").json) == 1


@pytest.mark.parametrize(("answered", "left"), [("n\n", 1), ("y\n", 0)])
def test_forget_does_what_the_person_says(cli, record, home, monkeypatch, answered, left):
    run = record()
    monkeypatch.setattr("seasoned.plugin.cli.options.interactive", lambda: True)
    result = CliRunner().invoke(build(), ["forget", run, "--home", str(home)], input=answered)
    assert result.exit_code == left
    assert run in result.stderr
    assert "cannot be undone" in result.stderr
    assert len(cli("runs", "--json").json) == left


def test_rebuild_asks_whoever_sits_at_a_terminal(cli, record, home, monkeypatch):
    record(success=True)
    before = cli("growth", "--json").json
    monkeypatch.setattr("seasoned.plugin.cli.options.interactive", lambda: True)
    result = CliRunner().invoke(build(), ["rebuild", "--home", str(home)], input="n\n")
    assert result.exit_code == 1
    assert cli("growth", "--json").json == before
    assert cli("rebuild", "--yes").code == 0


@pytest.mark.parametrize(
    "arguments",
    [(), ("last", "--before", "1d"), ("--before", "1d", "--match", "x"), ("--match", " "), ("--before", "once")],
)
def test_forget_wants_to_know_exactly_what(cli, record, arguments):
    record()
    assert cli("forget", "--yes", *arguments).code == 2
    assert len(cli("runs", "--json").json) == 1


def test_forget_a_run_that_is_not_there(cli, record):
    record()
    answer = cli("forget", "r0nowhere", "--yes")
    assert answer.code == 1
    assert "r0nowhere" in answer.line


# -- import --------------------------------------------------------------------------------------------------------


def test_import_twice_changes_nothing(cli, tmp_path):
    file = tmp_path / "runs.jsonl"
    file.write_text("".join(json.dumps(recorded_run(f"x/{n}", success=n % 2 == 0)) + "\n" for n in range(4)))
    first = cli("import", str(file), "--json")
    assert first.code == 0
    assert {key: first.json[key] for key in ("imported", "skipped", "errors")} == {
        "imported": 4, "skipped": 0, "errors": [],
    }  # fmt: skip
    assert first.json["learned"] == 4
    again = cli("import", str(file), "--json")
    assert (again.code, again.json["imported"], again.json["skipped"]) == (0, 0, 4)
    found = cli("runs", "--json").json
    assert len(found) == 4
    assert sum(run["success"] for run in found) == 2
    assert cli("growth", "desk", "--json").json["total_xp"] > 0


def test_a_file_that_is_half_garbage_gives_its_good_half(cli, tmp_path):
    file = tmp_path / "half.jsonl.gz"
    lines = [json.dumps(recorded_run("a")), "{not json", json.dumps(recorded_run("b")), '{"run_id": 3}', "\x00\x01"]
    with gzip.open(file, "wt") as out:
        out.write("\n".join(lines))
    answer = cli("import", str(file))
    assert answer.code == 0
    assert answer.out.startswith("Imported 2")
    places = [line.split(": ")[1] for line in answer.err.splitlines()]
    assert places == [f"{file}:2", f"{file}:4", f"{file}:5"]
    answer = cli("import", str(file), "--json")
    assert (answer.json["skipped"], len(answer.json["errors"])) == (2, 3)
    assert set(answer.json["errors"][0]) == {"file", "line", "error"}


@pytest.mark.parametrize("content", [b"garbage\n", b"\xff\xfe\x00", b"[1, 2]\n{}\n"])
def test_a_file_without_anything_good_fails_in_one_line(cli, tmp_path, content):
    file = tmp_path / "bad.jsonl"
    file.write_bytes(content)
    answer = cli("import", str(file))
    assert (answer.code, answer.out) == (1, "")
    assert str(file) in answer.line


def test_a_file_that_is_not_there_fails_in_one_line_and_the_others_are_taken(cli, tmp_path):
    answer = cli("import", str(tmp_path / "nowhere.jsonl"))
    assert answer.code == 1
    assert "nowhere.jsonl" in answer.line
    file = tmp_path / "good.jsonl"
    file.write_text(json.dumps(recorded_run("a")) + "\n")
    answer = cli("import", str(tmp_path / "nowhere.jsonl"), str(file))
    assert answer.code == 0
    assert "nowhere.jsonl" in answer.line
    assert len(cli("runs", "--json").json) == 1
