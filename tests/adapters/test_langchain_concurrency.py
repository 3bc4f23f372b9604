"""Many invocations at once, in tasks and threads, that share one agent: nothing is ever mixed up."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("langgraph")
pytest.importorskip("langchain.agents")

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableParallel
from langchain_kit import USAGE, AsyncStreaming, RunnableLambda, StateGraph, create_agent, model, recorded, tool  # noqa: F401
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState

from seasoned.instrumentation.runs import CURRENT

MANY = int(os.environ.get("SEASONED_MANY", "40"))


@tool
def look_up(key: str) -> str:
    """Look something up."""
    return f"found {key}"


@tool
async def look_up_later(key: str) -> str:
    """Look something up."""
    await asyncio.sleep(0)
    return f"found {key}"


look_up_later.name = "look_up"


def echo(messages):
    """A model that repeats who asked, and asks for a tool first."""
    asked = next(message.content for message in messages if message.type == "human")
    number = asked.rsplit(" ", 1)[-1]
    if messages[-1].type == "human":
        call = {"name": "look_up", "args": {"key": number}, "id": f"call-{number}"}
        return AIMessage(f"looking for {number}", tool_calls=[call], usage_metadata=USAGE)  # type: ignore[arg-type]
    return AIMessage(f"{messages[-1].content} indeed", usage_metadata=USAGE)  # type: ignore[arg-type]


def team(searching, checkpointer=None):
    """Two agents that both look at everything, side by side, and one that sums up."""
    graph = StateGraph(MessagesState)
    for name in ("ann", "bob"):
        graph.add_node(name, create_agent(model(echo, kind=AsyncStreaming), [searching], name=name))
        graph.add_edge(START, name)
        graph.add_edge(name, "cec")
    chat = model(lambda messages: f"all about {messages[1].content}", kind=AsyncStreaming)

    async def sum_up_later(state):
        return {"messages": [await chat.ainvoke(state["messages"])]}

    graph.add_node("cec", RunnableLambda(lambda state: {"messages": [chat.invoke(state["messages"])]}, sum_up_later))
    graph.add_edge("cec", END)
    return graph.compile(checkpointer=checkpointer, name="team")


def check(recording, count: int = MANY) -> None:
    """Every run holds the words of its own user only, all of them."""
    assert len(recording.runs) == count
    for run in recording.runs:
        events = [event for event in recording.events if event.run_id == run.run_id]
        assert sorted(event.seq for event in events) == list(range(len(events)))
        number = run.task.rsplit(" ", 1)[-1]
        said = sorted(content for *_, content in recording.talk(run))
        assert said == sorted(
            [f"please find {number}"] + [f"looking for {number}"] * 2 + [f"found {number} indeed"] * 2
            + [f"all about please find {number}"]
        )  # fmt: skip
        calls = [event for event in events if event.kind == "model_call"]
        assert sorted(event.agent for event in calls) == ["ann", "ann", "bob", "bob", "cec"]
        assert all(event.payload["prompt"]["block"] for event in calls)
        tools = [event for event in events if event.kind in ("tool_call", "tool_result")]
        assert [event.payload["call_id"] for event in tools] == [f"call-{number}"] * 4
        assert (
            sorted(event.payload["content"] for event in tools if event.kind == "tool_result")
            == [f"found {number}"] * 2
        )
        assert [event.kind for event in events].count("run_finished") == 1
        assert events[0].kind == "run_started"
        assert events[1].kind == "message"
        assert run.turn == 5
    assert recording.adapter.core.nodes == {}
    assert CURRENT.get() is None


@pytest.fixture
def blocks(recording):
    """Each block tells its run, so that a wrong one would be seen in the wrong prompt."""
    recording.tap.compose = lambda run, agent: f"<block of {run.run_id} for {agent}>"


def asked(number):
    return {"messages": [("user", f"please find {number}")]}


def test_threads(recording, blocks):
    bots = team(look_up)
    with ThreadPoolExecutor(MANY) as pool:
        list(pool.map(lambda number: bots.invoke(asked(number)), range(MANY)))
    check(recording)


def test_tasks(recording, blocks):
    bots = team(look_up_later)

    async def main():
        await asyncio.gather(*(bots.ainvoke(asked(number)) for number in range(MANY)))

    asyncio.run(main())
    check(recording)


def test_streams_in_tasks(recording, blocks):
    bots = team(look_up_later, InMemorySaver())

    async def one(number):
        config = {"configurable": {"thread_id": f"t{number}"}}
        async for _ in bots.astream(asked(number), config, stream_mode="messages"):
            await asyncio.sleep(0)

    async def main():
        await asyncio.gather(*map(one, range(MANY)))

    asyncio.run(main())
    check(recording)


def test_graphs_and_models_side_by_side_in_one_chain(recording):
    """Each of them may be the first that its run begins with."""
    graph = StateGraph(MessagesState)
    graph.add_node("node", lambda state: {"messages": [AIMessage("from the node")]})
    graph.add_edge(START, "node")
    given = RunnableLambda(lambda number: asked(number))
    chain = RunnableParallel(
        graph=given | graph.compile(), model=RunnableLambda(str) | model(lambda messages: "from the model")
    )
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(chain.invoke, range(MANY)))
    assert len(recording.runs) == MANY
    for run in recording.runs:
        said = sorted(content for sender, _, _, content in recording.talk(run) if sender != "user")
        assert said == ["from the model", "from the node"]


def test_a_batch(recording, blocks):
    team(look_up).batch([asked(number) for number in range(MANY)], {"max_concurrency": 8})
    check(recording)


def test_the_injected_block_belongs_to_the_run_and_agent(recording, blocks):
    seen: list = []
    chat = model(lambda messages: seen.append((messages[0].content, messages[-1].content)) or "done")
    bot = create_agent(chat, [], name="bot")

    async def main():
        await asyncio.gather(*(bot.ainvoke(asked(number)) for number in range(MANY)))

    asyncio.run(main())
    owners = {run.task: run.run_id for run in recording.runs}
    assert len(seen) == MANY
    assert all(block == f"<block of {owners[question]} for bot>" for block, question in seen)
