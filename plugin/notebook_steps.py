"""Steps and turns of a run as HTML for notebooks: what was said stands open, what was done under the hood is folded.

A model call's prompt repeats the one before it, so only what is new in it is shown, with the block that was put in
marked; how to see it whole is said. What failed is red, and says so.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from ..instrumentation.describing import duration, money, text_of
from ..instrumentation.moments import tool_uses
from .drawing_parts import escaped
from .notebook_html import (
    BAD,
    BAD_TINT,
    CALM,
    COOL,
    GOOD,
    MARK,
    MARK_TINT,
    TINT,
    barred,
    chip,
    code,
    colour,
    facts,
    folded,
    inline,
    plain,
    pretty,
    remembered,
    soft,
    words,
)
from .notebook_reading import MOST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..instrumentation.moments import ToolUse
    from ..instrumentation.steps import Step

SHORT = 1_500
"""Characters of arguments, results and prompts that are shown."""
TURN_LIMIT = 50_000
"""Characters of HTML of one turn."""
NEW_MESSAGES = 6
"""New messages of a prompt that are shown, the last ones."""


class _Here(NamedTuple):
    """A step, the expression that gives it, and the other steps of its turn."""

    step: Step
    where: str
    beside: Sequence[Step]


class Renderer:
    """Renders the turns of one run one after the other.

    Args:
        known: the colours of its agents, as far as they are known.
        started_ns: when the run began, for the times beside each turn; None leaves them out.
        opened: whether calls of models and tools stand open.
    """

    def __init__(
        self, known: dict[str, str] | None = None, started_ns: int | None = None, *, opened: bool = False
    ) -> None:
        self._colours = {} if known is None else known
        self._started = started_ns
        self._opened = opened
        self._seen: dict[str | None, list[Any]] = {}
        self._block: dict[str | None, str | None] = {}

    def turn(self, number: int, steps: Sequence[Step], here: str) -> str:
        """A turn.

        Args:
            number: its number.
            steps: its steps, with prompts if they are to be shown.
            here: the expression that gives it in a notebook, such as ``run.turns[3]``.
        """
        speaker = next((step.agent for step in steps if step.kind == "message" and step.agent), None)
        speaker = speaker or next((step.agent for step in steps if step.agent), None)
        parts = [self._head(number, speaker, steps)]
        steps = steps[:MOST]
        uses = {id(use.call or use.result): use for use in tool_uses(steps)}
        shown = {id(use.result) for use in uses.values() if use.call is not None}
        answers = {text_of(use.result.payload.get("content")) for use in uses.values() if use.result is not None}
        size = 0
        for at, step in enumerate(steps):
            if size > TURN_LIMIT:
                parts.append(f"<div>{soft(f'<i>further steps are left out: {escaped(here)}.steps[{at}:]</i>')}</div>")
                break
            if id(step) in shown:
                continue
            if step.kind == "message" and step.payload.get("role") == "tool" and step.text in answers:
                continue  # the result above, passed on
            use = uses.get(id(step))
            where = f"{here}.steps[{at}]"
            parts.append(self._use(use, where) if use is not None else self.step(step, where, steps))
            size += len(parts[-1])
        if len(steps) >= MOST:
            parts.append(f"<div>{soft(f'<i>the first {MOST} steps; all of them: {escaped(here)}.steps</i>')}</div>")
        return barred("".join(parts), colour(speaker, self._colours) if speaker else CALM)

    def _head(self, number: int, speaker: str | None, steps: Sequence[Step]) -> str:
        who = chip(speaker, colour(speaker, self._colours)) if speaker else chip("before the first reply", CALM)
        notes = [f"turn {number}"]
        to = next((step.payload.get("recipients") for step in steps if step.kind == "message"), None)
        if to:
            notes.append(
                f"to {', '.join(inline(text_of(name), 40) for name in to[:8])}" if isinstance(to, list) else ""
            )
        first = next((step for step in steps if step.kind != "run_started"), None)
        if self._started is not None and first is not None:
            notes.append(f"at {duration(max(0, first.at_ns - self._started) / 1e9)}")
        failed = f" {chip('something failed', BAD)}" if any(step.failed for step in steps) else ""
        return f"<div>{who} {soft(' · '.join(note for note in notes if note))}{failed}</div>"

    def step(self, step: Step, where: str, beside: Sequence[Step] = ()) -> str:
        """One step; ``where`` is the expression that gives it, ``beside`` are the others of its turn."""
        shower = getattr(self, f"_{step.kind}", None)
        if shower is not None:
            return shower(_Here(step, where, beside))
        text = step.text
        return folded(f"{code(step.kind)} {inline(step.title)}", plain(text, f"{where}.text", SHORT)) if text else ""

    # -- what was said -----------------------------------------------------------------------------------------

    def _message(self, here: _Here) -> str:
        if here.step.text:
            return words(here.step.text, f"{here.where}.text")
        asked = [
            text_of(call.get("name"))
            for other in here.beside
            if other.kind == "model_call" and isinstance(other.payload.get("tool_calls"), list)
            for call in other.payload["tool_calls"]
            if isinstance(call, dict)
        ]
        if asked:
            return f"<div><i>no text: asks for the tool</i> {', '.join(code(name, 60) for name in asked[:10])}</div>"
        return "<div><i>no text</i></div>"

    def _human_input(self, here: _Here) -> str:
        return f"<div>{chip('typed by a person', MARK)}</div>{words(here.step.text, f'{here.where}.text')}"

    def _transition(self, here: _Here) -> str:
        reason = text_of(here.step.payload.get("reason"))
        if reason in ("", "speaker"):
            return ""  # the next turn shows who that was
        to = inline(text_of(here.step.payload.get("to_agent")), 60)
        return f"<div>{soft(f'next: {to} ({inline(reason, 60)})')}</div>"

    # -- models ------------------------------------------------------------------------------------------------

    def _model_call(self, here: _Here) -> str:
        payload = here.step.payload
        usage = payload.get("usage")
        line = [f"asked {code(text_of(payload.get('model')) or 'a model', 60)}"]
        if isinstance(usage, dict) and usage:
            line.append(f"{_count(usage.get('input_tokens'))} + {_count(usage.get('output_tokens'))} tokens")
        if isinstance(payload.get("cost_usd"), (int, float)):
            line.append(money(payload["cost_usd"]))
        if here.step.duration_ms is not None:
            line.append(duration(here.step.duration_ms / 1000))
        if payload.get("cached"):
            line.append("from the cache")
        if payload.get("internal"):
            line.append("by the framework itself")
        body = [self.prompt(here.step)]
        said = {other.text for other in here.beside if other.kind == "message"}
        response = text_of(payload.get("response"))
        if response and response not in said:
            body.append(_value("answer", response, here.where, "response"))
        if payload.get("reasoning"):
            body.append(_value("reasoning", payload["reasoning"], here.where, "reasoning"))
        if payload.get("tool_calls"):
            body.append(_value("tools asked for", payload["tool_calls"], here.where, "tool_calls"))
        if not payload.get("error"):
            return folded(" · ".join(line), "".join(body), opened=self._opened)
        error = f"{text_of(payload.get('error_type'))}: {text_of(payload['error'])}".removeprefix(": ")
        body.append(plain(error, f"{here.where}.payload", SHORT, BAD_TINT))
        return folded(f"{chip('failed', BAD)} {' · '.join(line)}", "".join(body), opened=True)

    def prompt(self, step: Step) -> str:
        """What a model was sent, as far as it is new since the last call of the same agent that was shown."""
        prompt, block = step.payload.get("prompt"), step.payload.get("injected")
        if not isinstance(prompt, list):
            if "prompt" in step.payload:
                return f"<div>{soft('<i>the prompt is not recorded</i>')}</div>"
            whole = f"run.at({step.seq}).prompt"
            return f"<div>{soft(f'<i>the prompt: {escaped(whole)}</i>')}</div>"
        before = self._seen.get(step.agent, [])
        self._seen[step.agent] = prompt
        same = 0
        while same < min(len(before), len(prompt)) and before[same] == prompt[same]:
            same += 1
        whole = f"run.at({step.seq}).prompt"
        parts = [f"<div>{soft(f'the prompt: {len(prompt)} messages, whole: {escaped(whole)}')}</div>"]
        if same:
            parts.append(f"<div>{soft(f'<i>{same} messages as in the call before</i>')}</div>")
        new = list(enumerate(prompt))[same:]
        skipped = len(new) - NEW_MESSAGES
        if skipped > 1:
            kept = [new[0], *new[1 - NEW_MESSAGES :]]
            parts.append(self._sent(*kept[0], prompt, block))
            parts.append(f"<div>{soft(f'<i>{skipped} further messages</i>')}</div>")
            new = kept[1:]
        parts.extend(self._sent(at, message, prompt, block) for at, message in new)
        if block and same and self._block.get(step.agent) == block:
            parts.append(f"<div>{soft('<i>with the same injected block as before</i>')}</div>")
        self._block[step.agent] = block
        return "".join(parts)

    def _sent(self, at: int, message: dict[str, Any], prompt: Sequence[dict[str, Any]], block: Any) -> str:
        """A message of a prompt; the block that was put in stands apart."""
        whole = f".prompt[{at}]"
        content = message.get("content")
        system = next((place for place, other in enumerate(prompt) if other.get("role") == "system"), None)
        text = text_of(content[:-1] if isinstance(content, list) and block and at == system else content)
        if not block or at != system:
            extra = {key: value for key, value in message.items() if key not in ("role", "content", "name")}
            text = "\n".join(part for part in (text, pretty(extra) if extra else "") if part)
        role = " ".join(filter(None, (text_of(message.get("role")), text_of(message.get("name")))))
        head = f"<div>{soft(f'[{inline(role, 60)}]')}</div>"
        if not block or at != system:
            return head + plain(text, whole, SHORT)
        rest = text.removesuffix(block)
        own = plain(rest, whole, SHORT) if rest.strip() else ""
        return head + own + injected(block)

    def _injection(self, here: _Here) -> str:
        payload = here.step.payload
        sections = payload.get("sections")
        tokens = _count(payload.get("tokens"))
        summary = (
            f"{chip('injected', MARK)} {inline(here.step.agent or '', 60)} is given its experience, {tokens} tokens"
        )
        if not isinstance(sections, list) or not sections:
            return folded(summary, injected(text_of(payload.get("text"))))
        return folded(summary, "".join(section(part) for part in sections if isinstance(part, dict)))

    # -- tools and code ----------------------------------------------------------------------------------------

    def _use(self, use: ToolUse, where: str) -> str:
        """A tool call with its result."""
        call, result = use
        tool = text_of(use.tool) or "?"
        arguments = call.payload.get("arguments") if call is not None else None
        given = text_of(arguments) if arguments not in (None, {}) else ""
        failed = result is not None and result.failed
        parts = [f"tool {code(f'{tool}({_brief(arguments)})' if call is not None else tool, 110)}"]
        body = [_value("arguments", arguments, where, "arguments")] if given else []
        if result is None:
            parts.append("<i>no answer here</i>")
        else:
            text = text_of(result.payload.get("content"))
            why = text_of(result.payload.get("error") or (text if failed else ""))
            parts.append(f"{chip('failed', BAD)} {inline(why, 90)}" if failed else f"→ {inline(text, 70)}")
            if result.duration_ms is not None:
                parts.append(soft(duration(result.duration_ms / 1000)))
            if text:
                tint = BAD_TINT if failed else TINT
                body.append(f"<div>{soft('result')}</div>{plain(_laid_out(text), '.text of its result', SHORT, tint)}")
            if failed and why and why not in text:
                kind = text_of(result.payload.get("error_type"))
                body.append(plain(f"{kind}: {why}".removeprefix(": "), "", SHORT, BAD_TINT))
        return folded(" ".join(parts), "".join(body), opened=failed or self._opened)

    def _tool_call(self, here: _Here) -> str:
        return self._use(tool_uses([here.step])[0], here.where)

    _tool_result = _tool_call

    def _code_execution(self, here: _Here) -> str:
        payload = here.step.payload
        language, ended = text_of(payload.get("language")) or "code", text_of(payload.get("exit_code"))
        head = f"ran {code(language, 30)}, exit code {inline(ended, 20)}"
        if here.step.duration_ms is not None:
            head += f" {soft(duration(here.step.duration_ms / 1000))}"
        tint = BAD_TINT if here.step.failed else TINT
        body = _value("code", payload.get("code"), here.where, "code")
        body += _value("output", payload.get("output"), here.where, "output", tint)
        return folded(f"{chip('failed', BAD)} {head}" if here.step.failed else head, body, opened=True)

    def _artifact(self, here: _Here) -> str:
        content = here.step.payload.get("content")
        name = f"file {code(text_of(here.step.payload.get('path')), 120)}"
        if content is None:
            return f"<div>{name} <i>deleted, or its content not kept</i></div>"
        return folded(
            f"{name}, {len(text_of(content)):,} characters", plain(text_of(content), f"{here.where}.text", SHORT)
        )

    def _context_snapshot(self, here: _Here) -> str:
        return folded(
            "what the agents share", plain(pretty(here.step.payload.get("content")), f"{here.where}.payload", SHORT)
        )

    # -- what became of it -------------------------------------------------------------------------------------

    def _error(self, here: _Here) -> str:
        head = f"{chip('error', BAD)} <b>{inline(text_of(here.step.payload.get('error_type')), 80)}</b>"
        return barred(f"<div>{head}</div>{plain(here.step.text, f'{here.where}.text', SHORT, BAD_TINT)}", BAD)

    def _gap(self, here: _Here) -> str:
        return barred(f"{chip('lost', BAD)} {inline(here.step.title, 200)}", BAD, BAD_TINT)

    def _feedback(self, here: _Here) -> str:
        mood = (
            GOOD
            if here.step.payload.get("positive") is True
            else BAD
            if here.step.payload.get("positive") is False
            else CALM
        )
        return f"<div>{chip(here.step.title, mood)}</div>{words(here.step.text, f'{here.where}.text')}"

    def _outcome(self, here: _Here) -> str:
        success = here.step.payload.get("success")
        word = "success" if success is True else "failure" if success is False else "unknown"
        tone = GOOD if success is True else BAD if success is False else CALM
        return f"<div>{chip(word, tone)} {soft(inline(here.step.title.partition(', ')[2], 200))}</div>"

    def _run_started(self, here: _Here) -> str:
        return f"<div>{soft('the run goes on')}</div>" if here.step.payload.get("resumed") else ""

    def _run_finished(self, here: _Here) -> str:
        return f"<div>{soft(f'the run ended: {inline(here.step.title, 120)}')}</div>"


def injected(block: str) -> str:
    """A block that was put into a prompt, marked."""
    body = f"<div>{chip('injected', MARK)}</div>{plain(block, '.injected', 3 * SHORT, MARK_TINT)}"
    return barred(body, MARK)


def section(part: dict[str, Any]) -> str:
    """A section of an injected block with the reason for it."""
    why = text_of(part.get("why"))
    reason = f"<div>{soft('why: ' + inline(why, 400))}</div>" if why else ""
    head = f"<div>{chip('injected', MARK)} <b>{inline(text_of(part.get('name')), 60)}</b></div>"
    return barred(head + reason + plain(text_of(part.get("text")), "", 2 * SHORT, MARK_TINT), MARK)


def one_step(step: Step) -> str:
    """A step alone, with everything that it holds."""
    where = "step"
    parts = [("", chip(step.kind, BAD if step.failed else COOL)), ("step", str(step.seq)), ("turn", str(step.turn))]
    if step.agent:
        parts.append(("by", chip(step.agent, colour(step.agent, remembered(step.event.run_id, ())))))
    if step.duration_ms is not None:
        parts.append(("took", duration(step.duration_ms / 1000)))
    shown = Renderer(remembered(step.event.run_id, ()), opened=True).step(step, where, [step])
    values = {key: value for key, value in step.payload.items() if value is not None and key != "prompt"}
    everything = folded("all values", plain(pretty(values), "step.payload", 3 * SHORT)) if values else ""
    return f"<div>{facts(parts)}</div>{shown}{everything}"


def _value(name: str, value: Any, where: str, key: str, tint: str = TINT) -> str:
    """A value of a step with its name."""
    return f"<div>{soft(name)}</div>{plain(pretty(value), _of(where, key), SHORT, tint)}"


def _of(where: str, key: str) -> str:
    return f"{where}.payload[{key!r}]"


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else "?"


def _brief(arguments: Any) -> str:
    """Arguments in a line, such as ``order_id="#W1", reason="late"``."""
    if isinstance(arguments, dict):
        return ", ".join(f"{key}={text_of(value)[:60]}" for key, value in list(arguments.items())[:8])
    return text_of(arguments)[:120]


def _laid_out(text: str) -> str:
    """JSON over several lines, where a tool answered with JSON; any other text as it is."""
    if len(text) > 20_000 or text[:1] not in "{[":
        return text
    try:
        return pretty(json.loads(text))
    except (ValueError, RecursionError):
        return text
