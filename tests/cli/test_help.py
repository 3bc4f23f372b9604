"""The command line as a whole: what there is, how quickly it says so, and that the documentation tells the same."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from seasoned.plugin.cli.app import build

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
COMMANDS = get_command(build()).commands  # type: ignore[attr-defined]
PRINTS_NO_DATA = {"run", "replay"}
SHARED = {"--home", "--db", "--json", "--no-flush", "--namespace", "--yes", "--help"}


def options_of(name: str) -> set[str]:
    params = COMMANDS[name].params
    return {option for param in params for option in [*param.opts, *param.secondary_opts] if option.startswith("--")}


def chapter(name: str) -> str:
    found = re.search(rf"^## seasoned {name}\n(.*?)(?=^## |\Z)", GUIDE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/cli.md has no chapter on seasoned {name}"
    return found[1]


def test_the_commands_of_the_design_are_there():
    assert set(COMMANDS) == {
        "demo", "run", "install-hook", "capture", "import", "runs", "show", "outcome", "feedback", "flush", "ingest",
        "rebuild", "forget", "growth", "agents", "prompt", "doctor", "learn", "skills", "similar", "diff", "tail",
        "export", "report",
        "replay",
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_each_command_takes_home_and_db_and_where_it_prints_data_json(name):
    wanted = {"--home", "--db"} | (set() if name in PRINTS_NO_DATA else {"--json"})
    assert wanted <= options_of(name)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_guide_tells_each_command_with_its_options_and_json(name):
    text = chapter(name)
    for option in options_of(name) - SHARED:
        assert f"`{option}" in text or f"[{option}" in text or f" {option} " in text, (name, option)
    told = set(re.findall(r"`(--[a-z-]+)", text))
    assert told <= options_of(name), (name, told - options_of(name))
    assert ("JSON" in text) == ("--json" in options_of(name))


def test_the_guide_tells_no_other_commands():
    assert set(re.findall(r"^## seasoned (\S+)$", GUIDE, re.MULTILINE)) == set(COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_shows_the_whole_docstring(cli, name):
    shown = cli(name, "--help", here=None)
    assert shown.code == 0
    words = " ".join(re.sub(r"[╭╮╰╯│─]", " ", shown.out).split())
    said = " ".join(COMMANDS[name].callback.__doc__.split())
    assert said in words  # nothing in it was taken for markup


def test_help_loads_nothing_heavy():
    script = (
        "import sys; sys.argv = ['seasoned', '--help']\n"
        "from seasoned.plugin.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert end.code == 0, end.code\n"
        "heavy = {'sqlalchemy', 'alembic', 'msgspec', 'autogen', 'jinja2'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_command_is_wrong_usage_and_shows_help(cli, program):
    answer = program()
    assert answer.code == 2
    assert "install-hook" in answer.out + answer.err
    assert cli("nonsense", here=None).code == 2


def test_version(program):
    answer = program("--version")
    assert answer.code == 0
    assert answer.out.startswith("seasoned ")
