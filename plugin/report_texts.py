"""How a report shows what was said: long texts cut and folded, JSON laid out, times and figures in short words."""

from __future__ import annotations

import json
import shlex
from datetime import datetime, timezone
from typing import Any

from ..instrumentation.describing import text_of
from .cli.output import clean
from .report_nodes import Node, h

OPEN = 1_500
"""Characters of a text that are open to view; the rest is folded."""
LAID_OUT = 200_000
"""Characters up to which JSON is laid out for reading."""


def said(text: str, most: int, way: str, *, code: bool = False) -> list[Node]:
    """A text: its beginning open, the rest folded, and what is beyond ``most`` characters cut.

    Args:
        text: as recorded.
        most: characters that are kept.
        way: the command that shows the whole.
        code: to be shown in letters of one width.
    """
    kept = text[:most]
    cut = len(text) - len(kept)
    tag = "pre" if code else "div"
    shown = [kept] if len(kept) <= OPEN * 1.3 else [kept[:OPEN], kept[OPEN:]]
    out = [h(tag, shown[0], class_="text", dir="auto")]
    if len(shown) > 1:
        rest = h("summary", f"show {count(len(shown[1]))} more characters")
        out.append(h("details", rest, h(tag, shown[1], class_="text", dir="auto"), class_="rest"))
    if cut:
        note = h("p", f"{count(cut)} characters are left out here. The whole text: ", h("code", way), class_="cut")
        out.append(note)
    return out


def laid_out(value: Any) -> str:
    """A value for reading: JSON with a line for each of its parts, also where it is the text of some JSON."""
    if isinstance(value, str):
        if not (2 < len(value) <= LAID_OUT and value[0] in "{[" and value.rstrip()[-1:] in "}]"):
            return value
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return value
    if value is None:
        return ""
    try:
        return json.dumps(value, ensure_ascii=False, indent=2, default=str)
    except (ValueError, RecursionError):
        return text_of(str(value))


def count(value: int) -> str:
    """A number with its thousands apart."""
    return f"{value:,}".replace(",", "\u202f")


def counted(value: int, word: str, many: str | None = None) -> str:
    """A number of things: ``1 turn``, ``2 turns``."""
    return f"{count(value)} {word if value == 1 else many or word + 's'}"


def typed(run_id: str) -> str:
    """An id as it is typed in a command: the ids of imported runs may hold anything, and whoever copies a command from
    a report must not run what stands in one."""
    return shlex.quote(clean(run_id))


def moment(nanoseconds: int) -> datetime | None:
    """A time in UTC; None for what no calendar has."""
    try:
        whole, rest = divmod(int(nanoseconds), 10**9)
        return datetime.fromtimestamp(whole, timezone.utc).replace(microsecond=rest // 1000)
    except (ValueError, OverflowError, OSError):
        return None


def when(nanoseconds: int) -> Node | str:
    """A time as the page writes it and as programs read it."""
    at = moment(nanoseconds)
    if at is None:
        return f"{nanoseconds} ns"
    return h("time", f"{at:%Y-%m-%d %H:%M:%S} UTC", datetime=f"{at:%Y-%m-%dT%H:%M:%SZ}")


def since(nanoseconds: int) -> str:
    """A time since the beginning of a run: ``+4.2 s``, ``+1:05``, ``+2:00:09``."""
    seconds = max(0.0, nanoseconds / 1e9)
    if seconds < 60:
        return f"+{seconds:.1f} s" if seconds >= 1 else f"+{seconds * 1000:.0f} ms"
    minutes, left = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"+{hours}:{minutes:02d}:{left:02d}" if hours else f"+{minutes}:{left:02d}"
