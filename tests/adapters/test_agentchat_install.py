"""Switching the adapter on and off: which versions, when, and beside whom."""

from __future__ import annotations

import functools
import inspect
import logging
import subprocess
import sys
import types
import warnings
from pathlib import Path

import pytest

pytest.importorskip("autogen_agentchat.teams")

import autogen_agentchat
from agentchat_kit import Recording, Scripted, Speaker, assistant, contents
from autogen_agentchat.agents import AssistantAgent, BaseChatAgent
from autogen_agentchat.teams import BaseGroupChat, RoundRobinGroupChat
from autogen_agentchat.teams._group_chat._base_group_chat_manager import BaseGroupChatManager
from autogen_agentchat.teams._group_chat._sequential_routed_agent import SequentialRoutedAgent
from autogen_core import Component
from autogen_core.code_executor import CodeExecutor
from autogen_core.models import ChatCompletionClient
from autogen_core.tools import BaseTool, Workbench
from autogen_ext.models import replay  # noqa: F401  one of the framework's own clients

from seasoned.adapters import agentchat_parts
from seasoned.adapters.agentchat import AgentChatAdapter
from seasoned.adapters.patching import is_ours, subclasses
from seasoned.instrumentation.errors import UnsupportedFramework

BASES = (
    BaseChatAgent, BaseGroupChat, BaseGroupChatManager, SequentialRoutedAgent, CodeExecutor, ChatCompletionClient,
    BaseTool, Workbench,
)  # fmt: skip
TASK = "Please solve it for me"


@pytest.fixture
def off(tmp_path):
    """A recording that the test switches on itself."""
    recording = Recording(tmp_path / "home")
    yield recording
    recording.stop()


def attributes() -> dict:
    kinds = {kind for base in BASES for kind in (base, *subclasses(base))}
    return {
        (kind, name): value for kind in kinds for name, value in kind.__dict__.items() if not name.startswith("_abc")
    }


def test_switching_off_restores_every_function(off):
    before = attributes()
    off.start()
    during = attributes()
    changed = {(kind.__name__, name) for (kind, name), value in during.items() if value is not before.get((kind, name))}
    assert changed >= {
        ("BaseGroupChat", "run_stream"), ("BaseGroupChat", "reset"), ("BaseChatAgent", "on_messages_stream"),
        ("AssistantAgent", "on_messages_stream"), ("AssistantAgent", "_execute_tool_call"),
        ("SocietyOfMindAgent", "on_messages_stream"), ("CodeExecutorAgent", "on_messages"),
        ("UserProxyAgent", "_get_input"), ("SequentialRoutedAgent", "on_message_impl"),
        ("SelectorGroupChatManager", "select_speaker"), ("ReplayChatCompletionClient", "create"),
        ("ReplayChatCompletionClient", "create_stream"), ("StaticStreamWorkbench", "call_tool_stream"),
        ("StaticWorkbench", "call_tool"), ("BaseTool", "run_json"), ("Scripted", "create"),
    }  # fmt: skip
    off.stop()
    off.stop()
    after = attributes()
    assert set(after) == set(before)
    assert all(after[key] is before[key] for key in before)


def test_a_wrapper_is_what_it_wraps(off):
    before = attributes()
    off.start()
    for key, value in attributes().items():
        old = before.get(key)
        if value is old or key[1] == "__init_subclass__":
            continue
        old, value = (getattr(function, "__func__", function) for function in (old, value))
        assert old is not None
        assert value is not None
        for kind in (inspect.iscoroutinefunction, inspect.isasyncgenfunction):
            assert kind(value) is kind(old), key
        assert value.__name__ == old.__name__
        assert inspect.signature(value) == inspect.signature(old)


def test_abstract_methods_stay_abstract(off):
    off.start()
    assert "create" in ChatCompletionClient.__abstractmethods__
    with pytest.raises(TypeError, match="abstract"):
        BaseChatAgent("x", "y")  # pyright: ignore[reportAbstractUsage]


async def test_objects_made_before_and_after(off):
    old = RoundRobinGroupChat([assistant("old", ["one", "two", "three"])], max_turns=1)
    await old.run(task=TASK)
    off.start()
    await old.run(task=TASK)
    await RoundRobinGroupChat([assistant("new", ["new"])], max_turns=1).run(task=TASK)
    assert [content for *_, content in off.talk()] == [TASK, "two", TASK, "new"]
    off.stop()
    count = len(off.events)
    await old.run(task=TASK)
    assert len(off.events) == count


def test_installing_twice_changes_nothing(off):
    off.start()
    during = {key: id(value) for key, value in attributes().items()}
    off.adapter.install(off.tap)
    other = AgentChatAdapter()
    other.install(off.tap)
    assert {key: id(value) for key, value in attributes().items()} == during
    other.uninstall()
    assert is_ours(BaseGroupChat.__dict__["run_stream"])


async def test_somebody_who_wraps_after_us(off, tmp_path):
    before = Scripted.__dict__["create"]
    off.start()
    ours, heard = Scripted.__dict__["create"], []

    @functools.wraps(ours)
    async def theirs(self, messages, **options):
        heard.append(len(messages))
        return await ours(self, messages, **options)

    Scripted.create = theirs
    try:
        agent = assistant("ann", ["one", "two", "three"])
        await agent.run(task=TASK)
        recorded = len(off.events)
        off.stop()
        assert Scripted.__dict__["create"] is theirs
        await agent.run(task=TASK)
        assert len(off.events) == recorded
        again = Recording(tmp_path / "again")
        again.start()
        await agent.run(task=TASK)
        assert len(again.of("model_call")) == 1
        again.stop()
        assert Scripted.__dict__["create"] is theirs
        assert heard == [2, 4, 6]
    finally:
        Scripted.create = before


async def test_classes_that_the_application_defines_later(off, recwarn):
    off.start()

    class Late(Speaker):
        async def on_messages_stream(self, messages, cancellation_token):
            yield await self.on_messages(messages, cancellation_token)

    assert is_ours(Late.__dict__["on_messages_stream"])
    await RoundRobinGroupChat([Late("late", "hello")], max_turns=1).run(task=TASK)
    assert [event.turn for event in off.of("message")] == [0, 1]
    off.stop()
    assert not is_ours(Late.__dict__["on_messages_stream"])
    assert "__init_subclass__" not in ChatCompletionClient.__dict__
    assert list(recwarn) == []


def test_what_the_framework_says_of_a_class_names_its_author(off):
    """It blames its caller, which must not become us."""

    def defined() -> list[tuple[str, int]]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            types.new_class("Odd", (Component, Workbench))
        return [(warning.filename, warning.lineno) for warning in caught]

    plain = defined()
    off.start()
    assert defined() == plain
    assert plain


@pytest.mark.parametrize("version", ["0.4.9", "0.6.4", "0.8.0", None])
def test_an_unknown_version_is_refused(off, monkeypatch, version):
    module = types.ModuleType("autogen_agentchat")
    if version is not None:
        vars(module)["__version__"] = version
    monkeypatch.setitem(sys.modules, "autogen_agentchat", module)
    before = attributes()
    with pytest.raises(
        UnsupportedFramework, match=rf"autogen-agentchat {version or 'of an unknown version'} is not .*install"
    ):
        off.start()
    assert attributes() == before


@pytest.mark.parametrize(
    ("owner", "name", "says"),
    [
        (AssistantAgent, "_execute_tool_call", "its AssistantAgent has no _execute_tool_call"),
        (SequentialRoutedAgent, "on_message_impl", None),
        (sys.modules["autogen_agentchat.teams"], "BaseGroupChat", "has no BaseGroupChat; install"),
    ],
)
def test_a_framework_that_lacks_something_is_refused(off, monkeypatch, owner, name, says):
    monkeypatch.delattr(owner, name)
    before = attributes()
    if says is None:  # inherited from the core's class
        off.start()
        return
    with pytest.raises(UnsupportedFramework, match=says):
        off.start()
    assert attributes() == before


def test_a_failure_while_installing_leaves_nothing_behind(off, monkeypatch):
    before = attributes()
    monkeypatch.setattr(agentchat_parts.agentchat_teams, "machine_makers", lambda core: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        off.start()
    assert attributes() == before
    monkeypatch.undo()
    off.start()
    assert is_ours(BaseGroupChat.__dict__["run_stream"])


PROGRAM = """
import sys, asyncio, tempfile, pathlib
from seasoned.adapters.agentchat import AgentChatAdapter
assert not [name for name in sys.modules if name.startswith("autogen")]
from seasoned.instrumentation.guard import Guard
from seasoned.instrumentation.journal import Writer
from seasoned.instrumentation.recorder import Recorder
from seasoned.instrumentation.redaction import Redactor
from seasoned.instrumentation.tap import Tap
guard = Guard()
recorder = Recorder(Writer(pathlib.Path(tempfile.mkdtemp())), Redactor(), guard, namespace="x")
adapter = AgentChatAdapter()
import autogen_agentchat
adapter.install(Tap(recorder, guard, lambda run, agent: ""))
assert "autogen_agentchat.agents" not in sys.modules
{imports}
from autogen_ext.models.replay import ReplayChatCompletionClient as Replay
from autogen_agentchat.agents import AssistantAgent
agent = AssistantAgent("ann", Replay(["one"]))
{play}
print(recorder.events, dict(guard.failures), adapter.refused)
"""


@pytest.mark.parametrize(
    ("imports", "play", "events"),
    [
        ("", "asyncio.run(agent.run(task='Please do it now'))", 5),
        (
            "from autogen_agentchat.teams import RoundRobinGroupChat",
            "asyncio.run(RoundRobinGroupChat([agent], max_turns=1).run(task='Please do it now'))",
            6,
        ),
        ("adapter.uninstall()", "asyncio.run(agent.run(task='Please do it now'))", 0),
    ],
)
def test_parts_are_wrapped_as_they_are_imported(imports, play, events):
    program = PROGRAM.format(imports=imports, play=play)
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
        timeout=60,
    )
    assert done.stdout.strip() == f"{events} {{}} None", done.stderr


async def test_failures_of_ours_never_reach_the_application(off, monkeypatch, caplog):
    """Everything that the adapter calls breaks; the team does not notice."""
    off.start()
    recorder = off.recorder

    def broken(*_args, **_kwargs):
        raise RuntimeError("our fault")

    async def add(a: int, b: int) -> int:
        return a + b

    def team():
        agent = assistant("ann", [[("add", {"a": 1, "b": 2})], "two"], tools=[add])
        return RoundRobinGroupChat([agent], max_turns=2)

    def texts(result) -> list[str]:
        return [content for content in contents(result, "ann") if isinstance(content, str)]

    plain = texts(await team().run(task=TASK))
    real = recorder.record
    monkeypatch.setattr(recorder, "record", lambda run, kind, *rest, **more: (
        real(run, kind, *rest, **more) if kind == "run_started" else broken()
    ))  # fmt: skip
    for name in ("message", "model_call", "error", "finish", "transition"):
        monkeypatch.setattr(recorder, name, broken)
    off.tap.compose = broken
    for _ in range(2):
        result = await team().run(task=TASK)
        assert texts(result) == plain
        monkeypatch.setattr(recorder, "message", lambda *_args, **_kwargs: None)
    agent = assistant("ann", [ValueError("theirs")])
    with pytest.raises(ValueError, match="theirs"):
        await agent.run(task=TASK)
    monkeypatch.setattr(recorder, "begin", broken)
    await team().run(task=TASK)
    assert set(off.guard.failures) == {
        "agentchat.team", "agentchat.transition", "agentchat.model_call", "agentchat.inject", "agentchat.tool",
        "agentchat.turn", "agentchat.message",
    }  # fmt: skip
    assert "the application is not affected" in caplog.text


async def test_a_message_that_cannot_be_recorded_does_not_keep_a_run_open(off, monkeypatch):
    off.start()

    monkeypatch.setattr(off.recorder, "message", lambda *_args, **_kwargs: 1 / 0)
    for target in (RoundRobinGroupChat([Speaker("ann", "hello")], max_turns=1), Speaker("bob", "hello")):
        assert contents(await target.run(task=TASK))[-1] == "hello"
    assert off.kinds() == ["run_started", "transition", "run_finished", "run_started", "run_finished"]
    assert off.adapter.core.chats == {}


def test_the_distribution_of_the_old_line_is_not_touched():
    """``autogen-agentchat`` 0.2 brings another import name, which this adapter does not listen for."""
    assert AgentChatAdapter.module == "autogen_agentchat"
    low, high = AgentChatAdapter.tested["autogen-agentchat"]
    assert low <= autogen_agentchat.__version__ <= high


@pytest.fixture(autouse=True)
def quiet():
    """The framework logs what fails in a team."""
    logging.getLogger("autogen_core").setLevel(logging.CRITICAL)
