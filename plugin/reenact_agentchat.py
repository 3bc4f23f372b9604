"""Playing a recorded run through AutoGen AgentChat (``autogen_agentchat`` 0.7).

Everything but the answers is the framework's own: an ``AssistantAgent`` with tools and a ``UserProxyAgent`` take
turns in a ``RoundRobinGroupChat``, the agent uses its tools within its turn. Model, tools and person ask the one
:class:`.reenact_player.Player` for their answer in turn.

Some runs were cut off at a tool's answer. AgentChat knows no such end: an agent that stops there says the answer
again as its own words, and one that is cancelled has failed. So the team plays such a run until the agent has
answered for the last time; then the agent itself is asked, outside the team but in the same run, and its stream is
closed at that answer, as an application does that has heard enough. Nothing is recorded of the closing.

What is recorded differs from the record in form only: the tools' calls and results belong to the agent that asked,
which executes its tools itself; a message that calls tools is no message but a model call (the text beside the calls
is its reasoning); the text of a failed tool is without ``Error: ``, as the framework shows it to the model.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from ..instrumentation.cost import CHARACTERS_PER_TOKEN
from ..instrumentation.errors import MissingExtra
from .reenact_cast import cast, failure
from .reenact_plan import PERSON, TOOL_ERROR, TOOLS, answer_entry, entry

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from .reenact_player import Player


class Stage:
    """The agents of one play, made for the framework's own classes, which are imported only here."""

    def __init__(self, player: Player) -> None:
        try:
            from autogen_agentchat.agents import AssistantAgent, UserProxyAgent
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in ("autogen_agentchat", "autogen_core"):
                raise
            raise MissingExtra("autogen_agentchat", "agentchat") from None
        self.player = player
        self.cast = cast(player.run_id, player.plan, "autogen_agentchat")
        turns = player.plan.turns
        self.cut = turns[-1].kind == TOOLS
        """Whether the run ends with a tool's answer."""
        people = [index for index, turn in enumerate(turns) if turn.kind == PERSON]
        self.until = people[-1] if self.cut else len(turns)
        """How many turns the team plays."""
        self.agent = AssistantAgent(
            self.cast.agent,
            _model(player, self.cast.agent),
            tools=[_tool(player, self.cast.executor, name) for name in self.cast.tools],
            system_message=player.plan.system,
            max_tool_iterations=len(turns) + 1,
        )

        async def recorded_words(_prompt: str, _token: Any) -> str:
            return player.take(PERSON, self.cast.person).content or ""

        self.person = UserProxyAgent(self.cast.person, input_func=recorded_words)

    async def play(self) -> list[dict[str, Any]]:
        """Play the record; returns the transcript."""
        last: Any = None
        try:
            if self.until:
                last = await self._team()
            if self.cut:
                last = await self._alone()
        except Exception as error:
            if self.player.problem is None:
                raise
            raise failure(self.player, error) from error
        return await self._transcript(last)

    async def _team(self) -> Any:
        """The team's part; returns its last message. There is no task: the person opens, as one of the team."""
        from autogen_agentchat.teams import RoundRobinGroupChat

        team = RoundRobinGroupChat([self.person, self.agent], termination_condition=_end(self.player, self.until))
        result = await team.run()
        return result.messages[-1]

    async def _alone(self) -> Any:
        """The agent's last turn, up to the tool's answer with which the record ends."""
        from autogen_agentchat.messages import TextMessage, ToolCallExecutionEvent
        from autogen_core import CancellationToken

        words = self.player.take(PERSON, self.cast.person).content or ""
        asked = TextMessage(content=words, source=self.cast.person)
        stream: Any = self.agent.on_messages_stream([asked], CancellationToken())
        item: Any = None
        try:
            async for item in stream:
                if isinstance(item, ToolCallExecutionEvent) and self.player.next is None:
                    break
        finally:
            await stream.aclose()
        return item

    async def _transcript(self, last: Any) -> list[dict[str, Any]]:
        """What was said, from the agent's context; the person's last words have not come to it."""
        person, agent, executor, _ = self.cast
        system = self.agent._system_messages  # noqa: SLF001  it is nowhere else
        out = [entry("system", agent, message.content, []) for message in system]
        context: list[Any] = await self.agent.model_context.get_messages()
        for message in context:
            if message.type == "FunctionExecutionResultMessage":
                for result in message.content:
                    text = TOOL_ERROR + result.content if result.is_error else result.content
                    out.append(answer_entry(executor, text, result.call_id))
            elif message.type == "AssistantMessage" and not isinstance(message.content, str):
                calls = [{"id": c.id, "function": {"name": c.name, "arguments": c.arguments}} for c in message.content]
                out.append(entry("assistant", agent, message.thought, calls))
            else:
                role = "assistant" if message.type == "AssistantMessage" else "user"
                out.append(entry(role, message.source, message.content, []))
        if getattr(last, "source", None) == person:
            out.append(entry("user", person, last.content, []))
        return out


def _end(player: Player, until: int) -> Any:
    """The condition that ends the team: so many turns are played."""
    from autogen_agentchat.base import TerminatedException, TerminationCondition
    from autogen_agentchat.messages import StopMessage

    class RecordEnds(TerminationCondition):
        """Met when all that the team is to play of the record is played."""

        def __init__(self) -> None:
            self._met = False

        @property
        def terminated(self) -> bool:
            return self._met

        async def __call__(self, messages: Sequence[Any]) -> StopMessage | None:  # noqa: ARG002  its signature
            if self._met:
                raise TerminatedException("the record has ended already")
            self._met = player.position >= until
            return StopMessage(content="the record ends", source="RecordEnds") if self._met else None

        async def reset(self) -> None:
            self._met = False

    return RecordEnds()


def _tool(player: Player, executor: str, tool: str) -> Any:
    """A tool that takes any arguments and answers as recorded."""
    from autogen_core.tools import BaseTool
    from pydantic import BaseModel, ConfigDict

    class Arguments(BaseModel):
        """Whatever the record has."""

        model_config = ConfigDict(extra="allow")

    class RecordedTool(BaseTool[Arguments, Any]):
        """Answers as recorded."""

        async def run(self, args: Arguments, cancellation_token: Any) -> str:  # noqa: ARG002  the framework's signature
            return player.answer(executor, tool)

    return RecordedTool(Arguments, str, tool, f"{tool}, as recorded")


def _model(player: Player, agent: str) -> Any:
    """A model client that answers as recorded. Its usage is the length of what it was sent and what it answered, so
    that it is the same in every play."""
    from autogen_core import FunctionCall
    from autogen_core.models import ChatCompletionClient, CreateResult, ModelFamily, RequestUsage

    from ..adapters.agentchat_messages import entries

    info: Any = {
        "vision": False, "function_calling": True, "json_output": False, "structured_output": False,
        "family": ModelFamily.UNKNOWN, "multiple_system_messages": True,
    }  # fmt: skip

    class RecordedModel(ChatCompletionClient):
        """Answers with the agent's next recorded message."""

        def __init__(self) -> None:
            self._used = RequestUsage(prompt_tokens=0, completion_tokens=0)
            self._model = player.model

        async def create(self, messages: Sequence[Any], **_options: Any) -> CreateResult:
            reply = player.reply(agent, [part for message in messages for part in entries(message)])
            content = reply.message.content
            calls = [FunctionCall(id=call["id"], **call["function"]) for call in reply.calls]
            used = RequestUsage(self.count_tokens(messages), reply.got)
            self._used = RequestUsage(
                self._used.prompt_tokens + used.prompt_tokens, self._used.completion_tokens + used.completion_tokens
            )
            return CreateResult(
                finish_reason="function_calls" if calls else "stop", content=calls or content or "",
                usage=used, cached=False, thought=content if calls else None,
            )  # fmt: skip

        async def create_stream(self, messages: Sequence[Any], **options: Any) -> AsyncGenerator[Any, None]:
            yield await self.create(messages, **options)

        async def close(self) -> None:
            """Nothing is open."""

        def actual_usage(self) -> RequestUsage:
            return self._used

        def total_usage(self) -> RequestUsage:
            return self._used

        def count_tokens(self, messages: Sequence[Any], **_options: Any) -> int:
            texts = [part["content"] for message in messages for part in entries(message)]
            return sum(len(text if isinstance(text, str) else json.dumps(text or "")) for text in texts) // (
                CHARACTERS_PER_TOKEN
            )

        def remaining_tokens(self, messages: Sequence[Any], **_options: Any) -> int:
            return 1_000_000 - self.count_tokens(messages)

        @property
        def capabilities(self) -> Any:
            return info

        @property
        def model_info(self) -> Any:
            return info

    return RecordedModel()


def play(player: Player) -> list[dict[str, Any]]:
    """Play the record; returns the transcript. The framework has asynchronous methods only."""
    return asyncio.run(play_async(player))


async def play_async(player: Player) -> list[dict[str, Any]]:
    """Play the record; returns the transcript."""
    return await Stage(player).play()
