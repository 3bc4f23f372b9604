"""Tales in classic AutoGen: a group chat whose tools another agent executes; the bank's is a chat within a tool."""

from __future__ import annotations

import asyncio
import json
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import autogen
import story
from autogen.io import IOStream
from story import AGENTS

if TYPE_CHECKING:
    from collections.abc import Iterator


class Client:
    """Does what the tale has for the agent that it was made for."""

    tale: story.Tale

    def __init__(self, config: dict[str, Any], **_options: Any) -> None:
        self.model = config["model"]
        self.steps = iter(Client.tale.says.get(self.model, ()))

    def create(self, params: dict[str, Any]) -> Any:
        step = next(self.steps)
        if isinstance(step, Exception):
            raise step
        if isinstance(step, story.Nonsense):
            return step.value
        calls = None
        if isinstance(step, story.Call):
            function = {"name": step.tool, "arguments": json.dumps(step.arguments)}
            calls = [{"id": step.tool, "type": "function", "function": function}]
        message = SimpleNamespace(
            content=None if calls else step, role="assistant", tool_calls=calls, function_call=None
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


class Keyboard(IOStream):
    """The user types the answer; nothing is printed."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Nobody reads it."""

    def send(self, message: Any) -> None:
        """Nobody reads it."""

    def input(self, prompt: str = "", *, password: bool = False) -> str:
        return story.ANSWER


@contextmanager
def _keyboard() -> Iterator[None]:
    before = IOStream.get_default()
    IOStream.set_global_default(Keyboard())  # the older versions ask in another thread
    try:
        yield
    finally:
        IOStream.set_global_default(before)


def play(mode: str, tale: story.Tale) -> list[Any]:
    """Play it; ``mode`` is ``sync`` or ``async``."""
    Client.tale = tale

    def agent(name: str) -> Any:
        config = {"config_list": [{"model": name, "model_client_cls": "Client", "api_key": "x"}], "cache_seed": None}
        return autogen.AssistantAgent(name, f"You are the {name}.", llm_config=config)

    agents = {name: agent(name) for name in AGENTS}
    bank = agent(story.BANK)
    desk = autogen.UserProxyAgent("desk", human_input_mode="NEVER", code_execution_config=False)
    user = autogen.UserProxyAgent("user", human_input_mode="ALWAYS", code_execution_config=False)

    def ask(task: str) -> str:
        return agents["worker"].initiate_chat(bank, message=task, max_turns=1, silent=True).summary

    async def a_ask(task: str) -> str:
        done = await agents["worker"].a_initiate_chat(bank, message=task, max_turns=1, silent=True)
        return done.summary

    for name, function in {**tale.tools, story.BANK: a_ask if mode == "async" else ask}.items():
        autogen.register_function(function, caller=agents["worker"], executor=desk, name=name, description="It helps.")
    for made in (*agents.values(), bank):
        made.register_model_client(Client)
    turns = iter([agents["planner"], agents["worker"], user, agents["reviewer"]])

    def select(last: Any, group: Any) -> Any:
        if last is desk:
            return agents["worker"]
        return desk if group.messages[-1].get("tool_calls") else next(turns, None)

    group = autogen.GroupChat(
        [user, desk, *agents.values()], messages=[], max_round=99, speaker_selection_method=select
    )
    manager = autogen.GroupChatManager(group, llm_config=False)
    if tale.asks == "planner":
        chats = [{"recipient": bank, "max_turns": 1, "summary_method": "last_msg"}]
        agents["planner"].register_nested_chats(chats, trigger=manager)
    message: Any = story.TASK
    if tale.image:
        message = {
            "content": [
                {"type": "text", "text": story.TASK},
                {"type": "image_url", "image_url": {"url": tale.image_link}},
            ]
        }
    with _keyboard():
        if mode == "async":
            chat = asyncio.run(story.application(user.a_initiate_chat(manager, message=message, silent=True)))
        else:
            chat = user.initiate_chat(manager, message=message, silent=True)
    return [*chat.chat_history, chat.summary]
