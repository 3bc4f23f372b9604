"""Real recorded runs through AgentChat and LangGraph: what is played, and what is recorded of it, is the record.

That the transcript is the record's, ``reenact`` checks itself. What is recorded is told in the frameworks' own form:
see :func:`expected`.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from reenact_kit import DATA, answer, bundled, call, made, says, shared, switched_on, user  # noqa: F401

from seasoned import testing
from seasoned.adapters.recorded import RecordedRun, arguments_of
from seasoned.instrumentation.errors import RunFormatError
from seasoned.plugin import runtime

pytest.importorskip("autogen_agentchat")
pytest.importorskip("langgraph")

if TYPE_CHECKING:
    from pathlib import Path

    from seasoned.instrumentation.events import Event

AGENTCHAT, LANGGRAPH = "autogen_agentchat", "langgraph"

both = pytest.mark.parametrize("framework", [AGENTCHAT, LANGGRAPH])
ways = pytest.mark.parametrize("run_async", [False, True], ids=["sync", "async"])


def facts(events: list[Event]) -> list[tuple[Any, ...]]:
    """What was recorded of messages and tools, in order; of a tool that failed, what it raised."""
    out: list[tuple[Any, ...]] = []
    for event in events:
        p = event.payload
        if event.kind == "message":
            out.append(("message", event.agent, p["content"]))
        elif event.kind == "tool_call":
            out.append(("call", event.agent, p["tool"], p["call_id"], p["arguments"]))
        elif event.kind == "tool_result":
            text = p["content"] if p["ok"] else p["error"]
            out.append(("result", event.agent, p["tool"], p["call_id"], p["ok"], text, p.get("error_type")))
    return out


def expected(run: RecordedRun, framework: str) -> list[tuple[Any, ...]]:
    """The same, as the record has it. The agent executes its tools itself. A message that calls tools is one where
    it has a text, and only LangGraph: in AgentChat the text is the model's thought. Ids are the record's; every
    message that calls tools in these runs calls one."""
    out: list[tuple[Any, ...]] = []
    asked: dict[str, Any] = {}
    asker = ""
    for message in run.messages:
        if message.role == "system":
            continue
        if message.role == "tool":
            content = message.content or ""
            failed = content.startswith("Error: ")
            end = (not failed, content.removeprefix("Error: "), "ToolError" if failed else None)
            out.append(("call", asker, message.tool_name, message.tool_call_id, asked))
            out.append(("result", asker, message.tool_name, message.tool_call_id, *end))
            continue
        for one in message.tool_calls or ():
            asked, asker = arguments_of(one), message.agent
        if not message.tool_calls or (message.content and framework == LANGGRAPH):
            out.append(("message", message.agent, message.content or ""))
    return out


def check(run: RecordedRun, framework: str, events: list[Event], played: testing.Reenactment) -> None:
    """One run, with the record's facts, task and outcome."""
    assert facts(events) == expected(run, framework), run.run_id
    assert {event.run_id for event in events} == {played.run_id}
    kinds = [event.kind for event in events]
    assert kinds.count("run_started") == kinds.count("run_finished") == kinds.count("outcome") == 1
    assert "error" not in kinds
    assert kinds.count("model_call") == sum(message.role == "assistant" for message in run.messages)
    outcome = next(event.payload for event in events if event.kind == "outcome")
    assert (outcome["success"], outcome["source"]) == (run.outcome.success, "reward")
    finished = next(event.payload for event in events if event.kind == "run_finished")
    assert finished["reason"] == "closed"
    first = next(event for event in events if event.kind == "message")
    assert (first.payload["role"], first.payload["task"]) == ("user", True)


def play(runs: list[RecordedRun], framework: str, *, run_async: bool = False) -> list[Event]:
    """Play and check them; returns all that was recorded."""
    out: list[Event] = []
    for run in runs:
        with testing.capture_events() as events:
            played = testing.reenact(run, framework, run_async=run_async)
        check(run, framework, events, played)
        out += events
    return out


@both
@ways
def test_every_tenth_airline_run_is_recorded_as_it_is(recording: runtime.Runtime, framework: str, run_async: bool):
    chosen = bundled("airline")[::10]
    assert len(chosen) == 13
    events = play(chosen, framework, run_async=run_async)
    assert any(event.kind == "tool_result" and not event.payload["ok"] for event in events), "tools that fail"
    ends = {run.messages[-1].role for run in chosen}
    assert ends == {"user", "tool"}, "the sample has both ends"


@both
@ways
def test_retail_runs(recording: runtime.Runtime, framework: str, run_async: bool):
    play(bundled("retail")[::16], framework, run_async=run_async)


@both
def test_retail_runs_that_may_not_be_copied(recording: runtime.Runtime, framework: str):
    """Those with a second agent are refused, and leave nothing."""
    chosen = shared("runs_tau_retail", 37, 14)
    several = [run for run in chosen if any(message.agent == "subtask_creator" for message in run.messages)]
    assert several, "the sample has such runs"
    play([run for run in chosen if run not in several], framework)
    for run in several:
        with (
            testing.capture_events() as events,
            pytest.raises(RunFormatError, match=f'{run.run_id} has .*framework="autogen" can play it'),
        ):
            testing.reenact(run, framework)
        assert events == []


@both
def test_without_recording_a_run_is_played_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, framework: str
):
    runtime.disable()
    monkeypatch.chdir(tmp_path)
    run = bundled("airline")[3]
    played = testing.reenact(run, framework)
    assert (played.run_id, played.record_id) == (None, run.run_id)
    assert played.transcript[0] == {"role": "system", "agent": "agent", "content": run.messages[0].content}
    assert [m["content"] for m in played.transcript] == [message.content for message in run.messages]
    assert len(played.prompts) == sum(message.role == "assistant" for message in run.messages)
    agent, prompt = played.prompts[-1]
    assert agent == "agent"
    assert prompt[0] == {"role": "system", "content": run.messages[0].content}
    assert list(tmp_path.iterdir()) == []


@both
def test_nothing_is_printed(recording: runtime.Runtime, capfd: pytest.CaptureFixture[str], framework: str):
    testing.reenact(bundled("airline")[0], framework)
    assert capfd.readouterr() == ("", "")


@both
async def test_many_at_once_do_not_mix(recording: runtime.Runtime, framework: str):
    chosen = bundled("airline")[:6]
    with testing.capture_events() as events:
        played = await asyncio.gather(*(testing.reenact_async(run, framework) for run in chosen))
    assert len({each.run_id for each in played}) == 6
    for run, each in zip(chosen, played, strict=True):
        check(run, framework, [event for event in events if event.run_id == each.run_id], each)


# -- runs made for the purpose ---------------------------------------------------------------------------------------


@both
@ways
def test_several_calls_in_one_message(recording: runtime.Runtime, framework: str, run_async: bool):
    record = made(
        user("Please compare the two orders"),
        says("One moment", call("order", "x", id=1), call("order", "z", id=2), call("total", "y")),
        answer("order", "x", "first"),
        answer("order", "z", "Error: no such order"),
        answer("total", "y", ""),
        says("Done"),
    )
    with testing.capture_events() as events:
        played = testing.reenact(record, framework, run_async=run_async)
    assert [m["content"] for m in played.transcript if m["role"] == "tool"] == ["first", "Error: no such order", ""]
    results = {event.payload["call_id"]: event.payload for event in events if event.kind == "tool_result"}
    assert {call_id: (p["tool"], p["ok"]) for call_id, p in results.items()} == {
        "x": ("order", True),
        "z": ("order", False),
        "y": ("total", True),
    }
    assert results["z"]["error"] == "no such order"
    asked = {event.payload["call_id"]: event.payload["arguments"] for event in events if event.kind == "tool_call"}
    assert asked == {"x": {"id": 1}, "z": {"id": 2}, "y": {}}


@both
@pytest.mark.parametrize("text", [None, "", "One moment"])
def test_texts_beside_calls_and_arguments_of_any_name(recording: runtime.Runtime, framework: str, text: str | None):
    """But for ``run_manager`` and ``callbacks``: arguments of these names LangChain itself keeps from callbacks."""
    names = ["self", "config", "args", "name", "model_config", "runtime", "state", "player", "tool", "cls"]
    arguments = {name: {"deep": [1, None]} for name in names}
    asked = {"id": "1", "name": "find", "arguments": arguments}
    record = made(user("Where is it, please?"), says(text, asked), answer("find", "1", "here"), says(""), user("Bye"))
    with testing.capture_events() as events:
        played = testing.reenact(record, framework)
    assert played.transcript[1] == {**says(text, asked)}
    assert [event.payload["arguments"] for event in events if event.kind == "tool_call"] == [arguments]


@both
@ways
def test_one_turn_that_ends_with_its_tool(recording: runtime.Runtime, framework: str, run_async: bool):
    record = made(
        user("Where is my order, please?"), says(None, call("find", "1")), answer("find", "1", "Error: gone"),
        says(None, call("find", "1", again=True)), answer("find", "1", "here"), outcome={"success": True},
    )  # fmt: skip
    with testing.capture_events() as events:
        testing.reenact(record, framework, run_async=run_async)
    told = [event.kind for event in events if event.kind != "transition"]
    tool = ["model_call", "tool_call", "tool_result"]
    assert told == ["run_started", "message", *tool, *tool, "outcome", "run_finished"]


@both
def test_the_person_has_the_last_words(recording: runtime.Runtime, framework: str):
    record = made(user("Hello there, is anybody in?"), says("Yes"), user("Never mind"))
    with testing.capture_events() as events:
        testing.reenact(record, framework)
    assert [fact[1:] for fact in facts(events)] == [
        ("customer", "Hello there, is anybody in?"),
        ("helper", "Yes"),
        ("customer", "Never mind"),
    ]


@both
def test_tools_need_not_raise(recording: runtime.Runtime, framework: str):
    record = made(user("Where is it?"), says(None, call("find", "1")), answer("find", "1", "Error: nowhere"))
    with testing.capture_events() as events:
        testing.reenact(record, framework, tools_raise=False)
    (result,) = [event.payload for event in events if event.kind == "tool_result"]
    assert (result["ok"], result["content"]) == (True, "Error: nowhere")


@both
@ways
def test_a_difference_is_told(recording: runtime.Runtime, framework: str, run_async: bool):
    record = made(
        user("Please look"), says(None, call("find", "1")), answer("other", "1", "x"), says("Done"),
        outcome={"success": True},
    )  # fmt: skip
    with testing.capture_events() as events, pytest.raises(testing.ReenactmentError) as error:
        testing.reenact(record, framework, run_async=run_async)
    assert "find was called where the record has the answer of other" in str(error.value)
    assert "outcome" not in [event.kind for event in events]
    assert events[-1].kind == "run_finished"


@both
def test_what_is_said_otherwise_is_told(monkeypatch: pytest.MonkeyPatch, framework: str):
    """As where something of the application's changes messages on their way."""
    if framework == AGENTCHAT:
        from autogen_core.models import UserMessage as Message
    else:
        from langchain_core.messages import HumanMessage as Message
    raw: Any = Message.__init__

    def louder(self: Any, *args: Any, **kwargs: Any) -> None:
        raw(
            self,
            *(arg.upper() for arg in args),
            **{**kwargs, "content": kwargs["content"].upper()} if kwargs.get("content") else kwargs,
        )

    monkeypatch.setattr(Message, "__init__", louder)
    run = bundled("airline")[0]
    with pytest.raises(testing.ReenactmentError, match=r"message 1 \(user_simulator\) differs from the record in cont"):
        testing.reenact(run, framework)


@both
@pytest.mark.parametrize(
    ("messages", "told"),
    [
        ([user("Hello there")], "0 agents with a model"),
        ([user("Hello there"), says("a"), user("b"), says("c", agent="second")], "2 agents with a model"),
        ([user("Hello there"), says("a"), {**user("b"), "agent": "other"}], "2 people"),
        ([user("Hello there"), says("a"), says("b")], r"helper \(model\) where person should follow"),
        ([says("a"), user("b")], r"helper \(model\) where person should follow"),
        ([user("Hello there"), says(None, call("t", "1")), says("b")], r"helper \(model\) where tools should follow"),
        (
            [user("Hi"), says(None, call("t", "1")), answer("t", "1", "x"), says(None, call("t", "2")),
             answer("t", "2", "x", agent="else")],
            "2 who execute tools",
        ),
        ([user("Please do"), says("```python\n1\n```"), user("exitcode: 0 (execution succeeded)\nCode output: 1")],
         "executes code"),
        ([user("Hello there"), says("a", agent="customer")], "does not accept as a name"),
        ([user("Hello there"), says("a", agent="a:b")], "'a:b', which the framework does not accept as a name"),
    ],
)  # fmt: skip
def test_what_cannot_be_played_is_refused(framework: str, messages: list[dict[str, Any]], told: str):
    with pytest.raises(RunFormatError, match=told) as error:
        testing.reenact(made(*messages), framework)
    assert 'framework="autogen" can play it' in str(error.value)


def test_the_record_may_be_a_plain_dictionary():
    with gzip.open(DATA / "runs_tau_airline.jsonl.gz", "rt", encoding="utf-8") as file:
        record = json.loads(next(file))
    for framework in (AGENTCHAT, LANGGRAPH):
        assert testing.reenact(record, framework).record_id == record["run_id"]
