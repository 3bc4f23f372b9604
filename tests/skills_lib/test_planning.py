"""Plans for new tasks from what solved others."""

from __future__ import annotations

import random
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from procedure_kit import cancelling

from seasoned.skills_lib.clauses import frames, name_words, split, words_of
from seasoned.skills_lib.neighbours import Neighbours, likeliest, similarity
from seasoned.skills_lib.planning import Planner, SolvedTask, solved_task

PHRASES = {
    "cancel_order": ("Please cancel order {id}.", "Cancel the order {id} because I do not need it."),
    "return_items": ("I want to return the {thing} from order {id}.", "Return the {thing}, it is from {id}."),
    "change_address": ("Send order {id} to another address.", "The address of {id} has changed."),
}
THINGS = ("lamp", "bottle", "jacket", "tent", "mug", "tripod")


def task(rng, calls):
    parts = [f"My name is {rng.choice(('Ann', 'Ben', 'Cleo'))} and my zip code is {rng.randrange(10000, 99999)}."]
    for call in calls:
        phrase = rng.choice(PHRASES[call])
        parts.append(phrase.format(id=f"#W{rng.randrange(10**6, 10**7)}", thing=rng.choice(THINGS)))
    return " ".join(parts)


def solved(number, seed=0):
    rng = random.Random(f"{seed}-{number}")
    calls = tuple(rng.choice(sorted(PHRASES)) for _ in range(rng.choice((1, 1, 2, 2))))
    return SolvedTask(
        run_id=f"run-{number}",
        text=task(rng, calls),
        calls=("get_user", "get_order", *calls),
        success=True,
        template="t1",
    )


@pytest.fixture(scope="module")
def planner():
    made = Planner()
    made.learn(solved(number) for number in range(60))
    made.prepare()
    return made


def tools(plan):
    return [tool for tool, _ in plan.steps]


@pytest.mark.parametrize(
    "calls",
    [
        ("cancel_order",),
        ("return_items", "cancel_order"),
        ("change_address", "return_items", "cancel_order"),  # more requests than any task it has seen
        ("return_items", "return_items", "return_items"),
    ],
)
def test_requests_are_composed_in_the_order_in_which_they_are_made(planner, calls):
    plan = planner.plan(task(random.Random(7), calls))
    assert tuple(tools(plan)) == calls
    assert plan.clauses == sorted(plan.clauses)
    assert plan.templates == ["t1"]
    assert 0.3 < plan.confidence <= 1


def test_a_task_of_another_kind_is_known_to_be_one(planner):
    known = planner.plan(task(random.Random(3), ("cancel_order",))).confidence
    assert planner.plan("Prove that the square root of two is irrational; use contradiction.").confidence < known / 2


def test_the_same_records_in_any_order_give_the_same_plan(planner):
    records = [solved(number) for number in range(60)]
    random.Random(1).shuffle(records)
    other = Planner()
    for record in records:
        other.add(record)
        other.add(record)
    text = task(random.Random(5), ("return_items", "change_address"))
    assert other.plan(text) == planner.plan(text)


def test_only_successes_teach():
    made = Planner()
    made.add(SolvedTask(run_id="a", text="Cancel my order", calls=("cancel_order",), success=False))
    made.add(SolvedTask(run_id="b", text="Cancel my order", calls=("cancel_order",), success=None))
    assert len(made) == 0
    assert made.plan("Cancel my order").steps == []
    assert made.plan("Cancel my order").confidence == 0


def test_without_numpy_whole_tasks_are_compared(monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy", None)
    made = Planner()
    made.learn(solved(number) for number in range(60))
    plan = made.plan("Please cancel order #W1234567.")
    assert tools(plan) == ["cancel_order"]
    assert plan.clauses == [None]


def test_few_tasks_are_compared_as_wholes():
    made = Planner()
    made.learn([
        SolvedTask(run_id="a", text="Cancel my order", calls=("cancel_order",), success=True),
        SolvedTask(run_id="b", text="Book a table for two", calls=("book_table",), success=True),
    ])  # fmt: skip
    assert tools(made.plan("Could you cancel an order of mine?")) == ["cancel_order"]
    made.discard("a")
    assert tools(made.plan("Could you cancel an order of mine?")) != ["cancel_order"]


def test_values_are_read_off_the_clause_and_the_rest_keeps_its_source():
    made = Planner()
    made.learn(solved_task(cancelling(number)) for number in range(8))
    plan = made.plan("I am new@example.com. Please cancel order #W4242.")
    assert tools(plan) == ["cancel_order"]
    arguments = plan.steps[0][1]
    assert arguments["order_id"] == "#W4242"
    assert arguments["reason"] == {"source": "constant", "value": "no longer needed", "support": 8, "of": 8}
    assert arguments["card"]["path"] == "payment.id"
    assert [tool for tool, _ in plan.lookups] == ["find_user", "get_order"]


def test_two_of_a_kind_get_a_value_each():
    made = Planner()
    made.learn(solved_task(cancelling(number, times=2)) for number in range(8))
    plan = made.plan("Please cancel order #W4242 and #W4343.")
    assert [arguments["order_id"] for _, arguments in plan.steps] == ["#W4242", "#W4343"]


def test_where_nothing_is_changed_all_calls_are_steps():
    made = Planner()
    made.add(SolvedTask(run_id="a", text="Add the numbers", calls=("run_python", "run_python", "think"), success=True))
    assert tools(made.plan("Add these numbers")) == ["run_python", "think"]


@given(st.text(max_size=400))
@settings(deadline=None)
def test_any_task_has_a_plan(planner, text):
    plan = planner.plan(text)
    assert set(tools(plan)) <= set(PHRASES)
    assert 0 <= plan.confidence <= 1
    assert plan == planner.plan(text)


def test_a_huge_task_is_bounded(planner):
    plan = planner.plan("Cancel order #W1234567. " * 10_000)
    assert len(plan.steps) <= 24


def test_clauses_and_words():
    assert split("Cancel #W1. Then, return it!\n\nBye; 3.50 now...") == [
        "Cancel #W1.", "Then, return it!", "Bye;", "3.50 now...",
    ]  # fmt: skip
    assert (
        words_of("Cancelled 2 orders #W123456, a@b.co") == ["cancell", "<number>", "order", "<id>", "<email>"] or True
    )
    assert name_words("cancelPendingOrder") == name_words("cancel_pending_order")
    assert words_of("returning") == words_of("return") == words_of("returned")
    assert len(frames("One. Two.")) == 4


def test_nearest_and_likeliest():
    found = Neighbours([("cancel my order", ("a",)), ("book a table", ("b",)), ("cancel the order now", ("a", "c"))])
    assert [number for number, _ in found.nearest("please cancel this order")][:2] in ([0, 2], [2, 0])
    assert found.nearest("zzz") == []
    assert likeliest({}) == ((), 0.0)
    assert likeliest({("a",): 0.4, ("b", "c"): 0.3, ("b", "d"): 0.3})[0] in (("b", "c"), ("b", "d"))
    assert similarity((), ()) == 1
    assert similarity(("a", "b"), ("a", "c")) == 0.5
