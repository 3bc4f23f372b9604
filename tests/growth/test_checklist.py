"""The testing checklist of the growth specification, line by line, on recorded runs: what was recorded goes through the
journal into the database, and what is looked at is what users see (profiles, prompts, events). After it come the faults
of the specification's own code, which must not be carried over."""

from __future__ import annotations

from itertools import pairwise

import pytest

from seasoned.growth.attributes import TRAITS
from seasoned.growth.roster import EXAMPLE, load_roster

TASKS = ["Look at the log", "Read the trace", "Watch the queue", "Mend the door", "Turn the page", "Paint the wall"]
"""Tasks of as many kinds, none of which the classifier knows a type for."""
SPEC = str(EXAMPLE)
COMPLEXITIES = ["low", "medium", "high", "critical"]


def skills(profile) -> dict:
    return {skill["slug"]: skill for skill in profile["skills"]}


# -- the checklist -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("complexity", "xp"), [("low", 10), ("medium", 25), ("high", 50), ("critical", 100)])
def test_xp_awards_correctly(desk, complexity, xp):
    app = desk()
    run = app.solve(complexity=complexity)
    assert app.gains(run) == {"task_completed": xp, "first_time_solve": 20}
    assert app.xp() == xp + 20
    unknown = app.solve(TASKS[0], complexity=None)  # nobody says, and so little happened that it counts as low
    assert app.gains(unknown)["task_completed"] == 10


@pytest.mark.parametrize(("complexity", "xp"), [("low", 2), ("medium", 5), ("high", 10), ("critical", 15)])
def test_failed_tasks_still_award_reduced_xp(desk, complexity, xp):
    app = desk()
    run = app.fail(complexity=complexity)
    assert app.gains(run) == {"task_failed": xp}
    profile = app.profile()
    assert (profile["total_xp"], profile["runs"], profile["runs_succeeded"]) == (xp, 1, 0)
    solved = app.solve(complexity=complexity)
    assert app.gains(solved)["first_time_solve"] == 20  # the bonus was left for the first success


def test_level_up_triggers_at_correct_thresholds(desk, tmp_path):
    rules = tmp_path / "rules.toml"
    plain = "first_time_solve = 0\nrepeat_solve = 0\ndiminishing_step = 0\nno_escalation_streak = 0\n"
    app = desk()

    def earn(xp):
        rules.write_text(f"{plain}completed.medium = {xp}\n")
        app.restart(rules=str(rules))
        app.solve()
        return app.profile()

    thresholds = [100, 250, 500, 1000, 2000, 4000, 7000, 11000, 16000]
    reached = {}
    below = 0
    for level, threshold in enumerate(thresholds, 2):
        before, after = earn(threshold - 1 - below), earn(1)
        (skill,) = after["skills"]
        reached[level] = (before["skills"][0]["level"], skill["level"], skill["xp"], after["agent_level"])
        below = threshold
    assert reached == {
        level: (level - 1, level, threshold, level) for level, threshold in enumerate(thresholds, 2)
    }  # fmt: skip
    assert [event.new_level for event in app.events("level_up")] == list(range(2, 11))
    assert [event.new_level for event in app.events("agent_level_up")] == list(range(2, 11))


def test_abilities_unlock_at_correct_levels(desk, tmp_path):
    rules = tmp_path / "rules.toml"
    rules.write_text("first_time_solve = 0\n[completed]\nmedium = 16000\n")
    app = desk(rules=str(rules))
    app.solve(domain="failure analysis")
    told = [(event.skill, event.new_level, event.ability) for event in app.events("ability_unlock")]
    table = load_roster(EXAMPLE).abilities["failure_analysis"]
    assert told == [("failure_analysis", level, table[level][0]) for level in (3, 5, 7, 10)]
    assert app.profile()["skills"][0]["abilities"] == [table[level][0] for level in (3, 5, 7, 10)]
    app.fail(domain="import debugging")
    assert skills(app.profile())["import_debugging"]["abilities"] == []


def test_abilities_inject_into_system_prompt_correctly(desk):
    app = desk(roster=SPEC)
    block = app.block("Tess")
    assert (
        "YOUR CURRENT ABILITIES (earned through experience):\n"
        "- failure_analysis L3: Identifies root cause vs. symptom on first analysis 70% of time\n"
        "- pytest L3: Writes targeted tests, not shotgun coverage\n"
    ) in block
    assert (
        "YOUR STRENGTHS (highest skills):\n"
        "- Failure Analysis: Level 3\n- Pytest Mastery: Level 3\n- Import/Path Debugging: Level 2\n"
    ) in block
    assert app.block("stranger") == ""


def test_specialization_calculated_from_highest_domain_xp(desk):
    app = desk()
    app.fail(domain="testing", complexity="critical")
    app.solve(TASKS[0], domain="debugging", complexity="low")
    assert app.profile()["specialization"] == "debugging"  # 30 by success; failures do not make a specialist
    app.solve(TASKS[1], domain="testing", complexity="low")
    app.solve(TASKS[2], domain="testing", complexity="low")
    assert app.profile()["specialization"] == "testing"
    assert [event.skill for event in app.events("specialization")] == ["debugging", "testing"]


def test_title_evolves_with_avg_level(desk, tmp_path):
    rules = tmp_path / "rules.toml"
    titles = {}
    app = desk()
    for level, xp in {1: 1, 2: 99, 3: 150, 4: 250, 5: 500, 6: 1000, 7: 2000, 8: 3000, 9: 4000, 10: 5000}.items():
        rules.write_text(f"first_time_solve = 0\nrepeat_solve = 0\ndiminishing_step = 0\ncompleted.medium = {xp}\n")
        app.restart(rules=str(rules))
        app.solve()
        profile = app.profile()
        assert profile["skills"][0]["level"] == level
        titles[level] = profile["title"]
    assert titles == {
        1: "Junior Debugging Specialist", 2: "Debugging Specialist", 3: "Debugging Specialist",
        4: "Senior Debugging Specialist", 5: "Senior Debugging Specialist", 6: "Debugging Expert",
        7: "Debugging Expert", 8: "Master Debugging Engineer", 9: "Master Debugging Engineer",
        10: "Master Debugging Engineer",
    }  # fmt: skip
    history = [event.title for event in app.events("specialization")]
    assert history == list(dict.fromkeys(titles.values()))


def test_attributes_drift_slowly(desk):
    app = desk()
    app.solve(TASKS[0], complexity="low")
    start = {**dict.fromkeys(TRAITS, 0.5), "independence": 0.51, "creativity": 0.51, "curiosity": 0.51}
    assert app.profile()["attributes"] == start
    app.solve(TASKS[0], complexity="high")
    assert app.profile()["attributes"] == {
        **start, "independence": 0.52, "thoroughness": 0.51, "resilience": 0.51,
    }  # fmt: skip
    app.fail(TASKS[0])
    assert app.profile()["attributes"]["caution"] == 0.51
    for change in app.events("attribute_change"):
        assert change.rule
        assert change.run_id


def test_attribute_modifiers_appear_in_prompt_when_above_0_7(desk):
    app = desk()
    line = "You prefer solving problems yourself before asking for help."
    for number in range(1, 22):
        app.solve()
        if number in (20, 21):
            assert app.profile()["attributes"]["independence"] == (0.7 if number == 20 else 0.71)
            assert (line in app.block()) == (number == 21)
    assert app.block().count("YOUR PERSONALITY (developed through experience):\n- ") == 1
    assert app.block().count(line) == 1


def test_skill_persistence_survives_restart_via_sqlite(desk):
    app = desk(roster=SPEC)
    for number in range(12):
        (app.solve if number % 4 else app.fail)(TASKS[number % 6], agents=("Tess", "Ira"), complexity="critical")
    profiles, blocks = ([see(name) for name in ("Tess", "Ira")] for see in (app.profile, app.block))
    tables = app.dump()
    assert profiles[0]["total_xp"] > 300
    app.restart()
    assert app.flush() == 0
    assert [app.profile(name) for name in ("Tess", "Ira")] == profiles
    assert [app.block(name) for name in ("Tess", "Ira")] == blocks
    assert app.dump() == tables
    app.solve(agents=("Tess",), complexity="low")
    assert app.profile("Tess")["runs"] == 13
    app.assert_live_is_rebuilt()


def test_growth_report_readable_accurate_shows_progression(desk):
    """The figures of the report; how it looks in the terminal and as a page is tested with the command."""
    app = desk()
    runs = [app.solve(TASKS[0]), app.fail(TASKS[0]), app.solve(TASKS[1], domain="testing"), app.solve(TASKS[0])]
    profile = app.profile()
    assert profile["total_xp"] == 45 + 5 + 45 + 28
    assert (profile["agent_level"], profile["title"]) == (2, "Junior Debugging Specialist")
    figures = {
        name: (skill["level"], skill["xp"], skill["xp_to_next"], skill["times_used"], skill["success_rate"])
        for name, skill in skills(profile).items()
    }
    assert figures == {"debugging": (1, 78, 22, 3, 0.6667), "testing": (1, 45, 55, 1, 1.0)}
    curve = {event.run_id: 0 for event in app.events("xp_gain")}
    for event in app.events("xp_gain"):
        curve[event.run_id] += event.xp
    assert list(curve.items()) == [(run.run_id, xp) for run, xp in zip(runs, [45, 5, 45, 28], strict=True)]


@pytest.mark.parametrize(
    ("complexity", "earned"),
    [
        ("low", [30, 14, 12, 11, 9, 8, 6, 6, 6, 6]),
        ("medium", [45, 28, 24, 22, 18, 16, 12, 12, 12, 12]),
        ("high", [70, 50, 44, 39, 33, 28, 22, 22, 22, 22]),
        ("critical", [120, 95, 84, 74, 63, 53, 42, 42, 42, 42]),
    ],
)
def test_diminishing_returns_10th_solve_of_same_pattern_gives_less_than_1st(desk, complexity, earned):
    app = desk()
    runs = [app.solve(f"Look at order {number} again", complexity=complexity) for number in range(10)]
    gains = [app.gains(run) for run in runs]
    streak = [gain.pop("no_escalation_streak", 0) for gain in gains]
    assert streak == [0] * 9 + [10]
    assert [sum(gain.values()) for gain in gains] == earned
    assert earned[9] + 10 < earned[0]
    assert all(later < before for before, later in pairwise(earned[:7]))  # until the floor
    other = app.solve("Something else altogether", complexity=complexity)
    assert sum(app.gains(other).values()) == earned[0]


# -- the faults of the specification's code ------------------------------------------------------------------------


def test_an_award_that_crosses_two_levels_raises_both(desk, tmp_path):
    rules = tmp_path / "rules.toml"
    rules.write_text("first_time_solve = 0\ncompleted.critical = 300\n")
    app = desk(rules=str(rules))
    app.solve(complexity="critical", domain="pytest")
    assert app.profile()["skills"][0]["level"] == 3
    assert [event.new_level for event in app.events("level_up")] == [2, 3]
    assert [event.ability for event in app.events("ability_unlock")] == ["Writes targeted tests, not shotgun coverage"]


def test_abilities_are_found_for_a_skill_whose_display_name_is_not_its_slug(desk):
    app = desk(roster=SPEC)
    pytest_mastery = skills(app.profile("Tess"))["pytest"]
    assert pytest_mastery["name"] == "Pytest Mastery"
    assert pytest_mastery["abilities"] == ["Writes targeted tests, not shotgun coverage"]
    assert "- pytest L3: Writes targeted tests" in app.block("Tess")
    assert "- Pytest Mastery: Level 3" in app.block("Tess")


def test_starting_levels_come_with_the_abilities_that_they_have_earned(desk):
    app = desk(roster=SPEC)
    app.fail(agents=("Ralph",), domain="estimation")
    (planning,) = (skill for skill in app.profile("Ralph")["skills"] if skill["slug"] == "sprint_planning")
    assert planning["abilities"] == ["Can commit to sprint goals with 80% confidence"]
    assert app.events("ability_unlock", "Ralph") == []  # it started with it


def test_resilience_rises_when_somebody_succeeds_after_failing_again_and_again(desk):
    app = desk()
    for _ in range(2):
        app.fail()
    app.solve(complexity="low")
    assert app.profile()["attributes"]["resilience"] == 0.5  # two failures are no row of them
    for _ in range(3):
        app.fail()
    app.solve(complexity="low")
    assert app.profile()["attributes"]["resilience"] == 0.53
    (change,) = [event for event in app.events("attribute_change") if event.attribute == "resilience"]
    assert (change.rule, change.value) == ("success_after_failures", 0.53)


def test_caution_falls_after_bold_successes(desk):
    app = desk()
    app.fail(TASKS[5])
    assert app.profile()["attributes"]["caution"] == 0.51
    app.solve(TASKS[0], complexity="critical")  # hard, and new
    assert app.profile()["attributes"]["caution"] == 0.5
    app.solve(TASKS[0], complexity="critical")  # not new any more
    app.solve(TASKS[1], complexity="medium")
    assert app.profile()["attributes"]["caution"] == 0.5
    app.solve(TASKS[1], flags={"bold": True})
    assert app.profile()["attributes"]["caution"] == 0.49


def test_a_master_at_level_10_has_a_title(desk, tmp_path):
    rules = tmp_path / "rules.toml"
    rules.write_text("completed.critical = 16000\n")
    app = desk(rules=str(rules))
    app.solve(complexity="critical")
    profile = app.profile()
    assert (profile["skills"][0]["level"], profile["title"]) == (10, "Master Debugging Engineer")


def test_a_level_is_the_higher_of_the_starting_level_and_that_by_xp(desk):
    app = desk(roster=SPEC)
    above = [
        (name, skill["slug"])
        for name in ("Ralph", "Ira", "Tess")
        for skill in app.profile(name)["skills"]
        if skill["level"] > 1 and skill["xp"] < {2: 100, 3: 250}[skill["level"]]
    ]
    assert len(above) == 7
    for task in TASKS[:2]:
        app.solve(task, agents=("Ira",), domain="infrastructure", complexity="critical")  # two skills, 120 each
    levels = {name: (skill["level"], skill["xp"]) for name, skill in skills(app.profile("Ira")).items()}
    assert levels["vps_management"] == (3, 220 + 120)
    assert levels["incident_response"] == (2, 90 + 120)
    app.solve(TASKS[2], agents=("Ira",), domain="infrastructure", complexity="critical")
    assert skills(app.profile("Ira"))["incident_response"]["level"] == 3  # 270


def test_the_agents_level_leaves_starting_xp_out(desk):
    app = desk(roster=SPEC)
    profile = app.profile("Tess")
    assert (profile["total_xp"], profile["agent_level"]) == (0, 1)
    app.solve(agents=("Tess",), domain="debugging", complexity="critical")
    profile = app.profile("Tess")
    assert (profile["total_xp"], profile["agent_level"]) == (120, 2)
    assert sum(skill["xp"] for skill in profile["skills"]) == 960 + 120


def test_awards_that_the_specification_lists_and_never_gives_are_given(desk):
    app = desk()
    runs = [app.solve(TASKS[number % 6]) for number in range(10)]
    runs[-1].feedback(positive=True)
    assert app.gains(runs[-1]) == {
        "task_completed": 25, "diminishing_returns": -2, "repeat_solve": 5, "no_escalation_streak": 10,
        "user_positive": 30,
    }  # fmt: skip
