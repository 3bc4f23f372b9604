"""The story in LangGraph: a graph of three agents, of which the worker is a ready-made one with tools."""

from __future__ import annotations

import asyncio
from typing import Any

import story
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, SystemMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langgraph.graph import END as OUT
from langgraph.graph import START, MessagesState, StateGraph
from story import CALLS, END, FOUND, ORDER, PLAN, TASK, look_up, refund


class Scripted(BaseChatModel):
    """Answers from a list."""

    says: list[str]
    at: int = 0
    breaks: bool = False

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **_options: Any) -> Any:
        return self

    def _next(self) -> AIMessage:
        if self.breaks:
            raise story.Broken(story.BROKEN)
        self.at += 1
        says = self.says[self.at - 1]
        calls: Any = [{"name": says, "args": ORDER, "id": says}] if says in CALLS else []
        return AIMessage("" if calls else says, tool_calls=calls)

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **_options: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._next())])


class Streaming(Scripted):
    """Answers word by word."""

    def _stream(self, messages: Any, stop: Any = None, run_manager: Any = None, **_options: Any) -> Any:
        message = self._next()
        if message.tool_calls:
            yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_calls=message.tool_calls))
        for word in str(message.content).split(" "):
            last = str(message.content).endswith(word)
            yield ChatGenerationChunk(message=AIMessageChunk(content=word if last else word + " "))


class Forgiving(AgentMiddleware):
    """Lets the agent see what a tool raised."""

    def wrap_tool_call(self, request: Any, handler: Any) -> Any:
        try:
            return handler(request)
        except ValueError as error:
            return ToolMessage(str(error), tool_call_id=request.tool_call["id"], status="error")

    async def awrap_tool_call(self, request: Any, handler: Any) -> Any:
        try:
            return await handler(request)
        except ValueError as error:
            return ToolMessage(str(error), tool_call_id=request.tool_call["id"], status="error")


def play(mode: str, *, breaks: bool = False) -> None:
    """Play it; ``mode`` is ``sync``, ``async`` or ``stream``; ``breaks``: the models raise."""
    kind = Streaming if mode == "stream" else Scripted
    planner, reviewer = kind(says=[PLAN], breaks=breaks), kind(says=[END])
    worker: Any = create_agent(
        kind(says=[*CALLS, FOUND]), [look_up, refund], name="worker", system_prompt="You are the worker.",
        middleware=[Forgiving()],
    )  # fmt: skip

    def plan(state: MessagesState) -> dict[str, Any]:
        return {"messages": [planner.invoke([SystemMessage("You are the planner."), *state["messages"]])]}

    def review(state: MessagesState) -> dict[str, Any]:
        return {"messages": [reviewer.invoke([SystemMessage("You are the reviewer."), *state["messages"]])]}

    builder = StateGraph(MessagesState)
    builder.add_node("planner", plan)
    builder.add_node("worker", worker)
    builder.add_node("reviewer", review)
    builder.add_edge(START, "planner")
    builder.add_edge("planner", "worker")
    builder.add_edge("worker", "reviewer")
    builder.add_edge("reviewer", OUT)
    graph = builder.compile()
    asked: Any = {"messages": [("user", TASK)]}
    if mode == "async":
        asyncio.run(graph.ainvoke(asked))
    elif mode == "stream":
        for _ in graph.stream(asked, stream_mode="messages", subgraphs=True):
            pass
    else:
        graph.invoke(asked)
