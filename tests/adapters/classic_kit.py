"""What the tests of the classic adapter share: agents with scripted models, and a recording of their events.

It runs under all three distributions; what one of them lacks is found by looking (``RUN``, ``PATTERNS`` ...).
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import io
import json
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import autogen
from recording_kit import BLOCK as BLOCK
from recording_kit import AdapterRecording

from seasoned.adapters.classic import ClassicAdapter

if TYPE_CHECKING:
    from pathlib import Path

RUN = "recipient" in inspect.signature(getattr(autogen.ConversableAgent, "run", lambda: None)).parameters
"""Whether ``agent.run(recipient)`` exists."""


# -- scripted models ---------------------------------------------------------------------------------------------


class Message(SimpleNamespace):
    """The message of a response."""

    def model_dump(self, **_options):
        return dict(self.__dict__)


class Script:
    """What a model answers: one item after another, or what a function makes of the messages.

    An item is a text, an exception to raise, a list of ``(tool, arguments)``, or a dictionary of the message's
    fields. ``seen`` keeps every prompt that reached the model. ``made`` is where the client, which the framework
    makes, finds its script.
    """

    made: dict[str, Script] = {}

    def __init__(self, name: str, items: Any) -> None:
        self.items: Any = items if callable(items) else list(items)
        self.seen: list[list[dict[str, Any]]] = []
        self.lock = threading.Lock()
        self.calls = 0
        Script.made[name] = self

    def answer(self, messages: list[dict[str, Any]]) -> Any:
        with self.lock:
            self.calls += 1
            self.seen.append(json.loads(json.dumps(messages, default=str)))
            item = None if callable(self.items) else self.items.pop(0)
        if callable(self.items):
            item = self.items(messages)
        if isinstance(item, BaseException):
            raise item
        fields: dict[str, Any] = {"content": item, "role": "assistant", "tool_calls": None, "function_call": None}
        if isinstance(item, list):
            fields["content"] = None
            fields["tool_calls"] = [
                {
                    "id": f"call_{number}",
                    "type": "function",
                    "function": {"name": name, "arguments": given if isinstance(given, str) else json.dumps(given)},
                }
                for number, (name, given) in enumerate(item)
            ]
        elif isinstance(item, dict):
            fields["content"] = None
            fields.update(item)
        return Message(**fields)


class ScriptedClient:
    """A model client that reads from a :class:`Script`."""

    def __init__(self, config, **_options):
        self.config = config

    def create(self, params):
        message = Script.made[self.config["model"]].answer(params["messages"])
        return SimpleNamespace(
            choices=[SimpleNamespace(message=message, finish_reason="stop")],
            model=self.config["model"],
            cost=0.25,
            message_retrieval_function=None,  # newer versions set it only where it exists
            usage=SimpleNamespace(prompt_tokens=10, completion_tokens=5, total_tokens=15),
        )

    def message_retrieval(self, response):
        message = response.choices[0].message
        return [message if message.tool_calls or message.function_call else message.content]

    def cost(self, response):
        return response.cost

    @staticmethod
    def get_usage(response):
        return {
            "prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "cost": response.cost,
            "model": response.model,
        }  # fmt: skip


CLIENT: Any = ScriptedClient


def config(name: str, **more: Any) -> dict[str, Any]:
    """An ``llm_config`` for the script called ``name``."""
    entry = {"model": name, "model_client_cls": "ScriptedClient", "api_key": "x"}
    return {"config_list": [entry], "cache_seed": None, **more}


def assistant(name: str, items: Any, *, kind: Any = None, model: str | None = None, **options: Any) -> Any:
    """An agent with a scripted model."""
    Script(model or name, items)
    options.setdefault("system_message", f"You are {name}.")
    agent = (kind or autogen.AssistantAgent)(name, llm_config=config(model or name), **options)
    agent.register_model_client(CLIENT)
    return agent


def person(name: str = "user", *, kind: Any = None, **options: Any) -> Any:
    """An agent without a model that nobody is asked for."""
    options = {"human_input_mode": "NEVER", "code_execution_config": False, "default_auto_reply": "go on"} | options
    return (kind or autogen.UserProxyAgent)(name, **options)


def tool(executor: Any, caller: Any, function: Any) -> Any:
    """Register a tool with who executes it and who may call it; the caller's client is made again by that."""
    executor.register_for_execution()(caller.register_for_llm(description=function.__name__)(function))
    caller.register_model_client(CLIENT)
    return function


def speaker(name: str, says: Any, *, kind: Any = None, **options: Any) -> Any:
    """An agent whose reply is what a function of its messages says, without any model."""
    agent = (kind or autogen.ConversableAgent)(
        name, llm_config=False, human_input_mode="NEVER", code_execution_config=False, **options
    )
    count = iter(range(1_000_000))

    def reply(recipient, messages, sender, config):
        return True, says(messages) if callable(says) else f"{says} {next(count)}"

    agent.register_reply([autogen.Agent, None], reply)
    return agent


def group(agents: list[Any], *, rounds: int = 6, method: Any = "round_robin", manager: Any = None, **options: Any):
    """A group chat's manager."""
    chat = autogen.GroupChat(agents, messages=[], max_round=rounds, speaker_selection_method=method, **options)
    settings: dict[str, Any] = {"llm_config": False, "silent": True} | (manager or {})
    return autogen.GroupChatManager(chat, **settings)


def says_done(message: Any) -> bool:
    """A termination condition."""
    return "DONE" in str(message.get("content"))


# -- driving -----------------------------------------------------------------------------------------------------


class Driver:
    """Calls ``initiate_chat`` or ``a_initiate_chat``, and so on, by one name."""

    def __init__(self, mode: str) -> None:
        self.asynchronous = mode == "async"
        self.printed = io.StringIO()

    def __repr__(self) -> str:
        return "async" if self.asynchronous else "sync"

    def _call(self, target: Any, name: str, *args: Any, **kwargs: Any) -> Any:
        with contextlib.redirect_stdout(self.printed):
            if self.asynchronous:
                return asyncio.run(_awaited(getattr(target, f"a_{name}"), args, kwargs))
            return getattr(target, name)(*args, **kwargs)

    def chat(self, opener: Any, partner: Any, message: Any = "Please solve it for me", **options: Any) -> Any:
        return self._call(opener, "initiate_chat", partner, message=message, **options)

    def send(self, sender: Any, message: Any, recipient: Any, **options: Any) -> Any:
        return self._call(sender, "send", message, recipient, **options)

    def reply(self, agent: Any, *args: Any, **options: Any) -> Any:
        return self._call(agent, "generate_reply", *args, **options)

    def chats(self, opener: Any, queue: list[dict[str, Any]]) -> Any:
        results = self._call(opener, "initiate_chats", queue)
        return list(results.values()) if isinstance(results, dict) else results

    def resume(self, manager: Any, messages: Any, **options: Any) -> Any:
        return self._call(manager, "resume", messages, **options)


async def _awaited(function: Any, args: Any, kwargs: Any) -> Any:
    return await function(*args, **kwargs)


# -- recording ---------------------------------------------------------------------------------------------------


class Recording(AdapterRecording[ClassicAdapter]):
    """The adapter on a recorder of its own, and the events that came of it."""

    def __init__(self, home: Path) -> None:
        super().__init__(home, ClassicAdapter())
