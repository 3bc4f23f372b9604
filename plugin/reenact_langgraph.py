"""Playing a recorded run through LangChain and LangGraph (``langchain`` 1, ``langgraph`` 1).

Everything but the answers is the framework's own: a graph goes back and forth between a node that is named after the
person and an agent made by ``create_agent``, with tools and middlewares. Chat model, tools and person ask the one
:class:`.reenact_player.Player` for their answer in turn.

LangChain leaves it to the application what becomes of a tool's exception, so a middleware answers the model in
AutoGen's words, ``Error: ...``. A run that was cut off at a tool's answer ends where a middleware lets the agent end:
before it asks its model.

What is recorded differs from the record in form only: the tools' calls and results belong to the agent that asked,
which executes its tools itself; a message that calls tools is a message where it has a text, and a model call in any
case; the result of a tool that failed holds its exception.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..instrumentation.errors import MissingExtra
from .reenact_cast import cast, failure
from .reenact_plan import PERSON, TOOL_ERROR, TOOLS, ToolError, answer_entry, entry

if TYPE_CHECKING:
    from .reenact_player import Player

_ANYTHING: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": True}
"""The JSON schema of a tool that takes whatever the record has."""

_NO_TEXT = "no_text"
"""In a reply's metadata: the record has no text beside the calls, for which LangChain knows only an empty one."""


class Stage:
    """The graph of one play, made for the framework's own classes, which are imported only here."""

    def __init__(self, player: Player) -> None:
        try:
            from langchain.agents import create_agent
            from langgraph.graph import END, START, MessagesState, StateGraph
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package not in ("langchain", "langchain_core", "langgraph"):
                raise
            raise MissingExtra(package, "langchain") from None
        self.player = player
        self.cast = cast(player.run_id, player.plan, "langgraph")
        person, agent, executor, tools = self.cast
        self.systems: list[str] = []
        """The agent's system prompt, as each request for its model has it, before anything is put into it."""
        helper = create_agent(
            _model(player, agent), [_tool(player, executor, name) for name in tools], name=agent,
            system_prompt=player.plan.system, middleware=_middlewares(player, self.systems),
        )  # fmt: skip

        def talk(state: Any) -> dict[str, Any]:  # noqa: ARG001  the framework wants this name
            return {"messages": [self._words()]}

        def to_agent(_state: Any) -> str:
            return agent if player.next is not None else END

        def to_person(_state: Any) -> str:
            return person if player.next is not None else END

        builder = StateGraph(MessagesState)
        builder.add_node(agent, helper)
        builder.add_node(person, talk)
        builder.add_conditional_edges(START, to_agent, [agent, END])
        builder.add_conditional_edges(person, to_agent, [agent, END])
        builder.add_conditional_edges(agent, to_person, [person, END])
        self.graph: Any = builder.compile(name="reenactment")

    def _words(self) -> Any:
        """The person's next words."""
        from langchain_core.messages import HumanMessage

        person = self.cast.person
        return HumanMessage(self.player.take(PERSON, person).content or "", name=person)

    def _call(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """With what the graph is called: the first words are its task. One tool at a time, because answers are given
        in the order of the calls; each turn is a few steps."""
        turns = len(self.player.plan.turns)
        return {"messages": [self._words()]}, {"recursion_limit": 10 * turns + 10, "max_concurrency": 1}

    def play(self) -> list[dict[str, Any]]:
        """Play the record; returns the transcript."""
        try:
            state = self.graph.invoke(*self._call())
        except Exception as error:
            if self.player.problem is None:
                raise
            raise failure(self.player, error) from error
        return self._transcript(state["messages"])

    async def play_async(self) -> list[dict[str, Any]]:
        """Play the record through the asynchronous methods; returns the transcript."""
        try:
            state = await self.graph.ainvoke(*self._call())
        except Exception as error:
            if self.player.problem is None:
                raise
            raise failure(self.player, error) from error
        return self._transcript(state["messages"])

    def _transcript(self, messages: list[Any]) -> list[dict[str, Any]]:
        """What was said, from the graph's state, in the form of the record."""
        out = [entry("system", self.cast.agent, text, []) for text in self.systems[:1]]
        for message in messages:
            if message.type == "tool":
                out.append(answer_entry(self.cast.executor, message.content, message.tool_call_id))
                continue
            content = None if message.response_metadata.get(_NO_TEXT) and not message.content else message.content
            role = "assistant" if message.type == "ai" else "user"
            said = entry(role, message.name, content, [])
            calls = getattr(message, "tool_calls", None)
            if calls:
                decoded = [{"id": call["id"], "name": call["name"], "arguments": call["args"]} for call in calls]
                said = {**said, "content": content, "tool_calls": decoded}
            out.append(said)
        return out


def _middlewares(player: Player, systems: list[str]) -> list[Any]:
    """What the application adds to the agent: tools that fail are told to the model, the end of the record is the
    agent's end."""
    from langchain.agents.middleware import AgentMiddleware, hook_config
    from langchain_core.messages import ToolMessage

    def told(request: Any, error: ToolError) -> ToolMessage:
        call = request.tool_call
        return ToolMessage(f"{TOOL_ERROR}{error}", tool_call_id=call["id"], name=call["name"], status="error")

    def note(request: Any) -> Any:
        if request.system_prompt is not None:
            systems.append(request.system_prompt)
        return request

    class TellsErrors(AgentMiddleware):
        """Answers the model with the text of what a tool raises, and keeps the system prompt."""

        def wrap_tool_call(self, request: Any, handler: Any) -> Any:
            try:
                return handler(request)
            except ToolError as error:
                return told(request, error)

        async def awrap_tool_call(self, request: Any, handler: Any) -> Any:
            try:
                return await handler(request)
            except ToolError as error:
                return told(request, error)

        def wrap_model_call(self, request: Any, handler: Any) -> Any:
            return handler(note(request))

        async def awrap_model_call(self, request: Any, handler: Any) -> Any:
            return await handler(note(request))

    class EndsWithRecord(AgentMiddleware):
        """Ends the agent's turn where the record ends with a tool's answer."""

        @hook_config(can_jump_to=["end"])
        def before_model(self, state: Any, runtime: Any) -> dict[str, Any] | None:  # noqa: ARG002  its signature
            return {"jump_to": "end"} if player.next is None else None

        @hook_config(can_jump_to=["end"])
        async def abefore_model(self, state: Any, runtime: Any) -> dict[str, Any] | None:
            return self.before_model(state, runtime)

    return [TellsErrors(), *([EndsWithRecord()] if player.plan.turns[-1].kind == TOOLS else [])]


def _tool(player: Player, executor: str, tool: str) -> Any:
    """A tool that takes any arguments, whatever their names, and answers as recorded."""
    from langchain_core.tools import BaseTool

    class RecordedTool(BaseTool):
        """Answers as recorded."""

        def _run(self, /, **_arguments: Any) -> str:
            return player.answer(executor, tool)

        async def _arun(self, /, **_arguments: Any) -> str:
            return player.answer(executor, tool)

    return RecordedTool(name=tool, description=f"{tool}, as recorded", args_schema=_ANYTHING)


def _model(player: Player, agent: str) -> Any:
    """A chat model that answers as recorded. Its usage is the length of what it was sent and what it answered, so
    that it is the same in every play."""
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage, convert_to_openai_messages
    from langchain_core.outputs import ChatGeneration, ChatResult

    class RecordedModel(BaseChatModel):
        """Answers with the agent's next recorded message."""

        model: str

        @property
        def _llm_type(self) -> str:
            return "recorded"

        def bind_tools(self, tools: Any, **_options: Any) -> Any:  # noqa: ARG002  the framework's signature
            return self

        def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **_options: Any) -> ChatResult:  # noqa: ARG002
            prompt: Any = convert_to_openai_messages(messages)
            message, calls, sent, got = player.reply(agent, prompt)
            decoded = entry("assistant", agent, message.content, calls).get("tool_calls", [])
            reply = AIMessage(
                message.content or "",
                tool_calls=[{"name": call["name"], "args": call["arguments"], "id": call["id"]} for call in decoded],
                response_metadata={"model_name": self.model, _NO_TEXT: message.content is None},
                usage_metadata={"input_tokens": sent, "output_tokens": got, "total_tokens": sent + got},
            )
            return ChatResult(generations=[ChatGeneration(message=reply)])

        async def _agenerate(
            self, messages: Any, stop: Any = None, run_manager: Any = None, **options: Any
        ) -> ChatResult:
            return self._generate(messages, stop, run_manager, **options)

    return RecordedModel(model=player.model)


def play(player: Player) -> list[dict[str, Any]]:
    """Play the record; returns the transcript."""
    return Stage(player).play()


async def play_async(player: Player) -> list[dict[str, Any]]:
    """Play the record through the framework's asynchronous methods; returns the transcript."""
    return await Stage(player).play_async()
