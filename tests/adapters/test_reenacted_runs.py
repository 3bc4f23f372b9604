"""Real recorded runs through the real framework: what is played, and what is recorded of it, is the record.

These run beside every version of classic AutoGen that is supported.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from reenact_kit import DATA, answer, bundled, call, made, says, shared, switched_on, user  # noqa: F401

from seasoned import testing
from seasoned.adapters.recorded import RecordedRun, arguments_of, exit_report, parse
from seasoned.instrumentation.errors import ConfigError, RunFormatError, UnsupportedFramework
from seasoned.plugin import runtime
from seasoned.plugin.reenact_plan import compare

pytest.importorskip("autogen")

if TYPE_CHECKING:
    from pathlib import Path

    from seasoned.instrumentation.events import Event


def facts(events: list[Event]) -> list[tuple[Any, ...]]:
    """What was recorded of messages, tools and code, in order."""
    out: list[tuple[Any, ...]] = []
    for event in events:
        p = event.payload
        if event.kind == "message":
            out.append(("message", event.agent, p["role"], p["content"]))
        elif event.kind == "tool_call":
            out.append(("call", event.agent, p["tool"], p["call_id"], p["arguments"]))
        elif event.kind == "tool_result":
            out.append(("result", event.agent, p["tool"], p["call_id"], p["ok"], p["content"], p.get("error_type")))
        elif event.kind == "code_execution":
            out.append(("code", event.agent, p["exit_code"], p["output"]))
    return out


def recorded_facts(run: RecordedRun) -> list[tuple[Any, ...]]:
    """The same, as the record has it; every message that calls tools in these runs calls one."""
    out: list[tuple[Any, ...]] = []
    asked: dict[str, Any] = {}
    for message in run.messages:
        if message.role == "system":
            continue
        report = exit_report(message.content)
        if message.role == "tool":
            failed = (message.content or "").startswith("Error: ")
            kind = "ToolError" if failed else None
            out.append(("call", message.agent, message.tool_name, message.tool_call_id, asked))
            out.append(
                ("result", message.agent, message.tool_name, message.tool_call_id, not failed, message.content, kind)
            )
        elif report:
            out.append(("code", message.agent, *report))
        for one in message.tool_calls or ():
            asked = arguments_of(one)
        content = message.content if message.tool_calls else message.content or ""
        out.append(("message", message.agent, message.role, content))
    return out


def without_roles(what: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [(fact[0], fact[1], fact[3]) if fact[0] == "message" else fact for fact in what]


@pytest.mark.parametrize("run_async", [False, True], ids=["sync", "async"])
def test_every_tenth_airline_run_is_recorded_as_it_is(recording: runtime.Runtime, run_async: bool):
    chosen = bundled("airline")[::10]
    assert len(chosen) == 13
    failures = 0
    for run in chosen:
        with testing.capture_events() as events:
            played = testing.reenact(run, run_async=run_async)
        assert facts(events) == recorded_facts(run), run.run_id
        assert {event.run_id for event in events} == {played.run_id}
        kinds = [event.kind for event in events]
        assert kinds.count("run_started") == kinds.count("run_finished") == 1
        assert kinds.count("outcome") == 1
        assert kinds.count("model_call") == sum(message.role == "assistant" for message in run.messages)
        outcome = next(event for event in events if event.kind == "outcome")
        assert outcome.payload["success"] is run.outcome.success
        assert outcome.payload["source"] == "reward"
        failures += sum(event.kind == "tool_result" and not event.payload["ok"] for event in events)
    assert failures, "the sample has tools that fail"


def test_retail_runs(recording: runtime.Runtime):
    for run in shared("runs_tau_retail", 37, 14):
        with testing.capture_events() as events:
            testing.reenact(run)
        assert without_roles(facts(events)) == without_roles(recorded_facts(run)), run.run_id


@pytest.mark.parametrize("run_async", [False, True], ids=["sync", "async"])
def test_chats_of_ag2_with_code(recording: runtime.Runtime, run_async: bool):
    """Roles in these records are written from one side, so they are not compared."""
    chosen = shared("runs_ag2_mathchat", 97, 41)
    executed = 0
    for run in chosen:
        with testing.capture_events() as events:
            testing.reenact(run, run_async=run_async)
        assert without_roles(facts(events)) == without_roles(recorded_facts(run)), run.run_id
        executed += sum(event.kind == "code_execution" for event in events)
    assert executed, "the sample executes code"


def test_nothing_is_printed(recording: runtime.Runtime, capfd: pytest.CaptureFixture[str]):
    testing.reenact(bundled("airline")[0])
    asyncio.run(testing.reenact_async(bundled("airline")[0]))
    assert capfd.readouterr() == ("", "")


def test_without_recording_a_run_is_played_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    runtime.disable()
    monkeypatch.chdir(tmp_path)
    run = bundled("airline")[3]
    played = testing.reenact(run)
    assert played.run_id is None
    assert played.record_id == run.run_id
    assert [m["content"] for m in played.transcript if m["role"] == "user"] == [
        message.content for message in run.messages if message.role == "user"
    ]
    assert played.transcript[0] == {"role": "system", "agent": "agent", "content": run.messages[0].content}
    assert len(played.prompts) == sum(message.role == "assistant" for message in run.messages)
    assert list(tmp_path.iterdir()) == [], "no cache, no database"


async def test_many_at_once_do_not_mix(recording: runtime.Runtime):
    chosen = bundled("airline")[:12]
    with testing.capture_events() as events:
        played = await asyncio.gather(*(testing.reenact_async(run) for run in chosen))
    assert len({each.run_id for each in played}) == 12
    for run, each in zip(chosen, played, strict=True):
        mine = [event for event in events if event.run_id == each.run_id]
        assert facts(mine) == recorded_facts(run), run.run_id


# -- runs made for the purpose ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("run_async", [False, True], ids=["sync", "async"])
def test_several_calls_in_one_message(recording: runtime.Runtime, run_async: bool):
    record = made(
        user("Please compare the two orders"),
        says("One moment", call("order", "x", id=1), call("order", "x", id=2), call("total", "y")),
        answer("order", "x", "first"),
        answer("order", "x", "Error: no such order"),
        answer("total", "y", ""),
        says("Done"),
    )
    with testing.capture_events() as events:
        played = testing.reenact(record, run_async=run_async)
    assert [m["content"] for m in played.transcript if m["role"] == "tool"] == ["first", "Error: no such order", ""]
    results = [event.payload for event in events if event.kind == "tool_result"]
    assert [(p["tool"], p["ok"], p["content"]) for p in results] == [
        ("order", True, "first"),
        ("order", False, "Error: no such order"),
        ("total", True, ""),
    ]
    assert [event.payload["arguments"] for event in events if event.kind == "tool_call"] == [{"id": 1}, {"id": 2}, {}]


def test_answers_out_of_order_go_to_their_calls():
    record = made(
        user("Please compare the two orders"),
        says(None, call("a", "1"), call("b", "2")),
        answer("b", "2", "two"),
        answer("a", "1", "one"),
    )
    played = testing.reenact(record)
    assert [(m["tool_call_id"], m["content"]) for m in played.transcript[-2:]] == [("1", "one"), ("2", "two")]


def test_tools_need_not_raise(recording: runtime.Runtime):
    record = made(user("Where is it?"), says(None, call("find", "1")), answer("find", "1", "Error: nowhere"))
    with testing.capture_events() as events:
        testing.reenact(record, tools_raise=False)
    (result,) = [event.payload for event in events if event.kind == "tool_result"]
    assert (result["ok"], result["content"]) == (True, "Error: nowhere")


def test_the_outcome_is_the_recorded_one_or_none(recording: runtime.Runtime):
    words = user("Please do something"), says("Done")
    for outcome, told in (
        ({"success": True, "reward": 0.5}, (True, 0.5)),
        ({"success": False, "reward": -3}, (False, None)),
        ({"success": None, "reward": 1.0}, None),
        (None, None),
    ):
        with testing.capture_events() as events:
            testing.reenact(made(*words, outcome=outcome))
        found = [(e.payload["success"], e.payload["quality"]) for e in events if e.kind == "outcome"]
        assert found == ([] if told is None else [told])
    with testing.capture_events() as events:
        testing.reenact(made(*words, outcome={"success": True}), outcome=False)
    assert "outcome" not in [event.kind for event in events]


def test_a_difference_is_told(recording: runtime.Runtime):
    record = made(user("Please look"), says(None, call("find", "1")), answer("other", "1", "x"))
    with testing.capture_events() as events, pytest.raises(testing.ReenactmentError) as error:
        testing.reenact(record)
    assert isinstance(error.value, AssertionError)
    assert "find was called where the record has the answer of other" in str(error.value)
    assert "outcome" not in [event.kind for event in events]
    assert events[-1].kind == "run_finished"
    missing = made(user("Please look"), says(None, call("find", "1"), call("find", "2")), answer("find", "1", "x"))
    with pytest.raises(testing.ReenactmentError, match="no answer is recorded"):
        testing.reenact(missing)


def test_what_is_said_otherwise_is_told(monkeypatch: pytest.MonkeyPatch):
    """As where a plugin of the application changes messages on their way."""
    import autogen

    def louder(self: Any, message: Any, *_rest: Any, **_named: Any) -> Any:
        return message.upper() if self.name == "agent" and isinstance(message, str) else message

    monkeypatch.setattr(autogen.ConversableAgent, "_process_message_before_send", louder)
    run = bundled("airline")[0]
    with pytest.raises(
        testing.ReenactmentError, match=r"message 2 \(agent\) differs from the record in content: .TO ASSIST"
    ):
        testing.reenact(run)
    assert testing.reenact(run, check=False).transcript[2]["content"].startswith("TO ASSIST YOU")


def test_what_is_left_out_is_told():
    said = [{"role": "user", "agent": "u", "content": "hi"}]
    compare("r", said, said)
    with pytest.raises(testing.ReenactmentError, match="1 messages were played where 2 are recorded"):
        compare("r", said * 2, said)


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (made(), "nothing to play"),
        (made({"role": "user", "agent": "two words", "content": "hi"}), "no blanks"),
        (made(user("hi there you"), says(None, call("no/slash", "1"))), "letters, digits"),
        ({"messages": []}, "run_id"),
    ],
)
def test_what_cannot_be_played_is_refused(record: dict[str, Any], told: str):
    with pytest.raises(RunFormatError, match=told):
        testing.reenact(record)


def test_unknown_frameworks_are_refused():
    with pytest.raises(UnsupportedFramework, match="'crewai'; choose one of autogen"):
        testing.reenact(made(user("hi there you")), framework="crewai")


def test_the_record_may_be_a_plain_dictionary():
    with gzip.open(DATA / "runs_tau_airline.jsonl.gz", "rt", encoding="utf-8") as file:
        record = json.loads(next(file))
    assert testing.reenact(record).record_id == parse(record).run_id


def test_capturing_needs_recording():
    runtime.disable()
    with pytest.raises(ConfigError, match=r"seasoned\.enable\(\)"), testing.capture_events():
        pass
