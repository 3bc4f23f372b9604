"""The report: one page that stands alone and shows hostile texts as texts."""

from __future__ import annotations

import re
import stat
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from seasoned.adapters.recorded import parse
from seasoned.adapters.recorded_events import write_run
from seasoned.instrumentation import home
from seasoned.plugin import report
from seasoned.plugin.config import Config
from seasoned.plugin.runtime import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOSTILE = '</div><script>alert("1")</script><img src=http://x.example/a.png onerror=alert(1)>{{ 7 * 7 }}\u202e\x1b[31m'


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    config = Config(home=str(tmp_path / "home"), namespace="shop")
    home.prepare(config.home_path)
    opened = Workspace(config)
    yield opened
    opened.close()


class Page(HTMLParser):
    """Collects tags and attributes, and holds that everything opened is closed."""

    VOID = frozenset(("meta", "br", "img", "input", "link"))

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.extend(attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.extend(attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def run_of(run_id: str, text: str, *, success: bool | None = True, agent: str = "helper") -> dict:
    return {
        "run_id": run_id,
        "domain": text[:40],
        "framework": "app",
        "outcome": {"success": success},
        "messages": [
            {"role": "user", "agent": "customer", "content": f"Please do this: {text}"},
            {
                "role": "assistant",
                "agent": agent,
                "content": text,
                "tool_calls": [{"id": "1", "name": "look", "arguments": {"x": text}}],
            },
            {"role": "tool", "agent": "tools", "content": f"Error: {text}", "tool_call_id": "1"},
            {"role": "assistant", "agent": agent, "content": "done " + text},
        ],
    }


def made(workspace: Workspace, tmp_path: Path, *records: dict) -> tuple[Page, str]:
    for record in records:
        write_run(workspace.recorder, parse(record))
    assert workspace.flush().error is None
    text = report.write_report(workspace, tmp_path / "report.html", title="A report").read_text(encoding="utf-8")
    assert stat.S_IMODE((tmp_path / "report.html").stat().st_mode) == 0o600
    return Page(text), text


def test_hostile_texts_stay_texts(workspace: Workspace, tmp_path: Path):
    page, text = made(workspace, tmp_path, run_of("r1", HOSTILE, agent="<b>helper</b>"))
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert "b" not in page.tags
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert '<script>alert("1")</script>' in page.words
    assert "{{ 7 * 7 }}" in page.words
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e]", text)


def test_it_stands_alone(workspace: Workspace, tmp_path: Path):
    page, text = made(workspace, tmp_path, run_of("r1", "hello"))
    loading = {"src", "href", "srcset", "data", "action"}
    assert not [pair for pair in page.attributes if pair[0] in loading]
    assert "url(" not in text
    assert "@import" not in text
    policies = [value for name, value in page.attributes if name == "content" and value and "default-src" in value]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]
    assert "prefers-color-scheme: dark" in text


def test_it_shows_runs_agents_and_the_last_transcript(workspace: Workspace, tmp_path: Path):
    records = [run_of(f"r{n}", f"number {n}", success=(True, False, None)[n % 3]) for n in range(9)]
    page, text = made(workspace, tmp_path, *records)
    assert text.count('<span class="pill good">') == text.count('<span class="pill bad">') == 3
    assert text.count('<span class="pill none">') == 3
    assert "succeeded: 3 of 6 judged" in page.words
    assert "helper" in page.words
    assert "polyline" in page.tags
    assert "done number 8" in page.words
    assert "look failed" in page.words
    assert "done number 7" not in page.words


def test_an_empty_home_and_a_growth_that_is_blocked(tmp_path: Path):
    config = Config(home=str(tmp_path / "home"), namespace="shop", block=["growth"])
    home.prepare(config.home_path)
    opened = Workspace(config)
    try:
        page, _ = made(opened, tmp_path)
        assert "Nothing is recorded yet." in page.words
        page, _ = made(opened, tmp_path, run_of("r1", "hello"))
        assert "No agent has grown yet" in page.words
    finally:
        opened.close()


def test_long_things_are_cut_and_say_so(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(report, "RUNS_SHOWN", 3)
    monkeypatch.setattr(report, "EVENTS_SHOWN", 4)
    monkeypatch.setattr(report, "TEXT_SHOWN", 10)
    page, text = made(workspace, tmp_path, *[run_of(f"r{n}", f"number {n}") for n in range(5)])
    assert text.count("<code>r") == 3 + 1
    assert "2 older ones are in the database" in page.words
    assert "The rest is left out here" in page.words
    assert "more characters" in page.words


@pytest.mark.parametrize("values", [[], [5], [0, 0, 0]])
def test_a_curve_needs_points(values: list[int]):
    assert report.curve_svg(values) is None


def test_a_curve_stays_in_its_box():
    curve = report.curve_svg([10, 30, 30, 4_321])
    assert curve is not None
    points = [tuple(map(float, point.split(","))) for point in curve["line"].split()]
    assert len(points) == 5
    assert all(0 <= x <= curve["width"] and 0 <= y <= curve["height"] for x, y in points)
    assert points == sorted(points, key=lambda point: (point[0], -point[1])), "to the right and upwards"
    assert [value for _, value in curve["y_ticks"]] == [0, 1000, 2000, 3000, 4000]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (9_999, "9\u202f999"), (10_000, "10.0\u202fk"), (999_999, "1000\u202fk"), (5_292_434, "5.29\u202fM")],
)
def test_figures_fit_their_cards(value: int, shown: str):
    assert report._compact(value) == shown


def test_costs_are_readable():
    assert [report._usd(value) for value in (None, 0.00012, 0.21, 1234.5)] == ["-", "$0.0001", "$0.21", "$1,234.50"]
