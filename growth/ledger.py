"""The ledger: applies judged runs to agents, in the canonical order, whatever order they arrive in.

What an agent has earned is a fold over its contributions in the order (finished at, run id). The newest run is
folded into the stored state. A run that arrives late, whose outcome has changed or that is forgotten is put right
by undoing the agent's runs from there on, newest first (each contribution keeps the figures from before it), and
folding again what remains. So the tables are always those that a rebuild from nothing would give, at a cost that
grows with what lies after the place of the change and not with all that came before.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from ..instrumentation.records import Achievement
from . import rows
from .abilities import AbilityTable
from .applying import apply_run, roll_back
from .awards import shares
from .profiles import achieved_public, public
from .roster import Roster
from .rules import Rules
from .skills import Contribution, Profile, SkillEvent, add_roster_skill, new_profile

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy import Connection

    from ..instrumentation.guard import Guard
    from ..instrumentation.reading import RunRecord

log = logging.getLogger("seasoned.growth")

FIRST = (-(2**63), "")
"""Before every run."""


class Book(msgspec.Struct, frozen=True):
    """What the ledger goes by: the rules, the roster, the table of abilities, and what can be achieved."""

    rules: Rules
    roster: Roster
    abilities: AbilityTable
    achievements: Sequence[Achievement] = ()


class Change(msgspec.Struct):
    """What is to be done for one agent: take ``drop`` (run ids) out and put ``add`` in, from ``start`` on."""

    start: tuple[int, str]
    drop: set[str]
    add: Contribution | None = None


class _Fold(msgspec.Struct):
    """One agent while it is being folded."""

    profile: Profile
    fresh: bool
    works: list[Contribution]
    weights: dict[str, dict[str, int]]
    held: list[rows.Earned]
    undone: bool = False
    touched: set[str] = msgspec.field(default_factory=set)
    groups: set[str] = msgspec.field(default_factory=set)
    removed: set[str] = msgspec.field(default_factory=set)
    lost: set[str] = msgspec.field(default_factory=set)
    earned: list[rows.Earned] = msgspec.field(default_factory=list)
    events: list[SkillEvent] = msgspec.field(default_factory=list)


def learn(connection: Connection, book: Book, guard: Guard, run: RunRecord, works: Sequence[Contribution]) -> bool:
    """Bring ``works``, what each agent did in a run, into the ledger; False where it already says exactly this.

    They are empty where nobody did anything, or where the run's success is unknown now.
    """
    rows.lock(connection)
    old = {(work.namespace, work.agent): work for work in rows.load_contributions(connection, [run.run_id])}
    new = {(work.namespace, work.agent): work for work in works}
    if old.keys() == new.keys() and all(old[key].same_facts(new[key]) for key in new):
        return False
    changes: dict[str, dict[str, Change]] = {}
    for key in old.keys() | new.keys():
        before, after = old.get(key), new.get(key)
        start = min(work.key for work in (before, after) if work is not None)
        drop = {run.run_id} if before is not None else set()
        changes.setdefault(key[0], {})[key[1]] = Change(start, drop, after)
    weights = {run.run_id: {work.agent: work.weight for work in works}}
    now_in = {work.namespace for work in works}
    for namespace in sorted(changes, key=lambda name: (name in now_in, name)):  # where it was, then where it is
        _change(connection, book, guard, namespace, changes[namespace], weights, run)
    working = {work.agent for work in works}
    rows.remove_contributions(connection, [(run.run_id, agent) for _, agent in old if agent not in working])
    return True


def unlearn(connection: Connection, book: Book, guard: Guard, run_ids: Collection[str]) -> None:
    """Take runs out of the ledger, as if they had never been."""
    rows.lock(connection)
    changes: dict[str, dict[str, Change]] = {}
    gone: list[tuple[str, str]] = []
    for work in rows.load_contributions(connection, run_ids):
        gone.append((work.run_id, work.agent))
        change = changes.setdefault(work.namespace, {}).setdefault(work.agent, Change(work.key, set()))
        change.start = min(change.start, work.key)
        change.drop.add(work.run_id)
    for namespace in sorted(changes):
        _change(connection, book, guard, namespace, changes[namespace], {}, None)
    rows.remove_contributions(connection, gone)


def _change(
    connection: Connection,
    book: Book,
    guard: Guard,
    namespace: str,
    changes: dict[str, Change],
    weights: Mapping[str, dict[str, int]],
    run: RunRecord | None,
) -> None:
    """Do these changes for the agents of one namespace and write what comes of them."""
    profiles = rows.load_profiles(connection, namespace, changes)
    achieved = rows.load_achievements(connection, namespace, changes)
    added = {agent: _groups([change.add]) for agent, change in changes.items() if change.add is not None}
    groups = rows.load_groups(connection, namespace, added)
    folds: list[_Fold] = []
    for agent in sorted(changes):
        held = achieved.get(agent, [])
        profile = profiles.get((namespace, agent))
        if profile is not None:
            profile.groups = groups.get(agent, {})
        fold = _open(connection, book, namespace, agent, profile, changes[agent], held)
        fold.weights.update(weights)
        folds.append(fold)
    records = _Records(connection, run)
    for fold in folds:
        _fold(fold, book, guard, records)
    _write(connection, namespace, folds)


def _open(
    connection: Connection,
    book: Book,
    namespace: str,
    agent: str,
    profile: Profile | None,
    change: Change,
    held: list[rows.Earned],
) -> _Fold:
    """The agent as it was before ``change.start``, and its runs from there on."""
    added = [change.add] if change.add is not None else []
    if profile is None or (not change.drop and change.start > (profile.updated_ns, profile.last_run_id)):
        fresh = profile is None
        profile = profile or new_profile(namespace, agent, book.roster, book.rules, book.abilities)
        fold = _Fold(profile, fresh, added, {}, held, groups=_groups(added))
        if not fresh:
            _add_from_roster(fold, book)
        return fold
    works, weights = rows.load_since(connection, namespace, agent, change.start)
    fold = _Fold(profile, False, [], weights, held, undone=True)
    start = change.start
    try:
        for work in reversed(works):
            fold.touched |= roll_back(profile, work.before)
    except (LookupError, TypeError, ValueError, msgspec.MsgspecError):
        log.warning("seasoned: the stored figures of %s are damaged; they are made again from its runs", agent)
        start = FIRST
        works, fold.weights = rows.load_since(connection, namespace, agent, start)
        profile.runs = 0
    if profile.runs == 0:
        fold.touched |= profile.skills.keys()
        fold.profile = new_profile(namespace, agent, book.roster, book.rules, book.abilities)
        fold.fresh = True
    fold.groups = _groups([*works, *added])
    fold.held = [entry for entry in held if (entry.at, entry.run_id) < start]
    fold.lost = {entry.slug for entry in held} - {entry.slug for entry in fold.held}
    kept = [work for work in works if work.run_id not in change.drop]
    fold.works = sorted([*kept, *added], key=lambda work: work.key)
    return fold


def _groups(works: Sequence[Contribution]) -> set[str]:
    return {work.facts.group for work in works if work.facts.group is not None}


def _add_from_roster(fold: _Fold, book: Book) -> None:
    """Give a known agent the skills that its roster has got since."""
    entry = book.roster.agents.get(fold.profile.agent)
    for name in entry.skills if entry is not None else ():
        if name not in fold.profile.skills:
            add_roster_skill(fold.profile, name, book.roster, book.rules, book.abilities)
            fold.touched.add(name)


def _fold(fold: _Fold, book: Book, guard: Guard, records: _Records) -> None:
    profile = fold.profile
    has = {entry.slug for entry in fold.held}
    open_achievements = [achievement for achievement in book.achievements if achievement.slug not in has]
    works: list[Contribution] = []
    if open_achievements:
        records.expect(fold.works)
    for work in fold.works:
        mine = shares(work, fold.weights[work.run_id], book.rules)
        events, before = apply_run(profile, work, mine, book.rules, book.abilities, book.roster)
        fold.events.extend(events)
        fold.touched.update(use.skill for use in work.skills)
        works.append(msgspec.structs.replace(work, before=before))
        if open_achievements:
            open_achievements = _achieve(fold, book, guard, open_achievements, work, records)
    fold.works = works
    fold.removed = {name for name in fold.touched if name not in profile.skills}
    if fold.fresh:
        fold.touched |= profile.skills.keys()


def _achieve(
    fold: _Fold,
    book: Book,
    guard: Guard,
    candidates: list[Achievement],
    work: Contribution,
    records: _Records,
) -> list[Achievement]:
    """Give what the agent has just earned; returns what it has still not."""
    record = records.get(work)
    if record is None:
        return candidates
    achieved = [achieved_public(earned, book.achievements) for earned in (*fold.held, *fold.earned)]
    profile = public(fold.profile, book.rules, book.abilities, achieved)
    left: list[Achievement] = []
    for achievement in candidates:
        if guard.call(f"achievement {achievement.slug}", achievement.earned, profile, record):
            who = fold.profile
            fold.earned.append(rows.Earned(who.namespace, who.agent, achievement.slug, work.run_id, work.finished_ns))
        else:
            left.append(achievement)
    return left


def _write(connection: Connection, namespace: str, folds: Sequence[_Fold]) -> None:
    for fold in folds:
        profile = fold.profile
        if profile.runs == 0:
            rows.remove_agent(connection, namespace, profile.agent)
        elif fold.undone:
            rows.cut_events(connection, namespace, profile.agent, profile.events - len(fold.events))
            if fold.removed:
                rows.remove_skills(connection, namespace, profile.agent, fold.removed)
            gone = fold.groups - profile.groups.keys()
            if gone:
                rows.remove_groups(connection, namespace, profile.agent, gone)
            if fold.lost:
                rows.remove_achievements(connection, namespace, profile.agent, fold.lost)
    alive = [fold for fold in folds if fold.profile.runs > 0]
    rows.save_profiles(connection, [fold.profile for fold in alive])
    rows.save_skills(
        connection,
        [(fold.profile, fold.profile.skills[name]) for fold in alive for name in sorted(fold.touched - fold.removed)],
    )
    known = [(fold.profile, name) for fold in alive for name in sorted(fold.groups & fold.profile.groups.keys())]
    rows.save_groups(connection, known)
    rows.save_contributions(connection, [work for fold in alive for work in fold.works])
    numbered: list[tuple[str, str, int, SkillEvent]] = []
    for fold in alive:
        first = fold.profile.events - len(fold.events) + 1
        agent = fold.profile.agent
        numbered.extend((namespace, agent, number, event) for number, event in enumerate(fold.events, first))
    rows.save_events(connection, numbered)
    rows.save_achievements(connection, [earned for fold in alive for earned in fold.earned])


class _Records:
    """Records of runs, for the tests of achievements: the one being learned from, and others, some hundreds at a
    time as they are needed."""

    def __init__(self, connection: Connection, run: RunRecord | None) -> None:
        self._connection = connection
        self._run = run
        self._next: dict[str, list[str]] = {}
        self._known: dict[str, RunRecord] = {}

    def expect(self, works: Sequence[Contribution]) -> None:
        """Say which runs will be asked for, in their order."""
        ids = [work.run_id for work in works]
        for first in range(0, len(ids), rows.CHUNK):
            part = ids[first : first + rows.CHUNK]
            self._next.update(dict.fromkeys(part, part))

    def get(self, work: Contribution) -> RunRecord | None:
        """The record of an expected run, or None where there is none any more."""
        if self._run is not None and work.run_id == self._run.run_id:
            return self._run
        if work.run_id not in self._known:
            from ..instrumentation import reading

            part = self._next[work.run_id]
            self._known = {record.run_id: record for record in reading.runs(self._connection, run_ids=part)}
        record = self._known.get(work.run_id)
        if record is None:
            return None
        # A derived complexity is not in the run's row, but it is in what was learned from.
        return msgspec.structs.replace(record, complexity=work.complexity)
