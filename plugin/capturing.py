"""Recording an execution that happened somewhere else: what ``seasoned capture`` does.

An execution becomes a run with its events, as if it had been watched: the task as the user's message, a call and a
result for each step, a transition where another agent takes over. It goes through the journal like everything else, so
it is redacted, ingested and learned from in the same way, and everything that reads runs reads these.

Nothing is made up: there are no model calls, and what was not said about a step is null in its result.
"""

from __future__ import annotations

import contextlib
import contextvars
import hashlib
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from ..adapters.recorded_events import STEP, TOOL_ERROR
from ..instrumentation.errors import StoreError
from ..instrumentation.events import storable
from ..instrumentation.runs import feedback_payload, outcome_payload
from .capture_files import MAX_CONTENT
from .captured import lasting_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..instrumentation.recorder import Recorder
    from ..instrumentation.runs import Run
    from .captured import Captured, CapturedArtifact, CapturedStep
    from .runtime import Workspace

PREFIX = "capture-"
"""How the id of a run begins whose execution has an id of its own."""

USER = "user"
"""Who asked for the task."""

SOURCE = "capture"
"""The ``source`` of the runs that are made here."""

MOST_SIMILAR = 20
"""Templates up to which those that fit are counted."""

MOST_TASKS = 20
"""Different tasks captured at once for which templates are looked for: each takes tenths of a second."""

_CHUNK = 500


class Written(NamedTuple):
    """An execution that was recorded under this id, or that was there already; ``fingerprint`` is its task's, and
    ``similar`` says how many templates fitted that before, or None where nobody looked."""

    run_id: str
    record: Captured
    skipped: bool
    fingerprint: str
    similar: int | None


def capture(
    workspace: Workspace, records: Sequence[Captured], progress: Callable[[int], None] | None = None
) -> list[Written]:
    """Write executions to the journal; the caller flushes. One whose ``execution_id`` is known is skipped.

    Args:
        workspace: where to; its database must be up to date.
        records: the executions.
        progress: called with the number that is done, after each.

    Raises:
        StoreError: where the database cannot tell which executions are there.
    """
    known = _known(workspace, [PREFIX + one.execution_id for one in records if one.execution_id])
    written: list[Written] = []
    last = 0
    for record, (identity, fitting) in zip(records, _recognised(workspace, records), strict=True):
        run_id = PREFIX + record.execution_id if record.execution_id else None
        if run_id is not None and run_id in known:
            written.append(Written(run_id, record, True, identity, fitting))
        else:
            finished = record.at if record.at is not None else max(time.time_ns(), last + STEP)
            last = max(last, finished) if record.at is None else last
            run_id = contextvars.copy_context().run(_write, workspace.recorder, record, run_id, finished)
            known.add(run_id)
            written.append(Written(run_id, record, False, identity, fitting))
        if progress is not None:
            progress(len(written))
    return written


def _known(workspace: Workspace, run_ids: list[str]) -> set[str]:
    """Which of these runs are there, those still in journals included."""
    if not run_ids:
        return set()
    report = workspace.flush()
    if report.error:
        raise StoreError(report.error)
    return set(_learned(workspace, run_ids))


def _learned(workspace: Workspace, run_ids: Iterable[str]) -> dict[str, bool]:
    """Which of these runs are there, and whether they were learned from."""
    from sqlalchemy import select

    from ..instrumentation.schema import runs

    wanted = list(run_ids)
    found: dict[str, bool] = {}
    with workspace.store.reading() as connection:
        for start in range(0, len(wanted), _CHUNK):
            rows = connection.execute(
                select(runs.c.run_id, runs.c.learned).where(runs.c.run_id.in_(wanted[start : start + _CHUNK]))
            )
            found.update((run_id, learned is not None) for run_id, learned in rows)
    return found


def _recognised(workspace: Workspace, records: Sequence[Captured]) -> list[tuple[str, int | None]]:
    """The fingerprint of each task, and how many templates fit it: None for more than :data:`MOST_TASKS` tasks, and
    where the library cannot be read now, which must not keep an execution from being recorded. Before anything is
    written, because afterwards each task would be like itself."""
    from ..skills_lib.fingerprint import fingerprint

    tasks = [storable(workspace.redactor.text(record.task)) for record in records]
    identities = [fingerprint(task).hash for task in tasks]
    different = dict(zip(identities, tasks, strict=True))
    fitting: dict[str, int] = {}
    if len(different) <= MOST_TASKS:
        with contextlib.suppress(StoreError):
            fitting = _fitting(workspace, different)
    return [(identity, fitting.get(identity)) for identity in identities]


def _fitting(workspace: Workspace, tasks: dict[str, str]) -> dict[str, int]:
    """How many templates of the library fit each task, by its fingerprint."""
    from ..skills_lib.library import SkillLibrary

    library = SkillLibrary(workspace.store, workspace.config.namespace)
    if not library.templates():
        return dict.fromkeys(tasks, 0)
    return {identity: len(library.similar(task, limit=MOST_SIMILAR).matches) for identity, task in tasks.items()}


def results(workspace: Workspace, written: Sequence[Written]) -> list[dict[str, Any]]:
    """What to tell about each execution, after the flush.

    Returns:
        ``{"run_id", "fingerprint", "steps", "artifacts", "learned", "similar", "skipped"}`` of each. ``similar`` is how
        many templates of the library fitted the task before, at most :data:`MOST_SIMILAR`, or None: nobody looked.
    """
    learned: dict[str, bool] = {}
    with contextlib.suppress(StoreError):  # what was written is in the journal all the same
        learned = _learned(workspace, [one.run_id for one in written])
    return [
        {
            "run_id": one.run_id,
            "fingerprint": one.fingerprint,
            "steps": len(one.record.steps),
            "artifacts": len(one.record.artifacts),
            "learned": learned.get(one.run_id, False),
            "similar": one.similar,
            "skipped": one.skipped,
        }
        for one in written
    ]


# -- a run and its events --------------------------------------------------------------------------------------------


class _Planned(msgspec.Struct):
    """An event to write; ``after`` is how long after the beginning, in nanoseconds."""

    kind: str
    agent: str | None
    payload: dict[str, Any]
    after: int
    turn: int


def _write(recorder: Recorder, record: Captured, run_id: str | None, finished: int) -> str:
    """Write a run that ended at ``finished``. In a context of its own, because its end makes it the latest one."""
    planned = _Plan(recorder, record).events()
    lasted = max(round(lasting_ms(record) * 1e6), (len(planned) + 1) * STEP)
    started = finished - lasted
    run = recorder.begin(
        record.task, domain=record.domain, task_type=record.task_type, session_id=record.session, run_id=run_id,
        agents=_agents(record), explicit=True, source=SOURCE, at=started,
    )  # fmt: skip
    at = started
    for index, event in enumerate(planned):
        # Each after the one before, and early enough for all that follow to fit in.
        at = min(max(at + STEP, started + event.after), finished - (len(planned) - index) * STEP)
        _put(recorder, run, event, at)
    recorder.finish(run, "captured", at=finished)
    return run.run_id


def _put(recorder: Recorder, run: Run, event: _Planned, at: int) -> None:
    run.turn = event.turn
    run.judged = run.judged or event.kind == "outcome"
    recorder.record(run, event.kind, event.agent, event.payload, at=at)


def _agents(record: Captured) -> list[str]:
    """Everybody who took part: the chain in its order, then who else did a step."""
    steps = (step.agent for step in record.steps if step.agent)
    return list(dict.fromkeys((*record.agent_chain, record.agent, *steps)))


class _Plan:
    """The events of one execution, in order."""

    def __init__(self, recorder: Recorder, record: Captured) -> None:
        self._recorder = recorder
        self._record = record
        self._events: list[_Planned] = []
        self._after = 0
        self._turn = 0
        self._chain = list(record.agent_chain)
        self._current: str | None = self._chain[0] if self._chain else None

    def events(self) -> list[_Planned]:
        record = self._record
        first = self._current or record.agent
        self._add("message", USER, {"recipients": [first], "role": "user", "content": record.task, "task": True})
        if record.facts:
            self._add("context_snapshot", None, {"content": dict(record.facts), "reason": SOURCE})
        self._turn = 1
        waiting = list(record.artifacts)
        durations = _durations(record)
        for number, (step, lasts) in enumerate(zip(record.steps, durations, strict=True), 1):
            agent = step.agent or record.agent
            self._pass_to(agent)
            self._step(number, step, agent, lasts)
            made = [one for one in waiting if one.path in step.files]
            for artifact in made:
                self._artifact(artifact, agent)
            waiting = [one for one in waiting if one not in made]
        for artifact in waiting:
            self._artifact(artifact, record.agent)
        self._pass_on()
        self._after = round(lasting_ms(record) * 1e6)
        self._end()
        return self._events

    def _add(self, kind: str, agent: str | None, payload: dict[str, Any]) -> None:
        self._events.append(_Planned(kind, agent, payload, self._after, self._turn))

    def _pass_to(self, agent: str) -> None:
        """Let this agent have the turn: along the chain where it comes later there, else directly."""
        self._current = self._current or agent
        if agent == self._current:
            return
        ahead = self._chain[1:]
        hops = ahead[: ahead.index(agent) + 1] if agent in ahead else [agent]
        for hop in hops:
            self._hand_over(hop)
        if agent in ahead:
            self._chain = self._chain[len(hops) :]

    def _pass_on(self) -> None:
        """Those of the chain who are left had their turns after the last step."""
        for agent in self._chain[1:]:
            self._hand_over(agent)

    def _hand_over(self, agent: str) -> None:
        if agent != self._current:
            self._add("transition", self._current, {"to_agent": agent, "reason": "agent chain"})
            self._current = agent
            self._turn += 1

    def _step(self, number: int, step: CapturedStep, agent: str, lasts: int) -> None:
        call_id = f"step-{number}"
        call: dict[str, Any] = {"tool": step.tool, "call_id": call_id, "arguments": step.arguments}
        if step.files:
            call.update(self._facts({"files": list(step.files)}))
        self._add("tool_call", agent, call)
        self._after += lasts
        result: dict[str, Any] = {"tool": step.tool, "call_id": call_id, "ok": step.ok, "content": step.result}
        if step.ok is False:
            result["error_type"] = TOOL_ERROR
            result["error"] = step.error or (step.result if isinstance(step.result, str) else None)
        elif step.error:
            result["error"] = step.error
        if step.duration_ms is not None:
            result["duration_ms"] = step.duration_ms
        self._add("tool_result", agent, result)

    def _artifact(self, artifact: CapturedArtifact, agent: str) -> None:
        facts = dict(artifact.facts)
        content = artifact.content
        if content is not None:
            kept = storable(self._recorder.redactor.text(content))  # no hash of what must not be known
            data = kept.encode()
            facts.update(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data), lines=len(kept.splitlines()))
            if len(data) > MAX_CONTENT:
                content = None
        payload = {"path": artifact.path, "content": content, **self._facts(facts)}
        self._add("artifact", artifact.agent or agent, payload)

    def _facts(self, facts: dict[str, Any]) -> dict[str, Any]:
        """What the recorder does not know and so does not redact; numbers alone where no content is recorded."""
        if not self._recorder.content:
            return {key: value for key, value in facts.items() if isinstance(value, (int, float))}
        return {key: self._recorder.redactor.deep(value) for key, value in facts.items()}

    def _end(self) -> None:
        record = self._record
        if record.answer:
            self._turn += bool(record.steps)
            self._add("message", record.agent, {"recipients": [USER], "role": "assistant", "content": record.answer})
        if record.success is not None:
            self._add("outcome", None, outcome_payload(record.success, record.quality, record.complexity))
        if record.accepted is not None:
            self._add("feedback", None, feedback_payload("", record.accepted, USER))


def _durations(record: Captured) -> list[int]:
    """How long each step took, in nanoseconds; steps that do not say share what the others leave."""
    known = sum(step.duration_ms or 0 for step in record.steps)
    silent = sum(step.duration_ms is None for step in record.steps)
    share = (lasting_ms(record) - known) / silent if silent else 0.0
    return [round((share if step.duration_ms is None else step.duration_ms) * 1e6) for step in record.steps]
