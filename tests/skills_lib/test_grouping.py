"""Which runs are "the same kind of task": by the rule, and as it is kept with a run when that is learned from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import seasoned
from seasoned.instrumentation import reading
from seasoned.instrumentation.reading import RunRecord
from seasoned.plugin.config import Config
from seasoned.plugin.lessons import GROUP_LIMIT
from seasoned.plugin.runtime import Workspace
from seasoned.skills_lib.grouping import READ, group_of, masked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from seasoned.instrumentation.runs import Run


def kind(task: str | None = None, domain: str | None = None, task_type: str | None = None) -> str | None:
    run = RunRecord(run_id="r", session_id="s", namespace="app", task=task, domain=domain, task_type=task_type)
    return group_of(run)


# -- values --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("Look at order W123 of 2024-05-17", "look at order <value> of <value>"),
        ("Pay $1,200.50 or €7 or #12 now!", "pay <value> or <value> or <value> now"),
        ("At 10:30, call +49 170 1234567", "at <value> call <value> <value> <value>"),
        ("Write to jo.doe+x@mail.example.org.", "write to <email>"),
        ("See https://a.example/b?c=1#d, or www.example.org", "see <url> or <url>"),
        ("Say \"hello there\", 'so long' and `x = y`", "say <quote> <quote> and <quote>"),
        ("\u201cWell\u201d isn't it the dogs' bowl", "<quote> isn t it the dogs bowl"),
        ("  LOTS\tof \n\n space…  and: PUNCTUATION?! ", "lots of space and punctuation"),
        ("\uff2fpen the ﬁle №5", "open the file <value>"),
        ("file_v2.txt", "<value>"),
        ("GROSSE Straße", "grosse strasse"),
        ("?!… --- ", ""),
        ("", ""),
    ],
)
def test_values_are_masked_by_their_form(task: str, expected: str) -> None:
    assert masked(task) == expected


def test_tasks_that_read_the_same_apart_from_values_are_of_one_kind() -> None:
    same = kind("Look at order W123, from 2024-05-17", "shop")
    assert kind("look at  order X9 from 1.2.2025!", "shop") == same
    assert kind("Look at order 'the red one', from 2024", "shop") != same
    assert kind("Look at parcel W123, from 2024-05-17", "shop") != same
    assert kind("Look at order W123, from 2024-05-17", "bank") != same
    assert kind("Look at order W123, from 2024-05-17", "shop", "odd") != same
    assert kind("Look at order W123, from 2024-05-17") != same


def test_where_the_words_tell_what_is_asked_for_that_is_the_kind() -> None:
    cancelled = kind("Please cancel my order W123.", "shop")
    assert kind("I want to cancel something I have bought", "shop") == cancelled
    assert kind("Hello! Cancel it.", "shop", "cancellation") == cancelled
    assert kind("Please cancel my order W123 and book a flight.", "shop") != cancelled
    assert kind("Please cancel my order W123.", "bank") != cancelled


def test_where_nothing_is_known_there_is_no_kind() -> None:
    assert kind() is None
    assert kind("  ?! ") is None
    assert kind(domain="shop") is not None
    assert kind(task_type="booking") is not None
    assert kind(domain="shop") == kind("!!", "shop")
    assert kind("shop") != kind(domain="shop") != kind(task_type="shop") != kind("shop")


def test_the_name_is_the_same_on_every_day_and_machine() -> None:
    """A changed rule changes these: then say in the change log that ``rebuild --regroup`` applies it."""
    assert kind("Look at the log") == "task-6c93fda8f62ee5d3"
    assert kind("Look at order W1", "shop", "Odd Type!") == "odd_type-d43e3b7539c493f9"
    assert re.fullmatch(r"[a-z0-9_+]{1,40}-[0-9a-f]{16}", kind(task_type="Ω" * 500) or "")


# -- hostile texts -------------------------------------------------------------------------------------------------

LONG = 200_000
HOSTILE = {
    "one long word": "a" * LONG, "digits": "1" * LONG, "open quotes": '"' * LONG, "apostrophes": " '" * LONG,
    "backticks": "`a" * LONG, "ats": "a@" * LONG, "almost an address": "a@" + "a." * LONG,
    "dashes": "a-" * LONG, "colons": "a:" * LONG, "dollars": "$" * LONG, "marks": "<" * LONG,
    "beginnings of links": "www." * LONG, "long before the at": ("a" * 64 + "@" + "-" * 64) * 2000,
    "spaces": " \n" * LONG, "swelling": "\ufdfa" * LONG, "no text": "\x00\ud800" * LONG,
    "do not": "do not " * LONG, "marks on one letter": "a" + "\u0301\u0316" * LONG,
    "hyphens between words": "review-" * LONG,
}  # fmt: skip


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", HOSTILE)
def test_long_and_hostile_texts_are_done_with(name: str) -> None:
    """Each of them takes a pattern that tries again at every place minutes."""
    found = kind(HOSTILE[name], "shop")
    assert found is not None
    assert len(found) <= 60


def test_only_the_beginning_of_a_long_text_counts() -> None:
    assert kind("word " * READ) == kind("word " * (READ + 7))


@given(st.text(max_size=400))
def test_masking_never_fails_and_leaves_only_words_and_marks(text: str) -> None:
    words = masked(text)
    assert words == words.strip()
    assert re.fullmatch(r"(?:[\w<>]+(?: [\w<>]+)*)?", words)
    kind(text, text, text)


@given(st.lists(st.sampled_from(["look", "at", "the", "7", "W12", "a@b.cd", "it's", "Über", "<x>"]), max_size=8))
def test_capitals_spaces_and_repeated_masking_change_nothing(words: list[str]) -> None:
    once = masked(" ".join(words))
    assert masked("\t " + "  \n".join(words).upper() + " ") == once
    assert masked(once) == once


# -- kept with the run ---------------------------------------------------------------------------------------------


class Groups:
    """A plugin that names the kind of every task."""

    def __init__(self, answer: object) -> None:
        self.answer = answer
        self.asked: list[str] = []

    @seasoned.hookimpl
    def task_group(self, run: RunRecord) -> Any:
        self.asked.append(run.run_id)
        return self.answer


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Workspace]:
    made = Workspace(Config(home=str(tmp_path / "home"), namespace="app", summary=False))
    yield made
    made.close()


def solve(space: Workspace, task: str = "Look at the log") -> Run:
    run = space.recorder.begin(task, agents=["tess"])
    run.turn = 1
    space.recorder.message(run, "tess", ["user"], "assistant", "Done.")
    space.recorder.finish(run, "done")
    run.outcome(True, complexity="medium")
    assert space.flush().error is None
    return run


def stored(space: Workspace, run: Run) -> str | None:
    with space.store.reading() as connection:
        return reading.find(connection, run.run_id).task_group


def rules(space: Workspace, run: Run) -> list[str]:
    with space.store.reading() as connection:
        query = "SELECT DISTINCT rule FROM skill_events WHERE event = 'xp_gain' AND run_id = ? ORDER BY rule"
        return list(connection.exec_driver_sql(query, (run.run_id,)).scalars())


def test_the_kind_is_stored_with_the_run_when_it_is_first_learned_from(space: Workspace) -> None:
    plugin = Groups("mine")
    space.hooks.add(plugin, "groups")
    run = solve(space)
    assert stored(space, run) == "mine"
    assert plugin.asked == [run.run_id]
    run.feedback(positive=True)
    assert space.flush().learned == 1
    assert plugin.asked == [run.run_id]
    unjudged = space.recorder.begin("Look at the log", agents=["tess"])
    space.recorder.finish(unjudged, "done")
    assert space.flush().error is None
    assert stored(space, unjudged) is None


def test_a_changed_answer_changes_no_history_until_it_is_asked_for(space: Workspace) -> None:
    plugin = Groups("mine")
    space.hooks.add(plugin, "groups")
    first, second = solve(space, "Look at the log"), solve(space, "Paint the wall")
    assert rules(space, second) == ["diminishing_returns", "repeat_solve", "task_completed"]
    plugin.answer = None  # the built-in rule answers from now on
    space.service.rebuild()
    assert (stored(space, first), stored(space, second)) == ("mine", "mine")
    assert rules(space, second) == ["diminishing_returns", "repeat_solve", "task_completed"]
    third = solve(space, "Paint the wall")
    assert stored(space, third) == kind("Paint the wall")
    assert rules(space, third) == ["first_time_solve", "task_completed"]
    space.service.rebuild(regroup=True)
    assert [stored(space, run) for run in (first, second, third)] == [
        kind("Look at the log"), kind("Paint the wall"), kind("Paint the wall"),
    ]  # fmt: skip
    assert rules(space, second) == ["first_time_solve", "task_completed"]
    assert rules(space, third) == ["diminishing_returns", "repeat_solve", "task_completed"]


@pytest.mark.parametrize("answer", ["", "\x00", 7, ["mine"], b"mine"])
def test_what_is_no_name_is_no_kind(space: Workspace, answer: object) -> None:
    space.hooks.add(Groups(answer), "groups")
    run = solve(space)
    assert stored(space, run) is None
    assert rules(space, run) == ["task_completed"]


def test_a_long_name_is_cut_and_nothing_that_a_database_refuses_stays_in_it(space: Workspace) -> None:
    space.hooks.add(Groups("a\x00" + "b" * 1000), "groups")
    run = solve(space)
    assert stored(space, run) == "a" + "b" * (GROUP_LIMIT - 1)


def test_a_failing_plugin_leaves_the_answer_to_the_next(space: Workspace) -> None:
    class Broken:
        @seasoned.hookimpl
        def task_group(self, run: RunRecord) -> str:
            raise RuntimeError(run.run_id)

    space.hooks.add(Broken(), "broken")
    run = solve(space)
    assert stored(space, run) == kind("Look at the log")
