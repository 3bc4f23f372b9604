"""What the tests of the LangChain adapter share: scripted models, and a recording of what came of them."""

from __future__ import annotations

import asyncio
import json
import threading
import warnings
from typing import TYPE_CHECKING, Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what the oldest versions have to say about their own parts
    import langgraph.prebuilt

import langchain.agents
import langchain_core.runnables
import langchain_core.tools
import langgraph.graph
import pytest
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import ConfigDict
from recording_kit import BLOCK as BLOCK
from recording_kit import AdapterRecording

from seasoned.adapters.langchain import LangChainAdapter

if TYPE_CHECKING:
    from pathlib import Path

USAGE = {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}


# What the frameworks' annotations are too narrow for.
create_agent: Any = langchain.agents.create_agent
RunnableLambda: Any = langchain_core.runnables.RunnableLambda
StateGraph: Any = langgraph.graph.StateGraph
tool: Any = langchain_core.tools.tool


# -- scripted models ---------------------------------------------------------------------------------------------


class Script:
    """What a model answers: one item after another, or what a function makes of the messages.

    An item is a text, an exception to raise, a message, or a list of ``(tool, arguments)``. ``seen`` keeps every
    prompt that reached the model.
    """

    def __init__(self, items: Any) -> None:
        self.items: Any = items if callable(items) else list(items)
        self.seen: list[list[tuple[str, Any]]] = []
        self.lock = threading.Lock()
        self.count = 0

    def answer(self, messages: list[Any]) -> AIMessage:
        with self.lock:
            self.seen.append([(message.type, message.content) for message in messages])
            item = None if callable(self.items) else self.items.pop(0)
        if callable(self.items):
            item = self.items(messages)
        if isinstance(item, BaseException):
            raise item
        if isinstance(item, AIMessage):
            return item.model_copy(deep=True)
        calls = []
        if isinstance(item, list):
            with self.lock:
                for name, given in item:
                    self.count += 1
                    calls.append({"name": name, "args": given, "id": f"call_{self.count}"})
            item = ""
        return AIMessage(content=item, tool_calls=calls, usage_metadata=USAGE)  # type: ignore[arg-type]


class Scripted(BaseChatModel):
    """A chat model that does not stream."""

    model_config = ConfigDict(arbitrary_types_allowed=True)
    script: Any
    model: str = "scripted"

    @property
    def _llm_type(self) -> str:
        return "scripted"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.model}

    def bind_tools(self, tools, **options):
        return self.bind(tools=[getattr(tool, "name", str(tool)) for tool in tools])

    def _generate(self, messages, stop=None, run_manager=None, **options):
        return ChatResult(generations=[ChatGeneration(message=self.script.answer(messages))])


class Streaming(Scripted):
    """One that streams its text word by word; ``breaks`` is raised after so many words."""

    breaks: Any = None
    after: int = 2

    def _chunks(self, messages):
        message = self.script.answer(messages)
        words = message.content.split(" ") if isinstance(message.content, str) else []
        if not words:
            yield ChatGenerationChunk(message=AIMessageChunk(content=message.content))
        for place, word in enumerate(words):
            if self.breaks is not None and place == self.after:
                raise self.breaks
            yield ChatGenerationChunk(message=AIMessageChunk(content=word if place == 0 else f" {word}"))
        calls: Any = [
            {"name": call["name"], "args": json.dumps(call["args"]), "id": call["id"], "index": place}
            for place, call in enumerate(message.tool_calls)
        ]
        yield ChatGenerationChunk(
            message=AIMessageChunk(
                content="" if words else [], tool_call_chunks=calls, usage_metadata=message.usage_metadata
            )
        )

    def _stream(self, messages, stop=None, run_manager=None, **options):
        yield from self._chunks(messages)


class AsyncStreaming(Streaming):
    """One with asynchronous methods of its own."""

    async def _astream(self, messages, stop=None, run_manager=None, **options):
        for chunk in self._chunks(messages):
            await asyncio.sleep(0)
            yield chunk

    async def _agenerate(self, messages, stop=None, run_manager=None, **options):
        await asyncio.sleep(0)
        return self._generate(messages)


def model(*items: Any, kind: Any = None, **options: Any) -> Any:
    """A scripted model: ``model("one", "two")`` or ``model(function)``."""
    script = Script(items[0] if len(items) == 1 and callable(items[0]) else items)
    return (kind or AsyncStreaming)(script=script, **options)


# -- driving -----------------------------------------------------------------------------------------------------


class Driver:
    """Calls a runnable in one of its ways and gives its last output."""

    MODES = ("invoke", "ainvoke", "stream", "astream", "messages", "events")

    def __init__(self, mode: str) -> None:
        self.mode = mode

    def __repr__(self) -> str:
        return self.mode

    @property
    def asynchronous(self) -> bool:
        return self.mode in ("ainvoke", "astream", "events")

    def __call__(self, runnable: Any, inputs: Any, config: Any = None) -> Any:
        """Its output; for the streaming modes the list of what came."""
        if self.mode == "invoke":
            return runnable.invoke(inputs, config)
        if self.mode == "ainvoke":
            return asyncio.run(_awaited(runnable.ainvoke, inputs, config))
        if self.mode == "stream":
            return list(runnable.stream(inputs, config))
        if self.mode == "astream":
            return asyncio.run(_collected(runnable.astream, inputs, config))
        if self.mode == "messages":
            if hasattr(runnable, "nodes"):
                return list(runnable.stream(inputs, config, stream_mode=["messages", "values"]))
            return list(runnable.stream(inputs, config))
        return asyncio.run(_collected(runnable.astream_events, inputs, config, version="v2"))


async def _awaited(function: Any, *args: Any) -> Any:
    return await function(*args)


async def _collected(function: Any, *args: Any, **options: Any) -> list[Any]:
    return [item async for item in function(*args, **options)]


@pytest.fixture(name="driver", params=("invoke", "ainvoke", "stream", "astream"))
def driving(request):
    """Calls a runnable in each of its ways."""
    return Driver(request.param)


# -- recording ---------------------------------------------------------------------------------------------------


class Recording(AdapterRecording[LangChainAdapter]):
    """The adapter on a recorder of its own, and the events that came of it."""

    def __init__(self, home: Path) -> None:
        super().__init__(home, LangChainAdapter())

    def written(self) -> str:
        """All that is on disk."""
        return "".join(
            path.read_text(errors="replace") for path in self.recorder.writer.home.rglob("*") if path.is_file()
        )


@pytest.fixture(name="recording")
def recorded(tmp_path):
    """The adapter, installed for one test, and everything that it records."""
    recording = Recording(tmp_path / "home")
    with recording.on():
        yield recording
