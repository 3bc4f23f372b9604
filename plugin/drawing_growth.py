"""An agent's experience over time as a drawing that needs nothing else; the geometry is that of the growth page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .drawing_parts import both, framed, line, number, paint, short, text
from .growth_svg import WIDE, curve

if TYPE_CHECKING:
    from collections.abc import Sequence

TOP = 34
"""Room for the heading, above the curve."""


def experience_svg(points: Sequence[Sequence[int]], thresholds: Sequence[int], *, title: str) -> str:
    """An agent's curve of experience as SVG.

    Args:
        points: of each run that changed it, its time in nanoseconds since the epoch and the total XP then.
        thresholds: the XP from which levels 1, 2, ... begin.
        title: the drawing's heading.
    """
    heading = text(20, 25, short(title, 100), colour="ink", size=14, bold=True)
    made = curve(points, thresholds, WIDE)
    if made is None:
        words = "Too few runs for a curve."
        return framed(WIDE.width, 90, title, words, [heading, text(20, 62, words)])
    body = [f'<g transform="translate(0 {TOP})">']
    for y, value in made["y_ticks"]:
        body.append(line(made["left"], y, made["right"], y))
        body.append(text(made["left"] - 8, y + 4, str(value), anchor="end"))
    for level in made["levels"]:
        body.append(line(made["left"], level["y"], made["right"], level["y"], "accent", ' stroke-dasharray="2 4"'))
        if level["label"]:
            body.append(text(made["right"] + 6, level["y"] + 4, f"level {level['level']}", colour="accent"))
    for x, anchor, label in made["x_ticks"]:
        body.append(line(x, made["base"], x, made["base"] + 5))
        body.append(text(x, made["base"] + 20, label, anchor=anchor))
    x, y = made["end"]
    body.append(f'<polygon points="{made["area"]}" {paint("accent")} fill-opacity="0.12"/>')
    body.append(f'<polyline points="{made["line"]}" {both("panel", "accent")} fill-opacity="0" stroke-width="2"/>')
    body.append(f'<circle cx="{number(x)}" cy="{number(y)}" r="4" {paint("accent")}/></g>')
    total, last = points[-1][1], len(points)
    level = sum(total >= threshold for threshold in thresholds)
    words = f"{total:,} XP after {last:,} runs that changed it, which is level {max(1, level)}."
    return framed(WIDE.width, WIDE.height + TOP + 6, title, words, [heading, *body])
