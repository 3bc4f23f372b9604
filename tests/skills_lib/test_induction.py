"""Templates induced from task texts: what they say, what they match, and that growing one changes nothing."""

from __future__ import annotations

import importlib
import random
import re
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seasoned.skills_lib import TaskTemplate, induce_template
from seasoned.skills_lib.induction import MAX_EVIDENCE, known_texts
from seasoned.skills_lib.tokens import folded

ORDERS = [
    "Refund order #W1203 for ada@example.org",
    "Refund order #W77 for bob@example.net",
    "refund order #X9 for eve@example.com",
]


def rendered(template: TaskTemplate, text: str) -> str:
    values = template.match(text)
    assert values is not None, (template.text, text)
    return template.render(values)


def test_two_texts_make_a_template() -> None:
    template = induce_template(ORDERS[:2])
    assert template.text.replace("#", "") == "Refund order {{order_id}} for {{email}}"
    assert [slot.type for slot in template.slots] == ["id", "email"]
    assert [example.strip("#") for example in template.slots[0].examples] == ["W1203", "W77"]
    values = template.match("REFUND  order #Q5 for\nz@example.org")
    assert values is not None
    assert (values["order_id"].strip("#"), values["email"]) == ("Q5", "z@example.org")
    assert template.match("Refund orders #W5 for z@example.org") is None
    assert template.match("Refund order for z@example.org") is None


def test_more_texts_sharpen_it() -> None:
    texts = ["List the top 3 items about cats", "List the top 3 items about dogs"]
    assert induce_template(texts).text.startswith("List the top 3 items about ")
    template = induce_template([*texts, "List the top 5 items about trains"])
    assert [slot.type for slot in template.slots] == ["number", "text"]
    assert template.match("List the top 9 items about rain") == {"top_number": "9", template.slots[1].name: "rain"}


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["mail ann@a.org today", "mail bob@b.org today"], "email"),
        (["pay 12.50 today", "pay 7.50 today"], "number"),
        (["open https://a.org/x/1 today", "open https://a.org/y/2 today"], "url"),
        (["due 2024-03-01 latest", "due 2025-04-01 latest"], "date"),
    ],
)
def test_a_value_with_marks_in_it_is_one_value(texts: list[str], kind: str) -> None:
    template = induce_template(texts)
    assert [slot.type for slot in template.slots] == [kind]


def test_growing_gives_what_all_at_once_give() -> None:
    grown = TaskTemplate()
    for text in ORDERS:
        grown = grown.refine(text)
    assert grown == induce_template(ORDERS)
    assert induce_template(ORDERS[:2]).add(ORDERS[2]) == grown
    assert grown.seen == 3


def test_evidence_is_bounded_and_the_template_still_fits_all() -> None:
    texts = [f"Close ticket {number} of team {'red' if number % 2 else 'blue'}" for number in range(3 * MAX_EVIDENCE)]
    texts.append("Close ticket zz of squad blue")
    template = induce_template(texts)
    assert len(template.evidence) <= MAX_EVIDENCE
    assert all(template.match(text) is not None for text in texts)


def test_texts_that_are_the_same_make_no_slot() -> None:
    template = induce_template(["Show all orders", "show  ALL orders"])
    assert template.slots == ()
    assert template.match("SHOW all   orders") == {}
    assert template.match("Show all orders now") is None
    assert template.seen == 2


def test_texts_with_nothing_in_common_make_an_open_template() -> None:
    template = induce_template(["alpha", "beta gamma"])
    assert template.open
    assert template.match("anything at all") == {template.slots[0].name: "anything at all"}
    assert not induce_template(ORDERS).open


def test_no_text_and_empty_texts() -> None:
    assert induce_template([]).text == ""
    assert induce_template([]).match("") == {}
    assert induce_template([]).match("x") is None
    assert induce_template(["", "  "]).match(" ") == {}
    template = induce_template(["", "x y"])
    assert template.match("") == {template.slots[0].name: ""}


def test_it_is_plain_data() -> None:
    template = induce_template(ORDERS)
    assert msgspec.json.decode(msgspec.json.encode(template), type=TaskTemplate) == template
    assert isinstance(msgspec.to_builtins(template)["parts"], (list, tuple))


def test_a_library_shows_that_a_word_is_part_of_the_value() -> None:
    texts = ["Preview the Quest Red theme for my shop please", "Preview the Quest Blue theme for my shop please"]
    others = [
        "Preview the Luna theme for my shop please",
        "Preview the Grid Dark theme for my shop please",
        "Preview the Plain Paper theme for my shop please",
    ]
    template = induce_template(texts, library=others)
    assert template.match("Preview the Nova theme for my shop please") is not None
    assert template.evidence == tuple(sorted(texts))
    assert template == induce_template(texts, library=known_texts(others))
    assert template == induce_template(texts, library=[induce_template(others)])


def test_a_library_of_other_tasks_leaves_the_template_matching() -> None:
    library = ["Cancel flight 12", "What is the weather in Oslo?", "", "\x00" * 50, "Refund order"]
    template = induce_template(ORDERS, library=library)
    assert all(folded(rendered(template, text)) == folded(text) for text in ORDERS)


def test_names_may_be_given() -> None:
    template = induce_template(ORDERS, namer=lambda context: "order_no" if context.type == "id" else None)
    assert [slot.name for slot in template.slots] == ["order_no", "email"]
    renamed = template.renamed({"email": "Customer E-Mail", "order_no": "customer_e_mail"})
    assert [slot.name for slot in renamed.slots] == ["customer_e_mail", "customer_e_mail_2"]
    values = renamed.match(ORDERS[0])
    assert values is not None
    assert values["customer_e_mail_2"] == "ada@example.org"


@pytest.mark.parametrize(
    "texts",
    [
        ["Use {{x}} for 3 items", "Use {{x}} for 5 items"],
        ["a(b*c)+[d]^$ 1", "a(b*c)+[d]^$ 2"],
        ["Überweise 5 € an Jörg", "überweise 7 € an Zoë"],
        ["打开 文件 一", "打开 文件 二"],
        ["ship 🚀 to Mars", "ship 🎁 to Venus"],
        ["nul \x00 byte a", "nul \x00 byte b"],
        ["half \ud800 pair a", "half \ud800 pair b"],
        ["e\u0301tat 1", "\u00e9tat 2"],
        ['say "a" twice', 'say "b c" twice', "say nothing"],
        ["\u2028line a", "\u2028line b\r\n"],
    ],
)
def test_odd_texts_are_matched_and_kept(texts: list[str]) -> None:
    template = induce_template(texts)
    for text in texts:
        assert template.match(text) is not None
    assert msgspec.json.decode(msgspec.json.encode(template), type=TaskTemplate) == template


PIECES = re.split(" ", "the of a Find find order 12 2023 red Blue Band ( ) \" ' / , . ? {{ }} $5 é 漢 🚀 x_y \x00")
TEXT = st.lists(
    st.sampled_from(PIECES),
    max_size=9,
).map(" ".join)


@given(st.lists(TEXT | st.text(max_size=20), max_size=5), st.lists(TEXT, max_size=4), st.randoms())
@settings(max_examples=150, deadline=None)
def test_whatever_the_texts(texts: list[str], library: list[str], chance: random.Random) -> None:
    template = induce_template(texts, library=library)
    for text in texts:
        cleaned = text.encode("utf-8", "replace").decode("utf-8")
        assert folded(rendered(template, text)) == folded(cleaned)
    names = [slot.name for slot in template.slots]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() for name in names)
    shuffled = list(texts)
    chance.shuffle(shuffled)
    assert induce_template(shuffled, library=list(reversed(library))) == template
    grown = TaskTemplate()
    for text in shuffled:
        grown = grown.refine(text, library=library)
    assert grown == template


WORDS = ["zebra", "quartz", "lemon", "violet", "anchor", "copper", "falcon", "meadow", "saddle"]
VALUE = st.integers(10, 10**6).map(str)


@given(
    st.lists(st.lists(st.sampled_from(WORDS), min_size=2, max_size=3, unique=True), min_size=2, max_size=4),
    st.data(),
)
@settings(max_examples=100, deadline=None)
def test_a_rendered_template_comes_back(literals: list[list[str]], data: st.DataObject) -> None:
    slots = len(literals) - 1
    rows = data.draw(
        st.lists(
            st.lists(VALUE, min_size=slots, max_size=slots), min_size=2, max_size=5, unique_by=tuple[str, ...]
        ).filter(lambda rows: all(len(set(column)) == len(rows) for column in zip(*rows, strict=True)))
    )
    texts = []
    for row in rows:
        parts = [" ".join(literals[0])]
        for value, words in zip(row, literals[1:], strict=True):
            parts += [value, " ".join(words)]
        texts.append(" ".join(parts))
    template = induce_template(texts)
    assert len(template.slots) == slots
    assert {slot.type for slot in template.slots} == {"number"}
    for text, row in zip(texts, rows, strict=True):
        found = template.match(text)
        assert found is not None
        assert list(found.values()) == row


def test_hostile_texts_are_bounded() -> None:
    long = "a b " * 50_000
    template = induce_template([long, "b a c " * 30_000])
    assert template.match(long) is not None
    template = induce_template(["x " * 40 + f"{word}" + " x" * 40 for word in ("one", "two")])
    assert template.match("x " * 100_000) is None or template.slots
    glob = induce_template(["a 1 a 2 a 3 a", "a 4 a 5 a 6 a"])
    assert glob.match("a " * 100_000 + "b") is None


def test_long_texts_that_differ_a_little() -> None:
    words = [f"w{number}" for number in range(20_000)]
    first, second = list(words), list(words)
    second[7_000] = "changed"
    template = induce_template([" ".join(first), " ".join(second)])
    assert [slot.examples for slot in template.slots] == [("changed", "w7000")]


def test_real_templates_come_back_more_often_than_with_difflib() -> None:
    bench = Path(__file__).parents[1] / "bench"
    data = Path(__file__).resolve().parents[3] / "shared" / "data" / "tasks_webarena.jsonl.gz"
    if not data.exists():
        pytest.skip(f"LEFT OUT: the real tasks are not there ({data})")
    sys.path.insert(0, str(bench))
    try:
        bench_induction = importlib.import_module("bench_induction")
    finally:
        sys.path.remove(str(bench))
    right = plain = 0
    for group in bench_induction.groups(bench_induction.tasks(data)):
        for texts in bench_induction.draws(group, 3, 1, random.Random(group.name)):
            right += bench_induction.shape(induce_template(texts).text) == bench_induction.shape(group.template)
            plain += bench_induction.by_difflib(texts) == bench_induction.shape(group.template)
    assert right > plain
