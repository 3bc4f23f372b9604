"""Files that agents make in declared folders, how code goes on from block to block, and shared context."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any

import pytest

from seasoned.instrumentation import artifacts
from seasoned.instrumentation.context import snapshot
from seasoned.plugin.config import Config, load_config
from seasoned.plugin.runtime import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from seasoned.instrumentation.events import Event
    from seasoned.instrumentation.runs import Run


class Bench:
    """A workspace that watches a folder, and a run in which tools work."""

    def __init__(self, tmp_path: Path, **settings: Any) -> None:
        self.folder = tmp_path / "work"
        self.folder.mkdir()
        self.workspace = Workspace(
            Config(home=str(tmp_path / "home"), namespace="n", artifacts=[str(self.folder)], **settings)
        )
        self.recorder = self.workspace.recorder

    def begin(self) -> Run:
        return self.recorder.begin("Write a report, please", agents=["user", "coder"])

    def tool(self, run: Run, name: str = "write_file", agent: str = "coder") -> None:
        self.recorder.record(run, "tool_result", agent, {"tool": name, "call_id": "1", "ok": True, "content": "ok"})

    def events(self, run: Run, kind: str = "artifact") -> list[Event]:
        assert self.workspace.flush(60).error is None
        return [event for event in self.workspace.service.events_of(run.run_id) if event.kind == kind]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(**settings: Any) -> Bench:
        made.append(Bench(tmp_path, **settings))
        return made[-1]

    yield make
    for one in made:
        one.workspace.close(flush=False)


def told(event: Event, *keys: str) -> tuple[Any, ...]:
    return tuple(event.payload.get(key) for key in keys)


def test_files_are_told_with_maker_version_parent_and_hash(bench) -> None:
    made = bench()
    (made.folder / "old.txt").write_text("was there")
    run = made.begin()
    made.tool(run)
    (made.folder / "report.md").write_text("# One\n")
    made.tool(run)
    made.tool(run, "look")
    (made.folder / "report.md").write_text("# One\nTwo\n")
    (made.folder / "sub").mkdir()
    (made.folder / "sub" / "old.py").write_text("x = 1")
    (made.folder / "old.txt").write_text("is other")
    made.tool(run, agent="editor")
    (made.folder / "report.md").unlink()
    made.tool(run)
    first, second = (hashlib.sha256(text).hexdigest() for text in (b"# One\n", b"# One\nTwo\n"))
    events = made.events(run)
    keys = ("path", "change", "version", "content", "sha256", "parent", "tool", "lines", "size")
    assert [(event.agent, *told(event, *keys)) for event in events] == [
        ("coder", "work/report.md", "created", 1, "# One\n", first, None, "write_file", 1, 6),
        ("editor", "work/old.txt", "changed", 1, "is other", hashlib.sha256(b"is other").hexdigest(), None,
         "write_file", 1, 8),
        ("editor", "work/report.md", "changed", 2, "# One\nTwo\n", second, first, "write_file", 2, 10),
        ("editor", "work/sub/old.py", "created", 1, "x = 1", hashlib.sha256(b"x = 1").hexdigest(), None,
         "write_file", 1, 5),
        ("coder", "work/report.md", "deleted", 3, None, None, second, "write_file", None, None),
    ]  # fmt: skip


def test_what_the_application_does_between_runs_is_nobodys(bench) -> None:
    made = bench()
    run = made.begin()
    made.recorder.finish(run, "done")
    (made.folder / "input.csv").write_text("1,2")
    second = made.begin()
    made.tool(second)
    assert made.events(run) == made.events(second) == []


def test_touching_is_no_change_and_secrets_do_not_get_into_text_or_hash(bench) -> None:
    made = bench()
    run = made.begin()
    secret = "key = 'sk-proj-" + "a1B2" * 10 + "'\n"
    (made.folder / "conf.py").write_text(secret)
    made.tool(run)
    os.utime(made.folder / "conf.py", ns=(1, 1))
    made.tool(run)
    (event,) = made.events(run)
    assert "a1B2a1B2" not in str(event.payload)
    assert "REDACTED" in event.payload["content"]
    assert event.payload["sha256"] == hashlib.sha256(event.payload["content"].encode()).hexdigest()


def test_what_is_no_text_is_told_by_its_facts(bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "MAX_TEXT", 100)
    made = bench()
    run = made.begin()
    (made.folder / "a.bin").write_bytes(b"\xff\x00\x01")
    (made.folder / "b.txt").write_text("x" * 101)
    (made.folder / "c.txt").write_text("")
    (made.folder / ".hidden").write_text("no")
    (made.folder / "__pycache__").mkdir()
    (made.folder / "__pycache__" / "m.pyc").write_bytes(b"1")
    (made.folder / "link").symlink_to("/etc/passwd")
    (made.folder / "loop").symlink_to(made.folder)
    made.tool(run)
    assert [told(event, "path", "content", "size") for event in made.events(run)] == [
        ("work/a.bin", None, 3), ("work/b.txt", None, None), ("work/c.txt", "", 0),
    ]  # fmt: skip


def test_without_content_only_facts_are_kept(bench) -> None:
    made = bench(content=False)
    run = made.begin()
    (made.folder / "a.txt").write_text("something private")
    made.tool(run)
    (event,) = made.events(run)
    assert told(event, "path", "content", "sha256", "size") == (None, None, None, 17)


def test_a_folder_that_comes_late_or_holds_too_much_disturbs_nobody(bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "MAX_FILES", 10)
    made = bench()
    made.folder.rmdir()
    run = made.begin()
    made.tool(run)
    made.folder.mkdir()
    for number in range(30):
        (made.folder / f"{number:02}.txt").write_text("x")
    made.tool(run)
    assert len(made.events(run)) == 10


def test_programs_are_numbered_and_name_the_one_before(bench) -> None:
    made = bench()
    run = made.begin()
    for agent, language in (("coder", "python"), ("coder", "python"), ("coder", "sh"), ("other", "python")):
        payload = {"language": language, "code": "x", "exit_code": 0, "output": ""}
        made.recorder.record(run, "code_execution", agent, payload)
    events = made.events(run, "code_execution")
    assert [told(event, "version", "parent_seq") for event in events] == [
        (1, None), (2, events[0].seq), (1, None), (1, None),
    ]  # fmt: skip


def test_shared_context_is_recorded_when_it_changes(bench) -> None:
    made = bench()
    run = made.begin()
    assert not snapshot(made.recorder, run, "coder", {}, "tool")
    assert snapshot(made.recorder, run, "coder", {"step": 1, "api_key": "sk-proj-" + "a1B2" * 10}, "tool")
    assert not snapshot(made.recorder, run, "coder", {"step": 1, "api_key": "sk-proj-" + "a1B2" * 10}, "tool")
    assert snapshot(made.recorder, run, "other", {"step": 2, "odd": object}, "node")
    first, second = made.events(run, "context_snapshot")
    assert (first.agent, first.payload["reason"], first.payload["content"]["step"]) == ("coder", "tool", 1)
    assert "a1B2a1B2" not in str(first.payload)
    assert (second.payload["content"]["step"], "object" in str(second.payload["content"]["odd"])) == (2, True)


def test_folders_in_a_settings_file_are_relative_to_it(tmp_path: Path) -> None:
    (tmp_path / "seasoned.toml").write_text('artifacts = ["out", "/abs"]\n')
    assert load_config(start=tmp_path).artifacts == [str(tmp_path / "out"), "/abs"]
