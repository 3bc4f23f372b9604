"""What is wrapped in LangChain: the last step before a model's client, where the block goes in.

Callbacks are called further out, so no tracer, state, checkpoint or output ever holds the block; LangChain's response
cache is asked further in, so it sees the prompt as it is sent. Which agent it is follows from the call's id. The
streaming methods are called without it, hence the call that began last in this context is noted
(:data:`STARTED`).

``BaseChatModel._stream`` and ``_astream`` themselves are never wrapped: whether a model can stream is found out by
comparing its methods with those.
"""

from __future__ import annotations

import inspect
import threading
from contextvars import ContextVar
from sys import modules
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ..instrumentation.runs import CURRENT, LATEST
from .langchain_state import WATCHDOG, Core, Memory, ModelCall, key, watchdog
from .patching import subclasses

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..instrumentation.runs import Run
    from .patching import Method, Patches

STARTED: ContextVar[Any] = ContextVar("seasoned_langchain_started", default=None)
"""The id of the chat model call that began last here; None where several began at once."""

STREAMS = ("_stream", "_astream", "_stream_chat_model_events", "_astream_chat_model_events")
"""The methods with which a chat model streams, each wrapped in every class that overrides it."""

_CALLBACKS = 4
"""Position of ``callbacks`` among the arguments of ``BaseTool.run`` and ``arun``, the input being 0."""


class Injection:
    """Puts blocks into model calls. Nothing in it raises."""

    def __init__(self, core: Core, patches: Patches) -> None:
        self.core = core
        self.patches = patches
        self.base: Any = None
        self.seen: set[type] = set()
        self._lock = threading.Lock()

    def into(self, run_id: Any, messages: Any) -> Any:
        """The messages of the call of this id with its agent's block in a copy of them; as they are otherwise."""
        core = self.core
        call = core.nodes.get(run_id.int if run_id.__class__ is UUID else run_id)
        if not isinstance(call, ModelCall) or call.spent or not core.tap.active:
            return messages
        call.spent = True
        run = call.scope.run
        if run is None or not call.own:
            return messages
        try:
            block = composed(core, run, call.agent) if WATCHDOG in modules else core.tap.compose(run, call.agent)
            if not block:
                return messages
            changed = _changed(call, messages, block)
        except Exception as error:  # noqa: BLE001  the guard's purpose
            core.caught("langchain.inject", error)
            return messages
        call.block = block
        return changed

    # -- classes of models -----------------------------------------------------------------------------------

    def wrap_models(self, base: Any) -> None:
        """Wrap ``BaseChatModel`` and what is derived from it."""
        self.base = base
        wrap = self.patches.wrap
        wrap(base, "_generate_with_cache", self._generating)
        wrap(base, "_agenerate_with_cache", self._generating)
        wrap(base, "_convert_input", self._preparing)
        wrap(base, "agenerate", telling(self.core))  # it ends its calls in tasks of their own
        for kind in list(subclasses(base)):
            self.prepare(kind)

    def prepare(self, kind: type) -> None:
        """Wrap the streaming methods that models of this class use. Quick for a class that was seen before."""
        if kind in self.seen:
            return
        with self._lock:
            lineage = kind.__mro__
            above = lineage[: lineage.index(self.base)] if self.base in lineage else ()
            for owner in above:
                for name in STREAMS:
                    if name in owner.__dict__:
                        self.patches.wrap(owner, name, self._streaming)
                for name in ("_generate_with_cache", "_agenerate_with_cache"):
                    if name in owner.__dict__:
                        self.patches.wrap(owner, name, self._generating)
            self.seen.add(kind)

    def _meet(self, kind: type) -> None:
        """A model of a class that is not prepared yet is called."""
        if self.core.tap.active:
            self.core.tap.guard.call("langchain.prepare", self.prepare, kind)

    def _preparing(self, raw: Method) -> Method:
        """The first thing that every call of a model does: by then its class must be wrapped."""

        seen = self.seen

        def _convert_input(self_: Any, *args: Any, **kwargs: Any) -> Any:
            if self_.__class__ not in seen:
                self._meet(type(self_))
            return raw(self_, *args, **kwargs)

        return _convert_input

    def _generating(self, raw: Method) -> Method:
        into, seen = self.into, self.seen

        def _generate_with_cache(self_: Any, messages: Any, *args: Any, **kwargs: Any) -> Any:
            if self_.__class__ not in seen:
                self._meet(type(self_))
            manager = kwargs.get("run_manager") or (args[1] if len(args) > 1 else None)
            return raw(self_, into(getattr(manager, "run_id", None), messages), *args, **kwargs)

        async def _agenerate_with_cache(self_: Any, messages: Any, *args: Any, **kwargs: Any) -> Any:
            if self_.__class__ not in seen:
                self._meet(type(self_))
            manager = kwargs.get("run_manager") or (args[1] if len(args) > 1 else None)
            return await raw(self_, into(getattr(manager, "run_id", None), messages), *args, **kwargs)

        return _agenerate_with_cache if inspect.iscoroutinefunction(raw) else _generate_with_cache

    def _streaming(self, raw: Method) -> Method:
        into = self.into

        def plain(self_: Any, messages: Any, *args: Any, **kwargs: Any) -> Any:
            return raw(self_, into(STARTED.get(), messages), *args, **kwargs)

        def generator(self_: Any, messages: Any, *args: Any, **kwargs: Any) -> Any:
            return (yield from raw(self_, into(STARTED.get(), messages), *args, **kwargs))

        async def asynchronous(self_: Any, messages: Any, *args: Any, **kwargs: Any) -> Any:
            stream = raw(self_, into(STARTED.get(), messages), *args, **kwargs)
            try:
                async for chunk in stream:
                    yield chunk
            finally:
                await stream.aclose()

        if inspect.isasyncgenfunction(raw):
            return asynchronous
        return generator if inspect.isgeneratorfunction(raw) else plain


def composed(core: Core, run: Run, agent: str) -> str:
    """The block of an agent in a run."""
    switch = watchdog()
    if switch is None:
        return core.tap.compose(run, agent)
    switch.value = True
    try:
        return core.tap.compose(run, agent)
    finally:
        switch.value = False


def _changed(call: ModelCall, messages: Any, block: str) -> list[Any]:
    """:func:`with_block`, without making again what was made for the agent's last call, and without looking again for
    a system message among messages that had none."""
    memory, agent = call.scope.memory, call.agent
    out = list(messages)
    if out and out[0].type == "system":
        out[0] = system_with(memory, agent, out[0], block)
        return out
    count, first, last = memory.bare.get(agent, (0, None, None))
    if count > len(out) or (count and (out[0] is not first or out[count - 1] is not last)):
        count = 0
    for place in range(count, len(out)):
        if out[place].type == "system":
            out[place] = system_with(memory, agent, out[place], block)
            return out
    if out:
        memory.bare[agent] = len(out), out[0], out[-1]
    out.insert(0, system_with(memory, agent, None, block))
    return out


def system_with(memory: Memory, agent: str, system: Any, block: str) -> Any:
    """A copy of a system message, or a new one where there is none, with the block. For the same message as at the
    agent's last call it is the same copy again."""
    content = system.content if system is not None else None
    known = memory.systems.get(agent)
    if known is not None and known[0] is system and known[1] is content and known[2] == block:
        return known[3]
    copied = with_block([system] if system is not None else [], block)[0]
    if not isinstance(content, list):  # which may change inside
        memory.systems[agent] = system, content, block, copied
    return copied


def with_block(messages: Any, block: str) -> list[Any]:
    """``messages`` with ``block`` at the end of the first system message, or in one of its own at the start. A new
    list in which only that message is another object."""
    out = list(messages)
    for place, message in enumerate(out):
        if message.type == "system":
            content = message.content
            if isinstance(content, list):
                changed: Any = [*content, {"type": "text", "text": block}]
            else:
                changed = f"{content}\n\n{block}" if content else block
            out[place] = message.model_copy(update={"content": changed})
            return out
    from langchain_core.messages import SystemMessage

    return [SystemMessage(content=block), *out]


# -- what else is wrapped ----------------------------------------------------------------------------------------


def noting(core: Core) -> Callable[[Method], Method]:
    """The maker of the wrapper of ``on_chat_model_start``, of either callback manager: notes the call."""

    def make(raw: Method) -> Method:
        def on_chat_model_start(*args: Any, **kwargs: Any) -> Any:
            managers = raw(*args, **kwargs)
            if core.tap.active:
                STARTED.set(managers[0].run_id if len(managers) == 1 else None)
            return managers

        async def on_chat_model_start_async(*args: Any, **kwargs: Any) -> Any:
            managers = await raw(*args, **kwargs)
            if core.tap.active:
                STARTED.set(managers[0].run_id if len(managers) == 1 else None)
            return managers

        return on_chat_model_start_async if inspect.iscoroutinefunction(raw) else on_chat_model_start

    return make


def telling(core: Core) -> Callable[[Method], Method]:
    """The maker of the wrapper of what ends an asynchronous run: callbacks are called in a context of their own, so
    the run that has ended must be made the latest one here, for ``seasoned.current()``."""

    def make(raw: Method) -> Method:
        async def ending(self: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                return await raw(self, *args, **kwargs)
            finally:
                run = core.recent.get(key(getattr(self, "run_id", None) or STARTED.get()))
                if run is not None:
                    LATEST.set(run)

        return ending

    return make


def entering(core: Core) -> Callable[[Method], Method]:
    """The maker of the wrapper of a tool's ``run`` and ``arun``: what it does itself, with another framework perhaps,
    belongs to the run that it is called in."""

    def run_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        callbacks = kwargs.get("callbacks") or (args[_CALLBACKS] if len(args) > _CALLBACKS else None)
        node = core.find(getattr(callbacks, "parent_run_id", None))
        run = node.scope.run if node is not None and core.tap.active else None
        return run if run is not CURRENT.get() else None

    def make(raw: Method) -> Method:
        def sync(self: Any, *args: Any, **kwargs: Any) -> Any:
            run = run_of(args, kwargs)
            if run is None:
                return raw(self, *args, **kwargs)
            token = CURRENT.set(run)
            try:
                return raw(self, *args, **kwargs)
            finally:
                CURRENT.reset(token)

        async def asynchronous(self: Any, *args: Any, **kwargs: Any) -> Any:
            run = run_of(args, kwargs)
            if run is None:
                return await raw(self, *args, **kwargs)
            token = CURRENT.set(run)
            try:
                return await raw(self, *args, **kwargs)
            finally:
                try:
                    CURRENT.reset(token)
                except ValueError:  # closed in another context than it was begun in
                    pass

        return asynchronous if inspect.iscoroutinefunction(raw) else sync

    return make
