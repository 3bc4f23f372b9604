"""What plugins and the parts of this package hand to each other: small frozen records and protocols.

Plain data, so that a plugin needs nothing but these and the marker to be written and tested.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .events import Event
    from .reading import RunRecord


class Ability(msgspec.Struct, frozen=True):
    """A sentence that a level of a skill unlocks.

    Attributes:
        skill: the skill's slug, such as ``failure_analysis``.
        level: from which level, 1 to 10.
        text: the sentence, as it is put into the prompt.
    """

    skill: str
    level: int
    text: str


class SkillUse(msgspec.Struct, frozen=True):
    """One skill that an agent exercised in a run.

    Attributes:
        skill: its slug: lower case, words joined by underscores.
        weight: its part of the agent's work in the run, above 0; weights are compared with one another.
        name: how it is shown; made from the slug where empty.
        domain: the domain that it belongs to.
    """

    skill: str
    weight: float = 1.0
    name: str = ""
    domain: str = ""


class Section(msgspec.Struct, frozen=True):
    """A part of the block that an agent is given.

    Attributes:
        name: identifies it, such as ``abilities``.
        text: what the model reads: a heading and its lines.
        why: where it comes from, with the exact figures; shown by ``seasoned prompt``, never to the model.
        priority: sections with lower numbers come first, and are the last to be dropped for want of space.
        whole: whether it makes sense only as a whole: then its room is set aside before the others get theirs, and it
            is left out rather than cut.
        source: what it was made from, for the record of what was given: a template's id, name and version.
        reasons: why each of its lines is in it, by the line, where that is known when it is made; shown like ``why``.
    """

    name: str
    text: str
    why: str = ""
    priority: int = 100
    whole: bool = False
    source: dict[str, Any] | None = None
    reasons: dict[str, str] | None = None


class Reason(msgspec.Struct, frozen=True):
    """Why a line stands in the block.

    Attributes:
        why: in words, with the exact figures.
        events: what it goes back to, the newest last: each at least with ``event``, ``rule``, ``run_id`` and ``at``
            (nanoseconds since the epoch). Empty where no run is behind it.
    """

    why: str
    events: tuple[dict[str, Any], ...] = ()


class Verdict(msgspec.Struct, frozen=True):
    """What an evaluator or a rule says about a run.

    Attributes:
        success: whether the task was solved.
        quality: how well, 0 to 1, or None.
        reason: in a few words, why.
        source: who says so; one of the sources in :data:`.outcomes.TRUST` or ``name:detail`` of one.
        excluded: agents whose own words the verdict rests on: they earn nothing by it.
    """

    success: bool
    quality: float | None = None
    reason: str = ""
    source: str = "evaluator"
    excluded: tuple[str, ...] = ()


class OutcomeRule(msgspec.Struct, frozen=True):
    """A rule that may judge a finished run.

    Attributes:
        name: shown as the outcome's source, ``rule:NAME``.
        judge: given the run and its events, the verdict, or None where the rule has nothing to say.
    """

    name: str
    judge: Callable[[RunRecord, Sequence[Event]], Verdict | None]


class Achievement(msgspec.Struct, frozen=True):
    """Something that an agent can earn once.

    Attributes:
        slug: identifies it.
        title: how it is shown.
        description: what it is for.
        earned: given the agent's profile (as ``seasoned growth --json`` prints it) and the run just learned from.
    """

    slug: str
    title: str
    description: str
    earned: Callable[[Mapping[str, Any], RunRecord], bool]


class Sink(Protocol):
    """Receives recorded events in batches, in the background, after they are in the database.

    A batch may come twice (after a crash between the two); ``(writer, run_id, seq)`` identifies an event.
    """

    name: str

    def send(self, events: Sequence[Event]) -> None:
        """Take a batch. What it raises is counted, and the batch is not sent again."""
        ...
