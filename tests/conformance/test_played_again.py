"""Every tale, recorded once, is played again by the same application with nothing but the recorded answers."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import seasoned
from seasoned import replay

if TYPE_CHECKING:
    from collections.abc import Iterator

    import story

sys.path.insert(0, str(Path(__file__).parent))
from drivers import player
from test_conformance import EVERY


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    yield tmp_path / "home"
    seasoned.disable()


LEFT_OUT = {
    # A client that returns no result at all is recorded as one that says nothing, which the framework takes.
    "agentchat": ("a model answers",),
    # What was cancelled from outside comes from the tool's inside again, which the framework tells apart.
    "langgraph": ("cancelled",),
}
"""Tales whose record does not say enough for a framework, by how their names begin."""

PLAYABLE = [
    given
    for given in EVERY
    if not str(given.values[2].name).startswith(LEFT_OUT.get(str(given.values[0]), ("-",)))  # type: ignore[union-attr]
]


@pytest.mark.parametrize(("framework", "mode", "tale"), PLAYABLE)
def test_it_is_the_same_again(framework: str, mode: str, tale: story.Tale, home: Path) -> None:
    play = player(framework)

    def application() -> Any:
        with seasoned.run() as run:
            seen = play(mode, tale)
            run.outcome(success=True)
        return seen

    seasoned.enable(home=str(home), namespace="story", inject=False, summary=False)
    try:
        seen: Any = application()
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  as in test_conformance
        seen = error
    seasoned.disable()
    with replay.load("last", home=home) as original:
        execution = original.execute(application)
        told = [pair.changes for pair in execution.difference.pairs if not pair.same] if execution.difference else None
        assert execution.identical, (execution.summary, told, execution.error)
        assert execution.prompt_changes == []
        if isinstance(seen, BaseException):
            assert type(execution.error).__name__ == type(seen).__name__
        elif mode != "stream":  # which comes in one piece
            assert str(execution.value) == str(seen)
