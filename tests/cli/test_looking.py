"""``seasoned runs`` and ``seasoned show``."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from seasoned.instrumentation.guard import Guard
from seasoned.instrumentation.journal import Writer
from seasoned.instrumentation.recorder import Recorder
from seasoned.instrumentation.redaction import Redactor

RUN_KEYS = (
    "run_id", "session_id", "namespace", "task", "domain", "framework", "agents", "started_at", "duration_s",
    "messages", "tool_calls", "errors", "success", "quality", "outcome_source", "cost_usd", "parent_run_id", "status",
    "end_reason",
)  # fmt: skip


def test_where_nothing_is_nothing_is_made(cli, home):
    answer = cli("runs", "--json")
    assert (answer.code, answer.json) == (0, [])
    assert str(home) in answer.line
    assert not home.exists()
    assert cli("runs").code == 0
    assert cli("show", "last").code == 1


def test_runs_newest_first_with_every_published_key(cli, record):
    first, second = record(success=True), record("Where is my parcel?")
    found = cli("runs", "--json").json
    assert [run["run_id"] for run in found] == [second, first]
    for key in RUN_KEYS:
        assert key in found[0], key
    assert found[1]["success"] is True
    assert found[1]["quality"] == 1.0
    assert found[1]["outcome_source"] == "user"
    assert found[0]["success"] is None
    assert (found[0]["messages"], found[0]["tool_calls"], found[0]["errors"]) == (2, 1, 0)
    assert found[0]["cost_usd"] == pytest.approx(0.001)
    assert found[0]["agents"] == ["customer", "desk"]
    assert found[0]["task"] == "Where is my parcel?"


def test_filters(cli, record):
    won = record("Cancel order W9 for me", success=True, domain="retail")
    lost = record("Book a flight to Oslo", success=False, domain="airline", agents=("customer", "pilot"))
    open_ = record("Change my seat, please", domain="airline", namespace="other")

    def ids(*options: str) -> list[str]:
        return sorted(run["run_id"] for run in cli("runs", "--json", *options).json)

    assert ids("--success") == [won]
    assert ids("--failure") == [lost]
    assert ids("--unknown") == [open_]
    assert ids("--domain", "airline") == sorted([lost, open_])
    assert ids("--agent", "pilot") == [lost]
    assert ids("--namespace", "other") == [open_]
    assert ids("--text", "Oslo") == [lost]
    assert ids("--text", "nowhere to be found") == []
    assert ids("--since", "1h") == sorted([won, lost, open_])
    assert ids("--since", "2999-01-01") == []
    assert ids("--domain", "airline", "--unknown") == [open_]
    assert len(ids("--limit", "2")) == 2


def test_filters_by_conversation_framework_cost_and_errors(cli, record, home):
    cheap, other = record(), record()
    recorder = Recorder(Writer(home), Redactor(), Guard(), namespace="shop")
    run = recorder.begin(framework="langgraph", agents=["desk"], session_id="conversation-7", explicit=True)
    usage = {"usage": {"input_tokens": 1, "output_tokens": 1}, "cost_usd": 0.5}
    recorder.model_call(run, "desk", [], {"model": "gpt-4o", **usage}, response="x")
    recorder.record(run, "error", "desk", {"error_type": "ValueError", "error": "no"})
    recorder.finish(run, "error")
    recorder.writer.close()

    def ids(*options: str) -> list[str]:
        return sorted(run["run_id"] for run in cli("runs", "--json", *options).json)

    assert ids("--cost-above", "0.001") == [run.run_id]
    assert ids("--cost-above", "0.0009") == sorted([cheap, other, run.run_id])
    assert ids("--cost-above", "0.5") == []
    assert ids("--session", "conversation-7") == [run.run_id]
    assert ids("--framework", "langgraph") == [run.run_id]
    assert ids("--framework", "autogen", "--limit", "1") == [other]
    assert ids("--errors") == [run.run_id]
    assert ids("--errors", "--text", "Refund") == []
    assert cli("runs", "--cost-above", "0").line.startswith("3 runs have no outcome")
    assert "No run fits" in cli("runs", "--session", "nowhere").err


def test_the_table_says_what_lacks_an_outcome_and_how_to_give_one(cli, record):
    run = record("Refund [bold]W1[/bold] \x1b[31mnow")
    record(success=True)
    answer = cli("runs")
    assert run in answer.out
    assert "Refund [bold]W1[/bold] now" in answer.out
    assert "\x1b" not in answer.out
    assert answer.line.startswith("1 run has no outcome")
    assert "seasoned outcome last --success" in answer.line


def test_the_table_is_cut_and_says_so(cli, record, monkeypatch):
    monkeypatch.setattr("seasoned.plugin.cli.looking.SHOWN_RUNS", 2)
    for _ in range(3):
        record(success=True)
    answer = cli("runs")
    assert len(answer.out.splitlines()) == 3
    assert "--limit" in answer.line
    assert len(cli("runs", "--limit", "3").out.splitlines()) == 4


def test_no_flush_leaves_the_journal_alone(cli, record):
    first = record(success=True)
    cli("flush")
    record(success=True)
    assert [run["run_id"] for run in cli("runs", "--json", "--no-flush").json] == [first]
    assert len(cli("runs", "--json").json) == 2


def test_show_as_json(cli, record):
    run = record(success=True)
    answer = cli("show", run, "--json")
    document = answer.json
    assert list(document) == ["run", "events"]
    assert document["run"]["run_id"] == run
    events = document["events"]
    assert [event["kind"] for event in events] == [
        "run_started", "message", "model_call", "tool_call", "tool_result", "message", "run_finished", "outcome",
    ]  # fmt: skip
    assert [event["seq"] for event in events] == list(range(8))
    for event in events:
        assert {"seq", "kind", "at", "at_ns", "turn", "agent", "duration_ms"} <= set(event)
        assert event["at"].startswith("20")
        assert "prompt" not in event
    message, model, call, result = events[1:5]
    assert {key: message[key] for key in ("sender", "recipients", "role", "content", "agent")} == {
        "sender": "customer", "recipients": ["desk"], "role": "user", "content": "Refund order W123, please",
        "agent": "customer",
    }  # fmt: skip
    assert model["usage"] == {"input_tokens": 12, "output_tokens": 5}
    assert (model["model"], model["response"], model["cost_usd"]) == ("gpt-4o", "I look.", 0.001)
    assert (call["tool"], call["arguments"], call["call_id"]) == ("refund_order", {"order": "W123"}, "c1")
    assert (result["ok"], result["content"], result["error"]) == (True, "done", None)


def test_show_with_prompts(cli, record):
    run = record()
    model = cli("show", run, "--json", "--prompts").json["events"][2]
    assert model["prompt"] == [
        {"role": "system", "content": "You are a clerk."},
        {"role": "user", "content": "Refund order W123, please"},
    ]
    assert "You are a clerk." in cli("show", run, "--prompts").out
    assert "You are a clerk." not in cli("show", run).out


def test_show_finds_runs_by_their_beginning_and_the_last(cli, record):
    first, second = record(), record()
    assert cli("show", "last", "--json").json["run"]["run_id"] == second
    assert cli("show", first, "--json").json["run"]["run_id"] == first
    answer = cli("show", first[:3])
    assert answer.code == 1
    assert first[:3] in answer.line
    answer = cli("show", "rnowhere")
    assert (answer.code, answer.out) == (1, "")
    assert "rnowhere" in answer.line


def test_show_one_turn(cli, record):
    events = cli("show", record(), "--json", "--turn", "1").json["events"]
    assert events
    assert {event["turn"] for event in events} == {1}
    assert cli("show", "last", "--json", "--turn", "99").json["events"] == []


def test_the_transcript_is_readable_and_harmless(cli, record):
    long = "\n".join(f"line {number}" for number in range(40))
    run = record("[red]task[/red] \x1b]0;owned\x07 one two", answer=long, success=True)
    answer = cli("show", run)
    assert answer.code == 0
    assert "\x1b" not in answer.out
    assert "[red]task[/red]  one two" in answer.out
    assert "customer → desk" in answer.out
    assert 'desk calls refund_order({"order": "W123"})' in answer.out
    assert "line 3" in answer.out
    assert "line 39" not in answer.out
    assert "--full" in answer.out
    assert "line 39" in cli("show", run, "--full").out


def test_json_of_hostile_texts_is_harmless_and_true(cli, record):
    text = "bell \x07 escape \x1b[2J c1 \x9b31m turn \u202e end of it"
    run = record(text)
    answer = cli("show", run, "--json")
    assert not set(answer.out) & {"\x07", "\x1b", "\x9b", "\u202e"}
    assert json.loads(answer.out)["events"][1]["content"] == text


@pytest.mark.parametrize(
    "arguments",
    [
        ("runs", "--success", "--failure"),
        ("runs", "--since", "yesterday"),
        ("runs", "--limit", "0"),
        ("runs", "--nope"),
        ("runs", "--cost-above", "-1"),
        ("runs", "--cost-above", "much"),
        ("diff", "last"),
        ("replay",),
        ("tail", "--kind", "nonsense"),
        ("tail", "-n", "-1"),
        ("show",),
        ("show", "last", "--turn", "x"),
    ],
)
def test_wrong_usage(cli, arguments):
    answer = cli(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err


@pytest.mark.parametrize("options", [["--json"], []])
def test_a_reader_that_goes_away_hears_no_complaint(record, home, surroundings, options):
    run = record("a task with many events", more=["many words " * 50 + str(number) for number in range(3000)])
    command = [sys.executable, "-m", "seasoned", "show", run, "--home", str(home), *options]
    with subprocess.Popen(
        command, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(100)
        process.stdout.close()
        assert process.stderr.read() == ""
