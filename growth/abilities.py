"""Which sentences the levels of a skill unlock.

One table, keyed by the skill's slug, put together from what plugins register (the built-in table among them) and
from the roster. For a skill and level that the roster names, its sentences stand alone: the application's author
knows its agents best.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..instrumentation.records import Ability

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .roster import Roster

LIMIT = 200
"""The longest sentence, in characters: it goes into a prompt."""


class AbilityTable:
    """Sentences by skill and level.

    Args:
        registered: abilities from plugins; ones that cannot be (no level from 1 to 10, no text) are left out,
            and a sentence that comes twice counts once.
        roster: a roster's own table, ``{skill: {level: sentences}}``.
    """

    def __init__(
        self, registered: Iterable[Ability] = (), roster: Mapping[str, Mapping[int, tuple[str, ...]]] | None = None
    ) -> None:
        self._texts: dict[str, dict[int, tuple[str, ...]]] = {}
        for ability in registered:
            text = " ".join(ability.text.split())[:LIMIT]
            if not text or not 1 <= ability.level <= 10:
                continue
            levels = self._texts.setdefault(ability.skill, {})
            known = levels.get(ability.level, ())
            if text not in known:
                levels[ability.level] = (*known, text)
        for skill, levels in (roster or {}).items():
            self._texts.setdefault(skill, {}).update(levels)

    def at(self, skill: str, level: int) -> tuple[str, ...]:
        """What reaching exactly this level unlocks."""
        return self._texts.get(skill, {}).get(level, ())

    def up_to(self, skill: str, level: int) -> list[str]:
        """What a skill at this level has unlocked, from the lowest level up."""
        return [text for _, text in self.by_level(skill, level)]

    def by_level(self, skill: str, level: int) -> list[tuple[int, str]]:
        """The same, each sentence with the level that unlocks it."""
        levels = self._texts.get(skill)
        if not levels:
            return []
        return [(reached, text) for reached in sorted(levels) if reached <= level for text in levels[reached]]


def abilities_of(roster: Roster) -> list[Ability]:
    """A roster's table as abilities, for the hook ``register_abilities``."""
    return [
        Ability(skill, level, text)
        for skill, levels in roster.abilities.items()
        for level, texts in sorted(levels.items())
        for text in texts
    ]
