"""Switching the adapter on and off: which versions, when, and beside whom."""

from __future__ import annotations

import copy
import functools
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("langgraph")
pytest.importorskip("langchain.agents")

from langchain_core.callbacks.manager import AsyncCallbackManager, CallbackManager
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.tools import BaseTool
from langchain_core.tracers import context
from langchain_kit import BLOCK, AsyncStreaming, Driver, Recording, StateGraph, Streaming, model
from langchain_scenarios import ASK, SCENARIOS, agent
from langgraph.graph import START, MessagesState

from seasoned.adapters.langchain import LangChainAdapter
from seasoned.adapters.langchain_handler import SeasonedCallbackHandler
from seasoned.instrumentation.errors import UnsupportedFramework

CLASSES = (BaseChatModel, Streaming, AsyncStreaming, BaseTool, CallbackManager, AsyncCallbackManager)
NEVER = ("_stream", "_astream", "_generate", "_agenerate", "invoke", "ainvoke", "stream", "astream")


@pytest.fixture
def switched_off(tmp_path):
    """A recording that the test switches on itself."""
    recording = Recording(tmp_path / "home")
    yield recording
    recording.stop()


def attributes() -> dict:
    return {(kind.__name__, name): value for kind in CLASSES for name, value in kind.__dict__.items()}


def test_switching_off_restores_everything(switched_off):
    before, hooks = attributes(), list(context._configure_hooks)
    switched_off.start()
    during = attributes()
    changed = {key for key in during if during[key] is not before.get(key)}
    assert changed >= {
        ("BaseChatModel", "_generate_with_cache"), ("BaseChatModel", "_agenerate_with_cache"),
        ("Streaming", "_stream"), ("AsyncStreaming", "_astream"), ("BaseTool", "run"), ("BaseTool", "arun"),
        ("CallbackManager", "on_chat_model_start"), ("AsyncCallbackManager", "on_chat_model_start"),
    }  # fmt: skip
    assert len(context._configure_hooks) == len(hooks) + 1
    switched_off.stop()
    switched_off.stop()
    after = attributes()
    assert set(after) == set(before)
    assert all(after[key] is before[key] for key in before)
    assert context._configure_hooks == hooks


def test_what_is_compared_is_never_wrapped(switched_off):
    before = [BaseChatModel.__dict__[name] for name in NEVER]
    switched_off.start()
    assert all(BaseChatModel.__dict__[name] is was for name, was in zip(NEVER, before, strict=True))
    assert type(model("x"))._stream is not BaseChatModel._stream


def test_wrappers_are_of_the_kind_of_what_they_wrap(switched_off):
    import inspect

    kinds = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction, inspect.signature)
    before = attributes()
    switched_off.start()
    for key, value in attributes().items():
        if value is not before[key]:
            for kind in kinds:
                assert kind(value) == kind(before[key]), (key, kind)
            assert value.__qualname__ == before[key].__qualname__


def test_agents_made_before_and_after(switched_off):
    old = agent("old", "from the old", "unheard")
    switched_off.start()
    old.invoke(ASK)
    agent("new", "from the new").invoke(ASK)
    assert [content for *_, content in switched_off.talk()][1::2] == ["from the old", "from the new"]
    switched_off.stop()
    count = len(switched_off.events)
    old.invoke(ASK)
    assert len(switched_off.events) == count


def test_installing_twice_changes_nothing(switched_off):
    switched_off.start()
    during, hooks = attributes(), list(context._configure_hooks)
    switched_off.adapter.install(switched_off.tap)
    assert all(value is during[key] for key, value in attributes().items())
    assert context._configure_hooks == hooks
    agent("bot", "one").invoke(ASK)
    assert len(switched_off.runs) == 1


def test_several_handlers_of_one_tap_record_once(switched_off):
    switched_off.start()
    handlers = [SeasonedCallbackHandler(switched_off.tap) for _ in range(2)]
    agent("bot", "one").invoke(ASK, {"callbacks": list(handlers)})
    assert switched_off.kinds() == ["run_started", "message", "model_call", "message", "run_finished"]


def test_a_handler_that_is_copied(switched_off):
    handler = SeasonedCallbackHandler(switched_off.tap)
    assert copy.deepcopy(handler) is handler
    assert copy.copy(handler) is handler


def test_somebody_who_wraps_after_us(switched_off):
    before = BaseChatModel.__dict__["_generate_with_cache"]
    switched_off.start()
    ours = BaseChatModel.__dict__["_generate_with_cache"]

    @functools.wraps(ours)
    def theirs(self, *args, **kwargs):
        return ours(self, *args, **kwargs)

    BaseChatModel._generate_with_cache = theirs
    try:
        switched_off.blocks["model"] = BLOCK.format("model")
        chat = model("one", "two")
        chat.invoke("hello there everybody")
        switched_off.stop()
        assert BaseChatModel.__dict__["_generate_with_cache"] is theirs
        chat.invoke("hello there everybody")
        assert [len(prompt) for prompt in chat.script.seen] == [2, 1]
        assert len(switched_off.runs) == 1
    finally:
        BaseChatModel._generate_with_cache = before


def test_switching_off_in_the_middle(switched_off):
    switched_off.start()

    def off(state):
        switched_off.stop()
        return {"messages": []}

    chat = model("one")
    graph = StateGraph(MessagesState)
    graph.add_node("off", off)
    graph.add_node("bot", lambda state: {"messages": [chat.invoke(state["messages"])]})
    graph.add_edge(START, "off")
    graph.add_edge("off", "bot")
    assert graph.compile().invoke(ASK)["messages"][-1].content == "one"
    assert switched_off.kinds() == ["run_started"]


def test_switching_off_and_on_again(switched_off, tmp_path):
    switched_off.start()
    switched_off.stop()
    again = Recording(tmp_path / "again")
    again.start()
    SCENARIOS["team"](Driver("astream"))
    again.stop()
    assert len(again.runs) == 1
    assert switched_off.events == []


@pytest.mark.parametrize(
    ("version", "lacks", "says"),
    [
        ("0.3.80", None, r"langchain-core 0\.3\.80 is not known; install langchain-core>=1,<2"),
        ("2.0.0", None, r"langchain-core 2\.0\.0 is not known"),
        ("1.9.0", "BaseTool", r"langchain-core 1\.9\.0: langchain_core\.tools\.base has no BaseTool"),
        ("1.9.0", "arun", r"its BaseTool has no arun; install"),
    ],
)
def test_an_unknown_version_is_refused(switched_off, monkeypatch, version, lacks, says):
    before, hooks = attributes(), list(context._configure_hooks)
    monkeypatch.setattr(sys.modules["langchain_core"], "__version__", version)
    if lacks is not None:
        tools = types.ModuleType("langchain_core.tools.base")
        if lacks != "BaseTool":
            vars(tools)["BaseTool"] = type("BaseTool", (), {"run": print})
        monkeypatch.setitem(sys.modules, "langchain_core.tools.base", tools)
    with pytest.raises(UnsupportedFramework, match=says):
        switched_off.start()
    assert switched_off.adapter._patches is None
    assert context._configure_hooks == hooks
    assert all(value is before[key] for key, value in attributes().items())


def run(program: str) -> str:
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=root,
        timeout=60,
    )
    return done.stdout.strip()


def test_the_adapter_imports_no_framework():
    program = "import sys; import seasoned.adapters.langchain; print([n for n in sys.modules if n.startswith('lang')])"
    assert run(program) == "[]"


def test_installed_before_anything_is_imported(tmp_path):
    """Each part goes in when the module that it needs is imported; none is imported for us."""
    program = f"""
import sys
from pathlib import Path
from seasoned.instrumentation.guard import Guard
from seasoned.instrumentation.journal import Writer
from seasoned.instrumentation.recorder import Recorder
from seasoned.instrumentation.redaction import Redactor
from seasoned.instrumentation.tap import Tap
from seasoned.adapters.langchain import LangChainAdapter
guard = Guard()
recorder = Recorder(Writer(Path({str(tmp_path)!r})), Redactor(), guard, namespace="tests")
kinds = []
recorder.listeners = (lambda event: kinds.append(event.kind),)
adapter = LangChainAdapter()
import langchain_core
adapter.install(Tap(recorder, guard, lambda run, agent: "<block>"))
print([name for name in sys.modules if name.startswith(("langchain_core.callbacks", "langsmith"))])
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
seen = []
class Fake(GenericFakeChatModel):
    def _generate(self, messages, *args, **kwargs):
        seen.extend(message.content for message in messages)
        return super()._generate(messages, *args, **kwargs)
Fake(messages=iter(["one"])).invoke("hello there everybody")
print(kinds, seen, dict(guard.failures))
adapter.uninstall()
"""
    assert run(program).splitlines() == [
        "[]",
        "['run_started', 'message', 'model_call', 'message', 'run_finished'] ['<block>', 'hello there everybody'] {}",
    ]


def _failing(*_args):
    raise ZeroDivisionError


def test_a_part_that_cannot_be_installed(tmp_path, caplog):
    """The import of the framework goes on, and the log says what is wrong."""
    recording = Recording(tmp_path / "home")
    adapter: Any = LangChainAdapter()
    adapter.install(recording.tap)
    try:
        adapter._installer("langchain_core.tools.base", _failing, recording.tap, adapter._patches)(None)
        assert recording.guard.failures == {"adapter langchain": 1}
        assert "the application is not affected" in caplog.text
    finally:
        adapter.uninstall()
        recording.stop()


def test_beside_a_watchdog_of_event_loops(switched_off, monkeypatch):
    """BlockBuster, which LangGraph's development server uses, fails whatever writes to a file within a loop."""
    watching = types.ModuleType("blockbuster.blockbuster")
    watching._skip = switch = types.SimpleNamespace(value=False)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "blockbuster.blockbuster", watching)
    append = switched_off.recorder.writer.append

    def watched(*args):
        if not switch.value:
            raise RuntimeError("Blocking call to os.write")
        return append(*args)

    monkeypatch.setattr(switched_off.recorder.writer, "append", watched)
    switched_off.tap.compose = lambda run, agent: "<block>" if switch.value else "<watched>"
    switched_off.start()
    bot = agent("bot", "one")
    Driver("ainvoke")(bot, ASK)
    assert switched_off.kinds() == ["run_started", "message", "model_call", "message", "run_finished"]
    assert switch.value is False
    assert switched_off.guard.failures == {}


def test_failures_of_ours_never_reach_the_application(switched_off, monkeypatch, caplog):
    """Everything that the adapter calls breaks; nobody notices."""
    plain = [SCENARIOS[name](Driver("invoke")) for name in ("chain", "model_alone", "nothing_worth_a_run")]
    switched_off.start()

    def broken(*_args, **_kwargs):
        raise RuntimeError("our fault")

    recorder = switched_off.recorder
    for name in ("begin", "record", "message", "model_call", "error", "finish", "transition"):
        monkeypatch.setattr(recorder, name, broken)
    switched_off.tap.compose = broken
    for mode in Driver.MODES:
        for name in SCENARIOS:
            SCENARIOS[name](Driver(mode))
    with_plugin = [SCENARIOS[name](Driver("invoke")) for name in ("chain", "model_alone", "nothing_worth_a_run")]
    assert [str(item)[:12] for item in with_plugin] == [str(item)[:12] for item in plain]
    assert switched_off.guard.failures
    assert all(place.startswith("langchain.") for place in switched_off.guard.failures)
    assert switched_off.adapter.core.nodes == {}
    assert "the application is not affected" in caplog.text


def test_only_what_was_chosen(switched_off):
    """The handler of the whole process then hears nothing, one that somebody gives to a runnable all the same."""
    switched_off.start()
    switched_off.tap.only_chosen()
    agent("bot", "one").invoke(ASK)
    assert switched_off.events == []
    agent("bot", "one").invoke(ASK, {"callbacks": [SeasonedCallbackHandler(switched_off.tap)]})
    assert switched_off.kinds() == ["run_started", "message", "model_call", "message", "run_finished"]
    switched_off.tap.everything()
    agent("bot", "one").invoke(ASK)
    assert len(switched_off.runs) == 2


def test_nothing_of_the_adapter_is_imported_without_the_framework():
    program = (
        "import sys; import seasoned.adapters.langchain; "
        "print([name for name in sys.modules if name.startswith('seasoned.adapters.langchain')])"
    )
    assert run(program) == "['seasoned.adapters.langchain']"
