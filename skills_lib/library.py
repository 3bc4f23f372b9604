"""The skill library of one application: templates learned from its recorded runs, and what they say about a new task.

The recorded runs are the truth. :meth:`SkillLibrary.learn` pools them, works out the template of every pool that has
changed, and keeps a new version where an agent would read something else. Deleting what was learned and learning again
gives the same templates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import select, update

from ..instrumentation.errors import NotFound
from ..instrumentation.store import Store
from .changes import library_changed
from .fingerprint import fingerprint
from .learner import Learned, Learner, solved_runs
from .planning import MAX_RECORDS, Plan, Planner, solved_task
from .pools import Pools
from .searching import Answer, similar
from .sketches import lot
from .tables import POOLED_RUNS, fingerprinted_runs, skill_templates, task_pools
from .template_record import TemplateRecord
from .template_rows import OFFERED, newest_by_pool, newest_version
from .uses import adaptations, restore
from .writes import Effects

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from .embedder import Encoder

_record = msgspec.json.Decoder(TemplateRecord).decode


class SkillLibrary:
    """The templates of one namespace in a database.

    Args:
        db_url: an SQLAlchemy URL, or an opened :class:`.store.Store`.
        namespace: whose runs; the only one in the database where None.
        encoder: makes vectors of tasks (:class:`.embedder.Embedder`), for :meth:`similar`; words alone without one.

    Raises:
        StoreError: where the database cannot be used.
        NotFound: where no namespace is given and there is none, or there are several.
    """

    def __init__(self, db_url: str | Store, namespace: str | None = None, *, encoder: Encoder | None = None) -> None:
        self._own = isinstance(db_url, str)
        self.store = Store(db_url) if isinstance(db_url, str) else db_url
        if self._own:
            self.store.prepare()
        self.namespace = namespace if namespace is not None else self._only_namespace()
        self._pools = Pools(self.namespace, encoder)
        # what is learned must not depend on whether an encoder is loaded yet
        learned = self._pools if encoder is None else Pools(self.namespace)
        self._learner = Learner(self.store, self.namespace, learned)
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

    def learn(
        self,
        progress: Callable[[int, int], None] | None = None,
        *,
        in_passing: bool = False,
        until: float | None = None,
    ) -> Learned:
        """Bring the templates up to date with the runs that were learned from; the arguments are those of
        :meth:`.learner.Learner.learn`."""
        return self._learner.learn(progress, in_passing=in_passing, until=until)

    # -- reading ---------------------------------------------------------------------------------------------

    def templates(self) -> list[TemplateRecord]:
        """The newest version of every template that nobody deleted, by name."""
        with self.store.reading() as connection:
            return self._templates(connection)

    def _templates(self, connection: Connection) -> list[TemplateRecord]:
        found = newest_by_pool(connection, self.namespace, OFFERED)
        return sorted(found.values(), key=lambda record: record.name)

    def similar(self, task: str, **wanted: Any) -> Answer:
        """The templates that a task is like, or that the library abstains; the arguments are those of
        :func:`.searching.similar`."""
        with self.store.reading() as connection:
            self._pools.load(connection)
            templates = newest_by_pool(connection, self.namespace, OFFERED)
        return similar(self._pools, templates, task, **wanted)

    def settle(self, timeout: float) -> bool:
        """Wait, at most ``timeout`` seconds, until an encoder has embedded what is known; True when it has."""
        with self.store.reading() as connection:
            self._pools.load(connection)
        vectors = self._pools.index.vectors
        return vectors is None or vectors.settle(timeout)

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
                    .where(
                        pools.namespace == self.namespace,
                        kept.namespace == self.namespace,
                        kept.version == newest_version(self.namespace),
                        OFFERED,
                    )
                )
            }
            for run_id in self._planned - wanted:
                self._planner.discard(run_id)
            for run in solved_runs(connection, sorted(wanted - self._planned)):
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

    def adaptations(self, template_id: str) -> dict[str, Any]:
        """What the runs that were given a template did otherwise: see :func:`.uses.adaptations`."""
        with self.store.reading() as connection:
            return adaptations(connection, self.namespace, template_id)

    def restore(self, template_id: str) -> int:
        """Give a withdrawn template another chance: its uses so far no longer count against it; returns how many."""
        with self.store.writing() as connection:
            count = restore(connection, self.namespace, template_id)
            library_changed(connection)
        return count

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
            library_changed(connection)
