"""The report of one run: what happened is there in its order, what is missing is said, and nothing in it runs."""

from __future__ import annotations

import re
import shlex
import stat
from typing import TYPE_CHECKING, Any

import pytest
from report_kit import Page, can_be_heard, hostile_run, run_page, stands_alone, workspace
from sqlalchemy import delete, insert, select, update

from seasoned.adapters.recorded import parse
from seasoned.adapters.recorded_events import write_run
from seasoned.instrumentation import reading
from seasoned.instrumentation.schema import events, journals
from seasoned.plugin.demo import bundled_runs
from seasoned.plugin.report_nodes import to_html
from seasoned.plugin.report_run import Room, run_node

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from seasoned.plugin.runtime import Workspace


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Workspace]:
    made = workspace(tmp_path)
    yield made
    made.close()


def talk(opened: Workspace, task: str = "Refund order W123, please", **given: Any) -> Any:
    """A run of a customer and a clerk, with a prompt that grows, a tool that fails and one that works; still open."""
    recorder = opened.recorder
    run = recorder.begin(
        task, framework="autogen", domain="retail", agents=["customer", "clerk"], explicit=True, **given
    )
    recorder.message(run, "customer", ["clerk"], "user", task, by_user=True)
    block = '<experience agent="clerk">\nYOUR CURRENT ABILITIES:\n- refunds L2: Looks the order up first\n</experience>'
    sections = [{"name": "abilities", "text": "YOUR CURRENT ABILITIES:\n- refunds L2: Looks the order up first",
                 "why": "refunds: level 2 with 110 XP"}]  # fmt: skip
    heard = [{"role": "system", "content": "You are a clerk."}, {"role": "user", "content": task}]
    for turn, (order, ok) in enumerate((("W1", False), ("W123", True)), 1):
        run.turn = turn
        if turn == 1:
            recorder.record(run, "injection", "clerk", {"text": block, "tokens": 30, "sections": sections})
        usage = {"input_tokens": 100 * turn, "output_tokens": 7}
        call = {"model": "gpt-4o", "usage": usage, "cost_usd": 0.25, "duration_ms": 80}
        recorder.model_call(run, "clerk", list(heard), call, response=f"I look {order} up.", block=block)
        recorder.record(run, "tool_call", "clerk", {"tool": "look_up", "call_id": "c", "arguments": {"order": order}})
        wrong = {} if ok else {"error_type": "KeyError", "error": f"no order {order}"}
        result = {"tool": "look_up", "call_id": "c", "ok": ok, "content": f"answer {order}", "duration_ms": 3, **wrong}
        recorder.record(run, "tool_result", "clerk", result)
        recorder.message(run, "clerk", ["customer"], "assistant", f"That was {order}.")
        recorder.transition(run, "clerk", "customer", "round robin")
        heard += [{"role": "assistant", "content": f"That was {order}."}, {"role": "user", "content": "And now?"}]
    return run


def test_everything_that_happened_is_there_in_order(opened: Workspace, tmp_path: Path):
    run = talk(opened)
    code = {"language": "python", "code": "print(6 * 7)", "exit_code": 3, "output": "forty-two"}
    opened.recorder.record(run, "code_execution", "clerk", code)
    opened.recorder.record(run, "artifact", "clerk", {"path": "notes/plan.md", "content": "# The plan"})
    opened.recorder.finish(run, "termination")
    run.outcome(True, quality=0.9)
    page = run_page(opened, run.run_id, tmp_path / "run.html")
    stands_alone(page)
    can_be_heard(page)
    assert stat.S_IMODE((tmp_path / "run.html").stat().st_mode) == 0o600
    shown = page.words[page.words.index("Dark colours") :]
    places = [shown.index(words) for words in (
        "Refund order W123, please", "✓ success, quality 0.9", "says user", "Timeline", "Who handed over to whom",
        "Transcript", "Turn 0", "Turn 1", "no order W1", "That was W1.", "Turn 2", "answer W123", "That was W123.",
        "print(6 * 7)", "forty-two", "notes/plan.md", "# The plan", "the run ended",
    )]  # fmt: skip
    assert places == sorted(places)
    assert {"turn-0", "turn-1", "turn-2", "transcript"} <= page.ids
    assert "$0.5" in page.words
    assert "exit code 3" in page.words


def test_a_call_and_its_result_stand_together_and_a_failure_is_open_and_said_in_words(
    opened: Workspace, tmp_path: Path
):
    run = talk(opened)
    opened.recorder.record(run, "tool_call", "clerk", {"tool": "wait", "call_id": "w", "arguments": {}})
    opened.recorder.finish(run, "done")
    page = run_page(opened, run.run_id, tmp_path / "run.html")
    uses = page.all("details", "tool")
    assert [("failed" in (use["class"] or ""), "open" in use) for use in uses] == [
        (True, True),
        (False, False),
        (False, False),
    ]
    assert page.words.count("✕ failed") == 1
    assert page.words.count("✕ 1 failure") == 1
    first = page.text[page.text.index('details class="fold tool failed"') :]
    first = first[: first.index("</details>")]
    assert re.search(r"Arguments.*W1.*Result.*KeyError: no order W1.*answer W1", first, re.DOTALL)
    assert "no answer was recorded" in page.words


def test_prompts_are_there_as_sent_each_message_once_and_what_was_put_in_is_marked(opened: Workspace, tmp_path: Path):
    run = talk(opened)
    opened.recorder.finish(run, "done")
    page = run_page(opened, run.run_id, tmp_path / "run.html")
    assert {found for found in page.ids if found and found.startswith("message-")} == {
        f"message-{n}" for n in range(1, 5)
    }
    assert page.words.count("You are a clerk.") == 2, "folded and open"
    assert "Prompt, 2 messages" in page.words
    assert "Prompt, 4 messages" in page.words
    assert "2 messages sent before: message 1 to message 2" in page.words
    assert page.all("button", "again")[0]["data-again"] == "message-1,message-2"
    given = page.text[page.text.index('class="put-in"') :]
    assert '<mark dir="auto">- refunds L2: Looks the order up first</mark>' in given
    assert "because refunds: level 2 with 110 XP" in page.words
    assert page.text.count("because </span>") == 0
    assert page.words.count("because refunds") == 2, "where it was given, and in the prompt that had it"


def test_runs_inside_are_sections_of_their_own(opened: Workspace, tmp_path: Path):
    run = talk(opened)
    inner = opened.recorder.begin("Check the stock", framework="autogen", agents=["store"], explicit=True, parent=run)
    opened.recorder.message(inner, "store", [], "user", "Three are left.", by_user=True)
    opened.recorder.finish(inner, "done")
    opened.recorder.finish(run, "done")
    page = run_page(opened, run.run_id, tmp_path / "run.html")
    can_be_heard(page)
    assert "Run inside this one: Check the stock" in page.words
    assert {"inside-1-run", "inside-1-turn-0", "turn-0"} <= page.ids
    assert page.words.index("That was W123.") < page.words.index("Three are left.")
    own = run_page(opened, inner.run_id, tmp_path / "inner.html")
    assert f"inside {run.run_id}" in own.words


def test_what_was_learned_is_told(opened: Workspace, tmp_path: Path):
    run = talk(opened)
    opened.recorder.finish(run, "done")
    assert "Learned from this run" not in run_page(opened, run.run_id, tmp_path / "run.html").words
    run.outcome(True)
    page = run_page(opened, run.run_id, tmp_path / "run.html")
    told = page.words[page.words.index("Learned from this run") :]
    assert "clerk" in told
    assert re.search(r"\+\d+ XP Solved a task", told)


@pytest.mark.parametrize("alive", [True, False])
def test_a_run_without_an_end_says_so(opened: Workspace, tmp_path: Path, alive: bool):
    run = talk(opened)
    if not alive:
        opened.recorder.writer.close()
    page = run_page(opened, run.run_id, tmp_path / "run.html")
    assert "… running" in page.words
    said = "it is still going on, and shown as far as it has come" if alive else "its program was killed"
    assert said in page.words
    assert "The last event is of 20" in page.words


def test_lost_events_and_gaps_are_told(opened: Workspace, tmp_path: Path):
    run = talk(opened)
    opened.recorder.record(run, "gap", None, {"lost": 5, "reason": "the disk was full"})
    opened.recorder.finish(run, "done")
    assert opened.flush().error is None
    with opened.store.writing() as connection:
        connection.execute(delete(events).where(events.c.seq.in_((3, 4))))
    page = run_page(opened, run.run_id, tmp_path / "run.html")
    assert "5 events of this run could not be written and are lost" in page.words
    assert "2 events are missing in its journal" in page.words
    assert "5 events were lost here: the disk was full" in page.words


def test_a_run_recorded_without_contents_says_so(tmp_path: Path):
    opened = workspace(tmp_path, content=False)
    run = talk(opened)
    opened.recorder.finish(run, "done")
    page = run_page(opened, run.run_id, tmp_path / "run.html")
    opened.close()
    assert "recorded without contents" in page.words
    assert "That was" not in page.words
    assert "look_up" in page.words


def test_an_id_in_a_command_cannot_be_run_by_whoever_copies_it(opened: Workspace, tmp_path: Path):
    run_id = "x; touch $(owned) 'y'"
    message = {"role": "user", "agent": "a", "content": "word " * 9_000}
    write_run(opened.recorder, parse({"run_id": run_id, "messages": [message]}))
    page = run_page(opened, run_id, tmp_path / "run.html")
    commands = re.findall(r"seasoned show .*? --full", page.words)
    assert ["seasoned", "show", run_id, "--turn", "0", "--full"] in [shlex.split(command) for command in commands]
    assert all(shlex.split(command)[2] == run_id for command in commands)


def test_a_run_in_several_journal_files_has_no_gap(opened: Workspace, tmp_path: Path):
    run = talk(opened)
    opened.recorder.finish(run, "done")
    assert opened.flush().error is None
    with opened.store.writing() as connection:
        first = connection.execute(select(journals)).mappings().one()
        second = {**first, "journal_pk": first["journal_pk"] + 1, "segment": first["segment"] + 1}
        connection.execute(insert(journals).values(second))
        connection.execute(update(events).where(events.c.seq > 5).values(journal_pk=second["journal_pk"]))
    assert "missing" not in run_page(opened, run.run_id, tmp_path / "run.html").words


def test_hostile_texts_stay_texts(opened: Workspace, tmp_path: Path):
    page = run_page(opened, hostile_run(opened).run_id, tmp_path / "run.html")
    stands_alone(page)
    can_be_heard(page)
    assert page.words.count('<script>document.title="owned"</script>') > 25
    assert "{{ 7 * 7 }}" in page.words
    assert not re.search("[\x00-\x08\x0b-\x1f\u2028\u202a-\u202e\u2066-\u2069]", page.text)
    assert "\\u202eevil" in page.words


def test_long_texts_are_cut_and_say_how_to_see_the_rest(opened: Workspace, tmp_path: Path):
    run = talk(opened)
    opened.recorder.message(run, "clerk", ["customer"], "assistant", "word " * 200_000)
    opened.recorder.finish(run, "done")
    page = run_page(opened, run.run_id, tmp_path / "run.html")
    assert "980\u202f000 characters are left out here" in page.words
    assert f"seasoned show {run.run_id} --turn 2 --full" in page.words
    assert len(page.text) < 200_000


def test_of_a_long_run_beginning_end_and_failures_are_shown(opened: Workspace, tmp_path: Path):
    recorder = opened.recorder
    run = recorder.begin("A long task", framework="app", agents=["a", "b"], explicit=True)
    for turn in range(1, 201):
        run.turn = turn
        recorder.record(run, "tool_call", "a", {"tool": "t", "call_id": str(turn), "arguments": {"n": turn}})
        result = {"tool": "t", "call_id": str(turn), "ok": turn != 120, "content": f"answer {turn}", "duration_ms": 1}
        recorder.record(run, "tool_result", "a", result)
        recorder.message(run, "ab"[turn % 2], ["b"], "assistant", f"word {turn}")
    recorder.finish(run, "done")
    assert opened.flush().error is None
    with opened.store.reading() as connection:
        node = run_node(connection, reading.find(connection, run.run_id), room=Room(events=100))
    page = Page(to_html(node))
    shown = sorted(int(anchor[5:]) for anchor in page.ids if anchor and re.fullmatch(r"turn-\d+", anchor))
    assert shown[:3] == [0, 1, 2]
    assert shown[-1] == 200
    assert 120 in shown
    assert len(shown) < 40
    gaps = re.findall(r"Turns (\d+) to (\d+) are left out here \((\d+) events\)", page.words)
    assert [(int(end) - int(begin) + 1) * 3 for begin, end, _ in gaps] == [int(events) for *_, events in gaps]
    left_out = {turn for begin, end, _ in gaps for turn in range(int(begin), int(end) + 1)}
    assert left_out | set(shown) == set(range(201))
    assert not left_out & set(shown)
    assert f"seasoned show {run.run_id} --turn {gaps[0][0]}" in page.words
    assert "602 events" in page.words, "the drawing is of the whole run and says how it was made"


def test_real_runs_are_shown_whole(opened: Workspace, tmp_path: Path):
    for number, record in enumerate(bundled_runs(40)):
        if number % 8:
            continue
        write_run(opened.recorder, record)
        page = run_page(opened, record.run_id, tmp_path / "run.html")
        stands_alone(page)
        can_be_heard(page)
        squeezed = re.sub(r"\s+", "", page.words)
        for message in record.messages:
            if message.content and message.role != "tool" and len(message.content) < 1_500:
                assert re.sub(r"\s+", "", message.content) in squeezed
