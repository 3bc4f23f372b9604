"""How one run changes an agent, and how it is undone."""

from __future__ import annotations

import copy

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seasoned.growth.abilities import AbilityTable, abilities_of
from seasoned.growth.applying import DURATIONS_KEPT, apply_run, roll_back
from seasoned.growth.awards import Shares
from seasoned.growth.facts import Facts
from seasoned.growth.profiles import public
from seasoned.growth.roster import EXAMPLE, Roster, load_roster, roster_from
from seasoned.growth.rules import Rules
from seasoned.growth.skills import Contribution, GroupRecord, Use, new_profile
from seasoned.growth.slugs import title_of

RULES = Rules()
EMPTY = Roster()
SPEC = load_roster(EXAMPLE)
TABLE = AbilityTable(abilities_of(SPEC))


def work(number=1, *, success=True, skills=("debugging",), complexity="medium", domain="code", agent="tess", **facts):
    uses = tuple(Use(name, 1, title_of(name), domain) for name in skills)
    return Contribution(
        f"r{number:03}", agent, "app", 1, uses, number, success, complexity, domain, facts=Facts(**facts)
    )


def apply(profile, contribution, award=None, *, roster=EMPTY, table=TABLE, rules=RULES):
    if award is None:
        award = rules.award(success=contribution.success, complexity=contribution.complexity)
    return apply_run(profile, contribution, Shares(award), rules, table, roster)


def fresh(agent="tess", roster=EMPTY):
    return new_profile("app", agent, roster, RULES, TABLE)


@pytest.mark.parametrize(
    ("level", "threshold"),
    [(2, 100), (3, 250), (4, 500), (5, 1000), (6, 2000), (7, 4000), (8, 7000), (9, 11_000), (10, 16_000)],
)
def test_level_ups_come_at_the_thresholds(level, threshold):
    profile = fresh()
    apply(profile, work(1, success=False), threshold - 1)
    assert profile.skills["debugging"].level == level - 1
    apply(profile, work(2, success=False), 1)
    assert profile.skills["debugging"].level == level
    assert profile.agent_level == level


def test_one_award_can_cross_several_levels_and_tells_each():
    profile = fresh()
    events, _ = apply(profile, work(1, skills=("pytest",), success=False), 1000)
    told = [(event.event, event.xp, event.new_level, event.ability, event.rule) for event in events[:7]]
    assert told == [
        ("xp_gain", 1000, None, None, "task_failed"),
        ("level_up", None, 2, None, "level_thresholds"),
        ("level_up", None, 3, None, "level_thresholds"),
        ("ability_unlock", None, 3, "Writes targeted tests, not shotgun coverage", "abilities"),
        ("level_up", None, 4, None, "level_thresholds"),
        ("level_up", None, 5, None, "level_thresholds"),
        ("ability_unlock", None, 5, "Can refactor test architecture without breaking suite", "abilities"),
    ]
    assert [(event.event, event.new_level) for event in events[7:11]] == [("agent_level_up", n) for n in (2, 3, 4, 5)]
    assert [(event.event, event.attribute) for event in events[11:]] == [("attribute_change", "caution")]
    assert {(event.run_id, event.at) for event in events} == {("r001", 1)}
    assert {event.skill for event in events} == {"pytest", ""}
    assert profile.skills["pytest"].abilities == TABLE.up_to("pytest", 5)
    assert profile.events == len(events)


def test_an_ability_of_level_one_comes_with_the_first_use():
    profile = fresh()
    table = AbilityTable(roster=roster_from({"abilities": {"debugging": {"1": ["Begins"]}}}).abilities)
    events, _ = apply(profile, work(), table=table)
    assert events[0].event == "ability_unlock"
    assert profile.skills["debugging"].abilities == ["Begins"]


def test_a_starting_level_counts_until_xp_reach_a_higher_one():
    profile = fresh("Ira", SPEC)
    skill = profile.skills["vps_management"]
    assert (skill.level, skill.xp) == (3, 220)
    events, _ = apply(profile, work(1, skills=("vps_management",), success=False, agent="Ira"), 279, roster=SPEC)
    assert (skill.level, skill.xp) == (3, 499)
    assert "level_up" not in {event.event for event in events}
    apply(profile, work(2, skills=("vps_management",), success=False, agent="Ira"), 1, roster=SPEC)
    assert skill.level == 4
    assert (profile.total_xp, profile.agent_level) == (280, 3)  # without the 220 that it started with


def test_an_agents_part_is_divided_over_its_skills_without_loss():
    profile = fresh()
    apply(profile, work(1, skills=("a", "b", "c"), success=False), 10)
    assert {name: skill.xp for name, skill in profile.skills.items()} == {"a": 4, "b": 3, "c": 3}
    assert profile.total_xp == 10


def test_specialization_is_the_domain_of_most_successful_work_and_its_history_is_kept():
    profile = fresh()
    told = []
    for contribution, award in (
        (work(1, domain="testing", skills=("pytest",), success=False), 900),
        (work(2, domain="debugging"), 45),
        (work(3, domain="testing", skills=("pytest",)), 500),
    ):
        events, _ = apply(profile, contribution, award)
        told.append([(event.skill, event.title) for event in events if event.event == "specialization"])
    assert told == [
        [],
        [("debugging", "Junior Debugging Specialist")],
        [("testing", "Senior Testing Specialist")],
    ]
    assert (profile.specialization, profile.title) == ("testing", "Senior Testing Specialist")


def test_equal_domains_are_decided_by_name():
    profile = fresh()
    apply(profile, work(1, domain="beta", skills=("b",)))
    apply(profile, work(2, domain="alpha", skills=("a",)))
    assert profile.specialization == "alpha"


def test_a_starting_title_lasts_for_the_first_level_of_work():
    profile = fresh("Tess", SPEC)
    assert (profile.title, profile.specialization) == ("Test Engineer", "Test Reliability")
    debugging = work(1, skills=("failure_analysis",), domain="debugging", agent="Tess")
    apply(profile, debugging, 99, roster=SPEC)
    assert profile.title == "Test Engineer"
    apply(profile, debugging, 1, roster=SPEC)
    assert (profile.title, profile.specialization) == ("Debugging Specialist", "debugging")


def test_a_master_has_a_title():
    profile = fresh()
    apply(profile, work(), 16_000)
    assert profile.skills["debugging"].level == 10
    assert profile.title == "Master Code Engineer"
    shown = public(profile, RULES)["skills"][0]
    assert (shown["level"], shown["xp_to_next"]) == (10, 0)


def test_a_streak_of_successes_is_broken_by_a_failure():
    profile = fresh()
    for number, success in enumerate([True, True, False, True], 1):
        apply(profile, work(number, success=success))
    assert (profile.runs, profile.runs_succeeded, profile.success_streak) == (4, 3, 1)


def test_failures_of_others_are_no_row_of_ones_own():
    profile = fresh()
    rows = []
    for number, (success, fault) in enumerate([(False, None), (False, True), (False, False), (True, None)], 1):
        apply(profile, work(number, success=success, fault=fault))
        rows.append(profile.failure_streak)
    assert rows == [1, 2, 2, 0]


def test_calm_counts_solved_tasks_and_starts_anew_with_an_escalated_one():
    profile = fresh()
    calm = []
    for number, (success, escalated) in enumerate(
        [(True, False), (True, False), (False, False), (True, False), (True, True), (True, False), (False, True)], 1
    ):
        apply(profile, work(number, success=success, escalated=escalated))
        calm.append(profile.calm_streak)
    assert calm == [1, 2, 2, 3, 0, 1, 0]


def test_a_skill_remembers_its_newest_three_runs():
    profile = fresh()
    for number in range(1, 6):
        apply(profile, work(number))
    assert profile.skills["debugging"].last_runs == ["r005", "r004", "r003"]
    assert profile.skills["debugging"].last_used == 5


def test_a_kind_of_task_remembers_how_often_and_how_long_the_newest_successes_took():
    profile = fresh()
    for number in range(1, 13):
        apply(profile, work(number, group="g", duration_ms=number))
    apply(profile, work(13, group="g", duration_ms=99, success=False))
    apply(profile, work(14, group="g", duration_ms=0))
    apply(profile, work(15))
    assert profile.groups == {"g": GroupRecord(14, 13, list(range(4, 13)))}
    assert len(profile.groups["g"].durations) == DURATIONS_KEPT


SPEED = [
    ([100, 100], 75, False),  # too few to tell
    ([100, 100, 100], 75, True),
    ([100, 100, 100], 76, False),
    ([100, 100, 100, 1000], 75, True),  # of an even number the lower middle one
    ([1, 100, 100, 1000, 1000], 75, True),
    ([100, 100, 100], 0, False),  # not known
]


@pytest.mark.parametrize(("before", "took", "fast"), SPEED)
def test_fast_is_told_by_the_agents_own_last_successes_of_the_same_kind(before, took, fast):
    profile = fresh()
    for number, duration in enumerate(before):
        apply(profile, work(number, group="g", duration_ms=duration))
    speed = profile.attributes["speed"]
    apply(profile, work(50, group="other", duration_ms=1))
    assert profile.attributes["speed"] == speed
    apply(profile, work(51, group="g", duration_ms=took))
    assert profile.attributes["speed"] == round(speed + 0.01 * fast, 6)


@pytest.mark.parametrize("said", [True, False])
def test_what_the_outcome_says_goes_before_what_is_derived(said):
    profile = fresh()
    apply(profile, work(1, complexity="critical", group="g", duration_ms=5, fast=said, novel=said, bold=said))
    moved = {name for name in ("speed", "creativity", "curiosity", "caution") if profile.attributes[name] != 0.5}
    assert moved == ({"speed", "creativity", "curiosity", "caution"} if said else set())


def test_the_first_task_of_a_kind_is_new_with_or_without_success_and_bold_if_hard():
    profile = fresh()
    apply(profile, work(1, group="a", success=False))
    apply(profile, work(2, group="a", complexity="high"))
    assert (profile.attributes["creativity"], profile.attributes["caution"]) == (0.5, 0.51)
    apply(profile, work(3, group="b", complexity="high"))
    assert (profile.attributes["creativity"], profile.attributes["caution"]) == (0.51, 0.5)
    apply(profile, work(4, group=None, complexity="high"))
    assert (profile.attributes["creativity"], profile.attributes["caution"]) == (0.51, 0.5)


YES_NO = st.sampled_from([None, True, False])
FACTS = st.fixed_dictionaries({
    "group": st.sampled_from([None, "g", "h"]),
    "duration_ms": st.integers(0, 3),
    "escalated": st.booleans(),
    "cross": st.booleans(),
    "fast": YES_NO,
    "novel": YES_NO,
    "bold": YES_NO,
    "fault": YES_NO,
})  # fmt: skip
WORKS = st.lists(
    st.builds(
        lambda facts, **how: work(agent="Tess", **how, **facts),
        facts=FACTS,
        success=st.booleans(),
        skills=st.lists(st.sampled_from(["pytest", "vps_management", "x", "y"]), min_size=1, unique=True).map(tuple),
        complexity=st.sampled_from(["low", "medium", "high", "critical"]),
        domain=st.sampled_from(["one", "two"]),
    ),
    max_size=12,
)
SHARES = st.builds(
    Shares,
    award=st.integers(0, 3000),
    first=st.integers(0, 20),
    repeat=st.integers(0, 5),
    helped=st.integers(0, 15),
    cached=st.integers(0, 5),
    praise=st.integers(0, 60),
    complaint=st.integers(0, 60),
)


@settings(deadline=None)
@given(WORKS, st.lists(SHARES, min_size=12, max_size=12), st.sampled_from([0.0, 0.004]))
def test_every_run_can_be_undone_and_xp_never_fall(works, parts, back):
    rules = Rules(attribute_return=back)
    profile = fresh("Tess", SPEC)
    states, befores = [], []
    for contribution, part in zip(works, parts, strict=False):
        states.append(copy.deepcopy(profile))
        xp, level = profile.total_xp, profile.agent_level
        skills = {name: skill.xp for name, skill in profile.skills.items()}
        events, before = apply_run(profile, contribution, part, rules, TABLE, SPEC)
        befores.append(before)
        assert profile.total_xp >= xp >= 0
        assert profile.agent_level >= level
        assert profile.agent_level == rules.level(profile.total_xp)
        assert profile.total_xp == xp + sum(event.xp or 0 for event in events if event.event == "xp_gain")
        for name, skill in profile.skills.items():
            assert skill.level == max(skill.starting_level, rules.level(skill.xp))
            assert skill.xp >= skills.get(name, 0)
            assert skill.xp >= skill.success_xp + skill.starting_xp
            assert skill.abilities == TABLE.up_to(name, skill.level)
        assert all(0 <= value <= 1 and round(value, 6) == value for value in profile.attributes.values())
    for state, before in zip(reversed(states), reversed(befores), strict=True):
        roll_back(profile, before)
        assert msgspec.to_builtins(profile) == msgspec.to_builtins(state)
