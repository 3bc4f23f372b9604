"""A run as chat messages, as a data frame and as a file; and what happens where a file cannot be written."""

from __future__ import annotations

import gzip
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from export_kit import BUNDLED, Place, everything, places

from seasoned import replay
from seasoned.adapters.recorded import read
from seasoned.instrumentation.errors import ConfigError, MissingExtra
from seasoned.plugin import replay_export
from seasoned.plugin.replay_messages import UNANSWERED, chat

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with places(tmp_path, "home") as (made,):
        yield made


@pytest.fixture
def run(place: Place, tmp_path: Path) -> Iterator[replay.Replay]:
    run_id, _ = everything(place.recorder)
    place.ingest()
    with replay.load(run_id, home=tmp_path / "home", update=False) as loaded:
        yield loaded


def assert_valid(messages: list[dict[str, Any]]) -> None:
    """What a provider asks of a history."""
    seen: set[str] = set()
    waiting: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            assert set(message) == {"role", "tool_call_id", "content"}
            assert message["tool_call_id"] in waiting, "an answer follows the message that asked for it"
            waiting.remove(message["tool_call_id"])
            assert isinstance(message["content"], str)
            continue
        assert waiting == [], "every call is answered before anything else is said"
        assert message["role"] in ("system", "user", "assistant")
        assert message["content"] is not None or message.get("tool_calls")
        for call in message.get("tool_calls", ()):
            assert message["role"] == "assistant"
            assert call["id"] not in seen, "no id twice"
            seen.add(call["id"])
            waiting.append(call["id"])
            assert isinstance(json.loads(call["function"]["arguments"]), dict)
    assert waiting == []


# -- messages ----------------------------------------------------------------------------------------------------------


def test_real_runs_become_valid_chats_that_lose_nothing(tmp_path: Path):
    records = {record.run_id: record for record in read([BUNDLED])}
    repeated = 0
    for record in list(records.values())[::4]:
        told = [
            {"role": m.role, "agent": m.agent, "content": m.content, "tool_call_id": m.tool_call_id,
             "tool_name": m.tool_name,
             "tool_calls": [{"id": c.id, "name": c.name, "arguments": c.arguments} for c in m.tool_calls or ()]}
            for m in record.messages
        ]  # fmt: skip
        made = chat(told)
        assert_valid(made)
        assert [m["content"] for m in made if m["content"] is not None] == [
            m["content"] for m in told if m["content"] is not None
        ]
        ids = [call["id"] for m in told for call in m["tool_calls"]]
        repeated += len(ids) - len(set(ids))
        assert sum(len(m.get("tool_calls", ())) for m in made) == len(ids)
    assert repeated, "ids repeat in real runs, or this shows little"


def test_a_run_as_messages(run: replay.Replay):
    messages = run.to_messages()
    assert_valid(messages)
    assert messages == [
        {"role": "system", "content": "You are Ada."},
        {"role": "user", "name": "ann", "content": "Refund order W1 for me"},
        {"role": "assistant", "name": "ada", "content": None,
         "tool_calls": [{"id": "c1", "type": "function",
                         "function": {"name": "look_up", "arguments": '{"order": "W1"}'}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "Error: no W1"},
        {"role": "assistant", "name": "ben", "content": '{"total":3}'},
    ]  # fmt: skip


def test_what_the_format_forbids_is_mended():
    def said(role: str, content: str | None = None, **more: Any) -> dict[str, Any]:
        return {"role": role, "agent": "böse agent!", "content": content, **more}

    def call(**values: Any) -> list[dict[str, Any]]:
        return [{"id": "x", "name": "find it", "arguments": "no json", **values}]

    messages = chat([
        said("narrator", "Once upon a time"),
        said("user", None),
        said("assistant", tool_calls=call()),
        said("assistant", tool_calls=call(arguments={"a": 1})),  # the same id again
        said("user", "meanwhile"),
        said("tool", "second", tool_call_id="x"),
        said("tool", "first", tool_call_id="x"),
        said("tool", "of nothing", tool_call_id="y", tool_name="other"),
        said("assistant", tool_calls=call(id=None, arguments=None)),
    ])  # fmt: skip
    assert_valid(messages)
    assert [(m["role"], m["content"]) for m in messages] == [
        ("user", "Once upon a time"), ("user", ""), ("assistant", None), ("tool", "first"), ("assistant", None),
        ("tool", "second"), ("user", "meanwhile"), ("assistant", None), ("tool", "of nothing"), ("assistant", None),
        ("tool", UNANSWERED),
    ]  # fmt: skip
    assert {m["name"] for m in messages if "name" in m} == {"b_se_agent_"}
    functions = [call["function"] for m in messages for call in m.get("tool_calls", ())]
    assert functions[0] == {"name": "find_it", "arguments": '{"arguments": "no json"}'}


# -- the data frame ----------------------------------------------------------------------------------------------------


def test_a_row_for_each_step(run: replay.Replay):
    pd = pytest.importorskip("pandas")
    frame = run.to_dataframe()
    steps = list(run.steps())
    assert list(frame.columns) == list(replay_export.COLUMNS)
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == replay_export.COLUMNS
    assert list(frame["seq"]) == [step.seq for step in steps]
    assert [moment.value for moment in frame["at"]] == [step.at_ns for step in steps], "to the nanosecond"
    assert list(frame["title"]) == [step.title for step in steps]
    calls = frame[frame["kind"] == "model_call"]
    assert list(calls["input_tokens"]) == [30, 30]
    assert list(calls["ok"]) == [True, False]
    assert calls["cost_usd"].sum() == pytest.approx(2e-4)
    assert frame[frame["kind"] == "tool_result"].iloc[0][["tool", "duration_ms", "ok"]].tolist() == [
        "look_up",
        3.0,
        False,
    ]
    assert pd.isna(frame[frame["kind"] == "message"]["ok"]).all()
    assert isinstance(frame["at"].iloc[0], pd.Timestamp)


def test_values_of_odd_types_are_empty_where_a_column_cannot_hold_them(place: Place, tmp_path: Path):
    pytest.importorskip("pandas")
    run = place.recorder.begin("Something quite odd happened")
    odd = {"model": ["a", 1], "usage": {"input_tokens": "many", "output_tokens": 2**70}, "cost_usd": "free"}
    place.recorder.model_call(run, "ada", [], odd, response={"a": 1})
    place.ingest()
    with replay.load(run.run_id, home=tmp_path / "home", update=False) as loaded:
        row = loaded.to_dataframe().iloc[-1]
        assert row["model"] == '["a", 1]'
        assert row[["input_tokens", "output_tokens", "cost_usd", "duration_ms"]].isna().all()


def test_without_pandas_it_is_said_what_to_install(run: replay.Replay, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtra, match=r"pip install 'seasoned\[notebook\]'"):
        run.to_dataframe()


# -- files -------------------------------------------------------------------------------------------------------------


def test_the_name_tells_the_format(run: replay.Replay, tmp_path: Path):
    for name, begin in (("a.jsonl", b'{"run_id"'), ("a.JSONL.gz", b'{"run_id"'), ("a.json", b'{"resourceSpans"')):
        path = run.export(tmp_path / name)
        data = gzip.decompress(path.read_bytes()) if name.endswith("gz") else path.read_bytes()
        assert data.startswith(begin)
        assert path.stat().st_mode & 0o777 == 0o600, "transcripts are private"
    assert run.export(str(tmp_path / "b.txt"), "otlp").read_bytes() == (tmp_path / "a.json").read_bytes()
    with pytest.raises(ConfigError, match=r"the name does not tell the format; end it in \.jsonl"):
        run.export(tmp_path / "a.csv")
    with pytest.raises(ConfigError, match="cannot be exported as 'xml'; choose one of jsonl, otlp"):
        run.export(tmp_path / "a.json", "xml")


@pytest.mark.parametrize("name", ["missing/run.jsonl", "file/run.jsonl", "folder.jsonl", "x" * 300 + ".jsonl"])
def test_a_place_that_cannot_be_written(run: replay.Replay, tmp_path: Path, name: str):
    (tmp_path / "file").touch()
    (tmp_path / "folder.jsonl").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConfigError, match=r"cannot be written \(.*\); name a file in a folder that exists") as caught:
        run.export(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is not here: a full disk cannot be tried")
@pytest.mark.parametrize("form", ["jsonl", "otlp"])
def test_a_full_disk(run: replay.Replay, form: str):
    with pytest.raises(ConfigError, match=r"/dev/full: cannot be written \(No space left on device\).*has room"):
        run.export("/dev/full", form)
    assert Path("/dev/full").is_char_device(), "it is written to, not replaced"


def test_a_failure_in_the_middle_leaves_what_was_there(
    run: replay.Replay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "run.jsonl"
    path.write_text("what was there")
    path.chmod(0o640)
    honest = replay_export.record

    def failing(*arguments: Any) -> Iterator[bytes]:
        yield next(honest(*arguments))
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(replay_export, "record", failing)
        with pytest.raises(ConfigError, match="No space left"):
            run.export(path)
        patched.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        patched.setattr(replay_export, "record", honest)
        with pytest.raises(KeyboardInterrupt):
            run.export(path)
    assert path.read_text() == "what was there"
    assert sorted(tmp_path.iterdir()) == [tmp_path / "home", path], "nothing half-written stays"
    link = tmp_path / "link.jsonl"
    link.symlink_to(path)
    run.export(link)
    assert link.is_symlink()
    assert path.read_text().startswith('{"run_id"')
    assert path.stat().st_mode & 0o777 == 0o640, "it keeps its mode"
