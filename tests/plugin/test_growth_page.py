"""The growth page: one file that stands alone, says in words what it draws, and shows hostile texts as texts."""

from __future__ import annotations

import itertools
import json
import re
import stat
from datetime import datetime, timezone
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from seasoned.adapters.recorded import parse
from seasoned.adapters.recorded_events import write_run
from seasoned.growth.rules import Rules
from seasoned.growth.tables import agent_profiles, agent_skills, skill_events
from seasoned.instrumentation import home
from seasoned.instrumentation.errors import ConfigError
from seasoned.plugin import growth_page, growth_svg
from seasoned.plugin.config import Config
from seasoned.plugin.runtime import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from seasoned.growth.plugin import GrowthPlugin

HOSTILE = '</h1><script>alert("1")</script><img src=http://x.example/a.png onerror=alert(1)>{{ 7 * 7 }}\u202e\x1b[31m'
THRESHOLDS = Rules().thresholds
DAY = 86400 * 10**9
VOID = frozenset(("meta", "br", "img", "input", "link"))
ROSTER = """
[agents.Tess]
title = "Test Engineer"
specialization = "Test Reliability"

[agents.Tess.skills.look]
name = "Looking Closely"
domain = "testing"
level = 3
xp = 250
tools = ["look"]

[agents.Idle]
title = "Never Worked"

[abilities.look]
1 = ["Sees what is there"]
2 = ["Sees what is not there"]
3 = ["Sees who looks back"]
"""


class Page(HTMLParser):
    """Collects tags, attributes and words; holds that everything opened is closed and every id is there once."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(text)
        assert self.open == []
        ids = [found["id"] for _, found in self.tags if "id" in found]
        assert len(ids) == len(set(ids))
        self.ids = set(ids)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.words += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every such tag."""
        return [found for name, found in self.tags if name == tag]


def run_of(run_id: str, agent: str, text: str = "hello", *, success: bool = True, domain: str = "testing") -> dict:
    return {
        "run_id": run_id,
        "domain": domain,
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
            {"role": "tool", "agent": "tools", "content": "ok", "tool_call_id": "1"},
            {"role": "assistant", "agent": agent, "content": "done " + text},
        ],
    }


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    (tmp_path / "agents.toml").write_text(ROSTER, encoding="utf-8")
    config = Config(home=str(tmp_path / "home"), namespace="shop", roster=str(tmp_path / "agents.toml"))
    home.prepare(config.home_path)
    opened = Workspace(config)
    yield opened
    opened.close()


@pytest.fixture
def made(workspace: Workspace, tmp_path: Path) -> Callable[..., Page]:
    """Learns from runs, does what else is wanted with the tables, and reads the page of one agent or of all."""

    def make(*records: dict, agent: str | None = None, change: Callable[[Any], object] | None = None) -> Page:
        for record in records:
            write_run(workspace.recorder, parse(record))
        assert workspace.flush().error is None
        if change is not None:
            with workspace.store.writing() as connection:
                change(connection)
        return Page(write(workspace, tmp_path / "growth.html", agent).read_text(encoding="utf-8"))

    return make


def write(workspace: Workspace, path: Path, agent: str | None = None) -> Path:
    plugin: GrowthPlugin = workspace.hooks.get_plugin("growth")  # type: ignore[assignment]
    with workspace.store.reading() as connection:
        found = plugin.profile_json(connection, agent)
        profiles = found if isinstance(found, list) else [found]
        growth_page.write_page(path, connection, plugin, "shop", profiles, single=agent is not None)
    return path


def tess(count: int, start: int = 0) -> list[dict]:
    return [run_of(f"r{number}", "Tess", f"number {number}") for number in range(start, start + count)]


# -- what it must never do -----------------------------------------------------------------------------------------


def poison(connection: Any) -> None:
    """Put a hostile text wherever a text of others can stand."""
    connection.execute(update(agent_profiles).values(title=HOSTILE, specialization=HOSTILE))
    connection.execute(update(agent_skills).values(name=HOSTILE, domain=HOSTILE))
    events = skill_events.c
    connection.execute(update(skill_events).where(events.event == "specialization").values(title=HOSTILE))
    connection.execute(
        update(skill_events).where(events.event == "level_up").values(event="ability_unlock", ability=HOSTILE)
    )
    connection.execute(update(skill_events).where(events.rule == "first_time_solve").values(rule=HOSTILE))
    newest = f"r9{HOSTILE}"
    connection.execute(update(skill_events).where(events.run_id == "r9").values(run_id=newest))
    connection.execute(update(agent_profiles).values(last_run_id=newest))


@pytest.mark.parametrize("alone", [True, False])
def test_hostile_texts_stay_texts(made, tmp_path: Path, alone: bool):
    records = [run_of(f"r{number}", HOSTILE, f"number {number}", domain="d") for number in range(10)]
    page = made(*records, agent=HOSTILE if alone else None, change=poison)
    text = (tmp_path / "growth.html").read_text(encoding="utf-8")
    assert not {"script", "img"} & {tag for tag, _ in page.tags}
    assert not [name for _, found in page.tags for name in found if name.startswith("on")]
    assert page.words.count('<script>alert("1")</script>') >= 8
    assert "{{ 7 * 7 }}" in page.words
    assert "49" not in re.findall(r"\b49\b", page.words)
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", text)


@pytest.mark.parametrize("alone", [True, False])
def test_it_stands_alone(made, tmp_path: Path, alone: bool):
    page = made(*tess(8), agent="Tess" if alone else None)
    text = (tmp_path / "growth.html").read_text(encoding="utf-8")
    assert not {"script", "link", "iframe", "object", "base", "form"} & {tag for tag, _ in page.tags}
    assert not [found for _, found in page.tags if {"src", "srcset", "data", "action"} & set(found)]
    assert all((found["href"] or "").startswith("#") for _, found in page.tags if "href" in found)
    assert not re.search(r"url\(|@import|https?:", text)
    policies = [found["content"] for found in page.all("meta") if "Content-Security-Policy" in found.values()]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


@pytest.mark.parametrize("alone", [True, False])
def test_it_can_be_heard(made, alone: bool):
    page = made(*tess(8), agent="Tess" if alone else None)
    pictures = [found for _, found in page.tags if found.get("role") == "img"]
    drawn = page.all("svg")
    assert len(drawn) >= 2
    assert all(found.get("role") == "img" for found in drawn)
    for found in pictures:
        assert found.get("aria-label") or found.get("aria-labelledby") in page.ids
    for section in page.all("section"):
        assert section["aria-labelledby"] in page.ids
    for link in page.all("a"):
        assert (link["href"] or "")[1:] in page.ids
    assert [found for tag, found in page.tags if tag == "html"] == [{"lang": "en"}]
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels)), "no level of headings is skipped"
    assert "level 3 of 10" in json.dumps([found.get("aria-label") for found in pictures])


# -- what it shows -------------------------------------------------------------------------------------------------


def test_the_page_of_one_agent(made):
    page = made(*tess(8), agent="Tess")
    assert "Tess: growth" in page.words
    for words in (
        "Tess", "Looking Closely", "Sees who looks back", "Sees what is not there", "1 earlier ability",
        "at the start, from the roster", "Test Engineer", "Experience over time", "Solved a", "resilience",
        "First Blood", "solved: 8 of 8",
    ):  # fmt: skip
        assert words in page.words, words
    assert {"r0", "r7"} <= set(re.findall(r"\br\d\b", page.words))
    assert "Idle" not in page.words


def test_all_agents_have_a_place_in_the_list(made):
    records = [*tess(3), run_of("b1", "Bob"), run_of("b2", "Bob", success=False)]
    page = made(*records)
    links = [found["href"] for found in page.all("a") if (found["href"] or "").startswith("#agent-")]
    assert links == ["#agent-1", "#agent-2", "#agent-3"]
    assert len(page.all("article")) == 3
    assert "Never Worked" in page.words
    assert page.words.count("Nothing yet: agents learn from runs") == 1, "only the one that never worked"


def test_many_agents_are_listed_and_the_foremost_shown(made, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(growth_page, "AGENTS_SHOWN", 2)
    page = made(*tess(3), run_of("b1", "Bob"))
    assert len(page.all("article")) == 2
    assert "Idle" in page.words


def test_many_skills_are_folded_and_counted(made, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(growth_page, "SKILLS_SHOWN", 1)
    monkeypatch.setattr(growth_page, "SKILLS_KEPT", 2)
    records = [run_of(f"r{domain}", "Bob", domain=domain) for domain in ("one", "two", "three")]
    page = made(*records, agent="Bob")
    assert "3 more skills" in page.words
    assert "and 2 of lower levels" in page.words


def test_many_titles_are_folded_and_counted(made, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(growth_page, "CHANGES_SHOWN", 2)
    monkeypatch.setattr(growth_page, "CHANGES_KEPT", 4)
    changed = skill_events.c.event == "xp_gain"

    def often(connection: Any) -> None:
        connection.execute(update(skill_events).where(changed).values(event="specialization", title="Changeling"))

    page = made(
        *[run_of(f"r{number}", "Bob", f"{number}", domain="d") for number in range(9)], agent="Bob", change=often
    )
    assert page.words.count("Changeling") >= 4
    assert "2 earlier" in page.words
    assert "earlier changes are left out" in page.words
    assert len([found for found in page.all("li") if found.get("aria-current") == "true"]) == 1


def test_nobody_has_grown(tmp_path: Path):
    config = Config(home=str(tmp_path / "home"), namespace="shop")
    home.prepare(config.home_path)
    opened = Workspace(config)
    try:
        page = Page(write(opened, tmp_path / "growth.html").read_text(encoding="utf-8"))
    finally:
        opened.close()
    assert "No agent has grown yet" in page.words


def test_an_agent_of_the_roster_that_never_worked(made):
    page = made(agent="Idle")
    for words in ("Never Worked", "Too few runs for a curve", "skills come from runs", "Nothing yet"):
        assert words in page.words


# -- the file ------------------------------------------------------------------------------------------------------


def test_only_the_user_can_read_it(workspace: Workspace, tmp_path: Path):
    path = tmp_path / "growth.html"
    assert workspace.flush().error is None
    assert stat.S_IMODE(write(workspace, path).stat().st_mode) == 0o600
    path.write_text("x" * 10_000_000, encoding="utf-8")
    path.chmod(0o644)
    assert stat.S_IMODE(write(workspace, path).stat().st_mode) == 0o600
    assert path.read_text(encoding="utf-8").endswith("</html>")


def test_a_file_that_cannot_be_written(workspace: Workspace, tmp_path: Path):
    assert workspace.flush().error is None
    with pytest.raises(ConfigError, match=r"nowhere.*make the folder first"):
        write(workspace, tmp_path / "nowhere" / "growth.html")
    with pytest.raises(ConfigError, match="name another file"):
        write(workspace, tmp_path)


# -- curves --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("points", [[], [[0, 5]]])
def test_a_curve_needs_points(points):
    assert growth_svg.curve(points, THRESHOLDS, growth_svg.WIDE) is None
    assert growth_svg.spark(points) == ""


@pytest.mark.parametrize("frame", [growth_svg.WIDE, growth_svg.NARROW])
@pytest.mark.parametrize("span", [1, 30 * 10**9, 3600 * 10**9, DAY, 5 * DAY, 40 * DAY, 300 * DAY, 9000 * DAY])
@pytest.mark.parametrize("top", [1, 99, 4_321, 10**7])
def test_a_curve_stays_in_its_box(frame, span, top):
    start = 1_700_000_000 * 10**9
    drawn = growth_svg.curve([[start + span * part // 9, top * part // 9] for part in range(10)], THRESHOLDS, frame)
    assert drawn is not None
    points = [tuple(map(float, point.split(","))) for point in drawn["line"].split()]
    assert points == sorted(points, key=lambda point: (point[0], -point[1])), "to the right and upwards"
    assert all(frame.left <= x <= frame.width - frame.right and 0 <= y <= drawn["base"] for x, y in points)
    assert 2 <= len(drawn["y_ticks"]) <= 6
    assert 1 <= len(drawn["x_ticks"]) <= frame.dates + 1
    assert all(frame.left - 0.1 <= x <= frame.width - frame.right + 0.1 for x, _, _ in drawn["x_ticks"])
    assert [level["level"] for level in drawn["levels"]] == [n for n in range(10, 1, -1) if THRESHOLDS[n - 1] <= top]
    named = [level["y"] for level in drawn["levels"] if level["label"]]
    assert all(b - a >= growth_svg.LABEL_ROOM for a, b in itertools.pairwise(named))


def test_months_stand_where_they_begin():
    start, end = (int(datetime(2026, *day, tzinfo=timezone.utc).timestamp()) * 10**9 for day in ((1, 15), (5, 15)))
    drawn = growth_svg.curve([[start, 1], [end, 2]], THRESHOLDS, growth_svg.WIDE)
    assert drawn is not None
    assert [label for _, _, label in drawn["x_ticks"]] == ["Feb 2026", "Mar", "Apr", "May"]
    inside = growth_svg.WIDE.width - growth_svg.WIDE.left - growth_svg.WIDE.right
    assert drawn["x_ticks"][0][0] == pytest.approx(growth_svg.WIDE.left + inside * 17 / 120, abs=0.1)


def test_a_curve_may_fall_and_runs_may_come_at_once():
    falling = growth_svg.curve([[0, 50], [DAY, 20]], THRESHOLDS, growth_svg.WIDE)
    together = growth_svg.curve([[7, 50], [7, 80]], THRESHOLDS, growth_svg.WIDE)
    assert falling is not None
    assert together is not None
    assert falling["end"][1] > falling["y_ticks"][-1][0]
    assert (falling["together"], together["together"]) == (False, True)
    assert [label for _, _, label in together["x_ticks"]] == ["first run", "last run"]


@pytest.mark.parametrize(
    ("top", "values"), [(1, [0, 1]), (7, [0, 2, 4, 6]), (99, [0, 20, 40, 60, 80]), (14_034, [0, 5_000, 10_000])]
)
def test_round_values(top, values):
    assert growth_svg.ticks(top) == values


def test_values_beside_a_curve_are_short():
    values = [0, 5_000, 10_000, 250_000, 2_500_000]
    assert [growth_svg.compact(value) for value in values] == ["0", "5000", "10k", "250k", "2.5M"]
