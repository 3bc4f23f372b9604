"""What is said, who works, and that every way to call a runnable records the same."""

from __future__ import annotations

import pytest

pytest.importorskip("langgraph")
pytest.importorskip("langchain.agents")

from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_kit import BLOCK, Driver, StateGraph, driving, model, recorded  # noqa: F401
from langchain_scenarios import ASK, SCENARIOS, agent
from langgraph.graph import START, MessagesState
from langgraph.types import Command

from seasoned.adapters.langchain_messages import Prompts, answer, as_dict, given, lean, messages_in

SIDE_BY_SIDE = {"several_calls_at_once", "parallel_branches", "sent_out", "side_by_side", "functional", "retried",
                "history_of_the_application"}  # fmt: skip
"""Scenarios in which the order is open, or which some ways of calling leave out."""


@pytest.mark.parametrize("mode", Driver.MODES[1:])
@pytest.mark.parametrize("name", sorted(set(SCENARIOS) - SIDE_BY_SIDE))
def test_every_way_records_the_same(recording, name, mode):
    recording.blocks = {"bot": BLOCK.format("bot")}
    SCENARIOS[name](Driver("invoke"))
    first = recording.outline()
    recording.events.clear()
    recording.runs.clear()
    recording.adapter.core.runs.sessions.__init__()
    SCENARIOS[name](Driver(mode))
    assert recording.outline() == first


# -- who says what -----------------------------------------------------------------------------------------------


def test_a_team_in_full(recording, driver):
    SCENARIOS["team"](driver)
    assert recording.kinds() == [
        "run_started", "message", "transition", "model_call", "tool_call", "tool_result", "model_call", "message",
        "transition", "model_call", "message", "run_finished",
    ]  # fmt: skip
    assert recording.talk() == [
        ("user", ("worker",), "user", "Please solve it for me"),
        ("worker", ("user",), "assistant", "the worker is done"),
        ("reviewer", ("user",), "assistant", "TERMINATE"),
    ]
    assert [event.turn for event in recording.of("model_call")] == [1, 2, 3]


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("one_agent", []),
        ("team", [("supervisor", "worker", "Command"), ("worker", "reviewer", "edge")]),
        ("handed_off_by_a_tool", [("user", "first", "edge"), ("first", "expert", "tool transfer_to_expert")]),
        ("asked_within_a_tool", []),
        ("nested_agent_in_a_tool", []),
    ],
)
def test_transitions(recording, driver, name, steps):
    SCENARIOS[name](driver)
    assert recording.steps() == steps


def test_transitions_there_and_back(recording, driver):
    def decide(state):
        said = [message for message in state["messages"] if message.type == "ai"]
        return Command(goto=["ann", "bob", "ann", "__end__"][len(said)])

    graph = StateGraph(MessagesState)
    graph.add_node("boss", decide, destinations=("ann", "bob"))
    for name in ("ann", "bob"):
        chat = model(f"{name} one", f"{name} two")
        graph.add_node(name, lambda state, chat=chat: {"messages": [chat.invoke(state["messages"])]})
        graph.add_edge(name, "boss")
    graph.add_edge(START, "boss")
    driver(graph.compile(), ASK)
    assert recording.steps() == [
        ("boss", "ann", "Command"), ("ann", "boss", "edge"), ("boss", "bob", "Command"), ("bob", "boss", "edge"),
        ("boss", "ann", "Command"), ("ann", "boss", "edge"),
    ]  # fmt: skip


def test_a_graph_within_a_graph(recording, driver):
    """Its nodes are named for themselves; an agent without a name for the node that it is."""
    inner = StateGraph(MessagesState)
    chat = model("the draft")
    inner.add_node("writer", lambda state: {"messages": [chat.invoke(state["messages"])]})
    inner.add_edge(START, "writer")
    graph = StateGraph(MessagesState)
    graph.add_node("team", inner.compile())
    graph.add_node("checker", agent(None, "checked"))
    graph.add_edge(START, "team")
    graph.add_edge("team", "checker")
    driver(graph.compile(), ASK)
    assert [sender for sender, *_ in recording.talk()] == ["user", "writer", "checker"]
    assert recording.steps() == [("user", "writer", "edge"), ("writer", "checker", "edge")]
    assert len(recording.runs) == 1


def test_what_no_model_said(recording, driver):
    SCENARIOS["nodes_without_a_model"](driver)
    assert recording.talk()[1:] == [("echo", ("user",), "assistant", "you said Please solve it for me")]


def test_a_reply_that_is_handed_on_as_a_persons(recording, driver):
    SCENARIOS["wrapped_in_a_human_message"](driver)
    assert [content for *_, content in recording.talk()] == ["Please solve it for me", "the finding"]


def test_several_messages_of_a_person(recording, driver):
    given = {"messages": [("user", "hi"), HumanMessage("What is the answer to it?", name="eve"), ("user", "please")]}
    driver(agent("bot", "one"), given)
    assert recording.talk()[:3] == [
        ("user", ("bot",), "user", "hi"),
        ("eve", ("bot",), "user", "What is the answer to it?"),
        ("user", ("bot",), "user", "please"),
    ]
    assert recording.runs[0].task == "What is the answer to it?"


def test_pictures_are_described(recording, driver):
    SCENARIOS["pictures"](driver)
    assert len(recording.of("message")) == 4
    everything = str([event.payload for event in recording.events]) + recording.written()
    assert "QUJDQUJDQUJD" not in everything
    assert everything.count("image/png") >= 2
    assert [run.task for run in recording.runs] == ["What is to be seen here?", "And here?"]


def test_hooks_of_middlewares_are_machinery(recording, driver):
    from langchain.agents.middleware import AgentMiddleware

    helper = model("a summary", "another", "and another")

    class Summarising(AgentMiddleware):
        def before_model(self, state, runtime):
            helper.invoke([HumanMessage("Sum it up.")])

    recording.blocks = {"bot": BLOCK.format("bot")}
    driver(agent("bot", "the answer", middleware=[Summarising()]), ASK)
    machine, own = recording.of("model_call")
    assert machine.payload["internal"] is True
    assert machine.agent == own.agent == "bot"
    assert not own.payload.get("internal")
    assert helper.script.seen == [[("human", "Sum it up.")]]
    assert [content for *_, content in recording.talk()] == ["Please solve it for me", "the answer"]
    assert recording.runs[0].turn == 1


# -- reading messages --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "found"),
    [
        (None, []),
        ("text", [("user", "text")]),
        (HumanMessage("text"), [("user", "text")]),
        ([SystemMessage("s"), ("human", "h"), {"role": "assistant", "content": "a"}],
         [("system", "s"), ("user", "h"), ("assistant", "a")]),
        ({"messages": "text"}, [("user", "text")]),
        ({"messages": ("user", "text")}, [("user", "user"), ("user", "text")]),
        ({"topic": "text", "n": 3}, [("user", "text")]),
        ({"other": "x", "question": "text"}, [("user", "text")]),
        ({"one": "x", "two": "y"}, []),
        (("user", "text"), [("user", "text")]),
        (42, []),
        ({"messages": None}, []),
        ([1, 2, 3], []),
    ],
)  # fmt: skip
def test_what_a_runnable_was_given(inputs, found):
    assert [(item.role, item.content) for item in given(inputs)] == found


def test_messages_in_a_state():
    class State:
        messages = [HumanMessage("x")]

    assert messages_in(State()) == State.messages
    assert messages_in({"other": 1}) is None
    assert messages_in([{"name": "add"}]) is None
    assert messages_in(None) is None


def test_answers():
    blocks: list = [
        {"type": "thinking", "thinking": "hm"}, {"type": "reasoning", "summary": [{"text": "so"}]},
        {"type": "text", "text": "one "}, {"type": "tool_use", "id": "x"}, "two",
    ]  # fmt: skip
    assert answer(AIMessage(blocks)) == ("one two", "hm\n\nso")
    assert answer(AIMessage("text", additional_kwargs={"reasoning_content": "hm"})) == ("text", "hm")
    picture = {"type": "image", "base64": "QUJD", "mime_type": "image/png"}
    content, _ = answer(AIMessageChunk(content=[{"type": "text", "text": "look"}, picture]))
    assert content[0] == {"type": "text", "text": "look"}
    assert content[1]["media_type"] == "image/png"


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image", "base64": "QUJD", "mime_type": "image/png"},
        {"type": "image", "source_type": "base64", "data": "QUJD", "mime_type": "image/png"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}},
        {"type": "media", "mime_type": "image/png", "data": "QUJD"},
    ],
)
def test_forms_of_a_picture(part):
    (found,) = lean([part])
    assert (found["media_type"], found["bytes"]) == ("image/png", 3)


def test_what_is_no_medium_stays():
    content = [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "https://x"}}, "y"]
    assert lean(content) is content
    assert lean("text") == "text"


def test_prompts_are_converted_once():
    prompts = Prompts()
    messages: list = [SystemMessage("s"), HumanMessage("h", name="eve")]
    first = prompts.convert(messages).copy()
    assert first == [
        {"role": "system", "name": None, "content": "s"}, {"role": "user", "name": "eve", "content": "h"},
    ]  # fmt: skip
    call = {"name": "add", "args": {"a": 1}, "id": "c1"}
    messages += [AIMessage("", tool_calls=[call]), ToolMessage("3", tool_call_id="c1", status="error")]
    second = prompts.convert(messages)
    assert all(old is new for old, new in zip(first, second, strict=False))
    assert second[2]["tool_calls"] == [{"id": "c1", "name": "add", "arguments": {"a": 1}}]
    assert second[3] == {"role": "tool", "name": None, "content": "3", "tool_call_id": "c1", "status": "error"}
    messages[1].content = "changed in place"
    assert prompts.convert(messages)[1]["content"] == "changed in place"
    assert prompts.convert(messages[:1]) == first[:1]
    assert prompts.convert([HumanMessage("other")]) == [as_dict(HumanMessage("other"))]
    text = "the same words"
    prompts.convert([HumanMessage(text)])
    assert prompts.convert([AIMessage(text)]) == [{"role": "assistant", "name": None, "content": text}]
    long = [HumanMessage(str(n)) for n in range(300)]
    assert prompts.convert(long) == [as_dict(message) for message in long]
    assert prompts.convert(long[:200]) == [as_dict(message) for message in long[:200]]


def test_what_is_kept_of_a_prompt():
    """What is said to be unchanged is not compared again, so it must be: the same text in the same place."""
    prompts = Prompts()
    messages: list = [SystemMessage("s"), HumanMessage("h"), AIMessage("a")]

    def kept(*more) -> int:
        messages.extend(more)
        assert prompts.convert(messages) == [as_dict(message) for message in messages]
        return prompts.kept

    assert kept() == 0
    assert kept() == 3
    assert kept(HumanMessage("x")) == 3
    messages[1].content = "changed in place"
    assert kept() == 1
    assert kept() == 4
    messages[2] = AIMessage("a")  # another object that says the same
    assert kept() == 4
    messages[2] = AIMessage("b")
    assert kept() == 2
    parts: list = [{"type": "text", "text": "one"}]
    assert kept(HumanMessage(parts), AIMessage("b")) == 4
    parts[0]["text"] = "changed inside"
    assert kept() == 4  # a list may change inside, so neither it nor what follows it is kept
    assert kept(HumanMessage("c")) == 4
    del messages[4:]
    assert kept() == 4
    assert kept(HumanMessage("d")) == 4
    assert kept() == 5
    messages[:] = [SystemMessage("other")]
    assert kept() == 0
    messages[:] = [HumanMessage(str(number)) for number in range(300)]
    assert kept() == 0
    assert kept() == 300
    messages[250] = HumanMessage("in its place")
    assert kept() == 250


def test_a_message_that_is_changed_between_two_calls(recording, driver):
    """In place, as a middleware may do that shortens what has become too long."""
    chat = model("one", "two", "three")
    history: list = [SystemMessage("Be brief."), HumanMessage("Tell me all that you know"), HumanMessage("please")]

    def bot(state):
        answers = [chat.invoke(history)]
        history[1].content = "Tell me the rest"
        answers.append(chat.invoke([*history, answers[0]]))
        history[2] = HumanMessage("thank you")
        answers.append(chat.invoke([*history, answers[0]]))
        return {"messages": answers}

    graph = StateGraph(MessagesState)
    graph.add_node("bot", bot)
    graph.add_edge(START, "bot")
    driver(graph.compile(), ASK)
    prompts = [event.payload["prompt"] for event in recording.of("model_call")]
    assert [prompt["keep"] for prompt in prompts] == [0, 1, 2]
    assert [len(prompt["new"]) for prompt in prompts] == [3, 3, 2]
    assert "Tell me the rest" in recording.written()
    assert "thank you" in recording.written()


def test_calls_of_one_agent_at_once(recording):
    """Each prompt is told in full or from one that was recorded: never from one that another call has replaced."""
    chats = model(lambda messages: AIMessage(f"to {messages[-1].content}"))

    def bot(state):
        asked = [HumanMessage(f"question {number}") for number in range(4)]
        first = chats.batch([[*state["messages"], one] for one in asked])
        return {"messages": [chats.invoke([*state["messages"], asked[0], *first])]}

    graph = StateGraph(MessagesState)
    graph.add_node("bot", bot)
    graph.add_edge(START, "bot")
    graph.compile().invoke(ASK)
    calls = recording.of("model_call")
    sent = {event.seq: event.payload["prompt"] for event in calls}
    assert len(calls) == 5

    def rebuilt(prompt) -> list:
        before = rebuilt(sent[prompt["base"]])[: prompt["keep"]] if prompt["base"] is not None else []
        assert len(before) == prompt["keep"]
        return [*before, *(row[2] for row in prompt["new"])]

    assert sorted(len(rebuilt(prompt)) for prompt in sent.values()) == [2, 2, 2, 2, 6]
    assert len({rebuilt(prompt)[0] for prompt in sent.values()}) == 1
    assert len({rebuilt(prompt)[1] for prompt in list(sent.values())[:4]}) == 4


def test_a_system_message_that_is_made_anew_for_every_call(recording, driver):
    """As most nodes do it. What follows it is kept all the same."""
    chat = model("one", "two", "three")

    def bot(state):
        history = list(state["messages"])
        for _ in range(3):
            history.append(chat.invoke([SystemMessage("Be brief."), *history]))
        return {"messages": history[1:]}

    graph = StateGraph(MessagesState)
    graph.add_node("bot", bot)
    graph.add_edge(START, "bot")
    driver(graph.compile(), ASK)
    prompts = [event.payload["prompt"] for event in recording.of("model_call")]
    assert [(prompt["keep"], len(prompt["new"])) for prompt in prompts] == [(0, 2), (2, 1), (3, 1)]
