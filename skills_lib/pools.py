"""Which tasks are pooled, because they ask for the same thing with other values.

A template is learned from many runs of like tasks, so the tasks have to be brought together first. Each new task goes
to the pool of the known task that it is most like, if the matcher is confident that they follow one template and both
are of one domain; otherwise it begins a pool of its own. That is decided once for each task, in the order in which runs
ended, and kept: later tasks never tear a pool apart.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import select

from ..instrumentation.schema import runs, texts
from .index import TaskIndex
from .tables import fingerprinted_runs, skill_templates, task_pools
from .template_record import TemplateRecord

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from sqlalchemy import Connection

    from .embedder import Encoder


SURE = 0.7
"""The confidence, and the score of the best match, from which a task joins a pool: surer than the matcher has to be of
itself, because one wrong task draws the next ones after it. Pools that are too many are made one once their procedures
are known (:mod:`.merging`), pools that are wrong stay so. On 128 airline and 523 retail conversations 0.5 chains
unlike requests by their greetings (a pool of 38 tasks, 33 of them failed). 0.8 gives as good templates in the
end and pools no WebArena task wrongly (0.7: 4% of the pairs), but brings a fifth fewer VisualWebArena tasks into pools
of three. What else people said in a conversation pools no better than its opening: more of the pairs are wrong."""

SLOT = re.compile(r"\{\{(\w+)\}\}")

_PART = 500  # runs in one statement
_record = msgspec.json.Decoder(TemplateRecord).decode

CANDIDATES = 8
"""Known tasks that a new one is closely compared with at least: as right as 24 (``bench_giving.py``), and thousands of
tasks are placed in a third of the time."""

LOOKED_AT = 5
"""How many of the most alike tasks are looked at for one of the same domain."""


IMPORTED = "imported:"
"""How the pool of a template begins that came from a file, and how its examples are called here."""


class Pools:
    """The pools of one namespace.

    Args:
        namespace: whose.
        encoder: makes vectors of tasks, for whoever asks which are alike. Leave it out where tasks are placed: with
            one, where they go depends on whether it is loaded yet.

    Attributes:
        index: the known tasks, by fingerprint, as the matcher sees them.
        of: the pool of each task that was placed.
        texts: each task as it was first written.
        touched: the pools that :meth:`place` placed new tasks in, since somebody emptied it.
    """

    def __init__(self, namespace: str, encoder: Encoder | None = None) -> None:
        self._namespace = namespace
        self.index = TaskIndex(encoder=encoder, candidates=CANDIDATES)
        self.of: dict[str, str] = {}
        self.texts: dict[str, str] = {}
        self.touched: set[str] = set()
        self._domains: dict[str, str | None] = {}
        self._order: Collection[str] = ()

    def load(self, connection: Connection) -> dict[str, tuple[str, str | None]]:
        """Take over what was placed, here or by another process; returns the tasks (text, domain) that still wait."""
        placed = task_pools.c
        known = {
            row.fingerprint: row.pool
            for row in connection.execute(select(task_pools).where(placed.namespace == self._namespace))
        }
        filed = fingerprinted_runs.c
        in_order = connection.execute(
            select(filed.fingerprint, filed.domain, filed.run_id)
            .where(filed.namespace == self._namespace)
            .order_by(filed.finished_ns, filed.run_id)
        )
        there: dict[str, tuple[str | None, str]] = {}
        for name, domain, run_id in in_order:
            there.setdefault(name, (domain, run_id))
        for name in [name for name in self.of if name not in known and not name.startswith(IMPORTED)]:
            self._remove(name)  # forgotten since, or to be placed anew
        self.merged({pool: known[name] for name, pool in self.of.items() if known.get(name, pool) != pool})
        new = {name: there[name] for name in there if name not in self.of}
        said = task_texts(connection, [run_id for _, run_id in new.values()])
        words = {name: said[run_id] for name, (_, run_id) in new.items() if run_id in said}
        waiting: dict[str, tuple[str, str | None]] = {}
        for name, (domain, _) in new.items():
            if name not in words:
                continue  # its text is not there: recorded without content
            if name in known:
                self._add(name, words[name], domain, known[name])
            else:
                waiting[name] = (words[name], domain)
        self._order = [name for name in there if name in self.of or name in waiting]
        self._load_imported(connection)
        return waiting

    def place(self, connection: Connection, most: int | None = None) -> int:
        """Place tasks that wait, at most so many; returns how many. Called again until none is left, it leaves others
        room to write in between."""
        rows: list[dict[str, str]] = []
        for name, (text, domain) in list(self.load(connection).items())[:most]:
            pool = self.pool_for(text, domain) or name
            self._add(name, text, domain, pool)
            rows.append({"namespace": self._namespace, "fingerprint": name, "pool": pool})
        self.touched.update(row["pool"] for row in rows)
        if rows:
            connection.execute(task_pools.insert(), rows)
        return len(rows)

    def _load_imported(self, connection: Connection) -> None:
        """Know templates from files by their examples."""
        wanted = imported_tasks(connection, self._namespace)
        for name in [name for name in self.of if name.startswith(IMPORTED) and name not in wanted]:
            self._remove(name)
        for name, (pool, text, domain) in wanted.items():
            if name not in self.of:
                self._add(name, text, domain, pool)

    def _remove(self, name: str) -> None:
        self.index.remove(name)
        del self.of[name], self.texts[name], self._domains[name]

    def _add(self, name: str, text: str, domain: str | None, pool: str) -> None:
        self.index.add(name, text, None, domain)
        self.of[name], self.texts[name], self._domains[name] = pool, text, domain

    def members(self) -> dict[str, list[str]]:
        """The tasks of each pool, both in the order in which tasks were first tried."""
        found: dict[str, list[str]] = {}
        for name in self._order:
            if name in self.of:
                found.setdefault(self.of[name], []).append(name)
        return found

    def domain(self, name: str) -> str | None:
        """The domain of a task."""
        return self._domains[name]

    def merged(self, moved: Mapping[str, str]) -> None:
        """File the tasks of some pools under others.

        Args:
            moved: for each pool that goes, the one that stays.
        """
        for name, pool in self.of.items():
            self.of[name] = moved.get(pool, pool)

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


def task_texts(connection: Connection, run_ids: Iterable[str]) -> dict[str, str]:
    """The tasks of these runs, as they were written; without those that were recorded without content."""
    found: dict[str, str] = {}
    ids = sorted(run_ids)
    for first in range(0, len(ids), _PART):
        rows = connection.execute(
            select(runs.c.run_id, texts.c.text)
            .join(texts, texts.c.text_pk == runs.c.task_pk)
            .where(runs.c.run_id.in_(ids[first : first + _PART]), texts.c.text.is_not(None))
        )
        for run_id, text in rows:
            found[run_id] = text
    return found


def imported_tasks(connection: Connection, namespace: str) -> dict[str, tuple[str, str, str | None]]:
    """The tasks by which templates from files are recognised: their pool, text and domain, by a name for each."""
    table = skill_templates.c
    rows = connection.execute(
        select(table.pool, table.body)
        .where(
            table.namespace == namespace,
            table.pool.like(f"{IMPORTED}%"),
            table.state.in_(("candidate", "ready")),
        )
        .order_by(table.pool, table.version)
    )
    found: dict[str, tuple[str, str, str | None]] = {}
    for pool, body in rows:
        record = _record(body)
        told = record.examples or [SLOT.sub(lambda slot: slot[1].replace("_", " "), record.task_template)]
        found.update({f"{pool}#{n}": (pool, text, record.domain) for n, text in enumerate(told) if text.strip()})
    return found
