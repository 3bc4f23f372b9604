"""Events in words: a headline and a text for each, for whoever shows them (terminal, notebook, report).

What is said comes from models, users and tools, and stands here as it is: each display has to escape it for itself.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .events import Event
    from .reading import RunRecord


def money(dollars: float) -> str:
    """US dollars, with more digits where there are few of them: ``$12.30``, ``$0.0042``, ``$0``."""
    return f"${dollars:.2f}" if dollars >= 1 else f"${dollars:.3g}"


def duration(seconds: float) -> str:
    """A length of time in the unit that suits it: ``0.2 ms``, ``3.4 s``, ``12 min``."""
    if seconds < 0.01:
        return f"{seconds * 1000:.2g} ms"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.3g} s" if seconds < 600 else f"{seconds / 60:.0f} min"


def verdict(record: RunRecord) -> str:
    """A run's outcome in a word or two, such as ``success 0.9``."""
    if record.success is None:
        return "unknown" if record.status == "finished" else "running"
    word = "success" if record.success else "failure"
    return word if record.quality is None else f"{word} {record.quality:.2g}"


def described(event: Event) -> tuple[str, str]:
    """An event's headline and the text under it."""
    payload, agent = event.payload, event.agent or ""
    describe = _KINDS.get(event.kind)
    if describe is None:
        return agent, ""
    try:
        return describe(agent, payload)
    except (TypeError, ValueError, AttributeError):  # values that no recorder writes, in somebody's file
        return agent, text_of(payload)


def name_of(text: object) -> str:
    """A name for a line of plain text: what does not print is escaped, and the rest of a long one cut."""
    shown = repr(str(text))[1:-1]
    return shown if len(shown) <= 80 else shown[:79] + "…"


def text_of(value: Any) -> str:
    """A value as text: itself, nothing for None, else its JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _named(name: Any) -> str:
    return text_of(name) or "?"


def _duration(payload: dict[str, Any]) -> str:
    value = payload.get("duration_ms")
    return f", {duration(value / 1000)}" if isinstance(value, (int, float)) else ""


def _run_started(_: str, payload: dict[str, Any]) -> tuple[str, str]:
    agents = payload.get("agents") or []
    who = f" with {', '.join(map(text_of, agents))}" if agents else ""
    return ("goes on" if payload.get("resumed") else text_of(payload.get("framework"))) + who, text_of(
        payload.get("task")
    )


def _message(agent: str, payload: dict[str, Any]) -> tuple[str, str]:
    to = ", ".join(map(text_of, payload.get("recipients") or []))
    return f"{agent} → {to}" if to else agent, text_of(payload.get("content"))


def _model_call(agent: str, payload: dict[str, Any]) -> tuple[str, str]:
    usage = payload.get("usage") or {}
    cost = payload.get("cost_usd")
    parts = [f"{agent} asked {_named(payload.get('model'))}"]
    if isinstance(usage, dict) and usage:
        parts.append(f"{usage.get('input_tokens') or 0} + {usage.get('output_tokens') or 0} tokens")
    if isinstance(cost, (int, float)):
        parts.append(money(cost))
    if payload.get("cached"):
        parts.append("from the cache")
    body = [text_of(payload.get("response"))]
    if payload.get("error"):
        body.append(f"{text_of(payload.get('error_type'))}: {text_of(payload['error'])}")
    prompt = payload.get("prompt")
    if isinstance(prompt, list):
        body = [*(f"[{text_of(m.get('role'))}] {text_of(m.get('content'))}" for m in prompt), "→ " + body[0], *body[1:]]
    return ", ".join(parts) + _duration(payload), "\n".join(part for part in body if part)


def _tool_call(agent: str, payload: dict[str, Any]) -> tuple[str, str]:
    return f"{agent} calls {_named(payload.get('tool'))}({text_of(payload.get('arguments'))})", ""


def _tool_result(agent: str, payload: dict[str, Any]) -> tuple[str, str]:
    tool = _named(payload.get("tool"))
    if payload.get("ok") is False:
        why = text_of(payload.get("error") or payload.get("content"))
        return f"{agent}: {tool} failed{_duration(payload)}", f"{text_of(payload.get('error_type')) or 'failed'}: {why}"
    return f"{agent}: {tool} answered{_duration(payload)}", text_of(payload.get("content"))


def _code_execution(agent: str, payload: dict[str, Any]) -> tuple[str, str]:
    head = f"{agent} ran {_named(payload.get('language'))}, exit code {text_of(payload.get('exit_code'))}"
    return head + _duration(payload), f"{text_of(payload.get('code'))}\n→ {text_of(payload.get('output'))}"


def _transition(agent: str, payload: dict[str, Any]) -> tuple[str, str]:
    reason = text_of(payload.get("reason"))
    return f"{_named(agent)} → {_named(payload.get('to_agent'))}{f' ({reason})' if reason else ''}", ""


def _injection(agent: str, payload: dict[str, Any]) -> tuple[str, str]:
    return f"{agent} is given its experience, {text_of(payload.get('tokens'))} tokens", text_of(payload.get("text"))


def _error(agent: str, payload: dict[str, Any]) -> tuple[str, str]:
    return f"{agent}: {text_of(payload.get('error_type'))}", text_of(payload.get("error"))


def _outcome(_: str, payload: dict[str, Any]) -> tuple[str, str]:
    success = payload.get("success")
    parts = ["success" if success else "failure" if success is False else "unknown"]
    facts = ((key, payload.get(key)) for key in ("quality", "complexity", "flags"))
    parts.extend(f"{key} {text_of(value)}" for key, value in facts if value not in (None, {}))
    return f"{', '.join(parts)}, says {text_of(payload.get('source'))}", text_of(payload.get("reason"))


def _feedback(_: str, payload: dict[str, Any]) -> tuple[str, str]:
    mood = {True: "praise", False: "complaint"}.get(payload.get("positive"), "feedback")  # type: ignore[arg-type]
    return f"{mood} from {text_of(payload.get('source'))}", text_of(payload.get("content"))


def _content(agent: str, payload: dict[str, Any]) -> tuple[str, str]:
    return f"{agent} {text_of(payload.get('path'))}".strip(), text_of(payload.get("content"))


def _run_finished(_: str, payload: dict[str, Any]) -> tuple[str, str]:
    return text_of(payload.get("reason")), ""


def _gap(_: str, payload: dict[str, Any]) -> tuple[str, str]:
    return f"{text_of(payload.get('lost'))} events were lost here: {text_of(payload.get('reason'))}", ""


def _unknown(agent: str, payload: dict[str, Any]) -> tuple[str, str]:
    who = f"{agent}: " if agent else ""
    number = text_of(payload.get("number"))
    said = f"{who}an event that a newer version of the package recorded (kind {number})"
    return f"{said}; pip install --upgrade seasoned shows it", ""


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
    "unknown": _unknown,
}
