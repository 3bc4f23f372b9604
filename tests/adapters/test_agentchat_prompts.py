"""Prompts of AgentChat's agents: what is unchanged is found once, and nothing else is taken for unchanged."""

from __future__ import annotations

import copy
from typing import Any

import pytest

pytest.importorskip("autogen_agentchat.teams")

from agentchat_kit import assistant, client_of
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core import FunctionCall
from autogen_core.models import (
    AssistantMessage,
    FunctionExecutionResult,
    FunctionExecutionResultMessage,
    SystemMessage,
    UserMessage,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from seasoned.adapters.agentchat_messages import History, entries, is_a
from seasoned.instrumentation.prompts import PromptState
from seasoned.instrumentation.runs import entered

TASK = "Please solve it for me"


MESSAGES = st.one_of(
    st.builds(UserMessage, content=st.sampled_from(["a", "b", "c"]), source=st.sampled_from(["user", "bob"])),
    st.builds(UserMessage, content=st.just(["part", "part"]), source=st.just("user")),
    st.builds(AssistantMessage, content=st.sampled_from(["a", "b"]), source=st.just("ann"), thought=st.just("hm")),
    st.builds(AssistantMessage, content=st.sampled_from(["a", "b"]), source=st.just("ann")),
    st.just(AssistantMessage(content=[FunctionCall(id="1", name="add", arguments="{}")], source="ann")),
    st.integers(0, 3).map(
        lambda many: FunctionExecutionResultMessage(
            content=[FunctionExecutionResult(content="7", name="add", call_id=str(n)) for n in range(many)]
        )
    ),
    st.builds(SystemMessage, content=st.sampled_from(["a", "b"])),
)
STEPS = st.sampled_from(["append", "append", "content", "back", "copy", "drop last", "drop first", "replace", "none"])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(STEPS, st.integers(0, 30), MESSAGES), max_size=30))
def test_what_a_history_says_is_unchanged_is_what_the_recorder_finds_itself(steps):
    history, state = History(), PromptState(object())
    messages: Any = [SystemMessage(content="You are ann.")]
    before: list[dict[str, Any]] = []
    for number, (step, where, message) in enumerate(steps):
        place = where % len(messages) if messages else 0
        if step == "append" or not messages:
            messages.append(message)
        elif step == "content":  # in place
            messages[place].content = "changed in place"
        elif step == "back":
            messages[place].content = "a"
        elif step == "copy":
            messages[place] = messages[place].model_copy()
        elif step == "drop last":
            messages.pop()
        elif step == "drop first":
            del messages[0]
        elif step == "replace":
            messages[place] = message
        listed = history.read(messages)
        assert listed == [entry for message in messages for entry in entries(message)]
        assert history.kept == state.unchanged(listed)
        assert listed[: history.kept] == before[: history.kept]
        state.take(number, listed, history.kept)
        before = copy.deepcopy(listed)


async def test_a_message_that_is_changed_in_place_is_recorded_as_changed(heard):
    agent = assistant("ann", [str(n) for n in range(4)])
    with entered(heard.recorder.begin("a task", explicit=True)):
        for number in range(2):
            await agent.run(task=f"question number {number}")
        first: Any = (await agent.model_context.get_messages())[0]
        first.content = "another question"
        for number in range(2, 4):
            await agent.run(task=f"question number {number}")
    prompts = [e.payload["prompt"] for e in heard.of("model_call")]
    assert [(prompt["keep"], len(prompt["new"])) for prompt in prompts] == [(0, 2), (2, 2), (1, 5), (6, 2)]
    texts = heard.runs[0].cache.by_reference()
    assert texts[prompts[2]["new"][0][2]] == "another question"


async def test_what_an_agent_sent_before_its_run_ended_is_not_referred_to(heard):
    """The run may be forgotten in between, and then goes on from nothing."""
    agent = assistant("ann", [str(n) for n in range(3)])
    run = heard.recorder.begin("a task", explicit=True)
    with entered(run):
        await agent.run(task=TASK)
        heard.recorder.finish(run, "ended")
        await agent.run(task=TASK)
        await agent.run(task=TASK)
    prompts = [e.payload["prompt"] for e in heard.of("model_call")]
    assert [prompt["base"] is None for prompt in prompts] == [True, True, False]
    assert [(prompt["keep"], len(prompt["new"])) for prompt in prompts] == [(0, 2), (0, 4), (4, 2)]


async def test_a_prompt_that_could_not_be_written_is_not_referred_to(heard, monkeypatch):
    agent = assistant("ann", [str(n) for n in range(4)])
    with entered(heard.recorder.begin("a task", explicit=True)):
        await agent.run(task=TASK)
        with monkeypatch.context() as broken:
            broken.setattr(heard.recorder.writer, "append", lambda _line, _run_id: False)
            await agent.run(task=TASK)
        await agent.run(task=TASK)
        await agent.run(task=TASK)
    prompts = [e.payload["prompt"] for e in heard.of("model_call")]
    assert [(prompt["base"], prompt["keep"], len(prompt["new"])) for prompt in prompts][1] == (None, 0, 6)
    assert [prompt["keep"] for prompt in prompts] == [0, 0, 6]


async def test_two_readers_of_one_agent_do_not_speak_for_each_other(heard):
    run, writes = heard.recorder.begin("a task"), heard.recorder.model_call
    messages: Any = [SystemMessage(content="You are ann."), UserMessage(content="hello", source="user")]
    one, other = History(), History()
    for history, sent in ((one, messages), (other, messages[:1]), (one, messages), (one, messages), (None, messages)):
        listed = (history or History()).read(sent)
        writes(run, "ann", listed, {}, reader=history)
    prompts = [e.payload["prompt"] for e in heard.of("model_call")]
    assert [prompt["keep"] for prompt in prompts] == [0, 0, 0, 2, 0]


async def test_the_model_is_looked_up_at_every_call(heard):
    agent = assistant("ann", [str(n) for n in range(3)])
    client: Any = client_of(agent)
    for model in ("small", "large", None):
        client.model = model
        await agent.run(task=TASK)
    assert [e.payload["model"] for e in heard.of("model_call")] == ["small", "large", None]


async def test_the_list_of_those_who_get_a_message_belongs_to_its_event(heard):
    agents = [assistant("ann", ["a1", "a2"]), assistant("bob", ["b1", "b2"])]
    await RoundRobinGroupChat(agents, max_turns=4).run(task=TASK)
    said = heard.of("message")[1:]
    assert [(e.agent, e.payload["recipients"]) for e in said] == [("ann", ["bob"]), ("bob", ["ann"])] * 2
    assert len({id(e.payload["recipients"]) for e in said}) == 4


def test_classes_of_the_same_name_are_told_apart():
    base = type("HandoffMessage", (), {})
    assert is_a(type("Own", (base,), {})(), "HandoffMessage")
    assert not is_a(type("Own", (), {})(), "HandoffMessage")
