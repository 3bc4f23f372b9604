"""Runs as OpenTelemetry traces (OTLP/JSON), in the terms of the conventions for generative AI.

A run and the runs inside it are one trace: ``invoke_workflow`` for a run, in it ``invoke_agent`` for each turn, and in
that ``chat`` for a model call and ``execute_tool`` for a tool or program. A run inside another hangs below the tool or
turn in which it happened, else below the outer run. What takes no time (who speaks next, files, what was put into a
prompt, errors) are events of the turn's span. Ids follow from the run's id, so that the same run is the same trace.

Spans are written as they end, children before their parents, so that a long run takes little memory. Of the runs inside
another only the outermost span waits, until it is known where it belongs.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from . import otlp_values as values
from .describing import described, text_of
from .events import encode
from .otlp_spans import MOST, Span, Turn, Work
from .schema import events as events_table
from .schema import runs as runs_table
from .timeline import events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from .events import Event
    from .reading import RunRecord


def document(connection: Connection, found: list[RunRecord]) -> Iterator[bytes]:
    """Runs as one OTLP/JSON document, in pieces: one entry of ``resourceSpans`` for each outermost run.

    Args:
        connection: from :meth:`.store.Store.reading`; it must stay open until the end.
        found: the runs, an outer one before those inside it.
    """
    yield b'{"resourceSpans":['
    comma = b""
    for tree in _trees(found):
        outer = tree[-1]
        service = values.attributes({"service.name": outer.namespace or "seasoned"})
        head = encode({"resource": {"attributes": service}})[:-1]
        yield comma + head + b',"scopeSpans":[{"scope":{"name":"seasoned"},"spans":['
        comma = b""
        for span in spans(connection, tree):
            yield comma + encode(span)
            comma = b","
        yield b"]}]}"
        comma = b","
    yield b"]}\n"


def spans(connection: Connection, tree: list[RunRecord]) -> Iterator[Span]:
    """The spans of a run (the last one given) and the runs inside it, each of which comes before its outer one."""
    trace = values.identifier(16, "trace", tree[-1].run_id)
    done: dict[str | None, list[Work]] = {}
    for run in tree:
        made = _Run(connection, trace, run, done.pop(run.run_id, []))
        yield from made.spans()
        if run is tree[-1]:
            yield made.work.span(None)
        done.setdefault(run.parent_run_id, []).append(made.work)


def _trees(found: list[RunRecord]) -> Iterator[list[RunRecord]]:
    """The outermost runs, each behind the runs inside it."""
    known = {run.run_id for run in found}
    inside: dict[str | None, list[RunRecord]] = {}
    for run in found:
        inside.setdefault(run.parent_run_id if run.parent_run_id in known else None, []).append(run)
    seen: set[str] = set()
    for start in (*inside.get(None, []), *found):  # the second for runs that are said to be inside each other
        waiting, tree = [start], []
        while waiting:
            run = waiting.pop()
            if run.run_id not in seen:
                seen.add(run.run_id)
                tree.append(run)
                waiting.extend(inside.get(run.run_id, []))
        if tree:
            yield tree[::-1]


class _Run:
    """Makes the spans of one run. Its own, :attr:`work`, is for whoever knows where it belongs."""

    def __init__(self, connection: Connection, trace: str, run: RunRecord, inside: list[Work]) -> None:
        self._connection = connection
        self._trace = trace
        self._run = run
        self._inside = sorted(inside, key=lambda work: (work.start, work.span_id))
        self._starts = [work.start for work in self._inside]
        self._placed = [False] * len(inside)
        self._turns: dict[int, Turn] = {}
        self._calls: dict[tuple[str, str], list[tuple[int, Event]]] = {}
        self._open: Counter[int] = Counter()
        self._counts = self._count()
        name = f"invoke_workflow {run.namespace}" if run.namespace else "invoke_workflow"
        self.work = Work(trace, values.identifier(8, "run", run.run_id), name, run.started_ns)

    def _count(self) -> dict[int, int]:
        """How many events each turn has: then it is over."""
        table = events_table.c
        query = (
            select(table.turn, func.count())
            .join(runs_table, runs_table.c.run_pk == table.run_pk)
            .where(runs_table.c.run_id == self._run.run_id)
            .group_by(table.turn)
        )
        counts: dict[int, int] = {}
        for turn, count in self._connection.execute(query):
            counts[turn] = count
        return counts

    def spans(self) -> Iterator[Span]:
        """Every span in the run's own, as each ends."""
        for number, event in enumerate(events(self._connection, self._run.run_id, prompts=True)):
            turn = self._turn(event)
            for span in self._take(number, event, turn):
                yield span
                yield from self._below(span)
            if turn is not None:
                turn.left -= 1
                if turn.left <= 0 and not self._open[event.turn]:
                    yield from self._close(event.turn)
        for waiting in self._calls.values():
            for number, call in waiting:
                yield from self._unanswered(number, call)
        for number in list(self._turns):
            yield from self._close(number)
        for work, placed in zip(self._inside, self._placed, strict=True):
            if not placed:
                self.work.cover(work.start, work.end)
                yield work.span(self.work.span_id)
        self._facts()

    # -- turns -----------------------------------------------------------------------------------------------

    def _turn(self, event: Event) -> Turn | None:
        """The turn of an event; what comes before the first belongs to the run itself."""
        self.work.cover(event.at, event.at)
        if event.turn == 0:
            return None
        turn = self._turns.get(event.turn)
        if turn is None:
            span_id = values.identifier(8, "turn", self._run.run_id, event.turn)
            turn = Turn(self._trace, span_id, event.at, self._counts.get(event.turn, 0))
            self._turns[event.turn] = turn
        turn.cover(event.at, event.at)
        if event.agent is not None:
            if event.kind == "message":
                turn.spoke = turn.spoke or event.agent
            elif event.kind in ("model_call", "tool_call", "code_execution", "human_input"):
                turn.worked = turn.worked or event.agent
        return turn

    def _close(self, number: int) -> Iterator[Span]:
        turn = self._turns.pop(number)
        agent = turn.spoke or turn.worked
        if agent is not None:
            turn.name = f"invoke_agent {agent}"
        turn.facts = {
            "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": agent,
            "gen_ai.conversation.id": self._run.session_id or None, "seasoned.turn": number,
            "gen_ai.output.messages": values.as_json(turn.said),
        }  # fmt: skip
        self.work.cover(turn.start, turn.end)
        span = turn.span(self.work.span_id)
        yield span
        yield from self._below(span)

    def _below(self, span: Span) -> Iterator[Span]:
        """The runs inside this one that happened wholly within a span and have no place yet."""
        if not self._inside or span["name"].startswith("chat"):
            return
        start, end = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
        for index in range(bisect_left(self._starts, start), len(self._inside)):
            work = self._inside[index]
            if work.start > end:
                break
            if not self._placed[index] and work.end <= end:
                self._placed[index] = True
                yield work.span(span["spanId"])

    # -- what happened in them -------------------------------------------------------------------------------

    def _take(self, number: int, event: Event, turn: Turn | None) -> Iterator[Span]:
        """The span that an event ends, if it ends one."""
        work = turn or self.work
        kind = event.kind
        if kind == "model_call":
            yield self._chat(number, event, work)
        elif kind == "tool_call":
            self._calls.setdefault(_key(event), []).append((number, event))
            self._open[event.turn] += 1
        elif kind == "tool_result":
            yield from self._result(number, event)
        elif kind == "code_execution":
            yield self._code(number, event, work)
        else:
            self._moment(event, turn, work)

    def _moment(self, event: Event, turn: Turn | None, work: Work) -> None:
        """What takes no time."""
        kind, payload = event.kind, event.payload
        if kind == "message":
            said = values.message(text_of(payload.get("role")) or "assistant", [], event.agent)
            if payload.get("content") is not None:
                said["parts"] = [values.text(text_of(payload["content"]))]
            if turn is not None and len(turn.said) < MOST:
                turn.said.append(said)
            elif turn is None:
                work.event("seasoned.message", event.at, {"gen_ai.output.messages": text_of([said])})
        elif kind == "error":
            error = (text_of(payload.get("error_type")) or values.OTHER, text_of(payload.get("error")))
            work.error = error
            work.event("exception", event.at, {"exception.type": error[0], "exception.message": error[1]})
        elif kind == "run_finished":
            if payload.get("error_type") is not None:
                self.work.error = (text_of(payload["error_type"]), text_of(payload.get("reason")))
        elif kind == "outcome":
            self._outcome(event)
        elif kind != "run_started":
            title, text = described(event)
            facts = {"gen_ai.agent.name": event.agent, "seasoned.title": title, "seasoned.text": text or None}
            work.event(f"seasoned.{kind}", event.at, facts)

    def _chat(self, number: int, event: Event, parent: Work) -> Span:
        payload = event.payload
        model = text_of(payload.get("model")) or None
        work = self._child(number, "chat", model, event, _begin(event), values.CLIENT)
        usage, prompt = payload.get("usage"), payload.get("prompt")
        usage = usage if isinstance(usage, dict) else {}
        work.facts = {
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": values.provider(model),
            "gen_ai.request.model": model, "gen_ai.agent.name": event.agent,
            "gen_ai.conversation.id": self._run.session_id or None,
            "gen_ai.usage.input_tokens": _count(usage.get("input_tokens")),
            "gen_ai.usage.output_tokens": _count(usage.get("output_tokens")),
            "gen_ai.usage.reasoning.output_tokens": _count(usage.get("reasoning_tokens")),
            "gen_ai.input.messages": values.as_json(values.sent(prompt)) if isinstance(prompt, list) else None,
            "gen_ai.output.messages": values.as_json(values.answered(payload, event.agent)),
            "seasoned.cost_usd": payload.get("cost_usd"), "seasoned.cached": payload.get("cached") or None,
            "seasoned.injected": payload.get("injected"),
        }  # fmt: skip
        if payload.get("error") is not None or payload.get("error_type") is not None:
            work.error = (text_of(payload.get("error_type")) or values.OTHER, text_of(payload.get("error")))
        parent.cover(work.start, work.end)
        return work.span(parent.span_id)

    def _result(self, number: int, event: Event) -> Iterator[Span]:
        key, payload = _key(event), event.payload
        waiting = self._calls.get(key)
        asked: Event | None = None
        if waiting:
            number, asked = waiting.pop(0)
            self._open[asked.turn] -= 1
            if not waiting:
                del self._calls[key]
        start = _begin(event, asked)
        work = self._tool(number, asked or event, start if asked is None else min(start, asked.at))
        work.cover(event.at, event.at)
        work.facts["gen_ai.tool.call.result"] = payload.get("content")
        if payload.get("ok") is False:
            why = text_of(payload.get("error") or payload.get("content"))
            work.error = (text_of(payload.get("error_type")) or values.OTHER, why)
        of = (asked or event).turn
        parent = self._turns.get(of, self.work)
        parent.cover(work.start, work.end)
        yield work.span(parent.span_id)
        if of != event.turn and of in self._turns and self._turns[of].left <= 0 and not self._open[of]:
            yield from self._close(of)

    def _tool(self, number: int, event: Event, start: int) -> Work:
        payload = event.payload
        tool = text_of(payload.get("tool")) or "tool"
        work = self._child(number, "execute_tool", tool, event, start)
        work.facts = {
            "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool, "gen_ai.tool.type": "function",
            "gen_ai.tool.call.id": None if payload.get("call_id") is None else text_of(payload["call_id"]),
            "gen_ai.agent.name": event.agent,
            "gen_ai.tool.call.arguments": None if payload.get("arguments") is None else text_of(payload["arguments"]),
        }  # fmt: skip
        return work

    def _unanswered(self, number: int, call: Event) -> Iterator[Span]:
        """A call that never had an answer: it lasts as long as its turn, as far as is known."""
        parent = self._turns.get(call.turn, self.work)
        work = self._tool(number, call, call.at)
        work.cover(call.at, parent.end)
        work.error = (values.OTHER, "no answer was recorded")
        span = work.span(parent.span_id)
        yield span
        yield from self._below(span)

    def _code(self, number: int, event: Event, parent: Work) -> Span:
        payload = event.payload
        work = self._child(number, "execute_tool", "code_execution", event, _begin(event))
        code = {"language": payload.get("language"), "code": payload.get("code")}
        work.facts = {
            "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "code_execution",
            "gen_ai.tool.type": "extension", "gen_ai.agent.name": event.agent,
            "gen_ai.tool.call.arguments": text_of(code),
            "gen_ai.tool.call.result": payload.get("output"), "process.exit.code": _count(payload.get("exit_code")),
        }  # fmt: skip
        if payload.get("exit_code") not in (None, 0):
            work.error = ("exit_code", f"exit code {text_of(payload['exit_code'])}")
        parent.cover(work.start, work.end)
        return work.span(parent.span_id)

    def _child(
        self, number: int, operation: str, name: str | None, event: Event, start: int, kind: int = values.INTERNAL
    ) -> Work:
        span_id = values.identifier(8, "event", self._run.run_id, number)
        work = Work(self._trace, span_id, f"{operation} {name}" if name else operation, event.at, kind)
        work.cover(max(0, min(start, event.at)), event.at)
        self.work.cover(work.start, work.end)
        return work

    # -- the run itself --------------------------------------------------------------------------------------

    def _outcome(self, event: Event) -> None:
        payload = event.payload
        label = {True: "success", False: "failure"}.get(payload.get("success"), "unknown")  # type: ignore[arg-type]
        quality = payload.get("quality")
        self.work.event(
            "gen_ai.evaluation.result",
            event.at,
            {
                "gen_ai.evaluation.name": text_of(payload.get("source")) or "outcome",
                "gen_ai.evaluation.score.label": label,
                "gen_ai.evaluation.score.value": float(quality) if isinstance(quality, (int, float)) else None,
            },
        )

    def _facts(self) -> None:
        run = self._run
        task = None if run.task is None else [values.message("user", [values.text(run.task)])]
        self.work.facts = {
            "gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": run.namespace or None,
            "gen_ai.conversation.id": run.session_id or None, "gen_ai.input.messages": values.as_json(task),
            "seasoned.run_id": run.run_id, "seasoned.domain": run.domain, "seasoned.framework": run.framework,
            "seasoned.status": run.status, "seasoned.end_reason": run.end_reason, "seasoned.success": run.success,
            "seasoned.quality": run.quality, "seasoned.outcome_source": run.outcome_source,
            "seasoned.input_tokens": run.input_tokens, "seasoned.output_tokens": run.output_tokens,
            "seasoned.cost_usd": run.cost_usd, "seasoned.lost_events": run.lost or None,
        }  # fmt: skip


def _key(event: Event) -> tuple[str, str]:
    return text_of(event.payload.get("tool")), text_of(event.payload.get("call_id"))


def _begin(event: Event, asked: Event | None = None) -> int:
    """When the work began that an event ended: by how long it took, else when it was asked for."""
    took = event.payload.get("duration_ms")
    if isinstance(took, (int, float)):
        return event.at - max(0, round(took * 1e6))
    return event.at if asked is None else asked.at


def _count(value: Any) -> int | None:
    return value if value.__class__ is int else None
