"""Runs that leave a home and come into another are the same there: every event, every prompt, every row."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from export_kit import BUNDLED, SHARED, Place, assert_same, everything, places
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seasoned import replay, testing
from seasoned.adapters.recorded import parse
from seasoned.plugin import runtime

if TYPE_CHECKING:
    from pathlib import Path


def there_and_back(one: Place, other: Place, root: Path) -> int:
    """Export everything, import it into the other home, compare, export again; returns how many events there are."""
    first = one.write(root / "first.jsonl")
    result = other.take(first)
    assert result == {"imported": len(one.rows()), "skipped": 0, "errors": []}
    count = assert_same(one, other)
    second = other.write(root / "second.jsonl")
    assert second.read_bytes() == first.read_bytes()
    assert other.take(first) == {"imported": 0, "skipped": len(one.rows()), "errors": []}
    return count


def sample(path: Path, to: Path, every: int) -> Path:
    with gzip.open(path, "rt", encoding="utf-8") as lines, to.open("w", encoding="utf-8") as out:
        out.writelines(line for number, line in enumerate(lines) if number % every == 0)
    return to


def test_imported_runs(tmp_path: Path):
    with places(tmp_path, "one", "other") as (one, other):
        one.take(sample(BUNDLED, tmp_path / "some.jsonl", 6))
        assert there_and_back(one, other, tmp_path) > 800


@pytest.mark.parametrize(
    ("name", "every"),
    [("runs_tau_airline", 1), ("runs_tau_retail", 1), ("runs_ag2_mathchat", 20)],  # 4,003 runs: whole, it is minutes
)
def test_the_shared_runs(tmp_path: Path, name: str, every: int):
    path = SHARED / f"{name}.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"{path} is not here: these runs cannot be tried")
    with places(tmp_path, "one", "other") as (one, other):
        one.take(sample(path, tmp_path / "some.jsonl", every))
        assert there_and_back(one, other, tmp_path) > 0


@pytest.mark.parametrize("framework", testing.FRAMEWORKS)
def test_runs_recorded_live(tmp_path: Path, framework: str):
    pytest.importorskip({"autogen": "autogen", "langgraph": "langgraph"}.get(framework, "autogen_agentchat"))
    runtime.disable()
    active = runtime.enable(home=str(tmp_path / "one"), namespace="shop", summary=False)
    assert active is not None
    try:
        for number, record in enumerate(testing.read([BUNDLED])):
            if number % 40 == 0:
                testing.reenact(record, framework)
    finally:
        runtime.disable()
    with places(tmp_path, "one", "other") as (one, other):
        there_and_back(one, other, tmp_path)
        kinds = {event.kind for run_id in one.rows() for event in one.events(run_id)}
        assert {"model_call", "tool_call", "tool_result", "transition", "outcome"} <= kinds
    for line in (tmp_path / "first.jsonl").read_text().splitlines():
        record = json.loads(line)
        del record["seasoned"]  # what is left is a record like any other, which any reader can play
        testing.reenact(record, framework)


def test_one_of_everything(tmp_path: Path):
    with places(tmp_path, "one", "other") as (one, other):
        outer, inner = everything(one.recorder)
        one.ingest()
        there_and_back(one, other, tmp_path)
        row = other.rows()[outer]
        assert (row["outcome_source"], row["outcome_trust"], row["quality"]) == ("qa-team", 60, 0.5)
        assert (row["flags"], row["cost_usd"], row["lost"]) == ({"escalated": True}, 0.25, 2)
        assert other.rows()[inner]["parent_run_id"] == outer
        calls = [event.payload for event in other.events(outer) if event.kind == "model_call"]
        assert [call["prompt"][0]["content"].count("Be careful") for call in calls] == [1, 1]
        assert calls[1]["prompt"][2]["tool_calls"][0]["arguments"] == {"order": "W1"}
        writers = {event.writer for event in other.events(outer)}
        assert len(writers) == 2, "each journal's numbers begin at 0, so they must not be mixed"


def test_a_run_that_goes_on_one_that_was_killed_and_one_without_contents(tmp_path: Path):
    with places(tmp_path, "one", "other") as (one, other):
        going = one.recorder.begin("Still at it, my friend", agents=["ada"])
        one.recorder.message(going, "ada", [], "assistant", "so far")
        one.recorder.record(going, "tool_call", "ada", {"tool": "find", "call_id": "x", "arguments": {}})
        one.recorder.content = False
        secret, _ = everything(one.recorder)
        one.ingest()
        there_and_back(one, other, tmp_path)
        assert other.rows()[going.run_id]["status"] == "running"
        calls = [event.payload for event in other.events(secret) if event.kind == "model_call"]
        assert [(call["prompt"], call["response"]) for call in calls] == [(None, None), (None, None)]
        text = (tmp_path / "first.jsonl").read_text().splitlines()[-1]
        assert "You are Ada" not in text


def test_a_forgotten_text_stays_forgotten(tmp_path: Path):
    from sqlalchemy import update

    from seasoned.instrumentation.schema import texts

    with places(tmp_path, "one", "other") as (one, other):
        run_id, _ = everything(one.recorder)
        one.ingest()
        with one.store.writing() as connection:
            gone = ("You are Ada.", "too late", "1/0")
            connection.execute(update(texts).where(texts.c.text.in_(gone)).values(text=None))
        there_and_back(one, other, tmp_path)
        assert "You are Ada" not in str(other.facts(run_id))


def test_what_is_loaded_from_a_file_is_the_run_with_those_inside_it(tmp_path: Path):
    with places(tmp_path, "one") as (one,):
        outer, inner = everything(one.recorder)
        one.ingest()
        path = one.write(tmp_path / "run.jsonl.gz", outer)
        expected = one.facts(outer)
    with replay.load(path) as loaded:
        assert loaded.record.run_id == outer
        assert [child.record.run_id for child in loaded.children] == [inner]
        events = [step.event for step in loaded.steps(prompts=True)]
        assert [(e.kind, e.agent, e.turn, e.at, e.seq, e.payload) for e in events] == expected
        again = loaded.export(tmp_path / "again.jsonl.gz")
        assert again.read_bytes() == path.read_bytes()


def test_the_public_part_says_what_was_said(tmp_path: Path):
    with places(tmp_path, "one") as (one,):
        run_id, _ = everything(one.recorder)
        one.ingest()
        record = json.loads(one.write(tmp_path / "run.jsonl", run_id).read_text().splitlines()[0])
    assert (record["run_id"], record["task"], record["domain"]) == (run_id, "Refund order W1 for me", "retail")
    assert record["outcome"] == {"success": True, "reward": 0.5}
    said = [{key: value for key, value in message.items() if key != "at"} for message in record["messages"]]
    assert said == [
        {"role": "system", "agent": "system", "content": "You are Ada.", "recipient": "ada"},
        {"role": "user", "agent": "ann", "content": "Refund order W1 for me"},
        {"role": "assistant", "agent": "ada", "content": None, "recipient": "ann",
         "tool_calls": [{"id": "c1", "name": "look_up", "arguments": {"order": "W1"}}]},
        {"role": "tool", "agent": "ben", "content": "Error: no W1", "tool_call_id": "c1", "tool_name": "look_up"},
        {"role": "assistant", "agent": "ben", "content": '{"total":3}', "recipient": "ada"},
    ]  # fmt: skip
    assert parse({key: value for key, value in record.items() if key != "seasoned"}).exact is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant", "tool", "odd"]), "content": JSON},
    optional={"name": st.text(min_size=1, max_size=5), "tool_calls": JSON},
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(st.tuples(st.integers(0, 6), st.lists(MESSAGE, max_size=3), JSON), min_size=1, max_size=5))
def test_any_prompts_and_values(tmp_path_factory: pytest.TempPathFactory, history: list[Any]):
    """Prompts that grow, shrink and change, with contents of any kind."""
    root = tmp_path_factory.mktemp("any")
    with places(root, "one", "other") as (one, other):
        run = one.recorder.begin("Something to be done here")
        prompt: list[dict[str, Any]] = []
        for keep, new, value in history:
            prompt = prompt[:keep] + new
            one.recorder.model_call(run, "ada", prompt, {"model": "m"}, response=value, block="- b" if keep % 2 else "")
            one.recorder.record(run, "tool_result", "ada", {"tool": "t", "ok": True, "content": value})
        one.ingest()
        there_and_back(one, other, root)
