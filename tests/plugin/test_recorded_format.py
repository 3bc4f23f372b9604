"""The recorded-run format: what is read, what is refused, and which answer belongs to which call."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seasoned.adapters.recorded import (
    BadRecord,
    RecordedCall,
    RecordedRun,
    arguments_of,
    code_blocks,
    exchanges,
    exit_report,
    moment,
    parse,
    read,
    visible_task,
)
from seasoned.instrumentation.errors import RunFormatError

GOOD = {
    "run_id": "one",
    "task": "hidden from the agents",
    "domain": "shop",
    "framework": "some app",
    "model": "gpt-4o",
    "outcome": {"success": True, "reward": 1.0, "label": "pass"},
    "agents": ["agent", "user"],
    "annotation": {"ground_truth_actions": ["secret"]},
    "messages": [
        {"index": 0, "role": "system", "agent": "system", "content": "Be kind."},
        {"index": 1, "role": "user", "agent": "user", "content": "Where is my order, please?"},
        {"index": 2, "role": "assistant", "agent": "agent", "content": "On its way."},
    ],
}


def record(**changes: object) -> dict:
    return {**GOOD, **changes}


def test_a_record_is_read_as_it_is():
    run = parse(GOOD)
    assert run.run_id == "one"
    assert run.outcome.success is True
    assert run.outcome.quality == 1.0
    assert [message.agent for message in run.messages] == ["system", "user", "agent"]
    assert run.agents == ("user", "agent")


def test_annotations_cannot_be_reached():
    run = parse(GOOD)
    assert "annotation" not in RecordedRun.__struct_fields__
    assert "secret" not in repr(run)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"run_id": ""}, "run_id is empty"),
        ({"run_id": 7}, "Expected `str`, got `int` - at `run_id`"),
        ({"messages": None}, "Expected `array`"),
        ({"messages": [{"role": "user", "content": "hi"}]}, "missing required field `agent` - at `messages[0]`"),
        ({"messages": [*GOOD["messages"], {"role": "user", "agent": "", "content": ""}]}, "messages[3].agent is empty"),
        ({"messages": [{"role": "user", "agent": "u", "content": ["a"]}]}, "at `messages[0].content`"),
        ({"messages": ["hello"]}, "Expected `object`, got `str` - at `messages[0]`"),
        ({"messages": [{"role": "assistant", "agent": "a", "tool_calls": [{"id": "1"}]}]}, "required field `name`"),
        ({"outcome": {"success": "yes"}}, "Expected `bool | null`, got `str` - at `outcome.success`"),
        ({"started_at": "yesterday"}, "started_at is 'yesterday', which is no time"),
        ({"started_at": -1}, "which is no time"),
    ],
)
def test_what_is_no_record_is_told_with_its_place(changes: dict, told: str):
    with pytest.raises(RunFormatError) as error:
        parse(record(**changes), "runs.jsonl:3")
    assert str(error.value).startswith("runs.jsonl:3: ")
    assert told in str(error.value)


def lines(*parts: object) -> bytes:
    return b"".join((part if isinstance(part, bytes) else json.dumps(part).encode()) + b"\n" for part in parts)


def test_half_garbage_keeps_its_good_half(tmp_path: Path):
    path = tmp_path / "runs.jsonl"
    path.write_bytes(
        lines(
            record(run_id="a"),
            b"{not json",
            b"",
            b"\xff\xfe",
            [1, 2],
            record(run_id="b"),
            {"run_id": "c"},
            b"[" * 100_000,
            record(run_id="d"),
        )
    )
    errors: list[BadRecord] = []
    assert [run.run_id for run in read([path], errors)] == ["a", "b", "d"]
    assert [(Path(bad.file).name, bad.line) for bad in errors] == [("runs.jsonl", n) for n in (2, 4, 5, 7, 8)]
    assert "not JSON" in errors[0].reason
    assert "not UTF-8" in errors[1].reason
    assert "not an object" in errors[2].reason
    assert str(errors[3]).startswith(f"{path}:7: Object missing required field `messages`")
    assert all(";" in bad.reason for bad in errors), "each tells the mend"


def test_without_a_list_for_errors_the_first_one_raises(tmp_path: Path):
    path = tmp_path / "runs.jsonl"
    path.write_bytes(lines(record(run_id="a"), b"nonsense"))
    with pytest.raises(RunFormatError, match=r"runs\.jsonl:2: not JSON"):
        list(read([path]))


def test_gzip_is_known_by_its_content(tmp_path: Path):
    path = tmp_path / "runs.jsonl"
    path.write_bytes(gzip.compress(lines(record(run_id="a"), record(run_id="b"))))
    assert [run.run_id for run in read([path])] == ["a", "b"]


def test_a_torn_gzip_keeps_what_came_before(tmp_path: Path):
    import random

    noise = random.Random(1)
    many = [record(run_id=str(n), task="".join(noise.choices("abcdefghijklmnop", k=3000))) for n in range(50)]
    whole = gzip.compress(lines(*many))
    path = tmp_path / "runs.jsonl.gz"
    path.write_bytes(whole[: len(whole) // 2])
    errors: list[BadRecord] = []
    found = [run.run_id for run in read([path], errors)]
    assert 0 < len(found) < 50
    assert found == [str(n) for n in range(len(found))]
    assert len(errors) == 1
    assert errors[0].line == len(found) + 1
    assert "gzip" in errors[0].reason


def test_a_file_that_is_not_there_does_not_stop_the_others(tmp_path: Path):
    good = tmp_path / "good.jsonl"
    good.write_bytes(lines(GOOD))
    errors: list[BadRecord] = []
    assert [run.run_id for run in read([tmp_path / "missing.jsonl", tmp_path, good], errors)] == ["one"]
    assert [bad.line for bad in errors] == [0, 0]
    assert str(errors[0]) == f"{tmp_path / 'missing.jsonl'}: cannot be read: No such file or directory"


@given(st.binary(max_size=400))
def test_no_bytes_break_the_reader(tmp_path_factory, data: bytes):
    path = tmp_path_factory.mktemp("garbage") / "runs.jsonl"
    path.write_bytes(data + b"\n" + lines(GOOD))
    errors: list[BadRecord] = []
    runs = [run.run_id for run in read([path], errors)]
    assert runs in (["one"], []), "the good line is lost only where the file began like gzip"
    assert runs or data.startswith(b"\x1f\x8b")


@pytest.mark.parametrize(
    ("raw", "meant"),
    [
        (None, {}),
        ("", {}),
        ({"a": 1}, {"a": 1}),
        ('{"a": [1, null]}', {"a": [1, None]}),
        ("{'thought': 'it\\'s \"so\"', 'ok': True}", {"thought": 'it\'s "so"', "ok": True}),
        ("{'re': '\\d+'}", {"re": "\\d+"}),
        ("{'a': {1, 2}}", {"arguments": "{'a': {1, 2}}"}),
        ("__import__('os').getcwd()", {"arguments": "__import__('os').getcwd()"}),
        ("[1, 2]", {"arguments": "[1, 2]"}),
    ],
)
def test_arguments_become_a_dictionary(raw: object, meant: dict):
    assert arguments_of(RecordedCall("tool", raw)) == meant  # type: ignore[arg-type]


@given(st.text(max_size=200))
def test_no_text_breaks_the_arguments(raw: str):
    assert isinstance(arguments_of(RecordedCall("tool", raw)), dict)


def call(tool: str, call_id: str | None = None) -> dict:
    return {"id": call_id, "name": tool, "arguments": {}}


def asks(*calls: dict) -> dict:
    return {"role": "assistant", "agent": "agent", "content": None, "tool_calls": list(calls)}


def answers(tool: str | None, call_id: str | None, content: str = "x") -> dict:
    return {"role": "tool", "agent": "env", "content": content, "tool_call_id": call_id, "tool_name": tool}


def paired(*messages: dict) -> list[tuple[int | None, int | None]]:
    return [(e.asked, e.answered) for e in exchanges(parse(record(messages=list(messages))))]


def test_ids_that_repeat_pair_with_the_nearest_earlier_call():
    found = paired(asks(call("a", "x")), answers("a", "x"), asks(call("a", "x")), answers("a", "x"))
    assert found == [(0, 1), (2, 3)]


def test_several_calls_in_one_message_pair_by_their_ids():
    run = parse(record(messages=[asks(call("a", "1"), call("b", "2")), answers("b", "2"), answers("a", "1")]))
    assert [(e.call.name, e.answered) for e in exchanges(run) if e.call] == [("b", 1), ("a", 2)]


def test_calls_without_ids_pair_by_name_and_order():
    run = parse(record(messages=[asks(call("a"), call("a"), call("b")), *[answers(n, None) for n in "aba"]]))
    assert [(e.call.name, e.answered) for e in exchanges(run) if e.call] == [("a", 1), ("b", 2), ("a", 3)]


def test_what_has_no_partner_stays():
    assert paired(answers("a", "1"), asks(call("b", "2"))) == [(None, 0), (1, None)]


def test_the_task_is_what_the_agents_saw():
    assert visible_task(parse(GOOD)) == "Where is my order, please?"
    said = [{"role": "user", "agent": "user", "content": "Solve this: hidden from the agents!"}]
    assert visible_task(parse(record(messages=said))) == "hidden from the agents"
    short = [{"role": "user", "agent": "user", "content": "hi"}, *GOOD["messages"][1:]]
    assert visible_task(parse(record(messages=short))) == "Where is my order, please?"
    assert visible_task(parse(record(messages=[]))) == "hidden from the agents"


def test_code_and_its_report():
    assert code_blocks("Look:\n```python\nprint(1)\n```\nand\n```sh\nls\n```") == [("python", "print(1)"), ("sh", "ls")]
    assert code_blocks("no code here") == []
    assert exit_report("exitcode: 0 (execution succeeded)\nCode output: 100\n") == (0, "100\n")
    assert exit_report("exitcode: 1 (execution failed)\nCode output: Traceback") == (1, "Traceback")
    assert exit_report("exitcode: 0, I think") is None


def test_times():
    assert moment(None, "x") is None
    assert moment(1.5, "x") == 1_500_000_000
    assert moment("1970-01-01T00:00:02Z", "x") == moment("1970-01-01T00:00:02", "x") == 2_000_000_000
