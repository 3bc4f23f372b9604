"""The step-through, driven by its keys as somebody at a terminal would."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from seasoned.instrumentation import reading
from seasoned.instrumentation.guard import Guard
from seasoned.instrumentation.journal import Writer
from seasoned.instrumentation.recorder import Recorder
from seasoned.instrumentation.redaction import Redactor
from seasoned.plugin.cli.condition import notes
from seasoned.plugin.config import load_config
from seasoned.plugin.runtime import Workspace

pytest.importorskip("textual", reason="the extra `tui` is not installed")

from textual.widgets import Input, Static

from seasoned.plugin import stepper, stepper_source
from seasoned.plugin.stepper import Stepper
from seasoned.plugin.stepper_list import TurnList
from seasoned.plugin.stepper_source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = '<experience agent="ada">\n- Ask first.\n</experience>'
HOSTILE = "a\x1b[2Jb\u202ec\x9b31md [bold]e[/bold] [@click=app.quit]f[/] \x07"


@pytest.fixture
def opened(tmp_path) -> Iterator[Workspace]:
    made = Workspace(load_config(home=tmp_path / "home"))
    yield made
    made.close(flush=False)


@pytest.fixture
def recorder(tmp_path) -> Iterator[Recorder]:
    made = Recorder(Writer(tmp_path / "home"), Redactor(), Guard(), namespace="shop")
    yield made
    made.writer.close()


def source_of(opened: Workspace, run_id: str) -> Source:
    def again() -> Any:
        opened.flush()
        with opened.store.reading() as connection:
            record = reading.find(connection, run_id)
            return record, notes(opened.config, connection, record)

    record, said = again()
    return Source(opened.store.reading, record, said, again)


def talk(recorder: Recorder, turns: int, *, finish: bool = True, words: str = "message") -> Any:
    run = recorder.begin("Count to ten", framework="x", agents=["ada", "ben"], explicit=True)
    for turn in range(1, turns + 1):
        more(recorder, run, turn, words)
    if finish:
        recorder.finish(run, "done")
    return run


def more(recorder: Recorder, run: Any, turn: int, words: str = "message") -> None:
    agent = ("ada", "ben")[turn % 2]
    run.turn = turn
    prompt = [{"role": "system", "content": "You count."}, {"role": "user", "content": f"after {turn - 1}?"}]
    answer = {"model": "m", "usage": {"input_tokens": 10, "output_tokens": 2}, "cost_usd": 0.5}
    recorder.model_call(run, agent, prompt, answer, response=f"{words} {turn}", block=BLOCK)
    call = {"tool": "count", "call_id": f"c{turn}"}
    recorder.record(run, "tool_call", agent, {**call, "arguments": {"to": turn}})
    recorder.record(run, "tool_result", agent, {**call, "ok": turn != 3, "content": "counted", "error": None})
    recorder.message(run, agent, ["all"], "assistant", f"{words} {turn}")


async def settled(pilot: Any) -> None:
    await pilot.pause()
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


async def press(pilot: Any, *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await settled(pilot)


def head(app: Stepper) -> str:
    return str(app.query_one("#head", Static).content)


def shown(app: Stepper) -> list[str]:
    return [str(widget.content) for widget in app.query("#text Static").results(Static) if widget.display]


def listed(app: Stepper) -> list[str]:
    turns = app.query_one(TurnList)
    return ["".join(part.text for part in turns.render_line(y)).rstrip() for y in range(turns.size.height)]


async def test_opens_and_moves(opened, recorder):
    app = Stepper(source_of(opened, talk(recorder, 5).run_id))
    async with app.run_test(size=(110, 30)) as pilot:
        await settled(pilot)
        assert "Count to ten" in head(app)
        assert "turn 0 (1 of 6)" in head(app)
        assert re.fullmatch(r" +1   ben +message 1", listed(app)[1])
        await press(pilot, "j")
        assert "1 model call · 1 tool call · 10 + 2 tokens · $0.5" in head(app)
        assert [text.split()[0] for text in shown(app)] == ["model", "tool", "tool", "message"]
        await press(pilot, "down", "j")
        assert "turn 3 (4 of 6)" in head(app)
        assert "1 failed" in head(app)
        assert "✗" in listed(app)[3]
        await press(pilot, "k", "up")
        assert app.index == 1
        await press(pilot, "end")
        assert app.index == 5
        await press(pilot, "j")
        assert app.index == 5
        await press(pilot, "home")
        assert app.index == 0


async def test_steps_within_a_turn_and_over_its_end(opened, recorder):
    app = Stepper(source_of(opened, talk(recorder, 3).run_id))
    async with app.run_test(size=(110, 30)) as pilot:
        await settled(pilot)
        await press(pilot, "j", "n", "right")
        assert (app.index, app.step) == (1, 2)
        chosen = list(app.query(".step.selected").results(Static))
        assert [str(widget.content).split()[:2] for widget in chosen] == [["tool", "result"]]
        await press(pilot, "n", "n")
        assert (app.index, app.step) == (2, 0)
        await press(pilot, "left")
        assert (app.index, app.step) == (1, 3)
        await press(pilot, "b")
        assert (app.index, app.step) == (1, 2)


async def test_the_prompt_with_what_was_injected(opened, recorder):
    app = Stepper(source_of(opened, talk(recorder, 2).run_id))
    async with app.run_test(size=(110, 30)) as pilot:
        await settled(pilot)
        await press(pilot, "p")
        assert shown(app) == ["No model was asked in this turn."]
        await press(pilot, "j")
        text = shown(app)[0]
        assert text.startswith("The prompt as ben's model was sent it: 2 messages, with what was injected")
        assert "1 system\nYou count.\n┃ <experience" in text
        assert "┃ - Ask first." in text
        assert "2 user\nafter 0?" in text
        await press(pilot, "tab")
        assert shown(app)[0].startswith("model call")


async def test_the_tools_so_far(opened, recorder):
    app = Stepper(source_of(opened, talk(recorder, 4).run_id))
    async with app.run_test(size=(110, 30)) as pilot:
        await settled(pilot)
        await press(pilot, "t")
        assert shown(app) == ["Tools used so far\nnone"]
        await press(pilot, "end")
        assert "     4  count  1 failed" in shown(app)[0]
        assert '"to": 4' in shown(app)[0]


async def test_search_and_going_to_a_turn(opened, recorder):
    app = Stepper(source_of(opened, talk(recorder, 40).run_id))
    async with app.run_test(size=(110, 30)) as pilot:
        await settled(pilot)
        await press(pilot, "slash", *"message", "space", "3", "7", "enter")
        assert (app.index, app.step) == (37, 0)
        await press(pilot, "slash", "enter")  # the same words again: the next place
        assert (app.index, app.step) == (37, 3)
        await press(pilot, "slash", "enter")  # and from the beginning again
        assert (app.index, app.step) == (37, 0)
        await press(pilot, "slash", *"nowhere", "enter")
        assert (app.index, app.step) == (37, 0)
        await press(pilot, "g", *"12", "enter")
        assert app.index == 12
        for wrong in ("99", "x"):
            await press(pilot, "g", wrong, "enter")
            assert app.index == 12
        await press(pilot, "g", "5", "escape")
        assert app.index == 12


async def test_keys_are_letters_while_something_is_asked(opened, recorder):
    app = Stepper(source_of(opened, talk(recorder, 3).run_id))
    async with app.run_test(size=(110, 30)) as pilot:
        await settled(pilot)
        await press(pilot, "slash", *"jknbptqrdfg", "left", "home", "x", "question_mark")
        assert app.screen.query_one(Input).value == "x?jknbptqrdfg"
        await press(pilot, "escape")
        assert (app.index, app.step, app.view) == (0, 0, "steps")
        await press(pilot, "question_mark")
        assert "the prompt as it was sent" in str(app.screen.query_one(Static).content)
        await press(pilot, "j")
        assert app.index == 0
        await press(pilot, "j")
        assert app.index == 1


async def test_hostile_content_is_text(opened, recorder):
    run = talk(recorder, 2, finish=False, words=HOSTILE)
    run.turn = 3
    recorder.message(run, "be\u202en [red]x[/red]", ["all"], "assistant", "y" * 1_000_000)
    recorder.record(run, "tool_call", "ada", {"tool": ["no", "name"], "call_id": {"a": 1}, "arguments": None})
    recorder.record(run, "model_call", None, {"usage": 7, "cost_usd": "much", "prompt": None, "tool_calls": "x"})
    recorder.record(run, "injection", "ada", {"text": None, "sections": [1, {"text": 3, "why": ["z"]}]})
    recorder.message(run, "ada", ["all"], "assistant", None)
    recorder.finish(run, "done")
    app = Stepper(source_of(opened, run.run_id))
    async with app.run_test(size=(110, 30)) as pilot:
        await settled(pilot)
        for keys in ("j", "p", "p", "t", "t", "n", "f", "j", "j", "p", "p", "t", "t", "n", "n", "n", "n", "n"):
            await press(pilot, keys)
            picture = app.export_screenshot()
            assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", picture)
            assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", head(app) + "".join(shown(app)))
        await press(pilot, "home", "j")
        assert "b\\u202ecd [bold]e[/bold] [@click=app.quit]f[/] \\x07" in shown(app)[0]
        assert "ab\\u202ecd [bold]e" in listed(app)[1]
        await press(pilot, "end")
        assert "(1,000,000 characters in all)" in shown(app)[0]
        await press(pilot, "f")
        assert "(1,000,000 characters in all; f shows more)" in shown(app)[0]
        assert app.is_running


async def test_a_run_with_nothing_in_it(opened, recorder):
    run = recorder.begin(framework="x", explicit=True)
    recorder.finish(run, "done")
    source = source_of(opened, run.run_id)
    app = Stepper(source)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert "turn 0 (1 of 1)" in head(app)
        for key in ("j", "k", "n", "b", "p", "p", "t", "t", "end", "home", "f", "r", "d"):
            await press(pilot, key)
        assert app.is_running
    empty = Source(opened.store.reading, source.record)
    empty.turns._facts = [values[:0] for values in empty.turns._facts]  # its row is there, its events are not yet
    app = Stepper(empty)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert shown(app) == ["Nothing was recorded yet; r looks again."]
        for key in ("j", "k", "n", "b", "p", "p", "t", "t", "end", "home", "slash", "x", "enter"):
            await press(pilot, key)
        await press(pilot, "r")
        assert "turn 0 (1 of 1)" in head(app)


async def test_a_run_that_is_going_on(opened, recorder):
    run = talk(recorder, 2, finish=False)
    app = Stepper(source_of(opened, run.run_id))
    async with app.run_test(size=(110, 30)) as pilot:
        await settled(pilot)
        assert "This run is still going on" in head(app)
        await press(pilot, "end")
        more(recorder, run, 3)
        recorder.finish(run, "done")
        await press(pilot, "r")
        assert app.index == 2
        assert "turn 2 (3 of 4)" in head(app)
        assert "still going on" not in head(app)
        await press(pilot, "j")
        assert "3 model calls" in head(app)


async def test_light_and_dark_and_full_texts(opened, recorder):
    run = talk(recorder, 1, words="\n".join(f"line {number}" for number in range(500)))
    app = Stepper(source_of(opened, run.run_id), light=True)
    async with app.run_test(size=(110, 30)) as pilot:
        await settled(pilot)
        assert app.theme == "textual-light"
        await press(pilot, "d", "j")
        assert app.theme == "textual-dark"
        assert "line 399" in shown(app)[0]
        assert "line 499" not in shown(app)[0]
        assert "line 9" not in shown(app)[-1]
        await press(pilot, "f")
        assert "line 499" in shown(app)[0]
        place = app.query_one("#text")
        before = place.scroll_y
        await press(pilot, "pagedown", "space")
        assert place.scroll_y > before
        await press(pilot, "pageup", "pageup")
        assert place.scroll_y == before


async def test_only_what_is_in_view_is_read(opened, recorder, monkeypatch):
    run = talk(recorder, 300)
    source = source_of(opened, run.run_id)
    asked: list[int] = []
    real = source.label
    monkeypatch.setattr(source, "label", lambda index: asked.append(index) or real(index))
    app = Stepper(source)
    async with app.run_test(size=(110, 24)) as pilot:
        await settled(pilot)
        await press(pilot, "end")
        listed(app)
        await settled(pilot)
        assert 0 < len(set(asked)) < 80
        assert re.search(r"300 +ada +message 300", listed(app)[-1])


async def test_a_click_selects_a_turn(opened, recorder):
    app = Stepper(source_of(opened, talk(recorder, 9).run_id))
    async with app.run_test(size=(110, 24)) as pilot:
        await settled(pilot)
        await pilot.click(TurnList, offset=(5, 4))
        await settled(pilot)
        assert app.index == 4


async def test_a_run_that_knows_no_turns(opened, recorder, monkeypatch):
    """All its events are in one: only so many are read."""
    monkeypatch.setattr(stepper_source, "LONGEST", 100)
    run = recorder.begin(framework="x", agents=["ada"], explicit=True)
    for number in range(300):
        recorder.message(run, "ada", ["all"], "assistant", f"message {number}")
    recorder.finish(run, "done")
    app = Stepper(source_of(opened, run.run_id))
    async with app.run_test(size=(110, 24)) as pilot:
        await settled(pilot)
        assert len(app.steps) == 100
        assert len(shown(app)) == stepper.SHOWN
        for _ in range(70):
            await pilot.press("n")
        await settled(pilot)
        assert app.step == 70
        selected = next(iter(app.query(".step.selected").results(Static)))
        assert "message 69" in str(selected.content)


def test_totals_are_those_of_the_moment(opened, recorder):
    run = talk(recorder, 6)
    source = source_of(opened, run.run_id)
    source.count()
    assert source.tally is not None
    from seasoned.plugin.replay import Replay

    replay = Replay(opened, source.record)
    for index, turn in enumerate(replay.turns):
        assert source.tally.totals(index) == replay.at(turn.steps[-1]).totals
