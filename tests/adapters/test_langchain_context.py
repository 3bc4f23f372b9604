"""What a graph's state holds beside its messages: recorded where a node changes it."""

from __future__ import annotations

import dataclasses
import operator
import sys
from typing import Annotated, Any

import pytest

pytest.importorskip("langgraph")
pytest.importorskip("langchain.agents")

from langchain_core.messages import AIMessage, HumanMessage
from langchain_kit import StateGraph, create_agent, driving, model, recorded, tool  # noqa: F401  fixtures
from langchain_scenarios import ASK
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task
from langgraph.graph import END, START
from langgraph.types import Command
from pydantic import BaseModel
from typing_extensions import TypedDict

from seasoned.adapters.langchain_context import LIMIT, bounded, channels


class State(TypedDict, total=False):
    """Messages and more."""

    messages: Annotated[list[Any], operator.add]
    plan: Any
    notes: Annotated[list[Any], operator.add]
    history: list[Any]


def graph(*nodes: Any, state: Any = State, **options: Any) -> Any:
    """Nodes that work one after another, each a function or ``(name, function)``."""
    builder = StateGraph(state)
    names = []
    for node in nodes:
        name, work = node if isinstance(node, tuple) else (node.__name__, node)
        builder.add_node(name, work)
        names.append(name)
    for before, after in zip([START, *names], names, strict=False):
        builder.add_edge(before, after)
    return builder.compile(**options)


def shared(recording: Any, run: Any = None) -> list[tuple[Any, ...]]:
    """(agent, reason, content) of the snapshots."""
    return [
        (event.agent, event.payload["reason"], event.payload["content"])
        for event in recording.of("context_snapshot", run=run)
    ]


def test_two_channels(recording, driver):
    """Each value once until it changes, by whom it was changed; what a reducer makes of it at the end."""
    chat = model("done")

    def planner(state):
        return {"plan": ["read", "write"], "notes": ["planned"]}

    def writer(state):
        return {"messages": [chat.invoke(state["messages"])], "plan": ["read", "write"], "notes": ["written"]}

    def closer(state):
        return Command(update={"plan": []}, goto=END)

    driver(graph(planner, writer, closer), {**ASK, "plan": "none yet"})
    assert shared(recording) == [
        (None, "input", '{"plan":"none yet"}'),
        ("planner", "node", '{"plan":["read","write"],"notes":["planned"]}'),
        ("writer", "node", '{"notes":["written"]}'),
        ("closer", "node", '{"plan":[]}'),
        (None, "output", '{"notes":["planned","written"]}'),
    ]
    assert recording.kinds() == [
        "run_started", "context_snapshot", "context_snapshot", "message", "transition", "model_call", "message",
        "context_snapshot", "transition", "context_snapshot", "context_snapshot", "run_finished",
    ]  # fmt: skip


def test_a_graph_with_nothing_but_messages(recording, driver):
    chat = model("done")

    def bot(state):
        return {"messages": [chat.invoke(state["messages"])]}

    def silent(state):
        return {}

    def none(state):
        return None

    def going(state):
        return Command(goto=END)

    driver(graph(bot, silent, none, going), ASK)
    assert shared(recording) == []
    assert "context_snapshot" not in recording.kinds()


def test_a_value_that_is_changed_in_place(recording, driver):
    """It is the content that counts, not the object."""
    plan = {"steps": ["one"]}

    def first(state):
        return {"plan": plan}

    def same(state):
        return {"plan": plan}

    def second(state):
        plan["steps"].append("two")
        return {"plan": plan}

    driver(graph(first, same, second), ASK)
    assert shared(recording) == [
        ("first", "node", '{"plan":{"steps":["one"]}}'),
        ("second", "node", '{"plan":{"steps":["one","two"]}}'),
    ]


def test_a_graph_within_a_graph(recording, driver):
    """What the inner one was given and what it hands on are known; what its nodes change is recorded for them."""

    def inner(state):
        return {"plan": f"{state['plan']}, refined"}

    def outer(state):
        return {"plan": "rough"}

    driver(graph(outer, ("team", graph(inner))), ASK)
    assert shared(recording) == [("outer", "node", '{"plan":"rough"}'), ("inner", "node", '{"plan":"rough, refined"}')]
    assert len(recording.runs) == 1


def test_a_graph_within_a_tool_has_its_own(recording):
    def inside(state):
        return {"plan": "of the child"}

    child = graph(inside)

    @tool
    def ask_team(question: str) -> str:
        """Ask the team."""
        return str(child.invoke({"messages": [("user", question)]})["plan"])

    bot = create_agent(model([("ask_team", {"question": "what is the plan here?"})], "fine"), [ask_team], name="bot")
    bot.invoke(ASK)
    assert shared(recording, run=0) == []
    assert shared(recording, run=1) == [("inside", "node", '{"plan":"of the child"}')]


def test_lists_of_messages_are_left_out(recording, driver):
    def bot(state):
        return {"history": [HumanMessage("one"), AIMessage("two")], "plan": AIMessage("three")}

    driver(graph(bot), ASK)
    assert shared(recording) == []


def test_a_text_that_is_recorded_as_the_users(recording, driver):
    """A graph without messages: the only text that it is called with is what the user wants."""

    class Topic(TypedDict, total=False):
        topic: str

    def writer(state):
        return {"topic": f"{state['topic']}, and more"}

    driver(graph(writer, state=Topic), {"topic": "Tell me about cats"})
    assert recording.talk() == [("user", ("writer",), "user", "Tell me about cats")]
    assert shared(recording) == [("writer", "node", '{"topic":"Tell me about cats, and more"}')]


def test_secrets(recording, driver):
    key = "sk-proj-" + "Ab3dEf6hIj" * 5

    def bot(state):
        return {"plan": {"password": "hunter2hunter2", "key": key}, "notes": ["x" * (LIMIT - 20) + " " + key]}

    driver(graph(bot), ASK)
    assert len(shared(recording)) == 1
    written = recording.written()
    assert "hunter2hunter2" not in written
    assert key[:20] not in written
    assert "[REDACTED" in written
    assert key[:12] not in str(bounded(recording.recorder, "x" * (LIMIT - 13) + " " + key)), "half of it is left"


class Hostile:
    def __repr__(self):
        raise ZeroDivisionError


class Broken(dict):
    def items(self):
        raise ZeroDivisionError


def test_what_json_cannot_hold(recording, driver):
    circle: list[Any] = []
    circle.append(circle)

    def bot(state):
        return {"plan": [Hostile(), object, {1: {2, 3}}, b"\x00\x01", float("nan")], "notes": [circle]}

    driver(graph(bot), ASK)
    ((agent, reason, content),) = shared(recording)
    assert (agent, reason) == ("bot", "node")
    assert "<Hostile that cannot be shown>" in content
    assert '{"1":[2,3]}' in content
    assert '"media_type":"application/octet-stream"' in content


def test_a_state_that_cannot_be_read_ends_the_run_all_the_same(recording):
    def bot(state):
        return {"plan": Broken(x=1)}

    graph(bot).invoke(ASK)
    assert recording.kinds()[-1] == "run_finished"
    assert recording.guard.failures.pop("langchain.context") == 2


@pytest.mark.parametrize(
    "value",
    ["x" * 1_000_000, ["word"] * 200_000, {str(number): "word" for number in range(200_000)}, [["x" * 1000] * 1000]],
    ids=["text", "list", "mapping", "nested"],
)
def test_a_megabyte(recording, driver, value):
    def bot(state):
        return {"plan": value}

    def again(state):
        return {"plan": value}

    driver(graph(bot, again), ASK)
    ((_, _, content),) = shared(recording)
    assert len(content) < 3 * LIMIT
    assert len(recording.written()) < 4 * LIMIT


def test_a_text_that_changes_where_it_is_cut_off(recording):
    def bot(state):
        return {"plan": "x" * 50_000 + "a"}

    def again(state):
        return {"plan": "x" * 50_000 + "b"}

    graph(bot, again).invoke(ASK)
    assert [agent for agent, *_ in shared(recording)] == ["bot", "again"]


def test_states_that_are_objects(recording, driver):
    class Model(BaseModel):
        topic: str = "none"
        count: int = 0

    def first(state):
        return Model(topic="cats")

    def second(state):
        return {"count": 1}

    driver(graph(first, second, state=Model), Model(topic="what is it about?"))
    assert [content for *_, content in shared(recording)] == [
        '{"topic":"what is it about?"}', '{"topic":"cats"}', '{"count":1}',
    ]  # fmt: skip


def test_a_follow_up_records_what_is_new(recording):
    def bot(state):
        return {"plan": "the same"}

    chat = graph(bot, checkpointer=InMemorySaver())
    for _ in range(2):
        chat.invoke({**ASK, "plan": "asked"}, {"configurable": {"thread_id": "one"}})
    assert len(recording.runs) == 1
    assert [content for *_, content in shared(recording)] == ['{"plan":"asked"}', '{"plan":"the same"}'] * 2


def test_functions_that_call_each_other_share_nothing(recording):
    @task
    def half(number: int) -> dict[str, Any]:
        return {"half": number // 2}

    @entrypoint()
    def flow(number: Any) -> dict[str, Any]:
        return {"result": half(number["start"]).result()}

    if sys.version_info >= (3, 11):
        assert flow.invoke({"start": 4}) == {"result": {"half": 2}}
        assert shared(recording) == []


@dataclasses.dataclass
class Data:
    topic: str = "cats"
    plan: Any = None


@pytest.mark.parametrize(
    ("update", "found"),
    [
        (None, {}),
        ("text", {}),
        (3, {}),
        (AIMessage("x"), {}),
        ([AIMessage("x")], {}),
        ({"messages": ["x"], "jump_to": "end", "__interrupt__": 1, "a": 1}, {"a": 1}),
        ([("a", 1), ("messages", [])], {"a": 1}),
        (Data(), {"topic": "cats"}),
    ],
)
def test_channels(update, found):
    assert channels(update) == found


def test_bounds(recording):
    assert bounded(recording.recorder, {"a": [1, None, True, "x", (2.5,)]}) == {"a": [1, None, True, "x", [2.5]]}
    assert bounded(recording.recorder, Data(plan=Data())) == {"topic": "cats", "plan": {"topic": "cats", "plan": None}}
    deep: Any = "end"
    for _ in range(100):
        deep = [deep]
    assert "<list>" in str(bounded(recording.recorder, deep))
    assert bounded(recording.recorder, "y" * 30_000) == "y" * LIMIT + "... (30000 characters)"
