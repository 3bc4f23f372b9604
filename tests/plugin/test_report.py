"""The report of many runs: one page that stands alone, adds up right, and shows hostile texts as texts."""

from __future__ import annotations

import json
import re
import stat
from typing import TYPE_CHECKING, Any

import pytest
from report_kit import DAY, HOSTILE, Page, can_be_heard, home_page, hostile_run, stands_alone, workspace

from seasoned.adapters.recorded import parse
from seasoned.adapters.recorded_events import write_run
from seasoned.instrumentation.errors import ConfigError
from seasoned.plugin import report

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from seasoned.plugin.runtime import Workspace

START = 1_767_600_000 * 10**9
"""Monday, 5 January 2026, 08:00 UTC."""


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Workspace]:
    made = workspace(tmp_path)
    yield made
    made.close()


def run_of(
    run_id: str, text: str, agent: str = "helper", *, success: bool | None = True, domain: str = "retail"
) -> dict:
    return {
        "run_id": run_id, "domain": domain, "framework": "app", "outcome": {"success": success},
        "messages": [
            {"role": "user", "agent": "customer", "content": f"Please do this: {text}"},
            {"role": "assistant", "agent": agent, "content": text,
             "tool_calls": [{"id": "1", "name": "look", "arguments": {"x": text}}]},
            {"role": "tool", "agent": "tools", "content": f"Error: no {text}", "tool_call_id": "1"},
            {"role": "assistant", "agent": agent, "content": "done " + text},
        ],
    }  # fmt: skip


def fill(opened: Workspace, *records: dict) -> None:
    for record in records:
        write_run(opened.recorder, parse(record))


def called(opened: Workspace, at: int, model: str, cost: float | None, agent: str = "clerk", **given: Any) -> str:
    """A run of one model call; a day after another with ``at`` one higher."""
    recorder = opened.recorder
    run = recorder.begin("Count", framework="app", agents=[agent], explicit=True, at=START + at * DAY)
    call = {"model": model, "usage": {"input_tokens": 1_000, "output_tokens": 10}, "cost_usd": cost}
    recorder.model_call(run, agent, [{"role": "user", "content": "Count"}], call, response="1", **given)
    recorder.finish(run, "done", at=START + at * DAY + 10**9)
    return run.run_id


def cells(page: Page) -> list[str]:
    """The words of all table cells, a row each."""
    rows = re.findall(r"<tr>(.*?)</tr>", page.text, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in rows]


# -- what it must never do -----------------------------------------------------------------------------------------


def test_hostile_texts_stay_texts(opened: Workspace, tmp_path: Path):
    hostile_run(opened)
    fill(opened, run_of("r1", HOSTILE, HOSTILE.replace("\x00", ""), domain=HOSTILE))
    page = home_page(opened, tmp_path / "report.html", title=HOSTILE, told=HOSTILE)
    stands_alone(page)
    can_be_heard(page)
    assert page.words.count('<script>document.title="owned"</script>') > 15
    assert "{{ 7 * 7 }}" in page.words
    assert not re.search("[\x00-\x08\x0b-\x1f\u2028\u202a-\u202e\u2066-\u2069]", page.text)
    shown = json.dumps([page.data["runs"], page.packed], ensure_ascii=False)
    assert "onerror=" in shown, "it is there, as text"
    assert not re.search("[\x00-\x1f\u2028\u202a-\u202e]", shown)
    embedded = next(text for found, text in page.scripts if found.get("id") == "page-data")
    assert not set("<>&") & set(embedded)


def test_trees_hold_only_elements_and_attributes_that_do_nothing(opened: Workspace, tmp_path: Path):
    hostile_run(opened)
    page = home_page(opened, tmp_path / "report.html")
    seen: set[tuple[str, str]] = set()

    def walk(node: Any) -> None:
        if isinstance(node, str):
            return
        tag, attributes, *children = node
        seen.update((tag, name) for name in attributes)
        assert tag not in {"script", "img", "iframe", "form", "style", "use", "image", "foreignObject"}
        assert attributes.get("href", "#").startswith("#")
        assert not [name for name in attributes if name.startswith("on")]
        for child in children:
            walk(child)

    assert len(page.packed) == 1
    walk(page.packed[0])
    assert ("a", "href") in seen


# -- what it shows -------------------------------------------------------------------------------------------------


def test_it_stands_alone_and_can_be_heard(opened: Workspace, tmp_path: Path):
    fill(opened, *[run_of(f"r{n}", f"number {n}", success=(True, False, None)[n % 3]) for n in range(9)])
    page = home_page(opened, tmp_path / "report.html")
    stands_alone(page)
    can_be_heard(page)
    assert stat.S_IMODE((tmp_path / "report.html").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ""] == ["report.html"], "nothing is left over"
    for part in ("overview", "runs", "agents", "library", "cost", "failures", "data"):
        assert part in page.ids
    for words in ("prefers-color-scheme: dark", "prefers-reduced-motion", "@media print", ":focus-visible"):
        assert words in page.text


def test_rates_are_told_with_their_interval_and_what_nobody_judged(opened: Workspace, tmp_path: Path):
    fill(opened, *[run_of(f"r{n}", f"number {n}", success=(True, False, None)[n % 3]) for n in range(9)])
    page = home_page(opened, tmp_path / "report.html")
    # 3 of 6: Wilson's 95 percent interval is 0.188 to 0.812
    assert "succeeded: 3 of 6 judged; probably 19 to 81%" in page.words
    rows = cells(page)
    assert any(re.match(r"retail 9 50% of 6 19 to 81% .*19 to 81% 9 -", row) for row in rows), rows
    assert "Finished runs that nobody judged 3" in " | ".join(rows)


def test_the_list_has_all_runs_for_the_script_and_the_newest_without(
    opened: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("seasoned.plugin.report_home.PLAIN", 4)
    fill(opened, *[run_of(f"r{n}", f"number {n}", success=n % 2 == 0) for n in range(9)])
    page = home_page(opened, tmp_path / "report.html", details=3)
    assert {row[0] for row in page.rows} == {f"r{n}" for n in range(9)}
    assert sorted(row[11] for row in page.rows) == [1] * 5 + [2] * 4
    assert [row[8] for row in page.rows] == [1] * 9
    plain = page.text[page.text.index('<tbody id="run-rows">') :]
    assert plain[: plain.index("</tbody>")].count("<tr>") == 4
    assert sum(bool(row[15]) for row in page.rows) == len(page.packed) == 3
    assert "3 of 9 open with everything that was recorded" in page.words
    numbers = {row[15]: row[0] for row in page.rows if row[15]}
    for number, tree in enumerate(page.packed, 1):
        assert numbers[number] in json.dumps(tree)


def test_details_stop_where_the_file_would_grow_too_large(
    opened: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    fill(opened, *[run_of(f"r{n}", f"number {n}") for n in range(6)])
    size = len(home_page(opened, tmp_path / "one.html", details=1).scripts[1][1])
    monkeypatch.setattr(report, "ROOM", int(size * 3.5))
    page = home_page(opened, tmp_path / "report.html")
    assert len(page.packed) == 3
    assert len(home_page(opened, tmp_path / "all.html", details=10**9).packed) == 6, "who asks for all gets all"


def test_the_chosen_details_are_the_newest_and_those_in_which_most_failed(opened: Workspace, tmp_path: Path):
    recorder = opened.recorder
    for at in range(10):
        run = recorder.begin(f"task {at}", framework="app", agents=["a"], explicit=True, at=START + at * DAY)
        for number in range(3 if at == 2 else 1 if at == 4 else 0):
            recorder.record(run, "error", "a", {"error_type": "ValueError", "error": str(number)})
        recorder.finish(run, "done", at=START + at * DAY + 1)
    page = home_page(opened, tmp_path / "report.html", details=4)
    assert {row[1] for row in page.rows if row[15]} == {"task 9", "task 8", "task 2", "task 4"}


def test_cost_is_told_by_agent_and_model_over_time(opened: Workspace, tmp_path: Path):
    for at, (model, cost) in enumerate((("gpt-4o", 0.5), ("gpt-4o", 0.25), ("tiny", None), ("gpt-4o", 1.0))):
        called(opened, at, model, cost, agent="clerk" if at < 3 else "boss")
    page = home_page(opened, tmp_path / "report.html")
    rows = cells(page)
    assert "clerk gpt-4o 2 2\u202f000 20 $0.75".replace("\u202f", " ") in [row.replace("\u202f", " ") for row in rows]
    assert any(row.replace("\u202f", " ").startswith("boss gpt-4o 1 1 000 10 $1.00") for row in rows)
    assert any(row.replace("\u202f", " ").startswith("clerk tiny 1 1 000 10 - 1 without a price") for row in rows)
    assert any(row.replace("\u202f", " ") == "2026-01-06 gpt-4o 1 010 $0.25" for row in rows)
    assert "Cost by day, by model" in page.words
    assert page.words.count("$1.75") >= 1


def test_failures_are_counted_by_what_failed_and_how(opened: Workspace, tmp_path: Path):
    recorder = opened.recorder
    for at in range(3):
        run = recorder.begin("task", framework="app", agents=["a"], explicit=True, at=START + at)
        for number in range(2):
            recorder.record(run, "tool_call", "a", {"tool": "pay", "call_id": str(number), "arguments": {}})
            result = {"tool": "pay", "call_id": str(number), "ok": False, "error_type": "Declined", "error": f"no {at}"}
            recorder.record(run, "tool_result", "a", result)
        recorder.record(run, "code_execution", "a", {"language": "sh", "code": "x", "exit_code": 127, "output": "gone"})
        recorder.finish(run, "done")
    rows = cells(home_page(opened, tmp_path / "report.html"))
    assert "pay Declined 6 3 no 0" in rows
    assert "code (sh) exit code 127 3 3 gone" in rows


def test_agents_grow_as_on_their_own_page(opened: Workspace, tmp_path: Path):
    fill(opened, *[run_of(f"r{n}", f"number {n}") for n in range(9)])
    page = home_page(opened, tmp_path / "report.html")
    for words in ("How helper grew", "Experience over time", "Skills", "Traits", "What moved it last"):
        assert words in page.words
    assert "agent-1" in page.ids
    assert page.all("svg", "wide")
    assert page.all("svg", "narrow")


def test_what_agents_were_given_last_is_told_with_its_reasons(opened: Workspace, tmp_path: Path):
    fill(opened, *[run_of(f"r{n}", f"number {n}", "clerk") for n in range(3)])
    for at, words in ((400, "Looks first"), (401, "Looks twice"), (402, "")):
        run = opened.recorder.begin("Again", framework="app", agents=["clerk"], explicit=True, at=START + at * DAY)
        section = {"name": "abilities", "text": f"ABILITIES:\n- look L2: {words}", "why": "look: level 2 with 110 XP"}
        if words:
            given = {"text": section["text"], "tokens": 9, "sections": [section]}
            opened.recorder.record(run, "injection", "clerk", given)
        opened.recorder.finish(run, "done", at=START + at * DAY + 1)
    page = home_page(opened, tmp_path / "report.html")
    assert "What clerk was given last, 9 tokens" in page.words
    assert "Looks twice" in page.words
    assert "Looks first" not in page.words
    assert "because look: level 2 with 110 XP" in page.words


def test_the_library_calls_its_evidence_what_it_is(opened: Workspace, tmp_path: Path):
    from seasoned.plugin.demo import bundled_runs

    page = home_page(opened, tmp_path / "report.html")
    assert "The library has learned no template yet" in page.words
    for record in bundled_runs(60):
        write_run(opened.recorder, record)
    assert opened.flush().error is None
    from seasoned.skills_lib.library import SkillLibrary

    library = SkillLibrary(opened.store, "shop")
    library.learn()
    known = [record for record in library.templates() if record.state != "merged"]
    assert known
    page = home_page(opened, tmp_path / "report.html")
    assert "The evidence here is observational." in page.words
    assert "randomised trials do not exist in this version" in page.words
    for record in known:
        assert record.name in page.words


def test_gaps_and_unreadable_lines_are_told(opened: Workspace, tmp_path: Path):
    from sqlalchemy import delete, insert

    from seasoned.instrumentation.schema import events, journal_problems

    fill(opened, run_of("r1", "one"), run_of("r2", "two"))
    assert opened.flush().error is None
    with opened.store.writing() as connection:
        connection.execute(delete(events).where(events.c.seq == 2, events.c.run_pk == 1))
        problem = {"writer": "w", "segment": 1, "offset": 5, "reason": f"w/000001.jsonl: {HOSTILE}"}
        connection.execute(insert(journal_problems).values(problem))
    page = home_page(opened, tmp_path / "report.html")
    rows = cells(page)
    assert any(row.startswith("Runs with a gap 1 1 event missing") for row in rows)
    assert any(re.match(r"r1 \S+ 1$", row) for row in rows)
    assert "Lines of journals that could not be read 1" in rows
    assert "w/000001.jsonl: </script>" in page.words


def test_filters_choose_runs_and_are_told(opened: Workspace, tmp_path: Path):
    fill(opened, run_of("r1", "one"), run_of("r2", "two", success=False), run_of("r3", "three", domain="travel"))
    page = home_page(
        opened, tmp_path / "report.html", filters={"domain": "retail", "success": True}, told="domain retail"
    )
    assert [row[0] for row in page.rows] == ["r1"]
    assert "Only some of the runs are in this report: domain retail." in page.words


def test_an_empty_home_and_a_growth_that_is_blocked(tmp_path: Path):
    opened = workspace(tmp_path, block=["growth"])
    page = home_page(opened, tmp_path / "report.html")
    assert "Nothing is recorded yet." in page.words
    can_be_heard(page)
    fill(opened, run_of("r1", "hello"))
    page = home_page(opened, tmp_path / "report.html")
    assert "No agent has grown yet" in page.words
    opened.close()


def test_a_place_that_cannot_be_written_is_named_and_what_was_there_stays(opened: Workspace, tmp_path: Path):
    with pytest.raises(ConfigError, match="make the folder first"):
        report.write_report(opened, tmp_path / "nowhere" / "report.html")
    there = tmp_path / "report.html"
    there.write_text("mine", encoding="utf-8")
    fill(opened, run_of("r1", "one"))
    assert opened.flush().error is None

    def fails(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        report.write_report(opened, there, progress=fails)
    assert there.read_text(encoding="utf-8") == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "report.html"]


def test_runs_of_several_applications_stand_side_by_side(opened: Workspace, tmp_path: Path):
    fill(opened, run_of("r1", "one"))
    run = opened.recorder.begin("other", framework="app", agents=["x"], explicit=True, namespace="desk")
    opened.recorder.finish(run, "done")
    assert [row[0] for row in home_page(opened, tmp_path / "a.html").rows] == ["r1"]
    page = home_page(opened, tmp_path / "b.html", filters={})
    assert len(page.rows) == 2
    assert "desk, shop" in page.words
