"""Runs, turns and who speaks next, in teams of every kind and for agents alone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("autogen_agentchat.teams")

from agentchat_kit import Driver, Scripted, Speaker, assistant, contents, recorded
from agentchat_scenarios import ledger, play
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import Response
from autogen_agentchat.messages import TextMessage
from autogen_agentchat.teams import MagenticOneGroupChat, RoundRobinGroupChat, SelectorGroupChat
from autogen_core import SingleThreadedAgentRuntime
from autogen_core.memory import ListMemory, MemoryContent, MemoryMimeType

from seasoned.instrumentation.runs import LATEST

TASK = "Please solve it for me"


# -- teams -------------------------------------------------------------------------------------------------------


async def test_round_robin(heard):
    await play("round_robin")
    assert heard.talk() == [
        ("user", ("ann", "bob"), "user", TASK),
        ("ann", ("bob",), "assistant", "one"),
        ("bob", ("ann",), "assistant", "two"),
        ("ann", ("bob",), "assistant", "three"),
        ("bob", ("ann",), "assistant", "DONE"),
    ]
    assert heard.steps() == [
        (one, other, "round_robin") for one, other in [("user", "ann"), ("ann", "bob"), ("bob", "ann"), ("ann", "bob")]
    ]
    assert heard.kinds() == [
        "run_started", "message", *["transition", "model_call", "message"] * 4, "run_finished",
    ]  # fmt: skip
    assert [event.turn for event in heard.of("model_call")] == [1, 2, 3, 4]
    assert heard.reasons() == ["Text 'DONE' mentioned"]
    [run] = heard.runs
    assert (run.task, run.turn, run.framework) == (TASK, 4, "autogen_agentchat")
    assert list(run.agents) == ["user", "ann", "bob"]


async def test_selector(heard):
    await play("selector")
    assert heard.steps() == [("user", "ann", "selector: ann"), ("ann", "bob", "selector: bob")]
    own = [(e.agent, bool(e.payload.get("internal"))) for e in heard.of("model_call")]
    manager = ("SelectorGroupChatManager", True)
    assert own == [manager, ("ann", False), manager, manager, ("bob", False)]
    assert "SelectorGroupChatManager" not in heard.runs[0].agents


async def test_selector_function(heard):
    await play("selector_function")
    assert heard.steps() == [("user", "bob", "choose"), ("bob", "ann", "choose")]


async def test_selector_that_names_somebody_unknown(heard):
    team = SelectorGroupChat(
        [assistant("ann", ["x"]), assistant("bob", ["y"])], Scripted([]), selector_func=lambda _thread: "eve"
    )
    with pytest.raises(ValueError, match="invalid speaker name: eve"):
        await team.run(task=TASK)
    assert heard.steps() == []
    assert [(e.agent, e.payload["error_type"]) for e in heard.of("error")] == [(None, "ValueError")]
    assert heard.of("outcome") == []


async def test_swarm(heard):
    await play("swarm")
    assert heard.steps() == [("user", "ann", "first speaker"), ("ann", "bob", "handoff"), ("user", "bob", "handoff")]
    assert heard.reasons() == ["Handoff to user from bob detected.", "Text 'DONE' mentioned"]
    assert len(heard.runs) == 1
    assert [e.payload["tool"] for e in heard.of("tool_result")] == ["add", "transfer_to_bob", "transfer_to_user"]
    assert heard.runs[0].task == TASK


async def test_graph_with_a_fork(heard):
    await play("graph")
    assert set(heard.steps()[:3]) == {("user", "ann", "graph"), ("ann", "bob", "graph"), ("ann", "cec", "graph")}
    assert heard.steps()[3][1:] == ("dan", "graph")
    assert heard.reasons() == ["Digraph execution is complete"]
    assert heard.runs[0].turn == 4


async def test_magentic_one(heard):
    await play("magentic_one")
    boss = "MagenticOneOrchestrator"
    assert heard.steps() == [(boss, "ann", "magentic_one"), (boss, "bob", "magentic_one")]
    assert [e.payload["content"] for e in heard.of("message") if e.agent == boss][1:] == [
        "do it, ann", "do it, bob", "the final answer",
    ]  # fmt: skip
    assert all(e.payload["internal"] for e in heard.of("message", "model_call") if e.agent == boss)
    assert not any(e.payload.get("internal") for e in heard.of("message", "model_call") if e.agent != boss)
    assert boss not in heard.runs[0].agents
    assert heard.runs[0].task == TASK
    assert heard.reasons() == ["because"]


async def test_magentic_one_forgets_nothing_of_ours(heard):
    """The orchestrator resets its agents; the team itself goes on."""
    agents = [assistant("ann", ["x", "y"])]
    model = Scripted(["facts", "plan", ledger("ann"), ledger("ann", done=True), "final"] * 2)
    team = MagenticOneGroupChat(agents, model)
    await team.run(task=TASK)
    await team.run(task="and more of it")
    assert len(heard.runs) == 1


async def test_society_of_mind(heard):
    await play("society_of_mind")
    outer, first, second = heard.runs
    assert [run.parent for run in heard.runs] == [None, outer, outer]
    assert [e.agent for e in heard.of("message", run=outer)] == ["user", "society", "ann", "society"]
    assert [e.agent for e in heard.of("message", run=first)] == ["user", "ina", "inb"]
    assert [run.task for run in heard.runs] == [TASK, TASK, "z"]
    assert second.session_id == outer.session_id
    assert [e.run_id for e in heard.of("model_call") if e.agent == "society"] == [outer.run_id] * 2


async def test_a_team_as_a_participant(heard):
    await play("nested_team")
    outer, inner = heard.runs
    assert inner.parent is outer
    assert heard.talk(outer)[1:] == [("inner", ("ann",), "assistant", "y"), ("ann", ("inner",), "assistant", "DONE")]
    assert (outer.turn, inner.turn) == (2, 2)


async def test_a_team_of_one_class_that_overrides_everything(heard):
    class Own(RoundRobinGroupChat):
        async def run_stream(self, **options):
            async for item in super().run_stream(**options):
                yield item

    class Agent(Speaker):
        async def on_messages_stream(self, messages, cancellation_token):
            async for item in super().on_messages_stream(messages, cancellation_token):
                yield item

    await Own([Agent("ann", "hello")], max_turns=1).run(task=TASK)
    assert heard.kinds() == ["run_started", "message", "transition", "message", "run_finished"]
    assert heard.runs[0].turn == 1


async def test_a_runtime_that_was_started_elsewhere(heard):
    """It runs in another context, which knows nothing of the teams' runs."""
    runtime = SingleThreadedAgentRuntime()
    runtime.start()
    names = ["red", "green", "blue"]
    teams = [
        RoundRobinGroupChat(
            [assistant("ann", [f"{name} one"]), assistant("bob", [f"{name} two"])], max_turns=2, runtime=runtime
        )
        for name in names
    ]
    await asyncio.gather(*(team.run(task=f"Please do it in {n}") for team, n in zip(teams, names, strict=True)))
    await runtime.stop_when_idle()
    await runtime.close()
    assert len(heard.runs) == 3
    for name, run in zip(names, heard.runs, strict=True):
        assert [c for *_, c in heard.talk(run)] == [f"Please do it in {name}", f"{name} one", f"{name} two"]
        assert len(heard.of("model_call", run=run)) == 2


async def test_a_team_that_was_begun_before(tmp_path):
    """What goes on when recording is switched on belongs to no run, and opens none."""
    gate = asyncio.Event()

    class Waiting(Speaker):
        async def on_messages(self, messages, cancellation_token):
            await gate.wait()
            return await super().on_messages(messages, cancellation_token)

    team = RoundRobinGroupChat([Waiting("ann", "one"), assistant("bob", ["two"])], max_turns=2)
    running = asyncio.ensure_future(team.run(task=TASK))
    await asyncio.sleep(0.01)
    with recorded(tmp_path) as recording:
        gate.set()
        assert contents(await running)[-1] == "two"
        assert recording.events == []


async def test_switching_off_in_the_middle(tmp_path):
    with recorded(tmp_path) as recording:

        def off(_messages):
            recording.tap.active = False
            recording.adapter.uninstall()
            return "off"

        team = RoundRobinGroupChat([Speaker("ann", off), assistant("bob", ["two"])], max_turns=2)
        result = await team.run(task=TASK)
        assert contents(result) == [TASK, "off", "two"]
        assert recording.kinds() == ["run_started", "message", "transition"]


# -- agents alone ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["run", "stream"])
async def test_an_agent_alone(heard, mode):
    await play("single_agent", mode)
    assert heard.talk() == [
        ("user", ("ann",), "user", TASK),
        ("ann", ("user",), "assistant", "one"),
        ("user", ("ann",), "user", "more"),
        ("ann", ("user",), "assistant", "two"),
    ]
    assert heard.reasons() == ["reply by ann"] * 2
    assert len(heard.runs) == 1
    assert heard.of("model_call")[1].payload["reasoning"] == "let me think"


@pytest.mark.parametrize("mode", ["run", "stream"])
async def test_messages_given_to_an_agent(heard, mode):
    await play("on_messages", mode)
    assert heard.kinds() == ["run_started", "message", "model_call", "message", "run_finished"]
    assert heard.of("message")[1].turn == 1


async def test_the_run_has_ended_when_the_result_is_seen(heard):
    async for item in RoundRobinGroupChat([assistant("ann", ["x"])], max_turns=1).run_stream(task=TASK):
        if type(item).__name__ == "TaskResult":
            assert LATEST.get() is heard.runs[0]
            assert heard.runs[0].finished is not None
            heard.runs[0].outcome(True)
    assert heard.kinds()[-2:] == ["run_finished", "outcome"]


async def test_an_agent_that_asks_another_one(heard):
    helper = assistant("helper", ["helped"])

    class Boss(Speaker):
        async def on_messages(self, messages, cancellation_token):
            answer: Any = await helper.on_messages(messages, cancellation_token)
            return Response(chat_message=TextMessage(content=answer.chat_message.content + "!", source=self.name))

    await RoundRobinGroupChat([Boss("boss", "")], max_turns=1).run(task=TASK)
    outer, inner = heard.runs
    assert inner.parent is outer
    assert heard.talk(inner)[-1] == ("helper", ("user",), "assistant", "helped")
    assert heard.talk(outer)[-1] == ("boss", (), "assistant", "helped!")


async def test_an_agent_that_hands_its_turn_on(heard):
    await play("filtered")
    assert len(heard.runs) == 1
    assert heard.runs[0].turn == 2
    assert [e.agent for e in heard.of("model_call", "message")] == ["user", "ann", "ann", "bob", "bob"]


@pytest.mark.parametrize("mode", ["run", "stream"])
async def test_memory_is_a_snapshot(heard, mode):
    class Own(AssistantAgent):
        async def on_messages_stream(self, messages, cancellation_token):
            async for item in super().on_messages_stream(messages, cancellation_token):
                yield item

    store = ListMemory()
    await store.add(MemoryContent(content="the sky is green", mime_type=MemoryMimeType.TEXT))
    await Driver(mode).run(Own("ann", Scripted(["noted"]), memory=[store]))
    [event] = heard.of("context_snapshot")
    assert (event.agent, event.payload["reason"], event.payload["content"]) == ("ann", "memory", "the sky is green")


async def test_a_task_that_a_member_gives_for_a_person_is_the_users(heard):
    from autogen_agentchat.agents import UserProxyAgent

    person = UserProxyAgent("customer", input_func=lambda _prompt: "Thank you, that is all")
    team = RoundRobinGroupChat([assistant("ann", ["one"]), person], max_turns=2)
    await team.run(task=TextMessage(content=TASK, source="customer"))
    assert [event.payload["role"] for event in heard.of("message")][:2] == ["user", "assistant"]
    assert heard.runs[0].task == TASK
