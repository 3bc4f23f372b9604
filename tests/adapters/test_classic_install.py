"""Switching the adapter on and off: which versions, when, and beside whom."""

from __future__ import annotations

import functools
import subprocess
import sys
import types
from pathlib import Path

import autogen
import pytest
from classic_kit import Recording, assistant, group, person, speaker

from seasoned.adapters import classic
from seasoned.adapters.classic import ClassicAdapter
from seasoned.adapters.patching import is_ours
from seasoned.instrumentation.errors import UnsupportedFramework

WRAPPED = classic._NEEDED

CAPTURED = [
    "generate_oai_reply", "a_generate_oai_reply", "generate_tool_calls_reply", "a_generate_tool_calls_reply",
    "generate_function_call_reply", "a_generate_function_call_reply", "generate_code_execution_reply",
    "_generate_code_execution_reply_using_executor", "check_termination_and_human_reply",
    "a_check_termination_and_human_reply",
]  # fmt: skip


@pytest.fixture
def switched_off(tmp_path, monkeypatch):
    """A recording that the test switches on itself."""
    monkeypatch.chdir(tmp_path)
    recording = Recording(tmp_path / "home")
    yield recording
    recording.stop()


def attributes() -> dict:
    kinds = [getattr(autogen, name) for name in WRAPPED]
    return {(kind.__name__, name): value for kind in kinds for name, value in kind.__dict__.items()}


def test_switching_off_restores_every_function(switched_off):
    before = attributes()
    switched_off.start()
    during = attributes()
    changed = {key for key in during if during[key] is not before.get(key)}
    assert changed >= {(name, method) for name, methods in WRAPPED.items() for method in methods}
    switched_off.stop()
    switched_off.stop()
    after = attributes()
    assert set(after) == set(before)
    assert all(after[key] is before[key] for key in before)


def test_captured_reply_functions_are_never_wrapped(switched_off):
    before = [getattr(autogen.ConversableAgent, name) for name in CAPTURED]
    before += [autogen.GroupChatManager.run_chat, autogen.GroupChatManager.a_run_chat]
    switched_off.start()
    after = [getattr(autogen.ConversableAgent, name) for name in CAPTURED]
    after += [autogen.GroupChatManager.run_chat, autogen.GroupChatManager.a_run_chat]
    assert all(one is other for one, other in zip(before, after, strict=True))


def test_agents_made_before_and_after(switched_off):
    old, user = assistant("old", ["from the old"]), person(max_consecutive_auto_reply=0)
    switched_off.start()
    new = assistant("new", ["from the new"])
    for bot in (old, new):
        user.initiate_chat(bot, message="Please answer me", silent=True)
    assert [content for *_, content in switched_off.talk()] == [
        "Please answer me", "from the old", "Please answer me", "from the new",
    ]  # fmt: skip
    switched_off.stop()
    count = len(switched_off.events)
    user.initiate_chat(speaker("other", "hello"), message="unheard", silent=True)
    assert len(switched_off.events) == count


def test_agents_outlive_the_adapter(switched_off):
    """The descriptor of the functions goes, the functions stay."""
    switched_off.start()
    user = person()
    user.register_function({"add": lambda a, b: str(a + b)})
    switched_off.stop()
    assert "_function_map" not in autogen.ConversableAgent.__dict__
    assert list(user.function_map) == ["add"]
    assert user.execute_function({"name": "add", "arguments": '{"a": 1, "b": 2}'})[1]["content"] == "3"


def test_installing_twice_changes_nothing(switched_off):
    switched_off.start()
    during = attributes()
    switched_off.adapter.install(switched_off.tap)
    other = ClassicAdapter()
    other.install(switched_off.tap)
    assert {key: id(value) for key, value in attributes().items()} == {key: id(v) for key, v in during.items()}
    other.uninstall()
    assert is_ours(autogen.ConversableAgent.__dict__["initiate_chat"])


def test_somebody_who_wraps_after_us(switched_off):
    before = autogen.ConversableAgent.__dict__["generate_reply"]
    switched_off.start()
    ours = autogen.ConversableAgent.__dict__["generate_reply"]
    heard = []

    @functools.wraps(ours)
    def theirs(self, *args, **kwargs):
        heard.append(self.name)
        return ours(self, *args, **kwargs)

    autogen.ConversableAgent.generate_reply = theirs
    try:
        bot, user = speaker("bot", "hello"), person(max_consecutive_auto_reply=0)
        user.initiate_chat(bot, message="Please answer me", silent=True)
        recorded = len(switched_off.events)
        assert recorded == 4
        switched_off.stop()
        assert autogen.ConversableAgent.__dict__["generate_reply"] is theirs
        user.initiate_chat(bot, message="Please answer me", silent=True)
        assert len(switched_off.events) == recorded
        assert heard == ["bot", "user", "bot", "user"]
        again = Recording(switched_off.recorder.writer.home.parent / "again")
        again.start()
        user.initiate_chat(bot, message="Please answer me", silent=True)
        assert len(again.events) == recorded
        again.stop()
        assert autogen.ConversableAgent.__dict__["generate_reply"] is theirs
    finally:
        autogen.ConversableAgent.generate_reply = before


def test_switching_off_in_the_middle_of_a_chat(switched_off):
    """Whoever is on the stack goes on as if nothing had been."""
    switched_off.start()

    def off(messages):
        switched_off.stop()
        return "switched off"

    agents = [speaker("ann", "ann"), speaker("bob", off), speaker("cec", "cec")]
    manager = group(agents, rounds=5)
    result = agents[0].initiate_chat(manager, message="Please begin now", silent=True)
    assert [message["content"] for message in manager.groupchat.messages] == [
        "Please begin now", "switched off", "cec 0", "ann 0", "switched off",
    ]  # fmt: skip
    assert result.summary == "switched off"


def test_classes_that_the_application_defines_later(switched_off):
    switched_off.start()

    class Late(autogen.ConversableAgent):
        def generate_reply(self, *args, **kwargs):
            return "without asking anybody"

    late = Late("late", llm_config=False, code_execution_config=False)
    person(max_consecutive_auto_reply=0).initiate_chat(late, message="Please answer me", silent=True)
    assert is_ours(Late.__dict__["generate_reply"])
    assert [event.turn for event in switched_off.of("message")] == [0, 1]
    switched_off.stop()
    assert not is_ours(Late.__dict__["generate_reply"])


def test_members_of_a_group_whose_class_comes_later(switched_off):
    switched_off.start()

    class Late(autogen.ConversableAgent):
        def generate_reply(self, *args, **kwargs):
            return "without asking anybody"

    agents = [speaker("ann", "ann"), Late("late", llm_config=False, code_execution_config=False)]
    agents[0].initiate_chat(group(agents, rounds=2), message="Please begin now", silent=True)
    assert [event.turn for event in switched_off.of("message")] == [0, 1]


@pytest.mark.parametrize(
    ("lacks", "says"),
    [
        (None, r"has no ConversableAgent; install autogen==0\.14\.1, ag2>=0\.14,<1 or autogen-agentchat==0\.2\.40"),
        ("GroupChat", r"has no GroupChat; install"),
        ("OpenAIWrapper.create", r"its OpenAIWrapper has no create; install"),
    ],
)
def test_an_unknown_version_is_refused(switched_off, monkeypatch, lacks, says):
    module = types.ModuleType("autogen")
    vars(module)["__version__"] = "9.9.9"
    if lacks is not None:
        for name, methods in WRAPPED.items():
            have = {method: print for method in methods if f"{name}.{method}" != lacks}
            if name != lacks:
                setattr(module, name, type(name, (), have))
    monkeypatch.setitem(sys.modules, "autogen", module)
    with pytest.raises(UnsupportedFramework, match=r"autogen 9\.9\.9.*" + says):
        switched_off.start()
    assert switched_off.adapter._patches is None


def test_a_failure_while_installing_leaves_nothing_behind(switched_off, monkeypatch):
    before = attributes()
    monkeypatch.setattr(classic.classic_models, "wrapper_makers", lambda core, carry: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        switched_off.start()
    after = attributes()
    assert all(after[key] is before[key] for key in before)
    monkeypatch.undo()
    switched_off.start()
    assert is_ours(autogen.ConversableAgent.__dict__["receive"])


def test_the_adapter_imports_no_framework():
    program = "import sys; import seasoned.adapters.classic; print('autogen' in sys.modules)"
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root, timeout=60
    )
    assert done.stdout.strip() == "False"


def test_failures_of_ours_never_reach_the_application(switched_off, monkeypatch, caplog):
    """Everything that the adapter calls breaks; the chat does not notice."""
    switched_off.start()
    recorder = switched_off.recorder

    def broken(*_args, **_kwargs):
        raise RuntimeError("our fault")

    real = recorder.record
    monkeypatch.setattr(recorder, "record", lambda run, kind, *rest, **more: (
        real(run, kind, *rest, **more) if kind == "run_started" else broken()
    ))  # fmt: skip
    for name in ("message", "model_call", "error", "finish"):
        monkeypatch.setattr(recorder, name, broken)
    switched_off.tap.compose = broken
    user, bot = person(max_consecutive_auto_reply=1), assistant("bot", ["one", "two"])
    agents = [speaker("ann", "ann"), speaker("bob", "bob")]
    result = user.initiate_chat(bot, message="Please answer me", silent=True)
    assert [message["content"] for message in result.chat_history] == ["Please answer me", "one", "go on", "two"]
    monkeypatch.setattr(recorder, "begin", broken)
    manager = group(agents, rounds=3)
    agents[0].initiate_chat(manager, message="Please begin now", silent=True)
    assert len(manager.groupchat.messages) == 3
    assert set(switched_off.guard.failures) == {
        "classic.message", "classic.model_call", "classic.inject", "classic.finish", "classic.initiate_chat",
        "classic.receive", "classic.generate_reply",
    }  # fmt: skip
    assert "the application is not affected" in caplog.text
