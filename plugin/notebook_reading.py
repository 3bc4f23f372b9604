"""The turns of a run as displays read them: bounded, and in a long run without going through it again and again."""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING

from ..instrumentation.steps import steps
from ..instrumentation.timeline import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..instrumentation.steps import Step, Turn
    from .replay import Replay

MOST = 400
"""Steps of a turn that are shown."""


def steps_of(replay: Replay, turn: Turn) -> list[Step]:
    """The steps of a turn, without prompts; of a very long turn, the first."""
    if len(turn) <= MOST:
        return turn.steps
    with contextlib.closing(replay.steps()) as found:
        return list(itertools.islice((step for step in found if step.turn == turn.number), MOST))


def first_turns(replay: Replay, count: int) -> Iterator[tuple[Turn, list[Step]]]:
    """The first turns of a run with their steps and prompts, in one pass over that part of it: to put together the
    prompts of each turn alone would mean to look at all calls before it each time."""
    turns = replay.turns[:count]
    ends = [turn.ended_ns or 0 for turn in turns if len(turn) <= MOST]
    wanted = {turn.number: min(len(turn), MOST) for turn in turns}
    found: dict[int, list[Step]] = {number: [] for number in wanted}
    missing = sum(wanted.values())
    place = Place(until_ns=max(ends) if ends and len(ends) == len(turns) else None)
    reading = replay._reading  # noqa: SLF001  a part of a run with prompts is nobody else's wish
    with contextlib.closing(steps(reading, replay.record, prompts=True, place=place)) as every:
        for step in every:
            kept = found.get(step.turn)
            if kept is not None and len(kept) < wanted[step.turn]:
                kept.append(step)
                missing -= 1
                if not missing:
                    break
    for turn in turns:
        yield turn, found[turn.number]
