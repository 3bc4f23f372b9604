"""The journal's own disk is full: the application goes on, the loss is counted and told, what follows is whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import seasoned
from seasoned.instrumentation import reading
from seasoned.plugin.runtime import Workspace

REPOSITORY = Path(__file__).parents[2]


def test_a_full_disk_costs_only_what_was_written_meanwhile_and_that_is_counted(tmp_path: Path) -> None:
    # A limit on the size of files behaves as a full disk does: the write that meets it is short, later ones fail.
    program = """
        import json, resource, signal
        import seasoned
        from seasoned.plugin import runtime
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        seasoned.enable(home="home", namespace="test", ingest="external", summary=False)
        writer = runtime.get().recorder.writer
        with seasoned.run("a run on a disk that fills up") as run:
            for number in range(10):
                run.feedback(f"before {number} " + "x" * 300)
            size = next(writer.folder.glob("*.jsonl")).stat().st_size
            soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 1000, hard))
            for number in range(50):
                run.feedback(f"meanwhile {number} " + "y" * 300)
            lost = writer.lost
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            for number in range(10):
                run.feedback(f"after {number} " + "z" * 300)
        print(json.dumps([run.run_id, lost]))
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SEASONED_")}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=tmp_path, capture_output=True, text=True, timeout=120,
        env={**clean, "PYTHONPATH": str(REPOSITORY)}, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    run_id, lost = json.loads(done.stdout)
    assert 40 <= lost < 50
    workspace = Workspace(seasoned.Config(home=str(tmp_path / "home"), namespace="test"))
    try:
        assert workspace.flush().error is None
        with workspace.store.reading() as connection:
            events = list(reading.events(connection, run_id))
            gaps = reading.gaps(connection)
    finally:
        workspace.close()
    said = [event.payload["content"] for event in events if event.kind == "feedback"]
    assert [text[:8] for text in said if text.startswith("before")] == [f"before {number}" for number in range(10)]
    assert [text for text in said if text.startswith("after")] == [f"after {n} " + "z" * 300 for n in range(10)]
    assert len([text for text in said if text.startswith("meanwhile")]) == 50 - lost
    assert [event.payload["lost"] for event in events if event.kind == "gap"] == [lost]
    assert sum(missing for _, _, missing in gaps) == lost
