"""The skill library of one application: templates learned from its recorded runs, and what they say about a new task.

The recorded runs are the truth. :meth:`SkillLibrary.learn` pools them, works out the template of every pool that has
changed, and keeps a new version where an agent would read something else. Deleting what was learned and learning again
gives the same templates.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import func, select, update

from ..instrumentation import reading
from ..instrumentation.errors import NotFound
from ..instrumentation.store import Store
from .building import Solved, build
from .fingerprint import fingerprint
from .induction import known_texts
from .planning import MAX_RECORDS, Plan, Planner, solved_task
from .pools import Pools
from .searching import Answer, similar
from .sketches import SAMPLE, lot
from .steps import trace_of
from .tables import POOLED_RUNS, fingerprinted_runs, skill_templates, task_pools
from .template_record import TemplateRecord, difference
from .writes import Effects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy import ColumnElement, Connection

    from .known_texts import KnownTexts

_record = msgspec.json.Decoder(TemplateRecord).decode
_encode = msgspec.json.encode


class Learned(msgspec.Struct, frozen=True):
    """What :meth:`SkillLibrary.learn` did: tasks placed in pools, templates made, and templates with a new version."""

    tasks: int = 0
    made: int = 0
    changed: int = 0


class SkillLibrary:
    """The templates of one namespace in a database.

    Args:
        db_url: an SQLAlchemy URL, or an opened :class:`.store.Store`.
        namespace: whose runs; the only one in the database where None.

    Raises:
        StoreError: where the database cannot be used.
        NotFound: where no namespace is given and there is none, or there are several.
    """

    def __init__(self, db_url: str | Store, namespace: str | None = None) -> None:
        self._own = isinstance(db_url, str)
        self.store = Store(db_url) if isinstance(db_url, str) else db_url
        if self._own:
            self.store.prepare()
        self.namespace = namespace if namespace is not None else self._only_namespace()
        self._pools = Pools(self.namespace)
        self._effects = Effects()
        self._planner = Planner(self._effects.writes)
        self._planned: set[str] = set()

    def close(self) -> None:
        """Let go of a database that was opened here."""
        if self._own:
            self.store.dispose()

    def _only_namespace(self) -> str:
        with self.store.reading() as connection:
            found = connection.execute(select(fingerprinted_runs.c.namespace).distinct()).scalars().all()
        if len(found) == 1:
            return found[0]
        known = ", ".join(sorted(found)) or "none: nothing was learned from yet"
        raise NotFound(f"the database holds experience of several applications or of none ({known}); name one")

    # -- learning --------------------------------------------------------------------------------------------

    def learn(self, progress: Callable[[int, int], None] | None = None) -> Learned:
        """Bring the templates up to date with the runs that were learned from."""
        with self.store.writing() as connection:
            tasks = self._pools.place_all(connection)
        with self.store.reading() as connection:
            waiting = self._changed_pools(connection)
        library = known_texts(self._pools.texts.values()) if waiting else None
        made = changed = 0
        for number, (pool, (signature, run_ids, newest)) in enumerate(sorted(waiting.items())):
            with self.store.writing() as connection:
                version = self._learn_pool(connection, pool, signature, run_ids, newest, library)
            made += version == 1
            changed += version > 1
            if progress is not None:
                progress(number + 1, len(waiting))
        return Learned(tasks, made, changed)

    def _changed_pools(self, connection: Connection) -> dict[str, tuple[str, list[str], int]]:
        """Pools whose runs are others than their template was made from: signature, runs to look into, newest end."""
        runs, pools, kept = fingerprinted_runs.c, task_pools.c, skill_templates.c
        rows = connection.execute(
            select(pools.pool, runs.run_id, runs.success, runs.finished_ns)
            .select_from(POOLED_RUNS)
            .where(runs.namespace == self.namespace)
        )
        members: dict[str, list[tuple[str, bool, int]]] = {}
        for pool, run_id, success, finished in rows:
            members.setdefault(pool, []).append((run_id, bool(success), finished))
        done = {
            row.pool: (row.signature, row.state)
            for row in connection.execute(
                select(kept.pool, kept.signature, kept.state).where(
                    kept.namespace == self.namespace, kept.version == _newest(self.namespace)
                )
            )
        }
        waiting: dict[str, tuple[str, list[str], int]] = {}
        for pool, found in members.items():
            signature = _signature(found)
            before, state = done.get(pool, ("", ""))
            if not before and not any(success for _, success, _ in found):
                continue  # failures alone make no template, however often they are looked into
            if signature != before and state != "deleted":
                waiting[pool] = (signature, _sampled(found), max(finished for _, _, finished in found))
        return waiting

    def _learn_pool(
        self,
        connection: Connection,
        pool: str,
        signature: str,
        run_ids: list[str],
        newest: int,
        library: KnownTexts | None,
    ) -> int:
        """Work out one pool's template; returns its version where that is new, else 0."""
        before = self._newest_of_pool(connection, pool)
        taken = set() if before is not None else self._names(connection)
        record = build(pool, self._solved(connection, run_ids), taken, library)
        if record is None:
            return 0
        table = skill_templates
        if before is not None:
            record = msgspec.structs.replace(record, version=before.version, name=before.name)
            if record.content == before.content:
                connection.execute(
                    update(table)
                    .where(
                        table.c.namespace == self.namespace,
                        table.c.template_id == record.template_id,
                        table.c.version == record.version,
                    )
                    .values(body=_encode(record).decode(), state=record.state, signature=signature, made_ns=newest)
                )
                return 0
            record = msgspec.structs.replace(record, version=before.version + 1)
        reason = f"{record.solved} of {record.solved + record.failed} runs of {record.tasks} tasks succeeded"
        connection.execute(
            table.insert().values(
                namespace=self.namespace,
                template_id=record.template_id,
                version=record.version,
                pool=pool,
                name=record.name,
                state=record.state,
                signature=signature,
                content=record.content,
                body=_encode(record).decode(),
                diff=_encode(difference(before, record) if before is not None else {}).decode(),
                reason=reason,
                made_ns=newest,
            )
        )
        return record.version

    def _solved(self, connection: Connection, run_ids: list[str]) -> list[Solved]:
        found: list[Solved] = []
        for run in reading.runs(connection, run_ids=run_ids, newest_first=False):
            if run.task is None or run.success is None:
                continue
            events = list(reading.tree_events(connection, run.run_id))
            trace = trace_of(events, run_id=run.run_id, success=run.success)
            found.append(Solved(trace, run.task, run.domain, run.task_type))
        return found

    # -- reading ---------------------------------------------------------------------------------------------

    def templates(self) -> list[TemplateRecord]:
        """The newest version of every template that nobody deleted, by name."""
        with self.store.reading() as connection:
            return self._templates(connection)

    def _templates(self, connection: Connection) -> list[TemplateRecord]:
        table = skill_templates.c
        rows = connection.execute(select(table.body).where(*self._offered())).scalars()
        return sorted(map(_record, rows), key=lambda record: record.name)

    def similar(self, task: str, **wanted: Any) -> Answer:
        """The templates that a task is like, or that the library abstains; the arguments are those of
        :func:`.searching.similar`."""
        with self.store.writing() as connection:
            self._pools.place_all(connection)
        with self.store.reading() as connection:
            table = skill_templates.c
            rows = connection.execute(select(table.pool, table.body).where(*self._offered()))
            templates = {row.pool: _record(row.body) for row in rows}
        return similar(self._pools, templates, task, **wanted)

    def plan(self, task: str) -> Plan:
        """The steps for a task, composed from what solved others: see :class:`.planning.Plan`. The first call reads
        the successful runs, of many a sample; later ones only what is new."""
        filed, pools, kept = fingerprinted_runs.c, task_pools.c, skill_templates.c
        with self.store.reading() as connection:
            solved = connection.execute(
                select(filed.run_id).where(filed.namespace == self.namespace, filed.success.is_(True))
            ).scalars()
            wanted = set(sorted(solved, key=lot)[:MAX_RECORDS])
            names: dict[str, str] = {
                row.fingerprint: row.name
                for row in connection.execute(
                    select(pools.fingerprint, kept.name)
                    .join_from(task_pools, skill_templates, (kept.pool == pools.pool))
                    .where(pools.namespace == self.namespace, *self._offered())
                )
            }
            for run_id in self._planned - wanted:
                self._planner.discard(run_id)
            for run in self._solved(connection, sorted(wanted - self._planned)):
                self._effects.add(run.trace)
                template = names.get(fingerprint(run.text).hash)
                self._planner.add(solved_task(run.trace, task=run.text, template=template))
            self._planned = wanted
        return self._planner.plan(task)

    def template(self, ref: str, version: int | None = None) -> TemplateRecord:
        """The template with this id, beginning of an id, or name; its newest version, or the one that is named.

        Raises:
            NotFound: there is none, or several ids begin so.
        """
        known = self.templates()
        matching = [one for one in known if ref in (one.template_id, one.name)]
        matching = matching or [one for one in known if ref and one.template_id.startswith(ref)]
        if len(matching) != 1:
            what = "several templates begin with" if matching else "there is no template"
            raise NotFound(f"{what} {ref[:80]!r}; see what there is with `seasoned skills list`")
        if version is None or version == matching[0].version:
            return matching[0]
        for record in self.versions(matching[0].template_id):
            if record.version == version:
                return record
        raise NotFound(f"{matching[0].name} has no version {version}; its versions are 1 to {matching[0].version}")

    def versions(self, template_id: str) -> list[TemplateRecord]:
        """All versions of a template, the oldest first."""
        table = skill_templates.c
        with self.store.reading() as connection:
            rows = connection.execute(
                select(table.body)
                .where(table.namespace == self.namespace, table.template_id == template_id)
                .order_by(table.version)
            ).scalars()
            return [_record(row) for row in rows]

    def runs_behind(self, template_id: str) -> list[tuple[str, bool]]:
        """The very runs that a template was learned from, with their verdicts, in the order in which they ended."""
        runs, pools, kept = fingerprinted_runs.c, task_pools.c, skill_templates.c
        with self.store.reading() as connection:
            pool = connection.execute(
                select(kept.pool).where(kept.namespace == self.namespace, kept.template_id == template_id).limit(1)
            ).scalar()
            rows = connection.execute(
                select(runs.run_id, runs.success)
                .select_from(POOLED_RUNS)
                .where(runs.namespace == self.namespace, pools.pool == pool)
                .order_by(runs.finished_ns, runs.run_id)
            )
            return [(run_id, bool(success)) for run_id, success in rows]

    def delete(self, template_id: str) -> None:
        """Take a template out of the library for good: it is not learned again from the runs that it was made from,
        nor from others of its pool."""
        table = skill_templates
        with self.store.writing() as connection:
            connection.execute(
                update(table)
                .where(table.c.namespace == self.namespace, table.c.template_id == template_id)
                .values(state="deleted")
            )

    def _offered(self) -> tuple[ColumnElement[bool], ...]:
        """What rows of the newest versions fulfil whose templates nobody deleted."""
        table = skill_templates.c
        return table.namespace == self.namespace, table.version == _newest(self.namespace), table.state != "deleted"

    def _newest_of_pool(self, connection: Connection, pool: str) -> TemplateRecord | None:
        table = skill_templates.c
        row = connection.execute(
            select(table.body)
            .where(table.namespace == self.namespace, table.pool == pool)
            .order_by(table.version.desc())
            .limit(1)
        ).scalar()
        return None if row is None else _record(row)

    def _names(self, connection: Connection) -> set[str]:
        table = skill_templates.c
        return set(connection.execute(select(table.name).where(table.namespace == self.namespace)).scalars())


def _newest(namespace: str) -> Any:
    """The newest version of the row's template, for comparing within a query."""
    other = skill_templates.alias()
    return (
        select(func.max(other.c.version))
        .where(other.c.namespace == namespace, other.c.template_id == skill_templates.c.template_id)
        .correlate(skill_templates)
        .scalar_subquery()
    )


def _sampled(members: Iterable[tuple[str, bool, int]]) -> list[str]:
    """At most :data:`SAMPLE` runs of each verdict: every run draws its lot by itself, so order does not matter."""
    chosen: list[str] = []
    members = list(members)
    for verdict in (True, False):
        ids = sorted((run_id for run_id, success, _ in members if success is verdict), key=lot)
        chosen += ids[:SAMPLE]
    return chosen


def _signature(members: Iterable[tuple[str, bool, int]]) -> str:
    facts = sorted((run_id, success) for run_id, success, _ in members)
    return hashlib.sha256(_encode(facts)).hexdigest()
