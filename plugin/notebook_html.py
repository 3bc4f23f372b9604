"""Pieces of HTML for notebooks: safe, bounded, and without style sheets.

GitHub and some viewers of notebooks take away style sheets and scripts, some of them styles altogether. So colours
are written at each element, what matters is also said in words, and the structure (tables, folded parts, preformatted
text) stands without any style. Colours of letters are left to the page, which may be light or dark; where a part has
a colour of its own, it is white on something dark, or a faint tint over whatever is below it.

Everything that was said by users, models and tools goes through :func:`words` or :func:`plain`: it is cut, escaped,
and freed of what could act or turn the direction of writing.
"""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

from .drawing_parts import escaped, short

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PALETTE = (
    "#1f5f99", "#9a4d00", "#0b6b64", "#7a3b8f", "#a8265f", "#3b6e1a", "#4b4fb3", "#73610a", "#0a6a85", "#5f4636",
)  # fmt: skip
"""Colours of speakers; white letters on them have a contrast of at least 4.5:1."""
SALT = 417
"""Chosen so that names that often stand in one run get different colours."""
GOOD, BAD, CALM, COOL, MARK = "#1c7a4a", "#b3261e", "#52606d", "#1f5f99", "#8a5a00"
TINT = "rgba(128,128,128,.10)"
BAD_TINT, MARK_TINT, GOOD_TINT = "rgba(179,38,30,.10)", "rgba(196,138,10,.16)", "rgba(28,122,74,.14)"

FONT = "font-family:system-ui,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;font-size:14px;line-height:1.5"
MONO = "font-family:ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;font-size:12.5px;line-height:1.45"
LINE = "1px solid rgba(128,128,128,.35)"

LONG = 4_000
"""Characters of a text that are shown."""


class Out:
    """HTML that grows, and knows when it is too much.

    Args:
        limit: how many characters it may have, about.
    """

    def __init__(self, limit: int) -> None:
        self._parts: list[str] = []
        self.size = 0
        self.limit = limit

    def add(self, *parts: str) -> None:
        """Append HTML."""
        self._parts.extend(parts)
        self.size += sum(map(len, parts))

    @property
    def full(self) -> bool:
        """Whether nothing more should be added."""
        return self.size >= self.limit

    def __str__(self) -> str:
        return "".join(self._parts)


def colours(agents: Iterable[str]) -> dict[str, str]:
    """A colour for each agent, by its name, so that it has the same one in all runs; where two of one run would have
    the same, the later one gets the next that is free."""
    found: dict[str, str] = {}
    taken: set[int] = set()
    for agent in agents:
        at = wanted = zlib.crc32(f"{SALT}{agent}".encode(errors="replace")) % len(PALETTE)
        while at in taken and len(taken) < len(PALETTE):
            at = (at + 1) % len(PALETTE)
        taken.add(at)
        found[agent] = PALETTE[at if len(found) < len(PALETTE) else wanted]
    return found


def remember(run_id: str, agents: Sequence[str]) -> dict[str, str]:
    """The colours of a run's agents; what is shown of the run later, such as a turn, has the same ones."""
    if len(_remembered) >= REMEMBERED:
        _remembered.clear()
    return _remembered.setdefault(run_id, colours(agents))


def remembered(run_id: str, agents: Iterable[str]) -> dict[str, str]:
    """The colours of a run that was shown, and otherwise of these agents."""
    return _remembered.get(run_id) or colours(agents)


REMEMBERED = 500
"""Runs whose colours are remembered."""
_remembered: dict[str, dict[str, str]] = {}


def colour(agent: str, known: dict[str, str]) -> str:
    """An agent's colour; of one that is not known yet, by its name alone."""
    if agent not in known:
        known.update(colours([agent]))
    return known[agent]


def chip(text: str, background: str) -> str:
    """A short word on a colour."""
    style = f"background:{background};color:#fff;border-radius:4px;padding:1px 7px;font-weight:600;font-size:12.5px"
    return f'<b style="{style}"><bdi>{escaped(short(text, 60))}</bdi></b>'


def soft(html: str) -> str:
    """HTML that stands back."""
    return f'<small style="opacity:.8">{html}</small>'


def cut(text: str, limit: int, rest: str) -> tuple[str, str]:
    """``text`` within ``limit`` characters, and a note about the rest of it, or ""."""
    if len(text) <= limit:
        return text, ""
    where = f", all of it: {rest}" if rest else ""
    return text[:limit], f"… and {len(text) - limit:,} more characters{where}"


def words(text: str, rest: str = "", limit: int = LONG) -> str:
    """A text that is read: lines kept, the rest wrapped."""
    kept, note = cut(text, limit, rest)
    body = escaped(kept).replace("\n", "<br>")
    more = f"<br>{soft(f'<i>{escaped(note)}</i>')}" if note else ""
    return f'<div dir="auto" style="overflow-wrap:anywhere">{body}{more}</div>'


def plain(text: str, rest: str = "", limit: int = LONG, tint: str = TINT) -> str:
    """A text that programs wrote: in letters of one width."""
    kept, note = cut(text, limit, rest)
    more = f"\n{escaped(note)}" if note else ""
    style = f"{MONO};white-space:pre-wrap;overflow-wrap:anywhere;margin:4px 0;padding:8px 10px;border-radius:6px"
    return f'<pre dir="auto" style="{style};background:{tint};color:inherit;border:0">{escaped(kept)}{more}</pre>'


def inline(text: str, limit: int = 90) -> str:
    """A short text inside a line."""
    return f"<bdi>{escaped(short(text, limit))}</bdi>"


def code(text: str, limit: int = 90) -> str:
    """A name inside a line."""
    style = f"{MONO};background:rgba(128,128,128,.14);color:inherit;border-radius:3px;padding:0 4px"
    return f'<code style="{style}"><bdi>{escaped(short(text, limit))}</bdi></code>'


def folded(summary: str, body: str, *, opened: bool = False) -> str:
    """A part that opens with a click; ``summary`` and ``body`` are HTML."""
    state = " open" if opened else ""
    return (
        f'<details{state} style="margin:3px 0"><summary style="cursor:pointer;font-size:13px">{summary}</summary>'
        f'<div style="padding:2px 0 4px 14px">{body}</div></details>'
    )


def barred(body: str, bar: str, tint: str = "") -> str:
    """A block with a bar at its left; set off as a quotation where styles are taken away."""
    back = f"background:{tint}" if tint else "background:none"
    style = f"border:0;border-left:4px solid {bar};padding:3px 0 3px 12px;margin:9px 0;color:inherit;{back}"
    return f'<blockquote style="{style}">{body}</blockquote>'


def page(body: str) -> str:
    """The frame around everything of one display."""
    return f'<div style="{FONT};text-align:left;max-width:1000px">{body}</div>'


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    """Names and values (HTML) in one line."""
    return " &nbsp;·&nbsp; ".join(f"{soft(escaped(name))} {value}" if name else value for name, value in pairs)


def pretty(value: Any) -> str:
    """A value as text that a person reads: JSON over several lines."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, indent=2, default=str)
    except (TypeError, ValueError, RecursionError):
        return repr(value)
