"""What follows the journal, in the background: ingest, judge, learn, tell the sinks, refresh the experience.

One daemon thread for each process, started by the first run. Every step is the same that ``flush()`` and the
commands take, under one lock, so that when ``flush()`` returns everything written before is in the database and
learned from. A database that cannot be reached stops nothing: the step is tried again, the journal waits.

The thread rests between steps, because its work in Python takes the interpreter from the host; most of a step is
one SQL statement for each batch, which does not.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from ..instrumentation.errors import SeasonedError, StoreError
from .lessons import Lessons

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from ..instrumentation.events import Event
    from ..instrumentation.guard import Guard
    from ..instrumentation.ingest import Ingester
    from ..instrumentation.recorder import Recorder
    from ..instrumentation.store import Store
    from .manager import Hooks

log = logging.getLogger("seasoned")

Occasion = Literal["asked", "background", "ending"]
"""When many runs are looked at together: see the hook ``review``."""

REST_SECONDS = 2.0
"""Between two steps while something is being recorded."""
LONG_REST_SECONDS = 5.0
"""Between two steps while nothing is: then only the journals of other, dead processes may wait."""
REVIEW_REST_SECONDS = 10.0
"""Between two looks at many runs at once, beside the application: they cost more than learning from one."""
REVIEW_SECONDS = 2.0
"""How long such a look may take; what is left is done at the next."""


class FlushReport(msgspec.Struct, frozen=True):
    """What a flush did.

    Attributes:
        ingested: events that went into the database.
        learned: runs that were learned from.
        judged: runs that a rule or evaluator judged.
        pending_bytes: what is still in journals, because of an error or the timeout; 0 when all is done.
        error: why, in a line; None when all is done.
    """

    ingested: int = 0
    learned: int = 0
    judged: int = 0
    pending_bytes: int = 0
    error: str | None = None


class Step(NamedTuple):
    """What one step did: bytes read from journals, events ingested, runs judged and learned from."""

    read: int = 0
    events: int = 0
    judged: int = 0
    learned: int = 0


class Service:
    """The background work of one process.

    Args:
        store: opened when first needed; importing and opening it is slow, so nothing here does so before.
        verdicts: makes the recorder for outcomes of rules and evaluators, with a journal of its own.

    Attributes:
        lessons: judges and learns.
        error: why the last step failed, or None.
    """

    def __init__(
        self,
        open_store: Callable[[], Store],
        open_ingester: Callable[[Store], Ingester],
        verdicts: Callable[[], Recorder],
        hooks: Hooks,
        guard: Guard,
        namespace: str,
    ) -> None:
        self._open_store = open_store
        self._open_ingester = open_ingester
        self._hooks = hooks
        self._guard = guard
        self.lessons = Lessons(hooks, guard, verdicts, namespace)
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._ready = threading.Event()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._store: Store | None = None
        self._ingester: Ingester | None = None
        self._seen_version: int | None = None
        self._sinks: Sequence[Any] | None = None
        self._inherited: object = None
        self._done = Step()
        self._review_due = True
        self._reviewed_at = 0.0
        self.error: str | None = None

    # -- the thread ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread, if it does not run."""
        if self._thread is None or not self._thread.is_alive():
            self._stopping = False
            self._thread = threading.Thread(target=self._run, name="seasoned", daemon=True)
            self._thread.start()

    def stop(self, timeout: float, *, flush: bool = True) -> FlushReport:
        """Stop the thread and do what is left, for at most ``timeout`` seconds; what then remains waits in the
        journal for the next start. Where nothing was ever ingested here, nothing is begun now."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout)
        begun = self.running or self._ingester is not None
        report = self.flush(timeout, review="ending") if flush and begun else FlushReport()
        if self._lock.acquire(timeout=1.0):
            try:
                if self.lessons.verdicts is not None:
                    self.lessons.verdicts.writer.close()
                    self.lessons.verdicts = None
                if self._store is not None:
                    self._store.dispose()
                    self._store = self._ingester = None
            finally:
                self._lock.release()
        return report

    @property
    def running(self) -> bool:
        """Whether the thread was started in this process."""
        return self._thread is not None

    def after_fork(self) -> None:
        """In a forked child: no thread, fresh locks, and the parent's connections are left alone."""
        self._lock = threading.Lock()
        self._wake = threading.Event()
        loaded = self._ready.is_set()
        self._ready = threading.Event()
        if loaded:
            self._ready.set()
        self._thread = None
        self._stopping = False
        if self._store is not None:
            self._store.dispose(close=False)
            self._inherited = (self._store, self._ingester)  # kept alive: closing them is the parent's business
        self._store = self._ingester = None
        if self.lessons.verdicts is not None:
            self.lessons.verdicts.writer.abandon()
            self.lessons.verdicts = None

    def _run(self) -> None:
        rest = REST_SECONDS
        while not self._stopping:
            did = False
            try:
                with self._lock:
                    did = self._step().read > 0
                    now = time.monotonic()
                    if self._review_due and now >= self._reviewed_at + REVIEW_REST_SECONDS:
                        self._review("background", now + REVIEW_SECONDS)
                self.error = None
            except SeasonedError as error:
                if self.error is None:
                    log.warning("seasoned: %s", error)
                self.error = str(error)
                rest = LONG_REST_SECONDS
            except Exception as error:  # noqa: BLE001  the thread must live
                self._guard.caught("service", error)
                self.error = f"{type(error).__name__}: {error}"
                rest = LONG_REST_SECONDS
            self._ready.set()
            rest = REST_SECONDS if did else min(rest * 1.5, LONG_REST_SECONDS)
            self._wake.wait(rest)
            self._wake.clear()

    def wait_ready(self, timeout: float = 1.0) -> bool:
        """Give the experience a moment to be loaded, once, before the first block is composed."""
        return self._ready.is_set() or (self._thread is not None and self._ready.wait(timeout))

    # -- a step ----------------------------------------------------------------------------------------------

    @property
    def store(self) -> Store:
        """The database, opened and brought to this version's schema; raises StoreError."""
        if self._store is None:
            store = self._open_store()
            try:
                store.prepare()
            except BaseException:
                store.dispose()
                raise
            self._store = store
        return self._store

    @property
    def ingester(self) -> Ingester:
        """What reads the journals into :attr:`store`."""
        if self._ingester is None:
            self._ingester = self._open_ingester(self.store)
        return self._ingester

    def flush(self, timeout: float = 30.0, *, review: Occasion | None = "asked") -> FlushReport:
        """Bring everything written so far into the database and learn from it. Raises nothing: see the report.

        ``review``: on which occasion many runs are looked at together; None leaves that for another time.
        """
        deadline = time.monotonic() + timeout
        ingested = judged = learned = 0
        more = False
        error: str | None = None
        while True:
            if not self._lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
                error = f"not done after {timeout:g} seconds"
                break
            error = None
            try:
                step = self._step()
                more = step.read > 0 or step.judged > 0
                if not more:
                    if review is not None:
                        self._review(review, deadline)
                    self.ingester.release()
            except SeasonedError as failure:
                error = str(failure)
            except Exception as failure:  # noqa: BLE001
                self._guard.caught("flush", failure)
                error = f"{type(failure).__name__}: {failure}"
            finally:
                step = self._done
                self._lock.release()
            ingested, judged, learned = ingested + step.events, judged + step.judged, learned + step.learned
            if error is None and not more:
                break
            if time.monotonic() >= deadline:
                error = error or f"not done after {timeout:g} seconds"
                break
            if error is not None:
                time.sleep(min(0.2, max(0.0, deadline - time.monotonic())))
        self._ready.set()
        return FlushReport(ingested, learned, judged, self._pending() if error else 0, error)

    def _pending(self) -> int:
        try:
            return self._ingester.backlog() if self._ingester is not None else 0
        except Exception:  # noqa: BLE001  only a figure for a report
            return 0

    def _step(self) -> Step:
        """One round of everything. How far it has come stands in ``_done``, also where it does not get to its end."""
        self._done = Step()
        store, ingester = self.store, self.ingester
        if self._sinks is None:
            self._sinks = self._hooks.collect("register_sinks")
        result = ingester.step(want_events=bool(self._sinks))
        self._done = Step(result.bytes, result.events)
        if self._sinks and result.recorded:
            for sink in self._sinks:
                self._guard.call(f"sink {getattr(sink, 'name', sink)}", sink.send, result.recorded)
        judged = self.lessons.judge(store)
        learned = self.lessons.learn(store)
        self._review_due |= learned > 0
        self._done = Step(result.bytes, result.events, judged, learned)
        self._refresh(store)
        return self._done

    def _review(self, occasion: Occasion, until: float | None) -> None:
        """Let the plugins look at many runs at once, and load what came of it."""
        self._review_due = False
        if self._hooks.has("review"):
            names = sorted(self.lessons.namespaces)
            left = self._hooks.hook.review(store=self.store, namespaces=names, occasion=occasion, until=until)
            self._review_due = any(left)
            self._reviewed_at = time.monotonic()
            self._refresh(self.store)

    def _refresh(self, store: Store) -> None:
        """Tell the plugins to load experience again, if something was learned here or elsewhere."""
        from ..instrumentation import learning

        with store.reading() as connection:
            version = learning.version(connection)
            if version != self._seen_version:
                self._hooks.hook.store_changed(connection=connection)
                self._seen_version = version

    # -- commands --------------------------------------------------------------------------------------------

    def rebuild(self, progress: Callable[[int, int], None] | None = None, *, regroup: bool = False) -> int:
        """Make everything that was learned again from the recorded runs; returns how many runs that were. The kinds
        of task that runs were taken for are kept, unless ``regroup`` has them asked for again."""
        from ..instrumentation import learning

        self.flush()
        with self._lock:
            store = self.store
            with store.writing() as connection:
                for place, function in self._hooks.each("unlearn"):
                    self.lessons.apart(place, connection, function, run_ids=None, connection=connection)
                if regroup:
                    learning.forget_groups(connection, self.lessons.namespaces)
                total = learning.unlearn_all(connection, self.lessons.namespaces)
                learning.advance(connection)
            done = 0
            while True:
                with store.reading() as connection:
                    waiting = learning.unlearned(connection, self.lessons.namespaces)
                if not waiting:
                    break
                for run_id in waiting:
                    with store.writing() as connection:
                        run = learning.claim(connection, run_id)
                        if run is not None:
                            self.lessons.learn_one(run, connection)
                            done += 1
                            if progress is not None:
                                progress(done, total)
            self._review("asked", None)
            self._refresh(store)
        return done

    def forget(self, **which: Any) -> Any:
        """Remove runs and what was learned from them; see :func:`.instrumentation.forget.forget`."""
        from ..instrumentation import forget as forgetting
        from ..instrumentation import learning

        report = self.flush()
        if report.error:
            raise StoreError(report.error)
        with self._lock:

            def unlearn(run_ids: Sequence[str], connection: Connection) -> None:
                for place, function in self._hooks.each("unlearn"):
                    self.lessons.apart(place, connection, function, run_ids=run_ids, connection=connection)
                learning.relearn_above(connection, run_ids)
                learning.advance(connection)

            result = forgetting.forget(self.store, self.ingester, hooks_unlearn=unlearn, **which)
        self.flush()
        return result

    def events_of(self, run_id: str) -> list[Event]:
        """All events of a run, in order, texts in full."""
        from ..instrumentation import reading

        with self.store.reading() as connection:
            return list(reading.events(connection, run_id))
