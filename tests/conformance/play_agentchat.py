"""The story in AutoGen AgentChat: a team in turns, whose worker uses its tools within its turn."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import story
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import TextMentionTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core import FunctionCall
from autogen_core.models import ChatCompletionClient, CreateResult, ModelFamily, RequestUsage
from story import AGENTS, CALLS, END, FOUND, ORDER, PLAN, TASK, look_up, refund

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

SCRIPT: dict[str, list[str]] = {"planner": [PLAN], "worker": [*CALLS, FOUND], "reviewer": [END]}
USED = RequestUsage(prompt_tokens=10, completion_tokens=5)
INFO: Any = {
    "vision": False, "function_calling": True, "json_output": False, "structured_output": False,
    "family": ModelFamily.UNKNOWN,
}  # fmt: skip


class Client(ChatCompletionClient):
    """Answers from the script of the agent that it was made for."""

    def __init__(self, name: str, *, breaks: bool) -> None:
        self.items = iter(SCRIPT[name])
        self.breaks = breaks

    def _next(self) -> CreateResult:
        if self.breaks:
            raise story.Broken(story.BROKEN)
        says = next(self.items)
        content: Any = [FunctionCall(says, json.dumps(ORDER), says)] if says in CALLS else says
        finish = "function_calls" if says in CALLS else "stop"
        return CreateResult(finish_reason=finish, content=content, usage=USED, cached=False)

    async def create(self, messages: Any, **_options: Any) -> CreateResult:
        return self._next()

    async def create_stream(self, messages: Any, **_options: Any) -> AsyncGenerator[str | CreateResult, None]:
        result = self._next()
        if isinstance(result.content, str):
            for word in result.content.split(" "):
                yield word + " "
        yield result

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


def play(mode: str, *, breaks: bool = False) -> None:
    """Play it; ``mode`` is ``async``, or ``stream`` for a run and models that stream; ``breaks``: the models raise."""
    stream = mode == "stream"
    tools: dict[str, Any] = {"worker": [look_up, refund]}
    members: list[Any] = [
        AssistantAgent(
            name,
            Client(name, breaks=breaks),
            system_message=f"You are the {name}.",
            tools=tools.get(name),
            max_tool_iterations=3,
            model_client_stream=stream,
        )
        for name in AGENTS
    ]
    team = RoundRobinGroupChat(members, termination_condition=TextMentionTermination(END))

    async def run() -> None:
        if stream:
            async for _ in team.run_stream(task=TASK):
                pass
        else:
            await team.run(task=TASK)

    asyncio.run(run())
