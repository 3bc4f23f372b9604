"""``seasoned export``: runs out, and with ``seasoned import`` into another home."""

from __future__ import annotations

import gzip
import json

import pytest

from seasoned.plugin.cli import app, exporting_runs

pytestmark = pytest.mark.skipif(
    exporting_runs.export not in [function for function, _ in app.COMMANDS], reason="the command is not registered yet"
)


@pytest.fixture
def two(record):
    return record("Refund order W1 for me", success=True), record("Cancel order W2 for me", success=False)


def test_out_and_into_another_home(cli, two, tmp_path):
    path = tmp_path / "runs.jsonl.gz"
    done = cli("export", "--to", str(path), "--json")
    assert done.json == {"exported": 2, "file": str(path), "format": "jsonl", "bytes": path.stat().st_size}
    other = tmp_path / "other"
    assert cli("import", str(path), "--json", here=other).json["imported"] == 2
    mine, theirs = (cli("runs", "--json", here=place).json for place in (tmp_path / "home", other))
    assert theirs == mine
    for run_id in two:
        shown = [cli("show", run_id, "--prompts", "--json", here=here).json for here in (tmp_path / "home", other)]
        for one in shown:
            for event in one["events"]:
                del event["writer"]
        assert shown[0] == shown[1]
    again = tmp_path / "again.jsonl.gz"
    assert cli("export", "--to", str(again), here=other).code == 0
    assert again.read_bytes() == path.read_bytes()
    assert cli("import", str(path), "--json", here=other).json["skipped"] == 2


def test_runs_are_named_or_chosen(cli, two, tmp_path):
    path = tmp_path / "runs.jsonl"
    for arguments, expected in (
        ((two[0],), two[:1]),
        (("last", two[0]), two),
        (("--failure",), two[1:]),
        (("--text", "Refund order W1"), two[:1]),
        (("--limit", "1"), two[1:]),
        (("--agent", "desk", "--domain", "retail"), two),
    ):
        answer = cli("export", *arguments, "--to", str(path))
        assert answer.code == 0, answer.err
        assert f"Exported {len(expected)} run" in answer.out
        assert [json.loads(line)["run_id"] for line in path.read_text().splitlines()] == list(expected)


def test_as_traces(cli, two, tmp_path):
    path = tmp_path / "trace.json.gz"
    assert cli("export", "last", "--to", str(path), "--json").json["format"] == "otlp"
    (entry,) = json.loads(gzip.decompress(path.read_bytes()))["resourceSpans"]
    assert "execute_tool refund_order" in [span["name"] for span in entry["scopeSpans"][0]["spans"]]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--to", "runs.txt"), 1, "the name does not tell the format"),
        (("--to", "none/runs.jsonl"), 1, "none/runs.jsonl: cannot be written"),
        (("--domain", "none", "--to", "runs.jsonl"), 1, "no run fits, so runs.jsonl was not written"),
        (("nobody", "--to", "runs.jsonl"), 1, "there is no run 'nobody'"),
        ((), 2, "say where to"),
        (("last", "--domain", "retail", "--to", "runs.jsonl"), 2, "not both"),
        (("--success", "--failure", "--to", "runs.jsonl"), 2, "at most one"),
    ],
)
def test_what_cannot_be_done(cli, two, arguments, code, says, tmp_path):
    answer = cli("export", *arguments)
    assert answer.code == code
    assert says in " ".join(answer.err.replace("│", " ").split())
    assert list((tmp_path / "work").iterdir()) == []


def test_where_nothing_is_recorded(cli, tmp_path):
    answer = cli("export", "--to", "runs.jsonl", here=tmp_path / "nowhere")
    assert (answer.code, (tmp_path / "nowhere").exists()) == (1, False)
    assert "Nothing is recorded in" in answer.line
