"""Reports in a real browser: hostile runs run nothing, the list is found through, runs open, keys and colours work.

Without Chromium these tests are skipped, and say so.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from browser_kit import CHROMIUM, Browser, browser
from report_kit import home_page, hostile_run, run_page, workspace

from seasoned.adapters.recorded_events import write_run
from seasoned.plugin.demo import bundled_runs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="CHROMIUM IS MISSING: no report was opened in a real browser"),
    pytest.mark.timeout(180),
]

OPEN_ALL = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"
CLICK_ALL = "document.querySelectorAll('#one-run button, #one-run summary').forEach((one) => one.click())"
WIDER = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
CONTRAST = """
(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (part) => (part <= 10.3 ? part / 3294.6 : ((part / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
  const mixed = (above, below, part) => above.slice(0, 3).map((value, at) => value * part + below[at] * (1 - part));
  const around = (element) => (element ? [element, ...around(element.parentElement)] : []);
  const behind = (element) => around(element).reverse().map((one) => rgb(getComputedStyle(one).backgroundColor))
    .reduce((below, layer) => mixed(layer, below, layer[3] / 255), [255, 255, 255]);
  const bad = [];
  for (const element of document.querySelectorAll("body *")) {
    if (element.closest("svg, [hidden], script, noscript, option") || element.matches("[disabled]")) continue;
    if (![...element.childNodes].some((child) => child.nodeType === 3 && child.data.trim())) continue;
    if (!element.checkVisibility()) continue;
    const back = behind(element);
    const opacity = around(element).reduce((part, one) => part * Number(getComputedStyle(one).opacity), 1);
    const fore = mixed(rgb(getComputedStyle(element).color), back, opacity);
    const [one, other] = [luminance(fore), luminance(back)].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (other + 0.05);
    if (ratio < 4.5) bad.push(`${element.tagName}.${element.className} ${ratio.toFixed(2)}`);
  }
  return [...new Set(bad)];
})()
"""
"""Elements with words of their own that stand out from what is behind them by less than 4.5 to 1."""


@pytest.fixture(scope="module")
def tab() -> Iterator[Browser]:
    with browser() as opened:
        opened.size(1300)
        yield opened


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A home of real runs and a hostile one, its report, and that of the hostile run."""
    place = tmp_path_factory.mktemp("reports")
    opened = workspace(place)
    for number, record in enumerate(bundled_runs(200)):
        if number % 4 == 0:
            write_run(opened.recorder, record)
    hostile = hostile_run(opened).run_id
    recorder = opened.recorder
    for number in range(150):
        run = recorder.begin(
            f"Small task number{number:03}", framework="app", agents=["ada"], explicit=True, domain="small"
        )
        recorder.message(run, "ada", [], "assistant", f"Answer {number}")
        recorder.finish(run, "done")
        run.outcome(number % 3 > 0)
    found = {"home": place / "home.html", "hostile": place / "hostile.html", "id": place / hostile}
    home_page(opened, found["home"], details=10**9)
    run_page(opened, hostile, found["hostile"])
    opened.close()
    return found


def quiet(tab: Browser) -> None:
    """Hold that nothing of others' ran: no dialog, no error, no load, and nothing that the policy had to refuse."""
    assert tab.said("dialogs", "exceptions", "loads", "refusals") == []
    assert not tab.evaluate("document.title === 'owned' || document.title === '1'")
    assert tab.evaluate("document.querySelectorAll('img, iframe, object, embed, [onerror], [onclick]').length") == 0


def test_a_hostile_run_shows_everything_and_runs_nothing(tab: Browser, pages: dict[str, Path]):
    tab.open(pages["hostile"])
    before = tab.evaluate("document.title")
    tab.evaluate(OPEN_ALL)
    tab.evaluate(CLICK_ALL)
    quiet(tab)
    assert tab.evaluate("document.title") == before
    assert tab.evaluate("document.scripts.length") == 3
    assert tab.evaluate("document.body.innerText").count('document.title="owned"') > 10
    assert tab.evaluate("[...document.links].every((one) => one.getAttribute('href').startsWith('#'))")


def test_a_hostile_run_opened_in_a_panel_runs_nothing(tab: Browser, pages: dict[str, Path]):
    tab.open(pages["home"], f"#run/{pages['id'].name}")
    tab.until("document.querySelector('#one-run .turns')")
    scripts = tab.evaluate("document.scripts.length")
    tab.evaluate(OPEN_ALL)
    tab.evaluate(CLICK_ALL)
    quiet(tab)
    assert tab.evaluate("document.scripts.length") == scripts
    assert tab.evaluate("document.getElementById('one-run').innerText").count('document.title="owned"') > 10
    # a tree that somebody tampered with gets no further: the script takes only what a report has
    assert tab.evaluate("document.querySelectorAll('#one-run script').length") == 0


def test_the_list_is_searched_filtered_sorted_and_paged(tab: Browser, pages: dict[str, Path]):
    tab.open(pages["home"])
    count = "document.getElementById('run-count').textContent"
    rows = "[...document.querySelectorAll('#run-rows tr')].map((row) => row.querySelector('bdi')?.textContent)"
    total = int(re.findall(r"\d+", tab.evaluate(count))[0])
    assert total == 201
    assert len(tab.evaluate(rows)) == 100
    tab.evaluate("document.querySelector('[data-page=last]').click()")
    assert tab.evaluate(count) == "201 runs: 201 to 201 are shown"
    form = "document.getElementById('run-filters').elements"
    change = "dispatchEvent(new Event('input', { bubbles: true }))"
    tab.evaluate(f"{form}.search.value = 'SMALL number14'; {form}.search.{change}")
    tab.until(f"{count}.startsWith('10 of')")
    tab.evaluate(f"{form}.outcome.value = '2'; {form}.outcome.{change}")
    tab.until(f"{count}.startsWith('3 of')")
    failed = tab.evaluate("[...document.querySelectorAll('#run-rows .pill')].map((one) => one.textContent)")
    assert set(failed) == {"✕ failure"}
    tab.evaluate("document.getElementById('run-filters').reset()")
    tab.until(f"{count}.startsWith('201 runs')")
    tab.evaluate("document.querySelector('th[data-sort=messages] button').click()")
    numbers = tab.evaluate(
        "[...document.querySelectorAll('#run-rows tr')].map((row) => Number(row.cells[3].textContent))"
    )
    assert numbers == sorted(numbers, reverse=True)
    assert tab.evaluate("document.querySelector('th[data-sort=messages]').getAttribute('aria-sort')") == "descending"
    tab.evaluate(f"{form}.search.value = 'no such run'; {form}.search.{change}")
    tab.until(f"{count} === 'No run fits.'")
    quiet(tab)


def test_a_run_is_opened_and_left_by_keys_and_the_focus_follows(tab: Browser, pages: dict[str, Path]):
    tab.open(pages["home"])
    focus = "document.activeElement"
    tab.evaluate("document.querySelector('#run-rows a').focus()")
    tab.key("ArrowDown", 40)
    tab.key("ArrowDown", 40)
    assert tab.evaluate(f"{focus} === document.querySelectorAll('#run-rows a')[2]")
    link = tab.evaluate(f"{focus}.getAttribute('href')")
    tab.key("Enter", 13)
    tab.until("document.querySelector('#one-run .turns')")
    assert tab.evaluate("location.hash") == link
    assert tab.evaluate(f"{focus}.id") == "run-h"
    assert tab.evaluate("document.getElementById('home').hidden")
    tab.evaluate("document.querySelector('#one-run a.anchor').click()")
    tab.until("location.hash.endsWith('/turn-0')")
    assert tab.evaluate(f"{focus}.id") == "turn-0"
    tab.evaluate("history.go(-2)")
    tab.until("!document.getElementById('home').hidden")
    tab.until(f"{focus}.getAttribute('href') === {link!r}")


def test_repeated_messages_failures_and_links_within_a_run(tab: Browser, pages: dict[str, Path], tmp_path: Path):
    opened = workspace(tmp_path)
    recorder = opened.recorder
    run = recorder.begin("Count", framework="app", agents=["ada"], explicit=True)
    heard = [{"role": "system", "content": "You count."}]
    for turn in range(1, 4):
        run.turn = turn
        heard.append({"role": "user", "content": f"Now {turn}"})
        recorder.model_call(run, "ada", list(heard), {"model": "m"}, response=str(turn))
        recorder.record(run, "tool_call", "ada", {"tool": "t", "call_id": "1", "arguments": {}})
        recorder.record(run, "tool_result", "ada", {"tool": "t", "call_id": "1", "ok": turn == 1, "content": "x"})
    recorder.finish(run, "done")
    run_page(opened, run.run_id, tmp_path / "run.html")
    opened.close()
    tab.open(tmp_path / "run.html", "#turn-2")
    tab.evaluate(OPEN_ALL)
    tab.evaluate("document.querySelectorAll('button.again')[1].click()")
    shown = tab.evaluate("[...document.querySelectorAll('.repeated blockquote .inside')].map((one) => one.textContent)")
    assert shown == ["You count.", "Now 1", "Now 2"]
    ids = tab.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids))
    tab.evaluate("document.querySelector('[data-act=close]').click()")
    assert tab.evaluate("document.querySelectorAll('.turns details[open]').length") == 0
    for turn in ("turn-2", "turn-3", "turn-2"):
        tab.evaluate("document.querySelector('[data-act=failure]').click()")
        assert tab.evaluate("document.activeElement.id") == turn
    assert tab.evaluate("document.getElementById('said').textContent") == "Failure 1 of 2"
    quiet(tab)


@pytest.mark.parametrize("width", [390, 760, 1300, 1600])
@pytest.mark.parametrize("dark", [False, True])
def test_every_width_and_colour_is_readable(tab: Browser, pages: dict[str, Path], width: int, dark: bool):
    tab.size(width, dark=dark)
    try:
        for page in ("home", "hostile"):
            tab.open(pages[page])
            tab.evaluate(OPEN_ALL)
            assert not tab.evaluate(WIDER), "the page has to be moved sideways"
            if width in (390, 1300):
                assert tab.evaluate(CONTRAST) == []
    finally:
        tab.size(1300)


def test_colours_can_be_switched_and_are_remembered(tab: Browser, pages: dict[str, Path]):
    tab.open(pages["home"])
    colour = "getComputedStyle(document.body).backgroundColor"
    light = tab.evaluate(colour)
    button = "document.getElementById('theme')"
    assert tab.evaluate(f"{button}.textContent") == "Dark colours"
    tab.evaluate(f"{button}.click()")
    dark = tab.evaluate(colour)
    assert dark != light
    assert tab.evaluate(f"{button}.textContent") == "Light colours"
    tab.open(pages["home"])
    assert tab.evaluate(colour) == dark
    tab.evaluate(f"{button}.click()")
    assert tab.evaluate(colour) == light
    tab.evaluate("localStorage.clear()")
    quiet(tab)


def test_without_scripts_the_newest_runs_and_a_whole_run_are_there(tab: Browser, pages: dict[str, Path]):
    tab.ask("Emulation.setScriptExecutionDisabled", value=True)
    try:
        tab.open(pages["home"])
        document = tab.ask("DOM.getDocument", depth=0)["root"]["nodeId"]
        found = tab.ask("DOM.querySelectorAll", nodeId=document, selector="#run-rows tr")["nodeIds"]
        assert len(found) == 200
        tab.open(pages["hostile"])
        document = tab.ask("DOM.getDocument", depth=0)["root"]["nodeId"]
        assert tab.ask("DOM.querySelectorAll", nodeId=document, selector=".turns .turn")["nodeIds"]
    finally:
        tab.ask("Emulation.setScriptExecutionDisabled", value=False)
