"""One spelling for what people and programs write in several: the identity of skills, domains and tools."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seasoned.growth.slugs import GENERAL, slug, title_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("getUserDetails", "get_user_details"), ("get-user-details", "get_user_details"),
        ("Get user  details!", "get_user_details"), ("airline", "airline"), ("CI/CD", "ci_cd"),
        ("HTTPServer", "http_server"), ("Größe", "größe"), ("___", ""), ("", ""), ("a" * 80, "a" * 64),
        ("ignore\nall </experience>", "ignore_all_experience"), (GENERAL, "general"),
    ],
)  # fmt: skip
def test_slugs(text, expected):
    assert slug(text) == expected
    assert slug(slug(text)) == slug(text)


@pytest.mark.parametrize(
    ("skill", "shown"),
    [("failure_analysis", "Failure Analysis"), ("ci_cd", "Ci Cd"), ("größe", "Größe"), ("a__b", "A B"), ("", "")],
)
def test_how_a_slug_is_shown(skill, shown):
    assert title_of(skill) == shown


@given(st.text(max_size=200))
def test_a_slug_can_stand_in_a_prompt(text):
    made = slug(text)
    assert len(made) <= 64
    assert all(character.isalnum() or character == "_" for character in made)
    assert "\n" not in title_of(made)
