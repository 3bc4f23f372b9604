"""What all drawings of runs share: colours, text, ticks and the frame around them.

A drawing stands in notebooks, on GitHub (there as a picture of its own, in whose page no style can reach) and inside
the HTML report. So each brings its own light panel, and every colour is written twice: as a plain attribute, and as
a variable that a page may set (see :data:`DARK`). Names come from strangers: they are escaped, and characters that
XML forbids or that turn the direction of writing are made visible. Nothing in a drawing has an id, because several
of them may stand in one page.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from .cli.output import clean

if TYPE_CHECKING:
    from collections.abc import Iterable

COLOURS = {
    "panel": "#ffffff", "ink": "#1d2126", "soft": "#57606a", "line": "#d5d2ca", "on": "#ffffff",
    "model": "#2a6296", "tool": "#8a5a00", "code": "#6b3fa0", "message": "#444c56", "human": "#0b6b64",
    "transition": "#6b7280", "error": "#b3261e", "accent": "#b4541a",
}  # fmt: skip
"""The colours of a drawing by what they are for, on a light panel. Text has a contrast of at least 4.5:1."""

DARK = {
    "panel": "#1d2125", "ink": "#e6e7e8", "soft": "#a3acb6", "line": "#3a4147", "on": "#14171a",
    "model": "#7fb6e6", "tool": "#e0b04c", "code": "#c3a1ee", "message": "#b6bec8", "human": "#5cc4ba",
    "transition": "#98a2ad", "error": "#f2877f", "accent": "#f0955a",
}  # fmt: skip
"""The same for a dark page. A page that wants them sets the variables (:func:`variables`) where it is dark."""

FONT = "system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
LETTER = 6.6
"""How wide a letter of 12 pixels is, about: wide enough for most."""

_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_TIMES = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 4 * 3600, 6 * 3600, 12 * 3600, 86400)


def variables(colours: dict[str, str]) -> str:
    """Colours as declarations for a style sheet, such as ``--seasoned-panel:#1d2125;…``."""
    return "".join(f"--seasoned-{name}:{value};" for name, value in colours.items())


def escaped(text: str) -> str:
    """``text`` for SVG and HTML: markup and control characters are shown, and do nothing."""
    return html.escape(_NO_XML.sub("\ufffd", clean(text)), quote=True)


def short(text: str, limit: int) -> str:
    """``text`` on one line of at most ``limit`` characters, not escaped yet."""
    line = " ".join(clean(text[: limit * 8]).split())
    return line if len(line) <= limit else line[: max(1, limit - 1)] + "…"


def paint(colour: str, part: str = "fill") -> str:
    """Attributes that fill or draw (``part``: ``fill`` or ``stroke``) with a colour of :data:`COLOURS`."""
    value = COLOURS[colour]
    return f'{part}="{value}" style="{part}:var(--seasoned-{colour},{value})"'


def both(fill: str, stroke: str) -> str:
    """Attributes for an area with a line around it."""
    one, other = COLOURS[fill], COLOURS[stroke]
    return (
        f'fill="{one}" stroke="{other}" '
        f'style="fill:var(--seasoned-{fill},{one});stroke:var(--seasoned-{stroke},{other})"'
    )


def number(value: float) -> str:
    """A coordinate with at most one digit behind the point."""
    return f"{value:.1f}".removesuffix(".0")


def text(
    x: float,
    y: float,
    words: str,
    *,
    colour: str = "soft",
    anchor: str = "start",
    size: int = 12,
    bold: bool = False,
    rim: bool = False,
) -> str:
    """A line of text; ``words`` are escaped here. With a rim in the panel's colour, lines behind do not cut it."""
    weight = ' font-weight="600"' if bold else ""
    painted = f'{both(colour, "panel")} stroke-width="4" stroke-linejoin="round" paint-order="stroke"'
    return (
        f'<text x="{number(x)}" y="{number(y)}" text-anchor="{anchor}" font-size="{size}"{weight} '
        f"{painted if rim else paint(colour)}>{escaped(words)}</text>"
    )


def line(x1: float, y1: float, x2: float, y2: float, colour: str = "line", more: str = "") -> str:
    """A straight line."""
    where = f'x1="{number(x1)}" y1="{number(y1)}" x2="{number(x2)}" y2="{number(y2)}"'
    return f"<line {where} {paint(colour, 'stroke')}{more}/>"


def framed(width: int, height: int, title: str, told: str, body: Iterable[str]) -> str:
    """A whole drawing on its panel, with what it shows in words for those who cannot see it."""
    name = escaped(title).strip() or "drawing"
    panel = f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8" {both("panel", "line")}/>'
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img" aria-label="{name}" style="max-width:100%;height:auto" font-family="{FONT}" '
        f'font-size="12"><title>{name}</title><desc>{escaped(told)}</desc>'
    )
    return f"{head}{panel}{''.join(body)}</svg>"


def time_step(seconds: float, most: int) -> float:
    """How far ticks stand apart, in seconds, so that at most ``most`` of them cover a length of time."""
    least = max(seconds, 1e-9) / most
    if least > _TIMES[-1]:
        days = 1
        while days * 86400 < least:
            days *= 2 if str(days)[0] != "2" else 5
        return float(days * 86400)
    if least > 1:
        return float(next(step for step in _TIMES if step >= least))
    size = 1.0
    while size / 10 >= least:
        size /= 10
    return next(size * part for part in (0.1, 0.2, 0.5, 1) if size * part >= least * 0.999)


def time_ticks(seconds: float, most: int = 8) -> list[tuple[float, str]]:
    """Round times from 0 to ``seconds`` with their names, such as ``(90.0, "1:30")``."""
    step = time_step(seconds, most)
    return [(step * at, clock(step * at, step)) for at in range(int(seconds / step + 1e-9) + 1)]


def clock(seconds: float, step: float = 1) -> str:
    """A time since the beginning: ``0``, ``250 ms``, ``4.5 s``, ``1:30 min``, ``2:05 h``, ``3 d``."""
    if seconds == 0:
        return "0"
    if step >= 86400:
        return f"{seconds / 86400:g} d"
    if step >= 60 and seconds >= 3600:
        return f"{int(seconds // 3600)}:{int(seconds % 3600 // 60):02d} h"
    if seconds >= 60 and step >= 1:
        return f"{int(seconds // 60)}:{int(seconds % 60):02d} min"
    if step < 0.001:
        return f"{round(seconds * 1e6, 3):g} µs"
    return f"{round(seconds * 1e3, 3):g} ms" if step < 0.1 and seconds < 1 else f"{round(seconds, 6):g} s"


def value_ticks(top: float, most: int = 5) -> list[float]:
    """Round values from 0 up to ``top``."""
    if top <= 0:
        return [0.0]
    size = 1.0
    while size * 10 <= top:
        size *= 10
    while size > top:
        size /= 10
    step = next(size * part for part in (0.1, 0.2, 0.5, 1, 2, 5, 10) if top / (size * part) <= most)
    return [step * at for at in range(int(top / step + 1e-9) + 1)]


def many(value: float) -> str:
    """A figure in a few letters: ``950``, ``12k``, ``2.5M``."""
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e4, "k")):
        if value >= size:
            return f"{value / min(size, 1e3 if unit == 'k' else size):.3g}{unit}"
    return f"{value:g}"
