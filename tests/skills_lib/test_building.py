"""When a template is ready, why it is not, and what it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seasoned.skills_lib.building import NAME_LIMIT, Solved, named_apart, state_of
from seasoned.skills_lib.building import build as built
from seasoned.skills_lib.induction import known_texts
from seasoned.skills_lib.steps import Step, Trace

if TYPE_CHECKING:
    from seasoned.skills_lib.template_record import TemplateRecord


@pytest.mark.parametrize(
    ("solved", "failed", "tasks", "steps", "why"),
    [
        (5, 0, 4, 2, "ready: 5 successful runs of 4 tasks"),
        (3, 3, 2, 1, "ready: 3 successful runs of 2 tasks"),
        (2, 0, 2, 1, "candidate: 2 successful runs of 2 tasks; 3 of 2 tasks are needed"),
        (1, 0, 1, 1, "candidate: 1 successful run of 1 task; 3 of 2 tasks are needed"),
        (9, 0, 1, 1, "candidate: 9 successful runs of 1 task; 3 of 2 tasks are needed"),
        (4, 7, 4, 1, "candidate: it failed more often than it succeeded (4 of 11)"),
        (4, 0, 3, 0, "candidate: 4 successful runs of 3 tasks have no step in common"),
    ],
)
def test_a_state_says_why(solved, failed, tasks, steps, why):
    assert state_of(solved, failed, tasks, ["step"] * steps) == (why.split(":")[0], why)


def run(number: int, text: str, *tools: str, success: bool = True, said: tuple[str, ...] = ()) -> Solved:
    steps = tuple(Step(tool=tool, agent="desk", ok=True, result="done") for tool in tools)
    return Solved(Trace(run_id=f"r{number}", task=text, steps=steps, said=said, success=success), text, "retail", None)


def build(*given: Any, **more: Any) -> TemplateRecord:
    """The template that there is."""
    record = built(*given, **more)
    assert record is not None
    return record


def test_verdicts_of_all_runs_count_where_a_sample_was_looked_into():
    runs = [run(number, f"Cancel order {number}", "cancel_order") for number in range(4)]
    runs += [run(9, "Cancel order 9", "cancel_order", success=False)]
    assert build("a" * 64, runs).state == "ready"
    record = build("a" * 64, runs, verdicts=(400, 900))
    assert (record.state, record.why) == (
        "candidate",
        "candidate: it failed more often than it succeeded (400 of 1300)",
    )


def test_what_people_asked_for_is_told_only_in_words_of_the_tools_that_change_something():
    said = ("My name is Ada Lovelace, cancel it and get my secret", "yes")
    runs = [run(number, f"Hello number {number}", "get_secret", "cancel_order", said=said) for number in range(3)]
    assert build("a" * 64, runs).asked == ["cancel"]
    runs += [run(number, f"Hello number {number}", "get_secret", "cancel_order") for number in range(3, 6)]
    assert build("a" * 64, runs).asked == []


def test_a_name_that_is_taken_gets_a_telling_word_before_a_number():
    texts = ["Please refund the insurance of flight 12", "Please refund the insurance of flight 77"]
    known = known_texts([*texts, "Please refund flight 3", "Please refund flight 4"])
    record = build("a" * 64, [run(n, text, "get_user", "send_refund") for n, text in enumerate(texts)], (), known)
    assert record.name == "send-refund"
    taken = {"send-refund"}
    names = []
    for _ in range(7):
        name = named_apart(record, taken, known).name
        names.append(name)
        taken.add(name)
    assert names[0] == "send-refund-insurance"
    assert "send-refund-user" in names
    assert names[-1].rsplit("-", 1)[1].isdigit()
    assert len(set(names)) == 7


def test_names_and_values_are_no_telling_words():
    texts = ["Refund the ticket of Ada Lovelace from W1234567", "Refund the ticket of Ada Lovelace at W1234567"]
    record = build("a" * 64, [run(n, text, "send_refund") for n, text in enumerate(texts)])
    taken = {"send-refund"}
    for _ in range(6):
        taken.add(named_apart(record, taken).name)
    assert not any(word in name for name in taken for word in ("ada", "lovelace", "w1234567"))


@given(st.sets(st.sampled_from(["send-refund", "send-refund-2", "send-refund-ticket", "send-refund-3"])), st.text())
def test_a_name_is_never_one_that_is_taken_and_always_valid(taken, text):
    record = build("b" * 64, [run(0, text, "send_refund"), run(1, text + " ticket", "send_refund")])
    name = named_apart(record, taken).name
    assert name not in taken
    assert len(name) <= NAME_LIMIT
    assert all(part.isalnum() and part.islower() for part in name.split("-") if not part.isdigit())
