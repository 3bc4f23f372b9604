"""Judging and learning: what happens to finished runs, one after another, in the background.

Whoever ingests does this too, and several processes may: each run is taken by changing its row in the transaction
that learns from it (:mod:`..instrumentation.learning`), so that it counts once.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import msgspec

from ..instrumentation.errors import StoreError
from ..instrumentation.runs import Run, outcome_payload

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from ..instrumentation.guard import Guard
    from ..instrumentation.reading import RunRecord
    from ..instrumentation.recorder import Recorder
    from ..instrumentation.store import Store
    from .manager import Hooks


GROUP_LIMIT = 200
"""Characters of a kind of task's name that are kept."""


class Lessons:
    """Asks the plugins for verdicts, and lets them learn.

    Args:
        open_verdicts: makes the recorder for outcomes of rules and evaluators, with a journal of its own.
        namespace: the process's own.

    Attributes:
        namespaces: those that this process learns for: its own, and those of runs that it started in others.
        verdicts: the recorder, once there was a verdict.
    """

    def __init__(self, hooks: Hooks, guard: Guard, open_verdicts: Callable[[], Recorder], namespace: str) -> None:
        self._hooks = hooks
        self._guard = guard
        self._open = open_verdicts
        self.namespaces = {namespace}
        self.verdicts: Recorder | None = None

    def judge(self, store: Store) -> int:
        """Ask rules and evaluators about finished runs without an outcome; each finished state once."""
        from ..instrumentation import learning, reading

        judged = 0
        with store.reading() as connection:
            waiting = learning.unjudged(connection, self.namespaces)
        for run in waiting:
            with store.reading() as connection:
                events = list(reading.events(connection, run.run_id))
            verdict = (
                self._hooks.hook.judge_outcome(run=run, events=events) if self._hooks.has("judge_outcome") else None
            )
            if verdict is not None:  # first told, then marked: killed in between, the run is asked about again
                self._give_verdict(store, run, verdict)
                judged += 1
            with store.writing() as connection:
                learning.mark_judged(connection, run.run_id)
        return judged

    def _give_verdict(self, store: Store, run: RunRecord, verdict: Any) -> None:
        """Record an outcome in the service's own journal, numbered on from what it wrote for this run before."""
        from ..instrumentation import learning, outcomes

        if self.verdicts is None:
            self.verdicts = self._open()
        recorder = self.verdicts
        shell = Run(recorder, namespace=run.namespace, session_id=run.session_id, run_id=run.run_id)
        source = outcomes.verdict_source(verdict.source)
        payload = outcome_payload(bool(verdict.success), verdict.quality, source=source)
        payload["reason"] = verdict.reason
        if verdict.excluded:
            payload["excluded"] = list(verdict.excluded)
        with store.reading() as connection:
            start = learning.next_seq(connection, run.run_id, recorder.writer.writer_id)
        shell.epoch, shell.counter = recorder.writer, itertools.count(start)
        recorder.record(shell, "outcome", None, payload)

    def learn(self, store: Store) -> int:
        """Learn from finished and judged runs, in their canonical order, each in a transaction of its own."""
        from ..instrumentation import learning

        learned = 0
        while True:
            before = learned
            with store.reading() as connection:
                waiting = learning.unlearned(connection, self.namespaces)
            for run_id in waiting:
                with store.writing() as connection:
                    run = learning.claim(connection, run_id)
                    if run is not None:
                        self.learn_one(run, connection)
                        learned += 1
            if not waiting or learned == before:
                return learned

    def learn_one(self, run: RunRecord, connection: Connection) -> None:
        """Let every plugin learn from a run that was claimed in this transaction."""
        from ..instrumentation import learning, outcomes, reading

        if run.complexity is None:
            executions = list(reading.events(connection, run.run_id, kinds=("code_execution",)))
            run = msgspec.structs.replace(run, complexity=outcomes.complexity(run, executions))
        if run.task_type is None:
            task_type = self._hooks.hook.classify_task(run=run)
            if task_type:
                run = msgspec.structs.replace(run, task_type=str(task_type))
                learning.set_task_type(connection, run.run_id, str(task_type))
        if run.task_group is None:
            group = self._hooks.hook.task_group(run=run)
            group = group.replace("\x00", "")[:GROUP_LIMIT] if isinstance(group, str) else ""
            if group:
                run = msgspec.structs.replace(run, task_group=group)
                learning.set_task_group(connection, run.run_id, group)
        for place, function in self._hooks.each("learn"):
            self.apart(place, connection, function, run=run, connection=connection)
        learning.advance(connection)

    def apart(self, place: str, connection: Connection, function: Callable[..., Any], /, **arguments: Any) -> None:
        """Call a plugin that writes, inside a savepoint: what a failing one has half done is undone, and the
        others' work stays. Troubles of the database itself are not the plugin's: they end the step."""
        from sqlalchemy.exc import OperationalError

        savepoint = connection.begin_nested()
        try:
            function(**arguments)
        except (OperationalError, StoreError):
            raise
        except Exception as error:  # noqa: BLE001  the guard's purpose
            savepoint.rollback()
            self._guard.caught(place, error)
        else:
            savepoint.commit()
