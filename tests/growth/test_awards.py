"""What a run gives each agent, by which rule: every trigger and amount, and that nothing is lost or made on the way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seasoned.growth.awards import Shares, gains, over_skills, shares
from seasoned.growth.facts import Facts
from seasoned.growth.rules import Rules
from seasoned.growth.skills import Contribution, GroupRecord, Profile, Use

RULES = Rules()
COMPLEXITIES = st.sampled_from(["low", "medium", "high", "critical"])


def work(agent="tess", *, success=True, complexity="medium", **facts):
    return Contribution(
        "r1", agent, "app", 1, (Use("s", 1, "S", "d"),), 1, success, complexity, facts=Facts(**facts)
    )  # fmt: skip


def given_to(profile=None, rules=RULES, **how):
    """What a run that nobody else worked on gives, by rule."""
    done = work(**how)
    return dict(gains(profile or Profile("app", "tess"), done, shares(done, {"tess": 7}, rules), rules))


def known(solved, tried=None, **more):
    return Profile("app", "tess", groups={"g": GroupRecord(solved if tried is None else tried, solved)}, **more)


# -- rules ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("complexity", "xp"), [("low", 10), ("medium", 25), ("high", 50), ("critical", 100)])
def test_a_solved_task(complexity, xp):
    assert given_to(complexity=complexity) == {"task_completed": xp}


@pytest.mark.parametrize(("complexity", "xp"), [("low", 2), ("medium", 5), ("high", 10), ("critical", 15)])
def test_a_failed_task_gives_less_and_no_bonus(complexity, xp):
    facts = {"group": "g", "cross": True, "cached": True}
    assert given_to(Profile("app", "tess", calm_streak=9), success=False, complexity=complexity, **facts) == {
        "task_failed": xp
    }


def test_the_first_success_on_a_kind_of_task():
    assert given_to(group="g") == {"task_completed": 25, "first_time_solve": 20}
    assert given_to(known(0, tried=5), group="g") == {"task_completed": 25, "first_time_solve": 20}
    assert given_to(known(3), group="other") == {"task_completed": 25, "first_time_solve": 20}


@pytest.mark.parametrize(
    ("solved", "left", "repeat"), [(1, 23, 5), (2, 20, 4), (3, 18, 4), (5, 13, 3), (6, 10, 2), (9, 10, 2), (500, 10, 2)]
)
def test_solving_it_again_gives_less_each_time(solved, left, repeat):
    assert given_to(known(solved, tried=solved + 3), group="g") == {
        "task_completed": 25, "diminishing_returns": left - 25, "repeat_solve": repeat,
    }  # fmt: skip


def test_a_run_of_no_known_kind_is_neither_first_nor_repeated():
    assert given_to(known(4)) == {"task_completed": 25}


def test_helping_another_department():
    assert given_to(cross=True) == {"task_completed": 25, "helped_another_dept": 15}


@pytest.mark.parametrize(("calm", "xp"), [(0, None), (8, None), (9, 10), (10, None), (18, None), (19, 10), (99, 10)])
def test_every_tenth_task_solved_without_escalating(calm, xp):
    assert given_to(Profile("app", "tess", calm_streak=calm)).get("no_escalation_streak") == xp
    assert "no_escalation_streak" not in given_to(Profile("app", "tess", calm_streak=calm), escalated=True)
    rules = Rules(no_escalation_every=1)
    assert given_to(Profile("app", "tess", calm_streak=calm), rules)["no_escalation_streak"] == 10


def test_an_answer_worth_keeping():
    assert given_to(cached=True) == {"task_completed": 25, "cache_worthy": 5}


@pytest.mark.parametrize(
    ("praise", "own", "positive", "negative"),
    [(1, 0, 30, None), (0, 1, 30, None), (1, 1, 60, None), (-1, 0, None, -10), (0, -1, None, -10), (-1, -1, None, -20),
     (1, -1, 30, -10), (-1, 1, 30, -10), (0, 0, None, None)],
)  # fmt: skip
def test_praise_and_complaint(praise, own, positive, negative):
    for success in (True, False):
        found = given_to(success=success, complexity="critical", praise=praise, own_praise=own)
        if not success and negative and not positive:
            negative = max(negative, -15)  # a complaint takes at most what there is
        assert (found.get("user_positive"), found.get("user_negative")) == (positive, negative)


def test_deductions_reach_at_most_down_to_nothing():
    assert given_to(success=False, complexity="low", praise=-1) == {"task_failed": 2, "user_negative": -2}
    nothing = Rules(diminishing_step=100, diminishing_floor=0, user_negative=1000)
    assert given_to(known(1), nothing, group="g", praise=-1) == {"task_completed": 25, "diminishing_returns": -25}
    assert given_to(known(1), nothing, group="g", own_praise=-1, cached=True) == {
        "task_completed": 25, "diminishing_returns": -25, "cache_worthy": 5, "user_negative": -5,
    }  # fmt: skip


def test_everything_at_once_comes_in_the_documented_order():
    found = given_to(known(1, calm_streak=9), group="g", cross=True, cached=True, praise=1, own_praise=-1)
    assert list(found.items()) == [
        ("task_completed", 25), ("diminishing_returns", -2), ("repeat_solve", 5), ("helped_another_dept", 15),
        ("no_escalation_streak", 10), ("cache_worthy", 5), ("user_positive", 30), ("user_negative", -10),
    ]  # fmt: skip


def test_what_is_worth_nothing_is_not_told():
    rules = Rules(completed={"medium": 0}, first_time_solve=0)
    assert given_to(rules=rules, group="g") == {}


# -- division ------------------------------------------------------------------------------------------------------

TEAM = st.dictionaries(
    st.sampled_from(["ann", "bob", "cy", "dora", "ü"]), st.integers(1, 10**6), min_size=1, max_size=5
)  # fmt: skip


@given(TEAM, COMPLEXITIES, st.booleans(), st.sampled_from([-1, 0, 1]))
def test_what_all_get_together_is_what_one_would(weights, complexity, success, praise):
    facts = {"group": "g", "cached": True, "cross": True, "praise": praise}
    parts = [shares(work(agent, success=success, complexity=complexity, **facts), weights, RULES) for agent in weights]
    sums = Shares(*(sum(amounts) for amounts in zip(*parts, strict=True)))
    assert sums == Shares(
        award=RULES.award(success=success, complexity=complexity),
        first=20, repeat=5, helped=15, cached=5, praise=30 * (praise > 0), complaint=10 * (praise < 0),
    )  # fmt: skip
    assert all(amount >= 0 for part in parts for amount in part)


@given(TEAM, st.sampled_from([-1, 0, 1]))
def test_what_is_said_of_one_agent_is_not_divided(weights, own):
    for agent in weights:
        part = shares(work(agent, own_praise=own), weights, RULES)
        assert (part.praise, part.complaint) == (30 * (own > 0), 10 * (own < 0))


def test_a_team_gets_for_its_first_solve_what_one_agent_would():
    weights = {"ann": 1, "bob": 2}
    total = 0
    for agent in weights:
        done = work(agent, group="g", cross=True, cached=True)
        total += sum(xp for _, xp in gains(Profile("app", agent), done, shares(done, weights, RULES), RULES))
    assert total == 25 + 20 + 15 + 5


SHARES = st.builds(
    Shares, award=st.integers(0, 100), first=st.integers(0, 20), repeat=st.integers(0, 5), helped=st.integers(0, 15),
    cached=st.integers(0, 5), praise=st.integers(0, 60), complaint=st.integers(0, 500),
)  # fmt: skip
RULE_SETS = st.builds(
    Rules, diminishing_step=st.integers(0, 100), diminishing_floor=st.integers(0, 100),
    no_escalation_every=st.integers(1, 3),
)  # fmt: skip


@given(SHARES, RULE_SETS, st.integers(0, 12), st.integers(0, 12), st.booleans(), st.booleans(), st.booleans())
def test_no_run_takes_more_than_it_gives(mine, rules, solved, calm, success, escalated, grouped):
    done = work(success=success, escalated=escalated, group="g" if grouped else None, cross=True, cached=True)
    found = gains(known(solved, calm_streak=calm), done, mine, rules)
    running = 0
    for rule, xp in found:
        assert xp
        assert xp > 0 or rule in ("diminishing_returns", "user_negative")
        running += xp
        assert running >= 0
    assert len({rule for rule, _ in found}) == len(found)
    weights = {"a": 3, "b": 0.3, "c": 1}
    parts = over_skills(found, weights)
    for rule, xp in found:
        assert sum(part for skill in parts for told, part in parts[skill] if told == rule) == xp
    for told in parts.values():
        net = 0
        for _, part in told:
            net += part
            assert net >= 0


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(1, 200)), max_size=6),
    st.integers(0, 1000),
    st.dictionaries(st.sampled_from("wxyz"), st.one_of(st.integers(1, 9), st.floats(0.01, 9)), min_size=1),
)
def test_dividing_over_skills_conserves_every_amount(amounts, back, weights):
    taken = min(back, sum(xp for _, xp in amounts))
    parts = over_skills([*amounts, ("back", -taken)], weights)
    assert parts.keys() == weights.keys()
    assert sum(xp for told in parts.values() for _, xp in told) == sum(xp for _, xp in amounts) - taken
    assert all(sum(xp for _, xp in told) >= 0 for told in parts.values())


def test_what_is_taken_back_follows_what_was_given():
    assert over_skills([("up", 10), ("down", -5)], {"a": 4, "b": 1}) == {
        "a": [("up", 8), ("down", -4)], "b": [("up", 2), ("down", -1)],
    }  # fmt: skip
    assert over_skills([("up", 1), ("down", -1)], {"a": 1, "b": 1}) == {"a": [("up", 1), ("down", -1)], "b": []}
