"""Replies, and what people type, in classic AutoGen.

``generate_reply`` is where an agent's turn begins. Called by the application itself, outside any chat, it is a
run of its own (:mod:`.classic_direct`). Only methods that are looked up by name at each call are wrapped: the reply
functions themselves are captured by every agent and compared by identity in ``replace_reply_func``.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from ..instrumentation.runs import CURRENT, Run
from .classic_state import INTERNAL, PLACE, Core, Place, name_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .classic_carry import Carry
    from .classic_direct import Direct
    from .patching import Layer, Maker, Method

_ASKING: ContextVar[Any] = ContextVar("seasoned_classic_asking", default=None)
"""The agent whose human is being asked: an asynchronous override may call the synchronous method."""


class Turns:
    """Follows one reply from its beginning to its end."""

    def __init__(self, core: Core) -> None:
        self.core = core

    def begin(
        self, agent: Any, run: Run, outer: Place, args: tuple[Any, ...], kwargs: dict[str, Any], leaves: bool
    ) -> Place:
        """A reply begins: its turn is counted. Returns its place."""
        core, chat = self.core, outer.chat
        if type(agent) not in core.seen or getattr(agent, "_code_executor", None) is not None:
            core.see(agent)
        place = Place(agent, chat, outer.selection, outer.muted, leaves)
        if core.is_manager(agent) or (outer.selection is not None and agent.name in INTERNAL):
            place.turns = 0
        run.turn += place.turns
        chat.spent = False
        if chat.manager is None:
            sender = args[1] if len(args) > 1 else kwargs.get("sender")
            most = agent._max_consecutive_auto_reply_dict.get(sender, agent._max_consecutive_auto_reply)  # noqa: SLF001
            chat.spent = agent._consecutive_auto_reply_counter.get(sender, 0) >= most  # noqa: SLF001
        elif place.plain and not leaves:
            chat.places[id(agent)] = place
        return place

    def silent(self, agent: Any, run: Run, place: Place, marks: int) -> None:
        """The reply was None. Where it left no trace it was no turn. Never raises."""
        try:
            chat = place.chat
            if agent is chat.manager or (place.selection is not None and agent.name in INTERNAL):
                return
            chat.ended = (agent.name, "limit" if chat.spent else "reply")
            if chat.marks == marks:
                run.turn -= place.turns
        except Exception as trouble:  # noqa: BLE001  the guard's purpose
            self.core.caught("classic.reply", trouble)

    def failed(self, agent: Any, run: Run, error: BaseException) -> None:
        """An exception leaves the reply. Never raises."""
        if isinstance(error, GeneratorExit) or not self.core.tap.active:  # a coroutine that is dropped says nothing
            return
        try:
            self.core.recorder.error(run, name_of(agent), error)
        except Exception as trouble:  # noqa: BLE001  the guard's purpose
            self.core.caught("classic.error", trouble)


def agent_makers(core: Core, carry: Carry, direct: Direct) -> Mapping[str, Maker]:
    """What wraps the methods of ConversableAgent with which it replies."""
    tap, caught = core.tap, core.caught
    current, place_here = CURRENT.get, PLACE.get
    turns = Turns(core)

    def generate_reply(raw: Method, layer: Layer) -> Method:
        def generate_reply(self: Any, *args: Any, **kwargs: Any) -> Any:
            if not tap.active:
                return raw(self, *args, **kwargs)
            if layer.stacked and layer.inside(self):
                return layer.beneath(raw, self, args, kwargs)
            run, place = current(), place_here()
            if run is None or place is None or place.run is not run:
                return direct.reply(raw, self, args, kwargs)
            if place.agent is self:
                return raw(self, *args, **kwargs)
            try:
                chat = place.chat
                mine = chat.places.get(id(self)) if place.plain else None
                if mine is not None:
                    run.turn += mine.turns
                else:
                    mine = turns.begin(self, run, place, args, kwargs, leaves=False)
                marks = chat.marks
            except Exception as error:  # noqa: BLE001  the guard's purpose
                caught("classic.reply", error)
                return raw(self, *args, **kwargs)
            token = PLACE.set(mine)
            try:
                reply = raw(self, *args, **kwargs)
            except BaseException as error:
                turns.failed(self, run, error)
                raise
            finally:
                PLACE.reset(token)
            if reply is None:
                turns.silent(self, run, mine, marks)
            return reply

        return generate_reply

    def a_generate_reply(raw: Method, layer: Layer) -> Method:
        async def a_generate_reply(self: Any, *args: Any, **kwargs: Any) -> Any:
            if not tap.active:
                return await raw(self, *args, **kwargs)
            if layer.stacked and layer.inside(self):
                return await layer.a_beneath(raw, self, args, kwargs)
            run, place = current(), place_here()
            if run is None or place is None or place.run is not run:
                return await direct.a_reply(raw, self, args, kwargs)
            if place.agent is self:
                return await raw(self, *args, **kwargs)
            try:
                mine = turns.begin(self, run, place, args, kwargs, leaves=True)
                marks = place.chat.marks
                carry.leaving(self, mine)
            except Exception as error:  # noqa: BLE001  the guard's purpose
                caught("classic.reply", error)
                return await raw(self, *args, **kwargs)
            token = PLACE.set(mine)
            try:
                reply = await raw(self, *args, **kwargs)
            except BaseException as error:
                turns.failed(self, run, error)
                raise
            finally:
                carry.back(mine)
                core.reset(PLACE, token)
            if reply is None:
                turns.silent(self, run, mine, marks)
            return reply

        return a_generate_reply

    def asked(agent: Any, answer: Any) -> None:
        try:
            run = current()
            if run is not None:
                core.chat_in(run).marks += 1
                core.recorder.record(run, "human_input", name_of(agent), {"content": answer})
        except Exception as error:  # noqa: BLE001  the guard's purpose
            caught("classic.human_input", error)

    def get_human_input(raw: Method, layer: Layer) -> Method:
        def get_human_input(self: Any, *args: Any, **kwargs: Any) -> Any:
            if not tap.active or _ASKING.get() is self:
                return raw(self, *args, **kwargs)
            token = _ASKING.set(self)
            try:
                answer = raw(self, *args, **kwargs)
            finally:
                _ASKING.reset(token)
            asked(self, answer)
            return answer

        return get_human_input

    def a_get_human_input(raw: Method, layer: Layer) -> Method:
        async def a_get_human_input(self: Any, *args: Any, **kwargs: Any) -> Any:
            if not tap.active or _ASKING.get() is self:
                return await raw(self, *args, **kwargs)
            token = _ASKING.set(self)
            try:
                answer = await raw(self, *args, **kwargs)
            finally:
                core.reset(_ASKING, token)
            asked(self, answer)
            return answer

        return a_get_human_input

    return {
        "generate_reply": generate_reply,
        "a_generate_reply": a_generate_reply,
        "get_human_input": get_human_input,
        "a_get_human_input": a_get_human_input,
    }
