"""Tales in LangGraph: a graph of three agents, of which the worker is a ready-made one with tools.

The bank is an agent that is invoked within a tool; the user is a node that interrupts the graph, which is resumed.
"""

from __future__ import annotations

import asyncio
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Any

import story
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command, interrupt


class Scripted(BaseChatModel):
    """Does what the tale has for the agent that it was made for."""

    says: list[Any]
    at: int = 0

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **_options: Any) -> Any:
        return self

    def _next(self) -> Any:
        step = self.says[self.at]
        self.at += 1
        if isinstance(step, Exception):
            raise step
        return step

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **_options: Any) -> Any:
        step = self._next()
        if isinstance(step, story.Nonsense):
            return step.value
        message = AIMessage(step) if isinstance(step, str) else AIMessage("", tool_calls=_calls(step))
        return ChatResult(generations=[ChatGeneration(message=message)])


class Streaming(Scripted):
    """Answers word by word."""

    def _stream(self, messages: Any, stop: Any = None, run_manager: Any = None, **_options: Any) -> Any:
        step = self._next()
        if isinstance(step, story.Nonsense):
            yield step.value
        elif isinstance(step, story.Call):
            yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_calls=_calls(step)))
        else:
            for word in story.words(step):
                yield ChatGenerationChunk(message=AIMessageChunk(content=word))


class Forgiving(AgentMiddleware):
    """Lets the agent see what a tool raised."""

    def wrap_tool_call(self, request: Any, handler: Any) -> Any:
        try:
            return handler(request)
        except (ValueError, story.Broken) as error:
            return ToolMessage(str(error), tool_call_id=request.tool_call["id"], status="error")

    async def awrap_tool_call(self, request: Any, handler: Any) -> Any:
        try:
            return await handler(request)
        except (ValueError, story.Broken) as error:
            return ToolMessage(str(error), tool_call_id=request.tool_call["id"], status="error")


def play(mode: str, tale: story.Tale) -> list[Any]:
    """Play it; ``mode`` is ``sync``, ``async`` or ``stream``."""
    kind = Streaming if mode == "stream" else Scripted

    def model(name: str) -> Scripted:
        return kind(says=list(tale.says.get(name, ())))

    def agent(name: str, tools: Any = ()) -> Any:
        return create_agent(
            model(name), list(tools), name=name, system_prompt=f"You are the {name}.", middleware=[Forgiving()]
        )

    inner = agent(story.BANK)

    def ask(task: str) -> str:
        """It helps."""
        return inner.invoke({"messages": [("user", task)]})["messages"][-1].text

    async def a_ask(task: str) -> str:
        """It helps."""
        return (await inner.ainvoke({"messages": [("user", task)]}))["messages"][-1].text

    def alone(name: str) -> Any:
        own = model(name)

        def answer(state: MessagesState) -> dict[str, Any]:
            prompt = [SystemMessage(f"You are the {name}."), *state["messages"]]
            return {"messages": [reduce(add, own.stream(prompt)) if mode == "stream" else own.invoke(prompt)]}

        return answer

    def user(state: MessagesState) -> dict[str, Any]:
        return {"messages": [HumanMessage(interrupt("What shall we do?"), name="user")]}

    bank = tool(story.BANK)(a_ask if mode == "async" else ask)
    builder = StateGraph(MessagesState)
    builder.add_node("planner", alone("planner"))
    builder.add_node("worker", agent("worker", [*tale.tools.values(), bank]))
    builder.add_node("user", user)
    builder.add_node("reviewer", alone("reviewer"))
    for one, other in pairwise((START, "planner", "worker", "user", "reviewer", END)):
        builder.add_edge(one, other)
    graph = builder.compile(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "desk"}}
    content: Any = story.TASK
    if tale.image:
        content = [{"type": "text", "text": story.TASK}, {"type": "image_url", "image_url": {"url": tale.image_link}}]
    seen: list[Any] = []
    for given in ({"messages": [("user", content)]}, Command(resume=story.ANSWER)):
        given: Any
        if mode == "async":
            asyncio.run(story.application(graph.ainvoke(given, config)))
        elif mode == "stream":
            parts: Any = graph.stream(given, config, stream_mode="messages", subgraphs=True)
            seen.extend((part[0].type, part[0].text) for _, part in parts)
        else:
            graph.invoke(given, config)
    messages = graph.get_state(config).values["messages"]
    return [*seen, *((message.type, message.name, message.content) for message in messages)]


def _calls(step: story.Call) -> Any:
    return [{"name": step.tool, "args": dict(step.arguments), "id": step.tool}]
