"""What the tests of reports share: a home to record in, runs that try to break out, and a reader of pages."""

from __future__ import annotations

import base64
import gzip
import hashlib
import itertools
import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

from seasoned.instrumentation import home, reading
from seasoned.plugin import report
from seasoned.plugin.config import Config
from seasoned.plugin.runtime import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from seasoned.instrumentation.runs import Run

HOSTILE = (
    '</script></div></main><script>document.title="owned"</script><img src=x onerror="document.title=\'owned\'">'
    '<a href="javascript:document.title=1" onclick=alert(1)>{{ 7 * 7 }}</a>\u202eevil\x1b[31m\x00\u2028-->]]>'
)
"""A text that does something wherever it is taken for markup, a template, a script or a terminal's command."""
VOID = frozenset(("meta", "br", "img", "input", "link"))
DAY = 86_400 * 10**9


def workspace(place: Path, **settings: Any) -> Workspace:
    """A home to record in."""
    config = Config(home=str(place / "home"), namespace="shop", **settings)
    home.prepare(config.home_path)
    return Workspace(config)


class Page(HTMLParser):
    """A page as a parser sees it; holds that everything opened is closed and every id is there once."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words = ""
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.feed(text)
        assert self.open == []
        ids = [found["id"] for _, found in self.tags if "id" in found]
        assert len(ids) == len(set(ids)), "an id is there twice"
        self.ids = set(ids)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append((dict(attrs), ""))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["script"]:
            given, text = self.scripts[-1]
            self.scripts[-1] = given, text + data
        elif self.open[-1:] != ["style"]:
            self.words += data

    def all(self, tag: str, class_: str | None = None) -> list[dict[str, str | None]]:
        """The attributes of every such element."""
        return [
            found
            for name, found in self.tags
            if name == tag and (class_ is None or class_ in (found.get("class") or "").split())
        ]

    @property
    def data(self) -> dict[str, Any]:
        """What the page's script reads."""
        return next(json.loads(text) for found, text in self.scripts if found.get("id") == "page-data")

    @property
    def rows(self) -> list[list[Any]]:
        """The rows of the list of runs."""
        return self.data["runs"]["rows"]

    @property
    def packed(self) -> list[Any]:
        """The trees of the runs whose details the page holds."""
        found = [text for given, text in self.scripts if (given.get("id") or "").startswith("packed-")]
        return [json.loads(gzip.decompress(base64.b64decode(text))) for text in found]


def stands_alone(page: Page) -> None:
    """Hold that a page loads nothing, and runs no script but its own two, which its policy names by their hashes."""
    tags = {tag for tag, _ in page.tags}
    assert not {"img", "link", "iframe", "object", "embed", "base", "audio", "video", "source"} & tags
    for _, found in page.tags:
        assert not {"src", "srcset", "action", "formaction", "background", "ping"} & set(found)
        assert not [name for name in found if name.startswith("on")]
        assert (found.get("href") or "#").startswith("#")
        assert found.get("http-equiv") in (None, "Content-Security-Policy")
    assert not re.search(r"url\(|@import", re.sub(r"<script.*?</script>", "", page.text, flags=re.DOTALL))
    (policy,) = [found["content"] for found in page.all("meta") if "Content-Security-Policy" in found.values()]
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    running = [text for found, text in page.scripts if found.get("type") is None]
    hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in running]
    assert len(running) == 2
    assert rules["script-src"].split() == hashes
    assert all(found.get("type") in (None, "application/json", "text/plain") for found, _ in page.scripts)


def can_be_heard(page: Page) -> None:
    """Hold what a screen reader and a keyboard need."""
    assert [found for tag, found in page.tags if tag == "html"] == [{"lang": "en"}]
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(below <= above + 1 for above, below in itertools.pairwise(levels)), "a level of headings is skipped"
    for tag, found in page.tags:
        if found.get("role") == "img":
            assert found.get("aria-label") or found.get("aria-labelledby") in page.ids
        if tag in ("section", "article") and "aria-labelledby" in found:
            assert found["aria-labelledby"] in page.ids
        if tag == "nav":
            assert found.get("aria-label")
        if tag == "a":
            assert (found["href"] or "")[1:] in page.ids, found
        if tag == "th":
            assert found.get("scope") in ("col", "row")
    assert len(page.all("header", "bar")) == 1
    assert page.all("a", "skip")


def run_page(opened: Workspace, run_id: str, path: Path) -> Page:
    """The page of one run."""
    assert opened.flush().error is None
    with opened.store.reading() as connection:
        record = reading.find(connection, run_id)
    return Page(report.write_run(opened, path, record).read_text(encoding="utf-8"))


def home_page(opened: Workspace, path: Path, **given: Any) -> Page:
    """The page of all runs."""
    assert opened.flush().error is None
    return Page(report.write_report(opened, path, **given).read_text(encoding="utf-8"))


def hostile_run(opened: Workspace) -> Run:
    """A run in which every text, name and value that others can choose is hostile, and some are very long."""
    recorder, bad = opened.recorder, HOSTILE
    who = f"{bad} agent".replace("\x00", "")  # no agent can be called so
    run = recorder.begin(bad, framework=bad, domain=bad, task_type=bad, agents=["user", who], explicit=True)
    recorder.message(run, "user", [who], "user", bad, by_user=True)
    run.turn = 1
    prompt = [
        {"role": "system", "content": bad},
        {"role": bad, "name": bad, "content": bad, "tool_calls": [{"id": bad}]},
    ]
    call = {"model": bad, "usage": {"input_tokens": bad}, "error": bad, "error_type": bad, "reasoning": bad}
    recorder.model_call(run, who, prompt, call, response=bad, block=f'<experience agent="x">\n- {bad}\n</experience>')
    section = {"name": bad, "text": f"{bad}\n- {bad}", "why": f"{bad}: {bad}"}
    template = {"template_id": bad, "name": bad, "version": bad}
    injection = {"text": bad, "tokens": bad, "sections": [section], "templates": [template]}
    recorder.record(run, "injection", who, injection)
    recorder.record(run, "tool_call", who, {"tool": bad, "call_id": "1", "arguments": {bad: bad}, "caller": bad})
    result = {"tool": bad, "call_id": "1", "ok": False, "content": bad, "error_type": bad, "error": bad}
    recorder.record(run, "tool_result", who, result)
    recorder.record(run, "artifact", who, {"path": f"javascript:alert(1)//{bad}", "content": bad})
    code = {"language": bad, "code": bad, "exit_code": bad, "output": bad * 9}
    recorder.record(run, "code_execution", who, code)
    recorder.record(run, "error", who, {"error_type": bad, "error": bad})
    recorder.record(run, "context_snapshot", None, {"content": {bad: [None, bad]}, "reason": bad})
    recorder.record(run, "human_input", "user", {"content": bad})
    recorder.record(run, "feedback", None, {"source": bad, "content": bad, "positive": False})
    recorder.transition(run, who, bad, bad)
    recorder.record(run, "gap", None, {"lost": 3, "reason": bad})
    recorder.message(run, who, ["user", bad], "assistant", bad + "long " * 200_000)
    recorder.finish(run, bad)
    run.outcome(False, quality=0.0)
    return run
