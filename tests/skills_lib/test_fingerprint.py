"""A task is known again however it is written down, and nothing in its text can do harm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seasoned.skills_lib.fingerprint import KEYWORDS, MENTIONS, READ, fingerprint, normalised

TASK = "Fix the Postgres migration in db/models.py and docs/*.md, then run pytest against PostgreSQL!"


def test_what_a_task_tells():
    found = fingerprint(TASK)
    assert found.technologies == ("postgresql", "pytest")
    assert found.files == ("*.md", "*.py")
    assert found.keywords[:3] == ("fix", "postgres", "migration")
    assert found.text == "fix the postgres migration in db/models.py and docs/*.md, then run pytest against postgresql"
    assert len(found.hash) == 64


@pytest.mark.parametrize(
    "same",
    [TASK.upper(), f"  {TASK}\n", TASK.replace(" ", "\n\t "), TASK.rstrip("!"), f"{TASK}!!", TASK + " ... "],
)
def test_it_is_the_same_task_however_it_is_written_down(same):
    assert fingerprint(same) == fingerprint(TASK)


def test_other_words_are_another_task():
    hashes = {fingerprint(text).hash for text in ("Refund order 1", "Refund order 2", "Refund my order 1", "")}
    assert len(hashes) == 4


def test_one_letter_in_two_unicode_forms_is_one_letter():
    assert fingerprint("Caf\u00e9 schlie\u00dfen") == fingerprint("Cafe\u0301 SCHLIESSEN")


def test_what_stands_far_behind_counts_for_the_identity_only():
    long = "word " * READ
    first, second = fingerprint(f"{long}one"), fingerprint(f"{long}two")
    assert first.hash != second.hash
    assert first.text == second.text
    assert len(first.text) <= READ


def test_sentences_and_addresses_are_no_files():
    assert fingerprint("Ask ann@example.com, e.g. about version 3.11. Thanks.Bye").files == ()
    assert fingerprint("Read C++ and C# code, not Pythonic go karts").technologies == ("c#", "c++")


@pytest.mark.parametrize(
    "text",
    [
        "", " \n", "\x00\x1b[31m\u202e", "\ud800", "🎫" * 50_000, "a." * 100_000, "/" * 200_000,
        "x/" * 100_000 + "a.py", "e\u0301" * 100_000, "\u0301" * 200_000, "*" * 200_000, "c+" * 100_000,
    ],
)  # fmt: skip
def test_hostile_texts_are_only_texts(text):
    found = fingerprint(text)
    assert len(found.keywords) <= KEYWORDS
    assert len(found.technologies) <= MENTIONS
    assert len(found.files) <= MENTIONS


@given(st.text(max_size=400))
def test_normalising_twice_changes_nothing_and_capitals_and_spaces_never_matter(text):
    once = normalised(text)
    assert normalised(once) == once
    assert fingerprint(f"\t{text}\n ").hash == fingerprint(text).hash
    assert fingerprint(once).hash == fingerprint(text).hash
