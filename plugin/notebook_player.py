"""A view to step through a run: a slider, buttons, play, and the arrow keys.

What is shown is the turn under the slider and the state at its end. It needs a kernel to read the next turn, so a
stored notebook holds beside it the same as folded steps, which GitHub and converted notebooks show instead.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ..instrumentation.describing import text_of
from .drawing_parts import escaped
from .notebook_html import Out, chip, colour, folded, inline, page, remember, soft
from .notebook_reading import first_turns, steps_of
from .notebook_state import moment_html
from .notebook_steps import Renderer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..instrumentation.steps import Step
    from .replay import Replay

STEPS = 60
"""Turns of the static view, from the beginning."""
LIMIT = 300_000
"""Characters of its HTML."""
STATE = 20_000
"""Events of a run up to which the state is worked out as the slider moves; of a longer one only the turn is shown,
because the state needs one pass over all events before it."""
PAUSE_MS = 900
"""Between two turns while it plays."""


class Player:
    """What :meth:`.replay.Replay.player` gives.

    Attributes:
        widget: the widgets, or None where there are none or no kernel is running.
        slider: the slider over the turns, likewise; its ``value`` is the turn's place in ``run.turns``.
    """

    def __init__(self, replay: Replay) -> None:
        self._replay = replay
        self._known = remember(replay.record.run_id, replay.record.agents)
        self.widget: Any = None
        self.slider: Any = None
        self._view: Any = None
        self._static: str | None = None
        self._long = sum(count for *_, count in replay.turns.counts()) > STATE
        if len(replay.turns) and _kernel():
            try:
                self._build()
            except ImportError:  # no widgets: folded steps do
                self.widget = None

    def _build(self) -> None:
        import ipywidgets

        last = len(self._replay.turns) - 1
        wide = ipywidgets.Layout(width="100%", max_width="1000px")
        self.slider = ipywidgets.IntSlider(
            0, 0, last, description="turn", continuous_update=False, layout=ipywidgets.Layout(flex="1 1 240px")
        )
        play = ipywidgets.Play(value=0, min=0, max=last, interval=PAUSE_MS, show_repeat=False)
        ipywidgets.link((play, "value"), (self.slider, "value"))
        back = ipywidgets.Button(icon="step-backward", tooltip="one turn back", layout=ipywidgets.Layout(width="42px"))
        on = ipywidgets.Button(icon="step-forward", tooltip="one turn on", layout=ipywidgets.Layout(width="42px"))
        back.on_click(lambda _: self._move(-1))
        on.on_click(lambda _: self._move(1))
        self._view = ipywidgets.HTML(self.state(0), layout=wide)
        hint = ipywidgets.HTML("<small>Click on the slider; then the arrow keys step, Home and End jump.</small>")
        self.slider.observe(self._changed, "value")
        bar = ipywidgets.HBox([back, play, on, self.slider], layout=wide)
        self.widget = ipywidgets.VBox([bar, hint, self._view])

    def _move(self, by: int) -> None:
        self.slider.value = max(0, min(self.slider.max, self.slider.value + by))

    def _changed(self, change: Any) -> None:
        self._view.value = self.state(change["new"])

    def state(self, at: int) -> str:
        """The turn at this place of ``run.turns``, and the state at its end, as HTML."""
        replay = self._replay
        turn = replay.turns[at]
        renderer = Renderer(self._known, replay.record.started_ns)
        if self._long:
            shown = renderer.turn(turn.number, steps_of(replay, turn), f"run.turns[{at}]")
            note = f"the state here, in one pass over the run: run.at(run.turns[{at}].steps[-1])"
            return page(f"{self._place(at)}{self._neighbours(at)}{shown}<p>{soft(f'<i>{note}</i>')}</p>")
        steps = turn.with_prompts
        shown = renderer.turn(turn.number, steps, f"run.turns[{at}]")
        state = moment_html(replay.at(steps[-1])) if steps else ""
        return page(f"{self._place(at)}{shown}<hr>{state}")

    def _place(self, at: int) -> str:
        return f"<p>{soft(f'turn {at + 1:,} of {len(self._replay.turns):,}: run.turns[{at}]')}</p>"

    def _neighbours(self, at: int) -> str:
        """What was said just before, for a turn whose state is not worked out."""
        before = self._replay.turns[max(0, at - 4) : at]
        rows = [f"<div>{self._brief(turn.number, steps_of(self._replay, turn), 200)}</div>" for turn in before]
        return folded("just before", "".join(rows), opened=True) if rows else ""

    def _brief(self, number: int, steps: Sequence[Step], limit: int) -> str:
        """A turn in a line: who, and what was said or done."""
        agent = next((step.agent for step in steps if step.kind == "message" and step.agent), None)
        agent = agent or next((step.agent for step in steps if step.agent), f"turn {number}")
        said = next((step.text for step in steps if step.kind == "message" and step.text), "")
        done = next((step.title for step in steps if step.kind in ("tool_call", "code_execution")), "")
        return f"{chip(agent, colour(agent, self._known))} {inline(done or said or '(no text)', limit)}"

    @property
    def html(self) -> str:
        """The same without widgets: a folded part for each turn."""
        if self._static is None:
            self._static = self._folded()
        return self._static

    def _folded(self) -> str:
        replay = self._replay
        out, renderer = Out(LIMIT), Renderer(self._known, replay.record.started_ns)
        count = len(replay.turns)
        out.add(f"<p><b>{count:,} turns</b>, step by step. {soft('With a running kernel this is a slider.')}</p>")
        shown = 0
        for turn, steps in first_turns(replay, min(count, STEPS)):
            if out.full:
                break
            head = f"{shown} {self._brief(turn.number, steps, 100)}"
            body = renderer.turn(turn.number, steps, f"run.turns[{shown}]")
            out.add(folded(head, body, opened=shown == 0))
            shown += 1
        if shown < count:
            out.add(f"<p><i>and {count - shown:,} further turns: run.turns[{shown}] and on</i></p>")
        return page(str(out))

    def _repr_mimebundle_(self, **given: Any) -> dict[str, Any]:
        found: dict[str, Any] = {"text/html": self.html, "text/plain": repr(self)}
        if self.widget is not None:
            shown = self.widget._repr_mimebundle_(**given)
            found.update({key: value for key, value in (shown or {}).items() if key.startswith("application/")})
        return found

    def __repr__(self) -> str:
        run_id = escaped(text_of(self._replay.record.run_id))
        return f"<Player of {run_id}: {len(self._replay.turns):,} turns>"


def _kernel() -> bool:
    """Whether somebody is there to answer a slider."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


def player(replay: Replay) -> Player:
    """A view to step through a run."""
    return Player(replay)
