"""A span of an OpenTelemetry trace while it is being put together (:mod:`.otlp`)."""

from __future__ import annotations

from typing import Any

from . import otlp_values as values

MOST = 1_000
"""Events, and messages said, that a span has at most; events beyond are counted."""

Span = dict[str, Any]
"""A span as the protocol has it in JSON."""


class Work:
    """A span that is still open: its extent, and what becomes its attributes and events."""

    def __init__(self, trace: str, span_id: str, name: str, at: int, kind: int = values.INTERNAL) -> None:
        self.trace, self.span_id, self.name, self.kind = trace, span_id, name, kind
        self.start = self.end = at
        self.facts: dict[str, Any] = {}
        self.error: tuple[str, str] | None = None
        self._events: list[dict[str, Any]] = []
        self._dropped = 0

    def cover(self, start: int, end: int) -> None:
        """Make the span at least so long."""
        self.start, self.end = min(self.start, start), max(self.end, end)

    def event(self, name: str, at: int, facts: dict[str, Any]) -> None:
        """Add something that happened at a moment."""
        if len(self._events) >= MOST:
            self._dropped += 1
            return
        self._events.append({"timeUnixNano": str(at), "name": name, "attributes": values.attributes(facts)})

    def span(self, parent: str | None) -> Span:
        """The span as the protocol has it."""
        facts = dict(self.facts)
        if self.error is not None:
            facts["error.type"] = self.error[0]
        made: Span = {"traceId": self.trace, "spanId": self.span_id}
        if parent is not None:
            made["parentSpanId"] = parent
        made.update(
            name=self.name, kind=self.kind, startTimeUnixNano=str(self.start), endTimeUnixNano=str(self.end),
            attributes=values.attributes(facts),
        )  # fmt: skip
        if self._events:
            made["events"] = self._events
        if self._dropped:
            made["droppedEventsCount"] = self._dropped
        if self.error is not None:
            made["status"] = {"code": values.ERROR, "message": self.error[1]}
        return made


class Turn(Work):
    """A turn: whose it is, what was said in it, and how much of it is still to come."""

    def __init__(self, trace: str, span_id: str, at: int, left: int) -> None:
        super().__init__(trace, span_id, "invoke_agent", at)
        self.left = left
        self.spoke: str | None = None
        self.worked: str | None = None
        self.said: list[dict[str, Any]] = []
