"""The recording that the tests of every adapter look at: an adapter on a recorder of its own, without a runtime."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from seasoned.instrumentation.guard import Guard
from seasoned.instrumentation.journal import Writer
from seasoned.instrumentation.recorder import Recorder
from seasoned.instrumentation.redaction import Redactor
from seasoned.instrumentation.tap import Adapter, Tap

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from seasoned.instrumentation.events import Event
    from seasoned.instrumentation.runs import Run

A = TypeVar("A", bound=Adapter)

BLOCK = '<experience agent="{}">\nYOUR CURRENT ABILITIES:\n- be {{brief}}\n</experience>'


class AdapterRecording(Generic[A]):
    """The adapter on a recorder of its own, and the events that came of it."""

    def __init__(self, home: Path, adapter: A) -> None:
        self.guard = Guard()
        self.recorder = Recorder(Writer(home), Redactor(), self.guard, namespace="tests")
        self.events: list[Event] = []
        self.runs: list[Run] = []
        self.recorder.listeners = (self.events.append,)
        self.recorder.on_start = self.runs.append
        self.blocks: dict[str, str] = {}
        self.tap = Tap(self.recorder, self.guard, self._compose)
        self.adapter = adapter

    def _compose(self, _run: Run, agent: str) -> str:
        return self.blocks.get(agent, "")

    def start(self) -> None:
        self.tap.active = True
        self.adapter.install(self.tap)

    def stop(self) -> None:
        self.tap.active = False
        self.adapter.uninstall()
        self.recorder.writer.close()

    @contextlib.contextmanager
    def on(self) -> Iterator[None]:
        """Recording on; whatever of ours fails meanwhile fails the test."""
        self.start()
        try:
            yield
        finally:
            self.stop()
        assert self.guard.failures == {}, self.guard.last

    def _events(self, run: Run | int | None) -> list[Event]:
        wanted = self.runs[run] if isinstance(run, int) else run
        return [event for event in self.events if wanted is None or event.run_id == wanted.run_id]

    def of(self, *kinds: str, run: Run | int | None = None) -> list[Event]:
        """The events of these kinds, of one run (or the n-th) or of all."""
        return [event for event in self._events(run) if event.kind in kinds]

    def kinds(self, run: Run | int | None = None) -> list[str]:
        """The kinds of all events, in their order."""
        return [event.kind for event in self._events(run)]

    def talk(self, run: Run | int | None = None) -> list[tuple[Any, ...]]:
        """(sender, recipients, role, content) of the messages."""
        return [
            (event.agent, tuple(event.payload["recipients"]), event.payload["role"], event.payload["content"])
            for event in self.of("message", run=run)
        ]

    def steps(self, run: Run | int | None = None) -> list[tuple[Any, ...]]:
        """(from, to, reason) of the transitions."""
        return [(e.agent, e.payload["to_agent"], e.payload["reason"]) for e in self.of("transition", run=run)]

    def reasons(self) -> list[str]:
        """Why the runs ended."""
        return [event.payload["reason"] for event in self.of("run_finished")]

    def outline(self) -> list[tuple[Any, ...]]:
        """All that happened, without times, ids and prompts: to be compared."""
        numbers = {run.run_id: number for number, run in enumerate(self.runs)}
        lines: list[tuple[Any, ...]] = []
        for event in self.events:
            payload = {k: v for k, v in event.payload.items() if k not in ("prompt", "duration_ms", "session")}
            if payload.get("parent"):
                payload["parent"] = numbers[payload["parent"]]
            lines.append((numbers[event.run_id], event.turn, event.kind, event.agent, json.dumps(payload, default=str)))
        return lines
