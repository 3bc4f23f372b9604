"""Conversations with a shop's desk, recorded and learned from through a real workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from seasoned.plugin.config import Config
from seasoned.plugin.runtime import Workspace
from seasoned.skills_lib.library import SkillLibrary
from seasoned.skills_lib.tables import skill_templates

if TYPE_CHECKING:
    from pathlib import Path

    from seasoned.instrumentation.runs import Run

SECOND = 1_000_000_000
START = 1_767_225_600 * SECOND

Calls = list[tuple[str, dict[str, Any]]]


class Desk:
    """Records conversations with a desk that exchanges, returns and cancels, and learns from them."""

    def __init__(self, home: Path) -> None:
        self.workspace = Workspace(Config(home=str(home), namespace="desk", block=["templates"]))
        self.count = 0

    def chat(
        self,
        opening: str,
        calls: Calls,
        *said: str,
        success: bool = True,
        domain: str = "retail",
        at: int | None = None,
    ) -> Run:
        self.count += 1
        at = START + (self.count if at is None else at) * 60 * SECOND
        recorder = self.workspace.recorder
        run = recorder.begin(domain=domain, agents=["customer", "desk"], at=at)
        for number, text in enumerate((opening, *said)):
            recorder.message(run, "customer", ["desk"], "user", text, by_user=True)
            recorder.message(run, "desk", ["customer"], "assistant", f"I see, {number}.")
        for number, (tool, arguments) in enumerate(calls):
            run.turn += 1
            call = {"tool": tool, "call_id": str(number)}
            recorder.record(run, "tool_call", "desk", {**call, "arguments": arguments})
            recorder.record(run, "tool_result", "desk", {**call, "ok": True, "content": '{"status": "delivered"}'})
        recorder.finish(run, "done", at=at + SECOND)
        run.outcome(success)
        return run

    def exchange(self, opening: str, *said: str, tool: str = "exchange_items", **more: Any) -> Run:
        order = f"#W{5000 + self.count}"
        calls: Calls = [("get_order", {"order_id": order}), (tool, {"order_id": order})]
        return self.chat(opening, calls, f"It is order {order}.", *said, **more)

    def library(self) -> SkillLibrary:
        report = self.workspace.flush(60)
        assert report.error is None
        return SkillLibrary(self.workspace.store, "desk")

    def learned(self) -> SkillLibrary:
        library = self.library()
        library.learn()
        return library

    def rows(self, table: Any = skill_templates) -> list[Any]:
        with self.workspace.store.reading() as connection:
            return list(connection.execute(select(table)).all())

    def merged(self) -> list[Any]:
        return [row for row in self.rows() if row.state == "merged"]
