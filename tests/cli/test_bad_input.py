"""What a person can get wrong: one clear message that names the place and the mend, and no traceback."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from seasoned.instrumentation.errors import SeasonedError
from seasoned.plugin.cli.app import build

if TYPE_CHECKING:
    import typer


def settings(text: str, **files: str) -> None:
    Path("seasoned.toml").write_text(text)
    for name, content in files.items():
        Path(f"{name}.toml").write_text(content)


COMMANDS_THAT_READ = [("runs",), ("growth",), ("doctor",), ("flush",), ("import", "x.jsonl"), ("run", "app.py")]


@pytest.mark.parametrize("arguments", COMMANDS_THAT_READ)
def test_a_setting_with_a_typo(cli, arguments):
    settings("token_budgit = 300\n")
    answer = cli(*arguments)
    assert (answer.code, answer.out) == (1, "")
    assert "seasoned.toml" in answer.line
    assert "'token_budgit'" in answer.line
    assert "'token_budget'" in answer.line


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("token_budget = 'many'\n", "token_budget"),
        ("token_budget = -1\n", "token_budget"),
        ("inject = \n", "line 1"),
        ("roster = 'nowhere.toml'\n", "nowhere.toml"),
        ("[redact]\nbad = '('\n", "bad"),
        ("db = 'nonsense'\n", "nonsense"),
    ],
)
def test_settings_that_cannot_be(cli, record, text, named):
    record()
    settings(text)
    answer = cli("runs")
    assert (answer.code, answer.out) == (1, "")
    assert named in answer.line


@pytest.mark.parametrize(
    ("roster", "named"),
    [
        ("[agents.desk]\ntitel = 'x'\n", "titel"),
        ("[agents.desk.skills.refunds]\ndomain = 'retail'\nlevel = 11\n", "11"),
        ("[agents.desk.skills.refunds]\ndomain = 'retail'\nlevel = 'high'\n", "level"),
        ("[agents\n", "line"),
    ],
)
def test_a_roster_that_cannot_be(cli, record, roster, named):
    record()
    settings("roster = 'agents.toml'\n", agents=roster)
    for arguments in (("growth",), ("run", "app.py")):
        answer = cli(*arguments)
        assert (answer.code, answer.out) == (1, "")
        assert "agents.toml" in answer.line
        assert named in answer.line


def test_an_environment_variable_that_cannot_be(cli, monkeypatch):
    monkeypatch.setenv("SEASONED_TOKEN_BUDGET", "many")
    answer = cli("runs")
    assert answer.code == 1
    assert "SEASONED_TOKEN_BUDGET" in answer.line


def test_a_settings_file_that_is_not_there(cli, monkeypatch):
    monkeypatch.setenv("SEASONED_CONFIG", "nowhere.toml")
    answer = cli("runs")
    assert answer.code == 1
    assert "nowhere.toml" in answer.line


def test_a_database_that_is_a_file_of_another_kind(cli, record, home):
    run = record(success=True)
    (home / "seasoned.db").write_text("this is no database, however long one looks at it " * 100)
    answer = cli("runs")
    assert answer.code == 1
    assert "seasoned.db" in answer.line
    (home / "seasoned.db").unlink()
    assert [found["run_id"] for found in cli("runs", "--json").json] == [run]


def test_a_folder_that_cannot_be_made(cli, tmp_path):
    place = tmp_path / "file"
    place.write_text("x")
    answer = cli("import", "x.jsonl", here=place / "home")
    assert answer.code == 1
    assert str(place) in answer.line


def test_bytes_that_are_no_text(program, record, home):
    record()
    answer = program("show", "\udcff\udcfe", "--home", str(home))
    assert answer.code == 1
    assert "UTF-8" in answer.line


THAT_LOOK_AT_A_RUN = [("show", "{}"), ("diff", "{}", "{}"), ("tail", "{}"), ("tail", "--run", "{}"), ("replay", "{}")]


@pytest.mark.parametrize("arguments", THAT_LOOK_AT_A_RUN)
def test_a_run_that_is_not_there_or_several(cli, record, home, arguments):
    def answer(run: str, **options):
        return cli(*(argument.format(run) for argument in arguments), **options)

    found = answer("r0")
    assert (found.code, found.out) == (1, "")
    assert found.line.startswith(f"seasoned: Nothing is recorded in {home}.")
    first = record()
    record()
    found = answer("nowhere")
    assert (found.code, found.out) == (1, "")
    assert found.line == "seasoned: there is no run 'nowhere'. List what there is: seasoned runs"
    found = answer(first[:3])
    assert (found.code, found.out) == (1, "")
    assert "is the beginning of several runs" in found.line
    assert "Give more of the id" in found.line


@pytest.mark.parametrize("arguments", [*THAT_LOOK_AT_A_RUN, ("tail",)])
def test_a_database_that_is_away(cli, record, arguments):
    record()
    away = ("--db", "postgresql+psycopg://nobody@127.0.0.1:1/nothing?connect_timeout=1")
    answer = cli(*(argument.format("last") for argument in arguments), *away)
    assert (answer.code, answer.out) == (1, "")
    assert "127.0.0.1" in answer.line


# -- the end of every command --------------------------------------------------------------------------------------


class Plugin:
    """Adds commands that fail in every way."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def fail(self) -> None:
        raise self.error


def app_with(error: BaseException) -> typer.Typer:
    app = build()
    app.command("fail")(Plugin(error).fail)
    return app


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (SeasonedError("a thing is wrong;\nmend it \x1b[31mso"), "seasoned: a thing is wrong; mend it so"),
        (PermissionError(13, "Permission denied", "/some/where"), "seasoned: /some/where: Permission denied"),
        (OSError("odd"), "seasoned: odd"),
        (ValueError("surprise"), "seasoned: surprise (ValueError: a fault of seasoned; SEASONED_DEBUG=1 shows where)"),
        (RuntimeError(), "seasoned: no message (RuntimeError: a fault of seasoned; SEASONED_DEBUG=1 shows where)"),
    ],
)
def test_every_failure_is_one_line(error, said):
    from typer.testing import CliRunner

    result = CliRunner().invoke(app_with(error), ["fail"])
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", said + "\n")


def test_debug_shows_where(monkeypatch):
    from typer.testing import CliRunner

    monkeypatch.setenv("SEASONED_DEBUG", "1")
    result = CliRunner().invoke(app_with(ValueError("surprise")), ["fail"])
    assert isinstance(result.exception, ValueError)


def test_a_reader_who_leaves_is_no_failure(record, home, surroundings):
    record(answer="\n".join(f"a long line number {number}" for number in range(20_000)))
    process = subprocess.Popen(
        [sys.executable, "-m", "seasoned", "show", "last", "--full", "--home", str(home)],
        env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert (process.wait(timeout=60), err) == (0, b"")


# -- commands of plugins -------------------------------------------------------------------------------------------


class Entry:
    """An installed plugin that adds a command of its own, and one that there is already."""

    name = "extra"

    def load(self):
        import seasoned.plugin.hookspecs as contract

        class Extra:
            @contract.hookimpl
            def register_commands(self, app: typer.Typer) -> None:
                @app.command()
                def extra() -> None:
                    """Say something."""
                    raise SeasonedError("from the plugin")

                @app.command()
                def runs() -> None:
                    """Take over."""
                    raise AssertionError

        return Extra()


def test_plugins_add_commands_but_replace_none(cli, monkeypatch, record, capsys):
    run = record(success=True)
    real = metadata.entry_points
    monkeypatch.setattr(metadata, "entry_points", lambda group: [Entry()] if group == "seasoned" else real(group=group))
    answer = cli("extra", here=None)
    assert answer.code == 1
    assert answer.line == "seasoned: from the plugin"
    assert "'runs'" in capsys.readouterr().err
    assert [found["run_id"] for found in cli("runs", "--json").json] == [run]
    monkeypatch.setenv("SEASONED_BLOCK", "extra")
    assert cli("extra", here=None).code == 2
