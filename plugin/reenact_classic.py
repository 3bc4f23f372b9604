"""Playing a recorded run through classic AutoGen (``autogen``: AG2 below 1.0, "AG2 Classic", AutoGen 0.2).

Everything but the answers is the framework's own: real agents in a real GroupChat (or a real two-agent chat), the
real reply functions, model wrapper, tool and code execution. What a model, a tool, a code executor or a person
answered comes from the record, through the places that the framework offers for it: a model client of one's own, a
function map, a ``CodeExecutor``, a reply function, a function that selects the speaker. So whatever records or
changes chats meets here what it meets in an application.

Every part asks the one :class:`.reenact_player.Player` for its answer in turn.
"""

from __future__ import annotations

import itertools
import logging
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ..adapters.recorded import code_blocks, exit_report
from ..instrumentation.errors import MissingExtra, UnsupportedFramework
from .reenact_plan import CODE, MODEL, PERSON, TOOLS, ReenactmentError, answer_entry, entry, openai_calls

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from .reenact_player import Player


def texts_or_messages(response: Any) -> list[Any]:
    """The texts of a response, or its messages where they carry tool calls: what the framework asks a client for."""
    out: list[Any] = []
    for choice in response.choices:
        reply = choice.message
        if not reply.tool_calls:
            out.append(reply.content)
            continue
        calls = [{"id": call.id, "type": call.type, "function": dict(vars(call.function))} for call in reply.tool_calls]
        out.append({"role": "assistant", "content": reply.content, "function_call": None, "tool_calls": calls})
    return out


class ScriptedModel:
    """A model client that answers as recorded, in the form of OpenAI's responses.

    Its usage is the length of what it was sent and what it answered, so that it is the same in every play.
    """

    def __init__(self, config: dict[str, Any], player: Player, agent: str) -> None:
        self._model = config.get("model") or player.model
        self._player = player
        self._agent = agent

    def create(self, params: dict[str, Any]) -> SimpleNamespace:
        """Answer with the agent's next recorded message."""
        message, calls, sent, got = self._player.reply(self._agent, list(params["messages"]))
        content = message.content if calls else message.content or ""
        tool_calls = [SimpleNamespace(**{**call, "function": SimpleNamespace(**call["function"])}) for call in calls]
        reply = SimpleNamespace(role="assistant", content=content, tool_calls=tool_calls or None, function_call=None)
        return SimpleNamespace(
            id=f"recorded-{self._player.position}",
            model=self._model,
            choices=[SimpleNamespace(index=0, message=reply, finish_reason="tool_calls" if calls else "stop")],
            usage=SimpleNamespace(prompt_tokens=sent, completion_tokens=got, total_tokens=sent + got),
            message_retrieval_function=None,
        )

    def message_retrieval(self, response: SimpleNamespace) -> list[Any]:
        """The texts of a response, or its messages where they carry tool calls."""
        return texts_or_messages(response)

    def cost(self, response: SimpleNamespace) -> float:  # noqa: ARG002  the framework's signature
        """Nothing: a recorded answer costs nothing again."""
        return 0.0

    @staticmethod
    def get_usage(response: SimpleNamespace) -> dict[str, Any]:
        """The usage in the framework's form."""
        usage = response.usage
        return {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.total_tokens,
            "cost": 0.0,
            "model": response.model,
        }


class RecordedExecutor:
    """A code executor that reports as recorded, and sees code only where the record says that it was executed."""

    def __init__(self, player: Player, agent: str, coding: ModuleType) -> None:
        self._player = player
        self._agent = agent
        self._coding = coding

    @property
    def code_extractor(self) -> RecordedExecutor:
        """Itself: the framework asks the executor for what finds the code."""
        return self

    def extract_code_blocks(self, message: Any) -> list[Any]:
        """The fenced code of ``message``, if its execution is what comes next."""
        turn = self._player.next
        if turn is None or (turn.kind, turn.agent) != (CODE, self._agent) or not isinstance(message, str):
            return []
        return [
            self._coding.CodeBlock(code=code, language=language or "python") for language, code in code_blocks(message)
        ]

    def execute_code_blocks(self, code_blocks: list[Any]) -> Any:  # noqa: ARG002  answered as recorded
        """The recorded report."""
        report = exit_report(self._player.take(CODE, self._agent).content)
        if report is None:  # pragma: no cover  such a turn is planned only where there is a report
            raise ReenactmentError(f"turn {self._player.position}: no report of an execution is recorded")
        return self._coding.CodeResult(exit_code=report[0], output=report[1])

    def restart(self) -> None:
        """Nothing to restart."""


class Silence:
    """An IOStream that shows nothing and has nothing to say."""

    def print(self, *objects: Any, sep: str = " ", end: str = "\n", flush: bool = False) -> None:
        """Show nothing."""

    def send(self, message: Any) -> None:
        """Show nothing."""

    def input(self, prompt: str = "", *, password: bool = False) -> str:  # noqa: ARG002
        """Nobody is there to ask."""
        raise ReenactmentError("the framework asked a human, but a recorded run answers by itself")


def framework() -> ModuleType:
    """The installed ``autogen``; raises MissingExtra or UnsupportedFramework."""
    try:
        import autogen
        import autogen.coding
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "autogen":
            raise
        raise MissingExtra("autogen", "autogen") from None
    missing = [name for name in ("ConversableAgent", "GroupChat", "GroupChatManager") if not hasattr(autogen, name)]
    if missing:
        raise UnsupportedFramework(
            f"autogen {getattr(autogen, '__version__', '?')} has no {missing[0]}; "
            "install classic AutoGen beside this package: pip install 'seasoned[autogen]'"
        )
    logger = logging.getLogger("autogen.oai.client")
    if _not_ours not in logger.filters:
        logger.addFilter(_not_ours)
    return autogen


def _not_ours(record: logging.LogRecord) -> bool:
    """Drop AutoGen's notice, one for every agent that is made, that its model client is not registered yet."""
    return ScriptedModel.__name__ not in record.getMessage()


class Stage:
    """The agents of one play.

    Attributes:
        agents: by name.
        manager: the group chat's manager, or None in a chat of two.
    """

    def __init__(self, player: Player) -> None:
        self.player = player
        self.autogen = framework()
        names = player.plan.agents
        self.agents: dict[str, Any] = {name: self._agent(name) for name in names}
        self.manager: Any = None if player.plan.pair else self._group()

    def _agent(self, name: str) -> Any:
        """An agent that can do what its turns need, and nothing else."""
        turns = [turn for turn in self.player.plan.turns if turn.agent == name]
        kinds = {turn.kind for turn in turns}
        settings: dict[str, Any] = {
            "name": name,
            "human_input_mode": "NEVER",
            "is_termination_msg": _never,
            # AutoGen 0.2 counts each reply of an asynchronous chat twice.
            "max_consecutive_auto_reply": 2 * len(self.player.plan.turns) + 2,
            "code_execution_config": False,
        }
        if CODE in kinds:
            executor = RecordedExecutor(self.player, name, self.autogen.coding)
            settings["code_execution_config"] = {"executor": executor, "last_n_messages": 1}
        if TOOLS in kinds:
            settings["function_map"] = {tool: self._tool(name, tool) for tool in self._tools(name)}
        if MODEL not in kinds:
            agent = self.autogen.UserProxyAgent(**settings)
        else:
            config = {"model": self.player.model, "model_client_cls": ScriptedModel.__name__}
            settings["llm_config"] = {"config_list": [config], "cache_seed": None}
            settings["system_message"] = self.player.plan.system or ""
            settings["description"] = name
            agent = self.autogen.AssistantAgent(**settings)
            agent.register_model_client(ScriptedModel, player=self.player, agent=name)
        if PERSON in kinds or self.player.plan.pair:
            agent.register_reply([self.autogen.Agent, None], self._person(name), position=0)
        return agent

    def _tools(self, agent: str) -> set[str]:
        """The tools that ``agent`` executes: those called right before its turns."""
        turns = self.player.plan.turns
        return {
            call.name
            for before, turn in itertools.pairwise(turns)
            if turn.kind == TOOLS and turn.agent == agent
            for message in before.messages
            for call in message.tool_calls or ()
        }

    def _tool(self, agent: str, tool: str) -> Callable[..., str]:
        def recorded_tool(**_arguments: Any) -> str:
            return self.player.answer(agent, tool)

        recorded_tool.__name__ = tool
        return recorded_tool

    def _person(self, name: str) -> Callable[..., tuple[bool, str | None]]:
        def recorded_reply(*_positional: Any, **_named: Any) -> tuple[bool, str | None]:
            turn = self.player.next
            if turn is None:
                return True, None  # all is played: no reply ends the chat
            if turn.kind == PERSON and turn.agent == name:
                return True, self.player.take(PERSON, name).content or ""
            return False, None

        return recorded_reply

    def _group(self) -> Any:
        agents = self.agents

        def speaker(_last: Any, _group: Any) -> Any:
            turn = self.player.next
            return agents[turn.agent] if turn else None

        chat = self.autogen.GroupChat(
            agents=list(agents.values()), messages=[], max_round=len(self.player.plan.turns) + 1,
            speaker_selection_method=speaker,
        )  # fmt: skip
        name = "chat_manager" if "chat_manager" not in agents else "group_chat_manager"
        return self.autogen.GroupChatManager(
            groupchat=chat, name=name, llm_config=False, human_input_mode="NEVER", silent=True,
            is_termination_msg=lambda _message: self.player.next is None,
        )  # fmt: skip

    def opening(self) -> tuple[Any, dict[str, Any]]:
        """Who begins the chat, and what ``initiate_chat`` is to be called with."""
        turn = self.player.plan.turns[0]
        message = turn.messages[0]
        self.player.position = 1
        first: Any = message.content or ""
        if message.tool_calls:
            first = {"content": message.content, "tool_calls": openai_calls(message)}
        starter = self.agents[turn.agent]
        arguments: dict[str, Any] = {"message": first, "silent": True}
        if self.manager is None:
            arguments["recipient"] = next(agent for name, agent in self.agents.items() if name != turn.agent)
            arguments["max_turns"] = len(self.player.plan.turns) // 2 + 1  # else each reply nests in the last
        else:
            arguments["recipient"] = self.manager
        return starter, arguments

    def quiet(self) -> Any:
        """A context in which the framework prints nothing."""
        from autogen.io.base import IOStream

        return IOStream.set_default(Silence())  # type: ignore[arg-type]

    def transcript(self) -> list[dict[str, Any]]:
        """What was said, read back from the framework, in the form of the record."""
        history = self._group_history() if self.manager is not None else self._pair_history()
        script = self.player.plan
        out: list[dict[str, Any]] = []
        if script.system is not None:
            out.extend(entry("system", name, self.agents[name].system_message, []) for name in script.models)
        for message in history:
            out.extend(self._recorded_form(message))
        return out

    def _group_history(self) -> list[dict[str, Any]]:
        """The group's messages in their order, each as its speaker has it: the group itself makes a text of
        content that is missing beside tool calls ("None" or an empty one, as the version has it)."""
        said = {
            name: iter([m for m in agent.chat_messages[self.manager] if m.get("name", name) == name])
            for name, agent in self.agents.items()
        }
        return [
            {**next(said[message["name"]], message), "name": message["name"]}
            for message in self.manager.groupchat.messages
        ]

    def _pair_history(self) -> list[dict[str, Any]]:
        first, second = self.agents.values()
        return [
            {**message, "name": first.name if message["role"] == "assistant" else second.name}
            for message in first.chat_messages[second]
        ]

    def _recorded_form(self, message: dict[str, Any]) -> list[dict[str, Any]]:
        """A message of the framework as those of the record: one for each answer of a tool."""
        agent = message["name"]
        if message["role"] == "tool":
            answers = message.get("tool_responses") or []
            return [answer_entry(agent, answer["content"], answer.get("tool_call_id")) for answer in answers]
        calls = message.get("tool_calls") or []
        return [entry(self.player.plan.role(agent), agent, message.get("content"), calls)]


def _never(_message: Any) -> bool:
    return False


def play(player: Player) -> list[dict[str, Any]]:
    """Play the record; returns the transcript."""
    stage = Stage(player)
    starter, arguments = stage.opening()
    with stage.quiet():
        starter.initiate_chat(**arguments)
    return stage.transcript()


async def play_async(player: Player) -> list[dict[str, Any]]:
    """Play the record through the framework's asynchronous methods; returns the transcript."""
    stage = Stage(player)
    starter, arguments = stage.opening()
    with stage.quiet():
        await starter.a_initiate_chat(**arguments)
    return stage.transcript()
