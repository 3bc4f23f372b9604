"""Task types from the words of a task."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seasoned.instrumentation.reading import RunRecord
from seasoned.skills_lib.plugin import TaskTypes
from seasoned.skills_lib.task_types import LEXICON, classify


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("Fix the failing import in utils.py", "debugging"),
        ("The app crashes on start, here is the traceback", "debugging"),
        ("Write unit tests for the parser", "testing"),
        ("Refactor the billing module into smaller functions", "refactoring"),
        ("Please review my code before I merge the pull request", "code_review"),
        ("Deploy the new release to staging", "deployment"),
        ("Implement a function that reverses a linked list", "code_generation"),
        ("Add a docstring to every public class", "documentation"),
        ("Translate this letter into French", "translation"),
        ("Summarize the paper in five key points", "summarization"),
        ("Research which vector databases support filtering", "research"),
        ("Analyze the sales data and plot the trend", "analysis"),
        ("Compute the derivative of x squared", "math"),
        ("Each pen costs twice as much. How many pens are there in total?", "math"),
        ("Plan the next sprint and prioritize the backlog", "planning"),
        ("Hi! Can you book me a table for four tonight?", "booking"),
        ("I want to cancel my subscription", "cancellation"),
        ("Please reschedule my appointment to Friday", "modification"),
        ("I would like to return some shoes for a refund", "returns"),
        ("Buy the cheapest red blanket", "purchase"),
        ("I want to complain about the service", "support"),
        ("Extract all invoice fields from the PDF", "extraction"),
        ("Draft an email to the landlord", "writing"),
        ("Do not refactor anything; just fix the crash", "debugging"),
        ("hello", None),
        ("", None),
        ("Tell me something nice", None),
    ],
)  # fmt: skip
def test_what_people_ask_for(task, expected):
    assert classify(task) == expected
    assert classify(task.upper()) == expected


@given(st.text(max_size=400))
def test_any_text_has_a_known_type_or_none(text):
    assert classify(text) in {*LEXICON, None}
    assert classify(text) == classify(text)


def test_words_count_whole():
    assert classify("a bookshelf and a prefixed notebook, uncancelled") is None


def test_only_the_beginning_is_read():
    assert classify("x " * 1500 + "debug the crash") is None


def test_the_plugin_answers_for_runs_with_a_task():
    types = TaskTypes()
    run = RunRecord(run_id="r", session_id="s", namespace="app", task="Debug the crash")
    assert types.classify_task(run) == "debugging"
    assert types.classify_task(msgspec.structs.replace(run, task=None)) is None
