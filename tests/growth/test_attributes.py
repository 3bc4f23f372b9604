"""The eight traits: what moves each, how far, and that they stay between 0 and 1."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seasoned.growth.attributes import MODIFIERS, TRAITS, Change, Task, drift, starting
from seasoned.growth.rules import Rules

RULES = Rules()
NOTHING = Task(
    success=True, failed=False, complexity="low", fast=False, escalated=True, cross=False, novel=False, bold=False,
    failures=0,
)  # fmt: skip
FAILED = NOTHING._replace(success=False, failed=True)


def moved(task, rules=RULES, **start):
    """Which traits a task moves from where they stand: by how much, and by which rule."""
    traits = starting(start)
    before = dict(traits)
    changes = drift(traits, task, rules)
    assert all(change.value == traits[change.trait] or change.trait == "resilience" for change in changes)
    assert {name for name in TRAITS if traits[name] != before[name]} <= {change.trait for change in changes}
    return {name: (round(traits[name] - before[name], 6), [c.rule for c in changes if c.trait == name])
            for name in TRAITS if traits[name] != before[name]}  # fmt: skip


def test_there_are_eight_and_each_has_words_for_the_prompt():
    assert len(TRAITS) == 8
    assert list(MODIFIERS) == list(TRAITS)
    assert starting() == dict.fromkeys(TRAITS, 0.5)
    assert starting({"caution": 0.2})["caution"] == 0.2


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (NOTHING, {}),
        (NOTHING._replace(complexity="medium"), {}),
        (NOTHING._replace(complexity="high"),
         {"thoroughness": (0.01, ["complex_success"]), "resilience": (0.01, ["complex_success"])}),
        (NOTHING._replace(complexity="critical"),
         {"thoroughness": (0.01, ["complex_success"]), "resilience": (0.01, ["complex_success"])}),
        (NOTHING._replace(fast=True), {"speed": (0.01, ["fast_completion"])}),
        (NOTHING._replace(escalated=False), {"independence": (0.01, ["no_escalation"])}),
        (NOTHING._replace(cross=True), {"collaboration": (0.01, ["cross_department"])}),
        (NOTHING._replace(novel=True),
         {"creativity": (0.01, ["novel_problem"]), "curiosity": (0.01, ["novel_problem"])}),
        (NOTHING._replace(failures=2), {}),
        (NOTHING._replace(failures=3), {"resilience": (0.03, ["success_after_failures"])}),
        (NOTHING._replace(failures=9, complexity="high"),
         {"thoroughness": (0.01, ["complex_success"]),
          "resilience": (0.04, ["complex_success", "success_after_failures"])}),
        (NOTHING._replace(bold=True), {"caution": (-0.01, ["bold_success"])}),
        (FAILED, {"caution": (0.01, ["failure"])}),
        (FAILED._replace(failed=False), {}),
        (FAILED._replace(fast=True, escalated=False, cross=True, novel=True, bold=True, failures=5, complexity="high"),
         {"caution": (0.01, ["failure"])}),
    ],
)  # fmt: skip
def test_what_a_task_moves(task, expected):
    assert moved(task) == expected


def test_the_numbers_are_those_of_the_rules():
    rules = Rules(drift=0.05, resilience_after=1, resilience_factor=2)
    assert moved(NOTHING._replace(failures=1), rules) == {"resilience": (0.1, ["success_after_failures"])}
    assert moved(NOTHING._replace(novel=True, bold=True), Rules(drift=0.0)) == {}


@pytest.mark.parametrize(("start", "end"), [(1.0, 1.0), (0.995, 1.0), (0.99, 1.0), (0.98, 0.99)])
def test_a_trait_stops_at_one(start, end):
    traits = starting({"caution": start})
    changes = drift(traits, FAILED, RULES)
    assert traits["caution"] == end
    assert changes == ([Change("caution", end, "failure")] if end != start else [])


@pytest.mark.parametrize(("start", "end"), [(0.0, 0.0), (0.004, 0.0), (0.01, 0.0), (0.02, 0.01)])
def test_a_trait_stops_at_nothing(start, end):
    traits = starting({"caution": start})
    changes = drift(traits, NOTHING._replace(bold=True), RULES)
    assert traits["caution"] == end
    assert changes == ([Change("caution", end, "bold_success")] if end != start else [])


def test_nothing_returns_to_the_middle_by_default():
    assert moved(NOTHING, caution=0.9, speed=0.1) == {}


def test_what_a_task_did_not_exercise_returns_to_the_middle_and_never_past_it():
    rules = Rules(attribute_return=0.002)
    start = {"caution": 0.9, "speed": 0.1, "creativity": 0.501, "curiosity": 0.4995}
    assert moved(FAILED, rules, **start) == {
        "caution": (0.01, ["failure"]),
        "speed": (0.002, ["return"]),
        "creativity": (-0.001, ["return"]),
        "curiosity": (0.0005, ["return"]),
    }
    assert moved(FAILED, rules, caution=1.0) == {}  # exercised, though there was nowhere to go


TASKS = st.builds(
    Task, success=st.booleans(), failed=st.booleans(), complexity=st.sampled_from(["low", "high"]), fast=st.booleans(),
    escalated=st.booleans(), cross=st.booleans(), novel=st.booleans(), bold=st.booleans(), failures=st.integers(0, 5),
)  # fmt: skip
PARTS = st.integers(0, 10**6).map(lambda millionths: millionths / 10**6)


@given(st.lists(TASKS, max_size=30), PARTS, PARTS, st.dictionaries(st.sampled_from(TRAITS), PARTS))
def test_traits_stay_between_nothing_and_one_with_six_places_and_each_change_is_told(tasks, step, back, start):
    rules = Rules(drift=step, attribute_return=back)
    traits = starting(start)
    for task in tasks:
        before = dict(traits)
        told = {change.trait: change.value for change in drift(traits, task, rules)}
        assert {**before, **told} == traits
        for value in traits.values():
            assert 0 <= value <= 1
            assert round(value, 6) == value


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_the_return_ends_in_the_middle(start, back):
    traits = starting(dict.fromkeys(TRAITS, float(start) / 1e6))
    rules = Rules(attribute_return=back / 10**6)
    away = abs(traits["speed"] - 0.5)
    drift(traits, NOTHING, rules)
    assert abs(traits["speed"] - 0.5) == pytest.approx(max(0.0, away - back / 10**6), abs=1e-9)
    assert (traits["speed"] - 0.5) * (start / 10**6 - 0.5) >= 0
