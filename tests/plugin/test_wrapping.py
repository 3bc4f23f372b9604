"""``seasoned.wrap`` records one object and what it begins, and nothing else."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import pytest

import seasoned
from seasoned.instrumentation import reading
from seasoned.plugin import runtime

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

autogen = pytest.importorskip("autogen")


@pytest.fixture(autouse=True)
def _quiet(clean_folder: Path) -> Iterator[None]:
    yield
    seasoned.disable()


def agent(name: str) -> Any:
    return autogen.ConversableAgent(
        name, llm_config=False, human_input_mode="NEVER", code_execution_config=False, default_auto_reply=f"I am {name}"
    )


def chat(one: Any, other: Any, words: str = "How do you do today?") -> None:
    one.initiate_chat(other, message=words, max_turns=1, silent=True)


def tasks() -> list[str | None]:
    active = runtime.get()
    assert active is not None
    assert seasoned.flush().error is None
    with active.store.reading() as connection:
        return [run.task for run in reading.runs(connection, newest_first=False)]


def test_only_what_begins_with_the_object_is_recorded() -> None:
    ann, bob, eve = agent("ann"), agent("bob"), agent("eve")
    assert seasoned.wrap(bob, home="home", summary=False) is bob
    chat(ann, bob, "To one that is wrapped")
    chat(bob, ann, "From one that is wrapped")
    chat(ann, eve, "Between two others, please")
    ann.generate_reply([{"role": "user", "content": "Asked by itself, please"}])
    bob.generate_reply([{"role": "user", "content": "Asked by itself and wrapped"}])
    assert tasks() == ["To one that is wrapped", "From one that is wrapped", "Asked by itself and wrapped"]


def test_what_it_begins_and_what_the_application_opens_is_recorded() -> None:
    ann, bob, eve = agent("ann"), agent("bob"), agent("eve")
    seasoned.wrap(bob, home="home", summary=False)
    with seasoned.run("A run of my own"):
        chat(ann, eve)
    bob.register_reply(ann, lambda *_a, **_k: (chat(bob, eve, "A chat inside of it"), (True, "done"))[1])
    chat(ann, bob, "One with another inside")
    assert tasks() == ["A run of my own", "One with another inside", "A chat inside of it"]


def test_enable_takes_everything_from_then_on() -> None:
    ann, bob, eve = agent("ann"), agent("bob"), agent("eve")
    seasoned.wrap(bob, home="home", summary=False)
    chat(ann, eve, "Not this one, please")
    seasoned.enable()
    chat(ann, eve, "But this one, please")
    assert seasoned.wrap(eve) is eve
    chat(ann, bob, "And that one, please")
    assert tasks() == ["But this one, please", "And that one, please"]


def test_the_flag_says_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEASONED_ENABLED", "0")
    bob = agent("bob")
    assert seasoned.wrap(bob, home="home") is bob
    chat(agent("ann"), bob)
    assert runtime.get() is None


def test_a_graph_gets_a_handler_of_its_own() -> None:
    graphs = pytest.importorskip("langgraph.graph")
    messages = importlib.import_module("langchain_core.messages")
    models = importlib.import_module("langchain_core.language_models.fake_chat_models")

    def graph() -> Any:
        model = models.FakeListChatModel(responses=["I am well."])
        builder = graphs.StateGraph(graphs.MessagesState)
        builder.add_node("ann", lambda state: {"messages": [model.invoke(state["messages"])]})
        builder.add_edge(graphs.START, "ann")
        return builder.compile()

    one, other = graph(), graph()
    wrapped = seasoned.wrap(one, home="home", summary=False)
    assert type(wrapped) is type(one)
    for made, words in (
        (wrapped, "To the one that is wrapped"),
        (one, "To its original, not wrapped"),
        (other, "To another one"),
    ):
        made.invoke({"messages": [messages.HumanMessage(words)]})
    assert tasks() == ["To the one that is wrapped"]


def test_a_handler_records_what_it_is_given_to_and_nothing_else() -> None:
    pytest.importorskip("langchain_core")
    messages = importlib.import_module("langchain_core.messages")
    models = importlib.import_module("langchain_core.language_models.fake_chat_models")
    model = models.FakeListChatModel(responses=["I am well."])
    handler = seasoned.SeasonedCallbackHandler(home="home", summary=False)
    model.invoke([messages.HumanMessage("Nobody listens to this one")])
    model.invoke([messages.HumanMessage("Somebody listens to this one")], {"callbacks": [handler]})
    handler.latest.outcome(True)
    assert tasks() == ["Somebody listens to this one"]


def test_an_object_that_is_gone_leaves_nothing_behind() -> None:
    active = None
    for _ in range(3):
        bob = agent("bob")
        seasoned.wrap(bob, home="home", summary=False)
        active = runtime.get()
        del bob
    assert active is not None
    import gc

    gc.collect()
    assert not active.tap._chosen  # pyright: ignore[reportPrivateUsage]
    seasoned.wrap(3, home="home")  # takes no weak reference, and is no agent: harmless
