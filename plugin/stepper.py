"""``seasoned replay RUN``: a recorded run in the whole terminal, turn by turn and step by step.

Needs Textual (the extra ``tui``). Whatever takes time is read in the background, so keys always answer; whatever comes
from the record is plain text (:mod:`.stepper_texts`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, Static

from ..instrumentation.errors import SeasonedError
from . import stepper_texts as texts
from .cli import output
from .stepper_list import TurnList

if TYPE_CHECKING:
    from ..instrumentation.steps import Step
    from .stepper_source import Source

SHOWN = 60
"""Steps of a turn that are on the screen at a time, the selected one among them."""


class Ask(ModalScreen[str]):
    """Asks for a line of text; an empty one is no answer."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Leave")]
    DEFAULT_CSS = """
    Ask { align: center middle; background: $background 60%; }
    Ask > Vertical { width: 60; height: auto; border: round $primary; background: $surface; padding: 0 1; }
    """

    def __init__(self, question: str, value: str = "") -> None:
        super().__init__()
        self.question = question
        self.value = value

    def compose(self) -> ComposeResult:
        """The question and the line."""
        with Vertical():
            yield Static(self.question, markup=False)
            yield Input(self.value, select_on_focus=True)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Answer."""
        self.dismiss(event.value.strip())

    def action_leave(self) -> None:
        """Answer nothing."""
        self.dismiss("")


class Help(ModalScreen[None]):
    """The keys; any of them ends it."""

    DEFAULT_CSS = """
    Help { align: center middle; background: $background 60%; }
    Help > Static { width: auto; height: auto; border: round $primary; background: $surface; padding: 1 2; }
    """

    def compose(self) -> ComposeResult:
        """The keys."""
        yield Static(texts.help_text())

    def on_key(self) -> None:
        """End it."""
        self.dismiss(None)

    def on_click(self) -> None:
        """End it."""
        self.dismiss(None)


class Stepper(App[None]):
    """The step-through of a run.

    Attributes:
        source: the run.
        index: which turn is selected (its place in the run, from 0).
        step: which step of it.
        view: ``steps``, ``prompt`` or ``tools``.
        full: whether long texts are shown in full.
    """

    ENABLE_COMMAND_PALETTE = False
    TITLE = "seasoned replay"
    CSS = """
    #head { height: auto; max-height: 6; padding: 0 1; background: $panel; text-wrap: nowrap; text-overflow: ellipsis; }
    #turns { width: 38%; max-width: 64; min-width: 24; border-right: solid $primary; }
    #text { padding: 0 1; }
    .step { height: auto; padding: 0 1; margin-bottom: 1; border-left: outer transparent; }
    .step.selected { border-left: outer $primary; background: $boost; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "turn(1)", "Turn", key_display="j/k", priority=True),
        Binding("k,up", "turn(-1)", "Previous turn", show=False, priority=True),
        Binding("n,right", "step(1)", "Step", key_display="n/b", priority=True),
        Binding("b,left", "step(-1)", "Previous step", show=False, priority=True),
        Binding("home", "edge(0)", "First turn", show=False, priority=True),
        Binding("end", "edge(-1)", "Last turn", show=False, priority=True),
        Binding("pagedown,space", "scroll(1)", "Scroll", show=False, priority=True),
        Binding("pageup", "scroll(-1)", "Scroll back", show=False, priority=True),
        Binding("p,tab", "view('prompt')", "Prompt", key_display="p", priority=True),
        Binding("t", "view('tools')", "Tools"),
        Binding("slash", "search", "Search", key_display="/"),
        Binding("g", "go", "Go to"),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("q", "quit", "Quit"),
        Binding("r", "refresh_run", "Refresh"),  # whatever is from here on has no room in 80 columns
        Binding("f", "full", "Full"),
        Binding("d", "ground", "Light/dark"),
    ]

    def __init__(self, source: Source, *, light: bool = False) -> None:
        super().__init__()
        self.source = source
        self.index = 0
        self.step = 0
        self.view = "steps"
        self.full = False
        self.found = ""
        self.steps: list[Step] = []
        self._drawn: list[Text] = [Text()] * SHOWN
        self._light = light

    def compose(self) -> ComposeResult:
        """Heading, turns, text, keys."""
        yield Static(id="head")
        with Horizontal():
            turns = TurnList(self.source)
            turns.id = "turns"
            yield turns
            with VerticalScroll(id="text", can_focus=False):
                for _ in range(SHOWN):
                    shown = Static(classes="step")
                    shown.display = False
                    yield shown
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Begin with the first turn."""
        self.theme = "textual-light" if self._light else "textual-dark"
        self.query_one(TurnList).focus()
        self.select(0)
        self.run_worker(self._count(), group="count", exclusive=True)

    async def _count(self) -> None:
        source = self.source
        await asyncio.to_thread(source.count)
        self._head()
        if self.view == "tools":
            self._redraw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys of the app mean themselves while something is asked."""
        del parameters
        if isinstance(self.screen, ModalScreen):
            return action == "quit" and not isinstance(self.screen, Ask)
        return True

    # -- showing ---------------------------------------------------------------------------------------------

    def select(self, index: int, step: int = 0) -> None:
        """Go to a turn and a step of it."""
        self.index = max(0, min(index, len(self.source) - 1))
        self.query_one(TurnList).select(self.index)
        self._head()
        self.run_worker(self._show(step), group="turn", exclusive=True)

    def _head(self) -> None:
        self.query_one("#head", Static).update(texts.header(self.source, self.index))

    async def _show(self, step: int) -> None:
        """Read the selected turn and show it."""
        await asyncio.sleep(0)  # a key that is held down goes on to the next turn first
        if not len(self.source):
            self.steps = []
            self._draw([Text("Nothing was recorded yet; r looks again.", "dim")], -1)
            return
        source, index, view = self.source, self.index, self.view
        try:
            if view == "prompt" and not self.steps:
                self._draw([Text("Reading the prompt …", "dim")], -1)
            self.steps = await asyncio.to_thread(source.steps, index)
            self.step = max(0, min(step, len(self.steps) - 1))
            if view == "prompt":
                await self._show_prompt(source, index)
            else:
                self._redraw()
        except SeasonedError as error:
            self._draw([Text(output.error_line(error), texts.BAD)], -1)

    async def _show_prompt(self, source: Source, index: int) -> None:
        asked = [at for at, step in enumerate(self.steps) if step.kind == "model_call"]
        at = next((at for at in reversed(asked) if at <= self.step), asked[0] if asked else None)
        if at is None:
            self._draw([texts.prompt_text(None, full=self.full)], -1)
            return
        self._draw([Text("Reading the prompt …", "dim")], -1)
        found = await asyncio.to_thread(lambda: source.steps(index, prompts=True))
        self._draw([texts.prompt_text(found[at], full=self.full, found=self.found)], -1)

    def _redraw(self) -> None:
        """Show the steps of the turn, or the tools."""
        if self.view == "tools":
            self._draw([texts.tools_text(self.source, self.index, self.steps[: texts.LINES_SELECTED])], -1)
            return
        first = max(0, min(self.step - SHOWN // 3, len(self.steps) - SHOWN))
        window = self.steps[first : first + SHOWN]
        shown = [
            texts.step_text(step, selected=at == self.step, full=self.full and at == self.step, found=self.found)
            for at, step in enumerate(window, first)
        ]
        self._draw(shown, self.step - first)

    def _draw(self, shown: list[Text], selected: int) -> None:
        place = self.query_one("#text", VerticalScroll)
        for at, widget in enumerate(place.query(Static)):  # there are as many as are ever shown
            widget.display = at < len(shown)
            widget.set_class(at == selected, "selected")
            if at < len(shown) and self._drawn[at] != shown[at]:  # what is drawn already need not be laid out again
                self._drawn[at] = shown[at]
                widget.update(shown[at])
        if selected > 0:
            chosen = list(place.query(Static))[selected]
            self.call_after_refresh(lambda: place.scroll_to_widget(chosen, animate=False, top=chosen.size.height > 8))
        else:
            place.scroll_home(animate=False)

    # -- keys ------------------------------------------------------------------------------------------------

    def action_turn(self, by: int) -> None:
        """To the next or previous turn."""
        if 0 <= self.index + by < len(self.source):
            self.select(self.index + by)

    def action_edge(self, index: int) -> None:
        """To the first or last turn."""
        self.select(index if index >= 0 else len(self.source) - 1)

    def action_step(self, by: int) -> None:
        """To the next or previous step, over the end of a turn as well."""
        if 0 <= self.step + by < len(self.steps):
            self.step += by
            self.run_worker(self._show(self.step), group="turn", exclusive=True)
        elif 0 <= self.index + by < len(self.source):
            self.select(self.index + by, 0 if by > 0 else 1_000_000)

    def action_scroll(self, by: int) -> None:
        """Scroll the text by what is in view."""
        place = self.query_one("#text", VerticalScroll)
        place.scroll_relative(y=by * max(1, place.size.height - 2), animate=False)

    def action_view(self, name: str) -> None:
        """Show the prompt or the tools, or the steps again."""
        self.view = "steps" if self.view == name else name
        self.run_worker(self._show(self.step), group="turn", exclusive=True)

    def action_full(self) -> None:
        """Long texts in full, or cut."""
        self.full = not self.full
        self.run_worker(self._show(self.step), group="turn", exclusive=True)

    def action_ground(self) -> None:
        """Light or dark."""
        self.theme = "textual-dark" if self.theme == "textual-light" else "textual-light"

    def action_help(self) -> None:
        """The keys."""
        self.push_screen(Help())

    def action_go(self) -> None:
        """Ask for a turn's number and go there."""

        def answered(value: str | None) -> None:
            if not value:
                return
            numbers = [number for number, _, _, _ in self.source.turns.counts()]
            try:
                self.select(numbers.index(int(value)))
            except ValueError:
                last = max(numbers, default=0)
                self.notify(f"There is no turn {output.one_line(value, 40)}; turns are 0 to {last}", markup=False)

        self.push_screen(Ask("Go to turn"), answered)

    def action_search(self) -> None:
        """Ask for words and go to the next step in which they occur."""

        def answered(value: str | None) -> None:
            if value:
                self.found = value
                self.notify(f"Searching {output.one_line(value, 60)!r} …", markup=False, timeout=1)
                self.run_worker(self._search(value), group="search", exclusive=True)

        self.push_screen(Ask("Search for", self.found), answered)

    async def _search(self, words: str) -> None:
        source, index, step = self.source, self.index, self.step
        try:
            place = await asyncio.to_thread(source.search, words, index, step)
        except SeasonedError as error:
            self.notify(output.error_line(error), markup=False, severity="error")
            return
        if place is None:
            self.notify(f"{output.one_line(words, 60)!r} does not occur in this run", markup=False, severity="warning")
            return
        self.view = "steps"
        self.select(*place)

    def action_refresh_run(self) -> None:
        """Read again what was recorded since."""
        self.run_worker(self._refresh_run(), group="refresh", exclusive=True)

    async def _refresh_run(self) -> None:
        before = len(self.source)
        try:
            self.source = await asyncio.to_thread(self.source.refreshed)
        except SeasonedError as error:
            self.notify(output.error_line(error), markup=False, severity="error")
            return
        self.query_one(TurnList).take(self.source, self.index)
        self.select(self.index, self.step)
        more = len(self.source) - before
        self.notify(f"{more} more turn{'s' * (more != 1)}" if more else "No more turns", timeout=2)
        self.run_worker(self._count(), group="count", exclusive=True)

    def on_turn_list_chosen(self, event: TurnList.Chosen) -> None:
        """A turn was clicked."""
        self.select(event.index)


def run(source: Source, **options: Any) -> None:
    """Show a run until somebody quits."""
    Stepper(source, **options).run()
