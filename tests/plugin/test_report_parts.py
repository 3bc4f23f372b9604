"""What reports are made of: trees that say the same in both of their forms, rates, stretches of time, reasons."""

from __future__ import annotations

import base64
import gzip
import json
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seasoned.instrumentation.reading import RunRecord
from seasoned.plugin.report_charts import columns_svg
from seasoned.plugin.report_facts import Calendar, by_week, chosen, rate, wilson
from seasoned.plugin.report_nodes import h, json_for_page, pack, picture, to_html
from seasoned.plugin.report_prompts import line_reasons
from seasoned.plugin.report_texts import laid_out, said, since

DAY = 86_400 * 10**9
texts = st.text(st.characters(blacklist_categories=("Cs",)), max_size=40)
trees = st.recursive(
    st.tuples(st.sampled_from(["p", "code", "bdi"]), texts).map(lambda pair: h(pair[0], pair[1], class_=pair[1])),
    lambda inner: st.lists(inner, max_size=4).map(lambda children: h("div", children, id="x")),
    max_leaves=12,
)


class Read(HTMLParser):
    """Reads HTML back into a tree."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.stack: list[list[Any]] = [["", {}]]
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.stack.append([tag, dict(attrs)])

    def handle_endtag(self, tag: str) -> None:
        done = self.stack.pop()
        assert done[0] == tag
        self.stack[-1].append(done)

    def handle_data(self, data: str) -> None:
        self.stack[-1].append(data)


def squeezed(node: Any) -> Any:
    """The tree with neighbouring texts as one."""
    if isinstance(node, str):
        return node
    tag, attributes, *children = node
    out: list[Any] = [tag, attributes]
    for child in map(squeezed, children):
        if isinstance(child, str) and isinstance(out[-1], str) and len(out) > 2:
            out[-1] += child
        else:
            out.append(child)
    return out


@given(trees)
def test_a_tree_says_the_same_as_html_and_packed(tree: list[Any]):
    assert squeezed(Read(to_html(tree)).stack[0][2]) == squeezed(tree)
    assert json.loads(gzip.decompress(base64.b64decode(pack(tree)))) == tree
    assert json.loads(json_for_page(tree)) == tree
    assert not set("<>&\u2028\u2029") & set(json_for_page(tree))


@pytest.mark.parametrize(
    ("tag", "given_"),
    [("script", {}), ("img", {}), ("iframe", {}), ("a", {"href": "javascript:alert(1)"}), ("a", {"href": "http://x"}),
     ("p", {"onclick": "x"}), ("p", {"style": "color: red"}), ("p", {"src": "x"})],
)  # fmt: skip
def test_a_tree_takes_nothing_that_runs_or_loads(tag: str, given_: dict[str, str]):
    with pytest.raises(ValueError, match="a report has no"):
        h(tag, "x", **given_)


def test_of_a_drawing_only_what_draws_is_kept():
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" onload="x"><script>x</script><style>p{}</style><a href="javascript:x">'
        '<text style="fill:var(--seasoned-ink,#1d2126)">hi</text></a><image href="x"/><rect style="fill:url(x)" x="1"/>'
        "<foreignObject><p>x</p></foreignObject></svg>"
    )
    assert to_html(picture(svg, "a drawing")) == (
        '<svg role="img" aria-label="a drawing"><a><text style="fill:var(--seasoned-ink,#1d2126)">hi</text></a>'
        '<rect x="1"/></svg>'
    )


@pytest.mark.parametrize(
    ("succeeded", "judged", "low", "high"),
    [(0, 0, 0, 1), (0, 10, 0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1), (133, 260, 0.4510, 0.5717)],
)
def test_wilson(succeeded: int, judged: int, low: float, high: float):
    assert wilson(succeeded, judged) == pytest.approx((low, high), abs=1e-4)


@given(st.integers(0, 500), st.integers(0, 500))
def test_an_interval_holds_its_rate(succeeded: int, more: int):
    low, high = wilson(succeeded, succeeded + more)
    assert 0 <= low <= high <= 1
    if succeeded + more:
        assert low - 1e-12 <= succeeded / (succeeded + more) <= high + 1e-12


def record(number: int, at: int = 0, **given_: Any) -> RunRecord:
    return RunRecord(run_id=f"r{number}", session_id="", namespace="", started_ns=at, **given_)


def test_a_rate_knows_what_nobody_judged_and_what_nobody_priced():
    found = rate([record(1, success=True, cost_usd=0.5), record(2, success=False), record(3, errors=2)])
    assert (found.runs, found.judged, found.succeeded, found.errors, found.cost_usd) == (3, 2, 1, 2, 0.5)
    assert found.percent == "50%"
    assert rate([record(1)]).percent == "-"
    assert rate([record(1)]).cost_usd is None


def test_weeks_begin_on_monday():
    monday = 1_767_571_200 * 10**9  # 2026-01-05 00:00 UTC
    weeks = by_week([record(1, monday - 1), record(2, monday), record(3, monday + 7 * DAY - 1)])
    assert [(name, found.runs) for name, found in weeks] == [("2026-01-05", 2), ("2025-12-29", 1)]


@given(st.lists(st.integers(0, 4_000_000_000 * 10**9), max_size=30))
def test_a_calendar_has_a_place_for_every_moment(moments: list[int]):
    calendar = Calendar(moments)
    keys = calendar.keys()
    assert keys == sorted(set(keys))
    assert len(keys) <= 400
    if moments and max(moments) - min(moments) < 30 * 365 * DAY:
        assert {calendar.key(at) for at in moments} <= set(keys)


def test_chosen_runs_leave_out_those_inside_others():
    every = [record(number, 100 - number, errors=number % 7) for number in range(50)]
    found = chosen(every, 10, lambda run: run.run_id == "r0")
    assert len(found) == 10
    assert "r0" not in {run.run_id for run in found}
    assert {f"r{number}" for number in range(1, 6)} <= {run.run_id for run in found}
    assert [run.errors for run in found[5:]] == [6] * 5


def test_each_line_has_its_own_reason():
    section = {
        "text": "STRENGTHS:\n- Get Order Details: Level 4\n- airline L4: Asks first\n- You are meticulous. "
        "Double-check your work before responding.\n- Nobody knows why",
        "why": "get_order_details: level 4 with 7 XP; airline: level 4; thoroughness is 0.8, above 0.7",
    }
    reasons, rest = line_reasons(section)
    assert [reasons.get(line) for line in section["text"].split("\n")] == [
        None, "get_order_details: level 4 with 7 XP", "airline: level 4", "thoroughness is 0.8, above 0.7", None,
    ]  # fmt: skip
    assert rest == ""
    assert line_reasons({"text": "- x", "why": "because of that"}) == ({}, "because of that")


def test_long_texts_are_folded_then_cut():
    shown = to_html(h("div", said("z" * 5_000, 4_000, "seasoned show r1")))
    assert shown.count("z") == 4_000
    assert "show 2\u202f500 more characters" in shown
    assert "1\u202f000 characters are left out here" in shown
    assert "seasoned show r1" in shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [('{"a":[1]}', '{\n  "a": [\n    1\n  ]\n}'), ("{not json}", "{not json}"), ("plain", "plain"), (None, ""),
     ([1], "[\n  1\n]"), ("[" * 5_000 + "]", "[" * 5_000 + "]")],
)  # fmt: skip
def test_json_is_laid_out_and_the_rest_left_alone(value: Any, shown: str):
    assert laid_out(value) == shown


@pytest.mark.parametrize(
    ("nanoseconds", "shown"),
    [(0, "+0 ms"), (-5, "+0 ms"), (250e6, "+250 ms"), (4.25e9, "+4.2 s"), (65e9, "+1:05"), (7209e9, "+2:00:09")],
)
def test_times_since_the_beginning(nanoseconds: int, shown: str):
    assert since(nanoseconds) == shown


def test_columns_stay_in_their_box_and_say_what_they_are():
    svg = columns_svg(["a", "<b>"], [("one", "model", [1, 2]), ("two", "tool", [0, 3])], title="T", told="1, 5",
                      shown=lambda value: f"{value:g}")  # fmt: skip
    tree = picture(svg)
    boxes = [node[1] for node in _all(tree, "rect")]
    for start, size, most in (("x", "width", 960), ("y", "height", 250)):
        for box in boxes:
            assert float(box[start]) >= 0
            assert float(box[start]) + float(box[size]) <= most + 0.2
    assert "<b>: one 2, two 3" in [child for node in _all(tree, "title") for child in node[2:]]


def _all(node: Any, tag: str) -> list[Any]:
    if isinstance(node, str):
        return []
    return [*([node] if node[0] == tag else []), *(found for child in node[2:] for found in _all(child, tag))]
