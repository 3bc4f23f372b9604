"""Execute these notebooks again and keep what they show: ``python examples/notebooks/refresh.py [NAME…]``.

A notebook is executed in an empty folder, with a home and settings of its own, so that nothing of this machine gets
into it. What differs each time and says nothing (times of execution, numbers of widgets) is taken out. What still
differs: ids of runs that are recorded live, and how long things took.

pip install 'seasoned[autogen,notebook]' nbclient ipykernel
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
from nbclient import NotebookClient

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
KEPT = ("kernelspec", "language_info")


def execute(path: Path) -> nbformat.NotebookNode:
    """The notebook, executed; raises nbclient's CellExecutionError where a cell fails."""
    notebook = nbformat.read(path, as_version=4)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SEASONED_")}
    with tempfile.TemporaryDirectory(prefix="notebook-") as folder:
        environment.update(IPYTHONDIR=folder, PYTHONWARNINGS="ignore", COLUMNS="100")
        client = NotebookClient(
            notebook, timeout=300, kernel_name="python3", store_widget_state=False,
            resources={"metadata": {"path": folder}},
        )  # fmt: skip
        client.execute(env=environment)
    return stripped(notebook)


def stripped(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook without what differs each time and says nothing."""
    notebook.metadata = {key: value for key, value in notebook.metadata.items() if key in KEPT}
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = list(joined(cell.outputs))
        for output in cell.get("outputs", ()):
            output.pop("metadata", None)
            if output.output_type in ("display_data", "execute_result"):
                output.metadata = {}
                for kind in [kind for kind in output.data if kind.startswith("application/vnd.jupyter.widget")]:
                    del output.data[kind]
    return notebook


def joined(outputs: list[nbformat.NotebookNode]) -> Iterator[nbformat.NotebookNode]:
    """The outputs, where pieces of one printed text, which comes in as many as chance will have, are one."""
    last = None
    for output in outputs:
        if last is not None and output.output_type == "stream" and last.get("name") == output.name:
            last.text += output.text
            continue
        last = output
        yield output


def main(names: list[str]) -> None:
    """Execute the notebooks whose names contain one of these words, or all of them."""
    for path in sorted(HERE.glob("*.ipynb")):
        if not names or any(name in path.name for name in names):
            nbformat.write(execute(path), path)
            print(f"{path.name}: {path.stat().st_size / 1e3:.0f} KB")


if __name__ == "__main__":
    main(sys.argv[1:])
