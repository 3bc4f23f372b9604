"""Growth on real runs that nobody here wrote: its success rates are those that are counted from the files themselves.

The files are recorded agent runs with their official verdicts, beside a checkout and not part of it; where they are
missing these tests are skipped. Imported, learned from and counted twice: by growth, and here with a few lines that
know nothing of it.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from seasoned.plugin.config import Config
from seasoned.plugin.importing import import_files
from seasoned.plugin.runtime import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"the recorded runs are not there: {DATA}")


def written(name: str, every: int) -> list[dict[str, Any]]:
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for number, line in enumerate(lines) if number % every == 0]


@pytest.fixture
def grown(tmp_path: Path) -> Iterator[Callable[[list[dict[str, Any]]], Workspace]]:
    """Imports records into a home of its own and learns from them."""
    workspace = Workspace(Config(home=str(tmp_path / "home"), namespace="real"))

    def grow(records: list[dict[str, Any]]) -> Workspace:
        file = tmp_path / "runs.jsonl"
        file.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
        import_files(workspace, [file])
        report = workspace.flush(120)
        assert report.error is None
        return workspace

    yield grow
    workspace.close(flush=False)


def profiles(workspace: Workspace) -> dict[str, dict[str, Any]]:
    growth = workspace.hooks.get_plugin("growth")
    with workspace.store.reading() as connection:
        return {profile["agent"]: profile for profile in growth.profile_json(connection)}  # type: ignore[union-attr]


def counted(records: list[dict[str, Any]], worked: dict[str, set[str]]) -> dict[str, tuple[int, int]]:
    """Judged runs and successes of each agent, for the agents that worked in each run."""
    runs: Counter[str] = Counter()
    solved: Counter[str] = Counter()
    for record in records:
        success = record["outcome"]["success"]
        if success is None:
            continue
        for agent in worked[record["run_id"]]:
            runs[agent] += 1
            solved[agent] += success
    return {agent: (runs[agent], solved[agent]) for agent in runs}


def test_retail_agents_solve_what_their_files_say(grown):
    records = written("runs_tau_retail", 2)
    working = {record["run_id"]: {"agent"} for record in records}
    found = profiles(grown(records))
    assert {name: (profile["runs"], profile["runs_succeeded"]) for name, profile in found.items()} == counted(
        records, working
    )


def test_a_group_of_mathematicians_solves_what_its_files_say(grown):
    """Each record is written from one agent's side. Of two participants the other one works; in a group, whoever wrote
    something of its own after the opening, and is not the manager."""
    records = written("runs_ag2_mathchat", 25)
    working: dict[str, set[str]] = {}
    for record in records:
        first, *rest = [m for m in record["messages"] if m["agent"] != "chat_manager"]
        if len({message["agent"] for message in (first, *rest)}) == 2:
            rest = [message for message in rest if message["agent"] != first["agent"]]
        working[record["run_id"]] = {
            m["agent"] for m in rest if (m["content"] or "").strip() and not m["content"].startswith("exitcode:")
        }
    found = profiles(grown(records))
    assert len(found) == 4
    assert {name: (profile["runs"], profile["runs_succeeded"]) for name, profile in found.items()} == counted(
        records, working
    )


def test_every_figure_of_real_growth_follows_from_its_events_and_a_rebuild_repeats_it(grown):
    workspace = grown(written("runs_tau_airline", 1))
    before = profiles(workspace)
    workspace.service.rebuild()
    assert profiles(workspace) == before
    (profile,) = before.values()
    from sqlalchemy import func, select

    from seasoned.growth.tables import skill_events

    with workspace.store.reading() as connection:
        xp = connection.execute(select(func.sum(skill_events.c.xp))).scalar()
    assert xp == profile["total_xp"] == sum(skill["xp"] for skill in profile["skills"])
