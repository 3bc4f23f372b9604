"""Exported runs that are damaged, newer, hostile or secret: one clear line, and nothing is taken by half."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from export_kit import Place, everything, places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Change = Callable[[dict[str, Any]], Any]


@pytest.fixture
def record(tmp_path: Path) -> dict[str, Any]:
    """A record with one of everything, as exported."""
    with places(tmp_path, "source") as (one,):
        run_id, _ = everything(one.recorder)
        one.ingest()
        return json.loads(one.write(tmp_path / "source.jsonl", run_id).read_text().splitlines()[0])


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Place]:
    with places(tmp_path, "target") as (place,):
        yield place


def written(tmp_path: Path, *records: dict[str, Any]) -> Path:
    path = tmp_path / "runs.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def first(record: dict[str, Any], kind: str) -> list[Any]:
    return next(event for event in record["seasoned"]["events"] if event[2] == kind)


DAMAGES: dict[str, Change] = {
    "no object": lambda record: record.update(seasoned=[1]),
    "no version": lambda record: record["seasoned"].pop("version"),
    "no events": lambda record: record["seasoned"].update(events=[]),
    "events cut off": lambda record: record["seasoned"].update(events=None),
    "too many writers": lambda record: record["seasoned"].update(writers=10**6),
    "an unknown kind": lambda record: first(record, "message").__setitem__(2, "explosion"),
    "a writer that is none": lambda record: first(record, "message").__setitem__(0, 7),
    "a time before all": lambda record: first(record, "message").__setitem__(3, -1),
    "a time after all": lambda record: first(record, "message").__setitem__(3, 2**63),
    "a huge turn": lambda record: first(record, "message").__setitem__(4, 2**31),
    "an agent that is none": lambda record: first(record, "message").__setitem__(5, "a\x00b"),
    "an event cut off": lambda record: first(record, "message").__delitem__(slice(5, None)),
    "a payload that is none": lambda record: first(record, "message").__setitem__(6, "x"),
    "a text that is not there": lambda record: first(record, "message")[6].update(content=10**9),
    "a text in place of its number": lambda record: first(record, "message")[6].update(content="hi"),
    "a negative text": lambda record: first(record, "message")[6].update(content=-1),
    "a prompt's text that is not there": lambda record: first(record, "model_call")[6]["prompt"].update(block=10**9),
    "a prompt that is none": lambda record: first(record, "model_call")[6]["prompt"].update(new=[[1]]),
    "a prompt below zero": lambda record: first(record, "model_call")[6]["prompt"].update(keep=-3),
    "a cost that is none": lambda record: first(record, "model_call")[6].update(cost_usd="free"),
    "a quality beyond all": lambda record: first(record, "outcome")[6].update(quality=10.0**300),
    "a success that is none": lambda record: first(record, "outcome")[6].update(success="yes"),
    "a surrogate": lambda record: first(record, "message").__setitem__(5, "\ud800"),
    "json that names no texts": lambda record: first(record, "message")[6].update(json=[["content"]]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_part_is_told_and_nothing_of_the_run_is_taken(
    tmp_path: Path, record: dict[str, Any], target: Place, damage: str
):
    DAMAGES[damage](record)
    good = {"run_id": "good", "messages": [{"role": "user", "agent": "u", "content": "hi"}]}
    result = target.take(written(tmp_path, record, good))
    (error,) = result["errors"]
    assert (result["imported"], error["line"]) == (1, 1)
    assert "its part `seasoned` is damaged" in error["error"]
    assert "export it again, or leave the key out" in error["error"]
    assert "\n" not in error["error"]
    assert len(error["error"]) < 500
    assert set(target.rows()) == {"good"}


def test_a_newer_version_is_refused_with_the_mend(tmp_path: Path, record: dict[str, Any], target: Place):
    record["seasoned"] = {"version": 2, "anything": "else"}
    (error,) = target.take(written(tmp_path, record))["errors"]
    assert error["error"] == (
        "its part `seasoned` is of version 2, and this version of the package reads 1; to mend it: pip install "
        "--upgrade seasoned"
    )
    assert target.rows() == {}


def test_without_the_part_it_is_a_record_like_any_other(tmp_path: Path, record: dict[str, Any], target: Place):
    record["seasoned"] = None
    assert target.take(written(tmp_path, record))["imported"] == 1
    row = target.rows()[record["run_id"]]
    assert (row["source"], row["outcome_source"], row["namespace"]) == ("import", "reward", "shop")


def test_secrets_in_a_file_are_gone_before_they_are_written(tmp_path: Path, record: dict[str, Any], target: Place):
    secret = "sk-" + "aB3" * 16
    for _, _, _, _, _, _, payload, *texts in record["seasoned"]["events"]:
        if "arguments" in payload:
            payload["arguments"] = {"order": "W1", "password": "hunter2 and more", "note": f"key {secret}"}
        if texts:
            texts[0][:] = [f"{text} {secret}" if not text.startswith(("{", "\x01")) else text for text in texts[0]]
    message = first(record, "message")
    message[6]["odd"] = [f"{secret}"]
    target.take(written(tmp_path, record))
    facts = str(target.facts(record["run_id"]))
    assert secret not in facts
    assert "hunter2" not in facts
    assert "[REDACTED:" in facts
    files = [path for path in target.workspace.config.home_path.rglob("*") if path.is_file()]
    assert files
    assert all(secret.encode() not in path.read_bytes() for path in files)
    again = target.write(tmp_path / "again.jsonl")
    with places(tmp_path, "third") as (third,):
        third.take(again)
        assert str(third.facts(record["run_id"])) == facts, "what is redacted already stays as it is"


def test_an_imported_verdict_is_believed_as_far_as_its_source(tmp_path: Path, record: dict[str, Any], target: Place):
    first(record, "outcome")[6]["source"] = "rule:exit_code"
    target.take(written(tmp_path, record))
    row = target.rows()[record["run_id"]]
    assert (row["outcome_source"], row["outcome_trust"]) == ("rule:exit_code", 20)


def test_a_run_can_be_put_into_a_namespace_of_ones_own(tmp_path: Path, record: dict[str, Any], target: Place):
    plain = {"run_id": "plain", "messages": [{"role": "user", "agent": "u", "content": "hi"}]}
    assert target.take(written(tmp_path, record, plain), namespace="mine")["imported"] == 2
    assert {row["namespace"] for row in target.rows().values()} == {"mine"}


def test_where_no_contents_are_kept_none_are_taken(tmp_path: Path, record: dict[str, Any]):
    place = Place(tmp_path / "bare", content=False)
    try:
        place.take(written(tmp_path, record))
        facts = str(place.facts(record["run_id"]))
        assert "Refund order" not in facts
        assert "You are Ada" not in facts
        assert "W1" not in facts
        (started, *_) = place.events(record["run_id"])
        assert started.payload["task_chars"] == len("Refund order W1 for me")
    finally:
        place.workspace.close(flush=False)
