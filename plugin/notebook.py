"""What a run looks like in a notebook: its transcript, its drawings, and a view to step through.

A display is stored in the notebook's file and shown by whoever opens it, on GitHub without styles or scripts. So it is
bounded, stands for itself, and says how to see what it leaves out. ``replay.load`` calls :func:`install` inside
IPython, so that turns, steps and differences show themselves as well; nobody has to switch anything on.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..instrumentation.comparing import Difference, Pair
from ..instrumentation.describing import duration, money, verdict
from ..instrumentation.moments import Moment
from ..instrumentation.spans import KINDS as SPAN_KINDS
from ..instrumentation.spans import handovers, spans
from ..instrumentation.steps import Step, Turn
from .cli.output import one_line
from .drawings import graph_svg, timeline_svg, usage_svg
from .notebook_diff import difference_html, pair_html
from .notebook_html import (
    BAD,
    CALM,
    COOL,
    GOOD,
    Out,
    chip,
    code,
    colour,
    facts,
    inline,
    page,
    remember,
    remembered,
    soft,
    words,
)
from .notebook_reading import first_turns, steps_of
from .notebook_state import moment_html
from .notebook_steps import Renderer, one_step

if TYPE_CHECKING:
    from collections.abc import Callable

    from .replay import Replay

FIRST, LAST = 150, 50
"""Turns of a long run that are shown, from its beginning and its end."""
LIMIT, TAIL = 340_000, 80_000
"""Characters of HTML in one display, and those of them that are kept for the end."""


HEADING = 300
"""Characters of a task that is a heading; a longer one is shown as a text."""


class Page:
    """HTML that a notebook shows, with a line of text for where there is none.

    Attributes:
        html: the page.
        text: the line.
    """

    def __init__(self, html: str, text: str = "") -> None:
        self.html = html
        self.text = text

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {"text/html": self.html, "text/plain": self.text}

    def __repr__(self) -> str:
        return self.text or f"<Page of {len(self.html):,} characters>"


class Drawing:
    """A picture that a notebook shows.

    Attributes:
        svg: the picture as SVG; it needs nothing else.
        text: what it is, in a line.
    """

    def __init__(self, svg: str, text: str) -> None:
        self.svg = svg
        self.text = text

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {"image/svg+xml": self.svg, "text/plain": self.text}

    def save(self, path: str | Path) -> Path:
        """Write the picture to a file and return its path."""
        target = Path(path)
        target.write_text(self.svg, encoding="utf-8")
        return target

    def __repr__(self) -> str:
        return self.text


def install() -> bool:
    """Make turns, steps, moments and differences show themselves in a running IPython; False where there is none."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    display = getattr(shell, "display_formatter", None)
    if display is None:
        return False
    for kind, render in _RENDERERS.items():
        display.formatters["text/html"].for_type(kind, render)
    return True


def show(thing: Any) -> Page:
    """A run, turn, step, moment, difference or pair of turns as something that a notebook shows.

    Raises:
        TypeError: it is none of these.
    """
    for kind, render in _RENDERERS.items():
        if isinstance(thing, kind):
            return Page(render(thing), one_line(repr(thing), 200))
    if hasattr(thing, "record") and hasattr(thing, "turns"):
        shown = bundle(thing)
        return Page(shown["text/html"], shown["text/plain"])
    raise TypeError(f"{type(thing).__name__} is nothing of a replay; give a run, turn, step, moment or difference")


# -- a run -----------------------------------------------------------------------------------------------------------


def bundle(replay: Replay) -> dict[str, Any]:
    """A run's display: its facts and transcript as HTML, and the facts as text."""
    install()
    record = replay.record
    out = Out(LIMIT)
    out.add(_heading(replay))
    renderer = Renderer(remember(record.run_id, record.agents), record.started_ns)
    count = len(replay.turns)
    head = count if count <= FIRST + LAST else FIRST
    at = 0
    for turn, steps in first_turns(replay, head):
        if out.size >= LIMIT - TAIL:
            break
        out.add(renderer.turn(turn.number, steps, f"run.turns[{at}]"))
        at += 1
    last = _tail(replay, at, count)
    if last:
        until = count - len(last)
        if until > at:
            rest = f"run.turns[{at}]" + (f" to run.turns[{until - 1}]" if until - 1 > at else "")
            note = f"{until - at:,} further turns are left out here: {rest}, or run.player()"
            out.add(f'<p style="text-align:center"><i>… {soft(note)} …</i></p>')
        out.add(*last)
    out.add(_children(replay))
    return {"text/html": page(str(out)), "text/plain": _plain(replay)}


def _tail(replay: Replay, at: int, count: int) -> list[str]:
    """The last turns that fit, from behind, so that the end of a run is always shown. Their prompts are left out:
    in a long run it takes long to put them together."""
    renderer = Renderer(remember(replay.record.run_id, replay.record.agents), replay.record.started_ns)
    found: list[str] = []
    size = 0
    for place in range(count - 1, max(at, count - LAST) - 1, -1):
        turn = replay.turns[place]
        html = renderer.turn(turn.number, steps_of(replay, turn), f"run.turns[{place}]")
        size += len(html)
        if size > TAIL and found:
            break
        found.append(html)
    return found[::-1]


def _heading(replay: Replay) -> str:
    record = replay.record
    tone = GOOD if record.success else BAD if record.success is False else COOL if record.status == "running" else CALM
    by = f" {soft('says ' + inline(record.outcome_source, 40))}" if record.outcome_source else ""
    named = remember(record.run_id, record.agents)
    who = " ".join(chip(agent, colour(agent, named)) for agent in record.agents[:20])
    more = f" and {len(record.agents) - 20} more" if len(record.agents) > 20 else ""
    errors = chip(f"{record.errors:,} failed", BAD) if record.errors else "0 failed"
    figures = [
        ("messages", f"{record.messages:,}"), ("turns", f"{record.turns:,}"),
        ("model calls", f"{record.model_calls:,}"), ("tool calls", f"{record.tool_calls:,}"), ("", errors),
    ]  # fmt: skip
    if record.input_tokens or record.output_tokens:
        figures.append(("tokens", f"{record.input_tokens:,} + {record.output_tokens:,}"))
    if record.cost_usd is not None:
        figures.append(("cost", money(record.cost_usd)))
    if record.duration_s is not None:
        figures.append(("took", duration(record.duration_s)))
    if record.lost:
        figures.append(("", chip(f"{record.lost:,} events lost", BAD)))
    facts_more = [
        (name, code(value, 80))
        for name, value in (
            ("run", record.run_id), ("domain", record.domain), ("framework", record.framework),
            ("model", record.model), ("inside run", record.parent_run_id),
        )
        if value
    ]  # fmt: skip
    task = "<i>no task known</i>"
    if record.task:
        plain = len(record.task) > HEADING or "\n" in record.task
        task = words(record.task, "run.record.task", 1_500) if plain else f"<b>{inline(record.task, HEADING)}</b>"
    return (
        f'<div style="font-size:16px;font-weight:600">{task}</div>'
        f"<p>{chip(verdict(record), tone)}{by} &nbsp; {who}{more}</p>"
        f"<p>{facts(figures)}</p><p>{facts(facts_more)}</p><hr>"
    )


def _children(replay: Replay) -> str:
    children = replay.children
    if not children:
        return ""
    items = [
        f"<li>{code(f'replay.load({child.record.run_id!r})', 120)} {inline(child.record.task or '', 120)}, "
        f"{inline(verdict(child.record), 30)}, {child.record.messages:,} messages</li>"
        for child in children[:30]
    ]
    more = f"<li>and {len(children) - 30} more: run.children</li>" if len(children) > 30 else ""
    return f"<p><b>Runs inside this one</b></p><ul>{''.join(items)}{more}</ul>"


def _plain(replay: Replay) -> str:
    record = replay.record
    counts = (
        f"{record.turns:,} turns, {record.messages:,} messages, {record.model_calls:,} model calls, "
        f"{record.tool_calls:,} tool calls, {record.errors:,} failed"
    )
    lines = (
        one_line(repr(replay), 200),
        f"task: {one_line(record.task, 160)}",
        f"outcome: {verdict(record)}",
        f"agents: {one_line(', '.join(record.agents), 160)}",
        counts,
    )
    return "\n".join(lines)


# -- drawings ----------------------------------------------------------------------------------------------------------


def timeline(replay: Replay) -> Drawing:
    """What took how long."""
    record = replay.record
    found = list(spans(replay.steps(kinds=SPAN_KINDS)))
    svg = timeline_svg(
        found,
        start_ns=record.started_ns,
        end_ns=record.finished_ns or 0,
        title="What happened when, and how long it took",
    )
    counts = Counter(span.kind for span in found)
    told = ", ".join(f"{kind} {count:,}" for kind, count in sorted(counts.items()))
    return Drawing(svg, f"<Drawing: timeline of {one_line(record.run_id, 60)}: {told or 'nothing'}>")


def graph(replay: Replay) -> Drawing:
    """Who handed over to whom."""
    found = handovers(replay.steps(kinds=("transition",))) or handovers(replay.steps(kinds=("message",)))
    svg = graph_svg(found, title="Who handed over to whom, and how often")
    told = ", ".join(
        f"{one_line(a, 30) or '?'} → {one_line(b, 30) or '?'} {count}" for (a, b), count in found.most_common(12)
    )
    return Drawing(svg, f"<Drawing: handovers of {one_line(replay.record.run_id, 60)}: {told or 'none'}>")


def usage(replay: Replay) -> Drawing:
    """Tokens and cost as they added up."""
    points: list[tuple[int, int, float]] = []
    for step in replay.steps(kinds=("model_call",)):
        used = step.payload.get("usage")
        tokens = [used.get(key) for key in ("input_tokens", "output_tokens")] if isinstance(used, dict) else []
        cost = step.payload.get("cost_usd")
        total = sum(value for value in tokens if isinstance(value, int))
        points.append((step.at_ns, total, float(cost) if isinstance(cost, (int, float)) else 0.0))
    told = f"{len(points):,} model calls, {sum(point[1] for point in points):,} tokens"
    svg = usage_svg(points, title="Tokens and cost, added up")
    return Drawing(svg, f"<Drawing: use of {one_line(replay.record.run_id, 60)}: {told}>")


def player(replay: Replay) -> Any:
    """A view with a slider, buttons and keys to step through a run; where widgets are missing, folded steps."""
    from . import notebook_player

    install()
    return notebook_player.player(replay)


# -- turns and steps ---------------------------------------------------------------------------------------------------


def _show_turn(turn: Turn) -> str:
    steps = turn.with_prompts
    run_id = steps[0].event.run_id if steps else ""
    known = remembered(run_id, [step.agent for step in steps if step.agent])
    return page(Renderer(known).turn(turn.number, steps, "turn"))


def _show_step(step: Step) -> str:
    return page(one_step(step))


def _show_difference(difference: Difference) -> str:
    return page(difference_html(difference))


def _show_pair(pair: Pair) -> str:
    return page(pair_html(pair))


def _show_moment(moment: Moment) -> str:
    return page(moment_html(moment))


_RENDERERS: dict[type, Callable[[Any], str]] = {
    Turn: _show_turn,
    Step: _show_step,
    Moment: _show_moment,
    Difference: _show_difference,
    Pair: _show_pair,
}
"""What shows itself besides a run, and how."""
