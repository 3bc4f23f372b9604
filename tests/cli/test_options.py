"""How dates and lengths of time are read."""

from __future__ import annotations

import time
from datetime import datetime, timezone

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from seasoned.plugin.cli import options


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=timezone.utc)),
        ("2026-01-31T12:00:00+02:00", datetime(2026, 1, 31, 10, tzinfo=timezone.utc)),
        ("2026-01-31", datetime(2026, 1, 31).astimezone()),
        ("2026-01-31 12:30", datetime(2026, 1, 31, 12, 30).astimezone()),
    ],
)
def test_dates(text, moment):
    assert options.when(text) == int(moment.timestamp()) * 1_000_000_000


@pytest.mark.parametrize(
    ("text", "seconds"), [("90m", 5400), ("2h", 7200), ("1.5d", 129_600), ("1w", 604_800), ("0s", 0)]
)
def test_lengths_of_time_are_before_now(text, seconds):
    before = time.time_ns()
    found = options.when(text)
    after = time.time_ns()
    assert before - 1_000_000 <= found + seconds * 1_000_000_000 <= after


@given(st.text(max_size=20))
def test_anything_else_is_wrong_usage(text):
    try:
        found = options.when(text)
    except typer.BadParameter as error:
        assert repr(text.strip()) in str(error)  # noqa: PT017  either answer is right
    else:
        assert isinstance(found, int)


def test_nothing_is_nothing():
    assert options.when(None) is None
