"""An application that records runs, and all that follows from them: journal, database, learning, prompts, commands."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from seasoned.growth import tables
from seasoned.plugin.config import Config
from seasoned.plugin.runtime import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from seasoned.instrumentation.runs import Run

sys.path.insert(0, str(Path(__file__).parent))  # for the helpers beside the tests

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
TABLES = (
    tables.agent_profiles, tables.agent_skills, tables.agent_attributes, tables.agent_groups, tables.skill_events,
    tables.contributions, tables.achievements,
)  # fmt: skip


class Desk:
    """An application with a folder of its own. Runs are recorded on a clock that goes on by hand."""

    def __init__(self, home: Path, **settings: Any) -> None:
        self.home = home
        self.settings = settings
        self._clock = itertools.count(START, 3600 * SECOND)
        self.starts: dict[str, int] = {}
        self.space = self._open()

    def _open(self) -> Workspace:
        return Workspace(Config(home=str(self.home), namespace="app", summary=False, **self.settings))

    def restart(self, **settings: Any) -> None:
        """End the process, so to say, and start it again."""
        self.space.close()
        self.settings.update(settings)
        self.space = self._open()

    def record(
        self,
        task: str | None = "Have a look at it",
        *,
        agents: Sequence[str] = ("tess",),
        domain: str | None = "debugging",
        tools: Sequence[str] = (),
        seconds: float = 60,
        parent: Run | None = None,
        at: int | None = None,
    ) -> Run:
        """A run in which each agent calls the tools and replies once; a tool is failed where its name begins with
        ``no_``."""
        recorder = self.space.recorder
        start = next(self._clock) if at is None else at
        run = recorder.begin(task, domain=domain, agents=["customer", *agents], parent=parent, at=start)
        self.starts[run.run_id] = start
        run.turn = 1
        for agent in agents:
            for tool in tools:
                call = {"tool": tool, "call_id": "c", "arguments": {}, "caller": agent}
                recorder.record(run, "tool_call", "executor", call, at=start + 1)
                answer = {"tool": tool, "call_id": "c", "ok": not tool.startswith("no_"), "content": "x"}
                recorder.record(run, "tool_result", "executor", answer, at=start + 2)
            recorder.record(run, "model_call", agent, {"model": "m"}, at=start + 3)
            recorder.record(
                run, "message", agent,
                {"sender": agent, "recipients": ["customer"], "role": "assistant", "content": "Done."}, at=start + 4,
            )  # fmt: skip
        recorder.finish(run, "done", at=start + int(seconds * SECOND))
        return run

    def judge(self, run: Run, success: bool = True, complexity: str | None = "medium", **flags: Any) -> Run:
        """Say how a run went."""
        run.outcome(success, complexity=complexity, flags=flags or None)
        return run

    def solve(self, task: str | None = "Have a look at it", complexity: str = "medium", **how: Any) -> Run:
        """A run that succeeded; ``flags`` are those of its outcome, the rest as in :meth:`record`."""
        flags = how.pop("flags", {})
        return self.judge(self.record(task, **how), True, complexity, **flags)

    def fail(self, task: str | None = "Have a look at it", complexity: str = "medium", **how: Any) -> Run:
        """A run that failed."""
        flags = how.pop("flags", {})
        return self.judge(self.record(task, **how), False, complexity, **flags)

    def flush(self) -> int:
        """Learn from everything; returns from how many runs."""
        report = self.space.flush()
        assert report.error is None
        assert self.space.guard.failures == {}
        return report.learned

    def profile(self, agent: str = "tess") -> Any:
        """The agent as ``seasoned growth --json`` prints it."""
        self.flush()
        growth: Any = self.space.hooks.get_plugin("growth")
        with self.space.store.reading() as connection:
            return growth.profile_json(connection, agent)

    def xp(self, agent: str = "tess") -> int:
        """What the agent has earned."""
        return self.profile(agent)["total_xp"]

    def events(self, event: str | None = None, agent: str = "tess") -> list[Any]:
        """The agent's skill events in their order."""
        self.flush()
        table = tables.skill_events
        query = select(table).where(table.c.agent == agent).order_by(table.c.id)
        with self.space.store.reading() as connection:
            return [row for row in connection.execute(query) if event is None or row.event == event]

    def gains(self, run: Run, agent: str = "tess") -> dict[str, int]:
        """What a run gave the agent, by rule."""
        found: dict[str, int] = {}
        for event in self.events("xp_gain", agent):
            if event.run_id == run.run_id:
                found[event.rule] = found.get(event.rule, 0) + event.xp
        return found

    def block(self, agent: str = "tess", task: str | None = None) -> str:
        """What the agent would be given in its prompt."""
        self.flush()
        return self.space.preview(agent, task).text

    def dump(self) -> Mapping[str, list[tuple[Any, ...]]]:
        """All of growth's tables."""
        self.flush()
        with self.space.store.reading() as connection:
            return {table.name: sorted(map(tuple, connection.execute(select(table)))) for table in TABLES}

    def assert_live_is_rebuilt(self) -> None:
        """The tables are those that learning everything again gives."""
        live = self.dump()
        self.space.service.rebuild()
        assert self.dump() == live


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """Starts an application; it is closed at the end of the test."""
    made: list[Desk] = []

    def start(**settings: Any) -> Desk:
        made.append(Desk(tmp_path / f"home{len(made)}", **settings))
        return made[-1]

    yield start
    for each in made:
        each.space.close()
