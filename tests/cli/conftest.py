"""What the tests of the command line share: the command, in this process or one of its own, and recorded runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from seasoned.instrumentation.guard import Guard
from seasoned.instrumentation.journal import Writer
from seasoned.instrumentation.recorder import Recorder
from seasoned.instrumentation.redaction import Redactor
from seasoned.plugin.cli.app import build

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).parents[2]
NAMESPACE = "shop"


@dataclass
class Answer:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """stdout as the one JSON document that it must be."""
        return json.loads(self.out)

    @property
    def line(self) -> str:
        """stderr as the one line that it must be."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        return lines[0]


@pytest.fixture(autouse=True)
def _settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("SEASONED_"):
            monkeypatch.delenv(name)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("SEASONED_NAMESPACE", NAMESPACE)
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def cli(home: Path) -> Callable[..., Answer]:
    """The command line in this process, with --home after the command's own arguments."""

    def call(command: str, *arguments: str, here: Path | None = home) -> Answer:
        place = [] if here is None else ["--home", str(here)]
        result = CliRunner().invoke(build(), [command, *place, *arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    return call


@pytest.fixture
def surroundings() -> dict[str, str]:
    """An environment in which a new process finds this package."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture
def program(surroundings: dict[str, str]) -> Callable[..., Answer]:
    """The command line as a process of its own."""

    def call(*arguments: str, cwd: Path | None = None, timeout: float = 60) -> Answer:
        done = subprocess.run(
            [sys.executable, "-m", "seasoned", *arguments],
            cwd=cwd, env=surroundings, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip
        return Answer(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture
def record(home: Path) -> Callable[..., str]:
    """Record a run through a journal of its own, as an application would that has ended; returns the run's id."""

    def run(
        task: str = "Refund order W123, please",
        *,
        success: bool | None = None,
        agents: Sequence[str] = ("customer", "desk"),
        domain: str | None = "retail",
        namespace: str = NAMESPACE,
        at: int | None = None,
        tool: str = "refund_order",
        answer: str = "Refunded.",
        place: Path = home,
        more: Sequence[str] = (),
    ) -> str:
        recorder = Recorder(Writer(place), Redactor(), Guard(), namespace=namespace)
        asking, working = agents[0], agents[-1]
        run = recorder.begin(framework="autogen", domain=domain, agents=agents, at=at)
        recorder.message(run, asking, [working], "user", task, by_user=True)
        run.turn = 1
        recorder.model_call(
            run, working,
            [{"role": "system", "content": "You are a clerk."}, {"role": "user", "content": task}],
            {"model": "gpt-4o", "usage": {"input_tokens": 12, "output_tokens": 5}, "cost_usd": 0.001, "duration_ms": 8},
            response="I look.",
        )  # fmt: skip
        recorder.record(run, "tool_call", working, {"tool": tool, "call_id": "c1", "arguments": {"order": "W123"}})
        recorder.record(run, "tool_result", working, {"tool": tool, "call_id": "c1", "ok": True, "content": "done"})
        for text in (answer, *more):
            recorder.message(run, working, [asking], "assistant", text)
        recorder.finish(run, "termination")
        if success is not None:
            run.outcome(success, quality=1.0 if success else 0.0)
        recorder.writer.close()
        return run.run_id

    return run
