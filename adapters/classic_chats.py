"""Where runs of classic AutoGen begin, go on and end.

The outermost ``initiate_chat`` is a run; one inside it is a child run; one that the application wraps in
``seasoned.run`` belongs to that run. An outermost ``receive`` is a run as well, because chats can be driven by hand
with ``send``, which calls it.
A conversation whose history is kept goes on in its run until that is judged or has rested too long
(:meth:`Sessions.last`); then it goes on in a new run of the same session.

Why a chat has ended is told from what happened last, never by asking the application's own predicates again.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, NamedTuple

from ..instrumentation.runs import CURRENT, Run
from .classic_state import FRAMEWORK, INTERNAL, PLACE, Chat, Core, Place, argument, group_of, name_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextvars import Token

    from .patching import Layer, Maker, Method

_MAX_TURNS = 4
"""Position of ``max_turns`` among the arguments of ``initiate_chat``, the recipient being 0."""


class Frame(NamedTuple):
    """A chat that was entered: what must be undone when it is left."""

    chat: Chat
    run: Run
    owned: bool
    opener: Any
    partner: Any
    current: Token[Run | None]
    place: Token[Place | None]


class Sessions:
    """The last run of each conversation: of two agents, or of a group's manager. Agents are held weakly."""

    def __init__(self) -> None:
        self._groups = weakref.WeakKeyDictionary[Any, Run]()
        self._pairs = weakref.WeakKeyDictionary[Any, weakref.WeakKeyDictionary[Any, Run]]()

    def last(self, core: Core, opener: Any, partner: Any) -> Run | None:
        """The last run of this conversation, or None."""
        try:
            for manager in (partner, opener):
                if core.is_manager(manager):
                    return self._groups.get(manager)
            return self._pairs.get(opener, {}).get(partner)
        except TypeError:  # an agent that cannot be held weakly, or not be hashed
            return None

    def keep(self, core: Core, opener: Any, partner: Any, run: Run) -> None:
        """``run`` is the last one of this conversation."""
        try:
            for manager in (partner, opener):
                if core.is_manager(manager):
                    self._groups[manager] = run
                    return
            for one, other in ((opener, partner), (partner, opener)):
                self._pairs.setdefault(one, weakref.WeakKeyDictionary())[other] = run
        except TypeError:
            return


class Chats:
    """Enters and leaves chats."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.sessions = Sessions()
        self.streams = weakref.WeakKeyDictionary[Any, tuple[Run, Place | None]]()
        self.stream_here: Any = None

    # -- entering --------------------------------------------------------------------------------------------

    def enter(self, opener: Any, partner: Any, *, clear: bool, limit: int | None = None) -> Frame | None:
        """Begin a chat, in a run of its own or in the one that is going on; None where it is to be left alone."""
        core = self.core
        run, place = CURRENT.get(), PLACE.get()
        if (
            partner is None
            or opener is None
            or (place is not None and place.selection is not None and name_of(opener) in INTERNAL)
        ):
            return None
        core.see_all(opener, partner)
        if run is None:
            run, place = self._carried()
            if run is None and not core.tap.takes(opener, partner):
                return None
        last = self.sessions.last(core, opener, partner)
        inside = place is not None and place.run is run and place.agent is not None
        if run is not None and run.explicit and not inside:
            owned = False
            run.framework = run.framework or FRAMEWORK
        else:
            owned = True
            kept = not clear and self._has_history(opener, partner)
            run = self._run(run, last if kept else None, opener, partner)
        manager = partner if core.is_manager(partner) else None
        chat = Chat(run, name_of(opener), name_of(partner), manager=manager, limit=limit if manager is None else None)
        self._resumed(run, chat, opener, partner, known=last is run)
        self.sessions.keep(core, opener, partner, run)
        return Frame(chat, run, owned, opener, partner, CURRENT.set(run), PLACE.set(Place(None, chat)))

    def _run(self, parent: Run | None, last: Run | None, opener: Any, partner: Any) -> Run:
        """The run of a chat: ``last`` again if this goes on with it, else a new one."""
        recorder = self.core.recorder
        if last is not None and self.goes_on(last, parent):
            recorder.resume(last)
            return last
        session = last.session_id if last is not None and parent is None else None
        names = [name_of(opener)]
        group = self._group(opener, partner)
        names += [name_of(agent) for agent in group.agents] if group is not None else [name_of(partner)]
        return recorder.begin(framework=FRAMEWORK, session_id=session, parent=parent, agents=names)

    def goes_on(self, last: Run, parent: Run | None) -> bool:
        """:meth:`.Run.goes_on` for ``last``, with the time that a conversation may rest here."""
        return last.goes_on(parent, self.core.tap.idle_ns)

    def _group(self, opener: Any, partner: Any) -> Any:
        for agent in (partner, opener):
            if self.core.is_manager(agent):
                return group_of(agent)
        return None

    def _has_history(self, opener: Any, partner: Any) -> bool:
        group = self._group(opener, partner)
        if group is not None:
            return bool(group.messages)
        # The partner's side, because what is being sent is in the opener's already.
        return bool(getattr(partner, "_oai_messages", {}).get(opener))

    def _carried(self) -> tuple[Run | None, Place | None]:
        """The run that the thread of ``agent.run()`` was started in."""
        stream = self.stream_here() if self.stream_here is not None else None
        if stream is None or not self.streams:
            return None, None
        run, place = self.streams.get(stream, (None, None))
        return (run, place) if run is not None and run.finished is None else (None, None)

    def _resumed(self, run: Run, chat: Chat, opener: Any, partner: Any, *, known: bool) -> None:
        """Tell that the group's history was loaded again before this chat, and recognise the message that it
        goes on with, where it was recorded in this very run (``known``)."""
        for agent in (partner, opener):
            note = self.core.notes.pop(agent, None) if self.core.is_manager(agent) else None
            if note is None:
                continue
            earlier, message = note
            content = f"{earlier} earlier message{'s' * (earlier != 1)}"
            self.core.recorder.record(run, "context_snapshot", None, {"reason": "resumed", "content": content})
            if known and isinstance(message, dict):
                chat.resent = message.get("content")

    # -- leaving ---------------------------------------------------------------------------------------------

    def leave(self, frame: Frame, error: BaseException | None) -> None:
        """End a chat that was entered; ``error`` is what leaves it, if anything does. Never raises."""
        try:
            PLACE.reset(frame.place)
            CURRENT.reset(frame.current)
        except Exception as trouble:  # noqa: BLE001  a coroutine that is finished elsewhere than it was begun
            self.core.caught("classic.leave", trouble)
        if not self.core.tap.active:  # switched off meanwhile
            return
        try:
            if error is not None:
                self._failed(frame, error)
            elif frame.owned:
                self.core.recorder.finish(frame.run, self.reason(frame))
        except Exception as trouble:  # noqa: BLE001  the guard's purpose
            self.core.caught("classic.finish", trouble)

    def _failed(self, frame: Frame, error: BaseException) -> None:
        """An exception leaves the chat."""
        from_agents = frame.run.last_error is error
        self.core.recorder.error(frame.run, None, error)
        if frame.owned:
            self.close_failed(frame.run, error, from_agents=from_agents)

    def close_failed(self, run: Run, error: BaseException, *, from_agents: bool) -> None:
        """End a run that an exception ends. It speaks against the agents only where it came out of a reply
        (``from_agents``): how the application calls the framework says nothing about them."""
        if from_agents and not run.judged:
            from ..instrumentation.outcomes import classify_exception

            if classify_exception(error) == "failure":
                run.outcome(False, source="exception")
        self.core.recorder.finish(run, "exception", error_type=type(error).__name__)
        run.last_error = None  # its traceback would keep everything alive as long as the conversation

    def reason(self, frame: Frame) -> str:
        """Why the chat has ended."""
        chat = frame.chat
        ended = chat.ended
        if chat.manager is not None:
            if ended is not None:
                return f"no next speaker after {ended[0]}" if ended[1] == "speaker" else f"no reply by {ended[0]}"
            if chat.limit is not None and chat.sent >= chat.limit:
                return f"maximum rounds ({chat.limit}) reached"
            return f"termination condition of {chat.partner} met"
        if chat.limit is not None:
            if chat.sent >= chat.limit:
                return f"maximum turns ({chat.limit}) reached"
            if ended is None or ended[0] != chat.opener:
                return self._broken_off(frame)
        if ended is None:
            return "message sent"
        agent, how = ended
        return f"maximum consecutive auto replies of {agent} reached" if how == "limit" else f"{agent} ended the chat"

    def _broken_off(self, frame: Frame) -> str:
        """Why the opener stopped before its last turn without being asked for a reply."""
        counter = getattr(frame.opener, "_consecutive_auto_reply_counter", {}).get(frame.partner, 0)
        most = getattr(frame.partner, "_max_consecutive_auto_reply", None)
        if most is not None and counter >= most:
            return f"maximum consecutive auto replies of {frame.chat.opener} reached"
        return f"termination condition of {frame.chat.partner} met"


def agent_makers(core: Core, chats: Chats) -> Mapping[str, Maker]:
    """What wraps the methods of ConversableAgent that begin a conversation."""
    tap, caught = core.tap, core.caught
    current, place_here = CURRENT.get, PLACE.get

    def enter_chat(opener: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Frame | None:
        try:
            limit = argument(args, kwargs, _MAX_TURNS, "max_turns")
            return chats.enter(
                opener,
                argument(args, kwargs, 0, "recipient"),
                clear=bool(argument(args, kwargs, 1, "clear_history", True)),
                limit=limit if isinstance(limit, int) else None,
            )
        except Exception as error:  # noqa: BLE001  the guard's purpose
            caught("classic.initiate_chat", error)
            return None

    def enter_receive(receiver: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Frame | None:
        try:
            return chats.enter(argument(args, kwargs, 1, "sender"), receiver, clear=False)
        except Exception as error:  # noqa: BLE001  the guard's purpose
            caught("classic.receive", error)
            return None

    def initiate_chat(raw: Method, layer: Layer) -> Method:
        def initiate_chat(self: Any, *args: Any, **kwargs: Any) -> Any:
            if not tap.active:
                return raw(self, *args, **kwargs)
            if layer.stacked and layer.inside(self):
                return layer.beneath(raw, self, args, kwargs)
            frame = enter_chat(self, args, kwargs)
            if frame is None:
                return raw(self, *args, **kwargs)
            try:
                result = raw(self, *args, **kwargs)
            except BaseException as error:
                chats.leave(frame, error)
                raise
            chats.leave(frame, None)
            return result

        return initiate_chat

    def a_initiate_chat(raw: Method, layer: Layer) -> Method:
        async def a_initiate_chat(self: Any, *args: Any, **kwargs: Any) -> Any:
            if not tap.active:
                return await raw(self, *args, **kwargs)
            if layer.stacked and layer.inside(self):
                return await layer.a_beneath(raw, self, args, kwargs)
            frame = enter_chat(self, args, kwargs)
            if frame is None:
                return await raw(self, *args, **kwargs)
            try:
                result = await raw(self, *args, **kwargs)
            except BaseException as error:
                chats.leave(frame, error)
                raise
            chats.leave(frame, None)
            return result

        return a_initiate_chat

    def receive(raw: Method, layer: Layer) -> Method:
        def outside(self: Any, *args: Any, **kwargs: Any) -> Any:
            if layer.stacked and layer.inside(self):
                return layer.beneath(raw, self, args, kwargs)
            frame = enter_receive(self, args, kwargs)
            if frame is None:
                return raw(self, *args, **kwargs)
            try:
                result = raw(self, *args, **kwargs)
            except BaseException as error:
                chats.leave(frame, error)
                raise
            chats.leave(frame, None)
            return result

        # Within a chat, which is nearly always, the arguments are handed on as they come, the agent among them.
        def receive(*args: Any, **kwargs: Any) -> Any:
            place = place_here()
            if (place is not None and place.run is current()) or not tap.active:
                return raw(*args, **kwargs)
            return outside(*args, **kwargs)

        return receive

    def a_receive(raw: Method, layer: Layer) -> Method:
        async def a_receive(self: Any, *args: Any, **kwargs: Any) -> Any:
            place = place_here()
            if (place is not None and place.run is current()) or not tap.active:
                return await raw(self, *args, **kwargs)
            if layer.stacked and layer.inside(self):
                return await layer.a_beneath(raw, self, args, kwargs)
            frame = enter_receive(self, args, kwargs)
            if frame is None:
                return await raw(self, *args, **kwargs)
            try:
                result = await raw(self, *args, **kwargs)
            except BaseException as error:
                chats.leave(frame, error)
                raise
            chats.leave(frame, None)
            return result

        return a_receive

    return {
        "initiate_chat": initiate_chat,
        "a_initiate_chat": a_initiate_chat,
        "receive": receive,
        "a_receive": a_receive,
    }


def manager_makers(core: Core) -> Mapping[str, Maker]:
    """What wraps the methods of GroupChatManager that load a history into the group again."""
    tap, caught = core.tap, core.caught

    def note(manager: Any, result: Any) -> None:
        try:
            message = result[1] if isinstance(result, tuple) and len(result) == 2 else None
            core.notes[manager] = (len(manager._groupchat.messages), message)  # noqa: SLF001
        except Exception as error:  # noqa: BLE001  the guard's purpose
            caught("classic.resume", error)

    def muted() -> Place:
        return Place(None, Chat(CURRENT.get()), None, muted=True)

    def resume(raw: Method, layer: Layer) -> Method:
        def resume(self: Any, *args: Any, **kwargs: Any) -> Any:
            if not tap.active:
                return raw(self, *args, **kwargs)
            if layer.stacked and layer.inside(self):
                return layer.beneath(raw, self, args, kwargs)
            token = PLACE.set(muted())
            try:
                result = raw(self, *args, **kwargs)
            finally:
                PLACE.reset(token)
            note(self, result)
            return result

        return resume

    def a_resume(raw: Method, layer: Layer) -> Method:
        async def a_resume(self: Any, *args: Any, **kwargs: Any) -> Any:
            if not tap.active:
                return await raw(self, *args, **kwargs)
            if layer.stacked and layer.inside(self):
                return await layer.a_beneath(raw, self, args, kwargs)
            token = PLACE.set(muted())
            try:
                result = await raw(self, *args, **kwargs)
            finally:
                PLACE.reset(token)
            note(self, result)
            return result

        return a_resume

    return {"resume": resume, "a_resume": a_resume}
