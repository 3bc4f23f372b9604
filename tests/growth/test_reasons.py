"""Each line of an agent's block can be asked for its reason: the figures, and the events that they go back to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from seasoned.growth import ledger
from seasoned.growth.abilities import AbilityTable
from seasoned.growth.facts import Facts
from seasoned.growth.ledger import Book
from seasoned.growth.plugin import GrowthPlugin
from seasoned.growth.roster import roster_from
from seasoned.growth.rules import Rules
from seasoned.growth.skills import Contribution, Use
from seasoned.growth.tables import skill_events
from seasoned.instrumentation.guard import Guard
from seasoned.instrumentation.reading import RunRecord
from seasoned.instrumentation.store import Store

ROSTER = roster_from({
    "agents": {
        "ann": {
            "attributes": {"caution": 0.9},
            "skills": {"alpha": {"domain": "one", "level": 3, "xp": 260}},
        }
    },
    "abilities": {"alpha": {"3": ["Alpha at three"], "4": ["Alpha at four"]}},
})  # fmt: skip


@pytest.fixture
def store(tmp_path):
    made = Store(f"sqlite:///{tmp_path / 'growth.db'}")
    made.prepare()
    yield made
    made.dispose()


def learn(store, count, *, drift=0.05):
    book = Book(Rules(drift=drift), ROSTER, AbilityTable(roster=ROSTER.abilities))
    for number in range(1, count + 1):
        run = RunRecord(run_id=f"r{number}", session_id="s", namespace="app")
        use = Use("alpha", 1, "Alpha", "one")
        facts = Facts(group=f"g{number}")
        work = Contribution(run.run_id, "ann", "app", 1, (use,), number, True, "medium", facts=facts)
        with store.writing() as connection:
            ledger.learn(connection, book, Guard(), run, [work])


def reasons(store):
    plugin = GrowthPlugin("app", ROSTER)
    with store.reading() as connection:
        plugin.store_changed(connection=connection)
        run: Any = SimpleNamespace(namespace="app")
        lines = [line for section in plugin.prompt_sections(run=run, agent="ann") for line in section.text.split("\n")]
        found = plugin.prompt_reasons(namespace="app", agent="ann", connection=connection)
        known = {row.id: row for row in connection.execute(skill_events.select())}
    assert set(found) == {line for line in lines if line.startswith("- ")}
    for reason in found.values():
        assert [event["id"] for event in reason.events] == sorted({event["id"] for event in reason.events})
        for event in reason.events:
            row = known[event["id"]]
            assert (row.event, row.rule, row.run_id, row.at) == tuple(
                event[k] for k in ("event", "rule", "run_id", "at")
            )
    return found


def test_before_the_first_run_the_roster_is_the_reason(store):
    found = reasons(store)
    assert found["- alpha L3: Alpha at three"].why.endswith("the roster starts the skill at 3")
    assert found["- You err on the side of safety. Flag risks before acting."].why == (
        "caution is 0.9, above 0.7; the roster starts it there"
    )
    assert all(not reason.events for reason in found.values())


def test_lines_lead_to_the_events_that_made_them(store):
    learn(store, 8)
    found = reasons(store)
    unlocked = found["- alpha L4: Alpha at four"]
    assert unlocked.why.startswith("reaching level 4 unlocks it; now alpha: level 4 with")
    (level,) = unlocked.events
    assert (level["event"], level["new_level"], level["skill"]) == ("level_up", 4, "alpha")
    strength = found["- Alpha: Level 4 (about 100% success)"]
    assert [event["event"] for event in strength.events] == ["level_up", "xp_gain", "xp_gain", "xp_gain"]
    assert strength.events[-1]["run_id"] == "r8"
    trait = found["- You prefer solving problems yourself before asking for help."]
    assert trait.why == "independence is 0.9, above 0.7; moved by no_escalation 8 times"
    assert [(event["run_id"], event["value"]) for event in trait.events] == [("r5", 0.75), ("r8", 0.9)]
