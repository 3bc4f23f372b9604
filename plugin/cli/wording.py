"""What the views of runs in the terminal share: how events are put into words, in which colours, and how much."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

from ...instrumentation.describing import described, text_of

if TYPE_CHECKING:
    from ...instrumentation.events import Event

BODY_LINES = 12
"""Lines of a text that a transcript shows, unless asked for everything."""
BODY_CHARACTERS = 2_000
"""The same in characters: some texts are one long line."""
HEAD_CHARACTERS = 300
"""Characters of the line that says what an event is, likewise."""

COLOURS = (31, 166, 34, 99, 162, 33, 100)
"""Colours for agents, of the 256 that terminals have: far apart, none of them the red of errors, and to be read on a
light and on a dark ground. So few that the usual names (agent, user, assistant, ...) get different ones."""

STYLES = {
    "error": "red",
    "gap": "red",
    "outcome": "bold",
    "injection": "magenta",
    "model_call": "cyan",
    "tool_call": "yellow",
    "tool_result": "yellow",
    "unknown": "red",
}
"""Styles of the kinds of events that have one."""


def colour_of(name: str) -> str:
    """The style of a name (an agent's, a run's): always the same for the same name."""
    return f"color({COLOURS[crc32(name.encode('utf-8', 'replace')) % len(COLOURS)]})"


def words_of(event: Event) -> tuple[str, str]:
    """An event's headline and the text under it, also where its values are not what they should be."""
    try:
        return described(event)
    except Exception:  # noqa: BLE001  whatever a stranger put there is shown, never the end of a command
        return event.agent or "", text_of(event.payload)
