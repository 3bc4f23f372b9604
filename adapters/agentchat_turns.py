"""Turns of AgentChat's agents, and what people type.

A team asks an agent for its turn by calling ``on_messages_stream`` (:mod:`.agentchat_teams`). The same call made by
the application itself is a run (:mod:`.agentchat_runs`), and one that another agent or a tool makes is a child run.
An agent's ``run`` and ``run_stream`` come through here as well.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ..instrumentation.runs import CURRENT, Run
from .agentchat_messages import MEMORY, is_a, said, source_of
from .agentchat_runs import CLOSED, Runs
from .agentchat_state import PLACE, USER, Chat, Core, Place
from .agentchat_streams import Watcher, awaiting, streaming
from .classic_state import argument

if TYPE_CHECKING:
    from .agentchat_patching import Maker
    from .patching import Method

PEOPLE = "UserProxyAgent"
"""The framework's agent that stands for a person."""


class TurnWatcher(Watcher):
    """Follows one reply of an agent.

    Attributes:
        own: the run that begins and ends with this reply, or None within a team or a run of the application's.
        asker: whom a single agent replies to.
        replied: whether the reply was recorded.
    """

    spot = "agentchat.turn"
    timed = False

    __slots__ = ("asker", "own", "replied", "runs")

    def __init__(
        self,
        runs: Runs,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        place: Place,
        own: Run | None,
        asker: str | None,
    ) -> None:
        # What the base class sets is set here as well: there is one of these for each message.
        self.core = runs.core
        self.args = args
        self.kwargs = kwargs
        self.place = place
        self.runs = runs
        self.own = own
        self.asker = asker
        self.replied = False

    def on_item(self, value: Any) -> None:
        """The reply is the last item; it ends a run of its own before the application sees it."""
        reply, place = getattr(value, "chat_message", None), self.place
        if reply is None or place is None:
            if place is not None and type(value).__name__ == MEMORY:
                _remembered(self.core, place, value)
            return
        if self.replied:
            return
        self.replied = True
        name = place.name or ""
        role, recipients = place.replies or self._replies(place, name)
        try:
            self.runs.message(place.chat, name, [*recipients], role, reply, role == "user")
        finally:
            if self.own is not None:
                self.runs.finish(self.own, f"reply by {name}")

    def _replies(self, place: Place, name: str) -> tuple[str, list[str]]:
        """In which role an agent replies, and to whom: the same every time."""
        recipients = place.chat.others(name) if self.asker is None else [self.asker]
        place.replies = _role(place.agent), recipients
        return place.replies

    def on_done(self, error: BaseException | None) -> None:
        """The reply has ended, or failed."""
        if error is None and (self.own is None or self.replied):
            return
        place = self.place
        if not self.active or place is None or place.run is None:
            return
        if error is not None:
            chat = place.chat
            cause = chat.cause(error)
            self.core.recorder.error(place.run, place.name, error)
            chat.failed(error, by_agent=True)
            if self.own is not None and not self.replied:
                self.runs.fail(self.own, chat, cause, owned=True)
        elif self.own is not None:
            self.runs.finish(self.own, f"no reply by {place.name}")

    def on_closed(self) -> None:
        """The reply was given up."""
        if self.active and self.own is not None and not self.replied:
            self.runs.finish(self.own, CLOSED)


class InnerWatcher(Watcher):
    """Follows the stream with which an agent works out a reply that is followed already. What its memory adds is
    seen only there."""

    __slots__ = ("outer",)

    timed = False

    def __init__(self, core: Core, args: tuple[Any, ...], kwargs: dict[str, Any], outer: Place) -> None:
        super().__init__(core, "agentchat.turn", args, kwargs, None)
        self.outer = outer

    def on_item(self, value: Any) -> None:
        """An event of the agent's."""
        if type(value).__name__ == MEMORY:
            _remembered(self.core, self.outer, value)


def _remembered(core: Core, place: Place, event: Any) -> None:
    """An agent's memory has added something to its context. The event passes each stream on its way."""
    if place.run is None or event is place.chat.remembered:
        return
    place.chat.remembered = event
    content = "\n\n".join(str(said(found)) for found in event.content)
    core.recorder.record(place.run, "context_snapshot", place.name, {"reason": "memory", "content": content})


def _role(agent: Any) -> str:
    """A person's role is the user's; everybody else is an assistant."""
    return "user" if is_a(agent, PEOPLE) else "assistant"


def _belated() -> bool:
    """Whether a team's participant is at work whose turn had begun before recording was on. Its address tells: it
    ends with the team's identifier."""
    context = getattr(sys.modules.get("autogen_core._message_handler_context"), "MessageHandlerContext", None)
    if context is None:
        return False
    try:
        address = context.agent_id()
    except RuntimeError:  # the application calls the agent itself
        return False
    return address.type.endswith(f"_{address.key}")


def agent_makers(core: Core, runs: Runs, see: Any) -> dict[str, Maker]:
    """What wraps the methods of agents. ``see`` is told of each class of model clients that is no client's."""
    tap, caught = core.tap, core.caught
    current, here = CURRENT.get, PLACE.get

    def begin(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Watcher | None:
        if not tap.active:
            return None
        try:
            agent, outer = args[0], here()
            if outer is not None and outer.run is current():
                run = outer.run
                if run is None:
                    return None
                if outer.agent is agent:
                    if outer.asked:
                        place = outer.turn or _first_turn(outer)
                        run.turn += 1
                        return TurnWatcher(runs, args, kwargs, place, None, None)
                    if outer.execution is None:
                        return InnerWatcher(core, args, kwargs, outer)
                if outer.name == agent.name and outer.execution is None:
                    # An agent that passes its own turn on to another one, as MessageFilterAgent does.
                    return Watcher(core, "agentchat.turn", args, kwargs, Place(outer.chat, agent, agent.name))
            elif outer is None and (_belated() or (CURRENT.get() is None and not tap.takes(agent))):
                return None
            return _alone(agent, args, kwargs)
        except Exception as error:  # noqa: BLE001  the guard's purpose
            caught("agentchat.turn", error)
            return None

    def _first_turn(asked: Place) -> Place:
        place = asked.turn = Place(asked.chat, asked.agent, asked.agent.name)
        see(place.client)
        return place

    def _alone(agent: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Watcher:
        messages = argument(args, kwargs, 1, "messages")
        messages = [message for message in messages or () if hasattr(message, "content")]
        asker = source_of(messages[-1]) if messages else USER
        run, owned = runs.enter(agent, [asker, agent.name])
        chat = Chat(run, None, [agent.name])
        place = Place(chat, agent, agent.name)
        see(place.client)
        runs.given(chat, messages)
        run.turn += 1
        return TurnWatcher(runs, args, kwargs, place, run if owned else None, asker)

    def replying(raw: Method) -> Method:
        return awaiting(raw, begin)

    def replying_stream(raw: Method) -> Method:
        return streaming(raw, begin)

    def forgetting(raw: Method) -> Method:
        return awaiting(raw, runs.forget)

    return {
        "on_messages": replying,
        "on_messages_stream": replying_stream,
        "on_reset": forgetting,
        "load_state": forgetting,
    }


def person_makers(core: Core) -> dict[str, Maker]:
    """What wraps the method with which UserProxyAgent asks its person."""

    class Asked(Watcher):
        __slots__ = ()

        def on_item(self, value: Any) -> None:
            place = core.here()
            run = CURRENT.get()
            if run is not None and not (place is not None and place.run is None):
                core.recorder.record(run, "human_input", getattr(self.args[0], "name", None), {"content": value})

    def begin(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Watcher | None:
        return Asked(core, "agentchat.human_input", args, kwargs, None) if core.tap.active else None

    return {"_get_input": lambda raw: awaiting(raw, begin)}
