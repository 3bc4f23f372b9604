"""Messages of classic AutoGen, each recorded once.

A message of a group arrives many times: at the manager, in the group's own list, and at every other agent. It is
recorded where it arrives at the manager, for all who will get it. What the manager then passes on is recognised
by being the very object that was appended to the group; the append itself by having been announced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..instrumentation.runs import CURRENT, Run
from .classic_state import INTERNAL, PLACE, Chat, Core, Place, name_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..instrumentation.recorder import Recorder
    from .patching import Layer, Maker, Method

_OWN_ROLES = frozenset(("tool", "function", "system"))
"""Roles that a message brings along. The others depend on the side from which one looks, so whether a model or a
person speaks is told from the sender."""


def agent_makers(core: Core) -> Mapping[str, Maker]:
    """What wraps the methods of ConversableAgent that deal with messages."""
    tap, caught = core.tap, core.caught
    current, place_here = CURRENT.get, PLACE.get

    def received(raw: Method, layer: Layer) -> Method:
        stacked = layer.stacked

        # The arguments, the agent first, are handed on as they come: taking them apart takes longer than the rest.
        def _process_received_message(*args: Any, **kwargs: Any) -> Any:
            result = raw(*args, **kwargs)
            place = place_here()
            # What a manager passes on to its group was recorded when the manager got it. This is the busiest spot
            # of all (once for each member of the group and message), so it is asked first.
            try:
                if place is not None and args[1] is place.relayed:
                    return result
            except IndexError:  # the message is given by name, so it is not a manager's
                pass
            run = current()
            if run is not None and tap.active:
                try:
                    if not (stacked and layer.inside(args[0])):
                        _heard(core, run, place, *args, **kwargs)
                except Exception as error:  # noqa: BLE001  the guard's purpose
                    caught("classic.message", error)
            return result

        return _process_received_message

    return {"_process_received_message": received}


def group_makers(core: Core) -> Mapping[str, Maker]:
    """What wraps the methods of GroupChat that deal with messages."""
    tap, caught = core.tap, core.caught
    current = CURRENT.get

    def append(raw: Method, layer: Layer) -> Method:
        stacked = layer.stacked

        def append(*args: Any, **kwargs: Any) -> Any:
            result = raw(*args, **kwargs)
            run = current()
            if run is not None and tap.active:
                try:
                    if not (stacked and layer.inside(args[0])):
                        _appended(core, run, *args, **kwargs)
                except Exception as error:  # noqa: BLE001  the guard's purpose
                    caught("classic.append", error)
            return result

        return append

    return {"append": append}


def _heard(
    core: Core, run: Run, place: Place | None, receiver: Any, message: Any, sender: Any, *_: Any, **__: Any
) -> None:
    """``receiver`` has got a message."""
    if place is not None and place.run is run:
        if not place.plain and (place.muted or receiver.name in INTERNAL):
            return
        chat = place.chat
    else:
        place = None
        chat = core.chat_in(run)
    managers = core.managers
    if managers[type(sender)]:
        if place is not None and place.agent is sender:
            if message is not place.relayed:
                _told(core, chat, sender, message)
            return
        if chat.opener != sender.name:  # somebody loads a history into the agents through the manager
            return
    if managers[type(receiver)]:
        chat.pending[id(receiver)] = sender
        # members(), but for the call
        recipients = [agent.name for agent in receiver._groupchat.agents if agent is not sender]  # noqa: SLF001
    else:
        recipients = [receiver.name]
    record(core, chat, sender.name, recipients, message, sender)


def _told(core: Core, chat: Chat, manager: Any, message: Any) -> None:
    """The manager says something of its own to one agent after another: introductions, or what a guardrail put
    in a message's place."""
    content = message if isinstance(message, str) else message.get("content")
    told = chat.told.get(id(manager))
    if told is content or told == content:
        return
    chat.told[id(manager)] = content
    record(core, chat, manager.name, members(manager, None), message, manager)


def _appended(core: Core, run: Run, group: Any, message: Any, speaker: Any, *_: Any, **__: Any) -> None:
    """A group's list has got a message: the one that its manager has just received, or one from elsewhere.

    The group does not know its manager, and the manager works on a copy of the group that the application made.
    But only the manager appends while it is the one replying."""
    place = PLACE.get()
    if place is None or place.run is not run:
        place, chat, manager = None, core.chat_in(run), None
    else:
        if place.muted:
            return
        chat, manager = place.chat, place.agent
        place.relayed = message
    announced = chat.pending.pop(id(manager), core)
    if chat.told:
        chat.told.clear()
    if announced is speaker:
        if chat.manager is manager:
            chat.sent += 1
            chat.limit = group.max_round
    elif not core.is_manager(speaker):  # a manager's message comes from the group around this one
        recipients = [agent.name for agent in group.agents if agent is not speaker]
        record(core, chat, name_of(speaker), recipients, message, speaker)


def members(manager: Any, but: Any) -> list[str]:
    """The names of the agents in a manager's group, but for one."""
    return [agent.name for agent in manager._groupchat.agents if agent is not but]  # noqa: SLF001


def record(core: Core, chat: Chat, sender: str, recipients: list[str], message: Any, agent: Any) -> None:
    """Record ``message`` in the chat's run. ``agent`` is who sent it, or None where only the name is known."""
    run = chat.run
    if run is None:
        return
    role = None
    if message.__class__ is str:
        content = message
    else:
        content = message.get("content")
        role = message.get("role")
        if "tool_calls" in message or "function_call" in message:
            chat.calls = _calls(message, sender) or chat.calls
    if chat.resent is not None:
        resent, chat.resent = chat.resent, None
        if content == resent:
            return
    if role not in _OWN_ROLES:
        if agent is None:
            role = role if isinstance(role, str) else "user"
        else:
            speaks = getattr(agent, "client", None) is not None or getattr(agent, "llm_config", None)
            role = "assistant" if speaks else "user"
    chat.latest = (sender, content)
    chat.ended = None
    chat.marks += 1
    if sender == chat.opener and chat.manager is None:
        chat.sent += 1
    # In a chat within a chat the opener stands for the user, whoever it is.
    by_user = role == "user" if run.parent is None else sender == chat.opener
    if by_user and not run.task_substantial and content.__class__ is list:
        _name_task(core.recorder, run, content)
    core.recorder.message(run, sender, recipients, role, content, by_user=by_user)


def _calls(message: Any, sender: str) -> list[tuple[Any, str, str]]:
    """The tool calls in a message, in their order: (id, name, who asked)."""
    found = []
    for call in message.get("tool_calls") or ():
        found.append((call.get("id"), (call.get("function") or {}).get("name", ""), sender))
    call = message.get("function_call")
    if call:
        found.append((message.get("id"), call.get("name", ""), sender))
    return found


def _name_task(recorder: Recorder, run: Run, parts: list[Any]) -> None:
    """The texts among the parts of a multimodal message may name the run's task."""
    text = " ".join(part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str))
    if text.strip():
        recorder.name_task(run, text)
