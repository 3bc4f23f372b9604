"""Giving procedures to agents: the built-in plugin that matches a run's task and puts the template into the block.

Matching takes milliseconds, too long for the path of a message, so it is done once for a run, by a thread of its own,
from the moment at which the run's task is known. The first block that is composed after that waits for it for a short
time; where the answer is not there by then, that block goes without, because a block never changes within its run.

Everything that an agent could be given is in memory (:mod:`.shelf`); nothing here touches the database in the
application's thread.
"""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Any

from ..instrumentation.cost import CHARACTERS_PER_TOKEN
from ..instrumentation.records import Section
from ..plugin.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from ..instrumentation.guard import Guard
    from ..instrumentation.reading import RunRecord
    from ..instrumentation.runs import Run
    from ..plugin.config import Config
    from .embedder import Embedder
    from .shelf import Fit, Shelf

PATIENCE = 0.2
"""Seconds that a block waits for its run's match at most. It mostly takes one or two milliseconds; the rest is for a
machine on which threads wait for a core."""

PRIORITY = 40
"""After abilities, strengths and personality."""

SHARE = 0.5
"""Part of the block's length that a procedure may take."""


class _Pending:
    """The match of one run: under way, or found."""

    __slots__ = ("done", "fit")

    def __init__(self) -> None:
        self.done = threading.Event()
        self.fit: Fit | None = None


class Procedures:
    """Gives each agent its steps of the template that the run's task follows.

    Args:
        namespace: the application's own.
        guard: counts what goes wrong in the thread.
    """

    def __init__(self, namespace: str, guard: Guard) -> None:
        self._namespaces = {namespace}
        self._guard = guard
        self._limit = 800
        self._semantic = False
        self._embedder: Embedder | None = None
        self._shelves: dict[str, Shelf] = {}
        self._version: int | None = None
        self._waiting: queue.SimpleQueue[tuple[_Pending, Shelf, str, str | None, str | None]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    @hookimpl
    def configure(self, config: Config) -> None:
        """Keep how long a block may be, and whether meaning counts."""
        self._semantic = config.semantic
        self._limit = int(config.token_budget * CHARACTERS_PER_TOKEN * SHARE)

    # -- in the application's thread ---------------------------------------------------------------------------

    @hookimpl
    def run_started(self, run: Run) -> None:
        """Remember whose procedures this process gives."""
        self._namespaces.add(run.namespace)

    @hookimpl
    def task_named(self, run: Run) -> None:
        """Begin to match."""
        self._begin(run)

    @hookimpl
    def prompt_sections(self, run: Run, agent: str) -> Sequence[Section]:
        """The agent's steps, where its run's task follows a template that is ready."""
        pending = run.scratch.get(Procedures) or self._begin(run)
        if pending is None or not pending.done.wait(PATIENCE) or pending.fit is None or run.task is None:
            return ()
        section = section_of(pending.fit, agent, run.task, self._limit)
        return () if section is None else (section,)

    def _begin(self, run: Run) -> _Pending | None:
        """Hand the run's task to the thread; None where there is nothing that it could be given."""
        shelf = self._shelves.get(run.namespace)
        if not shelf or not run.task:
            return None
        pending = _Pending()
        run.scratch[Procedures] = pending
        self._waiting.put((pending, shelf, run.task, run.domain, run.task_type))
        if self._thread is None or not self._thread.is_alive():
            self._start()
        return pending

    def _start(self) -> None:
        with self._starting:
            if self._thread is None or not self._thread.is_alive():  # not in a forked child, whose parent had one
                self._thread = threading.Thread(target=self._work, name="seasoned-matcher", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while True:
            pending, shelf, task, domain, task_type = self._waiting.get()
            pending.fit = self._guard.call("matching a task", shelf.match, task, domain, task_type)
            pending.done.set()

    # -- in the background -------------------------------------------------------------------------------------

    @hookimpl
    def store_changed(self, connection: Connection) -> None:
        """Load what can be given, if the library has changed since the last time."""
        from .changes import library_version

        if self._version is None and not library_version(connection):
            return  # nothing was ever learned: do not even load what would hold it
        from . import procedure_text  # noqa: F401  loaded now, so that no reply waits for it
        from .shelf import Shelf

        version = library_version(connection)
        known = set(self._shelves)
        if version == self._version and self._namespaces <= known:
            return
        for namespace in sorted(self._namespaces if version != self._version else self._namespaces - known):
            held = self._shelves.get(namespace)
            shelf = held if held is not None else Shelf(namespace, self._encoder())
            shelf.update(connection)
            self._shelves[namespace] = shelf
        self._version = version

    def _encoder(self) -> Embedder | None:
        """The embedder, begun to be loaded when there is first something to compare."""
        if self._semantic and self._embedder is None:
            from .embedder import Embedder

            self._embedder = Embedder().start()
        return self._embedder

    @hookimpl(trylast=True)
    def learn(self, run: RunRecord, connection: Connection) -> None:
        """Compare what the run did with what it was given."""
        from .changes import library_changed
        from .uses import file_uses

        if file_uses(connection, run):
            library_changed(connection)

    @hookimpl
    def unlearn(self, run_ids: Sequence[str] | None, connection: Connection) -> None:
        """Take the uses of forgotten runs out. Before a rebuild all stay: they are filed again with their runs."""
        from .changes import library_changed
        from .uses import drop_uses

        if run_ids is not None and drop_uses(connection, run_ids):
            library_changed(connection)


def section_of(fit: Fit, agent: str, task: str, limit: int) -> Section | None:
    """The section for ``agent``; None where it has no part in the procedure."""
    from .procedure_text import procedure_lines

    record = fit.record
    lines = procedure_lines(record, agent, task, limit)
    if lines is None:
        return None
    why = (
        f"{record.name} version {record.version}: {fit.score:.0%} likely to fit ({fit.explanation}); "
        f"{record.solved} of {record.solved + record.failed} runs of {record.tasks} tasks succeeded"
    )
    given: dict[str, Any] = {"template_id": record.template_id, "name": record.name, "version": record.version}
    return Section("procedure", "\n".join(lines), why, PRIORITY, whole=True, source=given, reasons=lines)
