"""The hooks: documented as they are, guarded, steerable and traceable."""

from __future__ import annotations

import inspect
import logging
import re
from pathlib import Path

import pytest

import seasoned
from seasoned.instrumentation.guard import Guard
from seasoned.plugin import hookspecs
from seasoned.plugin.manager import Hooks

DOCS = Path(__file__).parents[2] / "docs" / "hooks.md"


@pytest.fixture
def guard() -> Guard:
    return Guard()


@pytest.fixture
def hooks(guard: Guard) -> Hooks:
    return Hooks(guard)


def test_docs_list_every_hook_with_its_arguments_in_order() -> None:
    documented = re.findall(r"^### `(\w+)\(([^)]*)\)`", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    actual = {name: ", ".join(inspect.signature(function).parameters) for name, function in hookspecs.every_hook()}
    assert dict(documented) == actual


def test_every_hook_has_a_docstring() -> None:
    assert [name for name, function in hookspecs.every_hook() if not function.__doc__] == []


class Failing:
    @seasoned.hookimpl
    def run_started(self, run: object) -> None:
        raise ValueError("mine is broken")

    @seasoned.hookimpl
    def classify_task(self, run: object) -> str:
        raise KeyError("x")

    @seasoned.hookimpl
    def register_redactions(self) -> dict[str, str]:
        raise RuntimeError("no")


class Working:
    def __init__(self, name: str) -> None:
        self.name = name
        self.started = 0

    @seasoned.hookimpl
    def run_started(self, run: object) -> None:
        self.started += 1

    @seasoned.hookimpl
    def classify_task(self, run: object) -> str:
        return self.name

    @seasoned.hookimpl
    def register_redactions(self) -> dict[str, str]:
        return {self.name: "x"}


@pytest.mark.parametrize("order", [("a", "failing", "b"), ("failing", "a", "b"), ("a", "b", "failing")])
def test_a_failing_plugin_is_counted_and_logged_once_and_the_others_are_called(
    hooks: Hooks, guard: Guard, order: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    plugins = {"a": Working("a"), "b": Working("b"), "failing": Failing()}
    for name in order:
        assert hooks.add(plugins[name], name)
    with caplog.at_level(logging.WARNING, logger="seasoned"):
        for _ in range(3):
            hooks.hook.run_started(run=None)
    assert plugins["a"].started == plugins["b"].started == 3  # type: ignore[union-attr]
    assert guard.failures["plugin failing.run_started"] == 3
    assert len([record for record in caplog.records if "mine is broken" in record.message]) == 1
    assert hooks.hook.classify_task(run=None) in ("a", "b")
    assert hooks.merge("register_redactions") == {"a": "x", "b": "x"}


def test_base_exceptions_are_the_applications(hooks: Hooks) -> None:
    class Interrupting:
        @seasoned.hookimpl
        def run_started(self, run: object) -> None:
            raise KeyboardInterrupt

    hooks.add(Interrupting(), "interrupting")
    with pytest.raises(KeyboardInterrupt):
        hooks.hook.run_started(run=None)


def test_a_plugin_can_be_blocked_by_name(guard: Guard) -> None:
    hooks = Hooks(guard, blocked=["a"])
    assert not hooks.add(Working("a"), "a")
    assert hooks.add(Working("b"), "b")
    assert hooks.hook.classify_task(run=None) == "b"


def test_a_wrong_signature_and_a_wrapper_are_refused_and_told(hooks: Hooks, guard: Guard) -> None:
    class Wrong:
        @seasoned.hookimpl
        def run_started(self, run: object, colour: str) -> None: ...

    class Wrapper:
        @seasoned.hookimpl(wrapper=True)
        def run_started(self, run: object):
            return (yield)

    working = Working("a")
    hooks.add(working, "a")
    assert not hooks.add(Wrong(), "wrong")
    assert not hooks.add(Wrapper(), "wrapper")
    assert set(hooks.broken) == {"wrong", "wrapper"}
    assert "colour" in hooks.broken["wrong"]
    hooks.hook.run_started(run=None)
    assert working.started == 1


def test_trace_writes_the_calls(guard: Guard, caplog: pytest.LogCaptureFixture) -> None:
    hooks = Hooks(guard, trace=True)
    hooks.add(Working("a"), "a")
    with caplog.at_level(logging.DEBUG, logger="seasoned.hooks"):
        hooks.hook.classify_task(run=None)
    assert any("classify_task" in record.message for record in caplog.records)


def test_each_gives_the_unguarded_functions_by_keyword(hooks: Hooks) -> None:
    class Learner:
        def __init__(self) -> None:
            self.seen: list[object] = []

        @seasoned.hookimpl
        def learn(self, connection: object) -> None:
            self.seen.append(connection)
            raise ValueError("not guarded here")

    learner = Learner()
    hooks.add(learner, "learner")
    ((place, function),) = hooks.each("learn")
    assert place == "plugin learner.learn"
    with pytest.raises(ValueError, match="not guarded here"):
        function(run=1, connection=2)
    assert learner.seen == [2]


def test_entry_points_are_loaded_and_a_broken_one_is_told(
    guard: Guard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "good_plugin.py").write_text(
        "import seasoned\n@seasoned.hookimpl\ndef classify_task(run):\n    return 'from a package'\n"
    )
    info = tmp_path / "good-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: good\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[seasoned]\ngood = good_plugin\nmissing = no_such_module_anywhere\nblocked = good_plugin\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    hooks = Hooks(guard, blocked=["blocked"])
    hooks.load_entry_points()
    assert hooks.hook.classify_task(run=None) == "from a package"
    assert "missing" in hooks.broken
    assert not hooks.has_plugin("blocked")
