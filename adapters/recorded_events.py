"""A recorded run as events, as if it had been recorded live.

A record that has its events exactly is written as it was (:mod:`.recorded_exact`). What follows is about all others.

What a record does not tell is left out: there are no model calls, because it has neither prompts nor usage, and no
transitions. Times are those of the record where it has them; else each event comes a microsecond after the one
before, so that their order is kept.
"""

from __future__ import annotations

import contextvars
import time
from typing import TYPE_CHECKING, Any

from ..instrumentation.runs import outcome_payload
from .recorded import ERROR_MARK, arguments_of, code_blocks, exchanges, exit_report, moment, visible_task
from .recorded_exact import Journals, restore

if TYPE_CHECKING:
    from ..instrumentation.recorder import Recorder
    from .recorded import Exchange, RecordedCall, RecordedMessage, RecordedRun

STEP = 1_000
"""Nanoseconds between two events whose times nobody knows."""

TOOL_ERROR = "ToolError"
"""The error type of a tool that failed: the record has its text alone."""


def write_run(
    recorder: Recorder,
    record: RecordedRun,
    *,
    base_ns: int | None = None,
    journals: Journals | None = None,
    namespace: str | None = None,
) -> int:
    """Write a recorded run to the journal, under its own run id; returns the time of its last event.

    Whether a run of this id is there already is the caller's to know.

    Args:
        recorder: where to.
        record: the run.
        base_ns: the time of its first event where the record has none, in nanoseconds; now where not given.
        journals: where those of several runs are written that have their events exactly; else one is made for this run.
        namespace: the namespace that the run shall belong to; where not given, the one that was recorded, else the
            recorder's.

    Raises:
        JournalError: a run that has its events exactly could not be written in full.
    """
    if record.exact is not None:
        if journals is not None:
            restore(recorder, record.run_id, record.exact, journals, namespace=namespace)
        else:
            with Journals(recorder) as made:
                restore(recorder, record.run_id, record.exact, made, namespace=namespace)
        return max(event.at for event in record.exact.events)
    started = moment(record.started_at, "started_at") or base_ns or time.time_ns()

    def write() -> int:
        return _Writer(recorder, record, started, namespace).write()

    # In a context of its own, because the end of a run makes it the latest one of whoever records it.
    return contextvars.copy_context().run(write)


class _Writer:
    """Writes one run."""

    def __init__(self, recorder: Recorder, record: RecordedRun, started: int, namespace: str | None) -> None:
        self._recorder = recorder
        self._record = record
        self._at = started
        self._run = recorder.begin(
            visible_task(record), framework=record.framework, domain=record.domain, run_id=record.run_id,
            agents=record.agents, explicit=True, model=record.model, source="import", at=started, namespace=namespace,
        )  # fmt: skip

    def write(self) -> int:
        record, run = self._record, self._run
        answered: dict[int, Exchange] = {}
        unanswered: dict[int, list[Exchange]] = {}
        for exchange in exchanges(record):
            if exchange.answered is not None:
                answered[exchange.answered] = exchange
            elif exchange.asked is not None:
                unanswered.setdefault(exchange.asked, []).append(exchange)
        for index, message in enumerate(record.messages):
            self._at = max(self._at, (moment(message.at, "at") or 0) - STEP)
            if message.role == "system":
                self._prompt(index, message)
                continue
            if index:
                run.turn += self._speaks_anew(index)
            if index in answered:
                self._tool(answered[index], message)
            self._code(index, message)
            self._message(message)
            for exchange in unanswered.get(index, ()):
                if exchange.call is not None:
                    self._call(exchange.call, exchange.caller, message.agent)
        self._end()
        return self._at

    def _event(self, kind: str, agent: str | None, payload: dict[str, Any]) -> None:
        self._at += STEP
        self._recorder.record(self._run, kind, agent, payload, at=self._at)

    def _speaks_anew(self, index: int) -> bool:
        """Whether a message begins a turn: one does, but for the answers of one agent to the calls of one message,
        and what is said first."""
        messages = self._record.messages
        before = [m for m in messages[:index] if m.role != "system"]
        if not before:
            return False
        return not (messages[index].role == before[-1].role == "tool" and messages[index].agent == before[-1].agent)

    def _prompt(self, index: int, message: RecordedMessage) -> None:
        """A system prompt is said by nobody; it is the context of the agent that next speaks as an assistant."""
        of = next((m.agent for m in self._record.messages[index:] if m.role not in ("system", "user", "tool")), None)
        reason = f"system prompt of {of}" if of else "system prompt"
        self._event("context_snapshot", of, {"content": message.content, "reason": reason})

    def _message(self, message: RecordedMessage) -> None:
        others = [name for name in self._record.agents if name != message.agent]
        recipients = [message.recipient] if message.recipient else others
        self._event(
            "message", message.agent, {"recipients": recipients, "role": message.role, "content": message.content}
        )

    def _call(self, call: RecordedCall, caller: str | None, executor: str) -> None:
        self._event(
            "tool_call",
            executor,
            {"tool": call.name, "call_id": call.id, "arguments": arguments_of(call), "caller": caller},
        )

    def _tool(self, exchange: Exchange, message: RecordedMessage) -> None:
        if exchange.call is not None:
            self._call(exchange.call, exchange.caller, message.agent)
        content = message.content or ""
        failed = content.startswith(ERROR_MARK)
        payload: dict[str, Any] = {
            "tool": message.tool_name or (exchange.call.name if exchange.call else None),
            "call_id": message.tool_call_id or (exchange.call.id if exchange.call else None),
            "ok": not failed,
            "content": content,
        }
        if failed:
            payload["error_type"] = TOOL_ERROR
            payload["error"] = content.removeprefix("Error: ")
        self._event("tool_result", message.agent, payload)

    def _code(self, index: int, message: RecordedMessage) -> None:
        """An execution of code: told by the report of AutoGen's executor after a message with fenced code."""
        report = exit_report(message.content)
        blocks = code_blocks(self._record.messages[index - 1].content) if report and index else []
        if report and blocks:
            self._event(
                "code_execution",
                message.agent,
                {
                    "language": blocks[0][0] or "python",
                    "code": "\n\n".join(code for _, code in blocks),
                    "exit_code": report[0],
                    "output": report[1],
                },
            )

    def _end(self) -> None:
        outcome = self._record.outcome
        if outcome.success is not None:
            self._run.judged = True
            self._event("outcome", None, outcome_payload(outcome.success, outcome.quality, source="reward"))
        self._at += STEP
        self._recorder.finish(self._run, "recorded", at=self._at)
