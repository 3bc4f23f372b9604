"""Where runs of LangChain and LangGraph begin, go on and end, in every way that a runnable can be called."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("langgraph")
pytest.importorskip("langchain.agents")

from langchain_core.messages import AIMessage, HumanMessage
from langchain_kit import Driver, RunnableLambda, Scripted, StateGraph, Streaming, driving, model, recorded, tool  # noqa: F401
from langchain_scenarios import ASK, SCENARIOS, THREAD, add, agent
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState
from langgraph.types import Command, interrupt

from seasoned.instrumentation.recorder import current
from seasoned.instrumentation.runs import CURRENT, entered

WHY = {"messages": [("user", "And why is that so?")]}


def contents(recording, run=None) -> list:
    return [content for *_, content in recording.talk(run)]


# -- beginning and ending ----------------------------------------------------------------------------------------


def test_an_agent_is_a_run(recording, driver):
    SCENARIOS["one_agent"](driver)
    (run,) = recording.runs
    (started,) = recording.of("run_started")
    assert started.payload["framework"] == "langchain"
    assert started.payload["parent"] is None
    assert run.task == "Please solve it for me"
    assert list(run.agents) == ["bot", "user"] or list(run.agents) == ["user", "bot"]
    assert recording.reasons() == ["finished"]
    assert CURRENT.get() is None


@pytest.mark.parametrize(
    ("name", "runs"),
    [
        ("nothing_worth_a_run", 0),
        ("tool_alone", 2),
        ("model_alone", 1),
        ("older_model", 1),
        ("chain", 1),
        ("side_by_side", 1),
        ("parallel_branches", 1),
        ("team", 1),
        ("nested_agent_in_a_tool", 2),
        ("nodes_without_a_model", 1),
    ],
)
def test_how_many_runs_there_are(recording, driver, name, runs):
    SCENARIOS[name](driver)
    assert len(recording.runs) == runs
    assert len(recording.of("run_finished")) == runs


def test_a_batch_is_a_run_for_each_input(recording):
    chain = RunnableLambda(lambda text: [HumanMessage(text)]) | model(lambda messages: f"about {messages[0].content}")
    answers = chain.batch(["the first of them", "the second of them"])
    assert [answer.content for answer in answers] == ["about the first of them", "about the second of them"]
    assert len(recording.runs) == 2
    for run in recording.runs:
        question, reply = contents(recording, run)
        assert reply == f"about {question}"
        assert run.task == question


def test_the_run_that_ended_last_can_be_judged(recording):
    agent("bot", "one").invoke(ASK)
    assert current() is recording.runs[0]

    async def main():
        await agent("bot", "two").ainvoke(ASK)
        assert current() is recording.runs[1]
        async for _ in agent("bot", "three").astream(ASK):
            pass
        assert current() is recording.runs[2]
        await model("four").ainvoke("What is the answer to it?")
        assert current() is recording.runs[3]

    asyncio.run(main())


def test_a_chain_of_which_nothing_is_a_text_of_the_users(recording, driver):
    """Then the task is what the model is asked."""
    chain = RunnableLambda(lambda given: [HumanMessage(f"Take {given['n']} of them, please")]) | model("taken")
    driver(chain, {"n": 3})
    assert contents(recording) == ["Take 3 of them, please", "taken"]
    assert recording.runs[0].task == "Take 3 of them, please"


# -- sessions ----------------------------------------------------------------------------------------------------


def test_a_follow_up_stays_in_the_run(recording, driver):
    SCENARIOS["follow_up"](driver)
    (run,) = recording.runs
    assert run.session_id == "thread-1"
    assert [event.payload["resumed"] for event in recording.of("run_started")] == [False, True]
    assert contents(recording) == ["Please solve it for me", "one", "And why is that so?", "two"]
    assert run.task == "Please solve it for me"
    assert [event.turn for event in recording.of("model_call")] == [1, 2]


@pytest.mark.parametrize("why", ["judged", "rested", "explicit"])
def test_a_follow_up_begins_a_new_run_of_the_session(recording, driver, why):
    bot = agent("bot", "one", "two", checkpointer=InMemorySaver())
    if why == "explicit":
        with entered(run := recording.recorder.begin("a task", explicit=True, session_id="thread-1")):
            driver(bot, ASK, THREAD)
        recording.recorder.finish(run, "closed")
    else:
        driver(bot, ASK, THREAD)
    if why == "judged":
        recording.runs[0].outcome(True)
    if why == "rested":
        recording.tap.idle_ns = 0
    driver(bot, WHY, THREAD)
    first, second = recording.runs
    assert first.session_id == second.session_id == "thread-1"
    assert contents(recording, second) == ["And why is that so?", "two"]


def test_threads_are_sessions_of_their_own(recording):
    bot = agent("bot", "one", "two", "three", checkpointer=InMemorySaver())
    other = {"configurable": {"thread_id": "thread-2"}}
    bot.invoke(ASK, THREAD)
    bot.invoke(ASK, other)
    bot.invoke(WHY, THREAD)
    first, second = recording.runs
    assert (first.session_id, second.session_id) == ("thread-1", "thread-2")
    assert contents(recording, first) == ["Please solve it for me", "one", "And why is that so?", "three"]


def test_a_thread_that_was_reset(recording):
    """Nothing of what was said is in its state any more."""
    agent("bot", "one", checkpointer=InMemorySaver()).invoke(ASK, THREAD)
    agent("bot", "two", checkpointer=InMemorySaver()).invoke(WHY, THREAD)
    first, second = recording.runs
    assert first.session_id == second.session_id
    assert contents(recording, second) == ["And why is that so?", "two"]


def test_secrets_in_a_thread_id(recording):
    config = {"configurable": {"thread_id": "for jane.doe@example.com AKIAIOSFODNN7EXAMPLE"}}
    agent("bot", "one", checkpointer=InMemorySaver()).invoke(ASK, config)
    assert "AKIAIOSFODNN7EXAMPLE" not in recording.runs[0].session_id


def test_a_history_that_the_application_keeps(recording):
    for mode in ("invoke", "ainvoke"):
        SCENARIOS["history_of_the_application"](Driver(mode))
    assert len(recording.runs) == 2
    assert contents(recording, 0) == ["What is the answer to it?", "one", "And why is that so?", "two"]
    prompts = [event.payload["prompt"] for event in recording.of("model_call", run=0)]
    assert [len(prompt["new"]) for prompt in prompts] == [1, 3]  # a resumed run writes its prompt anew


def test_two_follow_ups_at_once(recording):
    """Only one can go on with the run."""
    chat = model("one", "two", "three")
    history = [HumanMessage("What is the answer to it?")]
    history.append(chat.invoke(history))

    async def main():
        await asyncio.gather(*(chat.ainvoke([*history, HumanMessage(f"And why is it {n}?")]) for n in range(2)))

    asyncio.run(main())
    first, second = recording.runs
    assert first.session_id == second.session_id
    assert len(contents(recording, first)) == 4
    assert len(contents(recording, second)) == 2


def test_two_follow_ups_in_threads(recording):
    chat = model(lambda messages: time.sleep(0.2 * (len(messages) > 1)) or "an answer")
    history = [HumanMessage("What is the answer to it?")]
    history.append(chat.invoke(history))
    runs = recording.adapter.core.runs
    goes_on = runs.goes_on

    def slowly(last, parent):
        found = goes_on(last, parent)
        time.sleep(0.05)
        return found

    runs.goes_on = slowly
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(chat.invoke, [[*history, HumanMessage(f"And why is it {n}?")] for n in range(2)]))
    assert len(recording.runs) == 2
    assert sorted(len(contents(recording, run)) for run in recording.runs) == [2, 4]


def test_a_history_from_elsewhere(recording, driver):
    given = [HumanMessage("a"), AIMessage("b"), HumanMessage("And what of the rest?")]
    driver(model("one"), given)
    assert contents(recording) == ["And what of the rest?", "one"]
    (snapshot,) = recording.of("context_snapshot")
    assert (snapshot.payload["reason"], snapshot.payload["content"]) == ("given", "2 earlier messages")


# -- interrupts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["asked_a_person", "asked_within_a_tool"])
def test_an_interrupt_and_its_answer(recording, driver, name):
    SCENARIOS[name](driver)
    assert len(recording.runs) == 1
    assert recording.reasons() == ["interrupt", "finished"]
    (answer,) = recording.of("human_input")
    assert (answer.agent, answer.payload["content"]) == ("user", "yes, you may do it" if "person" in name else "no")
    assert recording.of("error", "outcome") == []
    kinds = recording.kinds()
    assert kinds[kinds.index("human_input") - 1] == "run_started"


def test_a_graph_that_stops_before_a_node(recording, driver):
    SCENARIOS["stopped_before_a_node"](driver)
    (run,) = recording.runs
    assert run.task == "Please solve it for me"
    assert contents(recording)[-1] == "the answer"


def test_a_thread_that_was_begun_elsewhere(recording):
    """In another process, say: what it is about is in its state."""
    graph = StateGraph(MessagesState)
    graph.add_node("ask", lambda state: {"messages": [AIMessage(f"so {interrupt('May I?')}")]})
    graph.add_edge(START, "ask")
    compiled = graph.compile(checkpointer=InMemorySaver())
    recording.tap.active = False
    compiled.invoke(ASK, THREAD)
    recording.tap.active = True
    compiled.invoke(Command(resume="yes"), THREAD)
    (run,) = recording.runs
    assert run.task == "Please solve it for me"
    assert [event.payload["content"] for event in recording.of("context_snapshot")] == ["1 earlier message"]
    assert contents(recording) == ["so yes"]


def test_an_interrupt_within_an_agent_within_a_tool(recording):
    """The child run goes on as well."""

    @tool
    def approve() -> str:
        """Ask a person."""
        return f"a person says {interrupt('May I?')}"

    inner = agent("inner", [("approve", {})], "inner result", tools=[approve])

    @tool
    def consult() -> str:
        """Ask the inner agent."""
        return inner.invoke({"messages": [("user", "What do you think?")]})["messages"][-1].content

    outer = agent("outer", [("consult", {})], "outer result", tools=[consult], checkpointer=InMemorySaver())
    outer.invoke(ASK, THREAD)
    outer.invoke(Command(resume="no"), THREAD)
    parent, child = recording.runs
    assert child.parent is parent
    assert [event.payload["reason"] for event in recording.of("run_finished", run=child)] == ["interrupt", "finished"]
    assert contents(recording, child)[-1] == "inner result"


# -- runs within runs --------------------------------------------------------------------------------------------


def test_an_agent_within_a_tool_is_a_child_run(recording, driver):
    SCENARIOS["nested_agent_in_a_tool"](driver)
    outer, inner = recording.runs
    assert inner.parent is outer
    assert inner.session_id == outer.session_id
    assert inner.task == "What do you think of it?"
    assert recording.talk(inner) == [
        ("outer", ("inner",), "user", "What do you think of it?"),
        ("inner", ("outer",), "assistant", "inner result"),
    ]
    assert [event.agent for event in recording.of("tool_result", run=outer)] == ["outer"]


def test_a_run_that_the_application_opens(recording, driver):
    bot = agent("bot", "one", "two")
    run = recording.recorder.begin("The whole of it", explicit=True)
    with entered(run):
        driver(bot, ASK)
        driver(bot, WHY)
        SCENARIOS["chain"](driver)
        SCENARIOS["nested_agent_in_a_tool"](driver)
        assert CURRENT.get() is run
    assert len(recording.runs) == 2
    assert recording.runs[1].parent is run
    assert contents(recording, run)[:4] == ["Please solve it for me", "one", "And why is that so?", "two"]
    assert [event.run_id for event in recording.of("run_finished")] == [recording.runs[1].run_id]
    assert run.task == "The whole of it"
    assert run.framework == "langchain"


def test_what_a_tool_does_belongs_to_the_run(recording, driver):
    """Also with what knows nothing of LangChain's callbacks: another framework, or a thread with its context."""
    seen = []

    @tool
    def look() -> str:
        """Look which run it is."""
        seen.append(CURRENT.get())
        return "looked"

    driver(agent("bot", [("look", {})], "done", tools=[look]), ASK)
    assert seen == recording.runs
    assert CURRENT.get() is None


# -- what goes wrong ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("error", "judged"), [(KeyError("gone"), True), (TimeoutError("slow"), False)])
def test_an_exception_that_leaves_the_run(recording, driver, error, judged):
    @tool
    def fail() -> str:
        """Fail."""
        raise error

    with pytest.raises(type(error)) as caught:
        driver(agent("bot", [("fail", {})], tools=[fail]), ASK)
    assert caught.value is error or isinstance(error, TimeoutError)  # which asyncio makes anew
    (event,) = recording.of("error")
    assert (event.agent, event.payload["error_type"]) == ("bot", type(error).__name__)
    (finished,) = recording.of("run_finished")
    assert (finished.payload["reason"], finished.payload["error_type"]) == ("exception", type(error).__name__)
    verdicts = [(event.payload["success"], event.payload["source"]) for event in recording.of("outcome")]
    assert verdicts == ([(False, "exception")] if judged else [])
    assert recording.runs[0].last_error is None


def test_the_applications_own_mistakes_judge_nobody(recording):
    bot = agent("bot", "one")
    with pytest.raises(Exception, match="nonsense"):
        bot.invoke({"messages": [("nonsense", "hello there you")]})
    SCENARIOS["too_many_steps"](Driver("invoke"))
    assert recording.of("outcome") == []


def test_a_verdict_that_is_there_stays(recording):
    def fail(state):
        recording.runs[0].outcome(True)
        raise KeyError("afterwards")

    graph = StateGraph(MessagesState)
    graph.add_node("fail", fail)
    graph.add_edge(START, "fail")
    with pytest.raises(KeyError):
        graph.compile().invoke(ASK)
    assert [event.payload["source"] for event in recording.of("outcome")] == ["user"]


def test_an_error_that_the_application_handles(recording):
    def careful(state):
        try:
            model(RuntimeError("the model is down")).invoke("anything at all")
        except RuntimeError:
            return {"messages": [AIMessage("it went wrong, but I know what to do")]}

    graph = StateGraph(MessagesState)
    graph.add_node("careful", careful)
    graph.add_edge(START, "careful")
    graph.compile().invoke(ASK)
    assert recording.of("error", "outcome") == []
    assert recording.reasons() == ["finished"]
    (call,) = recording.of("model_call")
    assert call.payload["error_type"] == "RuntimeError"


def test_a_graph_that_streams_what_its_node_only_invokes_keeps_what_had_come(recording):
    chat = model("one two three four", kind=Streaming, breaks=RuntimeError("the line is dead"))

    def planner(state):
        return {"messages": [chat.invoke(state["messages"])]}

    graph = StateGraph(MessagesState)
    graph.add_node("planner", planner)
    graph.add_edge(START, "planner")
    seen = []
    with pytest.raises(RuntimeError, match="the line is dead"):
        seen.extend(piece.text for piece, _ in graph.compile().stream(ASK, stream_mode="messages"))
    (call,) = recording.of("model_call")
    assert seen
    assert call.payload["response"] == "".join(seen)
    assert call.payload["error_type"] == "RuntimeError"


def test_a_stream_that_breaks(recording):
    chat = model("one two three four", kind=Streaming, breaks=RuntimeError("the line is dead"))
    with pytest.raises(RuntimeError, match="dead"):
        list(chat.stream("What is the answer to it?"))
    (call,) = recording.of("model_call")
    assert (call.payload["response"], call.payload["error"]) == ("one two", "the line is dead")
    assert recording.reasons() == ["exception"]


def test_a_stream_that_nobody_reads_to_its_end(recording):
    stream = model("one two three four").stream("What is the answer to it?")
    next(stream)
    stream.close()
    (call,) = recording.of("model_call")
    assert call.payload["response"] == "one"
    assert call.payload["error_type"] == "GeneratorExit"
    assert recording.reasons() == ["stream abandoned"]
    assert recording.of("error") == []

    async def main():
        stream = agent("bot", "one two three four").astream(ASK, stream_mode="messages")
        await stream.__anext__()
        await stream.aclose()

    asyncio.run(main())
    assert len(recording.reasons()) == 2
    assert recording.of("outcome") == []
    assert recording.adapter.core.nodes == {}


def test_cancellation(recording):
    started = asyncio.Event()

    class Slow(Scripted):
        async def _agenerate(self, messages, stop=None, run_manager=None, **options):
            started.set()
            await asyncio.sleep(60)
            raise AssertionError

    async def bot(state):
        return {"messages": [await model("never", kind=Slow).ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState)
    graph.add_node("bot", bot)
    graph.add_edge(START, "bot")
    compiled = graph.compile()

    async def cancelled():
        task = asyncio.ensure_future(compiled.ainvoke(ASK))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert [event.payload["error_type"] for event in recording.of("error")] == ["CancelledError"]
    assert recording.reasons() == ["exception"]
    assert recording.of("outcome") == []
    (call,) = recording.of("model_call")
    assert call.payload["error_type"] == "CancelledError"
    assert recording.adapter.core.nodes == {}


def test_nothing_is_left_behind(recording, driver):
    for name in ("team", "nested_agent_in_a_tool", "tool_raises", "asked_within_a_tool", "several_calls_at_once"):
        SCENARIOS[name](driver)
    core = recording.adapter.core
    assert core.nodes == {}
    assert len(core._late) == 0
    assert add.invoke({"a": 1, "b": 2}) == 3
