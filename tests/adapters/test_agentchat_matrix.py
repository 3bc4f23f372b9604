"""Every conversation with and without the plugin, with ``run`` and ``run_stream``: an application sees the same."""

from __future__ import annotations

import json
import logging
import re

import pytest

pytest.importorskip("autogen_agentchat.teams")

from agentchat_kit import Driver, recorded
from agentchat_scenarios import SCENARIOS

BLOCK = '<experience agent="x">\nYOUR CURRENT ABILITIES:\n- do {it} well\n</experience>'
_PASSING = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00)?|0x[0-9a-f]+")
_ALONE = re.compile(r'\{"content": "", "type": "SystemMessage"\}, ')


def comparable(seen: object) -> str:
    """What was seen, without what differs from time to time, and as if nothing had been injected."""
    text = json.dumps(seen, default=str, sort_keys=True)
    block = json.dumps(BLOCK)[1:-1]
    text = text.replace("\\n\\n" + block, "").replace(block, "")
    return _PASSING.sub("~", _ALONE.sub("", text))


@pytest.fixture(autouse=True)
def quiet():
    """The framework logs what fails in a team."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("mode", ["run", "stream"])
@pytest.mark.parametrize("name", SCENARIOS)
async def test_an_application_sees_the_same(name, mode, tmp_path):
    play, driver = SCENARIOS[name], Driver(mode)
    plain = comparable(await play(driver))
    with recorded(tmp_path) as recording:
        recording.tap.compose = lambda _run, _agent: BLOCK
        watched = comparable(await play(driver))
        assert recording.events
    assert watched == plain
    assert comparable(await play(driver)) == plain


@pytest.mark.parametrize("name", SCENARIOS)
async def test_run_and_stream_record_the_same(name, tmp_path):
    outlines = []
    for mode in ("run", "stream"):
        with recorded(tmp_path / mode) as recording:
            await SCENARIOS[name](Driver(mode))
            outlines.append(_PASSING.sub("~", json.dumps(recording.outline())))
    assert outlines[0] == outlines[1]


@pytest.mark.parametrize("name", SCENARIOS)
async def test_every_run_that_begins_ends(name, tmp_path):
    with recorded(tmp_path) as recording:
        await SCENARIOS[name](Driver("run"))
        assert recording.runs
        for run in recording.runs:
            kinds = recording.kinds(run)
            assert kinds[0] == "run_started"
            assert kinds[-1] == "run_finished"
            assert kinds.count("run_started") == kinds.count("run_finished")
            assert kinds.count("tool_call") == kinds.count("tool_result")
            events = [event for event in recording.events if event.run_id == run.run_id]
            assert [event.seq for event in events] == list(range(len(events)))
