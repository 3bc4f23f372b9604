"""Columns over time for a report, drawn as the drawings of runs are.

What a chart shows also stands in a table beside it, and each column says what it is when the pointer rests on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .drawing_parts import LETTER, both, escaped, framed, line, number, short, text, value_ticks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 960, 250, 70, 20, 62, 34
SERIES = ("model", "tool", "code", "human", "accent", "transition")
"""Colours of series, in their order."""
WIDEST = 56
"""Units of a column at most: few columns do not fill the width."""


def columns_svg(
    keys: Sequence[str],
    series: Sequence[tuple[str, str, Sequence[float]]],
    *,
    title: str,
    told: str,
    shown: Callable[[float], str],
) -> str:
    """Columns, one for each key, each made of the series one upon the other.

    Args:
        keys: what stands below the columns.
        series: name, colour (of :data:`.drawing_parts.COLOURS`) and a value for each key.
        title: the heading.
        told: the same in words.
        shown: how a value is written.
    """
    sums = [sum(values[at] for _, _, values in series) for at in range(len(keys))]
    top = max([*sums, 1e-12])
    base, high = HEIGHT - BOTTOM, HEIGHT - BOTTOM - TOP
    step = (WIDTH - LEFT - RIGHT) / max(1, len(keys))
    wide = min(WIDEST, step * 0.78)

    def y(value: float) -> float:
        return base - high * value / top

    body = [text(20, 25, short(title, 100), colour="ink", size=14, bold=True)]
    x = 20.0
    for name, colour, _ in series:
        body.append(f'<rect x="{number(x)}" y="38" width="12" height="12" rx="2" {both(colour, colour)}/>')
        body.append(text(x + 18, 48, short(name, 28)))
        x += 40 + LETTER * len(short(name, 28))
    for value in value_ticks(top, 4):
        body.append(line(LEFT, y(value), WIDTH - RIGHT, y(value)))
        body.append(text(LEFT - 8, y(value) + 4, shown(value), anchor="end"))
    every = max(1, -(-len(keys) * 74 // (WIDTH - LEFT - RIGHT)))
    for at, key in enumerate(keys):
        middle = LEFT + step * (at + 0.5)
        if at % every == 0:
            body.append(text(middle, base + 18, short(key, 16), anchor="middle"))
        if not sums[at]:
            continue
        parts = [(name, colour, values[at]) for name, colour, values in series if values[at]]
        tip = ", ".join(f"{name} {shown(value)}" for name, _, value in parts)
        below = 0.0
        drawn: list[str] = []
        for _, colour, value in parts:
            corner = f'x="{number(middle - wide / 2)}" y="{number(y(below + value))}"'
            size = f'width="{number(wide)}" height="{number(max(1.0, y(below) - y(below + value)))}"'
            drawn.append(f'<rect {corner} {size} {both(colour, "panel")} stroke-width="1"/>')
            below += value
        body.append(f"<g><title>{escaped(short(f'{key}: {tip}', 300))}</title>{''.join(drawn)}</g>")
    return framed(WIDTH, HEIGHT, title, told, body)
