"""Model calls: what reaches the model, what is recorded of it, and that nothing of ours stays with the host."""

from __future__ import annotations

import json
import types

import pytest

pytest.importorskip("autogen_agentchat.teams")

from agentchat_kit import BLOCK, Driver, Scripted, Speaker, assistant, client_of, drained
from agentchat_scenarios import SCENARIOS, add, coder
from autogen_agentchat.agents import AssistantAgent, SocietyOfMindAgent
from autogen_agentchat.base import Response
from autogen_agentchat.messages import MultiModalMessage, TextMessage
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core import Image
from autogen_core.model_context import BufferedChatCompletionContext
from autogen_core.models import ChatCompletionClient, CreateResult, RequestUsage, SystemMessage, UserMessage
from autogen_ext.models.cache import ChatCompletionCache
from autogen_ext.models.replay import ReplayChatCompletionClient

from seasoned.adapters.agentchat_messages import History, entries
from seasoned.adapters.agentchat_models import with_block
from seasoned.instrumentation.cost import Prices
from seasoned.instrumentation.prompts import EXACT
from seasoned.instrumentation.prompts import with_block as with_block_in_dictionaries
from seasoned.instrumentation.runs import entered

TASK = "Please solve it for me"


@pytest.fixture
def heard(heard):
    """Every agent is given a block."""
    heard.tap.compose = lambda _run, agent: BLOCK.format(agent)
    return heard


def systems(model: Scripted) -> list[list[str]]:
    """The system messages of each prompt that reached a model."""
    return [[m["content"] for m in prompt if m["type"] == "SystemMessage"] for prompt in model.seen]


# -- injection ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("reflects", [False, True])
async def test_an_assistant(heard, stream, reflects):
    agent = assistant(
        "ann", [[("add", {"a": 1, "b": 2})], "three"], tools=[add], reflect_on_tool_use=reflects,
        model_client_stream=stream, max_tool_iterations=1 if reflects else 2,
    )  # fmt: skip
    result = await agent.run(task=TASK)
    assert systems(client_of(agent)) == [["You are ann.\n\n" + BLOCK.format("ann")]] * 2
    assert [m.content for m in agent._system_messages] == ["You are ann."]
    assert "experience" not in json.dumps(await agent.save_state())
    assert "experience" not in str(result)


async def test_an_assistant_without_a_system_message(heard):
    agent = assistant("ann", ["one"], system_message=None)
    await agent.run(task=TASK)
    assert client_of(agent).seen[0][0] == {"content": BLOCK.format("ann"), "type": "SystemMessage"}
    assert [m["type"] for m in client_of(agent).seen[0]] == ["SystemMessage", "UserMessage"]


async def test_a_code_executor_with_a_model(heard):
    await SCENARIOS["code_with_model"](Driver("run"))
    model = Scripted(["```python\ngood\n```", "all is well"])
    agent = coder("coder", model_client=model, system_message="You write code.")
    await agent.run(task=TASK)
    assert systems(model) == [["You write code.\n\n" + BLOCK.format("coder")]] * 2


@pytest.mark.parametrize("several", [False, True])
async def test_a_society_of_mind(heard, several):
    model = Scripted(["summary"], info={"multiple_system_messages": several})
    inner = RoundRobinGroupChat([assistant("ina", ["x"])], max_turns=1)
    society = SocietyOfMindAgent("society", inner, model, instruction="Look.", response_prompt="Now answer.")
    await society.run(task=TASK)
    block = BLOCK.format("society")
    assert systems(model) == ([[f"Look.\n\n{block}", "Now answer."]] if several else [[block]])


@pytest.mark.parametrize("name", ["selector", "selector_streams", "magentic_one"])
async def test_the_machinery_is_left_alone(heard, name):
    await SCENARIOS[name](Driver("run"))
    for event in heard.of("model_call"):
        assert bool(event.payload.get("internal")) is ("Group" in event.agent or "Orch" in event.agent)
        assert bool(event.payload["prompt"]["block"]) is not bool(event.payload.get("internal"))


async def test_an_agent_of_the_applications_own(heard):
    model = Scripted(["one", "two"])

    class Own(Speaker):
        def __init__(self, name):
            super().__init__(name, "")
            self.brain = model

        async def on_messages(self, messages, cancellation_token):
            answer = await self.brain.create(
                [SystemMessage(content="Think."), *(m.to_model_message() for m in messages)]
            )
            return Response(chat_message=TextMessage(content=answer.content, source=self.name))

    await RoundRobinGroupChat([Own("own")], max_turns=2).run(task=TASK)
    assert systems(model) == [["Think.\n\n" + BLOCK.format("own")]] * 2


async def test_what_tools_and_helpers_ask_is_not_the_agents_call(heard):
    model, other = Scripted(["inside"]), Scripted(["other"])

    async def think(about: str) -> str:
        await other.create([SystemMessage(content="Be a judge.")])
        return (await model.create([SystemMessage(content="Be a tool.")])).content

    agent = assistant("ann", [], tools=[think], max_tool_iterations=2)
    model.items = [[("think", {"about": "it"})], "inside", "done"]
    agent._model_client = model  # the tool asks the very same one
    await agent.run(task=TASK)
    assert systems(model)[1] == ["Be a tool."]
    assert systems(other) == [["Be a judge."]]
    assert [(e.agent, bool(e.payload["prompt"]["block"])) for e in heard.of("model_call")] == [
        ("ann", True), ("ann", False), ("ann", False), ("ann", True),
    ]  # fmt: skip


async def test_an_agent_with_two_models(heard):
    class Two(Speaker):
        def __init__(self):
            super().__init__("two", "")
            self._model_client, self.second = Scripted(["draft"]), Scripted(["fair copy"])

        async def on_messages(self, messages, cancellation_token):
            for model in (self._model_client, self.second):
                answer = await model.create([SystemMessage(content="Write.")])
            return Response(chat_message=TextMessage(content=answer.content, source=self.name))

    two = Two()
    await two.run(task=TASK)
    assert systems(two._model_client) == systems(two.second) == [["Write.\n\n" + BLOCK.format("two")]]


async def test_a_memory_that_asks_a_model_of_its_own(heard):
    from autogen_core.memory import ListMemory

    judge = Scripted(["yes"])

    class Asking(ListMemory):
        async def update_context(self, model_context):
            await judge.create([SystemMessage(content="Is it relevant?")])
            return await super().update_context(model_context)

    agent = assistant("ann", ["one"], memory=[Asking()])
    await agent.run(task=TASK)
    assert systems(judge) == [["Is it relevant?"]]


async def test_caches_keep_hitting(heard):
    """The host's cache sees the prompt as it is sent, which is the same in every run."""
    model = Scripted(["one", "two"])
    cache = ChatCompletionCache(model)
    for _ in range(3):
        await AssistantAgent("ann", cache, system_message="You are ann.").run(task=TASK)
    assert len(model.seen) == 1
    calls = heard.of("model_call")
    assert [e.payload["cached"] for e in calls] == [False, True, True]
    assert [e.payload["model"] for e in calls] == ["scripted"] * 3
    assert len(calls) == 3
    assert systems(model) == [["You are ann.\n\n" + BLOCK.format("ann")]]


async def test_a_cache_that_streams(heard):
    model = Scripted(["one two"])
    cache = ChatCompletionCache(model)
    for _ in range(2):
        await drained(AssistantAgent("ann", cache, model_client_stream=True).run_stream(task=TASK))
    assert len(model.seen) == 1
    assert [e.payload["response"] for e in heard.of("model_call")] == ["one two"] * 2


async def test_nothing_to_inject(heard):
    heard.tap.compose = lambda _run, _agent: ""
    agent = assistant("ann", ["one"])
    await agent.run(task=TASK)
    assert systems(client_of(agent)) == [["You are ann."]]
    assert client_of(agent).asked[0][0] is agent._system_messages[0]


def test_the_block_is_put_in_the_same_place_in_the_record():
    user = UserMessage(content="hello", source="user")
    for messages in (
        [],
        [user],
        [SystemMessage(content="A")],
        [user, SystemMessage(content="")],
        [SystemMessage(content="A")] * 2,
    ):
        sent = with_block(messages, "BLOCK")
        assert sent is not None
        told = [entry for message in sent for entry in entries(message)]
        assert told == with_block_in_dictionaries([e for m in messages for e in entries(m)], "BLOCK")
        assert all(message.content != "BLOCK" for message in messages)


async def test_dumps_and_kinds_are_unchanged(heard, tmp_path):
    agent = assistant("ann", ["one"])
    agent._model_client = ReplayChatCompletionClient(["one"])
    team = RoundRobinGroupChat([agent], max_turns=1)
    during = team.dump_component().model_dump_json()
    await team.run(task=TASK)
    assert isinstance(agent._model_client, ChatCompletionClient)
    assert RoundRobinGroupChat.load_component(team.dump_component()).name == team.name
    heard.stop()
    assert team.dump_component().model_dump_json() == during


# -- the record --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
async def test_usage_cost_and_duration(heard, stream):
    heard.recorder.prices = Prices({"scripted": (1.0, 2.0)})
    await assistant("ann", ["one two"], model_client_stream=stream).run(task=TASK)
    [event] = heard.of("model_call")
    payload = event.payload
    assert payload["usage"] == {"input_tokens": 10, "output_tokens": 5}
    assert payload["cost_usd"] == pytest.approx(20e-6)
    assert (payload["model"], payload["cached"], payload["response"]) == ("scripted", False, "one two")
    assert payload["duration_ms"] >= 0


async def test_a_thought_beside_tool_calls(heard):
    item = {"content": [("add", {"a": 1, "b": 2})], "thought": "I must add"}
    await assistant("ann", [item], tools=[add]).run(task=TASK)
    [event] = heard.of("model_call")
    assert event.payload["reasoning"] == "I must add"
    assert event.payload["tool_calls"] == [{"id": "call_0", "name": "add", "arguments": {"a": 1, "b": 2}}]
    assert event.payload["response"] is None


async def test_an_answer_that_was_cut(heard):
    await assistant("ann", [{"content": "one", "finish_reason": "length"}]).run(task=TASK)
    assert heard.of("model_call")[0].payload["finish_reason"] == "length"


async def test_half_an_answer(heard):
    await SCENARIOS["half_an_answer"](Driver("run"))
    broken, ended = (event.payload for event in heard.of("model_call"))
    assert (broken["response"], broken["partial"], broken["error_type"]) == ("half an ", True, "ConnectionError")
    assert (ended["response"], ended["partial"], ended.get("error_type")) == ("half an ", True, None)
    assert [e.payload["error_type"] for e in heard.of("error")] == ["ConnectionError", "RuntimeError"]


async def test_nonsense(heard):
    await SCENARIOS["nonsense"](Driver("run"))
    assert [e.payload["response"] for e in heard.of("model_call")] == [None, "7", "{'a': 1}"]


async def test_a_prompt_is_told_as_what_is_new_in_it(heard):
    agents = [assistant("ann", ["a1", "a2", "a3"]), assistant("bob", ["b1", "b2", "b3"])]
    await RoundRobinGroupChat(agents, max_turns=6).run(task=TASK)
    prompts = [e.payload["prompt"] for e in heard.of("model_call") if e.agent == "ann"]
    assert [(prompt["keep"], len(prompt["new"])) for prompt in prompts] == [(0, 2), (2, 2), (4, 2)]
    assert len({prompt["block"] for prompt in prompts}) == 1


async def test_images_in_prompts(heard):
    from PIL import Image as Picture

    message = MultiModalMessage(content=["Which colour", Image(Picture.new("RGB", (4, 4), "red"))], source="user")
    await assistant("ann", ["red"]).run(task=message)
    texts = "".join(text for text in heard.runs[0].cache)
    assert "base64" not in texts
    [event] = heard.of("model_call")
    assert event.payload["prompt"]["new"][1][0] == "user"


def test_a_history_is_read_as_a_whole_whatever_changes():
    def plain(messages):
        return [entry for message in messages for entry in entries(message)]

    history = History()
    system = SystemMessage(content="You are ann.")
    messages = [UserMessage(content=f"number {number}", source="user") for number in range(2 * EXACT)]
    for count in (1, 2, 50, 50, EXACT + 3, EXACT + 9):
        assert history.read([system, *messages[:count]]) == plain([system, *messages[:count]])
    before = list(history.read([system, *messages[:90]]))
    again = history.read([system, *messages[:90], messages[91]])
    assert all(one is other for one, other in zip(before, again, strict=False))
    shifted = history.read([system, *messages[5:90]])
    assert shifted == plain([system, *messages[5:90]])
    assert shifted[1] is before[6]
    other = [system, *messages[6:91]]
    assert history.read(other) == plain(other)
    messages[7].content = "changed in place"
    assert history.read([system, *messages[5:90]]) == plain([system, *messages[5:90]])
    assert history.read([]) == []


async def test_a_context_that_forgets(heard):
    agent = assistant("ann", [str(n) for n in range(6)], model_context=BufferedChatCompletionContext(buffer_size=3))
    for number in range(6):
        await agent.run(task=f"question number {number}")
    for event, seen in zip(heard.of("model_call"), client_of(agent).seen, strict=True):
        assert event.payload["prompt"]["keep"] + len(event.payload["prompt"]["new"]) == len(seen)


# -- clients -----------------------------------------------------------------------------------------------------


async def test_a_client_that_is_defined_later(heard):
    class Late(Scripted):
        async def create(self, messages, **options):
            return await super().create(messages, **options)

    agent = assistant("ann", [])
    agent._model_client = Late(["one"])
    await agent.run(task=TASK)
    assert len(heard.of("model_call")) == 1
    assert systems(client_of(agent)) == [["You are ann.\n\n" + BLOCK.format("ann")]]


async def test_a_client_that_only_looks_like_one(heard):
    class Alike:
        model_info = Scripted([]).model_info

        def __init__(self):
            self.seen = []

        async def create(self, messages, **_options):
            self.seen.append(messages)
            return CreateResult(finish_reason="stop", content="one", usage=RequestUsage(1, 2), cached=False)

    agent = assistant("ann", [])
    agent._model_client = model = Alike()
    await agent.run(task=TASK)
    assert [e.payload["response"] for e in heard.of("model_call")] == ["one"]
    assert model.seen[0][0].content.endswith(BLOCK.format("ann"))


async def test_methods_that_are_no_coroutines_themselves(heard):
    class Plain(Scripted):
        def create(self, messages, **options):
            return super().create(messages, **options)

        def create_stream(self, messages, **options):
            return super().create_stream(messages, **options)

    for stream in (False, True):
        agent = assistant("ann", [], model_client_stream=stream)
        agent._model_client = Plain(["one two"])
        await agent.run(task=TASK)
        assert len(client_of(agent).seen) == 1
    assert isinstance(Plain(["x"]).create_stream([]), types.AsyncGeneratorType)
    assert [e.payload["response"] for e in heard.of("model_call")] == ["one two"] * 2


async def test_messages_given_by_name_and_in_a_tuple(heard):
    model, run = Scripted(["one"]), heard.recorder.begin(TASK, explicit=True)
    with entered(run):
        await model.create(messages=(SystemMessage(content="A"), UserMessage(content="B", source="user")))
    [event] = heard.of("model_call")
    assert (event.agent, event.payload["response"]) == (None, "one")
    assert systems(model) == [["A"]]


async def test_outside_any_run_nothing_is_recorded(heard):
    assert (await Scripted(["one"]).create([])).content == "one"
    assert heard.events == []


async def test_a_block_that_fails_to_come(heard):
    def broken(_run, _agent):
        raise RuntimeError("our fault")

    heard.tap.compose = broken
    agent = assistant("ann", ["one"])
    await agent.run(task=TASK)
    assert systems(client_of(agent)) == [["You are ann."]]
    assert len(heard.of("model_call")) == 1
    assert heard.guard.failures.pop("agentchat.inject") == 1
