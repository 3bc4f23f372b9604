"""The front door: what users import, and what switching on and off does to a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import seasoned
from seasoned.instrumentation import reading
from seasoned.plugin import runtime

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def home(clean_folder: Path) -> Iterator[Path]:
    seasoned.enable(home=str(clean_folder / "home"), namespace="test", summary=False)
    yield clean_folder / "home"
    seasoned.disable()


def recorded() -> list[reading.RunRecord]:
    report = seasoned.flush()
    assert report.error is None
    active = runtime.get()
    assert active is not None
    with active.store.reading() as connection:
        return reading.runs(connection, newest_first=False)


def in_a_process(code: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SEASONED_")}
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=folder, capture_output=True, text=True, timeout=120,
        env={**clean, "PYTHONPATH": str(REPOSITORY), **environment}, check=False,
    )  # fmt: skip


def test_the_public_names_are_listed_sorted_and_there() -> None:
    assert seasoned.__all__ == sorted(seasoned.__all__)
    for name in seasoned.__all__:
        assert getattr(seasoned, name) is not None
    assert dir(seasoned) == seasoned.__all__
    with pytest.raises(AttributeError, match="colour"):
        _ = seasoned.colour


def test_enabling_imports_no_framework_and_nothing_heavy(tmp_path: Path) -> None:
    done = in_a_process(
        """
        import sys
        import seasoned
        seasoned.enable(summary=False)
        heavy = ("autogen", "autogen_agentchat", "langchain_core", "langgraph", "openai", "sqlalchemy", "alembic",
                 "typer", "rich", "jinja2", "pydantic", "numpy")
        print([name for name in heavy if name in sys.modules])
        """,
        tmp_path,
    )
    assert done.stdout == "[]\n"
    assert not (tmp_path / ".seasoned").exists()


def test_a_run_with_an_outcome_is_recorded(home: Path) -> None:
    with seasoned.run("Refund order W123", domain="retail", task_type="refund") as run:
        assert seasoned.current() is run
        run.outcome(success=True, quality=0.9, flags={"escalated": False})
        run.feedback("well done", positive=True)
    assert seasoned.current() is run
    (found,) = recorded()
    assert (found.run_id, found.task, found.domain, found.task_type) == (
        run.run_id, "Refund order W123", "retail", "refund",
    )  # fmt: skip
    assert (found.success, found.quality, found.outcome_source, found.namespace) == (True, 0.9, "user", "test")
    assert found.status == "finished"


def test_while_off_everything_goes_through(tmp_path: Path) -> None:
    assert runtime.get() is None
    with seasoned.run("nothing is recorded") as run:
        run.outcome(success=True)
        run.feedback("fine")
    assert seasoned.flush().ingested == 0
    with pytest.raises(seasoned.SeasonedError, match="quality is 7"):
        run.outcome(success=True, quality=7)


def test_enabling_twice_and_disabling_twice_is_harmless(home: Path) -> None:
    first = runtime.get()
    seasoned.enable(home="elsewhere")
    assert runtime.get() is first
    seasoned.disable()
    seasoned.disable()
    assert runtime.get() is None


def test_an_exception_of_the_application_ends_the_run_and_judges_nobody(home: Path) -> None:
    with pytest.raises(ZeroDivisionError), seasoned.run("divide something by zero"):
        _ = 1 / 0
    (found,) = recorded()
    assert (found.status, found.end_reason, found.success, found.errors) == ("finished", "exception", None, 1)


def test_threads_never_share_a_run(home: Path) -> None:
    barrier = threading.Barrier(8)
    wrong: list[str] = []

    def work(number: int) -> None:
        with seasoned.run(f"task of thread number {number}") as run:
            barrier.wait()
            for _ in range(20):
                if seasoned.current() is not run:
                    wrong.append(run.run_id)
                run.feedback(f"from {number}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    runs = recorded()
    assert wrong == []
    assert len(runs) == 8
    active = runtime.get()
    assert active is not None
    for found in runs:
        events = [event for event in active.service.events_of(found.run_id) if event.kind == "feedback"]
        number = (found.task or "").rsplit(" ", 1)[1]
        assert [event.payload["content"] for event in events] == [f"from {number}"] * 20


def test_a_run_inside_a_run_is_its_child_and_namespaces_are_kept_apart(home: Path) -> None:
    with seasoned.run("the outer task of two") as outer, seasoned.run("the inner task of two") as inner:
        pass
    with seasoned.run("a tenant's own task", namespace="tenant") as other:
        other.outcome(success=True)
    found = {run.run_id: run for run in recorded()}
    assert found[inner.run_id].parent_run_id == outer.run_id
    assert found[other.run_id].namespace == "tenant"


def test_plugins_that_fail_are_not_noticed(home: Path) -> None:
    class Broken:
        @seasoned.hookimpl
        def run_started(self, run: object) -> None:
            raise ValueError("start")

        @seasoned.hookimpl
        def learn(self, run: object, connection: object) -> None:
            raise ValueError("learn")

        @seasoned.hookimpl
        def judge_outcome(self, run: object, events: object) -> None:
            raise ValueError("judge")

    active = runtime.get()
    assert active is not None
    active.hooks.add(Broken(), "broken")
    with seasoned.run("a task that succeeds", domain="x") as run:
        run.outcome(success=True)
    with seasoned.run("a task that nobody judges"):
        pass
    assert len(recorded()) == 2
    assert active.guard.failures["plugin broken.learn"] == 1
    assert active.guard.failures["plugin broken.judge_outcome"] == 1


def test_an_evaluator_judges_and_the_users_word_counts_more(home: Path) -> None:
    class Evaluator:
        @seasoned.hookimpl
        def judge_outcome(self, run: reading.RunRecord, events: list[seasoned.Event]) -> seasoned.Verdict | None:
            return seasoned.Verdict(success=False, quality=0.2, reason="test", source="evaluator")

    active = runtime.get()
    assert active is not None
    active.hooks.add(Evaluator(), "evaluator")
    with seasoned.run("a task left to the evaluator"):
        pass
    with seasoned.run("a task that the user judges") as run:
        run.outcome(success=True)
    first, second = recorded()
    assert (first.success, first.quality, first.outcome_source) == (False, 0.2, "evaluator")
    assert (second.success, second.outcome_source) == (True, "user")
    assert recorded()[0].outcome_source == "evaluator"


def test_sinks_get_every_event_once(home: Path) -> None:
    class Sink:
        name = "list"

        def __init__(self) -> None:
            self.events: list[seasoned.Event] = []

        def send(self, events: list[seasoned.Event]) -> None:
            self.events.extend(events)

    class Plugin:
        sink = Sink()

        @seasoned.hookimpl
        def register_sinks(self) -> list[Sink]:
            return [self.sink]

    active = runtime.get()
    assert active is not None
    active.hooks.add(Plugin(), "sink")
    with seasoned.run("something for the sink") as run:
        run.feedback("some text")
    recorded()
    assert [event.kind for event in Plugin.sink.events] == ["run_started", "feedback", "run_finished"]
    assert Plugin.sink.events[1].payload["content"] == "some text"


def test_a_forking_server_loses_and_doubles_nothing(tmp_path: Path) -> None:
    done = in_a_process(
        """
        import os, sys
        import seasoned
        seasoned.enable(home="home", namespace="test", summary=False)
        with seasoned.run("the master's own task") as run:
            run.feedback("before the fork")
            seasoned.flush()
            children = []
            for number in range(4):                      # workers forked inside a run, as pre-forked servers are
                pid = os.fork()
                if pid == 0:
                    run.feedback(f"worker {number} in the master's run")
                    for task in range(10):
                        with seasoned.run(f"worker {number} task {task}") as own:
                            own.feedback("a")
                            own.outcome(success=True)
                    os._exit(0)                          # no exit handlers, as multiprocessing does
                children.append(pid)
            for pid in children:
                os.waitpid(pid, 0)
            run.feedback("after the fork")
        report = seasoned.flush()
        print(report.error, report.pending_bytes)
        """,
        tmp_path,
        PYTHONWARNINGS="ignore::DeprecationWarning",  # Python 3.12 and later warn of any fork beside a thread
    )
    assert (done.stdout, done.stderr) == ("None 0\n", "")
    workspace = runtime.Workspace(seasoned.Config(home=str(tmp_path / "home"), namespace="test"))
    try:
        assert workspace.flush().error is None
        with workspace.store.reading() as connection:
            runs = reading.runs(connection)
            assert len(runs) == 41
            assert reading.gaps(connection) == []
            for found in runs:
                kinds = [event.kind for event in reading.events(connection, found.run_id)]
                if found.task == "the master's own task":
                    assert kinds.count("feedback") == 6
                else:
                    assert sorted(kinds) == sorted(["run_started", "feedback", "outcome", "run_finished"])
    finally:
        workspace.close()


def test_multiprocessing_workers_are_recorded(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        textwrap.dedent(
            """
            import multiprocessing
            import seasoned

            def work(number):
                with seasoned.run(f"pool task {number}") as run:
                    run.outcome(success=True)
                return number

            if __name__ == "__main__":
                seasoned.enable(home="home", namespace="test")
                with seasoned.run("the parent of the pool"):
                    pass
                with multiprocessing.get_context("fork").Pool(2) as pool:
                    print(sum(pool.map(work, range(20))))
                    pool.close()
                    pool.join()
            """
        )
    )
    done = in_a_process("import runpy; runpy.run_path('app.py', run_name='__main__')", tmp_path)
    assert done.stdout == "190\n", done.stderr
    assert "seasoned: recorded 1 run, " in done.stderr
    workspace = runtime.Workspace(seasoned.Config(home=str(tmp_path / "home"), namespace="test"))
    try:
        workspace.flush()
        with workspace.store.reading() as connection:
            assert len(reading.runs(connection)) == 21
    finally:
        workspace.close()


def test_the_summary_at_the_end_says_how_to_give_an_outcome(tmp_path: Path) -> None:
    code = """
        import seasoned
        seasoned.enable(home="home", namespace="test")
        with seasoned.run("nobody judges this") as run:
            {judge}
        """
    done = in_a_process(code.format(judge="pass"), tmp_path)
    assert done.stdout == ""
    first, second = done.stderr.splitlines()
    assert first.startswith("seasoned: recorded 1 run, 2 events in ")
    assert "1 run has no outcome" in second
    assert "seasoned outcome last --success" in second
    done = in_a_process(code.format(judge="run.outcome(success=True)"), tmp_path / "..", SEASONED_SUMMARY="0")
    assert done.stderr == ""


def test_content_off_keeps_no_text_anywhere(tmp_path: Path) -> None:
    done = in_a_process(
        """
        import seasoned
        seasoned.enable(home="home", namespace="test", content=False, summary=False)
        with seasoned.run("TOPSECRET task") as run:
            run.feedback("TOPSECRET feedback")
            run.outcome(success=True)
        print(seasoned.flush().error)
        """,
        tmp_path,
    )
    assert done.stdout == "None\n", done.stderr
    for path in (tmp_path / "home").rglob("*"):
        assert not path.is_file() or b"TOPSECRET" not in path.read_bytes()


def test_recording_goes_on_beside_a_locked_database(tmp_path: Path) -> None:
    done = in_a_process(
        """
        import json, sqlite3
        import seasoned
        seasoned.enable(home="home", namespace="test", summary=False)
        with seasoned.run("first, so that there is a database"):
            pass
        assert seasoned.flush().error is None
        lock = sqlite3.connect("home/seasoned.db", isolation_level=None)
        lock.execute("BEGIN EXCLUSIVE")
        for number in range(200):
            with seasoned.run(f"while it is locked {number}") as run:
                run.outcome(success=True)
        locked = seasoned.flush(timeout=0.5)
        lock.execute("ROLLBACK")
        after = seasoned.flush()
        print(json.dumps([locked.error, locked.pending_bytes, after.error]))
        """,
        tmp_path,
    )
    error, pending, after = json.loads(done.stdout)
    assert "locked" in error or "not done" in error
    assert pending > 0
    assert after is None
    workspace = runtime.Workspace(seasoned.Config(home=str(tmp_path / "home"), namespace="test"))
    try:
        workspace.flush()
        with workspace.store.reading() as connection:
            assert len(reading.runs(connection)) == 201
    finally:
        workspace.close()


def test_forgetting_a_nested_run_takes_its_work_from_the_outer_one(home: Path) -> None:
    active = runtime.get()
    assert active is not None
    with seasoned.run("the outer task of two", domain="x") as outer:
        active.recorder.message(outer, "ann", ["bob"], "assistant", "mine")
        outer.turn = 1
        active.recorder.message(outer, "ann", ["bob"], "assistant", "mine too")
        with seasoned.run("the inner task of two") as inner:
            inner.turn = 1
            active.recorder.message(inner, "bob", ["ann"], "assistant", "bob's work")
        outer.outcome(success=True)
    recorded()

    def earned() -> dict[str, int]:
        growth: Any = active.hooks.get_plugin("growth")
        with active.store.reading() as connection:
            return {found["agent"]: found["total_xp"] for found in growth.profile_json(connection)}

    assert set(earned()) == {"ann", "bob"}
    active.service.forget(run_ids=[inner.run_id])
    assert set(earned()) == {"ann"}
