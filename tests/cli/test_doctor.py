"""``seasoned doctor``: it tells what is wrong, and never falls over it."""

from __future__ import annotations

import contextlib
import gc
import os
import sqlite3
from importlib import metadata
from pathlib import Path

import pytest

from seasoned.instrumentation.guard import Guard
from seasoned.instrumentation.journal import Writer
from seasoned.instrumentation.recorder import Recorder
from seasoned.instrumentation.redaction import Redactor


def test_nothing_is_recorded_and_nothing_is_made(cli, home):
    answer = cli("doctor", "--json")
    assert answer.code == 0
    assert answer.json["database"]["reachable"] is None
    assert answer.json["problems"] == []
    assert not home.exists()
    assert "nothing is recorded yet" in cli("doctor").out


def test_the_whole_report(cli, record, home):
    record(success=True)
    record()
    report = cli("doctor", "--json").json
    assert report["python"]
    assert report["config"]["home"] == str(home)
    assert report["config"]["namespace"] == "shop"
    database = report["database"]
    assert (database["reachable"], database["writable"], database["error"]) == (True, True, None)
    assert (database["runs"], database["events"], database["runs_without_outcome"]) == (2, 15, 1)
    assert database["size_bytes"] > 0
    assert database["schema_version"]
    assert report["journal"]["backlog_bytes"] == 0
    assert (report["gaps"], report["lost_events"], report["corrupt_lines"]) == ([], 0, [])
    assert "growth" in report["plugins"]["loaded"]
    assert report["embedder"]["semantic"] is False
    (problem,) = report["problems"]
    assert problem.startswith("1 run has no outcome")
    assert "seasoned outcome" in problem
    page = cli("doctor").out
    assert "2 runs, 15 events" in page
    assert problem in page.replace("\n", " ")


def test_frameworks_are_found_without_being_imported(program, home):
    report = program("doctor", "--json", "--home", str(home)).json
    found = {entry["distribution"]: entry for entry in report["frameworks"]}
    for name in ("autogen", "ag2", "autogen-agentchat"):
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            assert name not in found
        else:
            assert found[name]["version"] == version
            # the last of the old line and the new one are one distribution, which brings another module
            module = "autogen_agentchat" if name == "autogen-agentchat" and version[:3] != "0.2" else "autogen"
            entry = found[name]
            assert (entry["import_name"], entry["status"], entry["adapter"]) == (module, "tested", module)
            assert entry["records"]


def test_live_and_dead_writers_and_what_waits(cli, home, record):
    record()
    recorder = Recorder(Writer(home), Redactor(), Guard(), namespace="shop")
    run = recorder.begin("A task that is going on")
    journal = cli("doctor", "--json", "--no-flush").json["journal"]
    assert journal["live_writers"] == [recorder.writer.writer_id]
    assert len(journal["dead_writers"]) == 1
    assert journal["backlog_bytes"] > 0
    recorder.finish(run, "done")
    recorder.writer.close()
    journal = cli("doctor", "--json").json["journal"]
    assert (journal["live_writers"], journal["dead_writers"], journal["backlog_bytes"]) == ([], [], 0)


def test_corrupt_lines_and_gaps_are_named_with_their_place(cli, record, home):
    run = record()
    (path,) = (home / "journal").glob("*/000000.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    lines[3] = b'["torn", 1, "mess\n'
    path.write_bytes(b"".join(lines))
    report = cli("doctor", "--json").json
    (line,) = report["corrupt_lines"]
    assert path.name in line
    assert report["gaps"] == [{"run_id": run, "writer": path.parent.name, "missing": 1}]
    assert any(path.name in problem for problem in report["problems"])
    kinds = [event["kind"] for event in cli("show", run, "--json").json["events"]]
    assert kinds == ["run_started", "message", "tool_call", "tool_result", "message", "run_finished"]


def test_a_journal_of_another_version_is_left_alone_and_told(cli, record, home):
    run = record()
    other = home / "journal" / "wother"
    other.mkdir()
    (other / "lock").touch()
    content = '{"seasoned_journal": 99, "writer": "wother", "segment": 0}\n["r", 0]\n'
    (other / "000000.jsonl").write_text(content)
    report = cli("doctor", "--json").json
    assert any("wother" in problem and "99" in problem for problem in report["problems"])
    assert (other / "000000.jsonl").read_text() == content
    assert [found["run_id"] for found in cli("runs", "--json").json] == [run]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the system does not list open files here")
def test_nothing_stays_open_behind_it(cli, home, record):
    """Not even for the collector to close: Python 3.13 warns of a database that was left open."""
    record(success=True)
    gc.disable()
    try:
        cli("doctor")
        assert _open_below(home) == []
    finally:
        gc.enable()


def _open_below(folder: Path) -> list[str]:
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the one that lists them is closed by now
            path = descriptor.readlink()
            if path.is_relative_to(folder):
                found.append(str(path))
    return sorted(found)


def test_lost_events_are_counted(cli, home):
    recorder = Recorder(Writer(home), Redactor(), Guard(), namespace="shop")
    run = recorder.begin("A task that loses something")
    recorder.writer.pending[run.run_id] += 3
    recorder.finish(run, "done")
    recorder.writer.close()
    report = cli("doctor", "--json").json
    assert report["lost_events"] == 3
    assert any("3 events" in problem for problem in report["problems"])


def test_a_locked_database_is_told_and_nothing_is_lost(cli, record, home, monkeypatch):
    monkeypatch.setattr("seasoned.plugin.cli.options.PATIENCE", 0.1)
    monkeypatch.setattr("seasoned.instrumentation.store.BUSY_SECONDS", 0.1)
    record(success=True)
    cli("flush")
    record(success=True)
    holder = sqlite3.connect(home / "seasoned.db", isolation_level=None)
    try:
        holder.execute("BEGIN IMMEDIATE")
        report = cli("doctor", "--json").json
        assert (report["database"]["reachable"], report["database"]["writable"]) == (True, False)
        assert "locked" in report["database"]["error"]
        assert report["journal"]["backlog_bytes"] > 0
        assert any("locked" in problem for problem in report["problems"])
        runs = cli("runs", "--json")
        assert (runs.code, len(runs.json)) == (0, 1)
        assert "locked" in runs.err
        flushed = cli("flush")
        assert flushed.code == 1
        assert "locked" in flushed.line
    finally:
        holder.close()
    assert len(cli("runs", "--json").json) == 2


@pytest.mark.parametrize(
    "url", ["postgresql+psycopg://me:secret@127.0.0.1:1/none", "postgresql://127.0.0.1:1/x?password=secret"]
)
def test_a_database_that_is_away_is_told_without_its_password(cli, record, url, monkeypatch):
    monkeypatch.setattr("seasoned.plugin.cli.options.PATIENCE", 0.1)
    record()
    answer = cli("doctor", "--json", "--db", url)
    assert answer.code == 0
    assert answer.json["database"]["reachable"] is False
    assert answer.json["journal"]["backlog_bytes"] > 0
    assert any(problem.startswith("database: ") for problem in answer.json["problems"])
    assert "secret" not in answer.out + answer.err
    away = cli("runs", "--db", url)
    assert away.code == 1
    assert "secret" not in away.line


def test_a_plugin_can_be_blocked(cli, monkeypatch):
    monkeypatch.setenv("SEASONED_BLOCK", "growth")
    plugins = cli("doctor", "--json").json["plugins"]
    assert "growth" not in plugins["loaded"]
    assert plugins["blocked"] == ["growth"]


def test_a_plain_file_in_the_place_of_the_folder(cli, home):
    home.write_text("not a folder")
    answer = cli("runs", "--json")
    assert (answer.code, answer.json) == (0, [])
    assert cli("import", os.devnull).code == 1
