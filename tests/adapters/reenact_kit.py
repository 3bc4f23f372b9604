"""What the tests that play recorded runs share: where the runs are, recording while they are played, and made ones."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from seasoned import testing
from seasoned.plugin import runtime

if TYPE_CHECKING:
    from collections.abc import Iterator

    from seasoned.adapters.recorded import RecordedRun

ROOT = Path(__file__).parents[2]
DATA = ROOT / "plugin" / "data"
SHARED = ROOT.parent / "shared" / "data"


def bundled(name: str) -> list[RecordedRun]:
    return list(testing.read([DATA / f"runs_tau_{name}.jsonl.gz"]))


def shared(name: str, step: int, most: int) -> list[RecordedRun]:
    path = SHARED / f"{name}.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"{path} is not here: recorded runs that may not be copied are tested only where they lie")
    return list(islice((run for run in testing.read([path]) if run.messages), 0, step * most, step))


@pytest.fixture(name="recording")
def switched_on(tmp_path: Path) -> Iterator[runtime.Runtime]:
    """Recording, as an application switches it on; whatever of ours fails meanwhile fails the test."""
    runtime.disable()
    active = runtime.enable(home=str(tmp_path / "home"), namespace="test", summary=False)
    assert active is not None
    yield active
    failures = dict(active.guard.failures)
    runtime.disable()
    assert failures == {}


# -- runs made for the purpose ---------------------------------------------------------------------------------------


def made(*messages: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"run_id": "made", "messages": list(messages), "domain": "shop", **changes}


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "agent": "customer", "content": text}


def says(text: str | None, *calls: dict[str, Any], agent: str = "helper") -> dict[str, Any]:
    told = {"tool_calls": list(calls)} if calls else {}
    return {"role": "assistant", "agent": agent, "content": text, **told}


def answer(tool: str, call_id: str, content: str, agent: str = "shop") -> dict[str, Any]:
    return {"role": "tool", "agent": agent, "content": content, "tool_name": tool, "tool_call_id": call_id}


def call(tool: str, call_id: str, **arguments: Any) -> dict[str, Any]:
    return {"id": call_id, "name": tool, "arguments": arguments}
