"""Sessions, runs of the application's own, how runs end, and messages that are no texts."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("autogen_agentchat.teams")

from agentchat_kit import Scripted, Speaker, assistant, client_of, contents, drained
from agentchat_scenarios import play
from autogen_agentchat.agents import BaseChatAgent, SocietyOfMindAgent, UserProxyAgent
from autogen_agentchat.conditions import MaxMessageTermination, TextMentionTermination
from autogen_agentchat.messages import MultiModalMessage, StructuredMessage, TextMessage
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_agentchat.teams._group_chat._round_robin_group_chat import RoundRobinGroupChatManager
from autogen_core import CancellationToken, Image, SingleThreadedAgentRuntime
from pydantic import BaseModel

from seasoned.instrumentation.runs import CURRENT, entered

TASK = "Please solve it for me"


# -- sessions ----------------------------------------------------------------------------------------------------


async def test_a_team_goes_on_until_it_is_reset(heard):
    await play("follow_up")
    one, two = heard.runs
    assert one.session_id != two.session_id
    assert [c for *_, c in heard.talk(one)] == [TASK, "one", "and more of it", "two"]
    assert (one.task, two.task) == (TASK, "something else now")
    assert [e.payload["resumed"] for e in heard.of("run_started")] == [False, True, False]


async def test_a_judged_run_is_not_gone_on_with(heard):
    team = RoundRobinGroupChat([assistant("ann", ["one", "two"])], max_turns=1)
    await team.run(task=TASK)
    heard.runs[0].outcome(True)
    await team.run(task="another thing to do")
    one, two = heard.runs
    assert one.session_id == two.session_id


async def test_a_run_that_rested_too_long_is_not_gone_on_with(heard):
    heard.tap.idle_ns = 0
    agent = assistant("ann", ["one", "two"])
    await agent.run(task=TASK)
    await agent.run(task="another thing to do")
    one, two = heard.runs
    assert one.session_id == two.session_id


async def test_an_agent_that_is_reset(heard):
    agent = assistant("ann", ["one", "two"])
    await agent.run(task=TASK)
    await agent.on_reset(CancellationToken())
    await agent.run(task="another thing to do")
    one, two = heard.runs
    assert one.session_id != two.session_id


async def test_a_state_that_is_loaded(heard):
    team = RoundRobinGroupChat([assistant("ann", ["one", "two"])], max_turns=1)
    await team.run(task=TASK)
    await team.load_state(await team.save_state())
    await team.run(task="another thing to do")
    assert len({run.session_id for run in heard.runs}) == 2


async def test_the_first_substantial_text_names_the_task(heard):
    team = RoundRobinGroupChat([assistant("ann", ["one", "two", "three"])], max_turns=1)
    for text in ("hi", "please refund my order", "and be quick about it"):
        await team.run(task=text)
    assert heard.runs[0].task == "please refund my order"


async def test_a_person_names_the_task_where_nobody_else_did(heard):
    person = UserProxyAgent("human", input_func=lambda _prompt: "please refund my order")
    await RoundRobinGroupChat([person, assistant("ann", ["one two three four"])], max_turns=2).run()
    assert heard.runs[0].task == "please refund my order"


async def test_a_run_of_the_application(heard):
    run = heard.recorder.begin("a task of its own", explicit=True)
    team = RoundRobinGroupChat([assistant("ann", ["one"])], max_turns=1)
    with entered(run):
        await team.run(task=TASK)
        await assistant("bob", ["two"]).run(task="more to do")
        assert CURRENT.get() is run
    assert heard.runs == [run]
    assert "run_finished" not in heard.kinds()
    assert run.turn == 2
    assert run.framework == "autogen_agentchat"
    assert run.task == "a task of its own"


async def test_an_agent_as_a_tool_in_a_run_of_the_application(heard):
    run = heard.recorder.begin("a task of its own", explicit=True)
    with entered(run):
        await play("agent_as_tool")
    assert [one.parent for one in heard.runs] == [None, run, run]
    assert [e.agent for e in heard.of("message", run=run)] == ["user", "ann"]


async def test_a_team_that_was_given_up_is_left_alone(heard):
    """Its agents go on in a runtime that the application started inside a run of its own."""
    run, runtime = heard.recorder.begin("a task of its own", explicit=True), SingleThreadedAgentRuntime()
    with entered(run):
        runtime.start()
    gate = asyncio.Event()

    class Late(Scripted):
        async def create(self, messages, **options):
            return await super().create(messages, **options)

    class Slow(Speaker):
        async def on_messages(self, messages, cancellation_token):
            await gate.wait()
            return await super().on_messages(messages, cancellation_token)

    bob = assistant("bob", [])
    bob._model_client = Late(["two"])
    team = RoundRobinGroupChat([Slow("ann", "one"), bob], max_turns=2, runtime=runtime)
    stream = team.run_stream(task=TASK)
    await stream.__anext__()
    await stream.aclose()
    known = len(heard.events)
    gate.set()
    await runtime.stop_when_idle()
    assert client_of(bob).seen
    assert [e for e in heard.events[known:] if e.run_id == run.run_id or e.kind == "model_call"] == []


async def test_a_manager_that_asks_its_base_class(heard):
    class Manager(RoundRobinGroupChatManager):
        async def select_speaker(self, thread):
            return await super().select_speaker(thread)

    class Own(RoundRobinGroupChat):
        def _create_group_chat_manager_factory(self, *args, **options):
            make = super()._create_group_chat_manager_factory(*args, **options)

            def factory():
                manager = make()
                manager.__class__ = Manager
                return manager

            return factory

    await Own([Speaker("ann", "hello")], max_turns=2).run(task=TASK)
    assert heard.steps() == [("user", "ann", "round_robin"), ("ann", "ann", "round_robin")]


async def test_a_run_of_the_application_inside_a_tool(heard):
    inner = heard.recorder.begin("inside", explicit=True)

    async def tool() -> str:
        with entered(inner):
            return contents(await assistant("bob", ["two"]).run(task="more to do"))[-1]

    agent = assistant("ann", [[("tool", {})]], tools=[tool])
    await RoundRobinGroupChat([agent], max_turns=1).run(task=TASK)
    assert [e.agent for e in heard.of("model_call", run=inner)] == ["bob"]
    assert "bob" not in heard.runs[1].agents


# -- how it ends -------------------------------------------------------------------------------------------------


async def test_an_exception_is_recorded_as_it_was_raised(heard):
    await play("code_that_raises")
    team = RoundRobinGroupChat([assistant("ann", ["one"]), assistant("bob", [LookupError("no such thing")])])
    with pytest.raises(RuntimeError, match="LookupError: no such thing"):
        await team.run(task=TASK)
    run = heard.runs[1]
    assert [(e.agent, e.payload["error_type"], e.payload["error"]) for e in heard.of("error", run=run)] == [
        ("bob", "LookupError", "no such thing")
    ]
    assert [(e.payload["success"], e.payload["source"]) for e in heard.of("outcome", run=run)] == [(False, "exception")]
    [end] = heard.of("run_finished", run=run)
    assert (end.payload["reason"], end.payload["error_type"]) == ("exception", "LookupError")
    assert run.last_error is None


async def test_a_provider_that_fails_says_nothing_about_the_agents(heard):
    await play("failing_model")
    assert heard.of("outcome") == []
    assert heard.of("run_finished")[0].payload["error_type"] == "ConnectionError"


async def test_what_really_happened_in_an_inner_team(heard):
    inner = RoundRobinGroupChat([assistant("ina", [ConnectionError("down")])], name="inner")
    society = SocietyOfMindAgent(
        "society", RoundRobinGroupChat([assistant("inb", [ConnectionError("down")])]), Scripted([])
    )
    for team in (RoundRobinGroupChat([inner]), RoundRobinGroupChat([society])):
        with pytest.raises(RuntimeError):
            await team.run(task=TASK)
    assert heard.of("outcome") == []
    assert {e.payload["error_type"] for e in heard.of("run_finished")} == {"ConnectionError"}


async def test_a_cancelled_run(heard):
    await play("cancelled")
    assert [(e.agent, e.payload["error_type"]) for e in heard.of("error")] == [("ann", "CancelledError")]
    assert heard.of("outcome") == []
    assert heard.reasons() == ["exception"]


async def test_a_cancelled_task(heard):
    agent = assistant("ann", [])
    agent._model_client = Endless([])
    task = asyncio.ensure_future(agent.run(task=TASK))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [e.payload["error_type"] for e in heard.of("model_call", "error", "run_finished")] == ["CancelledError"] * 3


class Endless(Scripted):
    """Never answers."""

    async def create(self, messages, **_options):
        await asyncio.sleep(60)


async def test_a_stream_that_is_given_up(heard):
    await play("given_up")
    assert heard.reasons() == ["closed by the application"]
    assert heard.of("error", "outcome") == []


async def test_a_stream_of_an_agent_that_is_given_up(heard):
    stream = assistant("ann", ["one two three"], model_client_stream=True).run_stream(task=TASK)
    await stream.__anext__()
    await stream.__anext__()
    await stream.aclose()
    await asyncio.sleep(0.01)  # the framework leaves the inner generators to the event loop
    assert heard.reasons() == ["closed by the application"]
    assert [(e.payload["response"], e.payload["partial"]) for e in heard.of("model_call")] == [("one", True)]


async def test_nothing_leaks_to_the_consumer(heard):
    stream = RoundRobinGroupChat([assistant("ann", ["one", "two"])], max_turns=2).run_stream(task=TASK)
    async for _ in stream:
        assert CURRENT.get() is None


async def test_a_team_that_is_running_already(heard):
    team = RoundRobinGroupChat([assistant("ann", ["one", "two"])], max_turns=2)
    stream = team.run_stream(task=TASK)
    await stream.__anext__()
    with pytest.raises(ValueError, match="already running"):
        await team.run(task="something else now")
    await drained(stream)
    assert len(heard.runs) == 1
    assert [c for *_, c in heard.talk()] == [TASK, "one", "two"]


async def test_a_termination_that_comes_at_once(heard):
    team = RoundRobinGroupChat([assistant("ann", [])], termination_condition=MaxMessageTermination(1))
    await team.run(task=TASK)
    assert heard.kinds() == ["run_started", "message", "run_finished"]
    assert heard.reasons() == ["Maximum number of messages 1 reached, current message count: 1"]


async def test_an_agent_without_a_final_response(heard):
    class Mute(BaseChatAgent):
        @property
        def produced_message_types(self):
            return (TextMessage,)

        async def on_messages(self, messages, cancellation_token):
            raise NotImplementedError

        async def on_messages_stream(self, messages, cancellation_token):
            return
            yield

        async def on_reset(self, cancellation_token):
            pass

    with pytest.raises(RuntimeError, match="did not produce a final response"):
        await RoundRobinGroupChat([Mute("mute", "says nothing")]).run(task=TASK)
    assert [(e.agent, e.payload["error_type"]) for e in heard.of("error")] == [("mute", "RuntimeError")]


# -- messages ----------------------------------------------------------------------------------------------------


class Order(BaseModel):
    """A structured content."""

    item: str
    count: int


async def test_messages_that_are_no_texts(heard):
    from PIL import Image as Picture

    image = Image(Picture.new("RGB", (4, 4), "red"))
    task = [
        MultiModalMessage(content=["What colour is this", image], source="user"),
        StructuredMessage[Order](content=Order(item="lamp", count=2), source="user"),
    ]
    agent = assistant("ann", ["red"])
    team = RoundRobinGroupChat([agent], max_turns=1, custom_message_types=[StructuredMessage[Order]])
    await team.run(task=task)
    picture, order = (event.payload for event in heard.of("message")[:2])
    assert '"sha256":' in picture["content"]
    assert '"media_type":"image/x-raw"' in picture["content"]
    assert "base64" not in picture["content"]
    assert order["content"] == '{"item":"lamp","count":2}'
    assert heard.runs[0].task == "What colour is this"


async def test_text_mentions_end_it_once(heard):
    team = RoundRobinGroupChat([assistant("ann", ["DONE"])], termination_condition=TextMentionTermination("DONE"))
    assert (await team.run(task=TASK)).stop_reason == heard.reasons()[0]
