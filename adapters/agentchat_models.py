"""Model calls of AgentChat: what is injected, and what is recorded.

A model client's ``create`` and ``create_stream`` are the last step that all agents share. The block goes into a copy
of the messages there, so no context, state or message of the host ever holds it, and a client that keeps answers
(``ChatCompletionCache``) sees the prompt as it is sent. Clients that are built on others are one call.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ..instrumentation.cost import usage_of
from ..instrumentation.runs import CURRENT, Run
from .agentchat_messages import History
from .agentchat_runs import HISTORIES
from .agentchat_streams import Watcher, awaiting, streaming
from .classic_responses import arguments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .agentchat_patching import Maker
    from .agentchat_state import Core, Place

_INNER = ("client", "_client", "_chat_client")
"""Where clients that are built on others keep them."""


class CallWatcher(Watcher):
    """Follows one model call.

    Attributes:
        caller: the place from which the model is called.
        messages: the host's messages; block: what was injected into the copy that is sent.
        chunks: the pieces of a streamed answer that have come so far.
        answered: whether the answer was recorded.
    """

    __slots__ = ("answered", "block", "caller", "chunks", "client", "messages", "run")

    def __init__(
        self, core: Core, args: tuple[Any, ...], kwargs: dict[str, Any], run: Run, caller: Place, messages: Any
    ) -> None:
        super().__init__(core, "agentchat.model_call", args, kwargs, caller.in_call())
        self.run = run
        self.caller = caller
        self.client = args[0]
        self.messages: Sequence[Any] = messages
        self.block = ""
        self.chunks: list[str] = []
        self.answered = False

    def on_item(self, value: Any) -> None:
        """The answer, or a piece of it. The framework takes the last item of a stream for the answer."""
        if isinstance(value, str) and not self.answered:
            self.chunks.append(value)
        elif not self.answered:
            self.answered = True
            self._answer(value)

    def on_done(self, error: BaseException | None) -> None:
        """The call has ended; what came of a stream that broke off is kept."""
        if not self.active or self.answered:
            return
        self.answered = True
        payload: dict[str, Any] = {}
        if error is not None:
            payload["error_type"] = type(error).__name__
            payload["error"] = _text_of(error)
        self._record(payload, "".join(self.chunks) or None, None, partial=bool(self.chunks))

    def _answer(self, result: Any) -> None:
        content = getattr(result, "content", result)
        payload: dict[str, Any] = {}
        text = content
        if isinstance(content, list):
            calls = [_call(item) for item in content]
            if all(call is not None for call in calls):
                text = None
                payload["tool_calls"] = calls
        elif content is not None and not isinstance(content, str):
            text = repr(content)[:10_000]
        cached = getattr(result, "cached", False) is True
        usage = _usage(result)
        if usage:
            payload["usage"] = usage
        payload["cached"] = cached
        thought = getattr(result, "thought", None)
        finish = getattr(result, "finish_reason", None)
        if finish not in ("stop", "function_calls", None):
            payload["finish_reason"] = str(finish)
        self._record(payload, text, thought if isinstance(thought, str) and thought else None)

    def _record(self, payload: dict[str, Any], text: Any, thought: str | None, *, partial: bool = False) -> None:
        model = model_of(self.client, self.kwargs)
        payload["model"] = model
        payload["duration_ms"] = self.duration_ms
        usage, prices = payload.get("usage"), self.core.recorder.prices
        if payload.get("cached"):
            payload["cost_usd"] = 0.0
        elif usage and model and prices is not None:
            payload["cost_usd"] = prices.cost(model, usage.get("input_tokens") or 0, usage.get("output_tokens") or 0)
        if partial:
            payload["partial"] = True
        if self.caller.internal:
            payload["internal"] = True
            if isinstance(text, str):
                self.caller.chat.words = text
        run = self.run
        agent: Any = self.caller.name  # None where the application asks by itself
        histories: dict[Any, History] = run.scratch.setdefault(HISTORIES, {})
        history = histories.pop(agent, None) or History()  # from here on nobody else's
        listed = history.read(self.messages)
        self.core.recorder.model_call(
            run,
            agent,
            listed,
            payload,
            block=self.block,
            response=text,
            reasoning=thought,
        )
        histories[agent] = history


def _call(item: Any) -> dict[str, Any] | None:
    """A tool call in an answer; None for what is none."""
    name = getattr(item, "name", None)
    if name is None:
        return None
    return {"id": getattr(item, "id", None), "name": name, "arguments": arguments(getattr(item, "arguments", None))}


def _usage(result: Any) -> dict[str, int] | None:
    """``{input_tokens, output_tokens}``, as nearly every client gives them, or whatever else is told."""
    usage = getattr(result, "usage", None)
    given, made = getattr(usage, "prompt_tokens", None), getattr(usage, "completion_tokens", None)
    if type(given) is int and type(made) is int:
        return {"input_tokens": given, "output_tokens": made}
    return usage_of(usage) if usage is not None else None


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001  a hostile __str__
        return f"<{type(error).__name__} without a message>"


def model_of(client: Any, kwargs: dict[str, Any], depth: int = 3) -> str | None:
    """The model that a client asks, as far as it can be told without asking the client."""
    extra = kwargs.get("extra_create_args")
    if extra and isinstance(extra, dict) and isinstance(extra.get("model"), str):
        return extra["model"]
    known = getattr(client, "__dict__", {})
    created = known.get("_create_args")
    for model in (
        created.get("model") if isinstance(created, dict) else None,
        known.get("_model_name"),
        known.get("model"),
    ):
        if isinstance(model, str) and model:
            return model
    for name in _INNER:
        inner = known.get(name)
        if depth and inner is not None and hasattr(inner, "create"):
            return model_of(inner, {}, depth - 1)
    return None


def client_makers(core: Core) -> dict[str, Maker]:
    """What wraps the methods of model clients."""
    tap, caught = core.tap, core.caught

    def begin(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Watcher | None:
        run = CURRENT.get()
        if run is None or not tap.active:
            return None
        try:
            caller = core.place_in(run)
            if caller.run is None or caller.calling:
                return None
            messages = args[1] if len(args) > 1 else kwargs.get("messages")
            watcher = CallWatcher(core, args, kwargs, run, caller, messages if messages is not None else ())
        except Exception as error:  # noqa: BLE001  the guard's purpose
            caught("agentchat.model_call", error)
            return None
        try:
            if caller.agent is not None and not caller.internal and _own(caller, watcher.client):
                _inject(watcher, messages)
        except Exception as error:  # noqa: BLE001  the guard's purpose
            caught("agentchat.inject", error)
        return watcher

    def _inject(watcher: CallWatcher, messages: Any) -> None:
        name = watcher.caller.name
        block = tap.compose(watcher.run, name) if name else ""
        if not block or messages is None:
            return
        changed = with_block(messages, block)
        if changed is None:
            return
        if len(watcher.args) > 1:
            watcher.args = (watcher.args[0], changed, *watcher.args[2:])
        else:
            watcher.kwargs = {**watcher.kwargs, "messages": changed}
        watcher.block = block

    return {"create": lambda raw: awaiting(raw, begin), "create_stream": lambda raw: streaming(raw, begin)}


def _own(place: Place, client: Any) -> bool:
    """Whether this is the agent's own call, which gets its block: not what a tool or its machinery asks."""
    if place.execution is not None or place.coding:
        return False
    if place.client is None or place.client is client:
        return True
    return any(value is client for value in getattr(place.agent, "__dict__", {}).values())


def with_block(messages: Sequence[Any], block: str) -> list[Any] | None:
    """A new list in which the first system message is a copy with ``block`` at its end, or one of its own stands at
    the start where there is none. None where the framework's class of system messages is not imported."""
    system = getattr(sys.modules.get("autogen_core.models"), "SystemMessage", None)
    if system is None:
        return None
    out = list(messages)
    for index, message in enumerate(out):
        if isinstance(message, system):
            content = message.content
            text = f"{content}\n\n{block}" if content else block
            out[index] = (
                system(content=text) if type(message) is system else message.model_copy(update={"content": text})
            )
            return out
    return [system(content=block), *out]
