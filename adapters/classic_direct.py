"""Replies that the application asks for itself, outside any chat: ``agent.generate_reply(messages=[...])``.

Each is a run: the last message that came in, the model call, the reply. Applications that keep the history
themselves hand the whole of it over every time; a call whose messages begin with those of an earlier one goes on
with its conversation, in the same run until that is judged, and only what is new in it is recorded.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, NamedTuple

from ..instrumentation.runs import CURRENT, Run
from .classic_messages import members, record
from .classic_state import FRAMEWORK, PLACE, Chat, Core, Place, argument, name_of
from .classic_turns import Turns

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextvars import Token

    from .classic_carry import Carry
    from .classic_chats import Chats
    from .patching import Method

TALKS = 16
"""How many conversations that the application keeps itself are remembered for each agent."""


class Talk(NamedTuple):
    """A conversation that the application keeps: its run, the messages up to the last call, and the reply."""

    run: Run
    messages: list[Any]
    reply: Any


class Frame(NamedTuple):
    """A reply that was begun: what must be undone when it has ended."""

    run: Run
    place: Place
    owned: bool
    other: str
    messages: list[Any] | None
    tokens: tuple[Token[Run | None], Token[Place | None]]


class Direct:
    """Records replies outside any chat."""

    def __init__(self, core: Core, chats: Chats, carry: Carry) -> None:
        self.core = core
        self.chats = chats
        self.carry = carry
        self.turns = Turns(core)
        self._talks = weakref.WeakKeyDictionary[Any, list[Talk]]()

    def reply(self, raw: Method, agent: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """``agent.generate_reply``, recorded."""
        frame = self._begin(agent, args, kwargs, leaves=False)
        if frame is None:
            return raw(agent, *args, **kwargs)
        try:
            reply = raw(agent, *args, **kwargs)
        except BaseException as error:
            self._end(agent, frame, None, error)
            raise
        self._end(agent, frame, reply, None)
        return reply

    async def a_reply(
        self, raw: Callable[..., Awaitable[Any]], agent: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """``agent.a_generate_reply``, recorded."""
        frame = self._begin(agent, args, kwargs, leaves=True)
        if frame is None:
            return await raw(agent, *args, **kwargs)
        try:
            reply = await raw(agent, *args, **kwargs)
        except BaseException as error:
            self._end(agent, frame, None, error)
            raise
        self._end(agent, frame, reply, None)
        return reply

    # -- beginning -------------------------------------------------------------------------------------------

    def _begin(self, agent: Any, args: tuple[Any, ...], kwargs: dict[str, Any], *, leaves: bool) -> Frame | None:
        try:
            return self._begun(agent, args, kwargs, leaves)
        except Exception as error:  # noqa: BLE001  the guard's purpose
            self.core.caught("classic.generate_reply", error)
            return None

    def _begun(self, agent: Any, args: tuple[Any, ...], kwargs: dict[str, Any], leaves: bool) -> Frame | None:
        core = self.core
        core.see_all(agent)
        sender = argument(args, kwargs, 1, "sender")
        messages = argument(args, kwargs, 0, "messages")
        if messages is None and sender is not None:
            messages = agent._oai_messages.get(sender)  # noqa: SLF001
        if not isinstance(messages, list) or not messages:
            return None
        run = CURRENT.get()
        if run is None and not core.tap.takes(agent, sender):
            return None
        talk = self._talk(agent, messages) if sender is None else None
        owned = run is None
        if run is None:
            run = self._run(talk, agent, sender, messages[-1])
        else:
            run.framework = run.framework or FRAMEWORK
        manager = agent if core.is_manager(agent) else None
        loose = run.scratch.get(FRAMEWORK)
        chat = loose if loose is not None and manager is None else Chat(run, manager=manager)
        other = self._incoming(chat, talk if talk is not None and talk.run is run else None, agent, sender, messages)
        outer = Place(None, chat)
        place = self.turns.begin(agent, run, outer, args, kwargs, leaves)
        if leaves:
            self.carry.leaving(agent, place)
        tokens = CURRENT.set(run), PLACE.set(place)
        return Frame(run, place, owned, other, list(messages) if sender is None else None, tokens)

    def _run(self, talk: Talk | None, agent: Any, sender: Any, last: Any) -> Run:
        recorder = self.core.recorder
        if talk is not None and self.chats.goes_on(talk.run, None):
            recorder.resume(talk.run)
            return talk.run
        names = [_sender(sender, last), name_of(agent)]
        session = talk.run.session_id if talk is not None else None
        return recorder.begin(framework=FRAMEWORK, session_id=session, agents=names)

    def _talk(self, agent: Any, messages: list[Any]) -> Talk | None:
        """The conversation that these messages go on with."""
        for talk in reversed(self._talks.get(agent, ())):
            before = len(talk.messages)
            if len(messages) > before and messages[:before] == talk.messages:
                return talk
        return None

    def _incoming(self, chat: Chat, talk: Talk | None, agent: Any, sender: Any, messages: list[Any]) -> str:
        """Record what is new in the messages; the name of whom the agent replies to."""
        fresh = messages[len(talk.messages) :] if talk is not None else messages[-1:]
        if talk is not None and len(fresh) > 1 and _content(fresh[0]) == _content(talk.reply):
            fresh = fresh[1:]  # the application has put our own reply into its history
        if talk is None and chat.run is not None and len(messages) > 1 and sender is None:
            earlier = len(messages) - 1
            content = f"{earlier} earlier message{'s' * (earlier != 1)}"
            self.core.recorder.record(chat.run, "context_snapshot", None, {"reason": "given", "content": content})
        for message in fresh:
            name = _sender(sender, message)
            if chat.latest is not None and chat.latest[0] == name and chat.latest[1] is _content(message):
                continue  # it was sent by hand and recorded when it arrived
            if chat.manager is agent:
                recipients = members(agent, sender)
                chat.pending[id(agent)] = sender
            else:
                recipients = [name_of(agent)]
            record(self.core, chat, name, recipients, message, sender)
        return _sender(sender, messages[-1])

    # -- ending ----------------------------------------------------------------------------------------------

    def _end(self, agent: Any, frame: Frame, reply: Any, error: BaseException | None) -> None:
        core = self.core
        self.carry.back(frame.place)
        core.reset(PLACE, frame.tokens[1])
        core.reset(CURRENT, frame.tokens[0])
        if not core.tap.active:  # switched off meanwhile
            return
        try:
            if error is not None:
                self._failed(agent, frame, error)
                return
            if reply is not None:
                record(core, frame.place.chat, name_of(agent), [frame.other], reply, agent)
            if frame.messages is not None:
                talks = self._talks.setdefault(agent, [])
                talks[:] = [talk for talk in talks if talk.run is not frame.run][1 - TALKS :]
                talks.append(Talk(frame.run, frame.messages, reply))
            if frame.owned:
                name = name_of(agent)
                core.recorder.finish(frame.run, f"reply by {name}" if reply is not None else f"no reply by {name}")
        except Exception as trouble:  # noqa: BLE001  the guard's purpose
            core.caught("classic.generate_reply", trouble)

    def _failed(self, agent: Any, frame: Frame, error: BaseException) -> None:
        core, run = self.core, frame.run
        core.recorder.error(run, name_of(agent), error)
        if frame.owned:
            self.chats.close_failed(run, error, from_agents=True)


def _sender(sender: Any, message: Any) -> str:
    """Who sent a message: the agent that was given, else the name in it, else ``user``."""
    if sender is not None:
        return name_of(sender)
    name = message.get("name") if isinstance(message, dict) else None
    return name if isinstance(name, str) and name else "user"


def _content(message: Any) -> Any:
    return message.get("content") if isinstance(message, dict) else message
