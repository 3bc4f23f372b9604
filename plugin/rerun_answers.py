"""Recorded answers of models, tools and programs, apart from any framework, and how what is asked is compared.

Compared is what a record holds: texts after redaction, media by their hash, arguments as JSON.
"""

from __future__ import annotations

import builtins
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from ..adapters.patching import subclasses
from ..instrumentation.describing import text_of
from ..instrumentation.media import slim

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


_PLACE = re.compile(r" at 0x[0-9a-f]+")


class ModelAnswer(NamedTuple):
    """What a model said.

    Attributes:
        text: its words, or the parts of an answer that is more than a text, or None.
        tool_calls: ``{id, name, arguments}`` each; arguments are an object.
        reasoning: its thoughts, where the model tells them.
        usage: ``{input_tokens, output_tokens}``, or None.
        model: its name.
        error_type, error: what the call raised instead, or None.
        finish_reason: why it ended, where that is not the usual.
    """

    text: Any
    tool_calls: tuple[dict[str, Any], ...]
    reasoning: str | None
    usage: Mapping[str, int] | None
    model: str | None
    error_type: str | None
    error: str | None
    finish_reason: str | None


class ToolAnswer(NamedTuple):
    """What a tool gave: its content, or the type and text of what it raised."""

    ok: bool
    content: Any
    error_type: str | None
    error: str | None

    def given(self) -> Any:
        """The content; raises what the tool raised, by :func:`raised`."""
        if self.ok:
            return self.content
        raise raised(self.error_type, self.error)


class CodeAnswer(NamedTuple):
    """What a program gave: its exit code and output."""

    exit_code: int
    output: str


def raised(kind: str | None, text: str | None) -> BaseException:
    """An exception of the recorded type: the one of this name that Python, the framework, its providers or the
    application has, as far as it is loaded; else one that only has the name."""
    name = kind or "Exception"
    found = getattr(builtins, name, None)
    if not (isinstance(found, type) and issubclass(found, BaseException)):
        found = next((each for each in subclasses(BaseException) if each.__name__ == name), None)
    if found is None:
        found = type(name if name.isidentifier() else "RecordedError", (Exception,), {})
    try:
        return found(text or "")
    except Exception:  # noqa: BLE001  it wants more than a text, which is all that is left
        made: BaseException = found.__new__(found)  # pyright: ignore[reportCallIssue]  as every exception allows
        BaseException.__init__(made, text or "")
        return made


def recorded_prompt(payload: Mapping[str, Any]) -> list[str]:
    """The lines of a recorded prompt without what was put into it."""
    prompt, block = payload.get("prompt"), payload.get("injected")
    if not isinstance(prompt, list):
        return []
    out = list(prompt)
    at = next((at for at, message in enumerate(out) if message.get("role") == "system"), None) if block else None
    if block and at is not None:
        content = out[at].get("content")
        if isinstance(content, list):
            out[at] = {**out[at], "content": content[:-1]}
        else:
            rest = text_of(content).removesuffix(block).removesuffix("\n\n")
            out[at : at + 1] = [{**out[at], "content": rest}] if rest else []
    return [line_of(message, str) for message in out]


def line_of(message: Mapping[str, Any], redact: Callable[[str], str]) -> str:
    """A message of a prompt as a line that can be compared: role, words, and the calls in it."""
    content = message.get("content")
    words = content if isinstance(content, str) else "" if content is None else text_of(slim(content))
    calls = [
        f"{call.get('name') or (call.get('function') or {}).get('name')}" for call in message.get("tool_calls") or ()
    ]
    return f"{message.get('role')}: {redact(words)}" + (f" [{', '.join(calls)}]" if calls else "")


def likeness(recorded: list[str], asked: list[str]) -> tuple[int, int]:
    """How well a recorded prompt fits: messages that both have, the last one counting most."""
    last = bool(recorded and asked and recorded[-1] == asked[-1])
    return (last * 2 + (recorded[:1] == asked[:1])), len(set(recorded) & set(asked)) - abs(len(recorded) - len(asked))


def _plainly(value: Any) -> Any:
    """A value without the places in memory that objects without a JSON form tell of."""
    text = text_of(value)
    return _PLACE.sub("", text) if " at 0x" in text else value


def same_arguments(recorded: Any, given: Any) -> bool:
    """Whether a call has the recorded arguments; what a framework adds of its own (a state, a context) does not
    count."""
    if isinstance(recorded, str):
        try:
            recorded = msgspec.json.decode(recorded)
        except ValueError:
            return recorded == given
    if isinstance(recorded, dict) and isinstance(given, dict):
        return all(key in given and _plainly(given[key]) == _plainly(value) for key, value in recorded.items())
    return _plainly(recorded) == _plainly(given) or (recorded in (None, {}) and given in (None, {}))


def model_answer(payload: Mapping[str, Any]) -> ModelAnswer:
    """What a recorded model call answered."""
    calls = tuple(call for call in payload.get("tool_calls") or () if isinstance(call, dict))
    usage = payload.get("usage")
    return ModelAnswer(
        payload.get("response"), calls, payload.get("reasoning"), usage if isinstance(usage, dict) else None,
        payload.get("model"), payload.get("error_type"), payload.get("error"), payload.get("finish_reason"),
    )  # fmt: skip


def tool_answer(payload: Mapping[str, Any]) -> ToolAnswer:
    """What a recorded result gave."""
    ok = payload.get("ok") is not False
    return ToolAnswer(ok, payload.get("content"), payload.get("error_type"), payload.get("error"))


def decoded_calls(calls: Iterable[Mapping[str, Any]]) -> list[tuple[str, str, dict[str, Any] | str]]:
    """Id, name and arguments of recorded tool calls; arguments that are no JSON object stay the text that they were."""
    out: list[tuple[str, str, dict[str, Any] | str]] = []
    for number, call in enumerate(calls):
        arguments = call.get("arguments")
        if isinstance(arguments, str):
            try:
                decoded = msgspec.json.decode(arguments)
            except ValueError:
                decoded = None
            arguments = decoded if isinstance(decoded, dict) else arguments
        known = arguments if isinstance(arguments, (dict, str)) else {} if arguments is None else text_of(arguments)
        out.append((str(call.get("id") or f"call_{number}"), text_of(call.get("name")), known))
    return out


def written(arguments: dict[str, Any] | str) -> str:
    """Arguments as a model writes them."""
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
