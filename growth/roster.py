"""The roster: the agents that an application starts with, and the sentences that their skills unlock.

A TOML file, because a person writes it. An agent that is not in it starts empty, so the roster is for those who
want starting levels, skills of their own, or sentences for skills that emerge. The format is in
``docs/growth.md``; :data:`EXAMPLE` is one to start from.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from ..instrumentation.errors import RosterError
from .attributes import TRAITS
from .rules import MAX_LEVEL, Rules, rules_from
from .toml_checks import Place, parse_toml

ROSTERS = Path(__file__).parent / "rosters"
"""The folder of the rosters that come with the package."""

EXAMPLE = ROSTERS / "example.toml"
"""The three agents of the growth specification, and its table of abilities."""

AIRLINE = ROSTERS / "airline.toml"
"""For the customer service agent of the demo."""

_MEND = "check the setting `roster`: it names a TOML file of agents (docs/growth.md)"
_TOP = ("agents", "abilities", "rules")
_AGENT = ("title", "specialization", "core_domains", "adjacent_domains", "skills", "attributes")
_SKILL = ("name", "domain", "level", "xp", "tools", "keywords")


class RosterSkill(msgspec.Struct, frozen=True):
    """A skill that an agent starts with.

    Attributes:
        name: how it is shown.
        domain: the domain that it belongs to; a run of this domain or task type exercises it.
        level: 1 to 10; counts until its XP reach a higher one.
        xp: starting experience points.
        tools: tools whose use exercises it.
        keywords: words, or groups of words, whose presence in a task exercises it.
    """

    name: str
    domain: str
    level: int = 1
    xp: int = 0
    tools: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()


class RosterAgent(msgspec.Struct, frozen=True):
    """An agent with what it starts with; ``skills`` by slug, domains as the application names them, ``attributes``
    only those that do not start in the middle."""

    title: str = ""
    specialization: str | None = None
    core_domains: tuple[str, ...] = ()
    adjacent_domains: tuple[str, ...] = ()
    skills: dict[str, RosterSkill] = {}
    attributes: dict[str, float] = {}


class Roster(msgspec.Struct, frozen=True):
    """Agents by name, sentences by skill and level, and rules where the file has a table ``[rules]``."""

    agents: dict[str, RosterAgent] = {}
    abilities: dict[str, dict[int, tuple[str, ...]]] = {}
    rules: Rules | None = None


def load_roster(path: str | Path) -> Roster:
    """The roster in a TOML file.

    Raises:
        RosterError: where the file cannot be read, has an unknown key, an impossible level or an ill-typed value;
            the message names the file, the key and the mend.
    """
    path = Path(path)
    return roster_from(parse_toml(path, RosterError, _MEND), str(path))


def roster_from(table: dict[str, Any], file: str = "roster") -> Roster:
    """The roster in a parsed table; ``file`` is what errors call it. Raises RosterError."""
    top = Place(file, "", RosterError)
    top.keys(table, _TOP)
    agents, abilities, rules = (top.at(key) for key in _TOP)
    return Roster(
        agents={name: _agent(value, agents.at(name)) for name, value in _named(table, "agents", agents)},
        abilities={
            name: _abilities(value, abilities.at(name)) for name, value in _named(table, "abilities", abilities)
        },
        rules=rules_from(rules.table(table["rules"]), rules) if "rules" in table else None,
    )


def _named(table: dict[str, Any], key: str, place: Place) -> list[tuple[str, Any]]:
    entries = place.table(table.get(key, {}))
    if key != "agents":
        for name in entries:
            _check_slug(name, place)
    return list(entries.items())


def _check_slug(name: str, place: Place) -> None:
    if not (name.replace("_", "").isalnum() and name == name.lower() and name.strip("_") == name and len(name) <= 64):
        mend = "_".join("".join(c if c.isalnum() else " " for c in name.lower()).split())[:64].strip("_") or "skill"
        raise place.at(name).wrong(
            f"is not a skill's slug: use lower case, digits and single underscores, such as {mend}"
        )


def _agent(value: Any, place: Place) -> RosterAgent:
    table = place.table(value)
    place.keys(table, _AGENT)
    skills = place.at("skills")
    entries: dict[str, Any] = skills.table(table.get("skills", {}))
    for name in entries:
        _check_slug(name, skills)
    return RosterAgent(
        title=place.at("title").line(table["title"], 80) if "title" in table else "",
        specialization=place.at("specialization").line(table["specialization"], 80)
        if "specialization" in table
        else None,
        core_domains=place.at("core_domains").lines(table.get("core_domains", []), 80),
        adjacent_domains=place.at("adjacent_domains").lines(table.get("adjacent_domains", []), 80),
        skills={name: _skill(name, entry, skills.at(name)) for name, entry in entries.items()},
        attributes=_attributes(table.get("attributes", {}), place.at("attributes")),
    )


def _attributes(value: Any, place: Place) -> dict[str, float]:
    table = place.table(value)
    place.keys(table, TRAITS)
    return {trait: place.at(trait).part(number) for trait, number in table.items()}


def _skill(name: str, value: Any, place: Place) -> RosterSkill:
    table = place.table(value)
    place.keys(table, _SKILL)
    if "domain" not in table:
        raise place.wrong('has no domain; add one, such as domain = "testing"')
    return RosterSkill(
        name=place.at("name").line(table["name"], 80) if "name" in table else _shown(name),
        domain=place.at("domain").line(table["domain"], 80),
        level=place.at("level").whole(table.get("level", 1), 1, MAX_LEVEL),
        xp=place.at("xp").whole(table.get("xp", 0), 0),
        tools=place.at("tools").lines(table.get("tools", [])),
        keywords=place.at("keywords").lines(table.get("keywords", [])),
    )


def _shown(name: str) -> str:
    return " ".join(word[:1].upper() + word[1:] for word in name.split("_"))


def _abilities(value: Any, place: Place) -> dict[int, tuple[str, ...]]:
    levels: dict[int, tuple[str, ...]] = {}
    for key, sentences in place.table(value).items():
        here = place.at(key)
        if not (key.isascii() and key.isdigit()) or not 1 <= int(key) <= MAX_LEVEL:
            raise here.wrong(
                f'is not a level: write a whole number from 1 to {MAX_LEVEL}, such as "3" = ["A sentence"]'
            )
        levels[int(key)] = here.lines(sentences)
    return levels
