"""Many teams at once, in tasks and in threads with event loops of their own: nothing is ever mixed up."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Any

import pytest

pytest.importorskip("autogen_agentchat.teams")

from agentchat_kit import Scripted, Speaker, assistant, recorded
from autogen_agentchat.agents import SocietyOfMindAgent
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import RoundRobinGroupChat, SelectorGroupChat, Swarm
from autogen_core import FunctionCall, SingleThreadedAgentRuntime
from autogen_core.models import CreateResult, RequestUsage

MANY = int(os.environ.get("SEASONED_TEST_MANY", "40"))


@pytest.fixture
def heard(tmp_path):
    with recorded(tmp_path) as recording:
        recording.tap.compose = lambda run, agent: f"<block of {agent} in {run.run_id}>"
        yield recording


class Echo(Scripted):
    """A model that names the task it was asked about, and lets others go on before it answers."""

    def __init__(self):
        super().__init__([])

    async def create(self, messages, tools=(), **_options):
        number = _number(messages)
        for _ in range(number % 5):
            await asyncio.sleep(0)
        self.asked.append(list(messages))
        content = f"answer about task {number}"
        if tools and not any(type(message).__name__ == "FunctionExecutionResultMessage" for message in messages):
            content = [FunctionCall(id="call", name="look", arguments=f'{{"number": {number}}}')]
        return CreateResult(finish_reason="stop", content=content, usage=RequestUsage(number, 1), cached=False)


def _number(messages) -> int:
    texts = (m.content for m in messages if type(m).__name__ == "UserMessage")
    return int(next(text for text in texts if "task " in text).split("task ")[1].split()[0])


async def look(number: int) -> str:
    """Look at a task."""
    await asyncio.sleep(0)
    return f"looked at task {number} here"


def teams(number: int) -> Any:
    """A team of one of several kinds, all of them on a model of their own that all share the class."""

    def agent(name, **options):
        made = assistant(name, [], **options)
        made._model_client = Echo()
        return made

    ann, bob = agent("ann", tools=[look], reflect_on_tool_use=True), agent("bob")
    if number % 4 == 0:
        return SelectorGroupChat(
            [ann, bob], Scripted([]), selector_func=lambda t: ("ann", "bob")[len(t) % 2 == 0], max_turns=2
        )
    if number % 4 == 1:
        return Swarm([ann, bob], termination_condition=MaxMessageTermination(8))
    if number % 4 == 2:
        inner = RoundRobinGroupChat([agent("ina")], max_turns=1)
        return RoundRobinGroupChat([SocietyOfMindAgent("society", inner, Echo()), ann], max_turns=2)
    return RoundRobinGroupChat([ann, bob], max_turns=3)


async def play(numbers, **_options) -> None:
    done = await asyncio.gather(*(teams(n).run(task=f"Please think about task {n} now") for n in numbers))
    assert all(result.messages for result in done)


def check(heard, count: int) -> None:
    """Every run holds the words of its own task only, all of them, in order, none missing."""
    outer = [run for run in heard.runs if run.parent is None]
    assert len(outer) == count
    numbers = set()
    for run in heard.runs:
        events = [event for event in heard.events if event.run_id == run.run_id]
        assert [event.seq for event in events] == list(range(len(events)))
        kinds = [event.kind for event in events]
        assert (kinds[0], kinds[-1]) == ("run_started", "run_finished")
        mine = int(run.task.split("task ")[1].split()[0])
        numbers.add(mine)
        for event in events:
            text = str(event.payload.get("content") or event.payload.get("response") or "")
            if "task " in text:
                assert f"task {mine} " in text + " "
            if event.kind == "model_call":
                assert event.payload["usage"]["input_tokens"] == mine
            if event.kind in ("tool_call", "tool_result"):
                assert event.payload["tool"] == "look"
        assert kinds.count("tool_call") == kinds.count("tool_result")
        said = kinds.count("message") - 1
        assert said == run.turn == kinds.count("transition")
        assert kinds.count("model_call") == said + kinds.count("tool_call")
    assert len(numbers) == count


async def test_tasks(heard):
    await play(range(MANY))
    check(heard, MANY)


def test_threads(heard):
    threads = [threading.Thread(target=lambda n=n: asyncio.run(play([n]))) for n in range(MANY)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(heard, MANY)


def test_loops_of_tasks_in_threads(heard):
    groups = [range(start, MANY, 4) for start in range(4)]
    threads = [threading.Thread(target=lambda g=g: asyncio.run(play(g))) for g in groups]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(heard, MANY)


async def test_one_runtime_for_all(heard):
    runtime = SingleThreadedAgentRuntime()
    runtime.start()

    async def one(number):
        agents = [assistant("ann", []), assistant("bob", [])]
        for agent in agents:
            agent._model_client = Echo()
        team = RoundRobinGroupChat(agents, max_turns=2, runtime=runtime)
        await team.run(task=f"Please think about task {number} now")

    await asyncio.gather(*map(one, range(MANY)))
    await runtime.stop_when_idle()
    check(heard, MANY)


async def test_one_agent_for_all(heard):
    """An agent that keeps nothing may be asked by everybody at once."""

    def answer(messages):
        return f"answer about task {messages[-1].content.split('task ')[1]}"

    agent = Speaker("ann", answer)
    await asyncio.gather(*(agent.run(task=f"Please think about task {number} now") for number in range(MANY)))
    for run in heard.runs:
        number = run.task.split("task ")[1].split()[0]
        assert [c for *_, c in heard.talk(run)][1] == f"answer about task {number} now"


async def test_the_injected_block_belongs_to_the_run(heard):
    team_of = {}

    async def one(number):
        agent = assistant("ann", [])
        agent._model_client = Echo()
        team_of[number] = agent._model_client
        await RoundRobinGroupChat([agent], max_turns=2).run(task=f"Please think about task {number} now")

    await asyncio.gather(*map(one, range(MANY)))
    runs = {int(run.task.split("task ")[1].split()[0]): run for run in heard.runs}
    for number, model in team_of.items():
        blocks = {messages[0].content.partition("\n\n")[2] for messages in model.asked}
        assert blocks == {f"<block of ann in {runs[number].run_id}>"}
