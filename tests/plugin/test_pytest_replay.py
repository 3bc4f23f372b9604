"""The fixture that plays a recorded run through changed code, as a project of the user's own would use it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import seasoned
from seasoned import replay

ROOT = Path(__file__).parents[2]
APP = """
from langgraph.graph import END, START, MessagesState, StateGraph
from langchain_core.language_models import GenericFakeChatModel

def main(model=GenericFakeChatModel(messages=iter(())), prompt="You greet.", twice=False):
    def greeter(state):
        return {"messages": [model.invoke([("system", prompt), *state["messages"]])]}
    graph = StateGraph(MessagesState)
    graph.add_node("greeter", greeter)
    graph.add_edge(START, "greeter")
    if twice:
        graph.add_node("again", greeter)
        graph.add_edge("greeter", "again")
    graph.add_edge("again" if twice else "greeter", END)
    return graph.compile().invoke({"messages": [("user", "Say hello to everybody, please")]})
"""
TESTS = """
import app

def test_unchanged(replayed):
    execution = replayed("run.jsonl", app.main)
    assert execution.value["messages"][-1].content == "Hello, everybody!"

def test_twice(replayed):
    replayed("run.jsonl", lambda: app.main(twice=True))

def test_another_prompt(replayed):
    assert replayed("run.jsonl", lambda: app.main(prompt="You shout.")).prompt_changes

def test_another_prompt_matters(replayed):
    replayed("run.jsonl", lambda: app.main(prompt="You shout."), prompts=True)
"""


def test_changed_code_is_held_to_the_record(clean_folder: Path):
    pytest.importorskip("langgraph")
    from langchain_core.language_models import GenericFakeChatModel
    from langchain_core.messages import AIMessage

    (clean_folder / "app.py").write_text(APP, encoding="utf-8")
    (clean_folder / "test_app.py").write_text(TESTS, encoding="utf-8")
    (clean_folder / "conftest.py").write_text('pytest_plugins = ["seasoned.plugin.pytest_replay"]\n', encoding="utf-8")
    space: dict[str, object] = {}
    exec(APP, space)  # noqa: S102  what the file says
    seasoned.enable(home=str(clean_folder / "home"), namespace="greeting", inject=False, summary=False)
    try:
        space["main"](GenericFakeChatModel(messages=iter([AIMessage("Hello, everybody!")])))  # type: ignore[operator]
    finally:
        seasoned.disable()
    with replay.load("last", home=clean_folder / "home") as run:
        run.export(clean_folder / "run.jsonl")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=clean_folder, env=environment, capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip
    assert "2 failed, 2 passed" in done.stdout, done.stdout + done.stderr
    assert "the application asks a model once more, but only 1 calls are recorded" in done.stdout
    assert "+ system: You shout." in done.stdout
    assert "- system: You greet." in done.stdout
