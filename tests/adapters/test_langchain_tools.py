"""Tools: calls and results, each once, and failures as failures."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("langgraph")
pytest.importorskip("langchain.agents")

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import ToolException
from langchain_kit import Driver, StateGraph, driving, model, recorded, tool  # noqa: F401
from langchain_scenarios import ASK, SCENARIOS, add, agent, boom
from langgraph.graph import START, MessagesState
from langgraph.prebuilt import ToolNode


def results(recording) -> list:
    return [
        (event.payload["tool"], event.payload["ok"], event.payload["content"], event.payload.get("error_type"))
        for event in recording.of("tool_result")
    ]


def test_calls_and_results(recording, driver):
    SCENARIOS["one_agent"](driver)
    (call,) = recording.of("tool_call")
    assert (call.agent, call.payload["tool"], call.payload["call_id"]) == ("bot", "add", "call_1")
    assert call.payload["arguments"] == {"a": 1, "b": 2}
    (result,) = recording.of("tool_result")
    assert (result.agent, result.payload["call_id"], result.payload["ok"]) == ("bot", "call_1", True)
    assert result.payload["content"] == "3"
    assert result.payload["duration_ms"] >= 0


def test_several_at_once(recording, driver):
    SCENARIOS["several_calls_at_once"](driver)
    called = {event.payload["call_id"]: event.payload["arguments"] for event in recording.of("tool_call")}
    assert called == {"call_1": {"a": 1, "b": 2}, "call_2": {"a": 3, "b": 4}, "call_3": {"x": 1}}
    got = {event.payload["call_id"]: event.payload["content"] for event in recording.of("tool_result")}
    assert got == {"call_1": "3", "call_2": "7", "call_3": "took 1"}


def test_a_tool_that_raises(recording, driver):
    SCENARIOS["tool_raises"](driver)
    assert results(recording) == [("boom", False, None, "ValueError")]
    assert recording.of("tool_result")[0].payload["error"] == "the tool exploded at 7"


def test_an_error_that_is_handled_is_one_failing_result(recording, driver):
    SCENARIOS["tool_errors_are_handled"](driver)
    assert results(recording) == [("boom", False, None, "ValueError")]
    assert recording.of("error", "outcome") == []


def test_calls_that_cannot_be_executed(recording, driver):
    SCENARIOS["wrong_calls"](driver)
    (nothing, unfit) = results(recording)
    assert nothing == ("nothing", False, "Error: nothing is not a valid tool, try one of [picky].", "ToolNotFound")
    assert unfit[1::2] == (False, "ValidationError")
    assert [event.payload["tool"] for event in recording.of("tool_call")] == ["nothing", "picky"]


def test_errors_that_the_tool_itself_handles(recording, driver):
    @tool
    def fail() -> str:
        """Fail."""
        raise ToolException("not today")

    fail.handle_tool_error = True
    driver(agent("bot", [("fail", {})], "I see", tools=[fail]), ASK)
    assert results(recording) == [("fail", False, "not today", "ToolException")]


def test_a_tool_that_hands_over(recording, driver):
    SCENARIOS["handed_off_by_a_tool"](driver)
    assert results(recording) == [("transfer_to_expert", True, "transferred", None)]


def test_what_a_node_executes_by_itself(recording, driver):
    """Without callbacks: only the message that answers the call tells of it."""
    graph = StateGraph(MessagesState)
    chat = model([("add", {"a": 1, "b": 2}), ("boom", {"x": 7})], "done")

    def act(state):
        return {
            "messages": [
                ToolMessage("by hand", tool_call_id="call_1"),
                ToolMessage("no", tool_call_id="call_2", status="error"),
                ToolMessage("nobody asked", tool_call_id="other"),
            ]
        }

    graph.add_node("bot", lambda state: {"messages": [chat.invoke(state["messages"])]})
    graph.add_node("act", act)
    graph.add_node("end", lambda state: {"messages": [chat.invoke(state["messages"])]})
    graph.add_edge(START, "bot")
    graph.add_edge("bot", "act")
    graph.add_edge("act", "end")
    driver(graph.compile(), ASK)
    assert results(recording) == [("add", True, "by hand", None), ("boom", False, "no", "ToolError")]
    assert {event.agent for event in recording.of("tool_call", "tool_result")} == {"bot"}


def test_a_middleware_that_answers_for_the_tool(recording, driver):
    from langchain.agents.middleware import AgentMiddleware

    class Refusing(AgentMiddleware):
        def wrap_tool_call(self, request, handler):
            return ToolMessage("refused", tool_call_id=request.tool_call["id"], status="error")

        async def awrap_tool_call(self, request, handler: Any):
            return self.wrap_tool_call(request, handler)

    driver(agent("bot", [("add", {"a": 1, "b": 2})], "I see", tools=[add], middleware=[Refusing()]), ASK)
    assert results(recording) == [("add", False, "refused", "ToolError")]


def test_a_tool_that_is_retried(recording):
    from langchain.agents.middleware import ToolRetryMiddleware

    tries = iter([ConnectionError("once"), None])

    @tool
    def shaky() -> str:
        """Work at times."""
        error = next(tries)
        if error:
            raise error
        return "worked"

    retry = ToolRetryMiddleware(max_retries=2, initial_delay=0.0, jitter=False)
    agent("bot", [("shaky", {})], "done", tools=[shaky], middleware=[retry]).invoke(ASK)
    assert results(recording) == [("shaky", False, None, "ConnectionError"), ("shaky", True, "worked", None)]
    assert {event.payload["call_id"] for event in recording.of("tool_call")} == {"call_1"}


def test_ids_that_repeat(recording):
    """Some models count their calls from the beginning in every message."""
    call = {"name": "add", "args": {"a": 1, "b": 2}, "id": "same"}
    asked = AIMessage("", tool_calls=[call])
    agent("bot", asked, asked, "done", tools=[add]).invoke(ASK)
    assert results(recording) == [("add", True, "3", None)] * 2


@pytest.mark.parametrize("value", [b"\x00\xff" * 1000, object(), 3, None, [1, "x"], {"a": b"x"}, {1: object()}])
def test_whatever_a_tool_returns(recording, value):
    @tool
    def odd() -> object:
        """Return something."""
        return value

    assert odd.invoke({}) is value
    agent("bot", [("odd", {})], "done", tools=[odd]).invoke(ASK)
    assert [event.payload["ok"] for event in recording.of("tool_result")] == [True, True]
    assert recording.adapter.core.nodes == {}
    if isinstance(value, bytes):
        assert "sha256" in recording.of("tool_result")[0].payload["content"]


def test_a_result_of_fifty_megabytes(recording):
    text = "0123456789" * 5_000_000

    @tool
    def large() -> str:
        """Return a lot."""
        return text

    out = agent("bot", [("large", {})], "done", tools=[large]).invoke(ASK)
    assert out["messages"][2].content == text
    (result,) = recording.of("tool_result")
    assert result.payload["ok"] is True
    assert len(result.payload["content"]) == len(text)


def test_a_hostile_object(recording):
    class Hostile:
        def __repr__(self):
            raise RuntimeError("do not look at me")

        __str__ = __repr__

    class Silent(Exception):
        def __str__(self):
            raise RuntimeError("do not ask me")

    @tool
    def odd() -> object:
        """Return something."""
        return Hostile()

    @tool
    def fail() -> str:
        """Fail."""
        raise Silent

    odd.invoke({})
    with pytest.raises(Silent):
        fail.invoke({})
    assert [event.payload["ok"] for event in recording.of("tool_result")] == [True, False]
    assert recording.of("tool_result")[1].payload["error"] == "<Silent without a message>"


def test_a_cancelled_tool(recording):
    started = asyncio.Event()

    @tool
    async def wait() -> str:
        """Wait."""
        started.set()
        await asyncio.sleep(60)
        return "too late"

    async def main():
        task = asyncio.ensure_future(agent("bot", [("wait", {})], tools=[wait]).ainvoke(ASK))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert results(recording) == [("wait", False, None, "CancelledError")]
    assert recording.of("outcome") == []


def test_a_tool_called_without_a_model(recording):
    graph = StateGraph(MessagesState)
    graph.add_node("act", lambda state: {"messages": [HumanMessage(str(add.invoke({"a": 1, "b": 2})))]})
    graph.add_edge(START, "act")
    graph.compile().invoke(ASK)
    (call,) = recording.of("tool_call")
    assert (call.agent, call.payload["call_id"]) == ("act", None)


def test_a_tool_node_alone(recording):
    asked = AIMessage("", tool_calls=[{"name": "boom", "args": {"x": 7}, "id": "c1"}])
    graph = StateGraph(MessagesState)
    graph.add_node("tools", ToolNode([boom], handle_tool_errors=True))
    graph.add_edge(START, "tools")
    graph.compile().invoke({"messages": [HumanMessage("Please call it for me"), asked]})
    assert results(recording) == [("boom", False, None, "ValueError")]
    assert recording.of("tool_result")[0].payload["call_id"] == "c1"
    assert Driver("invoke").mode == "invoke"
