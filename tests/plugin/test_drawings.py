"""Drawings of runs: they stand alone, say in words what they show, and take any names and any length."""

from __future__ import annotations

import itertools
import random
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seasoned.instrumentation.spans import Span
from seasoned.plugin.drawing_parts import clock, many, time_ticks, value_ticks
from seasoned.plugin.drawings import COLOURS, DARK, graph_svg, timeline_svg, usage_svg

SECOND = 10**9
HOSTILE = "</text><script>alert(1)</script><a onclick='x'>]]>\u202e\x1b[31m\x00\ud800\uffff\"&"
KINDS = ("model", "tool", "code", "message", "human", "transition", "error")
SVG = "{http://www.w3.org/2000/svg}"
TAGS = {SVG + name for name in ("svg", "title", "desc", "g", "rect", "path", "circle", "line", "text")}


def parsed(svg: str) -> ET.Element:
    """The drawing, held to be one whole piece of XML that loads nothing and does nothing."""
    root = ET.fromstring(svg)  # noqa: S314  our own
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert root.get("aria-label")
    assert [child.tag for child in root[:2]] == [f"{SVG}title", f"{SVG}desc"]
    for element in root.iter():
        assert element.tag in TAGS
        assert not {name for name in element.attrib if name.startswith("on") or "href" in name or name == "id"}
        assert "url(" not in element.get("style", "")
        if element.tag == f"{SVG}text":
            assert float(element.get("font-size", "0")) >= 11
    return root


def value(element: ET.Element, name: str) -> str:
    return element.get(name) or ""


def number(element: ET.Element, name: str) -> float:
    return float(value(element, name))


def told(root: ET.Element) -> str:
    """What the drawing says of itself to those who cannot see it."""
    return root[1].text or ""


def words(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def span(agent: str, kind: str, begin: float, end: float, *, failed: bool = False, name: str = "x") -> Span:
    return Span(agent, kind, name, round(begin * SECOND), round(end * SECOND), failed, 7)


def drawn(found: list[Span]) -> str:
    return timeline_svg(found, start_ns=0, end_ns=100 * SECOND, title="What took how long")


# -- colours -----------------------------------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colours", [COLOURS, DARK])
def test_what_is_written_can_be_read(colours):
    for name in ("ink", "soft", "error", "model", "accent"):
        assert contrast(colours[name], colours["panel"]) >= 4.5, name
    for name in ("model", "tool", "error"):
        assert contrast(colours["on"], colours[name]) >= 4.5, name
    for name in KINDS:
        assert contrast(colours[name], colours["panel"]) >= 3, name
    assert len({colours[name] for name in KINDS}) == len(KINDS)


def test_both_sets_of_colours_have_the_same_names():
    assert COLOURS.keys() == DARK.keys()


# -- the timeline ------------------------------------------------------------------------------------------------------


def test_each_agent_has_a_lane_and_each_kind_its_own_shape():
    found = [span("ada", kind, at * 10, at * 10 + (5 if kind in ("model", "tool", "code") else 0))
             for at, kind in enumerate(KINDS)]  # fmt: skip
    root = parsed(drawn([*found, span("ben", "model", 80, 90)]))
    assert {"ada", "ben", "model call", "tool", "code", "human input", "transition"} <= set(words(root))
    shapes = set()
    for kind in KINDS:
        group = next(g for g in root.iter(f"{SVG}g") if g.get("fill") == COLOURS[kind])
        shape = list(group.iter())[-1]
        drawn_as = (shape.tag, shape.get("stroke-dasharray"), re.sub(r"[\d.]+", "", shape.get("d", "")))
        shapes.add((*drawn_as, COLOURS[kind]))
    assert len(shapes) == len(KINDS)


def test_what_failed_is_red_marked_and_told():
    good, bad = drawn([span("ada", "tool", 0, 50)]), drawn([span("ada", "tool", 0, 50, failed=True)])
    assert COLOURS["error"] not in good
    assert "failed" not in words(parsed(good))
    root = parsed(bad)
    assert "failed" in words(root)
    assert any("failed" in (element.text or "") for element in root.iter(f"{SVG}title"))
    assert [element for element in root.iter(f"{SVG}path") if element.get("fill") == "none"], "a cross"
    assert "1 failed" in told(root)


def test_places_are_true_to_time():
    svg = drawn([span("ada", "model", 20, 40), span("ada", "model", 60, 65)])
    bars = [rect for rect in parsed(svg).iter(f"{SVG}rect") if rect.get("height") == "15"]
    left, right = bars
    assert number(left, "width") == pytest.approx(4 * number(right, "width"), rel=0.02)
    assert number(right, "x") - number(left, "x") == pytest.approx(2 * number(left, "width"), rel=0.02)


def test_a_run_without_times_is_drawn_along_its_order():
    found = [Span("ada", "message", "", at * 1000, at * 1000, False, at) for at in (1, 2, 3, 60)]
    root = parsed(timeline_svg(found, start_ns=0, end_ns=0, title="imported"))
    assert "order, not time" in words(root)
    assert "times unknown" in told(root)
    marks = [number(circle, "cx") for circle in root.iter(f"{SVG}circle")][:4]
    gaps = [after - before for before, after in itertools.pairwise(marks)]
    assert max(gaps) < 1.1 * min(gaps)


def test_a_long_run_is_thinned_and_says_so():
    rng = random.Random(4)
    found = [span(f"agent {rng.randrange(40)}", rng.choice(KINDS), at / 10, at / 10 + rng.random(),
                  failed=at % 50 == 0) for at in range(10_000)]  # fmt: skip
    svg = timeline_svg(found, start_ns=0, end_ns=0, title="long")
    root = parsed(svg)
    assert any("10,000 pieces of work, drawn as" in line for line in words(root))
    assert len(list(root.iter())) < 4_000
    assert len(svg) < 300_000
    assert "17 others" in words(root)
    assert "200 failed" in told(root)


def test_a_short_run_is_not_thinned():
    svg = drawn([span("ada", "message", at / 10, at / 10) for at in range(200)])
    assert len(list(parsed(svg).iter(f"{SVG}circle"))) == 201  # and the legend's


@pytest.mark.parametrize("found", [[], [span("", "model", 5, 5)], [Span("a", "odd", "", 5, 5, True, 0, True)]])
def test_next_to_nothing_is_drawn_too(found):
    parsed(timeline_svg(found, start_ns=0, end_ns=0, title="little"))


def test_names_are_shown_and_do_nothing():
    root = parsed(drawn([span(HOSTILE, kind, at * 10, at * 10 + 9, name=HOSTILE) for at, kind in enumerate(KINDS)]))
    assert any(line.startswith("</text><script>") for line in words(root))
    assert "\u202e" not in ET.tostring(root, encoding="unicode")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.builds(
            Span, st.text(max_size=8), st.sampled_from([*KINDS, "new"]), st.text(max_size=8),
            st.integers(0, 2**62), st.integers(0, 2**62), st.booleans(), st.integers(0, 99), st.booleans(),
        ), max_size=30,
    ),
    st.text(max_size=20),
)  # fmt: skip
def test_any_spans_can_be_drawn(found, title):
    svg = timeline_svg(found, start_ns=0, end_ns=0, title=title + "t")
    parsed(svg)
    assert svg == timeline_svg(list(found), start_ns=0, end_ns=0, title=title + "t")
    assert "nan" not in svg


# -- the graph ---------------------------------------------------------------------------------------------------------


def test_agents_and_how_often_they_handed_over_are_shown():
    root = parsed(graph_svg({("ada", "ben"): 12, ("ben", "ada"): 7, ("ben", "ben"): 3}, title="graph"))
    assert {"ada", "ben", "12", "7", "3"} <= set(words(root))
    assert "ada to ben 12" in told(root)
    assert len(list(root.iter(f"{SVG}circle"))) == 2


@pytest.mark.parametrize("count", [2, 3, 7, 20])
def test_every_name_stands_inside_the_picture_and_apart_from_the_others(count):
    names = [f"agent_number_{at}" for at in range(count)]
    edges = {(one, other): 3 for one in names for other in (one, names[0], names[-1])}
    root = parsed(graph_svg(edges, title="graph"))
    width, height = number(root, "width"), number(root, "height")
    places = []
    for element in root.iter(f"{SVG}text"):
        x, y, text = number(element, "x"), number(element, "y"), element.text or ""
        wide = 6 * len(text)
        begin = {"start": x, "middle": x - wide / 2, "end": x - wide}[element.get("text-anchor", "start")]
        assert 0 < y < height - 4, text
        assert begin >= 0, text
        assert begin + wide <= width, text
        if text.startswith("agent_number"):
            places.append((begin, y, wide))
    assert len(places) == count
    for at, (x, y, wide) in enumerate(places):
        for other_x, other_y, other_wide in places[at + 1 :]:
            assert abs(y - other_y) >= 12 or x + wide < other_x or other_x + other_wide < x


def test_beyond_twenty_agents_the_least_busy_share_a_place():
    root = parsed(graph_svg({(f"a{at}", f"a{(at + 1) % 50}"): at + 1 for at in range(50)}, title="graph"))
    assert "31 others" in words(root)
    assert len(list(root.iter(f"{SVG}circle"))) == 20


@pytest.mark.parametrize("edges", [{}, {("ada", "ada"): 1}, {("", HOSTILE): 2, (HOSTILE, ""): 1}, {("a", "b"): 0}])
def test_odd_graphs_are_drawn_too(edges):
    parsed(graph_svg(edges, title=HOSTILE))


# -- what was used -----------------------------------------------------------------------------------------------------


def test_tokens_and_cost_add_up():
    points = [(at * SECOND, 1_000 * (at + 1), 0.25) for at in range(4)]
    root = parsed(usage_svg(points[::-1], title="use"))
    assert {"10k tokens", "$1.00", "tokens", "US dollars"} <= set(words(root))
    assert "4 model calls in 3 s" in told(root)
    curve = next(value(path, "d") for path in root.iter(f"{SVG}path") if path.get("fill-opacity") == "0")
    heights = [float(y) for y in re.findall(r"V([\d.]+)", curve)]
    assert heights == sorted(heights, reverse=True), "it only grows"


def test_without_cost_only_tokens_are_drawn():
    assert "US dollars" not in words(parsed(usage_svg([(0, 10, 0.0), (SECOND, 5, 0.0)], title="use")))


@pytest.mark.parametrize("points", [[], [(5, 0, 0.0)], [(5, 3, 1e-9)], [(at, 1, 0.1) for at in range(20_000)]])
def test_odd_uses_are_drawn_too(points):
    svg = usage_svg(points, title=HOSTILE)
    parsed(svg)
    assert len(svg) < 60_000


# -- ticks -------------------------------------------------------------------------------------------------------------


@given(st.floats(1e-6, 1e8), st.integers(2, 12))
def test_ticks_of_time_are_few_different_and_inside(seconds, most):
    ticks = time_ticks(seconds, most)
    assert 1 <= len(ticks) <= most + 1
    assert len({name for _, name in ticks}) == len(ticks)
    assert all(0 <= at <= seconds * 1.001 for at, _ in ticks)


@given(st.floats(1e-6, 1e12))
def test_ticks_of_values_are_few_and_inside(top):
    ticks = value_ticks(top)
    assert 2 <= len(ticks) <= 6
    assert ticks[0] == 0
    assert ticks[-1] <= top * 1.001


def test_times_and_figures_are_named_as_people_do():
    assert [clock(*given) for given in ((0, 1), (0.25, 0.05), (4.5, 0.5), (90, 30), (7500, 300), (172800, 86400))] == [
        "0", "250 ms", "4.5 s", "1:30 min", "2:05 h", "2 d",
    ]  # fmt: skip
    assert [many(value) for value in (950, 9_999, 12_345, 2_500_000)] == ["950", "9999", "12.3k", "2.5M"]
