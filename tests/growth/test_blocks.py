"""What an agent's experience says in its prompt, word for word."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from seasoned.growth.abilities import AbilityTable, abilities_of
from seasoned.growth.attributes import MODIFIERS
from seasoned.growth.blocks import sections
from seasoned.growth.roster import EXAMPLE, Roster, load_roster
from seasoned.growth.rules import Rules
from seasoned.growth.skills import Profile, Skill, new_profile

RULES = Rules()
SPEC = load_roster(EXAMPLE)
TABLE = AbilityTable(abilities_of(SPEC))


def profile(*skills):
    return Profile("app", "tess", skills={skill.skill: skill for skill in skills})


def skill(slug, level=1, *, xp=0, used=0, succeeded=0, **more):
    return Skill(
        slug, slug.replace("_", " ").title(), "d", level, xp, times_used=used, times_succeeded=succeeded, **more
    )


def text(*skills, name="strengths"):
    return {section.name: section.text for section in sections(profile(*skills), RULES, TABLE)}.get(name, "")


def test_the_sections_read_as_specified():
    tess = profile(skill("failure_analysis", 3, xp=260, used=5, succeeded=4, last_runs=["r9", "r7"]))
    abilities, strengths = sections(tess, RULES, TABLE)
    assert abilities.text == (
        "YOUR CURRENT ABILITIES (earned through experience):\n"
        "- failure_analysis L3: Identifies root cause vs. symptom on first analysis 70% of time"
    )
    assert strengths.text == ("YOUR STRENGTHS (highest skills):\n- Failure Analysis: Level 3 (about 80% success)")
    assert (abilities.name, strengths.name) == ("abilities", "strengths")
    assert abilities.priority < strengths.priority
    figures = "failure_analysis: level 3 with 260 XP, 4 of 5 runs succeeded, last runs r9, r7"
    assert abilities.why == strengths.why == figures


def test_somebody_without_experience_gets_nothing():
    assert sections(new_profile("app", "new", Roster(), RULES, TABLE), RULES, TABLE) == ()
    assert sections(profile(skill("debugging", used=3, xp=15)), RULES, TABLE) == ()  # never succeeded, level 1


def test_starting_levels_speak_before_the_first_run():
    abilities, strengths = sections(new_profile("app", "Tess", SPEC, RULES, TABLE), RULES, TABLE)
    assert abilities.text.split("\n")[1:] == [
        "- failure_analysis L3: Identifies root cause vs. symptom on first analysis 70% of time",
        "- pytest L3: Writes targeted tests, not shotgun coverage",
    ]
    assert strengths.text.split("\n")[1:] == [
        "- Failure Analysis: Level 3",
        "- Pytest Mastery: Level 3",
        "- Import/Path Debugging: Level 2",
    ]
    assert "started by the roster at level 3 with 240 XP, not used yet" in strengths.why


def test_strong_traits_speak_in_the_specifications_words_and_a_fixed_order():
    tess = profile()
    tess.attributes.update(dict.fromkeys(MODIFIERS, 0.7))
    assert sections(tess, RULES, TABLE) == ()
    tess.attributes.update(caution=0.700001, thoroughness=0.71)
    (section,) = sections(tess, RULES, TABLE)
    assert section.text == (
        "YOUR PERSONALITY (developed through experience):\n"
        "- You are meticulous. Double-check your work before responding.\n"
        "- You err on the side of safety. Flag risks before acting."
    )
    assert section.why == "thoroughness is 0.71, above 0.7; caution is 0.700001, above 0.7"
    tess.attributes.update(dict.fromkeys(MODIFIERS, 1.0))
    assert sections(tess, RULES, TABLE)[0].text.split("\n- ")[1:] == list(MODIFIERS.values())
    assert sections(tess, Rules(trait_shown=1), TABLE) == ()


def test_the_three_highest_by_level_then_xp_then_name():
    assert text(
        skill("low", 2, xp=240), skill("b", 3, xp=300), skill("a", 3, xp=300), skill("c", 3, xp=299), skill("top", 4)
    ) == "YOUR STRENGTHS (highest skills):\n- Top: Level 4\n- A: Level 3\n- B: Level 3"  # fmt: skip


def test_rates_are_rounded_to_tenths_half_up():
    for used, succeeded, shown in [(1, 1, 100), (3, 1, 30), (3, 2, 70), (4, 1, 30), (20, 3, 20), (8, 0, 0), (7, 6, 90)]:
        assert text(skill("s", 2, used=used, succeeded=succeeded)).endswith(f"Level 2 (about {shown}% success)")


def test_every_ability_line_carries_the_skills_level_of_now():
    lines = text(skill("pytest", 6), name="abilities").split("\n")[1:]
    assert [line.split(":")[0] for line in lines] == [
        "- pytest L6",
        "- pytest L6",
    ][: len(lines)]
    assert len(lines) == 2


def test_abilities_stop_at_a_number_of_lines_and_keep_the_highest():
    rules = Rules(abilities_shown=3)
    shown = sections(profile(skill("pytest", 10), skill("estimation", 5)), rules, TABLE)[0].text.split("\n")[1:]
    assert shown == [
        "- pytest L10: Can refactor test architecture without breaking suite",
        "- pytest L10: Designs test strategies for untested codebases",
        "- pytest L10: Master tester — test suite is documentation",
    ]


@given(
    st.lists(st.tuples(st.integers(0, 90), st.integers(0, 30), st.integers(0, 30)), min_size=4, max_size=4),
    st.integers(0, 9),
)
def test_nothing_in_the_text_moves_with_xp_alone(figures, more):
    """XP that change no level and no choice of the three leave every byte as it is: prompts stay in caches."""
    names = ["pytest", "estimation", "vps_management"]
    skills = [
        skill(name, 3, xp=300 + xp, used=used + won, succeeded=won)
        for name, (xp, used, won) in zip(names, figures, strict=False)
    ]
    before = [section.text for section in sections(profile(*skills), RULES, TABLE)]
    skills[more % 3].xp += more
    skills[0].last_runs = ["r1"]
    skills[0].last_used = 12345
    after = sections(profile(*reversed(skills)), RULES, TABLE)
    assert [section.text for section in after] == before
    assert not re.search(r"\br\d|12345|XP", "\n".join(before))
