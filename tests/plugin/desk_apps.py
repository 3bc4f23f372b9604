"""A service desk as an application in each framework: a customer and an agent with tools, each with a model.

The applications know nothing of recorded runs. What models and tools answer comes from a :class:`World`: one that
answers as a bundled run did, while the application is recorded, or one that nobody may ask, while it is played again.
"""

from __future__ import annotations

import importlib
import json
from collections import deque
from types import SimpleNamespace
from typing import Any

AGENT, CUSTOMER = "agent", "user_simulator"
INFO = {"vision": False, "function_calling": True, "json_output": False, "structured_output": False, "family": "x"}


def load(name: str) -> Any:
    """A framework's module; its own types say less than its documentation allows."""
    return importlib.import_module(name)


class World:
    """What the models and tools of an application answer: by a recorded run."""

    def __init__(self, record: Any) -> None:
        said = [message for message in record.messages if message.role != "system"]
        self.policy = next((m.content for m in record.messages if m.role == "system"), None) or "You help customers."
        self.opening = said[0].content
        self.turns = sum(message.role == "user" or _ends(message) for message in said)
        self.replies = sum(message.role == "assistant" for message in said)
        self.tool_names = sorted({call.name for message in said for call in message.tool_calls or ()})
        self.words = {name: deque(m for m in said[1:] if m.agent == name) for name in (AGENT, CUSTOMER)}
        self.results = {name: deque() for name in self.tool_names}
        for message in said:
            if message.role == "tool":
                self.results[message.tool_name].append(message.content or "")

    def ask(self, who: str) -> tuple[str, list[dict[str, Any]]]:
        """The next words of ``who``, and calls in OpenAI's form."""
        waiting = self.words[who]
        message = waiting.popleft() if waiting else SimpleNamespace(content="", tool_calls=None)
        calls = [{"id": call.id, "name": call.name, "arguments": call.arguments} for call in message.tool_calls or ()]
        return message.content or "", calls

    def work(self, tool: str) -> str:
        """The next result of a tool."""
        return self.results[tool].popleft()


class Untouchable(World):
    """The same application where nobody may ask a model or execute a tool."""

    def ask(self, who: str) -> Any:
        raise AssertionError(f"the model of {who} was asked")

    def work(self, tool: str) -> str:
        raise AssertionError(f"{tool} was executed")


def _ends(message: Any) -> bool:
    return message.role == "assistant" and not message.tool_calls


def function_of(world: World, name: str) -> Any:
    """A tool as a function that takes whatever it is given."""

    def tool(**arguments: Any) -> str:
        return world.work(name)

    tool.__name__ = name
    tool.__doc__ = name.replace("_", " ").capitalize() + "."
    return tool


# -- classic AutoGen -------------------------------------------------------------------------------------------------


def classic(world: World) -> None:
    """Two agents with a model each; the customer's side executes the tools."""
    agents = load("autogen")

    class Client:
        def __init__(self, config: dict[str, Any], who: str) -> None:
            self.who = who

        def create(self, params: dict[str, Any]) -> Any:
            words, calls = world.ask(self.who)
            made = [
                SimpleNamespace(
                    id=call["id"], type="function",
                    function=SimpleNamespace(name=call["name"], arguments=json.dumps(call["arguments"])),
                )
                for call in calls
            ]  # fmt: skip
            message = SimpleNamespace(role="assistant", content=words, tool_calls=made or None, function_call=None)
            used = SimpleNamespace(prompt_tokens=9, completion_tokens=4, total_tokens=13)
            choice = SimpleNamespace(index=0, message=message, finish_reason="stop")
            return SimpleNamespace(id="1", model="scripted", choices=[choice], usage=used, cost=0.0)

        def message_retrieval(self, response: Any) -> list[Any]:
            message = response.choices[0].message
            if not message.tool_calls:
                return [message.content]
            calls = [{"id": c.id, "type": "function", "function": vars(c.function)} for c in message.tool_calls]
            return [{"role": "assistant", "content": message.content, "tool_calls": calls}]

        def cost(self, response: Any) -> float:
            return 0.0

        @staticmethod
        def get_usage(response: Any) -> dict[str, Any]:
            return {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13, "cost": 0, "model": "scripted"}

    config = {"config_list": [{"model": "scripted", "model_client_cls": "Client"}], "cache_seed": None}
    agent, customer = (
        agents.ConversableAgent(name, system_message=system, llm_config=config, human_input_mode="NEVER")
        for name, system in ((AGENT, world.policy), (CUSTOMER, "You are a customer."))
    )
    for one in (agent, customer):
        one.register_model_client(Client, who=one.name)
    customer.register_function({name: function_of(world, name) for name in world.tool_names})
    customer.initiate_chat(agent, message=world.opening, max_turns=world.replies, silent=True)


# -- AutoGen AgentChat ------------------------------------------------------------------------------------------------


async def agentchat(world: World) -> None:
    """A team of two in a round robin."""
    agents, conditions, teams = (load(f"autogen_agentchat.{name}") for name in ("agents", "conditions", "teams"))
    core, models, made = (load(name) for name in ("autogen_core", "autogen_core.models", "autogen_core.tools"))
    used = models.RequestUsage(prompt_tokens=9, completion_tokens=4)

    class Client(models.ChatCompletionClient):
        capabilities = property(lambda self: INFO)
        model_info = property(lambda self: INFO)

        def __init__(self, who: str) -> None:
            self.who = who

        async def create(self, messages: Any, **_: Any) -> Any:
            words, calls = world.ask(self.who)
            content = [core.FunctionCall(c["id"], json.dumps(c["arguments"]), c["name"]) for c in calls] or words
            finish = "function_calls" if calls else "stop"
            thought = words if calls and words else None
            return models.CreateResult(finish_reason=finish, content=content, usage=used, cached=False, thought=thought)

        def create_stream(self, messages: Any, **_: Any) -> Any:
            raise NotImplementedError

        async def close(self) -> None: ...
        def actual_usage(self) -> Any:
            return used

        def total_usage(self) -> Any:
            return used

        def count_tokens(self, messages: Any, **_: Any) -> int:
            return 0

        def remaining_tokens(self, messages: Any, **_: Any) -> int:
            return 0

    class Anything(load("pydantic").BaseModel):
        model_config = {"extra": "allow"}

    class Tool(made.BaseTool):
        def __init__(self, name: str) -> None:
            super().__init__(Anything, str, name, f"{name}.")

        async def run(self, args: Any, cancellation_token: Any) -> str:
            return world.work(self.name)

    tools = [Tool(name) for name in world.tool_names]
    agent = agents.AssistantAgent(
        AGENT, Client(AGENT), tools=tools, system_message=world.policy, max_tool_iterations=60
    )
    customer = agents.AssistantAgent(CUSTOMER, Client(CUSTOMER), system_message="You are a customer.")
    team = teams.RoundRobinGroupChat([agent, customer], termination_condition=conditions.MaxMessageTermination(1_000),
                                     max_turns=max(1, world.turns - 1))  # fmt: skip
    await team.run(task=world.opening)


# -- LangGraph -------------------------------------------------------------------------------------------------------


def langgraph(world: World) -> None:
    """A graph of three nodes: the agent, its tools, and the customer."""
    messages, outputs = (load(f"langchain_core.{name}") for name in ("messages", "outputs"))
    graphs, prebuilt = load("langgraph.graph"), load("langgraph.prebuilt")
    human, system, answer = messages.HumanMessage, messages.SystemMessage, messages.AIMessage

    class Model(load("langchain_core.language_models").BaseChatModel):
        who: str
        _llm_type = "scripted"

        def _generate(self, said: Any, stop: Any = None, run_manager: Any = None, **_: Any) -> Any:
            words, calls = world.ask(self.who)
            made = [{"id": c["id"], "name": c["name"], "args": c["arguments"], "type": "tool_call"} for c in calls]
            return outputs.ChatResult(generations=[outputs.ChatGeneration(message=answer(words, tool_calls=made))])

    tools = [
        load("langchain_core.tools").StructuredTool(
            name=name, description=f"{name}.", func=function_of(world, name),
            args_schema={"type": "object", "properties": {}, "additionalProperties": True},
        )
        for name in world.tool_names
    ]  # fmt: skip
    helping, asking = Model(who=AGENT), Model(who=CUSTOMER)

    def agent(state: Any) -> Any:
        return {"messages": [helping.invoke([system(world.policy), *state["messages"]])]}

    def customer(state: Any) -> Any:
        words = asking.invoke([system("You are a customer."), *state["messages"]])
        return {"messages": [human(words.content, name=CUSTOMER)]}

    def onward(state: Any) -> str:
        if state["messages"][-1].tool_calls:
            return "tools"
        said = sum(isinstance(m, human) or not getattr(m, "tool_calls", True) for m in state["messages"])
        return graphs.END if said >= world.turns else CUSTOMER

    def ending(state: Any) -> str:
        said = sum(isinstance(m, human) or not getattr(m, "tool_calls", True) for m in state["messages"])
        return graphs.END if said >= world.turns else AGENT

    graph = graphs.StateGraph(graphs.MessagesState)
    graph.add_node(AGENT, agent)
    graph.add_node("tools", prebuilt.ToolNode(tools))
    graph.add_node(CUSTOMER, customer)
    graph.add_edge(graphs.START, AGENT)
    graph.add_conditional_edges(AGENT, onward)
    graph.add_edge("tools", AGENT)
    graph.add_conditional_edges(CUSTOMER, ending)
    graph.compile().invoke({"messages": [human(world.opening, name=CUSTOMER)]}, {"recursion_limit": 500})


APPLICATIONS = {"autogen": classic, "autogen_agentchat": agentchat, "langgraph": langgraph}
