"""What a run looks like in a notebook: everything is there, stays small, and acts on nobody."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest
from notebook_kit import BLOCK, HOSTILE, Page, everything

from seasoned import replay
from seasoned.plugin import notebook, notebook_html
from seasoned.plugin.config import Config
from seasoned.plugin.demo import bundled_runs
from seasoned.plugin.runtime import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from seasoned.instrumentation.recorder import Recorder
    from seasoned.plugin.replay import Replay


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Callable[..., Replay]]:
    """Records a run by hand and opens it."""
    opened: list[Replay] = []

    def make(write: Callable[[Recorder, Any], None], task: str | None = "A task", **begin: Any) -> Replay:
        workspace = Workspace(Config(enabled=True, home=str(tmp_path / "home")))
        run = workspace.recorder.begin(task, explicit=True, agents=["user", "ada"], **begin)
        write(workspace.recorder, run)
        workspace.recorder.finish(run, "done")
        workspace.flush()
        workspace.close()
        opened.append(replay.load(run.run_id, home=tmp_path / "home"))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def shown(thing: Any) -> Page:
    return Page(notebook.show(thing).html)


# -- a run -------------------------------------------------------------------------------------------------------------


def test_a_run_shows_all_that_happened(record):
    run = record(everything)
    found = run._repr_mimebundle_()
    page = Page(found["text/html"])
    for words in (
        "A task", "failure 0.1", "says hello", "hello", "injected ada is given its experience, 9 tokens",
        "why: level 2 hello", "- Be careful.", "asked hello · 30 + 6 tokens · $0.5 · 3.2 ms", "failed asked m",
        "Timeout: hello", "tool t()", "no answer here", "ran hello, exit code 1", "next: hello (hello)",
        "typed by a person", "file hello", "what the agents share", "error hello", "complaint from hello",
        "lost 3 events were lost here", "the run ended: done", "run.at(4).prompt",
    ):  # fmt: skip
        assert words in page.text, words
    assert found["text/plain"].splitlines()[1:3] == ["task: A task", "outcome: failure 0.1"]


def test_prompts_tell_only_what_is_new(record):
    def write(recorder: Recorder, run: Any) -> None:
        sent = [{"role": "system", "content": "You are ada."}]
        for number in range(4):
            run.turn += 1
            sent = [*sent, {"role": "user", "content": f"question {number}"}]
            recorder.model_call(run, "ada", sent, {"model": "m"}, response=f"answer {number}", block=BLOCK)

    page = shown(record(write))
    assert page.text.count("You are ada.") == 1
    assert page.text.count("question 0") == 1
    assert page.text.count("- Be careful.") == 1
    assert page.text.count("with the same injected block as before") == 3


def test_hostile_texts_are_shown_and_do_nothing(record):
    run = record(lambda recorder, opened: everything(recorder, opened, HOSTILE), task=HOSTILE)
    things: list[Any] = [run, run.at(8), run.at(17), run.diff(run), *run.turns]
    things.extend(step for turn in run.turns for step in turn.with_prompts)
    for thing in things:
        page = notebook.show(thing)
        assert "<script" not in page.html
        assert "<img" not in page.html
        for sign in "\u202e\x1b\x00\x07":
            assert sign not in page.html + page.text
        Page(page.html)
    text = shown(run).text
    assert "<script>alert(1)</script><img src=x onerror=alert(1)>]]>\\u202eevil" in text
    for drawing in (run.timeline(), run.graph(), run.usage()):
        assert "<script" not in drawing.svg


def test_missing_and_odd_values_are_no_obstacle(record):
    def write(recorder: Recorder, run: Any) -> None:
        for payload in ({}, {"content": None}, {"content": 7}, {"content": [{"type": "text", "text": "part"}]}):
            for kind in ("message", "tool_call", "tool_result", "code_execution", "artifact", "error", "injection",
                         "feedback", "outcome", "human_input", "context_snapshot", "gap", "transition"):  # fmt: skip
                recorder.record(run, kind, None, dict(payload))
        recorder.record(run, "model_call", None, {"usage": "none", "cost_usd": "free", "tool_calls": 5})
        recorder.record(run, "injection", None, {"sections": ["x", {"name": 3}], "tokens": "many"})
        recorder.record(run, "message", "ada", {"recipients": "ben", "content": None})

    run = record(write, task=None)
    for thing in (run, *run.turns, *run.steps(), run.at(len(list(run.steps())) - 1)):
        shown(thing)
    assert "no task known" in shown(run).text
    for drawing in (run.timeline(), run.graph(), run.usage()):
        assert drawing.svg


def test_long_texts_are_cut_and_say_where_the_rest_is(record):
    def write(recorder: Recorder, run: Any) -> None:
        recorder.message(run, "user", ["ada"], "user", "long " * 200_000, by_user=True)
        recorder.record(run, "tool_result", "ada", {"tool": "t", "ok": True, "content": "x" * 1_000_000})

    run = record(write)
    html = run._repr_mimebundle_()["text/html"]
    assert len(html) < 30_000
    assert "996,000 more characters, all of it: run.turns[0].steps[1].text" in html
    assert len(run.turns[0].steps[1].text) == 1_000_000


def test_a_long_run_shows_its_beginning_and_its_end_within_bounds(record):
    def write(recorder: Recorder, run: Any) -> None:
        for number in range(1_000):
            run.turn += 1
            recorder.message(run, "ada", ["user"], "assistant", f"message {number}. " + "word " * 600)

    html = record(write)._repr_mimebundle_()["text/html"]
    page = Page(html)
    assert len(html) < 400_000
    assert "message 0." in page.text
    assert "message 999." in page.text
    assert "message 500." not in page.text
    left_out = re.search(
        r"([\d,]+) further turns are left out here: run\.turns\[(\d+)\] to run\.turns\[(\d+)\]", page.text
    )
    assert left_out is not None
    count, first, last = (int(part.replace(",", "")) for part in left_out.groups())
    assert last - first + 1 == count
    assert f"message {first - 2}." in page.text  # the run began with a turn before the first message
    assert f"message {first - 1}." not in page.text
    assert f"message {last}." in page.text


def test_a_turn_of_very_many_steps_is_bounded(record):
    def write(recorder: Recorder, run: Any) -> None:
        for number in range(3_000):
            recorder.message(run, "ada", ["user"], "assistant", f"message {number}.")

    run = record(write)
    for thing in (run, run.turns[0], run.diff(run), run.at(2_500)):
        assert len(notebook.show(thing).html) < 150_000
    page = shown(run)
    assert "message 100." in page.text
    assert "message 2999." not in page.text
    assert "further steps are left out: run.turns[0].steps[" in page.text or "the first 400 steps" in page.text


def test_nested_runs_are_named(tmp_path):
    workspace = Workspace(Config(enabled=True, home=str(tmp_path)))
    outer = workspace.recorder.begin("Outer", explicit=True)
    workspace.recorder.message(outer, "user", ["ada"], "user", "go", by_user=True)
    inner = workspace.recorder.begin("<b>Inner</b>", explicit=True, parent=outer)
    workspace.recorder.message(inner, "ada", ["ben"], "user", "inside", by_user=True)
    for run in (inner, outer):
        workspace.recorder.finish(run, "done")
    workspace.flush()
    workspace.close()
    with replay.load(outer.run_id, home=tmp_path) as run:
        page = shown(run)
    assert f"replay.load('{inner.run_id}')" in page.text
    assert "<b>Inner</b>" in page.text


def test_agents_keep_their_colours():
    one, other = notebook_html.colours(["ada", "ben"]), notebook_html.colours(["cleo", "ada"])
    assert one["ada"] == other["ada"]
    assert len(set(notebook_html.colours(f"agent {at}" for at in range(10)).values())) == 10
    notebook_html.colours(f"agent {at}" for at in range(40))


def test_every_bundled_run_can_be_shown(tmp_path):
    workspace = Workspace(Config(enabled=True, home=str(tmp_path)))
    from seasoned.adapters.recorded_events import write_run

    ids = []
    for record in list(bundled_runs())[::13]:
        write_run(workspace.recorder, record)
        ids.append(record.run_id)
    workspace.flush()
    workspace.close()
    for run_id in ids:
        with replay.load(run_id, home=tmp_path) as run:
            html = run._repr_mimebundle_()["text/html"]
            Page(html)
            assert len(html) < 400_000


# -- two runs ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def two(record):
    def write(answer: str, *, success: bool) -> Callable[[Recorder, Any], None]:
        def written(recorder: Recorder, run: Any) -> None:
            recorder.message(run, "user", ["ada"], "user", "Where is my order?", by_user=True)
            run.turn += 1
            recorder.record(run, "tool_call", "ada", {"tool": "look_up", "call_id": "1", "arguments": {"order": 7}})
            result = {"tool": "look_up", "call_id": "1", "ok": True, "content": {"state": answer, "items": 2}}
            recorder.record(run, "tool_result", "ada", result)
            run.turn += 1
            recorder.message(run, "ada", ["user"], "assistant", f"Dear customer\nIt is {answer}.\nBye")
            recorder.record(run, "outcome", None, {"success": success, "source": "check"})

        return written

    return record(write("sent", success=True)), record(write("lost", success=False))


def test_what_differs_stands_side_by_side(two):
    page = shown(two[0].diff(two[1]))
    for words in (
        "1 of 3 turns are the same", "left success right failure", "1 equal: turn 0", "here they part",
        "tool result look_up: content differs", '- "state": "sent",', '+ "state": "lost",',
        "- It is sent.", "+ It is lost.", "Dear customer",
    ):  # fmt: skip
        assert words in page.text, words
    assert page.text.index("1 equal") < page.text.index("here they part")


def test_equal_runs_are_said_to_be_equal(two):
    assert shown(two[0].diff(two[0])).text == "no difference All 3 turns are the same."


def test_what_only_one_run_did_is_told_once(record):
    def write(recorder: Recorder, run: Any, *, look: bool) -> None:
        recorder.message(run, "user", ["ada"], "user", "Where is my order?", by_user=True)
        run.turn += 1
        if look:
            recorder.record(run, "tool_call", "ada", {"tool": "look_up", "call_id": "1", "arguments": {"order": 7}})
        recorder.message(run, "ada", ["user"], "assistant", "It is sent.")

    runs = [record(lambda recorder, run, look=look: write(recorder, run, look=look)) for look in (True, False)]
    pages = [shown(one.diff(other)).text for one, other in (runs, runs[::-1])]
    for mark, page in zip("-+", pages, strict=True):
        assert f'{mark} ada calls look_up({{"order": 7}})' in page
        assert page.count("what only one of them did") == 1


def test_one_pair_can_be_shown(two):
    difference = two[0].diff(two[1])
    assert "no difference" in shown(difference.pairs[0]).text
    assert "- It is sent." in shown(difference.pairs[-1]).text


# -- moments, the player, drawings -------------------------------------------------------------------------------------


def test_a_moment_shows_the_state(record):
    run = record(everything)
    page = shown(run.at(5))
    for words in ("as of step 5 turn 1", "messages 2", "model calls 2", "1 failed",
                  "prompt, 2 messages with an injected block", "injected", "You are ada. hello"):  # fmt: skip
        assert words in page.text, words
    assert "nothing was said yet" in shown(run.at(0)).text


def test_without_a_kernel_the_player_is_folded_steps(record):
    player = record(everything).player()
    assert player.widget is None
    found = player._repr_mimebundle_()
    assert found.keys() == {"text/html", "text/plain"}
    assert Page(found["text/html"]).details >= 2


def test_drawings_can_be_saved(record, tmp_path):
    drawing = record(everything).timeline()
    assert drawing.save(tmp_path / "a.svg").read_text(encoding="utf-8") == drawing.svg
    assert set(drawing._repr_mimebundle_()) == {"image/svg+xml", "text/plain"}
    assert "error 1" in repr(drawing)


def test_only_parts_of_a_replay_can_be_shown():
    with pytest.raises(TypeError, match="int is nothing of a replay"):
        notebook.show(3)


# -- inside IPython ----------------------------------------------------------------------------------------------------


def test_in_ipython_turns_and_steps_show_themselves(record, tmp_path):
    pytest.importorskip("IPython")
    run = record(everything)
    script = f"""
        from IPython.core.interactiveshell import InteractiveShell
        shell = InteractiveShell.instance()
        from seasoned import replay
        with replay.load({run.record.run_id!r}, home={str(tmp_path / "home")!r}) as run:
            for thing in (run.turns[1], run.turns[1].steps[0], run.at(4), run.diff(run), run.diff(run).pairs[0]):
                data, _ = shell.display_formatter.format(thing)
                assert data["text/html"].startswith("<div"), thing
            data, _ = shell.display_formatter.format(run)
            assert data["text/html"] and data["text/plain"].startswith("<Replay")
            data, _ = shell.display_formatter.format(run.graph())
            assert data["image/svg+xml"].startswith("<svg")
            assert run.player().widget is None
        print("shown")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False,
        env={"HOME": str(tmp_path), "IPYTHONDIR": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert done.stdout == "shown\n", done.stderr


def test_opening_a_run_does_not_import_ipython(record, tmp_path):
    run = record(everything)
    script = f"""
        import sys
        from seasoned import replay
        replay.load({run.record.run_id!r}, home={str(tmp_path / "home")!r}).close()
        print([name for name in ("IPython", "ipywidgets", "pandas") if name in sys.modules])
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False,
        env={"HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert done.stdout == "[]\n", done.stderr


def test_a_run_without_contents_is_shown_too(tmp_path):
    workspace = Workspace(Config(enabled=True, home=str(tmp_path), content=False))
    run = workspace.recorder.begin("Secret", explicit=True, agents=["user", "ada"])
    everything(workspace.recorder, run, "secret")
    workspace.recorder.finish(run, "done")
    workspace.flush()
    workspace.close()
    with replay.load(run.run_id, home=tmp_path) as opened:
        assert "the prompt is not recorded" in shown(opened).text
        shown(opened.at(6))
        Page(opened.player().html)


def test_two_runs_of_very_much_are_compared_within_bounds(record):
    def write(recorder: Recorder, run: Any, *, mark: str) -> None:
        for number in range(100):
            run.turn += 1
            for _ in range(20):
                recorder.message(run, "ada", ["user"], "assistant", f"{mark} {number}\n" * 500)

    left, right = (record(lambda recorder, run, mark=mark: write(recorder, run, mark=mark)) for mark in ("one", "two"))
    page = notebook.show(left.diff(right))
    Page(page.html)
    assert len(page.html) < 500_000
    assert "further pairs of turns are left out here: diff.pairs" in page.html
