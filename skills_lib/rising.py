"""One longest row of rising values, always the same one: what stands in the same order on two sides."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def longest_rising(values: Sequence[int]) -> list[int]:
    """The places of one longest row of rising values, by patience sorting: n log n."""
    tops: list[int] = []
    top_of: list[int] = []
    before: list[int] = []
    for place, value in enumerate(values):
        pile = bisect_left(tops, value)
        before.append(top_of[pile - 1] if pile else -1)
        if pile == len(tops):
            tops.append(value)
            top_of.append(place)
        else:
            tops[pile], top_of[pile] = value, place
    row: list[int] = []
    place = top_of[-1] if top_of else -1
    while place >= 0:
        row.append(place)
        place = before[place]
    return row[::-1]
