"""A pytest fixture: does changed code still do what was recorded?

::

    def test_refunds(replayed):
        replayed("tests/runs/refund.jsonl", app.main)        # fails with the first difference

Name it in the ``conftest.py``: ``pytest_plugins = ["seasoned.plugin.pytest_replay"]``. It is not found by itself,
because an installed package should not join every run of pytest. Files are made with ``seasoned export RUN --to FILE``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .rerun import Execution


@pytest.fixture
def replayed() -> Iterator[Callable[..., Execution]]:
    """Plays a recorded run through an application and fails the test where it departs.

    Arguments of what it gives: the run (a file, an id or a :class:`.replay.Replay`), the application (a callable or a
    script), and those of :func:`.rerun.execute`; ``prompts=True`` also fails where a model is asked something else.
    It returns the :class:`.rerun.Execution`.
    """
    from . import replay

    opened: list[replay.Replay] = []

    def play(run: str | Path | replay.Replay, app: Any, *, prompts: bool = False, **options: Any) -> Execution:
        original = run if isinstance(run, replay.Replay) else replay.load(run)
        if original is not run:
            opened.append(original)
        execution = original.execute(app, **options)
        if not execution.forked and (not execution.identical or (prompts and execution.prompt_changes)):
            from .cli.executing import difference_lines

            lines = "\n".join(difference_lines(execution))
            pytest.fail(f"{execution.summary}\n{lines}", pytrace=False)
        return execution

    yield play
    for replayed_run in opened:
        replayed_run.close()
