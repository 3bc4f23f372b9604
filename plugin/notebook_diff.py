"""Two runs side by side as HTML for notebooks.

Turns that are the same are folded; of those that differ, both stand beside each other, and below them what differs,
value by value, as lines with ``-`` and ``+`` (so that nothing rests on colour). Where the runs part is said.
"""

from __future__ import annotations

import difflib
import itertools
from typing import TYPE_CHECKING

from ..instrumentation.describing import text_of
from .drawing_parts import escaped, short
from .notebook_html import (
    BAD,
    BAD_TINT,
    CALM,
    GOOD,
    GOOD_TINT,
    LINE,
    MARK,
    MONO,
    Out,
    barred,
    chip,
    code,
    colour,
    folded,
    inline,
    pretty,
    remembered,
    soft,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..instrumentation.comparing import Change, Difference, Pair
    from ..instrumentation.steps import Turn

LIMIT = 360_000
"""Characters of HTML."""
PAIRS = 200
"""Pairs of turns that differ, or lie alone, that are shown."""
LINES = 24
"""Lines of one value's difference."""
LONG_LINE = 400
"""Characters of such a line."""
STEPS = 40
"""Steps of a turn beside the other."""
CHANGES = 12
"""Changes of a pair that are shown; of prompts, fewer."""
PROMPT_CHANGES = 4


def difference_html(difference: Difference, *, names: tuple[str, str] = ("left", "right")) -> str:
    """What differs between two runs.

    Args:
        difference: from ``run.diff(other)``.
        names: what the runs are called above the columns.
    """
    pairs = difference.pairs
    if difference.identical:
        return f"<p>{chip('no difference', GOOD)} All {len(pairs):,} turns are the same.</p>"
    run_id = next((step.event.run_id for pair in pairs if pair.left for step in pair.left.steps), "")
    known = remembered(run_id, dict.fromkeys(_agents(pairs[:PAIRS])))
    same = sum(pair.same for pair in pairs)
    out = Out(LIMIT)
    out.add(f"<p><b>{same:,} of {len(pairs):,} turns are the same.</b> Left and right are the two runs.</p>")
    out.add(_outcome(difference.outcome[:CHANGES]))
    parting, shown = difference.parting, 0
    for is_same, grouped in itertools.groupby(pairs, key=lambda pair: pair.same):
        group = list(grouped)
        if is_same:
            out.add(_folded_pairs(group, known))
            continue
        for pair in group:
            if out.full or shown >= PAIRS:
                left = sum(not other.same for other in pairs) - shown
                out.add(f"<p><i>{left:,} further pairs of turns are left out here: diff.pairs</i></p>")
                return str(out)
            shown += 1
            if pair is parting:
                out.add(f"<p>{chip('here they part', MARK)}</p>")
            out.add(pair_html(pair, known, names))
    return str(out)


def _outcome(changes: Sequence[Change]) -> str:
    """How the two ended, value by value, in a line each."""
    tones = {True: ("success", GOOD), False: ("failure", BAD), None: ("unknown", CALM)}
    rows: list[str] = []
    for change in changes:
        sides = (change.left, change.right)
        if change.key == "success":
            shown = [chip(*tones.get(side, tones[None])) if side in (True, False, None) else "?" for side in sides]
            rows.append(f"<p>left {shown[0]} &nbsp; right {shown[1]}</p>")
        else:
            shown = [inline(pretty(side) or "nothing", 120) for side in sides]
            rows.append(f"<div>{soft(escaped(change.key))} left {shown[0]}, right {shown[1]}</div>")
    return "".join(rows)


def _agents(pairs: Iterable[Pair]) -> Iterable[str]:
    return (turn.agent for pair in pairs for turn in (pair.left, pair.right) if turn is not None and turn.agent)


def _folded_pairs(group: Sequence[Pair], known: dict[str, str]) -> str:
    turns = [pair.left for pair in group if pair.left is not None]
    first, last = (turns[0].number, turns[-1].number) if turns else (0, 0)
    which = f"turn {first}" if first == last else f"turns {first} to {last}"
    rows = "".join(f"<div>{_who(turn, known)} {inline(_brief(turn), 140)}</div>" for turn in turns[:100])
    more = f"<div>and {len(turns) - 100} more</div>" if len(turns) > 100 else ""
    return folded(f"<i>{len(group)} equal: {which}</i>", rows + more)


def pair_html(pair: Pair, known: dict[str, str] | None = None, names: tuple[str, str] = ("left", "right")) -> str:
    """A turn of each run beside each other, and what differs."""
    known = {} if known is None else known
    style = f"width:50%;vertical-align:top;text-align:left;border:{LINE};padding:6px 10px;line-height:1.6"
    cells = [
        f'<td width="50%" valign="top" style="{style}">{_side(turn, name, known)}</td>'
        for turn, name in zip((pair.left, pair.right), names, strict=True)
    ]
    table = (
        '<table width="100%" style="width:100%;table-layout:fixed;border-collapse:collapse;font-size:13px;'
        f'line-height:1.6;margin:8px 0 4px"><tr>{"".join(cells)}</tr></table>'
    )
    if pair.same:
        return table + f"<div>{soft('no difference')}</div>"
    prompts = [change for change in pair.changes if change.kind == "prompt"]
    others = [
        change
        for change in pair.changes
        # that another one spoke is told by the names above
        if change.kind not in ("prompt", "agent") and change.key != "step" and not _repeats(change, pair.changes)
    ]
    parts = [table, _alone([change for change in pair.changes if change.key == "step" and change.kind != "prompt"])]
    for change in others[:CHANGES]:
        apart = change.kind == "message" and change.key == "content" and not any(map(_kept, _lines(change)))
        # of two texts that have no line in common, both stand above
        parts.append(folded(soft("the texts line by line"), _change(change)) if apart else _change(change))
    if len(others) > CHANGES:
        parts.append(f"<div><i>and {len(others) - CHANGES} further values: pair.changes</i></div>")
    if prompts:
        body = "".join(_change(change) for change in prompts[:PROMPT_CHANGES])
        if len(prompts) > PROMPT_CHANGES:
            body += f"<div><i>and {len(prompts) - PROMPT_CHANGES} further messages: pair.changes</i></div>"
        parts.append(folded(f"what the model was sent differs in {_messages(len(prompts))}", body))
    return "".join(parts)


def _kept(line: str) -> bool:
    return line[:1] == " " and bool(line.strip(" ⋯"))


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count} messages"


def _repeats(change: Change, changes: Sequence[Change]) -> bool:
    """Whether a message repeats the answer of the model, or a tool's result, that is told already."""
    if change.kind not in ("model_call", "message"):
        return False
    first = next(
        other for other in changes
        if (other.left, other.right) == (change.left, change.right) and other.kind not in ("prompt", "agent")
    )  # fmt: skip
    return first is not change


def _side(turn: Turn | None, name: str, known: dict[str, str]) -> str:
    if turn is None:
        return f"<i>{escaped(name)}: no such turn</i>"
    parts = [f"<div>{_who(turn, known)} {soft(f'{escaped(name)}, turn {turn.number}')}</div>"]
    for step in turn.steps[:STEPS]:
        if step.kind == "message" and step.text and step.payload.get("role") != "tool":
            parts.append(words(step.text, ".text", 700))
        elif step.kind == "tool_call":
            parts.append(f"<div>tool {code(step.title.partition(' calls ')[2] or step.title, 240)}</div>")
        elif step.kind in ("tool_result", "code_execution", "error"):
            mark = f"{chip('failed', BAD)} " if step.failed else "→ "
            parts.append(f"<div>{mark}{inline(step.text, 240)}</div>")
        elif step.kind == "outcome":
            tone = GOOD if step.payload.get("success") else BAD if step.payload.get("success") is False else CALM
            parts.append(f"<div>{chip(step.title.partition(',')[0], tone)}</div>")
    asked = [step for step in turn.steps if step.kind == "model_call" and step.payload.get("tool_calls")]
    if len(turn) > STEPS:
        parts.append(f"<div><i>and {len(turn) - STEPS:,} further steps</i></div>")
    if len(parts) == 1:
        parts.append(f"<div><i>no text{': asks for a tool' if asked else ''}</i></div>")
    return "".join(parts)


def _who(turn: Turn, known: dict[str, str]) -> str:
    agent = turn.agent
    return chip(agent, colour(agent, known)) if agent else chip("start", CALM)


def _brief(turn: Turn) -> str:
    for kinds in (("message",), ("tool_call", "tool_result", "code_execution")):
        for step in turn.steps:
            if step.kind in kinds and (step.text or kinds[0] != "message"):
                return step.text[:400] if step.kind == "message" else step.title
    return ""


def _alone(changes: Sequence[Change]) -> str:
    """What only one of the two did, in a line each."""
    if not changes:
        return ""
    lines = [("-" if change.right is None else "+") + short(_step(change), LONG_LINE) for change in changes]
    return barred(f"<div><b>what only one of them did</b></div>{_marked(lines)}", CALM)


def _step(change: Change) -> str:
    said = text_of(change.left if change.right is None else change.right)
    return f"message {said}" if change.kind == "message" else said


def _change(change: Change) -> str:
    """A value that differs, as lines with marks."""
    title = " ".join(filter(None, (change.kind.replace("_", " "), text_of(change.name))))
    head = f"<div><b>{inline(title, 80)}</b>: {code(change.key, 40)} differs</div>"
    return barred(f"{head}{_marked(_lines(change))}", CALM)


def _marked(lines: Sequence[str]) -> str:
    """Lines that begin with ``-``, ``+`` or a space, each in its colour."""
    rows: list[str] = []
    for line in lines[:LINES]:
        mark, text = line[:1], line[1:LONG_LINE]
        tag, tint = {"-": ("del", BAD_TINT), "+": ("ins", GOOD_TINT)}.get(mark, ("span", "transparent"))
        more = "…" if len(line) > LONG_LINE else ""
        style = f"text-decoration:none;display:block;background:{tint};padding:0 6px"
        rows.append(f'<{tag} style="{style}" dir="auto">{escaped(mark)} {escaped(text)}{more}</{tag}>')
    if len(lines) > LINES:
        rows.append(f"<i>… and {len(lines) - LINES} further lines: change.lines()</i>")
    style = (
        f"{MONO};white-space:pre-wrap;overflow-wrap:anywhere;margin:2px 0;background:transparent;color:inherit;border:0"
    )
    return f'<pre style="{style}">{"".join(rows)}</pre>'


def _lines(change: Change) -> list[str]:
    """The difference line by line; values that are not texts are laid out, so that a line is one value of theirs."""
    if change.left is None or change.right is None:
        value, mark = (change.right, "+") if change.left is None else (change.left, "-")
        return [mark + line for line in pretty(value)[:20_000].splitlines()]
    left, right = (pretty(value)[:20_000].splitlines() for value in (change.left, change.right))
    found = list(difflib.unified_diff(left, right, lineterm="", n=1))[2:]
    lines = [" ⋯" if line.startswith("@@") else line for line in found]
    return lines[1:] if lines[:1] == [" ⋯"] else lines
