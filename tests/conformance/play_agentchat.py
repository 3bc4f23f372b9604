"""Tales in AutoGen AgentChat: a team in turns, whose worker uses tools within its turn; the bank is an AgentTool."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import story
from autogen_agentchat.agents import AssistantAgent, UserProxyAgent
from autogen_agentchat.conditions import TextMentionTermination
from autogen_agentchat.messages import MultiModalMessage
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_agentchat.tools import AgentTool
from autogen_core import FunctionCall, Image
from autogen_core.models import ChatCompletionClient, CreateResult, ModelFamily, RequestUsage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

USED = RequestUsage(prompt_tokens=10, completion_tokens=5)
INFO: Any = {
    "vision": True, "function_calling": True, "json_output": False, "structured_output": False,
    "family": ModelFamily.UNKNOWN,
}  # fmt: skip


class Client(ChatCompletionClient):
    """Does what the tale has for the agent that it was made for."""

    def __init__(self, says: Any) -> None:
        self.steps = iter(says)

    def _next(self) -> Any:
        step = next(self.steps)
        if isinstance(step, Exception):
            raise step
        return step

    async def create(self, messages: Any, **_options: Any) -> Any:
        return _result(self._next())

    async def create_stream(self, messages: Any, **_options: Any) -> AsyncGenerator[Any, None]:
        step = self._next()
        if isinstance(step, (str, story.Half)):
            for word in story.words(step):
                yield word
        yield _result(step)

    async def close(self) -> None:
        """Nothing is open."""

    def actual_usage(self) -> RequestUsage:
        return USED

    def total_usage(self) -> RequestUsage:
        return USED

    def count_tokens(self, messages: Any, **_options: Any) -> int:
        return 0

    def remaining_tokens(self, messages: Any, **_options: Any) -> int:
        return 1_000

    @property
    def capabilities(self) -> Any:
        return INFO

    @property
    def model_info(self) -> Any:
        return INFO


def _result(step: Any) -> Any:
    if isinstance(step, story.Nonsense):
        return step.value
    content: Any = step
    if isinstance(step, story.Call):
        content = [FunctionCall(step.tool, json.dumps(step.arguments), step.tool)]
    finish = "stop" if content is step else "function_calls"
    return CreateResult(finish_reason=finish, content=content, usage=USED, cached=False)


def play(mode: str, tale: story.Tale) -> list[Any]:
    """Play it; ``mode`` is ``async``, or ``stream`` for a run and models that stream."""
    stream = mode == "stream"

    def agent(name: str, tools: Any = None) -> Any:
        return AssistantAgent(
            name,
            Client(tale.says.get(name, ())),
            description="It helps.",
            system_message=f"You are the {name}.",
            tools=tools,
            max_tool_iterations=9,
            model_client_stream=stream,
        )

    bank = AgentTool(agent(story.BANK), return_value_as_last_message=True)
    user = UserProxyAgent("user", input_func=lambda _prompt: story.ANSWER)
    planner = agent("planner")
    if tale.asks == "planner":
        planner = RoundRobinGroupChat([agent(story.BANK)], name="planner", max_turns=1)
    members = [planner, agent("worker", [*tale.tools.values(), bank]), user, agent("reviewer")]
    team = RoundRobinGroupChat(members, termination_condition=TextMentionTermination(story.END, sources=["reviewer"]))
    task: Any = story.TASK
    if tale.image:
        task = MultiModalMessage(content=[story.TASK, Image.from_uri(tale.image_link)], source="user")

    async def run() -> list[Any]:
        if stream:
            seen: list[Any] = [item async for item in team.run_stream(task=task)]
            return [*seen[:-1], *seen[-1].messages]
        return list((await team.run(task=task)).messages)

    return [(message.type, message.source, message.to_text()) for message in asyncio.run(story.application(run()))]
