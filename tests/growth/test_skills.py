"""How one run changes an agent, and how it is undone."""

from __future__ import annotations

import copy

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seasoned.growth.abilities import AbilityTable, abilities_of
from seasoned.growth.profiles import public
from seasoned.growth.roster import EXAMPLE, Roster, load_roster, roster_from
from seasoned.growth.rules import Rules
from seasoned.growth.skills import Contribution, Use, apply_run, new_profile, roll_back, slug, title_of

RULES = Rules()
EMPTY = Roster()
SPEC = load_roster(EXAMPLE)
TABLE = AbilityTable(abilities_of(SPEC))


def work(number=1, *, success=True, skills=("debugging",), complexity="medium", domain="code", agent="tess"):
    uses = tuple(Use(name, 1, title_of(name), domain) for name in skills)
    return Contribution(f"r{number:03}", agent, "app", 1, uses, number, success, complexity, domain)


def apply(profile, contribution, part=None, *, roster=EMPTY, table=TABLE, rules=RULES):
    if part is None:
        part = rules.award(success=contribution.success, complexity=contribution.complexity)
    return apply_run(profile, contribution, part, rules, table, roster)


def fresh(agent="tess", roster=EMPTY):
    return new_profile("app", agent, roster, RULES, TABLE)


@pytest.mark.parametrize(("complexity", "xp"), [("low", 10), ("medium", 25), ("high", 50), ("critical", 100)])
def test_a_success_gives_its_award_and_once_the_first_time_bonus(complexity, xp):
    profile = fresh()
    apply(profile, work(1, complexity=complexity))
    assert profile.total_xp == xp + 20
    apply(profile, work(2, complexity=complexity))
    assert profile.total_xp == 2 * xp + 20
    assert profile.skills["debugging"].xp == profile.total_xp


@pytest.mark.parametrize(("complexity", "xp"), [("low", 2), ("medium", 5), ("high", 10), ("critical", 15)])
def test_a_failure_gives_less_and_leaves_the_bonus_for_later(complexity, xp):
    profile = fresh()
    apply(profile, work(1, complexity=complexity, success=False))
    assert profile.total_xp == xp
    apply(profile, work(2))
    assert profile.total_xp == xp + 25 + 20
    skill = profile.skills["debugging"]
    assert (skill.times_used, skill.times_succeeded, skill.times_failed, skill.success_rate) == (2, 1, 1, 0.5)
    assert skill.success_xp == 45


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
    told = [(event.event, event.xp, event.new_level, event.ability, event.rule) for event in events]
    assert told == [
        ("xp_gain", 1000, None, None, "task_failed"),
        ("level_up", None, 2, None, "level_thresholds"),
        ("level_up", None, 3, None, "level_thresholds"),
        ("ability_unlock", None, 3, "Writes targeted tests, not shotgun coverage", "abilities"),
        ("level_up", None, 4, None, "level_thresholds"),
        ("level_up", None, 5, None, "level_thresholds"),
        ("ability_unlock", None, 5, "Can refactor test architecture without breaking suite", "abilities"),
    ]
    assert {(event.run_id, event.skill, event.at) for event in events} == {("r001", "pytest", 1)}
    assert profile.skills["pytest"].abilities == TABLE.up_to("pytest", 5)
    assert profile.events == 7


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
    assert [event.event for event in events] == ["xp_gain"]
    apply(profile, work(2, skills=("vps_management",), success=False, agent="Ira"), 1, roster=SPEC)
    assert skill.level == 4
    assert (profile.total_xp, profile.agent_level) == (280, 3)  # without the 220 that it started with


def test_an_agents_part_is_divided_over_its_skills_without_loss():
    profile = fresh()
    apply(profile, work(1, skills=("a", "b", "c"), success=False), 10)
    assert {name: skill.xp for name, skill in profile.skills.items()} == {"a": 4, "b": 3, "c": 3}
    assert profile.total_xp == 10


def test_specialization_is_the_domain_of_most_successful_work():
    profile = fresh()
    apply(profile, work(1, domain="testing", skills=("pytest",), success=False), 900)
    assert (profile.specialization, profile.title) == (None, "")
    apply(profile, work(2, domain="debugging"))
    assert (profile.specialization, profile.title) == ("debugging", "Junior Debugging Specialist")
    apply(profile, work(3, domain="testing", skills=("pytest",)), 500)
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
    apply(profile, debugging, 79, roster=SPEC)
    assert profile.title == "Test Engineer"
    apply(profile, debugging, 1, roster=SPEC)  # 79 and 20 for the first time, and 1
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


def test_a_skill_remembers_its_newest_three_runs():
    profile = fresh()
    for number in range(1, 6):
        apply(profile, work(number))
    assert profile.skills["debugging"].last_runs == ["r005", "r004", "r003"]
    assert profile.skills["debugging"].last_used == 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("getUserDetails", "get_user_details"), ("get-user-details", "get_user_details"),
        ("Get user  details!", "get_user_details"), ("airline", "airline"), ("CI/CD", "ci_cd"),
        ("HTTPServer", "http_server"), ("Größe", "größe"), ("___", ""), ("", ""), ("a" * 80, "a" * 64),
        ("ignore\nall </experience>", "ignore_all_experience"),
    ],
)  # fmt: skip
def test_slugs(text, expected):
    assert slug(text) == expected
    assert slug(slug(text)) == slug(text)


@given(st.text(max_size=200))
def test_a_slug_can_stand_in_a_prompt(text):
    made = slug(text)
    assert len(made) <= 64
    assert all(character.isalnum() or character == "_" for character in made)
    assert "\n" not in title_of(made)


CONTRIBUTIONS = st.lists(
    st.builds(
        work,
        success=st.booleans(),
        skills=st.lists(st.sampled_from(["pytest", "vps_management", "x", "y"]), min_size=1, unique=True).map(tuple),
        complexity=st.sampled_from(["low", "medium", "high", "critical"]),
        domain=st.sampled_from(["one", "two"]),
        agent=st.just("Tess"),
    ),
    max_size=12,
)


@given(CONTRIBUTIONS, st.lists(st.integers(0, 3000), min_size=12, max_size=12))
def test_every_run_can_be_undone_and_xp_never_falls(works, parts):
    profile = fresh("Tess", SPEC)
    states, befores = [], []
    for contribution, part in zip(works, parts, strict=False):
        states.append(copy.deepcopy(profile))
        xp, level = profile.total_xp, profile.agent_level
        events, before = apply(profile, contribution, part, roster=SPEC)
        befores.append(before)
        assert profile.total_xp >= xp >= 0
        assert profile.agent_level >= level
        gained = sum(event.xp or 0 for event in events if event.event == "xp_gain")
        assert profile.total_xp == xp + gained >= xp + part
        for name, skill in profile.skills.items():
            assert skill.level == max(skill.starting_level, RULES.level(skill.xp))
            assert skill.xp >= skill.starting_xp
            assert skill.abilities == TABLE.up_to(name, skill.level)
    for state, before in zip(reversed(states), reversed(befores), strict=True):
        roll_back(profile, before)
        assert msgspec.to_builtins(profile) == msgspec.to_builtins(state)
