"""``seasoned show``: the transcript, and runs whose record is not as it should be."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from seasoned.instrumentation import migrations
from seasoned.instrumentation.events import KINDS, Event
from seasoned.instrumentation.guard import Guard
from seasoned.instrumentation.journal import Writer
from seasoned.instrumentation.recorder import Recorder
from seasoned.instrumentation.redaction import Redactor
from seasoned.instrumentation.store import Store
from seasoned.plugin.cli import transcript, wording

BLOCK = '<experience agent="desk">\n- Ask for the order number first.\n</experience>'


@pytest.fixture
def recorder(home):
    made = Recorder(Writer(home), Redactor(), Guard(), namespace="shop")
    yield made
    made.writer.close()


def section(out: str, title: str) -> str:
    """What stands under a turn's rule."""
    found = re.search(rf"^── {title} .*?\n(.*?)(?=^── |\Z)", out, re.MULTILINE | re.DOTALL)
    assert found, out
    return found[1]


def test_turns_have_rules_with_the_agent_and_tools_their_answers(cli, record):
    out = cli("show", record()).out
    assert re.search(r"^── turn 1 · desk ─+$", out, re.MULTILINE)
    assert "outside of turns" not in out
    turn = section(out, "turn 1")
    assert re.search(r'desk calls refund_order\(\{"order": "W123"\}\)\n +→ done\n', turn)
    assert "tool_result" not in out  # it stands with its call


def test_a_failed_tool_stands_with_its_call_too(cli, recorder):
    run = recorder.begin(framework="x", agents=["desk"], explicit=True)
    run.turn = 1
    for number in (1, 2):
        call = {"tool": "refund", "call_id": f"c{number}"}
        recorder.record(run, "tool_call", "desk", {**call, "arguments": {"order": number}})
    recorder.record(run, "tool_result", "desk", {"tool": "refund", "call_id": "c2", "ok": True, "content": "paid"})
    recorder.record(
        run, "tool_result", "desk",
        {"tool": "refund", "call_id": "c1", "ok": False, "error_type": "KeyError", "error": "no such order"},
    )  # fmt: skip
    recorder.finish(run, "done")
    out = cli("show", "last").out
    assert re.search(r'refund\(\{"order": 1\}\)\n +✗ KeyError: no such order\n', out)
    assert re.search(r'refund\(\{"order": 2\}\)\n +→ paid\n', out)


def test_what_was_said_is_shown_once_in_a_turn(cli, record):
    out = cli("show", record(answer="I look.")).out
    assert out.count("I look.") == 1
    assert "its answer is the message" in out


def test_the_prompt_with_what_was_injected_marked(cli, recorder):
    run = recorder.begin(framework="x", agents=["desk"], explicit=True)
    run.turn = 1
    messages = [{"role": "system", "content": "You are a clerk."}, {"role": "user", "content": "Refund W1."}]
    recorder.model_call(run, "desk", messages, {"model": "gpt-4o"}, response="Which order?", block=BLOCK)
    messages = [*messages, {"role": "assistant", "content": "Which order?"}]
    recorder.model_call(run, "desk", messages, {"model": "gpt-4o"}, response="Done.", block=BLOCK)
    recorder.finish(run, "done")
    out = cli("show", "last", "--prompts").out
    lines = [line.strip() for line in out.splitlines()]
    assert lines.count(">> - Ask for the order number first.") == 1
    assert "… 2 messages as in its call before (--full shows them)" in lines
    assert "You are a clerk." in lines
    assert ">> You are a clerk." not in lines
    lines = [line.strip() for line in cli("show", "last", "--prompts", "--full").out.splitlines()]
    assert lines.count(">> - Ask for the order number first.") == 2
    assert lines.count("You are a clerk.") == 2


def test_what_an_agent_was_given_with_the_reason(cli, recorder):
    run = recorder.begin(framework="x", agents=["desk"], explicit=True)
    given_ = {"name": "strengths", "text": "- Refunds: Level 3", "why": "refunds: level 3 with 320 XP"}
    recorder.record(run, "injection", "desk", {"text": BLOCK, "tokens": 9, "sections": [given_]})
    recorder.finish(run, "done")
    lines = [line.strip() for line in cli("show", "last").out.splitlines()]
    assert ">> - Refunds: Level 3" in lines
    assert "why: refunds: level 3 with 320 XP" in lines


def test_runs_inside_are_mentioned_where_they_began(cli, recorder):
    outer = recorder.begin(framework="x", agents=["desk"], explicit=True)
    recorder.message(outer, "desk", ["all"], "assistant", "before it")
    inner = recorder.begin(framework="x", agents=["helper"], explicit=True, parent=outer)
    recorder.message(inner, "helper", ["desk"], "user", "a question inside", by_user=True)
    recorder.finish(inner, "done")
    recorder.message(outer, "desk", ["all"], "assistant", "after it")
    recorder.finish(outer, "done")
    out = cli("show", outer.run_id).out
    places = [out.index(words) for words in ("before it", f"nested run     {inner.run_id}", "after it")]
    assert places == sorted(places)
    assert "a question inside" in out
    assert f"inside {outer.run_id}" in cli("show", inner.run_id).out
    assert "↳ " in cli("runs").out


def test_a_turn_that_is_not_there_is_one_line(cli, record):
    run = record()
    answer = cli("show", run, "--turn", "99")
    assert (answer.code, answer.out) == (1, "")
    assert answer.line == f"seasoned: run {run} has no turn 99; its turns are 0 to 1"
    assert section(cli("show", run, "--turn", "1").out, "turn 1")


def test_colours_are_the_same_for_the_same_name_and_differ_for_the_usual_ones():
    names = ("agent", "user", "assistant", "user_simulator", "environment")
    assert len({wording.colour_of(name) for name in names}) == len(names)
    assert wording.colour_of("ada \x1b \udcff") == wording.colour_of("ada \x1b \udcff")


def test_in_a_terminal_texts_stay_under_each_other_and_only_times_are_dim():
    words = "  a list:\n" + "long words " * 20
    event = Event(run_id="r", writer="w", seq=0, kind="message", at=0, turn=1, agent="ada", payload={"content": words})
    rule, line = transcript.Transcript(start_ns=0, room=40, colours=True).lines([event])
    texts = line.plain.split("\n")[1:]
    assert texts[0] == transcript.INDENT + "  a list:"
    assert all(text.startswith(transcript.INDENT) and len(text) <= 40 + len(transcript.INDENT) for text in texts)
    assert " ".join(" ".join(texts).split()) == " ".join(words.split())
    assert not line.style
    assert not rule.style
    assert rule.plain.startswith("\n── turn 1 · ada ─")


# -- hostile content -----------------------------------------------------------------------------------------------


def test_hostile_texts_are_shown_and_do_nothing(cli, record):
    hostile = "a\u202eb\u2066c\u2069d\x9b31me\x1b[2Jf\u200bg\U000e0041h [link=http://x]i"
    run = record(hostile, agents=("cust\u202eomer", "de\x1b[31msk"), tool="to\x07ol", answer="x" * 1_000_000)
    out = cli("show", run, "--prompts").out
    assert "a\\u202eb\\u2066c\\u2069def\\u200bg\\U000e0041h [link=http://x]i" in out
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]", out)
    assert max(map(len, out.splitlines())) < 3_000
    assert "(1000000 characters in all; --full shows them)" in out


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = ("content", "recipients", "tool", "call_id", "arguments", "usage", "cost_usd", "duration_ms", "prompt",
        "injected", "sections", "agents", "ok", "error", "error_type", "tool_calls", "response", "model",
        "exit_code")  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from((*KINDS, "unknown")), st.none() | st.text(max_size=8),
            st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=5), st.integers(0, 3),
        ),
        max_size=6,
    )
)  # fmt: skip
def test_whatever_values_are_there_something_is_shown(made):
    events = [
        Event(run_id="r", writer="w", seq=seq, kind=kind, at=seq, turn=turn, agent=agent, payload=payload)
        for seq, (kind, agent, payload, turn) in enumerate(made)
    ]
    for prompts in (False, True):
        lines = list(transcript.Transcript(start_ns=0, prompts=prompts).lines(events))
        calls = sum(event.kind == "tool_result" for event in events)
        assert len(lines) >= len(events) - calls


# -- runs whose record is not as it should be ------------------------------------------------------------------------


def test_a_run_that_is_going_on(cli, recorder):
    run = recorder.begin(framework="x", agents=["desk"], explicit=True)
    recorder.message(run, "desk", ["all"], "assistant", "I am at it.")
    out = cli("show", run.run_id).out
    assert "I am at it." in out
    assert "running" in out
    assert out.rstrip().splitlines()[-1] == (
        f"This run is still going on, and shown as far as it has come. Follow it: seasoned tail {run.run_id}"
    )


def test_a_run_that_was_killed_in_the_middle(cli, home, surroundings):
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from seasoned.instrumentation.guard import Guard\n"
        "from seasoned.instrumentation.journal import Writer\n"
        "from seasoned.instrumentation.recorder import Recorder\n"
        "from seasoned.instrumentation.redaction import Redactor\n"
        "recorder = Recorder(Writer(Path(sys.argv[1])), Redactor(), Guard(), namespace='shop')\n"
        "run = recorder.begin(framework='x', agents=['desk'], explicit=True)\n"
        "recorder.message(run, 'desk', ['all'], 'assistant', 'my last words')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(home)], env=surroundings, check=False)
    for _ in range(2):  # also once its journal is gone
        out = cli("show", "last").out
        assert "my last words" in out
        assert "This run has no end: its program was killed, or ended in the middle of it." in out
    assert cli("show", "last", "--json").json["run"]["status"] == "running"


def test_where_nobody_can_know_whether_it_goes_on(cli, home, recorder, tmp_path):
    run = recorder.begin(framework="x", agents=["desk"], explicit=True)
    recorder.message(run, "desk", ["all"], "assistant", "somewhere")
    database = f"sqlite:///{tmp_path / 'shared.db'}"
    assert cli("flush", "--db", database).code == 0
    answer = cli("show", "last", "--db", database, here=tmp_path / "another")
    assert "it is still going on somewhere else, or its program was killed" in answer.out


def changed(home, statement: str) -> None:
    store = Store(f"sqlite:///{home / 'seasoned.db'}")
    with store.writing() as connection:
        assert connection.execute(text(statement)).rowcount
    store.dispose()


def test_a_run_with_a_gap(cli, record, home):
    run = record()
    assert cli("flush").code == 0
    assert "missing" not in cli("show", run).out
    changed(home, "DELETE FROM events WHERE seq IN (2, 3)")
    assert "2 events of this run are missing between others" in cli("show", run).out


def test_events_that_could_not_be_written(cli, home, recorder):
    run = recorder.begin(framework="x", agents=["desk"], explicit=True)
    recorder.record(run, "gap", None, {"lost": 3, "reason": "No space left on device"})
    recorder.finish(run, "done")
    assert "3 events were lost here: No space left on device" in cli("show", run.run_id).out


def test_an_event_of_a_newer_version(cli, record, home):
    run = record()
    assert cli("flush").code == 0
    changed(home, f"UPDATE events SET kind = {len(KINDS) + 3} WHERE seq = 3")  # noqa: S608
    answer = cli("show", run)
    assert answer.code == 0
    assert f"a newer version of the package recorded (kind {len(KINDS) + 3})" in answer.out
    assert "Refunded." in answer.out
    found = cli("show", run, "--json").json["events"][3]
    assert (found["kind"], found["number"]) == ("unknown", len(KINDS) + 3)
    assert cli("diff", run, run).code == 0
    assert cli("tail", "--help").code == 0


def test_a_database_of_a_newer_version(cli, record, home):
    record()
    assert cli("flush").code == 0
    changed(home, f"UPDATE {migrations.TABLE} SET version_num = '9999'")  # noqa: S608
    for command in (("show", "last"), ("diff", "last", "last"), ("tail",), ("replay", "last")):
        answer = cli(*command)
        assert (answer.code, answer.out) == (1, "")
        assert "newer version of this package (9999" in answer.line
        assert "pip install --upgrade seasoned" in answer.line


def test_a_journal_of_a_newer_version_is_left_alone_and_told_of(program, record, home):
    run = record()
    folder = next(iter((home / "journal").iterdir()))
    segment = next(folder.glob("*.jsonl"))
    lines = segment.read_text().splitlines(keepends=True)
    lines[0] = json.dumps({"seasoned_journal": 99, "writer": folder.name, "segment": 0}) + "\n"
    segment.write_text("".join(lines))
    answer = program("show", run, "--home", str(home))
    assert answer.code == 1
    assert "written in format 99" in answer.err
    assert "Traceback" not in answer.err


# -- long runs -------------------------------------------------------------------------------------------------------


def test_the_first_lines_come_before_the_last_are_read(record, home, surroundings):
    run = record(more=[f"message {number}" for number in range(4_000)])
    command = [sys.executable, "-m", "seasoned", "show", run, "--home", str(home)]
    with subprocess.Popen(command, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(run.encode())
        time.sleep(0.2)
        assert process.poll() is None  # it waits for a reader, and has not put everything into memory
        process.stdout.close()
        assert process.stderr.read() == b""
        with contextlib.suppress(subprocess.TimeoutExpired):
            assert process.wait(timeout=60) == 0
