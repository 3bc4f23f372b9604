"""``seasoned report``: where it writes, what it says, and what it refuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import typer
from report_kit import Page, workspace
from typer.testing import CliRunner

from seasoned.plugin.cli.app import Commands
from seasoned.plugin.cli.reporting import report

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typer.testing import Result


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with three runs, and a working folder beside it."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("SEASONED_NAMESPACE", "shop")
    opened = workspace(tmp_path)
    for number, success in enumerate((True, False, None)):
        run = opened.recorder.begin(
            f"Task {number}", framework="app", domain=f"d{number}", agents=["ada"], explicit=True
        )
        opened.recorder.message(run, "ada", [], "assistant", f"Answer {number}")
        opened.recorder.finish(run, "done")
        if success is not None:
            run.outcome(success)
    opened.close()
    return tmp_path / "home"


@pytest.fixture
def cli(home: Path) -> Callable[..., Result]:
    app = typer.Typer(cls=Commands)
    app.command("report")(report)
    app.callback()(lambda: None)

    def call(*arguments: str, place: Path = home) -> Any:
        return CliRunner().invoke(app, ["report", *arguments, "--home", str(place)])

    return call


def test_all_runs_go_into_the_working_folder(cli: Callable[..., Result], tmp_path: Path):
    done = cli()
    assert (done.exit_code, done.stdout) == (0, "Written: seasoned-report.html\n")
    page = Page((tmp_path / "work" / "seasoned-report.html").read_text(encoding="utf-8"))
    assert sorted(row[1] for row in page.rows) == ["Task 0", "Task 1", "Task 2"]
    assert len(page.packed) == 3


def test_one_run_has_its_id_in_the_name(cli: Callable[..., Result], tmp_path: Path):
    done = cli("last", "--json")
    assert done.exit_code == 0
    said = json.loads(done.stdout)
    (file,) = (tmp_path / "work").iterdir()
    assert said == {"report": file.name, "runs": 1, "bytes": file.stat().st_size}
    assert file.name.startswith("seasoned-r")
    assert "Answer 2" in Page(file.read_text(encoding="utf-8")).words


@pytest.mark.parametrize(
    ("arguments", "tasks"),
    [(["--success"], ["Task 0"]), (["--failure"], ["Task 1"]), (["--unknown"], ["Task 2"]),
     (["--domain", "d1"], ["Task 1"]), (["--text", "Answer 2"], ["Task 2"]), (["--agent", "nobody"], []),
     (["--namespace", "shop"], ["Task 0", "Task 1", "Task 2"]), (["--cost-above", "0"], []),
     (["--framework", "app", "--since", "1h"], ["Task 0", "Task 1", "Task 2"])],
)  # fmt: skip
def test_filters(cli: Callable[..., Result], tmp_path: Path, arguments: list[str], tasks: list[str]):
    done = cli(*arguments, "--out", str(tmp_path / "x.html"))
    assert done.exit_code == 0, done.stderr
    page = Page((tmp_path / "x.html").read_text(encoding="utf-8"))
    assert sorted(row[1] for row in page.rows) == tasks
    assert "Only some of the runs are in this report" in page.words
    assert ("No run is in it." in done.stderr) == (not tasks)


def test_how_many_runs_have_details(cli: Callable[..., Result], tmp_path: Path):
    for arguments, number in ((["--runs", "1"], 1), (["--runs", "0"], 0), (["--all"], 3)):
        assert cli(*arguments, "--out", str(tmp_path / "x.html")).exit_code == 0
        assert len(Page((tmp_path / "x.html").read_text(encoding="utf-8")).packed) == number


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [(["nothing"], 1, "there is no run 'nothing'"), (["--success", "--failure"], 2, "at most one of"),
     (["last", "--domain", "x"], 2, "has no filters"), (["--runs", "3", "--all"], 2, "not both"),
     (["--since", "yesterday"], 2, "neither a date"), (["--out", "nowhere/x.html"], 1, "make the folder first")],
)  # fmt: skip
def test_what_is_refused_is_named(cli: Callable[..., Result], arguments: list[str], code: int, words: str):
    done = cli(*arguments)
    assert done.exit_code == code
    assert words in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr


def test_a_folder_without_records_is_named(cli: Callable[..., Result], tmp_path: Path):
    done = cli(place=tmp_path / "empty")
    assert done.exit_code == 1
    assert "Nothing is recorded" in done.stderr
    assert not (tmp_path / "empty").exists()


def test_an_imported_runs_id_makes_no_path(cli: Callable[..., Result], home: Path, tmp_path: Path):
    from seasoned.adapters.recorded import parse
    from seasoned.adapters.recorded_events import write_run

    opened = workspace(tmp_path)
    message = {"role": "user", "agent": "a", "content": "hello"}
    write_run(opened.recorder, parse({"run_id": "../../etc/<b>x", "messages": [message]}))
    opened.close()
    assert cli("../../etc/<b>x").exit_code == 0
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["seasoned-etc--b-x.html"]
