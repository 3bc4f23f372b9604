"""AutoGen AgentChat: an order desk with two tools. The last requests are met with what the first ones taught.

pip install 'seasoned[agentchat]' && python examples/agentchat_team.py
"""

import asyncio
import json

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import TextMentionTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core import FunctionCall
from autogen_core.models import CreateResult, ModelFamily, RequestUsage
from autogen_ext.models.replay import ReplayChatCompletionClient

import seasoned

INFO = {"vision": False, "function_calling": True, "json_output": False, "structured_output": False}


def model(order):
    """Stands for a model. A real one: return OpenAIChatCompletionClient(model="gpt-4o-mini")."""
    calls = [FunctionCall(name, json.dumps({"order": order}), name) for name in ("get_order", "cancel_order")]
    used = RequestUsage(prompt_tokens=100, completion_tokens=10)
    says = [CreateResult(finish_reason="function_calls", content=[call], usage=used, cached=False) for call in calls]
    return ReplayChatCompletionClient([*says, "TERMINATE"], model_info={**INFO, "family": ModelFamily.UNKNOWN})


def get_order(order: str) -> str:
    """Look an order up."""
    return f"{order} is pending"


def cancel_order(order: str) -> str:
    """Cancel an order."""
    return f"{order} is cancelled"


async def main():
    for number in range(1, 6):
        desk = AssistantAgent("desk", model(f"#W{number}00"), tools=[get_order, cancel_order], max_tool_iterations=3)
        team = RoundRobinGroupChat([desk], termination_condition=TextMentionTermination("TERMINATE"), max_turns=3)
        with seasoned.run(domain="orders") as run:
            await team.run(task=f"Please cancel #W{number}00, it was ordered by mistake")
            run.outcome(success=True)
        seasoned.flush()


seasoned.enable(home="example-home", namespace="agentchat-example")
asyncio.run(main())
print("\nWhat came of it: seasoned skills list --home example-home; seasoned show last --prompts --home example-home")
