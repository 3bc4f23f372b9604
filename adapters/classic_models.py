"""Model calls of classic AutoGen: what is injected, and what is recorded.

``OpenAIWrapper.create`` is the last step before the client that all model calls share. The block goes into a copy
of the messages there, so no history and no agent ever holds it, and the host's response cache, which is asked
further in, sees the prompt as it is sent.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from ..instrumentation.prompts import with_block
from ..instrumentation.runs import CURRENT, Run
from .classic_responses import answer_of, cost_of, model_of, reader, usage_in
from .classic_state import INTERNAL, PLACE, Core, Place, argument, name_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .classic_carry import Carry
    from .patching import Layer, Maker, Method

_clock = time.perf_counter_ns
_TEXT = (str, list, type(None))
"""What a block can be appended to."""


class Call:
    """A model call that is going on.

    Attributes:
        agent: for whom, or None where nobody says so.
        messages: the host's messages; config: what is handed on, with the block in it.
        internal: whether the framework itself asks, to select a speaker.
        injects: whether it is the agent's own call, which gets its block: not what its machinery asks of others.
    """

    __slots__ = (
        "agent", "block", "config", "injects", "internal", "messages", "place", "run", "started", "wrapper",
    )  # fmt: skip

    def __init__(self, wrapper: Any, run: Run, place: Place | None, config: dict[str, Any]) -> None:
        if place is not None and place.run is not run:
            place = None
        self.wrapper = wrapper
        self.run = run
        self.place = place
        self.config = config
        self.block = ""
        messages = config.get("messages")
        listed = isinstance(messages, list)
        if listed:
            self.messages: list[dict[str, Any]] = messages
        else:
            prompt = config.get("prompt")
            self.messages = [{"role": "user", "content": prompt}] if prompt is not None else []
        agent = config.get("agent")
        own = agent is not None
        if not own and place is not None:
            agent = place.agent
            own = getattr(agent, "client", None) is wrapper
        name = self.agent = name_of(agent) if agent is not None else None
        internal = self.internal = place is not None and place.selection is not None and name in INTERNAL
        self.injects = own and listed and not internal
        self.started = 0


class Models:
    """Injects into model calls and records them. Nothing in it raises."""

    def __init__(self, core: Core, carry: Carry) -> None:
        self.core = core
        self.carry = carry
        self.here = threading.local()

    def find(self, wrapper: Any, config: dict[str, Any]) -> tuple[Run, Place] | None:
        """The run of a call from a thread that has lost the context; None where that is not certain."""
        try:
            agent = config.get("agent")
            ticket = self.carry.by_client(wrapper, agent, config.get("messages"))
            if ticket is not None:
                return ticket.run, ticket.place
            if agent is not None or self.carry.expects(wrapper):
                self.core.unattributed += 1
        except Exception as error:  # noqa: BLE001  the guard's purpose
            self.core.caught("classic.carry", error)
        return None

    def begin(self, wrapper: Any, run: Run, place: Place | None, config: dict[str, Any]) -> Call | None:
        """A call begins; its ``config`` has the agent's block in it."""
        call = None
        try:
            call = Call(wrapper, run, place, config)
            if call.injects:
                self._inject(call)
        except Exception as error:  # noqa: BLE001  the guard's purpose
            self.core.caught("classic.model_call" if call is None else "classic.inject", error)
            if call is None:
                return None
        self.here.cached = False
        call.started = _clock()
        return call

    def _inject(self, call: Call) -> None:
        if call.agent is None:
            return
        for message in call.messages:
            if message.get("role") == "system":
                if isinstance(message.get("content"), _TEXT):
                    break
                return  # it may be a function, to which nothing can be appended
        block = self.core.tap.compose(call.run, call.agent)
        if block:
            text = block if not _is_template(call) else block.replace("{", "{{").replace("}", "}}")
            call.config = {**call.config, "messages": with_block(call.messages, text)}
            call.block = block

    def done(self, call: Call, response: Any) -> None:
        """The call has been answered."""
        elapsed = _clock() - call.started
        try:
            read = reader(response)
            text, tool_calls, reasoning = answer_of(response, read)
            model = model_of(read, call.wrapper, call.config)
            usage = usage_in(response, read)
            cached = bool(self.here.cached)
            payload: dict[str, Any] = {
                "model": model,
                "cost_usd": 0.0 if cached else cost_of(read, model, usage, self.core.recorder.prices),
                "cached": cached,
                "duration_ms": round(elapsed / 1e6, 3),
            }
            if usage:
                payload["usage"] = usage
            if tool_calls:
                payload["tool_calls"] = tool_calls
            if call.internal:
                payload["internal"] = True
                if call.place is not None and call.place.selection is not None and isinstance(text, str):
                    call.place.selection.words = text
            self._record(call, payload, text, reasoning)
        except Exception as error:  # noqa: BLE001  the guard's purpose
            self.core.caught("classic.model_call", error)

    def failed(self, call: Call, error: BaseException) -> None:
        """The call has failed."""
        elapsed = _clock() - call.started
        try:
            payload: dict[str, Any] = {
                "model": model_of(None, call.wrapper, call.config),
                "error_type": type(error).__name__,
                "error": str(error),
                "duration_ms": round(elapsed / 1e6, 3),
            }
            if call.internal:
                payload["internal"] = True
            self._record(call, payload, None, None)
        except Exception as trouble:  # noqa: BLE001  the guard's purpose
            self.core.caught("classic.model_call", trouble)

    def _record(self, call: Call, payload: dict[str, Any], response: Any, reasoning: Any) -> None:
        if call.place is not None:
            call.place.chat.marks += 1
        agent: Any = call.agent
        self.core.recorder.model_call(
            call.run, agent, call.messages, payload, block=call.block, response=response, reasoning=reasoning
        )


def _is_template(call: Call) -> bool:
    """Whether the wrapper will take the messages for ``str.format`` templates, in which braces mean something."""
    config = call.config
    if not config.get("context"):
        return False
    listed = getattr(call.wrapper, "_config_list", None) or ()
    return bool(config.get("allow_format_str_template")) or any(
        isinstance(entry, dict) and entry.get("allow_format_str_template") for entry in listed
    )


def wrapper_makers(core: Core, carry: Carry) -> Mapping[str, Maker]:
    """What wraps the methods of OpenAIWrapper, and of whatever else an agent has as its client."""
    tap = core.tap
    current, place_here = CURRENT.get, PLACE.get
    models = Models(core, carry)

    def create(raw: Method, layer: Layer) -> Method:
        def create(self: Any, *args: Any, **config: Any) -> Any:
            if not tap.active:
                return raw(self, *args, **config)
            if layer.stacked and layer.inside(self):
                return layer.beneath(raw, self, args, config)
            run, place = current(), place_here()
            if run is None:
                found = models.find(self, config)
                if found is None:
                    return raw(self, *args, **config)
                run, place = found
            call = models.begin(self, run, place, config)
            if call is None:
                return raw(self, *args, **config)
            try:
                response = raw(self, *args, **call.config)
            except BaseException as error:
                models.failed(call, error)
                raise
            models.done(call, response)
            return response

        return create

    def update_usage(raw: Method, layer: Layer) -> Method:
        def _update_usage(self: Any, *args: Any, **kwargs: Any) -> Any:
            # A response from the cache counts towards the total, but not towards what was actually used.
            actual = args[0] if args else kwargs.get("actual_usage")
            models.here.cached = actual is None and argument(args, kwargs, 1, "total_usage") is not None
            return raw(self, *args, **kwargs)

        return _update_usage

    return {"create": create, "_update_usage": update_usage}
