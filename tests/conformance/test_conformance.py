"""Every adapter records the same story as the same events, sync, async and streamed."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import seasoned
from seasoned.plugin import runtime

if TYPE_CHECKING:
    from collections.abc import Iterator

sys.path.insert(0, str(Path(__file__).parent))
import story

PLAYS = {
    "classic": ("autogen", ("sync", "async")),
    "agentchat": ("autogen_agentchat", ("async", "stream")),
    "langgraph": ("langgraph", ("sync", "async", "stream")),
}
"""Frameworks: what must be installed, and the ways in which the story can be played."""

EVERY = [(framework, mode) for framework, (_, modes) in PLAYS.items() for mode in modes]

ROSTER = "\n".join(
    f'[agents.{name}.skills.care]\nname = "Care"\ndomain = "desk"\nlevel = 3\nxp = 240\n' for name in story.AGENTS
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("SEASONED_"):
            monkeypatch.delenv(name)
    (tmp_path / "agents.toml").write_text(ROSTER)
    yield tmp_path / "home"
    seasoned.disable()


@pytest.mark.parametrize(("framework", "mode"), EVERY)
def test_the_story_is_recorded_as_every_other_adapter_records_it(framework: str, mode: str, home: Path) -> None:
    play, active = _ready(framework, home)
    with seasoned.run() as run:
        play(mode)
        run.outcome(success=True)
    assert seasoned.flush().error is None
    assert story.lines(active.service.events_of(run.run_id)) == story.EXPECTED
    assert dict(active.guard.failures) == {}


@pytest.mark.parametrize(("framework", "mode"), EVERY)
def test_a_model_that_raises_is_recorded_alike_and_the_application_sees_its_exception(
    framework: str, mode: str, home: Path
) -> None:
    play, active = _ready(framework, home)
    opened: list[Any] = []
    with pytest.raises(Exception, match=story.BROKEN) as caught, seasoned.run() as run:  # noqa: PT012
        opened.append(run)
        play(mode, breaks=True)
    assert "Broken" in caught.exconly()
    assert seasoned.flush().error is None
    assert story.lines(active.service.events_of(opened[0].run_id)) == story.EXPECTED_WHEN_BROKEN
    assert dict(active.guard.failures) == {}


def _ready(framework: str, home: Path) -> tuple[Any, Any]:
    if importlib.util.find_spec(PLAYS[framework][0]) is None:
        pytest.skip(f"{PLAYS[framework][0]} is not installed here")
    play: Any = importlib.import_module(f"play_{framework}").play
    seasoned.enable(home=str(home), namespace="story", roster="agents.toml", summary=False)
    return play, runtime.get()
