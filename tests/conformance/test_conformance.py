"""Every adapter records the same tales as the same events, sync, async and streamed, and disturbs none of them.

Each tale is played without seasoned first, then with it: the application must see the same, and the record must be what
the tale expects, whichever framework played it.

To add a framework, write a driver ``play_NAME.py`` beside this file: one function ``play(mode, tale)`` that builds the
planner, the worker with its tools and the bank, the user who is asked, and the reviewer, lets each model do what the
tale says, and returns what the application sees at the end. Name it in ``drivers.py`` with what it can do. No tale and
no expected list is touched; what the framework honestly cannot do is left out of its modes and abilities.
"""

from __future__ import annotations

import asyncio
import os
import sys
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import seasoned
from seasoned.instrumentation import reading
from seasoned.plugin import runtime

if TYPE_CHECKING:
    from collections.abc import Iterator

sys.path.insert(0, str(Path(__file__).parent))
import endings
import story
from drivers import DRIVERS, player

TALES = [story.STORY, *endings.ENDINGS]

EVERY = [
    pytest.param(framework, mode, tale, id=f"{framework}-{mode}-{tale.name.replace(' ', '_')}")
    for framework, driver in DRIVERS.items()
    for mode in driver.modes
    for tale in TALES
    if tale.needs <= driver.abilities and mode in (tale.modes or driver.modes)
]

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


@pytest.mark.parametrize(("framework", "mode", "tale"), EVERY)
def test_it_is_recorded_as_everywhere_and_the_application_sees_no_difference(
    framework: str, mode: str, tale: story.Tale, home: Path
) -> None:
    play = player(framework)

    assert runtime.get() is None
    plain, _ = _seen(play, mode, tale)
    seasoned.enable(home=str(home), namespace="story", roster="agents.toml", summary=False)
    active: Any = runtime.get()
    seen, run_id = _seen(play, mode, tale)

    assert seen == plain
    assert (tale.raises or story.END) in str(seen)
    assert _told(active, run_id, DRIVERS[framework].asker or tale.asks) == tale.expected
    assert dict(active.guard.failures) == {}
    if tale.image:
        _is_nowhere(tale.image, home)


def _seen(play: Any, mode: str, tale: story.Tale) -> tuple[list[Any], str]:
    """What the application gets, or what is raised and the first line of its text: AgentChat adds tracebacks."""
    run_id = ""
    try:
        with seasoned.run() as run:
            run_id = run.run_id
            seen = play(mode, tale)
            run.outcome(success=True)
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  whatever it is, it must be the same
        return [type(error).__name__, str(error).partition("\n")[0]], run_id
    return seen, run_id


def _told(active: Any, run_id: str, asker: str) -> story.Told:
    assert seasoned.flush().error is None
    with active.service.store.reading() as connection:
        events = list(reading.tree_events(connection, run_id))
        runs = reading.runs(connection)
    assert {event.run_id for event in events} == {run.run_id for run in runs}, "there is a run that belongs to no other"
    assert {run.status for run in runs} == {"finished"}
    return story.told(run_id, events, runs, asker)


def _is_nowhere(image: bytes, home: Path) -> None:
    encoded = b64encode(image)
    pieces = [encoded[at : at + 40] for at in range(0, len(encoded) - 40, 40)]
    for path in home.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not [piece for piece in pieces if piece in content], path
