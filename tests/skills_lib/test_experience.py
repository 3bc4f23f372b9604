"""Runs are filed under their tasks when they are learned from, and the figures always are those of the runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from seasoned.plugin.config import Config
from seasoned.plugin.runtime import Workspace
from seasoned.skills_lib.experience import Tried, tried
from seasoned.skills_lib.fingerprint import fingerprint
from seasoned.skills_lib.tables import fingerprinted_runs, task_fingerprints

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from seasoned.instrumentation.runs import Run

SECOND = 1_000_000_000
START = 1_767_225_600 * SECOND


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    made = Workspace(Config(home=str(tmp_path / "home"), namespace="shop"))
    yield made
    made.close(flush=False)


def solve(
    workspace: Workspace, task: str | None, success: bool | None, *, seconds: int = 2, number: int = 0, **more: Any
) -> Run:
    at = START + number * 60 * SECOND
    run = workspace.recorder.begin(task, domain="retail", agents=["desk"], at=at, **more)
    workspace.recorder.message(run, "desk", ["customer"], "assistant", "Done.")
    workspace.recorder.finish(run, "done", at=at + seconds * SECOND)
    if success is not None:
        run.outcome(success)
    return run


def read(workspace: Workspace, function: Any, *arguments: Any, **named: Any) -> Any:
    report = workspace.flush(60)
    assert report.error is None
    with workspace.store.reading() as connection:
        return function(connection, "shop", *arguments, **named)


def kept_of(connection: Connection, namespace: str, task: str) -> Any:
    """What is kept of a task; None where it was never learned from."""
    table = task_fingerprints.c
    query = select(task_fingerprints).where(table.namespace == namespace, table.fingerprint == fingerprint(task).hash)
    return connection.execute(query).mappings().first()


def tables(workspace: Workspace) -> list[Any]:
    with workspace.store.reading() as connection:
        return [
            sorted(map(tuple, connection.execute(select(table)).all()), key=repr)
            for table in (task_fingerprints, fingerprinted_runs)
        ]


def test_a_task_is_counted_with_how_it_went_and_how_long_it_took(workspace):
    solve(workspace, "Refund order 17", True, seconds=2)
    solve(workspace, "refund  ORDER 17!", False, seconds=4, number=1)
    solve(workspace, "Refund order 18", True, seconds=9, number=2)
    solve(workspace, "Refund order 17", None, number=3)  # nobody judged it
    assert read(workspace, tried, task="Refund order 17") == Tried(2, 1, 1, 3000.0)
    with workspace.store.reading() as connection:
        groups = connection.execute(select(fingerprinted_runs.c.task_group).distinct()).scalars().all()
    assert len(groups) == 1  # of one kind: they differ in their values
    assert read(workspace, tried, group=groups[0]) == Tried(3, 2, 1, 5000.0)
    assert read(workspace, tried, task="Something else") == Tried()
    known = read(workspace, kept_of, "REFUND order 17")
    assert known["text"] == "refund order 17"
    assert json.loads(known["keywords"]) == ["refund", "order"]
    assert read(workspace, kept_of, "Something else") is None


def test_a_run_that_took_no_measurable_time_does_not_count_for_the_mean(workspace):
    solve(workspace, "Refund order 17", True, seconds=0)
    assert read(workspace, tried, task="Refund order 17") == Tried(1, 1, 0, None)


def test_a_run_judged_anew_is_filed_anew(workspace):
    run = solve(workspace, "Refund order 17", False)
    assert read(workspace, tried, task="Refund order 17").failures == 1
    run.outcome(True)
    assert read(workspace, tried, task="Refund order 17") == Tried(1, 1, 0, 2000.0)


def test_forgetting_the_last_run_of_a_task_forgets_its_words(workspace):
    first, second = solve(workspace, "Refund order 17", True), solve(workspace, "Refund order 17", True, number=1)
    assert read(workspace, tried, task="Refund order 17").executions == 2
    workspace.service.forget(run_ids=[first.run_id])
    assert read(workspace, kept_of, "Refund order 17") is not None
    workspace.service.forget(run_ids=[second.run_id])
    assert read(workspace, kept_of, "Refund order 17") is None
    assert tables(workspace) == [[], []]


def test_a_rebuild_gives_the_same_tables_and_other_namespaces_are_left_alone(workspace):
    for number, success in enumerate([True, False, True]):
        solve(workspace, f"Refund order {number}", success, number=number)
    solve(workspace, "Refund order 17", True, namespace="other")
    assert read(workspace, tried).executions == 3
    before = tables(workspace)
    assert workspace.service.rebuild() == 3
    assert tables(workspace) == before
    assert read(workspace, tried, task="Refund order 17") == Tried()


def test_runs_without_a_task_are_not_filed(workspace):
    solve(workspace, None, True)
    assert read(workspace, tried).executions == 0
