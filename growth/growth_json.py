"""Profiles from the database, as ``seasoned growth --json`` prints them."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from ..instrumentation.errors import NotFound
from . import rows
from .abilities import AbilityTable
from .ledger import Book
from .profiles import achieved_public, public
from .roster import Roster
from .rules import Rules
from .skills import Profile, add_roster_skill, new_profile

if TYPE_CHECKING:
    from sqlalchemy import Connection


def profile_json(
    connection: Connection, namespace: str, agent: str | None = None, *, book: Book | None = None
) -> dict[str, Any] | list[dict[str, Any]]:
    """The profile of one agent, or of all of them by name where ``agent`` is None.

    Agents of the roster are there before their first run. Without ``book`` there is no roster, and abilities read
    as they did when they were unlocked.

    Raises:
        NotFound: where there is no such agent in the namespace.
    """
    if agent is None:
        profiles = {name: profile for (_, name), profile in rows.load_profiles(connection, namespace).items()}
    else:
        found = rows.load_profiles(connection, namespace, [agent])
        profiles = {name: profile for (_, name), profile in found.items()}
    known = book or Book(Rules(), Roster(), AbilityTable())
    for name in known.roster.agents:
        if agent is None or name == agent:
            profiles[name] = _with_roster(profiles.get(name), namespace, name, known)
    if agent is not None and agent not in profiles:
        raise _unknown(connection, namespace, agent, known)
    achieved = rows.load_achievements(connection, namespace, list(profiles))
    out = [
        public(
            profiles[name],
            known.rules,
            known.abilities if book is not None else None,
            [achieved_public(earned, known.achievements) for earned in achieved.get(name, ())],
        )
        for name in sorted(profiles)
    ]
    return out if agent is None else out[0]


def _with_roster(profile: Profile | None, namespace: str, agent: str, book: Book) -> Profile:
    """The agent with the skills of the roster that it has not used yet."""
    if profile is None:
        return new_profile(namespace, agent, book.roster, book.rules, book.abilities)
    for name in book.roster.agents[agent].skills:
        if name not in profile.skills:
            add_roster_skill(profile, name, book.roster, book.rules, book.abilities)
    return profile


def _unknown(connection: Connection, namespace: str, agent: str, book: Book) -> NotFound:
    names = sorted({name for _, name in rows.load_profiles(connection, namespace)} | set(book.roster.agents))
    close = difflib.get_close_matches(agent, names, n=1, cutoff=0.5)
    if close:
        return NotFound(f"no agent {agent!r} has grown in namespace {namespace!r}; did you mean {close[0]!r}?")
    if names:
        shown = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
        return NotFound(f"no agent {agent!r} has grown in namespace {namespace!r}; known are {shown}")
    return NotFound(
        f"no agent has grown in namespace {namespace!r} yet: agents learn from runs with an outcome; "
        "give one with `seasoned outcome`"
    )
