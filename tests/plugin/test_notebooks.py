"""The example notebooks run from beginning to end, and what is stored in them is what they show today."""

from __future__ import annotations

import importlib.util
import os
import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
NEEDED = ("nbclient", "nbformat", "ipykernel", "ipywidgets", "pandas", "autogen")
PLACES = re.compile(r"/(tmp|home|root|work|Users|var)/|C:\\\\|seasoned-notebook-\w{6,}")
VARYING = (
    (re.compile(r"\br[0-9a-z]{18}\b"), "RUN"),  # ids of runs that are recorded live
    (re.compile(r"\b[\d.]+(e-\d+)? (ms|s|min)\b"), "TIME"),
)


@pytest.fixture
def refresh(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program that executes the notebooks; the kernels find the package that is tested."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"not installed here: {', '.join(missing)}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))))
    spec = importlib.util.spec_from_file_location("refresh_notebooks", FOLDER / "refresh.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def said(notebook: Any) -> list[tuple[str, str]]:
    """What the cells print and show as text, with the id of the cell, without what differs each time."""
    found: list[tuple[str, str]] = []
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            text = output["text"] if output.output_type == "stream" else output["data"]["text/plain"]
            for pattern, name in VARYING:
                text = pattern.sub(name, text)
            found.append((cell.id, " ".join(text.split())))
    return found


def test_there_are_four() -> None:
    assert [path.name[:2] for path in NOTEBOOKS] == ["1_", "2_", "3_", "4_"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_stored_is_small_and_of_no_machine(path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    text = path.read_text(encoding="utf-8")
    assert len(text) < 1_000_000
    assert PLACES.search(text) is None
    assert "application/vnd.jupyter" not in text
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert {output.output_type for output in outputs} <= {"stream", "execute_result", "display_data"}
    assert not [output for output in outputs if output.get("name") == "stderr"]
    for output in outputs:
        assert "<script" not in str(output.get("data", {}))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_and_shows_what_is_stored(path: Path, refresh: ModuleType) -> None:
    import nbformat

    stored = said(nbformat.read(path, as_version=4))
    assert said(refresh.execute(path)) == stored, f"execute it again: python examples/notebooks/refresh.py {path.stem}"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_with_a_kernel_the_player_is_a_slider(refresh: ModuleType, tmp_path: Path) -> None:
    import nbformat

    source = f"""
        from seasoned import replay
        from seasoned.plugin.config import Config
        from seasoned.plugin.runtime import Workspace
        workspace = Workspace(Config(enabled=True, home={str(tmp_path / "home")!r}))
        run = workspace.recorder.begin("A task", explicit=True, agents=["ada"])
        for number in range(5):
            run.turn += 1
            workspace.recorder.message(run, "ada", ["user"], "assistant", f"message <b>{{number}}</b>")
        workspace.recorder.finish(run, "done")
        workspace.flush()
        opened = replay.load(run.run_id, config=workspace.config)
        player = opened.player()
        bar, hint, view = player.widget.children
        back, play, on, slider = bar.children
        assert slider is player.slider and slider.max == 5
        assert "turn 1 of 6" in view.value
        slider.value = 3
        assert "message &lt;b&gt;2&lt;/b&gt;" in view.value and "transcript so far" in view.value
        on.click()
        assert slider.value == play.value == 4 and "turn 5 of 6" in view.value
        for _ in range(9):
            back.click()
        assert slider.value == 0
        shown = player._repr_mimebundle_()
        assert "application/vnd.jupyter.widget-view+json" in shown and "<details" in shown["text/html"]
        print("stepped")
        player
    """
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(textwrap.dedent(source).strip())])
    path = tmp_path / "player.ipynb"
    nbformat.write(notebook, path)
    printed, shown = refresh.execute(path).cells[0].outputs
    assert printed.text == "stepped\n"
    assert set(shown.data) == {"text/html", "text/plain"}
