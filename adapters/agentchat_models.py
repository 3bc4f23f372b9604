"""Model calls of AgentChat: what is injected, and what is recorded.

A model client's ``create`` and ``create_stream`` are the last step that all agents share. The block goes into a copy
of the messages there, so no context, state or message of the host ever holds it, and a client that keeps answers
(``ChatCompletionCache``) sees the prompt as it is sent. Clients that are built on others are one call.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ..instrumentation.cost import usage_of
from ..instrumentation.runs import CURRENT
from .agentchat_messages import History
from .agentchat_runs import HISTORIES
from .agentchat_state import PLACE
from .agentchat_streams import Watcher, awaiting, streaming
from .classic_responses import arguments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .agentchat_patching import Maker
    from .agentchat_state import Core, Place

_NOTHING: dict[str, Any] = {}
_INNER = ("client", "_client", "_chat_client")
"""Where clients that are built on others keep them."""

_TOLD = frozenset(("_create_args", "_model_name", "model", *_INNER))
"""Where clients keep which model they ask, or whom they ask instead."""


class CallWatcher(Watcher):
    """Follows one model call.

    Attributes:
        caller: the place from which the model is called.
        messages: the host's messages; block: what was injected into the copy that is sent.
        chunks: the pieces of a streamed answer that have come so far.
        answered: whether the answer was recorded.
    """

    spot = "agentchat.model_call"

    __slots__ = ("answered", "block", "caller", "chunks", "messages")

    def __init__(
        self, core: Core, args: tuple[Any, ...], kwargs: dict[str, Any], caller: Place, messages: Sequence[Any]
    ) -> None:
        # What the base class sets is set here as well: there is one of these for each message.
        self.core = core
        self.args = args
        self.kwargs = kwargs
        self.place = caller.call or caller.in_call()
        self.elapsed = 0
        self.caller = caller
        self.messages = messages
        self.block = ""
        self.chunks: list[str] | None = None
        self.answered = False

    def settle(self, result: Any) -> None:
        """The answer of a call that is not streamed."""
        if isinstance(result, str) or self.answered:
            super().settle(result)
            return
        try:
            if self.core.tap.active:
                self.answered = True
                self._answer(result)
        except Exception as error:  # noqa: BLE001  the guard's purpose
            self.core.caught(self.spot, error)

    def on_item(self, value: Any) -> None:
        """The answer, or a piece of it. The framework takes the last item of a stream for the answer."""
        if self.answered:
            return
        if isinstance(value, str):
            self.chunks = self.chunks or []
            self.chunks.append(value)
            return
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
        self._record(payload, "".join(self.chunks or ()) or None, None, partial=bool(self.chunks))

    def _answer(self, result: Any) -> None:
        try:  # what every client of the framework gives
            content, thought, finish, cached = result.content, result.thought, result.finish_reason, result.cached
            usage = result.usage
            given, made = usage.prompt_tokens, usage.completion_tokens
        except AttributeError:
            content, cached = getattr(result, "content", result), getattr(result, "cached", False)
            usage, thought, finish = (getattr(result, name, None) for name in ("usage", "thought", "finish_reason"))
            given, made = getattr(usage, "prompt_tokens", None), getattr(usage, "completion_tokens", None)
        payload: dict[str, Any] = {}
        text: Any = content
        if content.__class__ is not str:
            if isinstance(content, list):
                calls = [_call(item) for item in content]
                if all(call is not None for call in calls):
                    text = None
                    payload["tool_calls"] = calls
            elif content is not None and not isinstance(content, str):
                text = repr(content)[:10_000]
        if given.__class__ is int and made.__class__ is int:
            payload["usage"] = {"input_tokens": given, "output_tokens": made}
        elif usage is not None and (used := usage_of(usage)):
            payload["usage"] = used
        payload["cached"] = cached is True
        if finish not in ("stop", "function_calls", None):
            payload["finish_reason"] = str(finish)
        self._record(payload, text, thought if isinstance(thought, str) and thought else None)

    def _record(self, payload: dict[str, Any], text: Any, thought: str | None, *, partial: bool = False) -> None:
        caller, recorder = self.caller, self.core.recorder
        model = payload["model"] = model_of(self.args[0], self.kwargs)
        payload["duration_ms"] = round(self.elapsed / 1e6, 3)
        if payload.get("cached"):
            payload["cost_usd"] = 0.0
        elif model and recorder.prices is not None and (usage := payload.get("usage")):
            given, made = usage.get("input_tokens"), usage.get("output_tokens")
            payload["cost_usd"] = recorder.prices.cost(model, given or 0, made or 0)
        if partial:
            payload["partial"] = True
        if caller.internal:
            payload["internal"] = True
            if isinstance(text, str):
                caller.chat.words = text
        run: Any = caller.run
        agent: Any = caller.name  # None where the application asks by itself
        histories: dict[Any, History] = run.scratch.setdefault(HISTORIES, {})
        history = histories.pop(agent, None) or History()  # from here on nobody else's
        recorder.model_call(
            run,
            agent,
            history.read(self.messages),
            payload,
            block=self.block,
            response=text,
            reasoning=thought,
            reader=history,
        )
        histories[agent] = history


def _call(item: Any) -> dict[str, Any] | None:
    """A tool call in an answer; None for what is none."""
    name = getattr(item, "name", None)
    if name is None:
        return None
    return {"id": getattr(item, "id", None), "name": name, "arguments": arguments(getattr(item, "arguments", None))}


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001  a hostile __str__
        return f"<{type(error).__name__} without a message>"


def model_of(client: Any, kwargs: dict[str, Any], depth: int = 3) -> str | None:
    """The model that a client asks, as far as it can be told without asking the client."""
    if "extra_create_args" in kwargs:
        extra = kwargs["extra_create_args"]
        if extra and isinstance(extra, dict) and isinstance(extra.get("model"), str):
            return extra["model"]
    known = getattr(client, "__dict__", _NOTHING)
    if _TOLD.isdisjoint(known):
        return None
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
    current, here = CURRENT.get, PLACE.get

    def begin(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Watcher | None:
        run = current()
        if run is None or not tap.active:
            return None
        try:
            caller = here()
            if caller is None or caller.run is not run:
                caller = core.place_in(run)
            if caller.calling:
                return None
            client: Any = args[0]
            messages = args[1] if len(args) > 1 else kwargs.get("messages")
            watcher = CallWatcher(core, args, kwargs, caller, messages if messages is not None else ())
        except Exception as error:  # noqa: BLE001  the guard's purpose
            caught("agentchat.model_call", error)
            return None
        try:
            name = caller.name
            own = caller.client is client and caller.execution is None and not caller.coding  # nearly always
            if name and not caller.internal and (own or _own(caller, client)):
                block = tap.compose(run, name)
                if block and messages is not None:
                    _inject(watcher, messages, block)
        except Exception as error:  # noqa: BLE001  the guard's purpose
            caught("agentchat.inject", error)
        return watcher

    def _inject(watcher: CallWatcher, messages: Any, block: str) -> None:
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
    if place.client is client:
        return True
    if place.client is None:
        return place.agent is not None
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
