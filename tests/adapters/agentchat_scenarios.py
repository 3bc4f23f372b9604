"""Conversations of every kind, played with and without the plugin, and with ``run`` and ``run_stream``.

Each takes a :class:`Driver` and returns whatever an application could see of it: messages, states, configurations,
exceptions, and the prompts that reached the scripted models.
"""

from __future__ import annotations

import asyncio
import json
import warnings
from typing import TYPE_CHECKING, Any

from agentchat_kit import Driver, Scripted, Speaker, assistant, client_of, drained, said
from autogen_agentchat.agents import CodeExecutorAgent, MessageFilterAgent, SocietyOfMindAgent, UserProxyAgent
from autogen_agentchat.agents._message_filter_agent import MessageFilterConfig, PerSourceFilter
from autogen_agentchat.conditions import HandoffTermination, TextMentionTermination
from autogen_agentchat.messages import HandoffMessage, TextMessage
from autogen_agentchat.teams import (
    DiGraphBuilder,
    GraphFlow,
    MagenticOneGroupChat,
    RoundRobinGroupChat,
    SelectorGroupChat,
    Swarm,
)
from autogen_agentchat.tools import AgentTool, TeamTool
from autogen_core import CancellationToken
from autogen_core.code_executor import CodeExecutor, CodeResult
from autogen_core.memory import ListMemory, MemoryContent, MemoryMimeType
from autogen_core.tools import FunctionTool, StaticWorkbench
from autogen_ext.models.cache import ChatCompletionCache
from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Scenario = Callable[[Driver], Awaitable[Any]]


async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def boom(x: int) -> str:
    """Fail."""
    raise ValueError(f"tool exploded at {x}")


class Executor(CodeExecutor):
    """A code executor that runs nothing: the code says what comes of it."""

    component_type = "code_executor"

    async def execute_code_blocks(self, code_blocks, cancellation_token):
        code = code_blocks[0].code.strip()
        if code.startswith("raise"):
            raise RuntimeError("no sandbox")
        return CodeResult(exit_code=int(code.startswith("bad")), output=f"ran {code}")

    async def start(self):
        pass

    async def stop(self):
        pass

    async def restart(self):
        pass


def coder(name: str, **options: Any) -> CodeExecutorAgent:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that nobody approves the code
        return CodeExecutorAgent(name, Executor(), **options)


def ledger(speaker: str, done: bool = False) -> str:
    """What the orchestrator of MagenticOne wants of its model."""
    answers = {
        "is_request_satisfied": done,
        "is_in_loop": False,
        "is_progress_being_made": True,
        "next_speaker": speaker,
        "instruction_or_question": f"do it, {speaker}",
    }
    return json.dumps({key: {"reason": "because", "answer": answer} for key, answer in answers.items()})


async def outcome(driver: Driver, target: Any, *clients: Any, task: Any = "Please solve it for me") -> Any:
    """Everything that can be seen of one run."""
    try:
        result = await driver.run(target, task)
        seen = [said(result), result.stop_reason]
    except Exception as error:  # noqa: BLE001  compared
        seen = [type(error).__name__, str(error).splitlines()[0]]
    return [*seen, await target.save_state(), [client.seen for client in clients]]


async def round_robin(driver: Driver) -> Any:
    agents = [assistant("ann", ["one", "three"]), assistant("bob", ["two", "DONE"])]
    team = RoundRobinGroupChat(agents, termination_condition=TextMentionTermination("DONE"))
    return await outcome(driver, team, *map(client_of, agents))


async def follow_up(driver: Driver) -> Any:
    team = RoundRobinGroupChat([assistant("ann", ["one", "two", "three"])], max_turns=1)
    first, second = await outcome(driver, team), await outcome(driver, team, task="and more of it")
    await team.reset()
    return [first, second, await outcome(driver, team, task="something else now")]


async def selector(driver: Driver) -> Any:
    agents = [assistant("ann", ["one"]), assistant("bob", ["DONE"]), assistant("cec", [])]
    model = Scripted(["ann", "nobody at all", "bob"])
    team = SelectorGroupChat(agents, model, termination_condition=TextMentionTermination("DONE"))
    return await outcome(driver, team, model, *map(client_of, agents))


async def selector_function(driver: Driver) -> Any:
    def choose(thread):
        return "bob" if len(thread) == 1 else "ann"

    agents = [assistant("ann", ["DONE"]), assistant("bob", ["one"])]
    team = SelectorGroupChat(
        agents, Scripted([]), selector_func=choose, termination_condition=TextMentionTermination("DONE")
    )
    return await outcome(driver, team, *map(client_of, agents))


async def selector_streams(driver: Driver) -> Any:
    agents = [assistant("ann", ["one two three"], model_client_stream=True), assistant("bob", ["DONE"])]
    model = Scripted(["ann", "bob"])
    team = SelectorGroupChat(
        agents, model, termination_condition=TextMentionTermination("DONE"), model_client_streaming=True,
        emit_team_events=True,
    )  # fmt: skip
    return await outcome(driver, team, model, *map(client_of, agents))


async def swarm(driver: Driver) -> Any:
    agents = [
        assistant("ann", [[("add", {"a": 1, "b": 2}), ("transfer_to_bob", {})]], handoffs=["bob"], tools=[add]),
        assistant("bob", [[("transfer_to_user", {})], "DONE"], handoffs=["user"]),
    ]
    stop = HandoffTermination(target="user") | TextMentionTermination("DONE")
    team = Swarm(agents, termination_condition=stop)
    first = await outcome(driver, team, *map(client_of, agents))
    more = HandoffMessage(source="user", target="bob", content="here is what you asked for")
    return [first, await outcome(driver, team, *map(client_of, agents), task=more)]


async def graph(driver: Driver) -> Any:
    agents = [assistant(name, [f"{name} says", f"{name} again"]) for name in ("ann", "bob", "cec", "dan")]
    builder = DiGraphBuilder()
    for agent in agents:
        builder.add_node(agent)
    ann, bob, cec, dan = agents
    builder.add_edge(ann, bob).add_edge(ann, cec).add_edge(bob, dan).add_edge(cec, dan)
    return await outcome(driver, GraphFlow(agents, graph=builder.build()), *map(client_of, agents))


async def magentic_one(driver: Driver) -> Any:
    agents = [assistant("ann", ["found it"]), assistant("bob", ["checked"])]
    model = Scripted(["facts", "plan", ledger("ann"), ledger("bob"), ledger("ann", done=True), "the final answer"])
    return await outcome(driver, MagenticOneGroupChat(agents, model), model, *map(client_of, agents))


async def society_of_mind(driver: Driver) -> Any:
    inner = [assistant("ina", ["x", "x2"]), assistant("inb", ["y", "y2"])]
    model = Scripted(["summary", "second summary"])
    society = SocietyOfMindAgent("society", RoundRobinGroupChat(inner, max_turns=2), model)
    team = RoundRobinGroupChat([society, assistant("ann", ["z"])], max_turns=3)
    return await outcome(driver, team, model, *map(client_of, inner))


async def society_with_system_messages(driver: Driver) -> Any:
    inner = [assistant("ina", ["x"])]
    model = Scripted(["summary"], info={"multiple_system_messages": True})
    society = SocietyOfMindAgent("society", RoundRobinGroupChat(inner, max_turns=1), model)
    return await outcome(driver, society, model, *map(client_of, inner))


async def nested_team(driver: Driver) -> Any:
    inner = RoundRobinGroupChat([assistant("ina", ["x"]), assistant("inb", ["y"])], max_turns=2, name="inner")
    team = RoundRobinGroupChat([inner, assistant("ann", ["DONE"])], max_turns=2)
    return await outcome(driver, team)


async def nested_failure(driver: Driver) -> Any:
    inner = RoundRobinGroupChat([assistant("ina", [LookupError("inside")])], max_turns=2, name="inner")
    return await outcome(driver, RoundRobinGroupChat([inner, assistant("ann", ["DONE"])], max_turns=2))


async def single_agent(driver: Driver) -> Any:
    agent = assistant("ann", ["one", {"content": "two", "thought": "let me think"}])
    first = await outcome(driver, agent, client_of(agent))
    return [first, await outcome(driver, agent, client_of(agent), task=[TextMessage(content="more", source="user")])]


async def streaming_agent(driver: Driver) -> Any:
    agent = assistant("ann", ["one two three"], model_client_stream=True)
    items = [str(getattr(item, "content", "")) async for item in agent.run_stream(task="Please stream it")]
    return [items, await agent.save_state()]


async def tools(driver: Driver) -> Any:
    agent = assistant(
        "ann",
        [
            [("add", {"a": 1, "b": 2}), ("boom", {"x": 7})],
            [("missing", {}), ("add", "{not json"), ("add", {"a": "what"})],
            "that is all",
        ],
        tools=[add, boom],
        max_tool_iterations=3,
    )
    return await outcome(driver, agent, client_of(agent))


async def reflection(driver: Driver) -> Any:
    agents = [
        assistant(f"ann{stream:d}", [[("add", {"a": 1, "b": 2})], "it is three"], tools=[add], reflect_on_tool_use=True,
                  model_client_stream=stream)
        for stream in (False, True)
    ]  # fmt: skip
    return [await outcome(driver, agent, client_of(agent)) for agent in agents]


class Answer(BaseModel):
    """What a structured answer holds."""

    verdict: str
    score: int


async def structured(driver: Driver) -> Any:
    agent = assistant("ann", ['{"verdict": "fine", "score": 3}'], output_content_type=Answer)
    return await outcome(driver, agent, client_of(agent))


async def workbench(driver: Driver) -> Any:
    bench = StaticWorkbench([FunctionTool(add, "add"), FunctionTool(boom, "boom")])
    agent = assistant("ann", [[("add", {"a": 1, "b": 2}), ("boom", {"x": 7})]], workbench=bench)
    return await outcome(driver, agent, client_of(agent))


async def agent_as_tool(driver: Driver) -> Any:
    helper = assistant("helper", ["helped"])
    team = TeamTool(RoundRobinGroupChat([assistant("ina", ["x"])], max_turns=1), "squad", "asks a team")
    agent = assistant(
        "ann",
        [[("helper", {"task": "Please help me out"})], [("squad", {"task": "Please work it out"})], "that is all"],
        tools=[AgentTool(helper), team], max_tool_iterations=3,
    )  # fmt: skip
    return await outcome(driver, agent, client_of(agent), client_of(helper))


async def code(driver: Driver) -> Any:
    writer = assistant("ann", ["```python\ngood\n```", "```sh\nbad\n```", "no code"])
    team = RoundRobinGroupChat([writer, coder("coder")], max_turns=6)
    return await outcome(driver, team)


async def code_with_model(driver: Driver) -> Any:
    retry = json.dumps({"retry": True, "reason": "try again"})
    model = Scripted(["```python\nbad\n```", retry, "```python\ngood\n```", "all is well"])
    agent = coder("coder", model_client=model, max_retries_on_error=1)
    return await outcome(driver, agent, model)


async def code_that_raises(driver: Driver) -> Any:
    return await outcome(driver, coder("coder"), task="```python\nraise\n```")


async def person(driver: Driver) -> Any:
    user = UserProxyAgent("human", input_func=lambda _prompt: "looks good, DONE")
    team = RoundRobinGroupChat(
        [assistant("ann", ["what do you think?"]), user], termination_condition=TextMentionTermination("DONE")
    )
    return await outcome(driver, team)


async def person_who_fails(driver: Driver) -> Any:
    def hang_up(_prompt):
        raise EOFError("nobody there")

    team = RoundRobinGroupChat([UserProxyAgent("human", input_func=hang_up)], max_turns=2)
    return await outcome(driver, team)


async def filtered(driver: Driver) -> Any:
    inner = assistant("bob", ["two"])
    config = MessageFilterConfig(per_source=[PerSourceFilter(source="ann", position="last", count=1)])
    team = RoundRobinGroupChat([assistant("ann", ["one"]), MessageFilterAgent("bob", inner, config)], max_turns=2)
    return await outcome(driver, team, client_of(inner))


async def memory(driver: Driver) -> Any:
    store = ListMemory()
    await store.add(MemoryContent(content="the sky is green", mime_type=MemoryMimeType.TEXT))
    agent = assistant("ann", ["noted"], memory=[store])
    return await outcome(driver, agent, client_of(agent))


async def cached_client(driver: Driver) -> Any:
    model = Scripted(["one", "two"])
    results = []
    cache = ChatCompletionCache(model)
    for _ in range(2):
        agent = assistant("ann", [])
        agent._model_client = cache
        results.append(await outcome(driver, agent))
    return [results, len(model.items)]


async def failing_model(driver: Driver) -> Any:
    team = RoundRobinGroupChat([assistant("ann", ["one"]), assistant("bob", [ConnectionError("model down")])])
    return await outcome(driver, team)


async def half_an_answer(driver: Driver) -> Any:
    agents = [
        assistant("ann", [("half ", "an ", ConnectionError("cut off"))], model_client_stream=True),
        assistant("bob", [("half ", "an ", "")], model_client_stream=True),
    ]
    return [await outcome(driver, agent, client_of(agent)) for agent in agents]


async def nonsense(driver: Driver) -> Any:
    return [await outcome(driver, assistant("ann", [{"content": odd}])) for odd in (None, 7, {"a": 1})]


async def failing_selector(driver: Driver) -> Any:
    agents = [assistant("ann", ["one"]), assistant("bob", ["DONE"])]
    team = SelectorGroupChat(agents, Scripted([ValueError("selector down")]), max_turns=2)
    return await outcome(driver, team)


async def cancelled(driver: Driver) -> Any:
    token, asked = CancellationToken(), asyncio.Event()

    class Slow(Scripted):
        async def create(self, messages, **options):
            asked.set()
            task = asyncio.ensure_future(asyncio.sleep(30))
            options["cancellation_token"].link_future(task)
            await task

    agent = assistant("ann", [])
    agent._model_client = Slow([])
    team = RoundRobinGroupChat([agent], max_turns=1)
    running = asyncio.ensure_future(driver.run(team, "Please wait for me", cancellation_token=token))
    await asked.wait()
    token.cancel()
    done = (await asyncio.gather(running, return_exceptions=True))[0]
    return type(done).__name__


async def given_up(driver: Driver) -> Any:
    team = RoundRobinGroupChat([assistant("ann", ["one", "two", "three"])], max_turns=3)
    stream: Any = team.run_stream(task="Please begin now")
    seen = []
    async for item in stream:
        seen.append(item.content)
        if len(seen) == 2:
            break
    await stream.aclose()
    return seen


async def refused(driver: Driver) -> Any:
    team = RoundRobinGroupChat([assistant("ann", ["one"])], max_turns=1)
    return [await outcome(driver, team, task=task) for task in ([], 7)]


async def custom_agents(driver: Driver) -> Any:
    team = RoundRobinGroupChat([Speaker("ann", "hello"), Speaker("bob", lambda m: m[-1].content + "!")], max_turns=2)
    return await outcome(driver, team)


async def on_messages(driver: Driver) -> Any:
    agent, token = assistant("ann", ["one", "two"]), CancellationToken()
    task = [TextMessage(content="Please answer me", source="user")]
    if driver.mode == "stream":
        response = await drained(agent.on_messages_stream(task, token))
    else:
        response: Any = await agent.on_messages(task, token)
    return [response.chat_message.content, await agent.save_state()]


SCENARIOS: dict[str, Scenario] = {
    name: play
    for name, play in list(globals().items())
    if asyncio.iscoroutinefunction(play) and "driver" in play.__code__.co_varnames[:1] and name != "outcome"
}


async def play(name: str, mode: str = "run") -> Any:
    """Play a scenario; ``mode`` is one of the driver's."""
    return await SCENARIOS[name](Driver(mode))
