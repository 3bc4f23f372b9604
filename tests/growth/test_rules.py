"""The numbers of growth: the specification's, and others from a file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seasoned.growth.rules import Rules, TitleRange, load_rules
from seasoned.instrumentation.errors import ConfigError

RULES = Rules()


@pytest.mark.parametrize(
    ("complexity", "solved", "failed"),
    [("low", 10, 2), ("medium", 25, 5), ("high", 50, 10), ("critical", 100, 15), (None, 25, 5), ("odd", 25, 5)],
)
def test_awards_are_those_of_the_specification(complexity, solved, failed):
    assert RULES.award(success=True, complexity=complexity) == solved
    assert RULES.award(success=False, complexity=complexity) == failed


@pytest.mark.parametrize(
    ("xp", "level"),
    [
        (0, 1), (99, 1), (100, 2), (249, 2), (250, 3), (499, 3), (500, 4), (999, 4), (1000, 5), (1999, 5), (2000, 6),
        (3999, 6), (4000, 7), (6999, 7), (7000, 8), (10999, 8), (11000, 9), (15999, 9), (16000, 10), (10**9, 10),
    ],
)  # fmt: skip
def test_levels_start_at_the_specifications_thresholds(xp, level):
    assert RULES.level(xp) == level


@given(st.integers(0, 20_000), st.integers(0, 20_000))
def test_levels_never_fall_with_more_xp(first, second):
    low, high = sorted((first, second))
    assert RULES.level(low) <= RULES.level(high)


def test_xp_to_next_counts_down_and_ends_at_mastery():
    assert RULES.xp_to_next(1, 0) == 100
    assert RULES.xp_to_next(3, 220) == 280
    assert RULES.xp_to_next(10, 16_000) == 0
    assert RULES.xp_to_next(2, 400) == 0  # never below zero, whatever a level was started at


@pytest.mark.parametrize(
    ("average", "title"),
    [
        (1, "Junior Debugging Specialist"), (1.99, "Junior Debugging Specialist"), (2, "Debugging Specialist"),
        (4, "Senior Debugging Specialist"), (6, "Debugging Expert"), (8, "Master Debugging Engineer"),
        (10, "Master Debugging Engineer"),
    ],
)  # fmt: skip
def test_titles_cover_every_level_up_to_ten(average, title):
    assert RULES.title(average, "Debugging") == title


def test_rules_come_from_a_file_and_keep_the_defaults_of_what_it_leaves_out(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text(
        "first_time_solve = 7\nthresholds = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n"
        'titles = [{ at_least = 0, title = "{domain} Hand" }]\n[completed]\nlow = 1\n'
    )
    rules = load_rules(path)
    assert rules.first_time_solve == 7
    assert rules.completed == {"low": 1, "medium": 25, "high": 50, "critical": 100}
    assert rules.level(5) == 6
    assert rules.titles == (TitleRange(0, "{domain} Hand"),)
    assert rules.failed == RULES.failed


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("first_time_solv = 7", "first_time_solv", "did you mean first_time_solve?"),
        ("first_time_solve = -1", "first_time_solve", "at least 0"),
        ("first_time_solve = true", "first_time_solve", "a whole number"),
        ("tool_percent = 101", "tool_percent", "from 0 to 100"),
        ("diminishing_step = 101", "diminishing_step", "from 0 to 100"),
        ("fault_percent = -1", "fault_percent", "from 0 to 100"),
        ("no_escalation_every = 0", "no_escalation_every", "at least 1"),
        ("resilience_after = 0", "resilience_after", "at least 1"),
        ("fast_least = 0", "fast_least", "at least 1"),
        ("drift = 1.5", "drift", "from 0 to 1"),
        ("drift = nan", "drift", "from 0 to 1"),
        ('attribute_return = "some"', "attribute_return", "a number"),
        ('escalation_tools = "transfer"', "escalation_tools", "must be a list"),
        ("user_positive = 2.5", "user_positive", "a whole number"),
        ("thresholds = [0, 100]", "thresholds", "10 rising numbers"),
        ("thresholds = [0, 5, 4, 6, 7, 8, 9, 10, 11, 12]", "thresholds", "10 rising numbers"),
        ("[completed]\nhuge = 3", "completed.huge", "low, medium, high, critical"),
        ("completed = 3", "completed", "must be a table"),
        ('titles = [{ at_least = 1, title = "x" }]', "titles", "at_least = 0"),
        ("titles = [{ at_least = 0 }]", "titles.0", "both keys"),
        ("first_time_solve = ", "", "not valid TOML"),
    ],
)
def test_a_mistake_in_a_file_is_named_with_its_place_and_the_mend(tmp_path, text, place, says):
    path = tmp_path / "rules.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_rules(path)
    message = str(caught.value)
    assert str(path) in message
    assert place in message
    assert says in message


def test_the_documentation_lists_every_constant_with_its_value():
    text = (Path(__file__).parents[2] / "docs" / "growth.md").read_text(encoding="utf-8")
    table = [line for line in text[text.index("## The numbers") :].splitlines() if line.startswith("| `")]
    for key in Rules.__struct_fields__:
        rows = [line for line in table if f"`{key}`" in line.split("|")[1]]
        assert len(rows) == 1, key
        value = getattr(RULES, key)
        many = key in ("thresholds", "escalation_tools")
        numbers = value.values() if isinstance(value, dict) else value if many else [value]
        if key != "titles":
            assert all(str(number) in rows[0].split("|")[2] for number in numbers), key
    for step in RULES.titles:
        assert f"from {step.at_least:g}" in text


def test_the_documentation_lists_every_rule_of_awards_and_traits():
    text = (Path(__file__).parents[2] / "docs" / "growth.md").read_text(encoding="utf-8")
    awards = text[text.index("## What a run gives") : text.index("**The same kind of task**")]
    traits = text[text.index("**Attributes** are") : text.index("**Achievements**")]
    assert set(re.findall(r"^\| `(\w+)` \|", awards, re.MULTILINE)) == {
        "task_completed", "task_failed", "diminishing_returns", "repeat_solve", "first_time_solve",
        "helped_another_dept", "no_escalation_streak", "cache_worthy", "user_positive", "user_negative",
    }  # fmt: skip
    assert set(re.findall(r"^\| `(\w+)` \|", traits, re.MULTILINE)) == {
        "complex_success", "fast_completion", "no_escalation", "cross_department", "novel_problem",
        "success_after_failures", "bold_success", "failure", "return",
    }  # fmt: skip
    flags = text[text.index("| flag |") : text.index("**Feedback**")]
    assert re.findall(r"^\| `(\w+)`", flags, re.MULTILINE) == [
        "escalated", "cross_department", "cached", "novel_problem", "fast_completion", "bold",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("amount", "solved", "left"),
    [
        (25, 1, 23), (25, 2, 20), (25, 3, 18), (25, 5, 13), (25, 6, 10), (25, 7, 10), (25, 1000, 10), (5, 1, 5),
        (5, 2, 4), (5, 9, 2), (1, 9, 1), (0, 4, 0), (100, 4, 60),
    ],
)  # fmt: skip
def test_what_repetition_leaves_of_an_award(amount, solved, left):
    assert RULES.diminished(amount, solved) == left


@given(st.integers(0, 10_000), st.integers(0, 40), st.integers(0, 100), st.integers(0, 100))
def test_repetition_never_gives_more_nor_less_than_the_floor(amount, solved, step, floor):
    rules = Rules(diminishing_step=step, diminishing_floor=floor)
    left = rules.diminished(amount, solved)
    assert rules.diminished(amount, solved + 1) <= left <= amount
    assert 100 * left >= amount * floor


def test_a_file_may_say_everything(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text(
        'escalation_tools = ["Call a Human", "!!"]\ndrift = 0.05\nattribute_return = 0.001\ntrait_shown = 1\n'
        "fast_percent = 0\ndiminishing_floor = 100\nno_escalation_every = 1\n"
    )
    rules = load_rules(path)
    assert rules.escalation_tools == ("call_a_human",)
    assert (rules.drift, rules.attribute_return, rules.trait_shown) == (0.05, 0.001, 1.0)
    assert (rules.fast_percent, rules.diminishing_floor, rules.no_escalation_every) == (0, 100, 1)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.toml cannot be read"):
        load_rules(tmp_path / "none.toml")
