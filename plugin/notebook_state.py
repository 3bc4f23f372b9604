"""The state of a run as of a step, as HTML for notebooks: who speaks, what was said, sent, done and used so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..instrumentation.describing import money, text_of
from .notebook_html import (
    BAD,
    CALM,
    chip,
    code,
    colour,
    facts,
    folded,
    inline,
    plain,
    pretty,
    remember,
    soft,
)
from .notebook_steps import injected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..instrumentation.moments import Moment, Part
    from ..instrumentation.steps import Step

SPOKEN = 8
"""Messages of the transcript that are shown, the last ones."""
SENT = 12
"""Messages of a prompt that are shown: the first and the last ones."""
USED = 12
"""Tool calls and files that are shown, the last ones."""
SHORT = 1_500


def moment_html(moment: Moment) -> str:
    """The state as of a step."""
    step, known = moment.step, remember(moment.record.run_id, moment.record.agents)
    which = chip(f"step {step.seq}", BAD if step.failed else CALM)
    parts = [
        f"<p>{soft('as of')} {which} {soft(f'turn {step.turn}')} {inline(step.title, 140)}</p>",
        f"<p>{facts(_figures(moment, known))}</p>",
        transcript(moment.transcript, known),
        prompt(moment),
        _tools(moment),
        _artifacts(moment.artifacts),
    ]
    if moment.context is not None:
        parts.append(folded("what the agents share", plain(pretty(moment.context), ".context", SHORT)))
    return "".join(parts)


def _figures(moment: Moment, known: dict[str, str]) -> list[tuple[str, str]]:
    totals, speaker = moment.totals, moment.speaker
    who = chip(speaker, colour(speaker, known)) if speaker else "nobody yet"
    found = [
        ("speaks", who), ("messages", f"{len(moment.transcript):,}"), ("model calls", f"{totals.model_calls:,}"),
        ("tool calls", f"{totals.tool_calls:,}"), ("tokens", f"{totals.input_tokens:,} + {totals.output_tokens:,}"),
    ]  # fmt: skip
    if totals.cost_usd:
        found.append(("cost", money(totals.cost_usd)))
    found.append(("", chip(f"{totals.failures:,} failed", BAD) if totals.failures else "0 failed"))
    return found


def transcript(found: Sequence[Step], known: dict[str, str]) -> str:
    """The last messages in short."""
    if not found:
        return "<p><i>nothing was said yet</i></p>"
    rows = [f"<div>{_speaker(step, known)} {inline(step.text or '(no text)', 220)}</div>" for step in found[-SPOKEN:]]
    if len(found) > SPOKEN:
        rows.insert(0, f"<div>{soft(f'<i>{len(found) - SPOKEN:,} earlier messages: .transcript</i>')}</div>")
    return folded(f"<b>transcript so far</b>, {len(found):,} messages", "".join(rows), opened=True)


def _speaker(step: Step, known: dict[str, str]) -> str:
    return chip(step.agent, colour(step.agent, known)) if step.agent else chip("?", CALM)


def prompt(moment: Moment) -> str:
    """What the model was sent, with the block that was put in marked."""
    sent = moment.prompt
    if not sent:
        return "<p><i>no prompt here: no model was called yet, or contents are not recorded</i></p>"
    call = moment.model_call
    shown = list(range(len(sent)))
    left = len(sent) - SENT
    if left > 1:
        shown = [*shown[:2], *shown[2 - SENT :]]
    rows: list[str] = []
    for place, at in enumerate(shown):
        if left > 1 and place == 2:
            rows.append(f"<div>{soft(f'<i>{left} messages between: .prompt</i>')}</div>")
        rows.append(_sent(sent[at], moment.parts(at), at))
    where = f", {inline(text_of(call.payload.get('model')), 40)}" if call is not None else ""
    mark = " with an injected block" if moment.injected else ""
    return folded(f"<b>prompt</b>, {len(sent):,} messages{mark}{where}", "".join(rows))


def _sent(message: dict[str, Any], parts: Sequence[Part], at: int) -> str:
    role = " ".join(filter(None, (text_of(message.get("role")), text_of(message.get("name")))))
    rows = [f"<div>{soft(f'[{inline(role, 60)}]')}</div>"]
    rows.extend(
        injected(part.text) if part.injected else plain(part.text, f".prompt[{at}]", SHORT)
        for part in parts
        if part.text.strip()
    )
    extra = {key: value for key, value in message.items() if key not in ("role", "name", "content")}
    if extra:
        rows.append(plain(pretty(extra), f".prompt[{at}]", SHORT))
    return "".join(rows)


def _tools(moment: Moment) -> str:
    uses = moment.tools
    if not uses:
        return ""
    rows: list[str] = []
    for call, result in uses[-USED:]:
        step = call or result
        asked = step.title.partition(" calls ")[2] if call is not None and step is not None else ""
        name = text_of(step.payload.get("tool")) if step is not None else "?"
        got = "<i>no answer yet</i>" if result is None else f"→ {inline(result.text, 120)}"
        failed = f"{chip('failed', BAD)} " if result is not None and result.failed else ""
        rows.append(f"<div>{failed}{code(asked or name, 160)} {got}</div>")
    more = f"<div>{soft(f'<i>{len(uses) - USED:,} earlier ones: .tools</i>')}</div>" if len(uses) > USED else ""
    return folded(f"<b>tools so far</b>, {len(uses):,} calls", more + "".join(rows))


def _artifacts(found: dict[str, Step]) -> str:
    if not found:
        return ""
    rows = [
        folded(code(path, 120), plain(step.text, ".artifacts", SHORT)) if step.text else f"<div>{code(path, 120)}</div>"
        for path, step in list(found.items())[-USED:]
    ]
    return folded(f"<b>files so far</b>, {len(found):,}", "".join(rows))
