"""The demo: bundled real runs, played, recorded, learned from, and shown."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
from pathlib import Path

import pytest
from rich.console import Console

from seasoned.instrumentation import reading
from seasoned.instrumentation.errors import MissingExtra
from seasoned.plugin import demo, runtime
from seasoned.plugin.config import Config

ROOT = Path(__file__).parents[2]
DATA = ROOT / "plugin" / "data"


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Console:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    for name in [name for name in os.environ if name.startswith("SEASONED_")]:
        monkeypatch.delenv(name)
    return Console(file=io.StringIO(), width=140, highlight=False, markup=False)


def shown(screen: Console) -> str:
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


def test_the_bundled_runs_are_real_licensed_and_without_annotations():
    commits = ("59a200c6d575d595120f1cb70fea53cef0632f6b", "aeb171db5dd4f5fdac1a42e55cb892aa892d7641")
    provenance = (DATA / "README.md").read_text(encoding="utf-8")
    licence = (DATA / "LICENSE-tau-bench.txt").read_text(encoding="utf-8")
    assert licence.startswith("MIT License")
    assert "Copyright (c) 2024 Sierra" in licence
    for name, commit in zip(demo.BUNDLED, commits, strict=True):
        _check_bundled(name, commit, provenance)


def _check_bundled(name: str, commit: str, provenance: str) -> None:
    with gzip.open(DATA / name, "rt", encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    assert len(records) >= 100
    assert len({record["run_id"] for record in records}) == len(records)
    allowed = {
        "run_id", "source", "provenance", "task_id", "task", "domain", "framework", "model", "config", "outcome",
        "agents", "messages",
    }  # fmt: skip
    for record in records:
        assert set(record) <= allowed
        assert record["provenance"]["commit"] == commit
        assert record["outcome"]["success"] in (True, False)
    assert name in provenance
    assert commit in provenance
    successes = sum(record["outcome"]["success"] for record in records)
    assert f"{successes} of the {len(records)} runs succeeded" in " ".join(provenance.split())


def test_it_shows_what_was_recorded_grown_and_given_back(screen: Console, tmp_path: Path):
    pytest.importorskip("autogen")
    result = demo.run_demo(screen, tmp_path / "home", runs=24)
    text = shown(screen)
    assert result.runs == 24
    assert "24/24" in text
    assert re.search(r"runs +24, \d+ of them successful", text)
    assert re.search(r"events +[\d,]+: run_started 24, message", text)

    (before,) = [profile for profile in result.before if profile["agent"] == "agent"]
    (after,) = [profile for profile in result.after if profile["agent"] == "agent"]
    assert (before["agent_level"], before["total_xp"]) == (1, 0)
    assert after["agent_level"] > 1
    assert max(skill["level"] for skill in after["skills"]) > 1
    assert after["title"] in text

    assert result.receiver == "agent"
    assert result.block.startswith('<experience agent="agent">')
    assert all(line in text for line in result.block.splitlines())
    assert str(result.report) in text
    assert runtime.get() is None, "it switches recording off again"
    assert list(Path.cwd().iterdir()) == [], "it leaves nothing where it was started"
    assert {path.name for path in (tmp_path / "home").iterdir()} >= {"report.html", "seasoned.db", "journal"}

    page = result.report.read_text(encoding="utf-8")
    assert page.count('<span class="pill') == 24
    assert "YOUR STRENGTHS" in page


def test_it_shows_what_the_library_learned_and_the_procedure_that_was_given(
    screen: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("autogen")
    monkeypatch.setattr(demo, "BUNDLED", demo.BUNDLED[1:])
    result = demo.run_demo(screen, tmp_path / "home", runs=60)
    text = shown(screen)
    assert 1 <= result.templates[1] < result.templates[0]
    assert result.procedure.startswith("A PROCEDURE THAT WORKED FOR TASKS LIKE THIS")
    assert "exchange_delivered_order_items(" in result.procedure
    assert "exchange-delivered-order-items" in text
    assert re.search(r"│ 1\. find_user_id_by_name_zip\(", text)


def test_the_block_shown_is_the_one_that_the_model_saw(screen: Console, tmp_path: Path):
    """And it is in every prompt of that agent in that run, and in nothing that anybody said."""
    pytest.importorskip("autogen")
    result = demo.run_demo(screen, tmp_path / "home", runs=12)
    workspace = runtime.Workspace(Config(home=str(result.home), namespace=demo.NAMESPACE))
    try:
        with workspace.store.reading() as connection:
            last = reading.find(connection, "last")
            events = list(reading.events(connection, last.run_id, prompts=True))
    finally:
        workspace.close()
    prompts = [event.payload["prompt"] for event in events if event.kind == "model_call"]
    assert prompts
    for prompt in prompts:
        assert prompt[0]["role"] == "system"
        assert prompt[0]["content"].endswith(result.block)
        assert "<experience" not in json.dumps(prompt[1:])
    said = [event.payload for event in events if event.kind in ("message", "tool_call", "tool_result")]
    assert "<experience" not in json.dumps(said)


def test_it_is_the_same_every_time(screen: Console, tmp_path: Path):
    pytest.importorskip("autogen")
    first = demo.run_demo(screen, tmp_path / "one", runs=8)
    second = demo.run_demo(screen, tmp_path / "two", runs=8)
    assert first.block == second.block
    assert first.block
    assert [(p["agent"], p["total_xp"]) for p in first.after] == [(p["agent"], p["total_xp"]) for p in second.after]


def test_the_flag_and_settings_of_the_folder_do_not_count(
    screen: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("autogen")
    Path("seasoned.toml").write_text('enabled = false\ninject = false\nnamespace = "mine"\n')
    monkeypatch.setenv("SEASONED_ENABLED", "0")
    result = demo.run_demo(screen, tmp_path / "home", runs=8)
    assert result.block
    assert os.environ["SEASONED_ENABLED"] == "0"
    assert [path.name for path in Path.cwd().iterdir()] == ["seasoned.toml"]


def test_without_autogen_it_says_what_to_install(screen: Console, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(demo.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(MissingExtra, match=re.escape("pip install 'seasoned[autogen]'")):
        demo.run_demo(screen, tmp_path / "home")
    assert not (tmp_path / "home").exists()
