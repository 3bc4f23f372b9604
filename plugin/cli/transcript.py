"""How the events of a run look: as JSON for programs, and as a transcript for people."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from . import output

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.text import Text

    from ...instrumentation.events import Event

BODY_LINES = 12
"""Lines of a text that a transcript shows, unless asked for everything."""
BODY_CHARACTERS = 2_000
"""The same in characters: some texts are one long line."""

_STYLES = {
    "error": "red",
    "gap": "red",
    "outcome": "bold",
    "injection": "magenta",
    "model_call": "cyan",
    "tool_call": "yellow",
    "tool_result": "yellow",
}


def iso(nanoseconds: int) -> str:
    """A moment in nanoseconds since the epoch as ISO 8601 in UTC, with microseconds."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, timezone.utc).replace(microsecond=rest // 1000)
    return moment.isoformat(timespec="microseconds")


def event_json(event: Event, *, prompts: bool) -> dict[str, Any]:
    """An event as ``seasoned show --json`` prints it; the prompt of a model call only where asked for."""
    out: dict[str, Any] = {
        "seq": event.seq,
        "kind": event.kind,
        "at": iso(event.at),
        "at_ns": event.at,
        "turn": event.turn,
        "agent": event.agent,
        "duration_ms": event.payload.get("duration_ms"),
    }
    for key, value in event.public().items():
        out.setdefault(key, value)
    if not prompts:
        out.pop("prompt", None)
    return out


def lines(events: Iterable[Event], *, start_ns: int, full: bool) -> Iterator[Text]:
    """The transcript, event by event. Times are seconds since ``start_ns``."""
    for event in events:
        head, body = _described(event)
        text = output.plain(f"{(event.at - start_ns) / 1e9:9.3f}  ", "dim")
        text.append_text(output.plain(f"{event.kind:<14}", _STYLES.get(event.kind, "")))
        text.append_text(output.plain(" " + output.one_line(head, 300)))
        if body:
            for line in _cut(output.clean(body), full=full):
                text.append("\n" + " " * 26 + line)
        yield text


def _cut(body: str, *, full: bool) -> list[str]:
    every = body.strip("\n").split("\n")
    if full:
        return every
    kept: list[str] = []
    room = BODY_CHARACTERS
    for line in every[:BODY_LINES]:
        if len(line) > room:
            kept.append(line[:room] + "…")
            room = 0
            break
        kept.append(line)
        room -= len(line)
    if len(kept) < len(every) or room == 0:
        kept.append(f"… ({len(body)} characters in all; --full shows them)")
    return kept


def _described(event: Event) -> tuple[str, str]:
    """An event's headline and the text under it."""
    payload, agent = event.payload, event.agent or ""
    describe = _KINDS.get(event.kind)
    if describe is None:
        return agent, ""
    return describe(agent, payload)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _named(name: Any) -> str:
    return _text(name) or "?"


def _duration(payload: dict[str, Any]) -> str:
    value = payload.get("duration_ms")
    return f", {output.duration(value / 1000)}" if isinstance(value, (int, float)) else ""


def _run_started(_: str, payload: dict[str, Any]) -> tuple[str, str]:
    agents = payload.get("agents") or []
    who = f" with {', '.join(map(_text, agents))}" if agents else ""
    return ("goes on" if payload.get("resumed") else _text(payload.get("framework"))) + who, _text(payload.get("task"))


def _message(agent: str, payload: dict[str, Any]) -> tuple[str, str]:
    to = ", ".join(map(_text, payload.get("recipients") or []))
    return f"{agent} → {to}" if to else agent, _text(payload.get("content"))


def _model_call(agent: str, payload: dict[str, Any]) -> tuple[str, str]:
    usage = payload.get("usage") or {}
    cost = payload.get("cost_usd")
    parts = [f"{agent} asked {_named(payload.get('model'))}"]
    if isinstance(usage, dict) and usage:
        parts.append(f"{usage.get('input_tokens') or 0} + {usage.get('output_tokens') or 0} tokens")
    if isinstance(cost, (int, float)):
        parts.append(output.money(cost))
    if payload.get("cached"):
        parts.append("from the cache")
    body = [_text(payload.get("response"))]
    if payload.get("error"):
        body.append(f"{_text(payload.get('error_type'))}: {_text(payload['error'])}")
    prompt = payload.get("prompt")
    if isinstance(prompt, list):
        body = [*(f"[{_text(m.get('role'))}] {_text(m.get('content'))}" for m in prompt), "→ " + body[0], *body[1:]]
    return ", ".join(parts) + _duration(payload), "\n".join(part for part in body if part)


def _tool_call(agent: str, payload: dict[str, Any]) -> tuple[str, str]:
    return f"{agent} calls {_named(payload.get('tool'))}({_text(payload.get('arguments'))})", ""


def _tool_result(agent: str, payload: dict[str, Any]) -> tuple[str, str]:
    tool = _named(payload.get("tool"))
    if payload.get("ok") is False:
        why = f"{_text(payload.get('error_type')) or 'failed'}: {_text(payload.get('error') or payload.get('content'))}"
        return f"{agent}: {tool} failed{_duration(payload)}", why
    return f"{agent}: {tool} answered{_duration(payload)}", _text(payload.get("content"))


def _code_execution(agent: str, payload: dict[str, Any]) -> tuple[str, str]:
    head = f"{agent} ran {_named(payload.get('language'))}, exit code {_text(payload.get('exit_code'))}"
    return head + _duration(payload), f"{_text(payload.get('code'))}\n→ {_text(payload.get('output'))}"


def _transition(agent: str, payload: dict[str, Any]) -> tuple[str, str]:
    reason = _text(payload.get("reason"))
    return f"{_named(agent)} → {_named(payload.get('to_agent'))}{f' ({reason})' if reason else ''}", ""


def _injection(agent: str, payload: dict[str, Any]) -> tuple[str, str]:
    return f"{agent} is given its experience, {_text(payload.get('tokens'))} tokens", _text(payload.get("text"))


def _error(agent: str, payload: dict[str, Any]) -> tuple[str, str]:
    return f"{agent}: {_text(payload.get('error_type'))}", _text(payload.get("error"))


def _outcome(_: str, payload: dict[str, Any]) -> tuple[str, str]:
    success = payload.get("success")
    parts = ["success" if success else "failure" if success is False else "unknown"]
    facts = ((key, payload.get(key)) for key in ("quality", "complexity", "flags"))
    parts.extend(f"{key} {_text(value)}" for key, value in facts if value not in (None, {}))
    return f"{', '.join(parts)}, says {_text(payload.get('source'))}", _text(payload.get("reason"))


def _feedback(_: str, payload: dict[str, Any]) -> tuple[str, str]:
    mood = {True: "praise", False: "complaint"}.get(payload.get("positive"), "feedback")  # type: ignore[arg-type]
    return f"{mood} from {_text(payload.get('source'))}", _text(payload.get("content"))


def _content(agent: str, payload: dict[str, Any]) -> tuple[str, str]:
    return f"{agent} {_text(payload.get('path'))}".strip(), _text(payload.get("content"))


def _run_finished(_: str, payload: dict[str, Any]) -> tuple[str, str]:
    return _text(payload.get("reason")), ""


def _gap(_: str, payload: dict[str, Any]) -> tuple[str, str]:
    return f"{_text(payload.get('lost'))} events were lost here: {_text(payload.get('reason'))}", ""


_KINDS = {
    "run_started": _run_started,
    "message": _message,
    "model_call": _model_call,
    "tool_call": _tool_call,
    "tool_result": _tool_result,
    "code_execution": _code_execution,
    "transition": _transition,
    "human_input": _content,
    "artifact": _content,
    "context_snapshot": _content,
    "injection": _injection,
    "error": _error,
    "feedback": _feedback,
    "outcome": _outcome,
    "run_finished": _run_finished,
    "gap": _gap,
}
