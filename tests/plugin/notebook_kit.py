"""What the tests of notebooks' displays share: a reader that is strict, and one event of each kind."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seasoned.instrumentation.recorder import Recorder

HOSTILE = "</pre></details><script>alert(1)</script><img src=x onerror=alert(1)>]]>\u202eevil\x1b[31m\x07\x00 \"'&amp;"
BLOCK = '<experience agent="ada">\n- Be careful.\n</experience>'
VOID = {"br", "hr", "img", "input", "meta", "link"}
TAGS = {
    "a", "b", "bdi", "blockquote", "br", "code", "del", "details", "div", "hr", "i", "ins", "li", "p", "pre", "small",
    "span", "summary", "table", "td", "tr", "ul",
}  # fmt: skip


class Page(HTMLParser):
    """Reads a display, and holds that it is closed where it was opened and has nothing in it that acts."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.details = 0
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []
        self.text = " ".join("".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS, tag
        for name, value in attrs:
            assert name in ("style", "open", "dir", "width", "valign"), name
            assert "url(" not in (value or "")
        self.details += tag == "details"
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def everything(recorder: Recorder, run: Any, text: str = "hello") -> None:
    """One event of each kind, with this text wherever there is one."""
    recorder.message(run, "user", ["ada"], "user", text, by_user=True)
    run.turn += 1
    sections = [{"name": "abilities", "text": BLOCK, "why": f"level 2 {text}"}]
    recorder.record(run, "injection", "ada", {"text": BLOCK, "tokens": 9, "sections": sections})
    sent = [{"role": "system", "content": f"You are ada. {text}"}, {"role": "user", "content": text}]
    facts = {"model": text, "usage": {"input_tokens": 30, "output_tokens": 6}, "cost_usd": 0.5, "duration_ms": 3.2}
    recorder.model_call(run, "ada", sent, facts, response=text, block=BLOCK)
    recorder.model_call(run, "ada", sent, {"model": "m", "error": text, "error_type": "Timeout"}, block=BLOCK)
    recorder.message(run, "ada", ["user"], "assistant", text)
    call = {"tool": text, "call_id": "1", "arguments": {text: text, "n": None}}
    recorder.record(run, "tool_call", "ada", call)
    recorder.record(
        run, "tool_result", "ada", {"tool": text, "call_id": "1", "ok": False, "error": text, "content": text}
    )
    recorder.record(run, "tool_call", "ada", {"tool": "t", "call_id": "2", "arguments": None})
    recorder.record(run, "code_execution", "ada", {"language": text, "code": text, "exit_code": 1, "output": text})
    recorder.transition(run, "ada", text, text)
    recorder.record(run, "human_input", "user", {"content": text})
    recorder.record(run, "artifact", "ada", {"path": text, "content": text})
    recorder.record(run, "context_snapshot", None, {"content": {text: text}})
    recorder.record(run, "error", "ada", {"error_type": text, "error": text})
    recorder.record(run, "feedback", "user", {"source": text, "content": text, "positive": False})
    recorder.record(run, "gap", None, {"lost": 3, "reason": text})
    recorder.record(run, "outcome", None, {"success": False, "quality": 0.1, "source": text})
