"""What of the library can be given now, in memory: ready templates, and the known tasks by which one is recognised.

Loaded in the background whenever the library has changed; asked once for each run. Tasks whose template is not ready
are known here too: a new task that is most like one of those is given nothing, rather than the second best.

Of each pool a few tasks are enough to recognise it by, and there is a limit to all: the first block of a process waits
for this to load.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import func, select

from .index import TaskIndex
from .pools import imported_tasks, task_texts
from .sketches import digest
from .tables import POOLED_RUNS, fingerprinted_runs, task_pools
from .template_rows import READY, newest_by_pool

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from .embedder import Encoder
    from .index import Match
    from .template_record import TemplateRecord

SURE = 0.7
"""The confidence, and the score of the best match, from which a template is given. On WebArena and VisualWebArena
(leave one out) 95% and 82% of the tasks that have a template reach it, and of those 100% and 98% found the right one
(``bench_giving.py``)."""

TASKS_OF_A_POOL = 8
"""Tasks that stand for a pool."""

LIMIT = 2_000
"""Tasks that are known here at most, those of ready templates first: about half a second of loading."""

CANDIDATES = 4
"""Known tasks that a new one is closely compared with: a sixth of what ``similar`` takes. On the benchmark's tasks it
finds the same (``bench_giving.py``)."""

LOOKED_AT = 4
"""Of those, the best ones among which one of the run's domain is looked for."""


class Fit(NamedTuple):
    """The template that a task follows: with which probability, and why."""

    record: TemplateRecord
    score: float
    explanation: str


class Shelf:
    """The ready templates of one namespace. Safe to ask from one thread while another updates it.

    Args:
        namespace: whose.
        encoder: makes vectors of tasks; words alone decide without one, and until it is loaded.
    """

    def __init__(self, namespace: str, encoder: Encoder | None = None) -> None:
        self.namespace = namespace
        self.templates: dict[str, TemplateRecord] = {}
        self._index = TaskIndex(candidates=CANDIDATES, encoder=encoder)
        self._known: dict[str, tuple[str, str | None]] = {}  # task: its pool and domain

    def __bool__(self) -> bool:
        return bool(self.templates)

    def update(self, connection: Connection) -> None:
        """Take over what the database knows now; costs what has changed since the last time."""
        templates = ready_templates(connection, self.namespace)
        wanted = self._wanted(connection, templates) if templates else {}
        if templates:
            from_files = imported_tasks(connection, self.namespace)
            wanted.update({name: (pool, domain, text) for name, (pool, text, domain) in from_files.items()})
        for task in [task for task, known in self._known.items() if wanted.get(task, ("",))[:2] != known]:
            self._index.remove(task)
            del self._known[task]
        for task, (pool, domain, text) in wanted.items():
            if task not in self._known:
                self._index.add(task, text, None, domain)
                self._known[task] = (pool, domain)
        self.templates = templates

    def _wanted(
        self, connection: Connection, templates: dict[str, TemplateRecord]
    ) -> dict[str, tuple[str, str | None, str]]:
        """The tasks to know, each with its pool, domain and text."""
        filed, pools = fingerprinted_runs.c, task_pools.c
        newest = (
            select(
                filed.fingerprint,
                pools.pool,
                func.max(filed.run_id).label("run_id"),
                func.max(filed.domain).label("domain"),
            )
            .select_from(POOLED_RUNS)
            .where(filed.namespace == self.namespace)
            .group_by(filed.fingerprint, pools.pool)
        )
        by_pool: dict[str, list[tuple[str, str, str | None]]] = {}
        for task, pool, run_id, domain in connection.execute(newest):
            by_pool.setdefault(pool, []).append((task, run_id, domain))
        chosen: dict[str, tuple[str, str | None, str]] = {}  # by run: task, domain, pool
        for pool in sorted(by_pool, key=lambda pool: (pool not in templates, digest(pool))):
            of_pool = sorted(by_pool[pool], key=lambda entry: digest(entry[0]))[:TASKS_OF_A_POOL]
            if len(chosen) + len(of_pool) > LIMIT:
                break
            chosen.update({run_id: (task, domain, pool) for task, run_id, domain in of_pool})
        found: dict[str, tuple[str, str | None, str]] = {}
        for run_id, text in task_texts(connection, chosen).items():
            task, domain, pool = chosen[run_id]
            found[task] = (pool, domain, text)
        return found

    def match(self, task: str, domain: str | None = None, task_type: str | None = None) -> Fit | None:
        """The ready template that a task follows; None where none surely does."""
        confidence, matches = self._index.weigh(task, LOOKED_AT, task_type, domain)
        if confidence < SURE:
            return None
        return next((self._fit(match) for match in matches if self._is_of(match, domain)), None)

    def _is_of(self, match: Match, domain: str | None) -> bool:
        theirs = self._known.get(str(match.id), ("", None))[1]
        return domain is None or theirs is None or domain == theirs

    def _fit(self, match: Match) -> Fit | None:
        pool = self._known.get(str(match.id), ("", None))[0]
        record = self.templates.get(pool)
        if record is None or match.score < SURE:
            return None
        return Fit(record, match.score, match.explain)


def ready_templates(connection: Connection, namespace: str) -> dict[str, TemplateRecord]:
    """The newest versions that may be given, by their pools: ready, and not withdrawn by their uses."""
    return {
        pool: record
        for pool, record in newest_by_pool(connection, namespace, READY).items()
        if record.state == "ready" and record.origin != "imported"
    }
