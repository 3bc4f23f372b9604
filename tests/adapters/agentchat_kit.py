"""What the tests of the AgentChat adapter share: agents with scripted models, and a recording of their events."""

from __future__ import annotations

import contextlib
import json
import threading
from typing import TYPE_CHECKING, Any

from autogen_agentchat.agents import AssistantAgent, BaseChatAgent
from autogen_agentchat.base import Response
from autogen_agentchat.messages import TextMessage
from autogen_core import FunctionCall
from autogen_core.models import ChatCompletionClient, CreateResult, RequestUsage
from recording_kit import BLOCK as BLOCK
from recording_kit import AdapterRecording

from seasoned.adapters.agentchat import AgentChatAdapter
from seasoned.adapters.agentchat_state import PLACE
from seasoned.instrumentation.runs import CURRENT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


INFO: Any = {
    "family": "unknown",
    "function_calling": True,
    "json_output": True,
    "vision": True,
    "structured_output": True,
    "multiple_system_messages": False,
}


class Scripted(ChatCompletionClient):
    """A model client that answers what its script says.

    An item is a text, an exception to raise, a list of ``(tool, arguments)``, a dictionary of fields of the answer,
    a function of the messages, or a tuple of pieces to stream, of which the last may be an exception. Whatever else
    it is, it is given as it is. ``seen`` keeps every prompt, ``asked`` the messages' objects.
    """

    component_type = "model"

    def __init__(self, items: Any, *, model: str = "scripted", info: dict[str, Any] | None = None) -> None:
        self.items: Any = items if callable(items) else list(items)
        self.model = model
        self.seen: list[list[dict[str, Any]]] = []
        self.asked: list[list[Any]] = []
        self.info = INFO | (info or {})
        self.lock = threading.Lock()

    def _next(self, messages: Any) -> Any:
        with self.lock:
            self.asked.append(list(messages))
            self.seen.append([json.loads(message.model_dump_json()) for message in messages])
            item = self.items if callable(self.items) else self.items.pop(0)
        return item(messages) if callable(item) else item

    def _answer(self, item: Any) -> Any:
        if isinstance(item, BaseException):
            raise item
        usage = RequestUsage(prompt_tokens=10, completion_tokens=5)
        fields: dict[str, Any] = {"finish_reason": "stop", "content": item, "usage": usage, "cached": False}
        if isinstance(item, dict):
            fields |= item
            item = fields["content"]
        if isinstance(item, list):
            fields["finish_reason"] = "function_calls"
            fields["content"] = [
                FunctionCall(id=f"call_{n}", name=name, arguments=a if isinstance(a, str) else json.dumps(a))
                for n, (name, a) in enumerate(item)
            ]
        return CreateResult(**fields) if isinstance(fields["content"], (str, list)) else item

    async def create(self, messages, **_options):
        return self._answer(self._next(messages))

    async def create_stream(self, messages, **_options):
        item = self._next(messages)
        pieces = item if isinstance(item, tuple) else None
        if pieces is not None:
            for piece in pieces:
                if isinstance(piece, BaseException):
                    raise piece
                yield piece
            if pieces[-1:] == ("",):
                return
            item = "".join(pieces)
        elif isinstance(item, str):
            for word in item.split(" "):
                yield word
        yield self._answer(item)

    async def close(self):
        pass

    def actual_usage(self):
        return RequestUsage(prompt_tokens=0, completion_tokens=0)

    def total_usage(self):
        return RequestUsage(prompt_tokens=0, completion_tokens=0)

    def count_tokens(self, messages, **_options):
        return 0

    def remaining_tokens(self, messages, **_options):
        return 1000

    @property
    def capabilities(self):
        return self.info

    @property
    def model_info(self):
        return self.info


def assistant(name: str, items: Any, **options: Any) -> Any:
    """An agent with a scripted model."""
    options.setdefault("system_message", f"You are {name}.")
    options.setdefault("description", f"{name} is an agent.")
    return AssistantAgent(name, Scripted(items), **options)


def client_of(agent: Any) -> Scripted:
    """The scripted model of an agent."""
    return agent._model_client


class Speaker(BaseChatAgent):
    """An agent that says what a function of the messages gives, without any model."""

    def __init__(self, name: str, says: Any) -> None:
        super().__init__(name, f"{name} speaks.")
        self.says = says

    @property
    def produced_message_types(self):
        return (TextMessage,)

    async def on_messages(self, messages, cancellation_token):
        said: Any = self.says(messages) if callable(self.says) else self.says
        return Response(chat_message=TextMessage(content=said, source=self.name))

    async def on_reset(self, cancellation_token):
        pass


def contents(result: Any, source: str | None = None) -> list[Any]:
    """The contents of a result's messages, of one sender or of all."""
    return [message.content for message in result.messages if source is None or message.source == source]


def said(result: Any) -> list[tuple[str, str, Any]]:
    """What an application sees of a result's messages, without what differs from time to time."""
    return [(type(m).__name__, m.source, str(getattr(m, "content", None))) for m in result.messages]


class Recording(AdapterRecording[AgentChatAdapter]):
    """The adapter on a recorder of its own, and the events that came of it."""

    def __init__(self, home: Path) -> None:
        super().__init__(home, AgentChatAdapter())


@contextlib.contextmanager
def recorded(folder: Path) -> Iterator[Recording]:
    """Recording on; whatever of ours fails meanwhile fails the test."""
    recording = Recording(folder / "home")
    with recording.on():
        yield recording
    assert recording.adapter.core is not None
    assert recording.adapter.core.chats == {}
    assert CURRENT.get() is None
    assert PLACE.get() is None


async def drained(stream: Any) -> Any:
    """The last item of a stream."""
    item = None
    async for item in stream:  # noqa: B007
        pass
    return item


class Driver:
    """Calls ``run`` or consumes ``run_stream``, by one name."""

    def __init__(self, mode: str) -> None:
        self.mode = mode

    async def run(self, target: Any, task: Any = "Please solve it for me", **options: Any) -> Any:
        if self.mode == "stream":
            return await drained(target.run_stream(task=task, **options))
        return await target.run(task=task, **options)
