"""Importing recorded runs: the same facts in the database as in the file, once."""

from __future__ import annotations

import gzip
import json
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from seasoned.adapters.recorded import arguments_of, read
from seasoned.instrumentation import home, reading
from seasoned.plugin.config import Config
from seasoned.plugin.importing import import_files
from seasoned.plugin.runtime import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from seasoned.instrumentation.events import Event

ROOT = Path(__file__).parents[2]
BUNDLED = ROOT / "plugin" / "data" / "runs_tau_airline.jsonl.gz"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    config = Config(home=str(tmp_path / "home"), namespace="shop")
    home.prepare(config.home_path)
    opened = Workspace(config)
    yield opened
    opened.close()
    assert dict(opened.guard.failures) == {}


def events_of(workspace: Workspace, run_id: str) -> list[Event]:
    with workspace.store.reading() as connection:
        return list(reading.events(connection, run_id))


def imported(workspace: Workspace, tmp_path: Path, *records: dict[str, Any]) -> dict[str, Any]:
    path = tmp_path / "runs.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    result = import_files(workspace, [path])
    report = workspace.flush()
    assert report.error is None
    return result


def test_every_run_of_a_file_is_there_once(workspace: Workspace):
    assert import_files(workspace, [str(BUNDLED)]) == {"imported": 128, "skipped": 0, "errors": []}
    assert workspace.flush().error is None
    assert import_files(workspace, [BUNDLED, BUNDLED]) == {"imported": 0, "skipped": 256, "errors": []}
    assert workspace.flush().ingested == 0
    originals = {run.run_id: run for run in read([BUNDLED])}
    with workspace.store.reading() as connection:
        found = reading.runs(connection, namespace="shop", newest_first=False)
        everything = {run.run_id: list(reading.events(connection, run.run_id)) for run in found}
    assert [run.run_id for run in found] == list(originals), "in the order of the file"
    for run in found:
        original = originals[run.run_id]
        spoken = [message for message in original.messages if message.role != "system"]
        events = everything[run.run_id]
        assert [(e.agent, e.payload["role"], e.payload["content"]) for e in events if e.kind == "message"] == [
            (message.agent, message.role, message.content) for message in spoken
        ]
        assert [
            (e.payload["tool"], e.payload["call_id"], e.payload["arguments"]) for e in events if e.kind == "tool_call"
        ] == [(call.name, call.id, arguments_of(call)) for message in spoken for call in message.tool_calls or ()]
        assert [(e.payload["content"], e.payload["ok"]) for e in events if e.kind == "tool_result"] == [
            (message.content, not message.content.startswith("Error"))
            for message in spoken
            if message.role == "tool" and message.content is not None
        ]
        assert run.success is original.outcome.success
        assert run.outcome_source == "reward"
        assert (run.domain, run.model, run.source) == ("airline", "gpt-4o", "import")
        assert run.task == next(message.content for message in spoken if len(message.content or "") >= 20)
        assert run.status == "finished"
        assert "annotation" not in str(events)


def test_a_run_in_full(workspace: Workspace, tmp_path: Path):
    result = imported(
        workspace,
        tmp_path,
        {
            "run_id": "one",
            "framework": "some app",
            "domain": "shop",
            "outcome": {"success": False, "reward": 0.25},
            "messages": [
                {"role": "system", "agent": "system", "content": "Be kind."},
                {"role": "user", "agent": "customer", "content": "Where is my order 7?"},
                {
                    "role": "assistant",
                    "agent": "helper",
                    "content": None,
                    "tool_calls": [
                        {"id": "x", "name": "find", "arguments": '{"order": 7}'},
                        {"id": "y", "name": "log"},
                    ],
                },
                {"role": "tool", "agent": "tools", "content": "Error: no such order", "tool_call_id": "x"},
                {"role": "assistant", "agent": "helper", "content": "It is lost."},
            ],
        },
    )
    assert result == {"imported": 1, "skipped": 0, "errors": []}
    events = events_of(workspace, "one")
    assert [(e.kind, e.agent, e.turn) for e in events] == [
        ("run_started", None, 0),
        ("context_snapshot", "helper", 0),
        ("message", "customer", 0),
        ("message", "helper", 1),
        ("tool_call", "helper", 1),
        ("tool_call", "tools", 2),
        ("tool_result", "tools", 2),
        ("message", "tools", 2),
        ("message", "helper", 3),
        ("outcome", None, 3),
        ("run_finished", None, 3),
    ]
    by_kind = {e.kind: e.payload for e in events}
    assert by_kind["context_snapshot"]["reason"] == "system prompt of helper"
    assert by_kind["tool_call"] == {"tool": "find", "call_id": "x", "arguments": {"order": 7}, "caller": "helper"}
    assert by_kind["tool_result"]["error_type"] == "ToolError"
    assert by_kind["tool_result"]["error"] == "no such order"
    assert by_kind["outcome"]["quality"] == 0.25
    times = [e.at for e in events]
    assert times == sorted(times)
    assert len(set(times)) == len(times)


def test_code_that_was_executed(workspace: Workspace, tmp_path: Path):
    imported(
        workspace,
        tmp_path,
        {
            "run_id": "code",
            "framework": "ag2/GroupChat",
            "messages": [
                {"role": "user", "agent": "solver", "content": "Try\n```python\nprint(6 * 7)\n```"},
                {"role": "user", "agent": "runner", "content": "exitcode: 0 (execution succeeded)\nCode output: 42\n"},
                {
                    "role": "user",
                    "agent": "runner",
                    "content": "exitcode: 0 (execution succeeded)\nCode output: no code",
                },
            ],
        },
    )
    (execution,) = [e for e in events_of(workspace, "code") if e.kind == "code_execution"]
    assert execution.agent == "runner"
    assert {key: execution.payload[key] for key in ("language", "code", "exit_code", "output")} == {
        "language": "python",
        "code": "print(6 * 7)",
        "exit_code": 0,
        "output": "42\n",
    }


def test_recorded_times_are_kept(workspace: Workspace, tmp_path: Path):
    start = 1_700_000_000
    imported(
        workspace,
        tmp_path,
        {
            "run_id": "timed",
            "started_at": start,
            "messages": [
                {"role": "user", "agent": "u", "content": "one", "at": start + 5},
                {"role": "assistant", "agent": "a", "content": "two", "at": "2023-11-14T22:13:35Z"},
            ],
        },
    )
    events = events_of(workspace, "timed")
    seconds = [round((e.at / 1e9 - start), 3) for e in events]
    assert seconds == [0.0, 5.0, 15.0, 15.0]


def test_half_garbage_keeps_its_good_half(workspace: Workspace, tmp_path: Path):
    path = tmp_path / "runs.jsonl.gz"
    with gzip.open(path, "wt") as file, gzip.open(BUNDLED, "rt", encoding="utf-8") as originals:
        for number, run in enumerate(islice(originals, 20)):
            file.write(run if number % 2 else run[: len(run) // 2] + "\n")
    result = import_files(workspace, [tmp_path / "missing.jsonl", path])
    assert result["imported"] == 10
    assert [error["line"] for error in result["errors"]] == [0, *range(1, 20, 2)]
    assert set(result["errors"][0]) == {"file", "line", "error"}
    assert workspace.flush().learned == 10


def test_secrets_are_gone_before_they_are_written(workspace: Workspace, tmp_path: Path):
    secret = "sk-" + "aB3" * 16
    imported(
        workspace,
        tmp_path,
        {"run_id": "secret", "messages": [{"role": "user", "agent": "u", "content": f"my key is {secret}"}]},
    )
    (message,) = [e for e in events_of(workspace, "secret") if e.kind == "message"]
    assert secret not in str(message)
    files = [path for path in workspace.config.home_path.rglob("*") if path.is_file()]
    assert all(secret.encode() not in path.read_bytes() for path in files)


def test_an_empty_run_and_one_without_an_outcome(workspace: Workspace, tmp_path: Path):
    imported(
        workspace,
        tmp_path,
        {"run_id": "empty", "task": "never begun", "messages": []},
        {"run_id": "open", "outcome": {"success": None}, "messages": [{"role": "user", "agent": "u", "content": "hi"}]},
    )
    with workspace.store.reading() as connection:
        empty, unknown = (reading.find(connection, run_id) for run_id in ("empty", "open"))
    assert (empty.task, empty.messages, empty.success) == ("never begun", 0, None)
    assert (unknown.task, unknown.messages, unknown.success) == ("hi", 1, None)
