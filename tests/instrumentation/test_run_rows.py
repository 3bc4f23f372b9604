"""How a run's row follows from its events, in whatever order they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from seasoned.instrumentation.schema import runs as runs_table

if TYPE_CHECKING:
    from tests.instrumentation.conftest import Recording


def test_a_run_that_goes_on_is_running_again(anywhere: Recording) -> None:
    recorder = anywhere.recorder()
    run = recorder.begin("A conversation with a break")
    recorder.finish(run, "first")
    anywhere.ingest()
    with anywhere.store.writing() as connection:
        connection.execute(runs_table.update().values(judged=True))
    recorder.resume(run)
    anywhere.ingest()
    again = anywhere.record(run.run_id)
    assert (again.status, again.finished_ns, again.end_reason) == ("running", None, None)
    assert again.judged
    recorder.finish(run, "second")
    anywhere.ingest()
    ended = anywhere.record(run.run_id)
    assert (ended.status, ended.end_reason, ended.finished_ns) == ("finished", "second", run.finished)
    assert not ended.judged


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 3, 0, 1), (1, 3, 2, 0)])
def test_the_order_between_journals_does_not_count(anywhere: Recording, order: tuple[int, ...]) -> None:
    lines = [
        anywhere.line("r1", 0, "run_started", {"session": "s", "namespace": "n"}, at=10),
        anywhere.line("r1", 1, "run_finished", {"reason": "first"}, at=20),
        anywhere.line("r1", 2, "run_started", {"session": "s", "namespace": "n", "resumed": True}, at=30),
        anywhere.line("r1", 3, "run_finished", {"reason": "second"}, at=40),
    ]
    for number in order:
        anywhere.left_behind(lines[number], writer=f"w{number}")
        anywhere.ingest()
    record = anywhere.record("r1")
    assert (record.status, record.started_ns, record.finished_ns, record.end_reason) == ("finished", 10, 40, "second")


@pytest.mark.parametrize("batches", ["at once", "one by one"])
def test_who_is_trusted_more_has_the_last_word(anywhere: Recording, batches: str) -> None:
    recorder = anywhere.recorder()
    run = recorder.begin("Something to judge")
    said = [
        ("exception", False, None, False),
        ("rule:exit_code", True, None, True),
        ("exception", False, None, True),
        ("user", True, 0.5, True),
        ("evaluator", False, 0.1, True),
        ("user", False, 0.2, False),
    ]
    for source, success, quality, expected in said:
        run.outcome(success, quality=quality, source=source)
        if batches == "one by one":
            anywhere.ingest()
            assert anywhere.record(run.run_id).success is expected
    anywhere.ingest()
    record = anywhere.record(run.run_id)
    assert (record.success, record.quality, record.outcome_source) == (False, 0.2, "user")


def test_of_two_equally_trusted_the_later_counts_whichever_comes_first(anywhere: Recording) -> None:
    for writer, at, success in (("wa", 20, True), ("wb", 10, False)):
        outcome = anywhere.line("r1", 0, "outcome", {"success": success, "source": "user"}, at=at)
        anywhere.left_behind(outcome, writer=writer)
        anywhere.ingest()
    assert anywhere.record("r1").success is True


def test_a_changed_verdict_is_learned_again_and_the_same_is_not(anywhere: Recording) -> None:
    recorder = anywhere.recorder()
    run = recorder.begin("Something to learn from")
    run.outcome(True, quality=1 / 3, flags={"escalated": True})
    anywhere.ingest()

    def learn_then(*args: Any, **outcome: Any) -> int | None:
        with anywhere.store.writing() as connection:
            connection.execute(runs_table.update().values(learned=1))
        run.outcome(*args, **outcome)
        anywhere.ingest()
        return anywhere.record(run.run_id).learned

    assert learn_then(True, quality=1 / 3, flags={"escalated": True}) == 1
    assert learn_then(False, quality=1 / 3, flags={"escalated": True}) is None
    assert learn_then(False, quality=0.5, flags={"escalated": True}) is None
    assert learn_then(False, quality=0.5) is None
    assert learn_then(False, quality=0.5, complexity="high") is None
    assert learn_then(False, quality=0.5) == 1  # a complexity that is not named again stays
    assert learn_then(True, source="exception") == 1  # trusted less: not heard


def learn_all(recording: Recording) -> None:
    with recording.store.writing() as connection:
        connection.execute(runs_table.update().values(learned=1))


FURTHER = [
    ("message", {"content": "One more thing", "role": "assistant"}),
    ("tool_call", {"tool": "look", "call_id": "c"}),
    ("tool_result", {"tool": "look", "call_id": "c", "ok": False}),
    ("code_execution", {"exit_code": 1}),
    ("model_call", {"model": "m"}),
    ("error", {"error_type": "ValueError", "error": "no"}),
    ("feedback", {"source": "user", "positive": True}),
]


@pytest.mark.parametrize(("kind", "payload"), FURTHER)
def test_a_run_that_was_learned_from_is_learned_again_after_further_events(
    recording: Recording, kind: str, payload: dict[str, Any]
) -> None:
    recorder = recording.recorder()
    run, beside = recorder.begin("Something to learn from"), recorder.begin("Something else")
    recording.ingest()
    learn_all(recording)
    recording.ingest()
    assert recording.record(run.run_id).learned == 1
    recording.recorder().record(run, kind, "ann", dict(payload))  # another writer's
    recording.ingest()
    assert recording.record(run.run_id).learned is None
    assert recording.record(beside.run_id).learned == 1


def test_runs_around_one_with_further_events_are_learned_again(anywhere: Recording) -> None:
    recorder = anywhere.recorder()
    outer = recorder.begin("The whole of it")
    inner = recorder.begin("A part of it", parent=outer)
    innermost = recorder.begin("A part of that", parent=inner)
    beside = recorder.begin("Another part", parent=outer)
    anywhere.ingest()
    learn_all(anywhere)
    recorder.message(innermost, "ann", ["bob"], "assistant", "One more thing")
    anywhere.ingest()
    learned = [anywhere.record(run.run_id).learned for run in (outer, inner, innermost, beside)]
    assert learned == [None, None, None, 1]


def test_a_journal_may_say_that_runs_are_inside_each_other(anywhere: Recording) -> None:
    starts = [
        anywhere.line(run, 0, "run_started", {"session": "s", "namespace": "n", "parent": parent})
        for run, parent in (("r1", "r1"), ("r2", "r3"), ("r3", "r2"), ("r4", "nobody"))
    ]
    anywhere.left_behind(*starts)
    assert anywhere.ingest().events == 4
    learn_all(anywhere)
    anywhere.left_behind(anywhere.message("r2", 1, "One more thing"), writer="wlater")
    assert anywhere.ingest().events == 1
    assert [anywhere.record(f"r{number}").learned for number in (1, 2, 3, 4)] == [1, None, None, 1]


def test_an_outcomes_cost_replaces_the_sum(anywhere: Recording) -> None:
    recorder = anywhere.recorder()
    run = recorder.begin("Something with a price")
    assert record_cost(anywhere, run.run_id) is None
    recorder.model_call(run, "ann", [], {"model": "m"})
    assert record_cost(anywhere, run.run_id) is None
    recorder.model_call(run, "ann", [], {"model": "m", "cost_usd": 0.25})
    assert record_cost(anywhere, run.run_id) == 0.25
    run.outcome(True, cost_usd=2.0)
    recorder.model_call(run, "ann", [], {"model": "m", "cost_usd": 0.25})
    assert record_cost(anywhere, run.run_id) == 2.0


def record_cost(recording: Recording, run_id: str) -> float | None:
    recording.ingest()
    return recording.record(run_id).cost_usd


def test_what_makes_no_sense_in_a_payload_is_passed_over(anywhere: Recording) -> None:
    lines = [
        anywhere.line(
            "r1", 0, "run_started", {"session": 5, "namespace": ["x"], "agents": [1, "bob", None], "domain": {}}
        ),
        anywhere.line("r1", 1, "model_call", {"usage": [1, 2], "cost_usd": "much", "prompt": "a text", "model": 7}),
        anywhere.line(
            "r1", 2, "model_call", {"usage": {"input_tokens": -5}, "prompt": {"new": [], "base": "x", "keep": None}}
        ),
        anywhere.line("r1", 3, "outcome", {"success": "yes", "source": "user"}),
        anywhere.line("r1", 4, "gap", {"lost": "all"}),
    ]
    anywhere.left_behind(*lines)
    assert anywhere.ingest().events == 5
    record = anywhere.record("r1")
    assert (record.agents, record.input_tokens, record.cost_usd, record.success, record.lost) == (
        ("bob",),
        0,
        None,
        None,
        0,
    )
    assert len(anywhere.events("r1", prompts=True)) == 5
