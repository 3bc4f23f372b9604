"""The story in classic AutoGen: a group chat whose tools the user's agent executes."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import autogen
import story
from story import AGENTS, CALLS, END, FOUND, ORDER, PLAN, TASK, look_up, refund

SCRIPT: dict[str, list[Any]] = {"planner": [PLAN], "worker": [*CALLS, FOUND], "reviewer": [END]}


class Client:
    """Answers from the script of the agent that it was made for."""

    breaks = False

    def __init__(self, config: dict[str, Any], **_options: Any) -> None:
        self.model = config["model"]
        self.items = iter([story.Broken(story.BROKEN)] if Client.breaks else SCRIPT[self.model])

    def create(self, params: dict[str, Any]) -> SimpleNamespace:
        says = next(self.items)
        if isinstance(says, Exception):
            raise says
        calls = None
        if says in CALLS:
            calls = [{"id": says, "type": "function", "function": {"name": says, "arguments": json.dumps(ORDER)}}]
        message = SimpleNamespace(
            content=None if calls else says, role="assistant", tool_calls=calls, function_call=None
        )
        message.model_dump = lambda **_: {"role": "assistant", "content": message.content, "tool_calls": calls}
        return SimpleNamespace(choices=[SimpleNamespace(message=message)], model=self.model, usage=None, cost=0.0)

    def message_retrieval(self, response: SimpleNamespace) -> list[Any]:
        message = response.choices[0].message
        return [message if message.tool_calls else message.content]

    def cost(self, response: SimpleNamespace) -> float:
        return response.cost

    @staticmethod
    def get_usage(_response: SimpleNamespace) -> dict[str, Any]:
        return {}


def play(mode: str, *, breaks: bool = False) -> None:
    """Play it; ``mode`` is ``sync`` or ``async``; ``breaks``: the models raise."""
    Client.breaks = breaks
    agents = {}
    for name in AGENTS:
        config = {"config_list": [{"model": name, "model_client_cls": "Client", "api_key": "x"}], "cache_seed": None}
        agents[name] = autogen.AssistantAgent(name, f"You are the {name}.", llm_config=config)
    user = autogen.UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False)
    for function in (look_up, refund):
        autogen.register_function(
            function, caller=agents["worker"], executor=user, name=function.__name__, description="It helps."
        )
    for agent in agents.values():
        agent.register_model_client(Client)
    order = iter(
        [agents["planner"], agents["worker"], user, agents["worker"], user, agents["worker"], agents["reviewer"]]
    )
    group = autogen.GroupChat(
        [user, *agents.values()], messages=[], max_round=8, speaker_selection_method=lambda _last, _group: next(order)
    )
    manager = autogen.GroupChatManager(group, llm_config=False)
    if mode == "async":
        asyncio.run(user.a_initiate_chat(manager, message=TASK, silent=True))
    else:
        user.initiate_chat(manager, message=TASK, silent=True)
