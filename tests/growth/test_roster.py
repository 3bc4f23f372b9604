"""Rosters: the ones that come along, and every mistake that a person can make in one."""

from __future__ import annotations

import pytest

from seasoned.growth.abilities import AbilityTable, abilities_of
from seasoned.growth.roster import AIRLINE, EXAMPLE, Roster, load_roster, roster_from
from seasoned.growth.rules import Rules
from seasoned.growth.skills import new_profile
from seasoned.instrumentation.errors import ConfigError, RosterError
from seasoned.instrumentation.records import Ability


def test_the_example_holds_the_specifications_agents_and_table():
    roster = load_roster(EXAMPLE)
    assert {name: len(agent.skills) for name, agent in roster.agents.items()} == {"Ralph": 8, "Ira": 8, "Tess": 8}
    assert roster.agents["Tess"].title == "Test Engineer"
    assert roster.agents["Ira"].core_domains == ("deployment", "monitoring", "infrastructure")
    skill = roster.agents["Ira"].skills["ssl_tls"]
    assert (skill.name, skill.domain, skill.level, skill.xp) == ("SSL/TLS", "security", 1, 40)
    assert sorted(roster.abilities) == [
        "estimation", "failure_analysis", "import_debugging", "pytest", "sprint_planning", "vps_management",
    ]  # fmt: skip
    assert all(sorted(levels) == [3, 5, 7, 10] for levels in roster.abilities.values())
    assert len(abilities_of(roster)) == 25


def test_seven_starting_skills_stand_above_their_xp_and_keep_their_level():
    roster, rules = load_roster(EXAMPLE), Rules()
    above = 0
    for name in roster.agents:
        profile = new_profile("app", name, roster, rules, AbilityTable())
        for skill in profile.skills.values():
            assert skill.level == max(skill.starting_level, rules.level(skill.xp))
            above += skill.starting_level > rules.level(skill.xp)
        assert (profile.total_xp, profile.agent_level) == (0, 1)  # starting XP is not earned
    assert above == 7


def test_starting_levels_bring_their_abilities():
    roster = load_roster(EXAMPLE)
    profile = new_profile("app", "Tess", roster, Rules(), AbilityTable(abilities_of(roster)))
    assert profile.skills["failure_analysis"].abilities == [
        "Identifies root cause vs. symptom on first analysis 70% of time"
    ]
    assert profile.skills["import_debugging"].abilities == []


def test_traits_start_where_the_roster_says_and_in_the_middle_otherwise():
    roster = roster_from({"agents": {"tess": {"attributes": {"caution": 0.61234567, "speed": 1}}}})
    profile = new_profile("app", "tess", roster, Rules(), AbilityTable())
    assert profile.attributes == {
        "thoroughness": 0.5, "speed": 1.0, "independence": 0.5, "collaboration": 0.5, "creativity": 0.5,
        "resilience": 0.5, "caution": 0.612346, "curiosity": 0.5,
    }  # fmt: skip


def test_the_airline_roster_has_sentences_for_skills_that_emerge():
    roster = load_roster(AIRLINE)
    assert roster.agents["agent"].skills == {}
    for skill in ("airline", "booking", "get_user_details", "get_reservation_details", "search_direct_flight",
                  "book_reservation", "cancel_reservation", "update_reservation_flights",
                  "update_reservation_baggages"):  # fmt: skip
        assert sorted(roster.abilities[skill]) == [2, 3, 5, 7, 10]


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("[agent.tess]", "agent", "did you mean agents?"),
        ('[agents.tess]\ntitel = "x"', "agents.tess.titel", "did you mean title?"),
        ('[agents.tess]\ncore_domains = "testing"', "agents.tess.core_domains", "must be a list"),
        ("[agents.tess]\ncore_domains = [1]", "agents.tess.core_domains.0", "a text"),
        ('[agents.tess]\ntitle = "two\\nlines"', "agents.tess.title", "one line"),
        ("agents = 3", "agents", "must be a table"),
        ("[agents.tess]\nskills = []", "agents.tess.skills", "must be a table"),
        ('[agents.tess.skills.pytest]\nname = "P"', "agents.tess.skills.pytest", "has no domain"),
        ('[agents.tess.skills.pytest]\ndomain = "t"\nlevel = 11', "agents.tess.skills.pytest.level", "from 1 to 10"),
        ('[agents.tess.skills.pytest]\ndomain = "t"\nlevel = 0', "agents.tess.skills.pytest.level", "from 1 to 10"),
        ('[agents.tess.skills.pytest]\ndomain = "t"\nlevel = 2.5', "agents.tess.skills.pytest.level", "whole number"),
        ('[agents.tess.skills.pytest]\ndomain = "t"\nlevel = true', "agents.tess.skills.pytest.level", "whole number"),
        ('[agents.tess.skills.pytest]\ndomain = "t"\nxp = -1', "agents.tess.skills.pytest.xp", "at least 0"),
        ('[agents.tess.skills.pytest]\ndomain = "t"\nlvl = 2', "agents.tess.skills.pytest.lvl", "did you mean level?"),
        ('[agents.tess.skills."Unit Tests"]\ndomain = "t"', 'agents.tess.skills."Unit Tests"', "such as unit_tests"),
        ('[abilities.pytest]\n0 = ["x"]', "abilities.pytest.0", "from 1 to 10"),
        ('[abilities.pytest]\n11 = ["x"]', "abilities.pytest.11", "from 1 to 10"),
        ('[abilities.pytest]\nthree = ["x"]', "abilities.pytest.three", "from 1 to 10"),
        ('[abilities.pytest]\n3 = "x"', "abilities.pytest.3", "must be a list"),
        ('[abilities.pytest]\n3 = [""]', "abilities.pytest.3.0", "one line"),
        ("[agents.tess.attributes]\nbravery = 1", "agents.tess.attributes.bravery", "thoroughness, speed"),
        ("[agents.tess.attributes]\ncuration = 1", "agents.tess.attributes.curation", "did you mean caution?"),
        ("[agents.tess.attributes]\nspeed = 1.01", "agents.tess.attributes.speed", "from 0 to 1"),
        ("[agents.tess.attributes]\nspeed = true", "agents.tess.attributes.speed", "a number"),
        ("[agents.tess]\nattributes = 1", "agents.tess.attributes", "must be a table"),
        ("[rules]\nfirst_time = 1", "rules.first_time", "did you mean first_time_solve?"),
        ("[agents.tess", "", "not valid TOML"),
    ],
)
def test_a_mistake_is_named_with_the_file_the_key_and_the_mend(tmp_path, text, place, says):
    path = tmp_path / "agents.toml"
    path.write_text(text)
    with pytest.raises(RosterError) as caught:
        load_roster(path)
    message = str(caught.value)
    assert str(path) in message
    assert place in message
    assert says in message
    assert isinstance(caught.value, ConfigError)


def test_a_roster_that_is_not_there_names_the_setting(tmp_path):
    with pytest.raises(RosterError, match="setting `roster`"):
        load_roster(tmp_path / "none.toml")


def test_a_roster_that_is_no_text(tmp_path):
    path = tmp_path / "agents.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RosterError, match="not valid TOML"):
        load_roster(path)


def test_a_rosters_sentences_stand_alone_for_their_level_and_others_are_added():
    roster = roster_from({"abilities": {"pytest": {"3": ["Mine"]}}})
    table = AbilityTable(
        [
            Ability("pytest", 3, "Theirs"), Ability("pytest", 5, "Kept"), Ability("pytest", 5, "Kept"),
            Ability("pytest", 0, "impossible"), Ability("pytest", 11, "impossible"), Ability("pytest", 4, "  "),
            Ability("pytest", 5, "two\n lines"),
        ],
        roster.abilities,
    )  # fmt: skip
    assert table.up_to("pytest", 10) == ["Mine", "Kept", "two lines"]
    assert table.up_to("pytest", 4) == ["Mine"]
    assert table.at("pytest", 5) == ("Kept", "two lines")
    assert table.up_to("unknown", 10) == []


def test_rules_in_a_roster():
    roster = roster_from({"rules": {"first_time_solve": 1}})
    assert roster.rules is not None
    assert roster.rules.first_time_solve == 1
    assert Roster().rules is None
