"""The machinery of AgentChat's teams: who speaks next and why, and how a turn reaches its agent.

Participants live in containers and are chosen by a manager; all of them get their messages from a runtime. Message
handlers are captured by each container when it is made, so the method below them is wrapped, which is looked up for
every message. The conversation is told by the address that the message goes to, since the runtime may have been
started in another context.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..instrumentation.runs import CURRENT
from .agentchat_messages import HANDOFF, is_a, said, source_of
from .agentchat_state import MUTED, PLACE, Chat, Core, Place
from .classic_state import argument

if TYPE_CHECKING:
    from ..instrumentation.runs import Run
    from .agentchat_patching import Maker
    from .patching import Method

_REQUEST = "GroupChatRequestPublish"
_MANAGED = frozenset(("GroupChatStart", "GroupChatAgentResponse", "GroupChatTeamResponse"))
"""The messages at which a manager decides something. The others are only passed on, and come often."""

_TELLING = frozenset(("selector", "handoff"))
"""Ways of choosing of which there is more to tell than their name."""


class _Kinds(dict[tuple[type, type], "bool | None"]):
    """For the class of whoever gets a message and the class of the message, whether it asks a participant for its
    turn (True), or is one at which a manager decides something (False); None for all others. Remembered, because
    every message comes by, once for each member of the team."""

    def __missing__(self, kinds: tuple[type, type]) -> bool | None:
        target, message = kinds
        if hasattr(target, "select_speaker"):
            found = False if message.__name__ in _MANAGED else None
        else:
            found = True if message.__name__ == _REQUEST else None
        self[kinds] = found
        return found


class Teams:
    """Tells the place of whoever gets a message, and records who is chosen. Nothing in it raises."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self._chat = core.chats.get

    def place(self, target: Any, asks: bool) -> Place | None:
        """Where the handling of a message happens; None where it makes no difference."""
        try:
            chat = self._chat(target.id.key)
            if chat is None or (run := chat.run) is None:
                return MUTED
            member = target._agent if asks else target  # noqa: SLF001
            place = chat.asked.get(id(member)) or self._first(chat, member, asks)
            if asks:  # for its turn
                name, announced = place.name or "", chat.announced
                if name in announced:
                    announced.discard(name)
                else:  # a manager with a way of its own to choose
                    self.core.recorder.transition(run, chat.speaker, name, chat.method)
                if place.inner:
                    run.turn += 1
        except Exception as error:  # noqa: BLE001  the guard's purpose
            self.core.caught("agentchat.message", error)
            return None
        return place

    def _first(self, chat: Chat, member: Any, asks: bool) -> Place:
        """The place of a participant or manager that gets its first message."""
        if asks:
            place = Place(chat, member, member.name, asked=True)
            place.inner = not hasattr(member, "on_messages_stream")
        else:
            place = Place(chat, member, getattr(member, "_name", None), internal=True)
        chat.asked[id(member)] = place
        return place

    def failed(self, place: Place, error: BaseException) -> None:
        """What a participant raises has come out of its reply, or is what the framework says of it: no final
        response, a message of a kind that nobody knows. What a manager raises is nobody's reply."""
        run, chat = place.run, place.chat
        if run is None or chat.failure is not None or isinstance(error, GeneratorExit) or not self.core.tap.active:
            return
        try:
            self.core.recorder.error(run, None if place.internal else place.name, error)
            chat.failed(error, by_agent=not place.internal)
        except Exception as trouble:  # noqa: BLE001  the guard's purpose
            self.core.caught("agentchat.error", trouble)

    def chosen(self, run: Run, chat: Chat, chosen: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """The next speakers are known. Several have the same one before them."""
        try:
            reason = chat.method
            if reason in _TELLING:
                reason = _reason(chat, args, kwargs)
            for name in (chosen,) if isinstance(chosen, str) else chosen:
                if name in chat.members:
                    chat.announced.add(name)
                    self.core.recorder.transition(run, chat.speaker, name, reason)
        except Exception as error:  # noqa: BLE001  the guard's purpose
            self.core.caught("agentchat.transition", error)

    def said(self, place: Place, messages: Any) -> None:
        """A manager of the kind that talks may have put words of its own into the conversation."""
        run, chat = place.run, place.chat
        if run is None or not self.core.tap.active:
            return
        try:
            for message in messages or ():
                if source_of(message) == place.name and hasattr(message, "to_model_text"):
                    chat.speaker = source_of(message)
                    payload = {
                        "recipients": list(chat.members),
                        "role": "assistant",
                        "content": said(message),
                        "internal": True,
                    }
                    self.core.recorder.record(run, "message", place.name, payload)
        except Exception as error:  # noqa: BLE001  the guard's purpose
            self.core.caught("agentchat.manager", error)


def _reason(chat: Chat, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Why somebody was chosen where there is more to tell: the model's words, or the application's function."""
    method = chat.method
    if method == "selector":
        if chat.words:
            return f"selector: {chat.words}"
        manager: Any = argument(args, kwargs, 0, "self")
        function = getattr(manager, "_selector_func", None) or getattr(manager, "_candidate_func", None)
        return getattr(function, "__name__", None) or method
    thread = argument(args, kwargs, 1, "thread") or ()
    return method if any(is_a(message, HANDOFF) for message in thread) else "first speaker"


def machine_makers(core: Core) -> dict[str, Maker]:
    """What wraps the method by which containers and managers get every message."""
    tap, kinds, teams = core.tap, _Kinds(), Teams(core)
    current, set_current, reset_current = CURRENT.get, CURRENT.set, CURRENT.reset
    set_place, reset_place = PLACE.set, PLACE.reset

    def on_message_impl(raw: Method) -> Method:
        async def on_message_impl(*args: Any, **kwargs: Any) -> Any:
            try:
                asks = kinds[args[0].__class__, args[1].__class__]
            except IndexError:  # the message is given by name
                asks = kinds[args[0].__class__, kwargs.get("message").__class__]
            if asks is None or not tap.active or (place := teams.place(args[0], asks)) is None:
                return await raw(*args, **kwargs)
            run = set_current(place.run) if place.run is not current() else None
            token = set_place(place)
            try:
                return await raw(*args, **kwargs)
            except BaseException as error:
                teams.failed(place, error)
                raise
            finally:
                try:
                    reset_place(token)
                    if run is not None:
                        reset_current(run)
                except ValueError:  # a coroutine that is dropped may finish in another context: nothing to undo
                    pass

        return on_message_impl

    return {"on_message_impl": on_message_impl}


def manager_makers(core: Core) -> dict[str, Maker]:
    """What wraps the methods of managers."""
    tap, teams = core.tap, Teams(core)
    current, here = CURRENT.get, PLACE.get

    def select_speaker(raw: Method) -> Method:
        async def select_speaker(*args: Any, **kwargs: Any) -> Any:
            place = here()
            if place is None or place.agent is not args[0] or (run := place.run) is not current():
                return await raw(*args, **kwargs)
            chat = place.chat
            if chat.selecting or not tap.active:
                return await raw(*args, **kwargs)
            chat.selecting = True
            chat.words = ""
            try:
                chosen = await raw(*args, **kwargs)
            finally:
                chat.selecting = False
            if run is not None and tap.active:
                teams.chosen(run, chat, chosen, args, kwargs)
            return chosen

        return select_speaker

    def update_message_thread(raw: Method) -> Method:
        async def update_message_thread(*args: Any, **kwargs: Any) -> Any:
            place = here()
            if place is not None and place.chat.talks and place.agent is args[0] and place.run is current():
                teams.said(place, argument(args, kwargs, 1, "messages"))
            return await raw(*args, **kwargs)

        return update_message_thread

    return {"select_speaker": select_speaker, "update_message_thread": update_message_thread}
