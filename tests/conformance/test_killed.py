"""A process that is killed in the middle of the story loses nothing of what had happened by then."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from seasoned.instrumentation import reading
from seasoned.plugin.config import Config
from seasoned.plugin.runtime import Workspace

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import story  # noqa: E402  they lie beside this test
from drivers import DRIVERS, player  # noqa: E402

PROGRAM = """
import os, signal, sys
sys.path[:0] = [sys.argv[1]]
import story  # noqa: E402  lies beside this test

def refund(order: str) -> str:
    "Refund an order."
    os.kill(os.getpid(), signal.SIGKILL)

story.STORY.tools["refund"] = refund
import importlib
import seasoned
play = importlib.import_module("play_" + sys.argv[2]).play
seasoned.enable(home="home", namespace="story", summary=False, inject=False)
with seasoned.run() as run:
    play(sys.argv[3], story.STORY)
"""
LAST = story.STORY.expected.index(("call", "worker", "refund", story.ORDER))


@pytest.mark.parametrize(("framework", "mode"), [(framework, driver.modes[0]) for framework, driver in DRIVERS.items()])
def test_killed_within_a_tool(framework: str, mode: str, tmp_path: Path) -> None:
    player(framework)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SEASONED_")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(HERE), framework, mode], cwd=tmp_path, capture_output=True, text=True,
        env={**clean, "PYTHONPATH": str(HERE.parents[1])}, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    workspace = Workspace(Config(home=str(tmp_path / "home"), namespace="story"))
    try:
        assert workspace.flush(60).error is None
        with workspace.store.reading() as connection:
            runs = reading.runs(connection)
            (outermost,) = (run.run_id for run in runs if run.parent_run_id is None)
            asker = DRIVERS[framework].asker or story.STORY.asks
            found = story.told(outermost, reading.tree_events(connection, outermost), runs, asker)
    finally:
        workspace.close(flush=False)
    assert found == [line for line in story.STORY.expected[: LAST + 1] if line[0] != "given"]
