"""What the tests of exports share: homes that take runs in without learning, a run with everything in it, comparing."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from seasoned.instrumentation import home as home_folder
from seasoned.instrumentation import reading
from seasoned.instrumentation.ingest import Ingester
from seasoned.instrumentation.journal import Writer
from seasoned.instrumentation.recorder import Recorder
from seasoned.instrumentation.redaction import Redactor
from seasoned.instrumentation.schema import runs
from seasoned.plugin.config import Config
from seasoned.plugin.importing import import_files
from seasoned.plugin.replay_export import export_runs
from seasoned.plugin.runtime import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from seasoned.instrumentation.events import Event

ROOT = Path(__file__).parents[2]
BUNDLED = ROOT / "plugin" / "data" / "runs_tau_airline.jsonl.gz"
SHARED = ROOT.parent / "shared" / "data"

LOCAL = {"run_pk", "task_pk", "learned", "judged", "task_type", "task_group"}
"""Columns of a run that are numbers of one database, or belong to whoever judges and learns there."""

BLOCK = '<experience agent="ada">\n- Be careful.\n</experience>'


class Place:
    """A home, into which journals are brought without learning from them."""

    def __init__(self, home: Path, **settings: Any) -> None:
        home_folder.prepare(home)
        self.workspace = Workspace(Config(home=str(home), **{"namespace": "shop", **settings}))
        self.recorder = self.workspace.recorder
        self.store = self.workspace.store

    def ingest(self) -> None:
        """Bring in everything written so far."""
        ingester = Ingester(
            self.store, self.workspace.config.home_path, lambda: self.recorder.writer, self.workspace.guard
        )
        while ingester.step().bytes:
            pass
        assert ingester.problems == []

    def take(self, *files: Path, namespace: str | None = None) -> dict[str, Any]:
        """Import files."""
        result = import_files(self.workspace, files, namespace=namespace)
        self.ingest()
        return result

    def write(self, path: Path, *run_ids: str, form: str | None = None) -> Path:
        """Export these runs, or all."""
        with self.store.reading() as connection:
            ids = run_ids or [run.run_id for run in reading.runs(connection)]
        export_runs(self.store.reading, ids, path, form)
        return path

    def rows(self) -> dict[str, dict[str, Any]]:
        """Every run's row, but for what is local."""
        with self.store.reading() as connection:
            found = connection.execute(select(runs)).mappings()
            return {row["run_id"]: {key: row[key] for key in row if key not in LOCAL} for row in found}

    def events(self, run_id: str) -> list[Event]:
        """A run's events, prompts included."""
        with self.store.reading() as connection:
            return list(reading.events(connection, run_id, prompts=True))

    def facts(self, run_id: str) -> list[tuple[Any, ...]]:
        """What must be the same in every home."""
        return [(e.kind, e.agent, e.turn, e.at, e.seq, e.payload) for e in self.events(run_id)]

    def tasks(self) -> dict[str, str | None]:
        """Every run's task."""
        with self.store.reading() as connection:
            return {run.run_id: run.task for run in reading.runs(connection)}


@contextlib.contextmanager
def places(root: Path, *names: str) -> Iterator[list[Place]]:
    """Homes of these names."""
    made = [Place(root / name) for name in names]
    try:
        yield made
        assert all(dict(place.workspace.guard.failures) == {} for place in made)
    finally:
        for place in made:
            place.workspace.close(flush=False)


def assert_same(one: Place, other: Place) -> int:
    """Both homes hold the same; returns how many events that are."""
    assert one.rows() == other.rows()
    assert one.tasks() == other.tasks()
    count = 0
    for run_id in one.rows():
        expected = one.facts(run_id)
        assert other.facts(run_id) == expected
        count += len(expected)
    return count


def everything(recorder: Recorder, *, at: int = 1_700_000_000_000_000_000) -> tuple[str, str]:
    """Record a run with one of each kind of event, two agents' prompts, a run inside it, and a verdict that comes from
    another process; returns the ids of both."""
    run = recorder.begin(
        "Refund order W1 for me", framework="autogen", domain="retail", task_type="refund", at=at, agents=["ann"]
    )
    recorder.message(run, "ann", ["ada", "ben"], "user", "Refund order W1 for me", by_user=True)
    recorder.record(run, "context_snapshot", None, {"content": {"order": "W1", "n": [1, None]}, "reason": "state"})
    prompt: list[dict[str, Any]] = [
        {"role": "system", "content": "You are Ada."},
        {"role": "user", "name": "ann", "content": "Refund order W1 for me"},
    ]
    run.turn = 1
    calls = [{"id": "c1", "name": "look_up", "arguments": {"order": "W1"}}]
    facts = {
        "model": "gpt-4o",
        "usage": {"input_tokens": 30, "output_tokens": 4, "reasoning_tokens": 2},
        "cost_usd": 1e-4,
    }
    recorder.record(run, "injection", "ada", {"text": BLOCK, "tokens": 9, "sections": [{"name": "x", "text": "y"}]})
    recorder.model_call(
        run, "ada", prompt, {**facts, "duration_ms": 12.345, "tool_calls": calls}, block=BLOCK, reasoning="I look."
    )
    recorder.message(run, "ada", ["ann"], "assistant", None)
    recorder.record(
        run, "tool_call", "ben", {"tool": "look_up", "call_id": "c1", "arguments": {"order": "W1"}, "caller": "ada"}
    )
    child = recorder.begin("Ask the stock", parent=run, framework="autogen", agents=["cleo"])
    recorder.message(child, "cleo", ["ben"], "assistant", "There are two: <script>alert(1)</script> \x1b[31m\u202e")
    recorder.finish(child, "done")
    recorder.record(
        run, "tool_result", "ben",
        {"tool": "look_up", "call_id": "c1", "ok": False, "content": None, "error_type": "KeyError", "error": "no W1",
         "duration_ms": 3},
    )  # fmt: skip
    prompt += [
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c1", "content": "Error: no W1"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "u"}}],
        },
    ]
    recorder.model_call(run, "ada", prompt, {**facts, "error_type": "Timeout", "error": "too late"}, block=BLOCK)
    recorder.record(run, "error", "ada", {"error_type": "Timeout", "error": "too late"})
    run.turn = 2
    recorder.transition(run, "ada", "ben", "round robin")
    recorder.record(run, "human_input", "ann", {"content": "go on \ud83d then"})
    recorder.record(run, "code_execution", "ben", {"language": "python", "code": "1/0", "exit_code": 1, "output": "no"})
    recorder.record(run, "artifact", "ben", {"path": "w/a.txt", "content": "a\nb", "change": "created", "parent": None})
    recorder.record(run, "message", "ben", {"recipients": ["ada"], "role": "assistant", "content": {"total": 3}})
    recorder.record(run, "gap", None, {"lost": 2, "reason": "No space left on device"})
    recorder.finish(run, "termination")
    run.feedback("thanks", positive=True, agent="ada")
    other = Recorder(Writer(recorder.writer.home), Redactor(), recorder.guard, namespace=recorder.namespace)
    again = type(run)(other, namespace=run.namespace, session_id=run.session_id, run_id=run.run_id)
    again.outcome(True, quality=0.5, complexity="high", cost_usd=0.25, flags={"escalated": True}, source="qa-team")
    other.writer.close()
    return run.run_id, child.run_id
