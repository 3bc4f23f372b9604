"""What applications do with LangChain and LangGraph, each driven in every way that a runnable can be called.

Every function takes a :class:`~langchain_kit.Driver`, does one thing, and returns what an application could see of
it. They serve the tests of what is recorded and the matrix of what must not change.
"""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING, Annotated, Any

from langchain_core.language_models.fake import FakeListLLM
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate, PromptTemplate
from langchain_core.runnables import RunnableParallel
from langchain_core.tools import InjectedToolCallId
from langchain_kit import USAGE, RunnableLambda, Scripted, StateGraph, create_agent, model, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, Send, interrupt
from typing_extensions import TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_kit import Driver

SCENARIOS: dict[str, Callable[[Driver], Any]] = {}
ASK: Any = {"messages": [("user", "Please solve it for me")]}
THREAD: Any = {"configurable": {"thread_id": "thread-1"}}


def scenario(function: Callable[[Driver], Any]) -> Callable[[Driver], Any]:
    """Lists it under its function's name."""
    SCENARIOS[function.__name__] = function
    return function


def attempt(function: Callable[[], Any]) -> Any:
    """What a call returned or raised."""
    try:
        return {"returned": function()}
    except BaseException as error:  # noqa: BLE001  compared, not handled
        return {"raised": type(error).__name__, "text": str(error)}


def checkpoints(graph: Any, config: Any = None) -> list[Any]:
    """All that a checkpointer keeps of a thread."""
    return [
        [state.values, state.next, state.metadata, state.tasks] for state in graph.get_state_history(config or THREAD)
    ]


# -- tools -------------------------------------------------------------------------------------------------------


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
def boom(x: int) -> str:
    """Explode."""
    raise ValueError(f"the tool exploded at {x}")


@tool
def picky(x: int) -> str:
    """Take a number only."""
    return f"took {x}"


@tool
def transfer_to_expert(tool_call_id: Annotated[str, InjectedToolCallId]) -> Command[Any]:
    """Hand over to the expert."""
    answer = ToolMessage("transferred", tool_call_id=tool_call_id)
    return Command(goto="expert", graph=Command.PARENT, update={"messages": [answer]})


def agent(name: str | None, *items: Any, tools: Any = (), **options: Any) -> Any:
    """An agent with a scripted model."""
    options.setdefault("system_prompt", f"You are {name}.")
    return create_agent(model(*items), list(tools), name=name, **options)


# -- agents ------------------------------------------------------------------------------------------------------


@scenario
def one_agent(d):
    bot = agent("bot", [("add", {"a": 1, "b": 2})], "it is 3", tools=[add])
    return d(bot, ASK)


@scenario
def agent_without_a_name(d):
    return d(agent(None, "the answer"), ASK)


@scenario
def several_calls_at_once(d):
    calls = [("add", {"a": 1, "b": 2}), ("add", {"a": 3, "b": 4}), ("picky", {"x": 1})]
    seen = d(agent("bot", calls, "done", tools=[add, picky]), ASK)
    return sorted(re.findall(r"content='[^']*'", str(seen)))  # they run at once, so their order is open


@scenario
def tool_raises(d):
    bot = agent("bot", [("boom", {"x": 7})], "never said", tools=[boom])
    return attempt(lambda: d(bot, ASK))


@scenario
def tool_errors_are_handled(d):
    """By the node that executes the tools: the model is told, and goes on."""
    graph = StateGraph(MessagesState)
    chat = model([("boom", {"x": 7})], "I see").bind_tools([boom])
    graph.add_node("bot", RunnableLambda(lambda state: {"messages": [chat.invoke(state["messages"])]}, name="ask"))
    graph.add_node("tools", ToolNode([boom], handle_tool_errors=True))
    graph.add_edge(START, "bot")
    graph.add_conditional_edges("bot", lambda state: "tools" if state["messages"][-1].tool_calls else END)
    graph.add_edge("tools", "bot")
    return d(graph.compile(), ASK)


@scenario
def wrong_calls(d):
    """A tool that does not exist, and arguments that do not fit."""
    bot = agent("bot", [("nothing", {"x": 1})], [("picky", {"x": "seven"})], "I give up", tools=[picky])
    return d(bot, ASK)


@scenario
def reasoning(d):
    thought = AIMessage(
        content=[{"type": "reasoning", "reasoning": "let me think"}, {"type": "text", "text": "calling"}],
        tool_calls=[{"name": "add", "args": {"a": 1, "b": 2}, "id": "c1"}],
        usage_metadata=USAGE,  # type: ignore[arg-type]
    )
    return d(agent("bot", thought, "done", tools=[add]), ASK)


@scenario
def nested_agent_in_a_tool(d):
    inner = agent("inner", [("add", {"a": 1, "b": 2})], "inner result", tools=[add])

    @tool
    def consult(question: str) -> str:
        """Ask the inner agent."""
        return inner.invoke({"messages": [("user", question)]})["messages"][-1].content

    @tool
    async def consult_later(question: str) -> str:
        """Ask the inner agent."""
        return (await inner.ainvoke({"messages": [("user", question)]}))["messages"][-1].content

    chosen = consult_later if d.asynchronous else consult
    chosen.name = "consult"
    outer = agent("outer", [("consult", {"question": "What do you think of it?"})], "outer result", tools=[chosen])
    return d(outer, ASK)


# -- graphs ------------------------------------------------------------------------------------------------------


@scenario
def team(d):
    """A supervisor that decides by Command, and two agents as subgraphs."""
    worker = agent("worker", [("add", {"a": 1, "b": 2})], "the worker is done", tools=[add])
    reviewer = agent("reviewer", "TERMINATE")
    graph = StateGraph(MessagesState)
    graph.add_node("supervisor", lambda state: Command(goto="worker"), destinations=("worker", "reviewer"))
    graph.add_node("worker", worker)
    graph.add_node("reviewer", reviewer)
    graph.add_edge(START, "supervisor")
    graph.add_edge("worker", "reviewer")
    graph.add_edge("reviewer", END)
    compiled = graph.compile(checkpointer=InMemorySaver(), name="team")
    return [d(compiled, ASK, THREAD), checkpoints(compiled)]


@scenario
def handed_off_by_a_tool(d):
    first = agent("first", [("transfer_to_expert", {})], tools=[transfer_to_expert])
    expert = agent("expert", "the expert knows")
    graph = StateGraph(MessagesState)
    graph.add_node("first", first, destinations=("expert",))
    graph.add_node("expert", expert)
    graph.add_edge(START, "first")
    return d(graph.compile(name="desk"), ASK)


class Gathered(TypedDict):
    """A state of texts."""

    topic: str
    texts: Annotated[list[str], operator.add]


@scenario
def parallel_branches(d):
    def branch(name):
        chat = model(f"{name} says so")
        return lambda state: {"texts": [chat.invoke(f"Write about {state['topic']}").content]}

    graph = StateGraph(Gathered)
    for name in ("left", "right"):
        graph.add_node(name, branch(name))
        graph.add_edge(START, name)
        graph.add_edge(name, "join")
    chat = model("all in all")
    graph.add_node("join", lambda state: {"texts": [chat.invoke(" and ".join(state["texts"])).content]})
    compiled = graph.compile()
    if d.mode in ("stream", "astream", "messages", "events"):
        d(compiled, {"topic": "the matter at hand", "texts": []})
        return None
    return sorted(d(compiled, {"topic": "the matter at hand", "texts": []})["texts"])


@scenario
def sent_out(d):
    """One node for each of several parts, all at once."""
    graph = StateGraph(Gathered)
    chat = model(lambda messages: f"about {messages[-1].content}")
    graph.add_node("part", lambda state: {"texts": [chat.invoke(state["topic"]).content]})
    graph.add_conditional_edges(START, lambda state: [Send("part", {"topic": f"part {n}"}) for n in range(3)], ["part"])
    result = d(graph.compile(), {"topic": "the matter at hand", "texts": []})
    return sorted(result["texts"]) if d.mode in ("invoke", "ainvoke") else None


@scenario
def nodes_without_a_model(d):
    graph = StateGraph(MessagesState)
    graph.add_node("echo", lambda state: {"messages": [AIMessage(f"you said {state['messages'][-1].content}")]})
    graph.add_node("quiet", lambda state: {"messages": []})
    graph.add_edge(START, "echo")
    graph.add_edge("echo", "quiet")
    return d(graph.compile(name="parrot"), ASK)


@scenario
def wrapped_in_a_human_message(d):
    """Some applications hand an agent's reply on as if a person had said it."""
    inner = agent("researcher", "the finding")

    def research(state):
        found = inner.invoke({"messages": state["messages"]})
        return {"messages": [HumanMessage(found["messages"][-1].content, name="researcher")]}

    graph = StateGraph(MessagesState)
    graph.add_node("research", research)
    graph.add_edge(START, "research")
    return d(graph.compile(), ASK)


@scenario
def asked_a_person(d):
    chat = model("what I make of it")

    def ask(state):
        answer = interrupt({"question": "May I?"})
        return {"messages": [HumanMessage(answer, id="answer")]}  # else made while it is being stored

    graph = StateGraph(MessagesState)
    graph.add_node("ask", ask)
    graph.add_node("bot", lambda state: {"messages": [chat.invoke(state["messages"])]})
    graph.add_edge(START, "ask")
    graph.add_edge("ask", "bot")
    compiled = graph.compile(checkpointer=InMemorySaver())
    first = d(compiled, ASK, THREAD)
    second = d(compiled, Command(resume="yes, you may do it"), THREAD)
    return [first, second, checkpoints(compiled)]


@scenario
def asked_within_a_tool(d):
    @tool
    def approve(what: str) -> str:
        """Ask a person."""
        return f"a person says {interrupt(what)}"

    bot = agent("bot", [("approve", {"what": "the deed"})], "so be it", tools=[approve], checkpointer=InMemorySaver())
    return [d(bot, ASK, THREAD), d(bot, Command(resume="no"), THREAD), checkpoints(bot)]


@scenario
def stopped_before_a_node(d):
    bot = agent("bot", "the answer", checkpointer=InMemorySaver(), interrupt_before=["model"])
    return [d(bot, ASK, THREAD), d(bot, None, THREAD), checkpoints(bot)]


@scenario
def follow_up(d):
    bot = agent("bot", "one", "two", checkpointer=InMemorySaver())
    first = d(bot, ASK, THREAD)
    return [first, d(bot, {"messages": [("user", "And why is that so?")]}, THREAD), checkpoints(bot)]


@scenario
def functional(d):
    from langgraph.func import entrypoint, task

    chat = model("one", "two")

    @task
    def write(topic):
        return chat.invoke(f"Write about {topic}").content

    @entrypoint(checkpointer=InMemorySaver())
    def workflow(topic):
        return [write(topic).result(), write(f"more of {topic}").result()]

    if d.asynchronous:
        return None
    return d(workflow, "the matter at hand", THREAD)


@scenario
def too_many_steps(d):
    bot = agent("bot", *[[("add", {"a": 1, "b": 2})]] * 20, tools=[add])
    return attempt(lambda: d(bot, ASK, {"recursion_limit": 4}))


# -- plain runnables ---------------------------------------------------------------------------------------------


@scenario
def model_alone(d):
    chat = model("the answer")
    return d(chat, [SystemMessage("You are short."), HumanMessage("What is the answer to it?")])


@scenario
def older_model(d):
    return d(FakeListLLM(responses=["the answer"]), "What is the answer to it?")


@scenario
def chain(d):
    prompt = ChatPromptTemplate.from_messages([("system", "You are short."), ("human", "Tell me about {topic}")])
    built = prompt | model("quite a lot of it") | StrOutputParser()
    return d(built.with_config(run_name="teller"), {"topic": "the matter at hand"})


@scenario
def side_by_side(d):
    branches = RunnableParallel(one=model("first"), two=model("second"))
    result = d(branches, "What is the answer to it?")
    return {key: value.content for key, value in result.items()} if d.mode in ("invoke", "ainvoke") else None


@scenario
def nothing_worth_a_run(d):
    prompt = PromptTemplate.from_template("Tell me about {topic}")
    return d(prompt | RunnableLambda(lambda value: value.text.upper()), {"topic": "it"})


@scenario
def tool_alone(d):
    return [d(add, {"a": 1, "b": 2}), attempt(lambda: d(boom, {"x": 7}))]


@scenario
def retried(d):
    chat = model(ConnectionError("try again"), "at last").with_retry(
        stop_after_attempt=2, wait_exponential_jitter=False
    )
    return d(chat, "What is the answer to it?") if not d.mode.startswith(("str", "ast", "mess", "ev")) else None


@scenario
def fell_back(d):
    chat = model(RuntimeError("the first is down"), kind=Scripted).with_fallbacks([model("from the second")])
    return d(agent_of(chat), ASK)


def agent_of(chat: Any) -> Any:
    """A graph of one node that asks ``chat``."""
    graph = StateGraph(MessagesState)
    graph.add_node("bot", lambda state: {"messages": [chat.invoke(state["messages"])]})
    graph.add_edge(START, "bot")
    return graph.compile()


@scenario
def model_raises(d):
    return attempt(lambda: d(agent("bot", RuntimeError("the model is down")), ASK))


@scenario
def model_answers_nonsense(d):
    class Nonsense(Scripted):
        def _generate(self, messages, stop=None, run_manager=None, **options) -> Any:
            return "nonsense"

    return attempt(lambda: d(model("x", kind=Nonsense), "What is the answer to it?"))


@scenario
def pictures(d):
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{'QUJD' * 100}"}}
    question = HumanMessage([{"type": "text", "text": "What is to be seen here?"}, picture])
    standard = HumanMessage(
        [{"type": "text", "text": "And here?"}, {"type": "image", "base64": "QUJD" * 100, "mime_type": "image/png"}]
    )
    return [d(agent("bot", "a cat"), {"messages": [question]}), d(agent("bot", "a dog"), {"messages": [standard]})]


@scenario
def structured(d):
    class Answer(TypedDict):
        """The answer."""

        number: int

    return d(agent("bot", [("Answer", {"number": 3})], response_format=Answer), ASK)


@scenario
def history_of_the_application(d):
    chat = model("one", "two")
    if d.mode not in ("invoke", "ainvoke"):
        return None
    history: list[Any] = [HumanMessage("What is the answer to it?")]
    history.append(d(chat, history))
    history.append(HumanMessage("And why is that so?"))
    history.append(d(chat, history))
    return history
