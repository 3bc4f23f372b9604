"""Applications that are run again with recorded answers: the same, or the first point where they depart."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from desk_apps import APPLICATIONS, CUSTOMER, Untouchable, World

import seasoned
from seasoned import replay
from seasoned.instrumentation.errors import ConfigError, Departed, NotFound
from seasoned.plugin.demo import bundled_runs
from seasoned.plugin.rerun_script import Edit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FRAMEWORKS = ("autogen", "autogen_agentchat", "langgraph")
EXAMPLES = Path(__file__).parents[2] / "examples"
RECORDS = list(itertools.islice(bundled_runs(), 126, 130))
"""Two bundled runs of each domain."""


def play(app: Callable[[Any], Any], world: World) -> None:
    made = app(world)
    if inspect.iscoroutine(made):
        asyncio.run(made)


@pytest.fixture(params=FRAMEWORKS)
def app(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    pytest.importorskip(request.param)
    return APPLICATIONS[request.param]


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Callable[..., replay.Replay]]:
    """Records an application at work, and opens its run."""
    opened: list[replay.Replay] = []

    def recorded(app: Callable[[Any], Any], run: Any, **settings: Any) -> replay.Replay:
        seasoned.enable(home=tmp_path / "home", namespace="desk", inject=False, **settings)
        try:
            play(app, World(run))
        finally:
            seasoned.disable()
        opened.append(replay.load("last", home=tmp_path / "home"))
        return opened[-1]

    yield recorded
    for one in opened:
        one.close()


def longest() -> Any:
    return max(RECORDS, key=lambda run: sum(message.role == "tool" for message in run.messages))


def test_real_runs_are_the_same_again_without_model_or_tools(app, record, capfd):
    for run in RECORDS:
        original = record(app, run)
        execution = original.execute(lambda run=run: app(Untouchable(run)))
        assert execution.identical, execution.summary
        assert execution.error is None
        assert not execution.left
        assert not execution.prompt_changes
        assert execution.served == original.record.model_calls + original.record.tool_calls
        assert execution.replay is not None
        assert execution.replay.to_messages() == original.to_messages()
        execution.replay.close()


def test_a_changed_tool_is_caught_in_its_turn(app, record, capfd):
    run = longest()
    original = record(app, run)
    results = list(original.steps(kinds=("tool_result",)))
    changed = results[2]

    class Changed(World):
        done = 0

        def ask(self, who: str) -> Any:
            raise AssertionError("models are served")

        def work(self, tool: str) -> str:
            self.done += 1
            return "something else" if self.done == 3 else super().work(tool)

    execution = original.execute(lambda: app(Changed(run)), live_tools=True)
    assert not execution.identical
    assert execution.turn == changed.turn
    parting = execution.difference.parting
    values = [(change.kind, change.left, change.right) for change in parting.changes if change.key == "content"]
    assert ("tool_result", changed.payload["content"], "something else") in values
    assert execution.prompt_changes
    assert execution.prompt_changes[0].seq > changed.seq


def test_an_application_that_says_something_else_departs_where_it_does(app, record, capfd):
    run = longest()
    original = record(app, run)

    class Other(Untouchable):
        opening = "Hello, something else altogether"

        def __init__(self, run: Any) -> None:
            super().__init__(run)
            self.opening = "Hello, something else altogether"

    execution = original.execute(lambda: app(Other(run)))
    assert not execution.identical
    assert execution.turn is not None
    assert execution.turn <= 1
    assert execution.prompt_changes
    assert "Hello, something else altogether" in execution.prompt_changes[0].asked[-1]
    strict = original.execute(lambda: app(Other(run)), strict=True)
    assert "asked something else" in strict.departed
    assert strict.served <= 1


def test_asking_once_more_than_recorded_departs(record, capfd):
    run = RECORDS[0]
    original = record(APPLICATIONS["langgraph"], run)

    class Longer(Untouchable):
        def __init__(self, run: Any) -> None:
            super().__init__(run)
            self.turns += 4

    execution = original.execute(lambda: APPLICATIONS["langgraph"](Longer(run)))
    assert isinstance(execution.error, Departed)
    assert "once more" in execution.departed
    assert str(original.record.model_calls) in execution.departed
    assert not execution.identical


def test_a_fork_goes_on_with_the_applications_own_model(app, record, tmp_path, capfd):
    run = longest()
    original = record(app, run)
    asked: list[str] = []
    spoken = [step for step in original.steps(kinds=("model_call",)) if step.agent == CUSTOMER]
    turn = spoken[1].turn

    class Real(World):
        def ask(self, who: str) -> Any:
            asked.append(who)
            return f"a new answer of {who}", []

        def work(self, tool: str) -> str:
            raise AssertionError("what comes before the fork is served")

    execution = original.execute(lambda: app(Real(run)), from_turn=turn, edit=Edit(answer="I changed my mind."))
    assert execution.forked
    assert asked
    fork = execution.replay
    assert fork.record.run_id != original.record.run_id
    assert fork.record.source == f"fork of {original.record.run_id} at turn {turn}"
    before = [step.text for step in original.steps(kinds=("message",)) if step.turn < turn]
    after = [step.text for step in fork.steps(kinds=("message",))]
    assert after[: len(before)] == before
    assert after[len(before)] == "I changed my mind."
    assert any("a new answer" in text for text in after[len(before) + 1 :])
    again = replay.load(fork.record.run_id, home=tmp_path / "home")  # it was kept
    assert again.record.run_id == fork.record.run_id
    again.close()


def test_streams_failures_and_people_are_served_too(tmp_path):
    """The examples, which their own tests show to record what they should."""
    home = tmp_path / "example-home"
    for example in sorted(EXAMPLES.glob("*.py")):
        subprocess.run([sys.executable, str(example)], cwd=tmp_path, check=True, capture_output=True, timeout=120)
        with replay.load("last", home=home) as original:
            execution = original.execute(example)
            assert execution.identical, execution.summary
            assert len(original.siblings) == 5
            first = original.siblings[0]
            assert first.execute(example).identical
        for path in sorted(home.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()


def test_the_command_line(record, tmp_path, capfd):
    pytest.importorskip("langgraph")
    run = RECORDS[1]
    original = record(APPLICATIONS["langgraph"], run)
    script = tmp_path / "app.py"
    here = Path(__file__).parent
    script.write_text(
        f"import sys\nsys.path.insert(0, {str(here)!r})\n"
        "from desk_apps import Untouchable, langgraph\nfrom seasoned.plugin.demo import bundled_runs\n"
        f"run = next(run for run in bundled_runs() if run.run_id == {run.run_id!r})\n"
        "if len(sys.argv) > 1:\n    run = __import__('msgspec').structs.replace(run, messages=run.messages[:6])\n"
        "langgraph(Untouchable(run))\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "seasoned", "replay", original.record.run_id, "--home", str(tmp_path / "home")]
    same = subprocess.run([*command, "--execute", str(script)], capture_output=True, text=True, timeout=120)
    assert same.returncode == 0, same.stderr
    assert "the same in all" in same.stdout
    told = subprocess.run(
        [*command, "--json", "--execute", str(script), "shorter"], capture_output=True, text=True, timeout=120
    )
    assert told.returncode == 1, told.stderr
    public = json.loads(told.stdout)
    assert public["identical"] is False
    assert public["left"]
    assert public["differences"]
    wrong = subprocess.run([*command, "--execute", "nowhere.py"], capture_output=True, text=True, timeout=120)
    assert wrong.returncode == 1
    assert "there is no script 'nowhere.py'" in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_what_cannot_be_played_says_so(record, tmp_path, capfd):
    run = RECORDS[0]
    original = record(APPLICATIONS["langgraph"], run)
    with pytest.raises(NotFound, match="there is no script"):
        original.execute(tmp_path / "missing.py")
    with pytest.raises(ConfigError, match="from_turn"):
        original.execute(lambda: None, edit=Edit(answer="x"))
    nothing = original.execute(lambda: None)
    assert not nothing.identical
    assert nothing.replay is None
    assert "did not begin" in nothing.summary


def test_runs_without_answers_are_refused(record, tmp_path, capfd):
    original = record(APPLICATIONS["langgraph"], RECORDS[0], content=False)
    with pytest.raises(ConfigError, match="without contents"):
        original.execute(lambda: None)


def test_recording_goes_on_as_before(record, tmp_path, capfd):
    original = record(APPLICATIONS["langgraph"], RECORDS[0])
    seasoned.enable(home=tmp_path / "mine", namespace="mine", inject=False)
    try:
        assert original.execute(lambda: APPLICATIONS["langgraph"](Untouchable(RECORDS[0]))).identical
        play(APPLICATIONS["langgraph"], World(RECORDS[1]))
    finally:
        seasoned.disable()
    with replay.load("last", home=tmp_path / "mine") as mine:
        assert mine.record.namespace == "mine"
        assert len(mine.siblings) == 1
