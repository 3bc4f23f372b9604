"""Learning templates: which pools have changed, and the new version of each of their templates.

A pool's template is worked out from all its runs anew, so what is known never depends on the way by which it came. That
costs up to a second for a large pool, so two things keep it from being done at every run: explicit learning
(``seasoned learn``, a rebuild) brings everything up to date, while learning in passing, beside the application, waits
until a pool has grown by a tenth. What is learned from is the newest state of the runs, so a verdict that changes
changes the template, and a pool without any success left takes its template back.
"""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import select

from ..instrumentation import reading
from .building import Solved, build, named_apart
from .changes import library_changed, lock
from .code_templates import last_program
from .induction import known_texts
from .merging import apply, merges, revive
from .sketches import SAMPLE, lot
from .steps import PROGRAM, trace_of
from .tables import POOLED_RUNS, fingerprinted_runs, skill_templates, task_pools
from .template_rows import KEPT, drop_lost, insert, names, newest_by_pool, newest_of_pool, newest_version, rewrite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sqlalchemy import Connection

    from ..instrumentation.store import Store
    from .known_texts import KnownTexts
    from .merging import Merge
    from .pools import Pools
    from .template_record import TemplateRecord

GROWN = 0.1
"""Part by which a pool's runs must have changed before it is learned from in passing."""

AT_ONCE = 50
"""Tasks that are placed in one transaction: about half a second."""

NOTHING_SOLVED = "candidate: none of its runs is judged a success any more"

_encode = msgspec.json.encode


class Learned(msgspec.Struct, frozen=True):
    """What was learned: tasks placed in pools, templates made, and templates with a new version; ``waiting`` pools were
    left for another time."""

    tasks: int = 0
    made: int = 0
    changed: int = 0
    waiting: int = 0


class _Changed(msgspec.Struct, frozen=True):
    """A pool whose runs are others than its template was made from."""

    pool: str
    signature: str
    run_ids: list[str]
    newest_ns: int
    verdicts: tuple[int, int]

    @property
    def solved(self) -> bool:
        """Whether any of its runs succeeded."""
        return self.verdicts[0] > 0


class Learner:
    """Learns the templates of one namespace.

    Args:
        store: the database.
        namespace: whose.
        pools: its pools, which are brought up to date on the way.
    """

    def __init__(self, store: Store, namespace: str, pools: Pools) -> None:
        self._store = store
        self._namespace = namespace
        self._pools = pools
        self._texts: KnownTexts | None = None
        self._texts_of = 0

    def learn(
        self,
        progress: Callable[[int, int], None] | None = None,
        *,
        in_passing: bool = False,
        until: float | None = None,
    ) -> Learned:
        """Bring the templates up to date.

        Args:
            progress: called with the pools done and all that are to do.
            in_passing: leave pools that have hardly changed.
            until: when to stop (:func:`time.monotonic`); what is left waits for the next call.
        """
        tasks = self._place()
        drafts: dict[str, tuple[_Changed, TemplateRecord | None]] = {}
        touched = set(self._pools.touched)
        self._pools.touched.clear()
        left = 0
        while True:
            with self._store.reading() as connection:
                changed = [
                    one
                    for one in self._changed(connection, in_passing=in_passing)
                    if one.pool not in drafts or drafts[one.pool][0].signature != one.signature
                ]
            left = len(changed)
            for number, one in enumerate(changed):
                if until is not None and time.monotonic() >= until:
                    break
                with self._store.reading() as connection:
                    runs = solved_runs(connection, one.run_ids) if one.solved else []
                drafts[one.pool] = (one, build(one.pool, runs, (), self._known_texts(), one.verdicts))
                touched.add(one.pool)
                left -= 1
                if progress is not None:
                    progress(number + 1, len(changed))
            found = self._merge(drafts, touched)
            touched = {merge.into for merge in found}
            if not found:
                break
        made = renewed = 0
        for one, record in [drafts[pool] for pool in self._pools.members() if pool in drafts]:
            with self._store.writing() as connection:
                lock(connection)
                version = self._keep(connection, one, record)
                if version is not None:
                    library_changed(connection)
            made += version == 1
            renewed += version is not None and version > 1
        return Learned(tasks, made, renewed, left)

    def _place(self) -> int:
        """Place the tasks that are new, and bring the templates in line with the pools; returns how many."""
        with self._store.reading() as connection:
            self._pools.load(connection)  # what takes long the first time is not done while others cannot write
        tasks = 0
        while True:
            with self._store.writing() as connection:
                lock(connection)
                count = self._pools.place(connection, AT_ONCE)
                tasks += count
                if count < AT_ONCE:
                    changed = revive(connection, self._namespace, self._pools.members())
                    changed += drop_lost(connection, self._namespace)
                    if changed or tasks:
                        library_changed(connection)
                    return tasks

    def _merge(self, drafts: dict[str, tuple[_Changed, TemplateRecord | None]], touched: set[str]) -> list[Merge]:
        """Make pools one whose templates say the same, and take the drafts of those that go away."""
        if not touched:
            return []
        with self._store.writing() as connection:
            lock(connection)
            kept = newest_by_pool(connection, self._namespace, KEPT)
            templates = dict(kept)
            for pool, (_, record) in drafts.items():
                before = templates.get(pool)
                if record is None:
                    continue
                if before is None:
                    templates[pool] = record
                elif before.origin == "learned" and before.state != "withdrawn":
                    templates[pool] = msgspec.structs.replace(
                        record, template_id=before.template_id, version=before.version, name=before.name
                    )
            settled = {pool for pool, record in kept.items() if record.metrics}
            found = merges(templates, self._pools, touched, settled)
            new = {pool: record for pool, (_, record) in drafts.items() if record is not None and pool not in kept}
            apply(connection, self._namespace, found, self._pools, new)
            if found:
                library_changed(connection)
        for merge in found:
            drafts.pop(merge.pool, None)
        return found

    def _known_texts(self) -> KnownTexts | None:
        """What helps to tell where values end, made anew when a tenth more tasks are known."""
        count = len(self._pools.texts)
        texts = self._texts
        if texts is None or abs(count - self._texts_of) > GROWN * self._texts_of:
            texts = known_texts(self._pools.texts.values())
            self._texts, self._texts_of = texts, count
        return texts

    def _changed(self, connection: Connection, *, in_passing: bool) -> Iterator[_Changed]:
        runs, pools, kept = fingerprinted_runs.c, task_pools.c, skill_templates.c
        rows = connection.execute(
            select(pools.pool, runs.run_id, runs.success, runs.finished_ns)
            .select_from(POOLED_RUNS)
            .where(runs.namespace == self._namespace)
        )
        members: dict[str, list[tuple[str, bool, int]]] = {}
        for pool, run_id, success, finished in rows:
            members.setdefault(pool, []).append((run_id, bool(success), finished))
        before: dict[str, tuple[str, str]] = {
            row.pool: (row.signature, row.state)
            for row in connection.execute(
                select(kept.pool, kept.signature, kept.state).where(
                    kept.namespace == self._namespace,
                    kept.version == newest_version(self._namespace),
                    KEPT,
                )
            )
        }
        for pool in self._pools.members():
            found = members.get(pool)
            if found is None:
                continue  # its runs were taken out a moment ago
            signature = _signature(found)
            was, state = before.get(pool, ("", ""))
            solved = any(success for _, success, _ in found)
            if signature == was or state == "deleted" or (not solved and pool not in before):
                continue  # failures alone make no template, however often they are looked into
            if in_passing and solved and was and not _grown(was, signature):
                continue
            successes = sum(success for _, success, _ in found)
            newest = max(finished for _, _, finished in found)
            yield _Changed(pool, signature, sampled(found), newest, (successes, len(found) - successes))

    def _keep(self, connection: Connection, one: _Changed, record: TemplateRecord | None) -> int | None:
        """Keep one pool's template; returns its version where that is new, 0 where something else of it is, and None
        where nothing has changed."""
        before = newest_of_pool(connection, self._namespace, one.pool)
        if record is None:
            if before is None:
                return None
            record = msgspec.structs.replace(before, state="candidate", why=NOTHING_SOLVED, solved=0)
        elif before is not None:
            if before.origin == "imported" and record.state != "ready":
                rewrite(connection, self._namespace, before, signature=one.signature, made_ns=one.newest_ns)
                return None  # what came from a file stays until enough was learned here
            record = msgspec.structs.replace(
                record, template_id=before.template_id, version=before.version, name=before.name
            )
        taken = names(connection, self._namespace, without=record.template_id)
        record = named_apart(record, taken, self._known_texts())
        if before is not None:
            if record.content == before.content or not one.solved:
                rewrite(connection, self._namespace, record, signature=one.signature, made_ns=one.newest_ns)
                return None if record == before else 0
            record = msgspec.structs.replace(record, version=before.version + 1)
        reason = f"{record.solved} of {record.solved + record.failed} runs of {record.tasks} tasks succeeded"
        insert(
            connection, self._namespace, record, pool=one.pool, signature=one.signature, made_ns=one.newest_ns,
            before=before, reason=reason,
        )  # fmt: skip
        return record.version


def solved_runs(connection: Connection, run_ids: list[str]) -> list[Solved]:
    """The runs as templates are built from them."""
    found: list[Solved] = []
    for run in reading.runs(connection, run_ids=run_ids, newest_first=False):
        if run.task is None or run.success is None:
            continue
        events = list(reading.tree_events(connection, run.run_id))
        trace = trace_of(events, run_id=run.run_id, success=run.success)
        programs = run.success and any(step.tool.startswith(PROGRAM) for step in trace.steps)
        program = last_program(events, run_id=run.run_id, task=run.task) if programs else None
        found.append(Solved(trace, run.task, run.domain, run.task_type, program))
    return found


def sampled(members: Iterable[tuple[str, bool, int]]) -> list[str]:
    """At most :data:`SAMPLE` runs of each verdict: every run draws its lot by itself, so order does not matter."""
    chosen: list[str] = []
    members = list(members)
    for verdict in (True, False):
        ids = sorted((run_id for run_id, success, _ in members if success is verdict), key=lot)
        chosen += ids[:SAMPLE]
    return chosen


def _signature(members: Iterable[tuple[str, bool, int]]) -> str:
    """How many runs there are and how many succeeded, and a hash of which they are and how they went."""
    facts = sorted((run_id, success) for run_id, success, _ in members)
    solved = sum(success for _, success in facts)
    return f"{len(facts)}:{solved}:{hashlib.sha256(_encode(facts)).hexdigest()}"


def _grown(before: str, now: str) -> bool:
    """Whether the runs that two signatures stand for differ by a tenth, in number or in verdicts."""
    was, are = before.split(":"), now.split(":")
    if len(was) != len(are):
        return True
    (runs, solved), (more, more_solved) = map(int, was[:2]), map(int, are[:2])
    return abs(more - runs) + abs(more_solved - solved) >= GROWN * runs
