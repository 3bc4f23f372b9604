"""Achievements that come with the package, offered through the same hook as anybody's.

They look at the profile as ``seasoned growth --json`` prints it, after a run was learned from; the names are
those of the progression specification where it has one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..instrumentation.records import Achievement
from .rules import MAX_LEVEL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..instrumentation.reading import RunRecord

STREAK = 10
"""Successes in a row for "The Floor Is Lava" (the specification's "10 consecutive deploys with zero rollback")."""


def _solved_domains(profile: Mapping[str, Any]) -> set[str]:
    return {skill["domain"] for skill in profile["skills"] if skill["times_succeeded"] > 0}


def _first_success(profile: Mapping[str, Any], _run: RunRecord) -> bool:
    return bool(_solved_domains(profile))


def _two_domains(profile: Mapping[str, Any], _run: RunRecord) -> bool:
    return len(_solved_domains(profile)) >= 2


def _ten_in_a_row(profile: Mapping[str, Any], _run: RunRecord) -> bool:
    return profile["success_streak"] >= STREAK


def _mastery(profile: Mapping[str, Any], _run: RunRecord) -> bool:
    return any(skill["level"] >= MAX_LEVEL and skill["times_used"] > 0 for skill in profile["skills"])


BUILT_IN: tuple[Achievement, ...] = (
    Achievement("first_blood", "First Blood", "Solved a first task in a domain.", _first_success),
    Achievement("dual_wield", "Dual Wield", "Solved tasks in two domains.", _two_domains),
    Achievement("floor_is_lava", "The Floor Is Lava", "Solved ten tasks in a row.", _ten_in_a_row),
    Achievement("mastery", "Mastery", "Brought a skill to level 10.", _mastery),
)
