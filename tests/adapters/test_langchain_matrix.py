"""What an application sees must not change: every scenario in every way, with the plugin and without."""

from __future__ import annotations

import re
from typing import Any

import pytest

pytest.importorskip("langgraph")
pytest.importorskip("langchain.agents")

from langchain_kit import BLOCK, Driver, Recording
from langchain_scenarios import SCENARIOS

_CHANGING = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{32}\b|0x[0-9a-f]{6,}"
    r"|\d{4}-\d\d-\d\dT[\d:.+]+|object at \S+"
)


class _Every(dict):
    """A block for every agent."""

    def get(self, agent: Any, default: Any = None) -> str:
        return BLOCK.format(agent)


def comparable(seen: Any) -> str:
    """What came of it without what differs from time to time: ids become their number in the order of appearance."""
    known: dict[str, str] = {}
    return _CHANGING.sub(lambda found: known.setdefault(found.group(), f"<{len(known)}>"), repr(seen))


@pytest.mark.parametrize("mode", Driver.MODES)
@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_changes(tmp_path, name, mode):
    off = comparable(SCENARIOS[name](Driver(mode)))
    recording = Recording(tmp_path / "home")
    recording.blocks = _Every()
    recording.start()
    try:
        on = comparable(SCENARIOS[name](Driver(mode)))
    finally:
        recording.stop()
    assert on == off
    assert recording.guard.failures == {}, recording.guard.last
    assert "<experience" not in on
    assert not recording.adapter.core
