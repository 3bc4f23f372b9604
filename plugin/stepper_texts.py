"""What the step-through prints: every text of a run as plain text, whatever is in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.text import Text

from ..instrumentation.describing import duration, money, text_of, verdict
from .cli import output
from .cli.transcript import prompt_parts
from .cli.wording import colour_of, words_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..instrumentation.moments import Totals
    from ..instrumentation.steps import Step
    from .stepper_source import Source

LINES, CHARACTERS = 8, 800
"""How much of a step's text is shown while another step is selected."""

LINES_SELECTED, CHARACTERS_SELECTED = 400, 40_000
"""How much of the selected one's; a text of any length would hold up the keys."""

# Colours of its own, to be read on a light and on a dark ground: those of the terminal are unknown.
INJECTED = "#a05fd6"
BAD = "#e0344b"
GOOD = "#2a9d5c"
NOTE = "#b8790a"
WHY = "italic dim"
STYLES = {
    "error": BAD,
    "gap": BAD,
    "unknown": BAD,
    "outcome": "bold",
    "injection": INJECTED,
    "model_call": "#1c8fb0",
    "tool_call": NOTE,
    "tool_result": NOTE,
}
"""Styles of the kinds of events that have one."""

HELP = (
    ("j, down / k, up", "next / previous turn"),
    ("n, right / b, left", "next / previous step"),
    ("home / end", "first / last turn"),
    ("page down / page up", "scroll the text"),
    ("p, tab", "the prompt as it was sent, what was injected marked"),
    ("t", "the tools that were used so far"),
    ("/", "search; again with the same words for the next place"),
    ("g", "go to a turn by its number"),
    ("f", "long texts in full, or cut"),
    ("r", "read again what was recorded since"),
    ("d", "light or dark"),
    ("?", "this help"),
    ("q", "quit"),
)


def header(source: Source, index: int) -> Text:
    """What the run is, how it ended, and what was used up to a turn."""
    record = source.record
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(output.one_line(record.run_id, 80), "bold")
    text.append("  " + output.one_line(record.task, 300) + "\n")
    outcome = verdict(record) + (f" ({record.outcome_source})" if record.outcome_source else "")
    text.append(output.one_line(outcome, 80), {True: f"bold {GOOD}", False: f"bold {BAD}"}.get(record.success, "bold"))  # type: ignore[arg-type]
    for at, agent in enumerate(record.agents):
        text.append(" · " if not at else ", ")
        text.append(output.one_line(agent, 40), colour_of(agent))
    text.append("\n")
    text.append(_so_far(source, index), "dim")
    for note in source.notes:
        text.append("\n" + output.one_line(note, 400), NOTE)
    return text


def _so_far(source: Source, index: int) -> str:
    if not len(source):
        return "nothing was recorded yet"
    turn = source.turns[index]
    facts = [f"turn {turn.number} ({index + 1} of {len(source)})"]
    facts.append(f"at {duration(max(0, (turn.started_ns or 0) - source.record.started_ns) / 1e9)}")
    if source.tally is None:
        return " · ".join([*facts, "counting …"])
    return " · ".join([*facts, *used(source.tally.totals(index))])


def used(totals: Totals) -> list[str]:
    """What was used so far, in words."""
    facts = [_count(totals.model_calls, "model call"), _count(totals.tool_calls, "tool call")]
    if totals.input_tokens or totals.output_tokens:
        facts.append(f"{totals.input_tokens:,} + {totals.output_tokens:,} tokens")
    if totals.cost_usd:
        facts.append(money(totals.cost_usd))
    if totals.failures:
        facts.append(f"{totals.failures:,} failed")
    return facts


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def step_text(step: Step, *, selected: bool, full: bool, found: str = "") -> Text:
    """A step: what it is, and its text."""
    head, body = words_of(step.event)
    failed = step.failed
    text = Text().append(f"{step.kind.replace('_', ' '):<12} ", BAD if failed else STYLES.get(step.kind, ""))
    line = output.one_line(head, 2_000 if selected else 300)
    agent = output.one_line(step.agent, 200)
    if agent and line.startswith(agent) and not failed:
        text.append(agent, f"bold {colour_of(step.agent or '')}")
        line = line[len(agent) :]
    text.append(line, BAD if failed else "")
    if step.kind == "injection":
        _injection(text, step, selected=selected, full=full)
    else:
        if step.kind == "tool_call" and selected:
            body = _pretty(step.payload.get("arguments"))
        if body:
            text.append("\n" + cut(body, selected=selected, full=full), BAD if failed else "")
    if found:
        text.highlight_words([found], "reverse", case_sensitive=False)
    return text


def _injection(text: Text, step: Step, *, selected: bool, full: bool) -> None:
    sections = step.payload.get("sections")
    known = [section for section in sections if isinstance(section, dict)] if isinstance(sections, list) else []
    if not known:
        text.append("\n" + cut(text_of(step.payload.get("text")), selected=selected, full=full), INJECTED)
    for section in known:
        text.append("\n" + cut(text_of(section.get("text")), selected=selected, full=full), INJECTED)
        if section.get("why"):
            text.append(f"\nwhy: {output.one_line(text_of(section['why']), 2_000 if selected else 300)}", WHY)


def _pretty(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2, default=str)


def cut(body: str, *, selected: bool = True, full: bool = False) -> str:
    """A text, cleaned; the beginning of a long one."""
    most, lines = (CHARACTERS_SELECTED, LINES_SELECTED) if selected else (CHARACTERS, LINES)
    if full:
        most, lines = 5 * CHARACTERS_SELECTED, 20 * LINES_SELECTED
    shown = "\n".join(output.clean(body[:most]).strip("\n").split("\n")[:lines])
    if len(body) > most or body.strip("\n").count("\n") >= lines:
        hint = "" if full else "f shows more" if selected else "select the step for more"
        shown += f"\n… ({len(body):,} characters in all{'; ' if hint else ''}{hint})"
    return shown


def prompt_text(step: Step | None, *, full: bool, found: str = "") -> Text:
    """The prompt of a model call as it was sent, what was injected marked."""
    if step is None:
        return Text("No model was asked in this turn.", "dim")
    prompt = step.payload.get("prompt")
    if not isinstance(prompt, list):
        return Text("What the model was sent was not recorded (content = false, or an imported run).", "dim")
    messages = [message if isinstance(message, dict) else {"content": message} for message in prompt]
    text = Text().append(f"The prompt as {output.one_line(step.agent or '?', 60)}'s model was sent it", "bold")
    text.append(f": {len(messages)} message{'s' * (len(messages) != 1)}", "dim")
    if step.payload.get("injected"):
        text.append(", with what was ", "dim").append("injected", f"bold {INJECTED}")
    for at, message in enumerate(messages):
        text.append(f"\n\n{at + 1} {output.one_line(text_of(message.get('role')), 40)}", "bold")
        for part in prompt_parts(messages, at, step.payload.get("injected")):
            body = cut(part.text, full=full)
            if part.injected:
                text.append("\n" + "\n".join(f"┃ {line}" for line in body.split("\n")), f"bold {INJECTED}")
            else:
                text.append("\n" + body)
    if found:
        text.highlight_words([found], "reverse", case_sensitive=False)
    return text


def tools_text(source: Source, index: int, here: Sequence[Step]) -> Text:
    """The tools that were used up to a turn, and what they did in it."""
    text = Text().append("Tools used so far", "bold")
    counted = source.tally.tools(index) if source.tally is not None else None
    if counted is None:
        text.append("\ncounting …", "dim")
    elif not counted:
        text.append("\nnone", "dim")
    for tool, calls, failures in counted or ():
        text.append(f"\n{calls:>6,}  {output.one_line(tool, 80)}")
        if failures:
            text.append(f"  {failures:,} failed", BAD)
    used_here = [step for step in here if step.kind in ("tool_call", "tool_result")]
    if used_here:
        text.append("\n\nIn this turn", "bold")
    for step in used_here:
        text.append("\n\n").append_text(step_text(step, selected=True, full=False))
    return text


def help_text() -> Text:
    """The keys."""
    text = Text().append("Keys\n", "bold")
    for keys, what in HELP:
        text.append(f"\n{keys:<22}", "bold").append(what)
    return text
