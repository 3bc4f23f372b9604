"""Which tasks are pooled, because they ask for the same thing with other values.

A template is learned from many runs of like tasks, so the tasks have to be brought together first. Each new task goes
to the pool of the known task that it is most like, if the matcher is confident that they follow one template and both
are of one domain; otherwise it begins a pool of its own. That is decided once for each task, in the order in which runs
ended, and kept: later tasks never tear a pool apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from ..instrumentation.schema import runs, texts
from .index import TaskIndex
from .tables import fingerprinted_runs, task_pools

if TYPE_CHECKING:
    from sqlalchemy import Connection


SURE = 0.7
"""The confidence, and the score of the best match, from which a task joins a pool: surer than the matcher has to be of
itself, because one wrong task draws the next ones after it. On 128 airline and 523 retail conversations 0.5 chains
unlike requests by their greetings (a pool of 38 tasks, 33 of them failed); from 0.8 on few pools have three runs."""

LOOKED_AT = 5
"""How many of the most alike tasks are looked at for one of the same domain."""


class Pools:
    """The pools of one namespace.

    Attributes:
        index: the known tasks, by fingerprint, as the matcher sees them.
        of: the pool of each task that was placed.
        texts: each task as it was first written.
    """

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self.index = TaskIndex()
        self.of: dict[str, str] = {}
        self.texts: dict[str, str] = {}
        self._domains: dict[str, str | None] = {}

    def place_all(self, connection: Connection) -> int:
        """Load what was placed before and place what was not; returns how many tasks are new."""
        known = {
            row.fingerprint: row.pool
            for row in connection.execute(select(task_pools).where(task_pools.c.namespace == self._namespace))
        }
        filed = fingerprinted_runs.c
        in_order = connection.execute(
            select(filed.fingerprint, filed.domain, texts.c.text)
            .join_from(fingerprinted_runs, runs, runs.c.run_id == filed.run_id)
            .join(texts, texts.c.text_pk == runs.c.task_pk)
            .where(filed.namespace == self._namespace, texts.c.text.is_not(None))
            .order_by(filed.finished_ns, filed.run_id)
        )
        there: dict[str, tuple[str, str | None]] = {}
        for name, domain, text in in_order:
            there.setdefault(name, (text, domain))
        for name in [name for name in self.of if name not in there]:  # forgotten since
            self.index.remove(name)
            del self.of[name], self.texts[name], self._domains[name]
        waiting = {name: task for name, task in there.items() if name not in self.of}
        for name in [name for name in waiting if name in known]:
            self._add(name, *waiting.pop(name), known[name])
        rows: list[dict[str, str]] = []
        for name, (text, domain) in waiting.items():
            pool = self.pool_for(text, domain) or name
            self._add(name, text, domain, pool)
            rows.append({"namespace": self._namespace, "fingerprint": name, "pool": pool})
        if rows:
            connection.execute(task_pools.insert(), rows)
        return len(rows)

    def _add(self, name: str, text: str, domain: str | None, pool: str) -> None:
        self.index.add(name, text, None, domain)
        self.of[name], self.texts[name], self._domains[name] = pool, text, domain

    def pool_for(self, text: str, domain: str | None) -> str | None:
        """The pool that a task belongs to; None where it is like none that is known."""
        confidence, matches = self.index.weigh(text, LOOKED_AT, None, domain)
        if not text or confidence < SURE:
            return None
        for match in matches:
            name = str(match.id)
            if self._domains[name] == domain:
                return self.of[name] if match.score >= SURE else None
        return None
