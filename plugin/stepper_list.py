"""The list of turns in the step-through: only the lines in view exist, so a run may have any number of turns."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.text import Text
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from .cli.wording import colour_of
from .stepper_texts import BAD

if TYPE_CHECKING:
    from textual import events

    from .stepper_source import Source

AT_ONCE = 8
"""Labels that are read before those which are ready are shown."""


class TurnList(ScrollView, can_focus=True):
    """The turns, one line each; the labels of those in view are read in the background."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"turns--selected"}
    DEFAULT_CSS = """
    TurnList { background: $surface; scrollbar-size-vertical: 1; overflow-x: hidden; overflow-y: scroll; }
    TurnList > .turns--selected { background: $primary; color: $text; text-style: bold; }
    """

    class Chosen(Message):
        """A turn was clicked."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, source: Source) -> None:
        super().__init__()
        self.source = source
        self.selected = 0
        self._wanted: set[int] = set()
        self._reading = False

    def on_mount(self) -> None:
        """Know how long the list is."""
        self.take(self.source, self.selected)

    def take(self, source: Source, selected: int) -> None:
        """Show another state of the run."""
        self.source = source
        self.virtual_size = Size(self.size.width, len(source))
        self.select(selected)

    def select(self, index: int) -> None:
        """Select a turn and bring it into view."""
        self.selected = index
        top, height = self.scroll_offset.y, max(1, self.size.height)
        if index < top:
            self.scroll_to(y=index, animate=False)
        elif index >= top + height:
            self.scroll_to(y=index - height + 1, animate=False)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """A turn in a line."""
        index = self.scroll_offset.y + y
        width = self.scrollable_content_region.width
        ground = self.rich_style
        if index >= len(self.source):
            return Strip.blank(width, ground)
        chosen = index == self.selected
        label = self.source.known(index)
        if label is None:
            self._want(index)
            text = Text(f"{self.source.turns[index].number:>6}  …")
        else:
            mark = "✗" if label.failed else " "
            text = Text(f"{label.number:>6} ").append(mark, "" if chosen else f"bold {BAD}").append(" ")
            text.append(label.agent, "bold" if chosen else colour_of(label.agent)).append("  ")
            text.append(label.words, "" if chosen else "dim")
        text.truncate(width, overflow="ellipsis", pad=True)
        style = self.get_component_rich_style("turns--selected") if chosen else ground
        segments = [
            Segment(part.text, style + part.style if part.style else style)
            for part in text.render(self.app.console)
            if part.text.strip("\n")
        ]
        return Strip(segments).adjust_cell_length(width, style)

    def _want(self, index: int) -> None:
        self._wanted.add(index)
        if not self._reading:
            self._reading = True
            self.run_worker(self._read(), group="labels", exit_on_error=True)

    async def _read(self) -> None:
        """Read the labels that are wanted and still in view, as long as there are any."""
        try:
            while self._wanted:
                top = self.scroll_offset.y
                near = sorted(at for at in self._wanted if top <= at < top + self.size.height)[:AT_ONCE]
                if not near:
                    self._wanted.clear()
                    break
                self._wanted.difference_update(near)
                source = self.source
                await asyncio.to_thread(lambda: [source.label(at) for at in near])  # noqa: B023  awaited here
                self.refresh()
        finally:
            self._reading = False

    def on_click(self, event: events.Click) -> None:
        """Select the turn under the mouse."""
        index = self.scroll_offset.y + event.y
        if index < len(self.source):
            self.post_message(self.Chosen(index))
