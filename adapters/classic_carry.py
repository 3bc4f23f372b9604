"""Carrying runs over where classic AutoGen loses the context.

There is no asynchronous model path: ``a_generate_oai_reply`` runs the synchronous one in a thread of a pool, and
since AG2 without the context variables of the task. The model wrapper is told the agent there, but not the run,
and one assistant may be busy in many runs at once. What does arrive in the thread is the very list of message
dictionaries that the reply was begun with. So an asynchronous reply leaves a :class:`Ticket` under the ``id`` of
its last message, which ``_generate_oai_reply_from_client`` shows in the thread. Tickets hold what they name, so
that no ``id`` is used twice meanwhile.

Agents that copy the messages first (multimodal ones) are found by their model wrapper and the content of the last
message. Where more than one run fits, none is taken.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from ..instrumentation.runs import CURRENT, Run
from .classic_state import PLACE, Core, Place, argument

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from .classic_chats import Chats
    from .patching import Layer, Maker, Method


class Ticket:
    """An asynchronous reply that is going on: its run and place, its agent, its model wrapper and its messages."""

    __slots__ = ("agent", "client", "messages", "place", "run")

    def __init__(self, agent: Any, run: Run, place: Place) -> None:
        self.agent = agent
        self.run = run
        self.place = place
        self.client = getattr(agent, "client", None)
        self.messages: list[Any] | None = None


class Carry:
    """The tickets of all asynchronous replies that are going on.

    Attributes:
        waiting: those whose messages are known, by the ``id`` of the last one.
    """

    def __init__(self) -> None:
        self.waiting: dict[int, list[Ticket]] = {}
        self._by_client: dict[int, list[Ticket]] = {}
        self._lock = threading.Lock()

    def leaving(self, agent: Any, place: Place) -> None:
        """``agent`` begins an asynchronous reply."""
        run = place.run
        if run is None:
            return
        ticket = place.ticket = Ticket(agent, run, place)
        if ticket.client is not None:
            with self._lock:
                self._by_client.setdefault(id(ticket.client), []).append(ticket)

    def heading(self, place: Place, messages: Any) -> None:
        """The reply will be made to these messages."""
        ticket = place.ticket
        if ticket is None or not isinstance(messages, list):
            return
        with self._lock:
            if ticket.messages is not None:
                _drop(self.waiting, id(ticket.messages[-1]), ticket)
            # A copy, because the host's own list may grow while this one names its last message.
            ticket.messages = list(messages)
            self.waiting.setdefault(id(messages[-1]), []).append(ticket)

    def back(self, place: Place) -> None:
        """The reply has ended. Never raises."""
        ticket = place.ticket
        if ticket is None:
            return
        place.ticket = None
        with self._lock:
            if ticket.messages is not None:
                _drop(self.waiting, id(ticket.messages[-1]), ticket)
            if ticket.client is not None:
                _drop(self._by_client, id(ticket.client), ticket)

    def expects(self, wrapper: Any) -> bool:
        """Whether any reply that is going on may call this model wrapper."""
        return id(wrapper) in self._by_client

    def by_message(self, agent: Any, message: Any) -> Ticket | None:
        """The reply of ``agent`` to this very message, if only one run has it."""
        with self._lock:
            fitting = [ticket for ticket in self.waiting.get(id(message), ()) if ticket.agent is agent]
        return _only(fitting)

    def by_client(self, wrapper: Any, agent: Any, messages: Any) -> Ticket | None:
        """The reply in which this model wrapper may be called with these messages, if only one run fits.
        ``agent`` is what the call says about it: the agent, its name, or None."""
        with self._lock:
            fitting = list(self._by_client.get(id(wrapper), ()))
        if agent is not None:
            fitting = [ticket for ticket in fitting if agent is ticket.agent or agent == ticket.agent.name]
            if len(fitting) == 1:
                return fitting[0]
        return _only([ticket for ticket in fitting if ticket.messages and _alike(ticket.messages, messages)])


def _only(tickets: list[Ticket]) -> Ticket | None:
    """The first ticket, if all are of one run."""
    return tickets[0] if tickets and all(ticket.run is tickets[0].run for ticket in tickets) else None


def _drop(tickets: dict[int, list[Ticket]], key: int, ticket: Ticket) -> None:
    waiting = tickets.get(key)
    if waiting is not None and ticket in waiting:
        waiting.remove(ticket)
        if not waiting:
            del tickets[key]


def _alike(ours: list[Any], sent: Any) -> bool:
    """Whether ``sent`` may be a formatted copy of ``ours``, after a system message."""
    if not isinstance(sent, list) or len(sent) < len(ours):
        return False
    one, other = ours[-1], sent[-1]
    return one.get("name") == other.get("name") and _text(one.get("content")) == _text(other.get("content"))


def _text(content: Any) -> Any:
    """The texts of a content; of a list, those of its parts."""
    if not isinstance(content, list):
        return content
    texts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
    return texts[0] if len(texts) == 1 else texts


def agent_makers(core: Core, carry: Carry) -> Mapping[str, Maker]:
    """What wraps the methods of ConversableAgent on both sides of the gap."""
    tap, caught = core.tap, core.caught
    current, place_here = CURRENT.get, PLACE.get

    def process_all_messages_before_reply(raw: Method, layer: Layer) -> Method:
        def process_all_messages_before_reply(*args: Any, **kwargs: Any) -> Any:
            messages = raw(*args, **kwargs)
            place = place_here()
            if place is not None and place.leaves and args and place.agent is args[0] and messages:
                try:
                    carry.heading(place, messages)
                except Exception as error:  # noqa: BLE001  the guard's purpose
                    caught("classic.carry", error)
            return messages

        return process_all_messages_before_reply

    def from_client(raw: Method, layer: Layer) -> Method:
        seen = core.seen

        def _generate_oai_reply_from_client(self: Any, *args: Any, **kwargs: Any) -> Any:
            if not tap.active:
                return raw(self, *args, **kwargs)
            ticket = None
            try:
                kind = type(args[0] if args else kwargs.get("llm_client"))
                if kind not in seen:
                    core.prepare_wrapper(kind)
                    seen.add(kind)
                if carry.waiting:
                    messages = argument(args, kwargs, 1, "messages")
                    ticket = carry.by_message(self, messages[-1]) if messages else None
            except Exception as error:  # noqa: BLE001  the guard's purpose
                caught("classic.carry", error)
            if ticket is None or ticket.run is current():
                return raw(self, *args, **kwargs)
            run_token, place_token = CURRENT.set(ticket.run), PLACE.set(ticket.place)
            try:
                return raw(self, *args, **kwargs)
            finally:
                PLACE.reset(place_token)
                CURRENT.reset(run_token)

        return _generate_oai_reply_from_client

    def run_async_in_thread(raw: Method, layer: Layer) -> Method:
        def _run_async_in_thread(self: Any, *args: Any, **kwargs: Any) -> Any:
            run = current()
            if run is None or not tap.active or len(args) != 1 or kwargs:
                return raw(self, *args, **kwargs)
            return raw(self, _carried(args[0], run, place_here()))

        return _run_async_in_thread

    return {
        "process_all_messages_before_reply": process_all_messages_before_reply,
        "_generate_oai_reply_from_client": from_client,
        "_run_async_in_thread": run_async_in_thread,
    }


async def _carried(coroutine: Coroutine[Any, Any, Any], run: Run, place: Place | None) -> Any:
    """``coroutine``, awaited in ``run`` in whatever thread it comes to run."""
    run_token, place_token = CURRENT.set(run), PLACE.set(place)
    try:
        return await coroutine
    finally:
        PLACE.reset(place_token)
        CURRENT.reset(run_token)


def stream_maker(core: Core, chats: Chats) -> Maker:
    """What wraps ``ThreadIOStream.__init__``: ``agent.run()`` makes a stream, then a thread that talks through it."""
    tap, caught = core.tap, core.caught

    def init(raw: Method, _layer: Layer) -> Method:
        def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807  it replaces one
            raw(self, *args, **kwargs)
            try:
                run = CURRENT.get()
                if run is not None and tap.active:
                    chats.streams[self] = (run, PLACE.get())
            except Exception as error:  # noqa: BLE001  the guard's purpose
                caught("classic.stream", error)

        return __init__

    return init
