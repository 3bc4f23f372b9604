"""What reaches the terminal is harmless, and JSON stays the same value."""

from __future__ import annotations

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from seasoned.instrumentation.describing import duration, money
from seasoned.instrumentation.errors import NotFound
from seasoned.plugin.cli import output

FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
ANY_TEXT = st.text(st.characters(), max_size=60)
HOSTILE = st.one_of(ANY_TEXT, st.text(st.sampled_from("\x1b[]0;m\x07\\\x9b\x9dPX^_?25lhK \n\t\r\u202ea"), max_size=40))
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | HOSTILE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(HOSTILE)
def test_no_control_character_survives(text):
    assert not FORBIDDEN.search(output.clean(text))


@given(st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), max_size=60))
def test_what_is_harmless_stays_as_it_is(text):
    assert output.clean(text) == text


def test_escapes_go_and_other_controls_become_visible():
    assert output.clean("a\x1b[31;1mred\x1b[0m b\x1b]0;title\x07c\x1bPdata\x1b\\d") == "ared bcd"
    assert output.clean("bell\x07 back\x08 esc\x1b") == "bell\\x07 back\\x08 esc\\x1b"
    assert output.clean("open \x1b]0;never ended") == "open \\x1b]0;never ended"
    assert output.clean("one\r\ntwo\rthree\u202e") == "one\ntwo\\x0dthree\\u202e"


@given(JSON_VALUES)
def test_json_is_the_same_value_and_harmless(value):
    text = output.as_json(value)
    assert json.loads(text) == value
    assert not FORBIDDEN.search(text)


@given(HOSTILE, st.integers(2, 50))
def test_one_line_is_one_short_line(text, limit):
    line = output.one_line(text, limit)
    assert "\n" not in line
    assert len(line) <= limit


@given(HOSTILE)
def test_an_error_is_one_line(text):
    assert "\n" not in output.error_line(NotFound(text))


def test_brackets_of_data_are_no_markup(capsys):
    output.show(output.plain("[bold]not bold[/bold] [link=x]y"))
    assert capsys.readouterr().out == "[bold]not bold[/bold] [link=x]y\n"


def test_a_stream_is_one_document(capsys):
    output.print_json_stream({"run": {"a": 1}}, "events", iter([{"b": 2}, {"c": [3]}]))
    assert json.loads(capsys.readouterr().out) == {"run": {"a": 1}, "events": [{"b": 2}, {"c": [3]}]}
    output.print_json_stream({"run": {}}, "events", iter([]))
    assert json.loads(capsys.readouterr().out) == {"run": {}, "events": []}


def test_figures_are_short():
    seconds = (0, 0.00008, 0.0042, 0.15, 0.9999, 3.456, 59.94, 599, 7200)
    assert [duration(value) for value in seconds] == [
        "0 ms", "0.08 ms", "4.2 ms", "150 ms", "1000 ms", "3.46 s", "59.9 s", "599 s", "120 min",
    ]  # fmt: skip
    assert [money(value) for value in (0, 0.00421, 0.5, 12.345)] == ["$0", "$0.00421", "$0.5", "$12.35"]
