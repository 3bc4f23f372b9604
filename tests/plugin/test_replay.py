"""Looking into recorded runs through ``seasoned.replay``."""

from __future__ import annotations

import itertools
import resource
from typing import TYPE_CHECKING, Any

import pytest

from seasoned import replay
from seasoned.adapters.recorded import read
from seasoned.instrumentation.errors import Ambiguous, NotFound, RunFormatError
from seasoned.instrumentation.runs import entered, outcome_payload
from seasoned.instrumentation.spans import handovers, spans
from seasoned.plugin.config import Config
from seasoned.plugin.demo import BUNDLED
from seasoned.plugin.runtime import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BLOCK = '<experience agent="ada">\n- Be careful with refunds.\n</experience>'
TASK = "Please refund order #W123, it arrived broken"


@pytest.fixture
def place(clean_folder: Path) -> Iterator[Workspace]:
    opened = Workspace(Config(home=str(clean_folder / "home"), namespace="shop"))
    yield opened
    opened.close()


def refund(place: Workspace) -> str:
    """A run with something of everything; returns its id."""
    recorder = place.recorder
    run = recorder.begin(TASK, framework="autogen", agents=("user", "ada", "ben"), explicit=True)
    system, asked = {"role": "system", "content": "You are Ada."}, {"role": "user", "content": TASK}
    used = {"input_tokens": 100, "output_tokens": 20}
    recorder.message(run, "user", ["ada"], "user", TASK)
    run.turn += 1
    calls = [{"id": "c1", "name": "look_up", "arguments": {"order": "#W123"}}]
    section = {"name": "advice", "text": "- Be careful with refunds.", "why": "2 refunds failed"}
    recorder.record(run, "injection", "ada", {"text": BLOCK, "tokens": 9, "sections": [section]})
    recorder.model_call(run, "ada", [system, asked], {"model": "m", "usage": used, "cost_usd": 0.5,
                        "tool_calls": calls, "duration_ms": 20.0}, block=BLOCK)  # fmt: skip
    recorder.record(run, "tool_call", "ada", {"tool": "look_up", "call_id": "c1", "arguments": {"order": "#W123"}})
    recorder.record(run, "tool_result", "ada", {"tool": "look_up", "call_id": "c1", "ok": True,
                    "content": "delivered", "duration_ms": 5.0})  # fmt: skip
    recorder.record(run, "artifact", "ada", {"path": "work/note.txt", "content": "one", "version": 1})
    recorder.record(run, "artifact", "ada", {"path": "work/note.txt", "content": "two", "version": 2})
    recorder.record(run, "context_snapshot", "ada", {"content": {"stage": "refund"}, "reason": "tool"})
    recorder.record(run, "tool_call", "ada", {"tool": "refund", "call_id": "c2", "arguments": {}})
    with entered(run):
        inner = recorder.begin("Is the card valid?", framework="autogen", parent=run)
        recorder.message(inner, "bank", ["ada"], "assistant", "It has expired.")
        recorder.finish(inner, "done")
    recorder.record(run, "tool_result", "ada", {"tool": "refund", "call_id": "c2", "ok": False,
                    "error_type": "ValueError", "error": "the card has expired"})  # fmt: skip
    recorder.message(run, "ada", ["ben"], "assistant", "The card has expired.")
    recorder.transition(run, "ada", "ben", "round robin")
    run.turn += 1
    recorder.model_call(run, "ben", [asked], {"model": "m", "usage": used}, response="APPROVED")
    recorder.message(run, "ben", ["ada"], "assistant", "APPROVED")
    recorder.record(run, "outcome", None, outcome_payload(success=True, source="user"))
    recorder.finish(run, "APPROVED")
    return run.run_id


@pytest.fixture
def run(place: Workspace, clean_folder: Path) -> Iterator[replay.Replay]:
    run_id = refund(place)
    place.flush()
    with replay.load(run_id, home=clean_folder / "home") as opened:
        yield opened


def kinds(steps: Any) -> list[str]:
    return [step.kind for step in steps]


def test_turns_and_steps(run):
    assert [(turn.number, turn.agent, len(turn)) for turn in run] == [(0, "user", 2), (1, "ada", 11), (2, "ben", 4)]
    assert len(run) == len(run.turns) == 3
    assert kinds(run[2].steps) == ["model_call", "message", "outcome", "run_finished"]
    assert run[-1].text == "APPROVED"
    assert [turn.number for turn in run.turns[1:]] == [1, 2]
    assert run.turn(1).failed
    assert not run.turn(2).failed
    with pytest.raises(IndexError):
        _ = run[3]
    with pytest.raises(NotFound, match=r"no turn 7; its turns are 0 to 2"):
        run.turn(7)
    assert kinds(run.steps()) == kinds(itertools.chain(*(turn.steps for turn in run)))
    assert kinds(run.steps(kinds=("transition", "outcome"))) == ["transition", "outcome"]
    assert [turn.started_ns <= turn.ended_ns for turn in run] == [True] * 3


def test_the_state_as_of_each_step(run):
    steps = list(run.steps())
    asked = next(step for step in steps if step.kind == "model_call")
    moment = run.at(asked)
    assert moment.speaker == "ada"
    assert [step.text for step in moment.transcript] == [TASK]
    assert moment.injected == BLOCK
    assert [message["content"] for message in moment.prompt] == [f"You are Ada.\n\n{BLOCK}", TASK]
    assert [(part.text, part.injected) for part in moment.parts(0)] == [("You are Ada.\n\n", False), (BLOCK, True)]
    assert [(part.text, part.injected) for part in moment.parts(1)] == [(TASK, False)]
    assert moment.tools == []
    assert moment.artifacts == {}
    assert moment.context is None
    with pytest.raises(IndexError):
        moment.parts(2)

    waiting = run.at(next(step for step in steps if step.payload.get("call_id") == "c2"))
    assert [(use.tool, use.result is not None) for use in waiting.tools] == [("look_up", True), ("refund", False)]
    assert waiting.artifacts["work/note.txt"].payload["content"] == "two"
    assert waiting.context == {"stage": "refund"}
    assert waiting.prompt == moment.prompt  # the speaker's last

    end = run.at(steps[-1].seq)
    totals = end.totals
    assert (totals.model_calls, totals.tool_calls, totals.failures) == (2, 2, 1)
    assert (totals.input_tokens, totals.output_tokens, totals.cost_usd) == (200, 40, 0.5)
    assert end.speaker == "ben"
    assert end.injected is None
    assert [message["content"] for message in end.prompt] == [TASK]
    with pytest.raises(NotFound, match="no event 999"):
        run.at(999)


def test_what_is_inside_and_beside(run, place):
    (inner,) = run.children
    assert inner.record.task == "Is the card valid?"
    assert [turn.text for turn in inner] == ["It has expired."]
    assert [one.record.run_id for one in run.siblings] == [run.record.run_id]
    other = refund(place)
    place.flush()
    assert [one.record.run_id for one in run.siblings] == [run.record.run_id, other]


def test_search(run):
    assert kinds(run.search("EXPIRED")) == ["tool_result", "message"]
    assert run.search("nothing of the kind") == []


def test_spans_and_handovers(run):
    found = {(span.kind, span.name): span for span in spans(run.steps())}
    assert found["tool", "look_up"].until_ns - found["tool", "look_up"].from_ns == 5_000_000
    assert found["model", "m"].failed is False
    assert found["tool", "refund"].failed
    assert handovers(run.steps()) == {("ada", "ben"): 1}


def test_a_run_that_still_goes_on(place, clean_folder):
    recorder = place.recorder
    run = recorder.begin("Slow work", framework="autogen", explicit=True)
    recorder.record(run, "tool_call", "ada", {"tool": "wait", "call_id": "c", "arguments": {}})
    place.flush()
    with replay.load("last", home=clean_folder / "home") as opened:
        assert opened.record.status == "running"
        (span,) = spans(opened.steps())
        assert span.open
        assert span.failed
        recorder.record(run, "tool_result", "ada", {"tool": "wait", "call_id": "c", "ok": True, "content": "done"})
        recorder.finish(run, "done")
        place.flush()
        assert opened.refresh().record.status == "finished"
        assert kinds(opened.refresh().steps())[-1] == "run_finished"


def test_files(place, clean_folder, run):
    from importlib import resources

    path = clean_folder / "one.jsonl"
    run.export(path)
    with replay.load(path) as again:
        assert kinds(again.steps()) == kinds(run.steps())
        assert [child.record.task for child in again.children] == ["Is the card valid?"]
        assert again.at(next(again.steps(kinds=("model_call",)))).injected == BLOCK
    with resources.as_file(resources.files("seasoned.plugin") / "data" / BUNDLED[0]) as bundled:
        with pytest.raises(Ambiguous, match="pick="):
            replay.load(bundled)
        wanted = next(read([bundled])).run_id
        with replay.load(bundled, pick=wanted) as one:
            assert one.record.run_id == wanted
            assert [step.agent for step in one.steps(kinds=("message",))][:2] == ["user_simulator", "agent"]
        with pytest.raises(NotFound, match="has no run 'nobody'"):
            replay.load(bundled, pick="nobody")
    (clean_folder / "bad.jsonl").write_text("{", encoding="utf-8")
    with pytest.raises(RunFormatError, match="not JSON"):
        replay.load(clean_folder / "bad.jsonl")
    with pytest.raises(RunFormatError, match="cannot be read"):
        replay.load(clean_folder / "missing.jsonl")


def test_nothing_is_made_where_nothing_is(clean_folder):
    with pytest.raises(NotFound, match="nothing was recorded"):
        replay.load("last", home=clean_folder / "nowhere")
    assert not (clean_folder / "nowhere").exists()


@pytest.mark.slow
def test_a_long_run_takes_little_memory(place, clean_folder):
    recorder = place.recorder
    run = recorder.begin("A long watch", framework="autogen", explicit=True)
    for number in range(60_000):
        run.turn += number % 3 == 0
        recorder.message(run, "ada", ["ben"], "assistant", f"Message {number} " + "and more of it " * 10)
    recorder.finish(run, "done")
    place.flush()
    with replay.load(run.run_id, home=clean_folder / "home") as opened:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert len(opened) == 20_001
        assert [step.text[:14] for step in opened[10_000]] == ["Message 29997 ", "Message 29998 ", "Message 29999 "]
        assert opened[-1].steps[-1].kind == "run_finished"
        assert sum(1 for _ in opened.steps()) == 60_002
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000  # the texts alone are 10 MB
