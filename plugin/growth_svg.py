"""The geometry of an agent's curve, for inline SVG: numbers and dates only, so that a template need not trust it.

The curve is drawn as steps, because experience comes in steps, one at each run. Time runs along it; only where all
runs ended within a minute, as imported ones do, they stand side by side in their order.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

AT_ONCE = 60 * 10**9
"""Nanoseconds: runs that all ended within so much came together."""
LABEL_ROOM = 14
"""How far two labels of levels must stand apart, in units of the view box."""

_STEPS = (
    1, 5, 15, 30, 60, 300, 900, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86400, 2 * 86400, 7 * 86400, 14 * 86400,
    28 * 86400,
)  # fmt: skip
_LONG = 70
"""Days from which on months are written below a curve."""


class Frame(NamedTuple):
    """Size and margins of a drawing, in units of its view box, and how many dates stand below it."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    dates: int


WIDE = Frame(860, 300, 58, 64, 14, 30, 6)
NARROW = Frame(360, 250, 46, 54, 14, 30, 4)
"""For a telephone: drawn for its width, not shrunk, so that the letters stay readable."""


def curve(points: Sequence[Sequence[int]], thresholds: Sequence[int], frame: Frame) -> dict[str, Any] | None:
    """A curve of [nanoseconds, total XP] in ``frame``; None where there are too few points to draw.

    ``thresholds`` are the XP from which levels 1, 2, … begin; those within the picture become faint lines, and are
    named where there is room.
    """
    if len(points) < 2:
        return None
    first, last = points[0][0], points[-1][0]
    together = last - first < AT_ONCE
    highest = max(max(total for _, total in points), 1)
    top = highest * 1.06
    wide, high = frame.width - frame.left - frame.right, frame.height - frame.top - frame.bottom
    base = frame.height - frame.bottom

    def x(part: float) -> float:
        return round(frame.left + wide * part, 1)

    def y(total: float) -> float:
        return round(base - high * max(0.0, total) / top, 1)

    path: list[tuple[float, float]] = [(x(0), y(0))]
    for number, (at, total) in enumerate(points, 1):
        across = x(number / len(points) if together else (at - first) / (last - first))
        path += [(across, path[-1][1]), (across, y(total))]
    line = " ".join(f"{px},{py}" for px, py in path)
    levels: list[dict[str, Any]] = []
    named = -float(LABEL_ROOM)
    for level in range(len(thresholds), 1, -1):
        at = y(thresholds[level - 1])
        if thresholds[level - 1] > highest:
            continue
        label = at - named >= LABEL_ROOM and base - at >= LABEL_ROOM / 2
        named = at if label else named
        levels.append({"y": at, "level": level, "label": label})
    return {
        "width": frame.width,
        "height": frame.height,
        "left": frame.left,
        "right": frame.width - frame.right,
        "base": base,
        "line": line,
        "area": f"{line} {path[-1][0]},{base} {frame.left},{base}",
        "end": path[-1],
        "levels": levels,
        "y_ticks": [(y(value), compact(value)) for value in ticks(highest)],
        "x_ticks": _runs(x) if together else _dates(first, last, frame, x),
        "together": together,
    }


def _runs(x: Callable[[float], float]) -> list[tuple[float, str, str]]:
    return [(x(0), "start", "first run"), (x(1), "end", "last run")]


def _dates(first: int, last: int, frame: Frame, x: Callable[[float], float]) -> list[tuple[float, str, str]]:
    """Where dates stand: at round times, with so little of the date as tells them apart."""
    begin, seconds = first / 1e9, (last - first) / 1e9
    out: list[tuple[float, str, str]] = []
    for at, label in _months(first, last, frame.dates) or _rounded(begin, seconds, frame.dates):
        part = (at - begin) / seconds
        out.append((x(part), "start" if part < 0.05 else "end" if part > 0.95 else "middle", label))
    return out


def _rounded(begin: float, seconds: float, most: int) -> list[tuple[float, str]]:
    step = next((step for step in _STEPS if seconds / step <= most), _STEPS[-1])
    out: list[tuple[float, str]] = []
    at = -(-int(begin) // step) * step
    while at <= begin + seconds:
        moment = datetime.fromtimestamp(at, timezone.utc)
        if step >= 86400:
            label = f"{moment.day} {moment:%b}"
        elif seconds >= 86400:
            label = f"{moment.day} {moment:%b %H:%M}"
        else:
            label = f"{moment:%H:%M:%S}" if step < 60 else f"{moment:%H:%M}"
        out.append((at, label))
        at += step
    return out


def _months(first: int, last: int, most: int) -> list[tuple[float, str]]:
    """Beginnings of months, quarters or years, for what took longer than ten weeks; else nothing."""
    begin, end = (datetime.fromtimestamp(at / 1e9, timezone.utc) for at in (first, last))
    span = 12 * (end.year - begin.year) + end.month - begin.month
    if (end - begin).days < _LONG:
        return []
    step = next((step for step in (1, 3, 6, 12, 24, 60, 120) if span / step <= most), 600)
    out: list[tuple[float, str]] = []
    for number in range(begin.year * 12 + begin.month, end.year * 12 + end.month):
        if number % step == 0:  # counted from January; the month in which it began has begun before
            moment = datetime(number // 12, number % 12 + 1, 1, tzinfo=timezone.utc)
            out.append((moment.timestamp(), f"{moment:%b %Y}" if not out or moment.month == 1 else f"{moment:%b}"))
    return out


def ticks(top: int) -> list[int]:
    """Three to six round values from 0 up to ``top``."""
    step = 1
    while top / step > 5:
        digits = int(str(step)[0])
        step = step * 2 if digits in (1, 5) else step // 2 * 5
    return list(range(0, top + 1, step))


def compact(value: int) -> str:
    """A round value in a few letters: ``5000``, ``20k``, ``2.5M``."""
    if value < 10_000:
        return str(value)
    size, unit = (1_000_000, "M") if value >= 1_000_000 else (1_000, "k")
    return f"{value / size:g}{unit}"


def spark(points: Sequence[Sequence[int]], width: int = 120, height: int = 28) -> str:
    """The points of a small polyline of the totals, in their order; empty for fewer than two."""
    if len(points) < 2:
        return ""
    top = max(max(total for _, total in points), 1)
    last = len(points) - 1
    return " ".join(
        f"{round(2 + (width - 4) * number / last, 1)},{round(2 + (height - 4) * (1 - max(0, total) / top), 1)}"
        for number, (_, total) in enumerate(points)
    )
