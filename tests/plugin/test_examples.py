"""The examples run as they stand, offline, and record and learn what they promise."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from seasoned.instrumentation import reading
from seasoned.plugin.config import Config
from seasoned.plugin.runtime import Workspace
from seasoned.skills_lib.library import SkillLibrary

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
NEEDS = {"classic_chat": "autogen", "agentchat_team": "autogen_agentchat", "langgraph_agent": "langgraph"}


def test_there_is_one_for_each_framework() -> None:
    assert [path.stem for path in EXAMPLES] == sorted(NEEDS)
    assert all(len(path.read_text(encoding="utf-8").splitlines()) < 60 for path in EXAMPLES)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_runs_and_gives_what_it_has_learned(path: Path, tmp_path: Path) -> None:
    if importlib.util.find_spec(NEEDS[path.stem]) is None:
        pytest.skip(f"{NEEDS[path.stem]} is not installed here")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SEASONED_")}
    done = subprocess.run(
        [sys.executable, str(path)], cwd=tmp_path, env={**clean, "PYTHONPATH": str(ROOT)}, capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in path.read_text(encoding="utf-8").splitlines() if "seasoned.enable(" in line]
    namespace = line.split('namespace="')[1].split('"')[0]
    workspace = Workspace(Config(home=str(tmp_path / "example-home"), namespace=namespace))
    try:
        with workspace.store.reading() as connection:
            runs = reading.runs(connection, namespace=namespace)
            assert len(runs) == 5
            assert all(run.success and run.tool_calls == 2 and run.errors == 0 for run in runs)
            (injection,) = list(reading.events(connection, runs[0].run_id, kinds=("injection",)))
        assert "A PROCEDURE THAT WORKED" in injection.payload["text"]
        (template,) = SkillLibrary(workspace.store, namespace).templates()
        assert [step["tool"] for step in template.procedure] == ["get_order", "cancel_order"]
        assert template.metrics["given"] == 2
    finally:
        workspace.close(flush=False)
