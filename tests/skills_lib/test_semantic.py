"""The real embedder: all-MiniLM-L6-v2 compares tasks by meaning, beside the words, and keeps nobody waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from seasoned.plugin.config import Config
from seasoned.plugin.runtime import Workspace
from seasoned.skills_lib import TaskIndex
from seasoned.skills_lib.embedder import Embedder
from seasoned.skills_lib.library import SkillLibrary

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("sentence_transformers", reason="the embedder's tests need the extra semantic")

KNOWN = {
    "cancel": "I would like to call off the order that I placed this morning",
    "flight": "Move my flight to Oslo to the day after tomorrow",
    "poem": "Compose a short poem on autumn leaves for my grandmother",
    "bug": "The login page raises an exception when the password is empty",
}
REWORDED = "Stop the purchase which I made today, I do not want it any more"


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    made = Embedder().start()
    assert made.wait(300), made.failure
    return made


def test_it_loads_quietly_in_the_background(capfd: pytest.CaptureFixture[str]) -> None:
    made = Embedder()
    assert not made.ready
    assert made.start().wait(300), made.failure
    assert capfd.readouterr() == ("", "")
    vectors = made.encode(["one", "two", ""])
    assert vectors.shape == (3, 384)
    assert (vectors**2).sum(axis=1) == pytest.approx([1, 1, 1], abs=1e-5)


def test_meaning_finds_what_no_word_shows(embedder: Embedder) -> None:
    index = TaskIndex(encoder=embedder)
    for name, text in KNOWN.items():
        index.add(name, text)
    assert index.vectors is not None
    assert index.vectors.settle(120)
    first = index.search(REWORDED)[0]
    assert first.id == "cancel"
    assert first.parts["semantic"] > 0.3
    assert "the meaning is" in first.explain


def test_texts_of_any_kind_are_embedded(embedder: Embedder) -> None:
    index = TaskIndex(encoder=embedder)
    for number, text in enumerate(("", " ", "x" * 200_000, "\u202e\x1b[2J", "Größe 尺码 🎫", "\ud800")):
        index.add(number, text)
    assert index.vectors is not None
    assert index.vectors.settle(120)
    assert index.search("Größe 尺码 🎫")[0].id == 4


def test_what_is_learned_does_not_depend_on_it(embedder: Embedder, tmp_path: Path) -> None:
    workspace = Workspace(Config(home=str(tmp_path), namespace="shop", block=["templates"]))
    try:
        for number, item in enumerate(("a blanket", "two chairs", "my headset", "a lamp")):
            recorder = workspace.recorder
            run = recorder.begin(domain="retail", agents=["customer", "desk"])
            task = f"Please cancel order #W{number} for {item} because it was ordered by mistake."
            recorder.message(run, "customer", ["desk"], "user", task, by_user=True)
            call = {"tool": "cancel_order", "call_id": "1"}
            recorder.record(run, "tool_call", "desk", {**call, "arguments": {"order_id": f"#W{number}"}})
            recorder.record(run, "tool_result", "desk", {**call, "ok": True, "content": "ok"})
            recorder.finish(run, "done")
            run.outcome(True)
        assert workspace.flush(60).error is None
        library = SkillLibrary(workspace.store, "shop", encoder=embedder)
        assert library.learn().made == 1
        assert library.settle(120)
        (match,) = library.similar("Please cancel order #W9 for a sofa because it was ordered by mistake.").matches
        assert match.parts["semantic"] > 0.5
    finally:
        workspace.close(flush=False)
