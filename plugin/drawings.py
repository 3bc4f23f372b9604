"""Drawings of a run as SVG that needs nothing else: its timeline, its transition graph, what it used.

Pure functions from data to text; the same data gives the same text. They serve notebooks and the HTML report.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..instrumentation.describing import duration, money
from .drawing_graph import graph_svg
from .drawing_growth import experience_svg
from .drawing_parts import (
    COLOURS,
    DARK,
    both,
    framed,
    line,
    many,
    number,
    short,
    text,
    time_ticks,
    value_ticks,
    variables,
)
from .drawing_timeline import UNTIMED, timeline_svg

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["COLOURS", "DARK", "experience_svg", "graph_svg", "timeline_svg", "usage_svg", "variables"]

WIDTH, LEFT, RIGHT, TOP, HIGH = 960, 76, 116, 46, 120
MOST = 500
"""Points of a curve; of more, so many spread evenly are drawn, the last among them."""


def usage_svg(points: Sequence[tuple[int, int, float]], *, title: str) -> str:
    """What a run used over time, added up, as SVG: tokens above, cost below.

    Args:
        points: of each model call its time in nanoseconds since the epoch, tokens and cost in US dollars.
        title: the drawing's heading.
    """
    heading = text(20, 25, short(title, 110), colour="ink", size=14, bold=True)
    if not points:
        words = "No model was called, or nobody recorded the calls."
        return framed(WIDTH, 90, title, words, [heading, text(20, 62, words)])
    ordered = sorted(points, key=lambda point: point[0])
    start, end = ordered[0][0], ordered[-1][0]
    timed = end - start >= UNTIMED * len(ordered)
    length = (end - start) / 1e9 if timed else float(len(ordered))
    along = [(at - start) / 1e9 if timed else place + 1.0 for place, (at, _, _) in enumerate(ordered)]
    curves = [("tokens", [float(max(0, tokens)) for _, tokens, _ in ordered], "model")]
    if any(cost > 0 for _, _, cost in ordered):
        curves.append(("US dollars", [max(0.0, cost) for _, _, cost in ordered], "accent"))
    body, told, top = [heading], [], TOP
    for name, values, colour in curves:
        total = sum(values)
        shown = money(total) if name != "tokens" else f"{many(round(total))} tokens"
        told.append(shown)
        body.extend(_curve(_summed(along, values), length, top, name, colour, shown))
        top += HIGH + 34
    base = top - 34
    for at, tick in time_ticks(length) if timed else [(at, f"{at:g}") for at in value_ticks(length, 8)]:
        x = _x(at, length)
        body.append(line(x, base, x, base + 4))
        body.append(text(x, base + 18, tick, anchor="start" if at == 0 else "middle"))
    body.append(text(WIDTH - 18, base + 18, "time" if timed else "calls", anchor="end"))
    over = f" in {duration(length)}" if timed else ""
    words = f"{len(ordered):,} model calls{over}: {', '.join(told)} in all."
    return framed(WIDTH, base + 34, title, words, body)


def _summed(along: Sequence[float], values: Sequence[float]) -> list[tuple[float, float]]:
    """The curve's points, thinned."""
    total, found = 0.0, list[tuple[float, float]]()
    for x, value in zip(along, values, strict=True):
        total += value
        found.append((x, total))
    if len(found) <= MOST:
        return found
    step = (len(found) - 1) / (MOST - 1)
    return [found[round(step * at)] for at in range(MOST)]


def _x(at: float, length: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (at / length if length > 0 else 0)


def _curve(
    found: Sequence[tuple[float, float]], length: float, top: float, name: str, colour: str, shown: str
) -> Iterator[str]:
    """A curve in steps, because use comes in steps, one at each call."""
    base, highest = top + HIGH, max(found[-1][1], 1e-12)

    def y(value: float) -> float:
        return base - (HIGH - 8) * value / highest

    for value in value_ticks(highest, 4):
        yield line(LEFT, y(value), WIDTH - RIGHT, y(value))
        yield text(LEFT - 8, y(value) + 4, many(value) if name == "tokens" else money(value), anchor="end")
    path = [f"M{number(LEFT)} {number(base)}"]
    path.extend(f"H{number(_x(at, length))}V{number(y(value))}" for at, value in found)
    last = _x(found[-1][0], length)
    yield f'<path d="{"".join(path)}V{number(base)}z" {both(colour, colour)} fill-opacity="0.14" stroke-width="0"/>'
    yield f'<path d="{"".join(path)}" {both("panel", colour)} fill-opacity="0" stroke-width="2"/>'
    yield f'<circle cx="{number(last)}" cy="{number(y(found[-1][1]))}" r="3.5" {both(colour, colour)}/>'
    yield text(last + 8, y(found[-1][1]) + 4, shown, colour=colour, bold=True)
    yield text(LEFT + 6, top + 2, name, colour=colour, bold=True)
