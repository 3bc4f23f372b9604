"""Slots: types by form, names from the words around, the written form, and matching without backtracking."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seasoned.skills_lib import induce_template
from seasoned.skills_lib.alignment import align, pair
from seasoned.skills_lib.slot_names import SlotContext, identifier, name_slot
from seasoned.skills_lib.slot_types import TYPES, common_type, type_of
from seasoned.skills_lib.template_text import Matcher, read, render, write


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("12", "number"),
        ("-3.5", "number"),
        ("$1,299.00", "number"),
        ("30 km", "number"),
        ("three", "number"),
        ("2023-04-01", "date"),
        ("4/19/2023", "date"),
        ("March 2023", "date"),
        ("16th November 2023", "date"),
        ("10:30 pm", "date"),
        ("2022", "date"),
        ("W123", "id"),
        ("#4711", "id"),
        ("000000001", "id"),
        ("ada@example.org", "email"),
        ("https://example.org/a?b=1", "url"),
        ("/etc/hosts", "path"),
        ("main.py", "path"),
        ("Ada Lovelace", "name"),
        ("Museum of Modern Art", "name"),
        ("red shoes", "text"),
        ("for x in y:\n    f(x)", "code"),
        ("", "text"),
    ],
)
def test_types_by_form(value: str, kind: str) -> None:
    assert type_of(value) == kind


def test_a_type_holds_for_all_values() -> None:
    assert common_type(["12", "W3"]) == "id"
    assert common_type(["12", "shoes"]) == "text"
    assert common_type(["shoes", "a hat"], quoted=True) == "quoted"
    assert common_type(["", "12"]) == "number"
    assert common_type([]) == "text"


@given(st.text(max_size=60))
def test_any_value_has_a_type(value: str) -> None:
    assert type_of(value) in TYPES


def test_quotes_in_the_template_tell_the_type() -> None:
    template = induce_template(['Search for "red hat" now', 'Search for "old maps" now'])
    assert template.text == 'Search for "{{search}}" now'
    assert template.slots[0].type == "quoted"


@pytest.mark.parametrize(
    ("before", "after", "kind", "values", "name"),
    [
        ("order ", "", "id", ("W1", "W2"), "order_id"),
        ("in ", "", "date", ("2022", "2023"), "year"),
        ("top ", " items", "number", ("1", "2"), "top_number"),
        ("buy ", " items", "number", ("1", "2"), "buy_number"),
        ("", " items", "number", ("1", "2"), "items_count"),
        ("to ", "", "email", ("a@b.c",), "email"),
        ("from ", "", "name", ("Rome", "Oslo"), "origin"),
        ("", "", "text", ("x",), "text"),
        ("for class ", "", "text", ("x",), "class_value"),
    ],
)
def test_names_come_from_the_words_around(
    before: str, after: str, kind: str, values: tuple[str, ...], name: str
) -> None:
    assert name_slot(SlotContext(values, kind, before, after), ()) == name


def test_names_are_unlike_one_another() -> None:
    context = SlotContext(("1",), "number", "", "")
    assert name_slot(context, ["number", "number_2"]) == "number_3"
    assert name_slot(context, [], lambda _: "9 lives!") == "value_9_lives"
    assert name_slot(context, [], lambda _: "漢字") == "number"


@given(st.text(max_size=80))
def test_an_identifier_is_one_or_nothing(text: str) -> None:
    name = identifier(text)
    assert name == "" or name.isidentifier()


PARTS = st.lists(st.sampled_from(["a ", " {{ b", "}} ", "{{x}}", "{{'{{'}}", "{"]), max_size=4).map("".join)


@given(PARTS, PARTS)
def test_the_written_form_reads_back(first: str, last: str) -> None:
    parts = [part for part in (first, 0, last) if part != ""]
    assert read(write(parts, ["slot"])) == (parts, ["slot"])


def test_matching() -> None:
    matcher = Matcher(["go from ", 0, " to ", 1, "!"])
    assert matcher.match("Go from A b to C!") == {0: "A b", 1: "C"}
    assert matcher.match("go from to to to!") == {0: "to", 1: "to"}
    assert matcher.match("go from to C!") is None
    assert matcher.match("go from A to C") is None
    assert Matcher([0, " end"], frozenset((0,))).match("end") == {0: ""}
    assert Matcher([0, " end"]).match("end") is None
    assert Matcher(["x ", 0, 1]).match("x a b c") == {0: "a", 1: "b c"}
    assert Matcher([0, " and ", 0]).match("a and a") == {0: "a"}
    assert Matcher([0, " and ", 0]).match("a and b") is None
    assert render(["go ", 0], {0: "home"}) == "go home"


@given(st.lists(st.sampled_from("abc"), max_size=12), st.lists(st.sampled_from("abc"), max_size=12))
def test_pairs_rise_and_hold_equal_words(left: list[str], right: list[str]) -> None:
    pairs = pair(left, right)
    assert all(left[first] == right[second] for first, second in pairs)
    assert all(before[0] < after[0] and before[1] < after[1] for before, after in itertools.pairwise(pairs))
    if left == right:
        assert len(pairs) == len(left)


def test_columns_hold_the_places_in_the_order_of_the_texts() -> None:
    texts = [["x", "go", "home"], ["go", "home"], ["please", "do", "go", "home"]]
    assert [(column.key, column.places) for column in align(texts)] == [("go", (1, 0, 2)), ("home", (2, 1, 3))]
    assert align([]) == []
