"""``seasoned run`` and ``install-hook``, in processes of their own."""

from __future__ import annotations

import json
import os
import sys

import pytest

from seasoned.plugin import switch

SCRIPT = """
import json, os, sys
import seasoned
with seasoned.run("Find the answer to everything", domain="quiz") as run:
    run.outcome(True)
print(json.dumps({"arguments": sys.argv[1:], "file": __file__, "name": __name__, "home": os.environ["SEASONED_HOME"]}))
sys.exit(7)
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "work" / "app.py"
    path.write_text(SCRIPT)
    return path


def runs(program, home, *options):
    return program("runs", "--json", "--home", str(home), *options).json


def test_a_script_runs_recorded_with_its_arguments_and_exit_code(program, home, script):
    answer = program(
        "run", "--home", str(home), "app.py", "--home", "x", "-m", "--json", "--", "--help", cwd=script.parent
    )
    assert answer.code == 7, answer.err
    told = json.loads(answer.out)
    assert told["arguments"] == ["--home", "x", "-m", "--json", "--", "--help"]
    assert told["name"] == "__main__"
    (run,) = runs(program, home)
    assert (run["task"], run["domain"], run["success"]) == ("Find the answer to everything", "quiz", True)


@pytest.mark.parametrize(
    "words", [("-m", "app"), ("-mapp",), ("--", sys.executable, "app.py"), ("--no-inject", "-m", "app")]
)
def test_modules_and_commands(program, home, script, words):
    answer = program("run", "--home", str(home), *words, "--flag", cwd=script.parent)
    assert answer.code == 7, answer.err
    assert json.loads(answer.out)["arguments"] == ["--flag"]
    assert len(runs(program, home)) == 1


def test_child_processes_are_recorded_wherever_they_work(program, home, script, tmp_path):
    parent = script.with_name("parent.py")
    parent.write_text(
        "import os, subprocess, sys\n"
        f"os.chdir({str(tmp_path)!r})\n"
        f"sys.exit(subprocess.run([sys.executable, {str(script)!r}]).returncode)\n"
    )
    answer = program("run", "parent.py", cwd=script.parent)
    assert answer.code == 7, answer.err
    assert json.loads(answer.out)["home"] == str(script.parent / ".seasoned")
    assert len(runs(program, script.parent / ".seasoned")) == 1


def test_no_content_records_no_texts(program, home, script):
    program("run", "--home", str(home), "--no-content", "app.py", cwd=script.parent)
    (run,) = runs(program, home)
    assert run["task"] is None
    assert run["success"] is True


def test_the_namespace(program, home, script):
    program("run", "--home", str(home), "--namespace", "tenant", "app.py", cwd=script.parent)
    assert [run["namespace"] for run in runs(program, home)] == ["tenant"]


def test_a_script_that_is_not_there(program, tmp_path):
    answer = program("run", "nowhere.py")
    assert (answer.code, answer.out) == (1, "")
    assert "nowhere.py" in answer.line
    assert str(tmp_path / "work") in answer.line
    assert not (tmp_path / "work" / ".seasoned").exists()


def test_a_mistake_in_the_settings_is_told_before_the_program_starts(program, script):
    (script.parent / "seasoned.toml").write_text("injekt = false\n")
    answer = program("run", "app.py", cwd=script.parent)
    assert (answer.code, answer.out) == (1, "")
    assert "injekt" in answer.line
    assert "'inject'" in answer.line
    assert "seasoned.toml" in answer.line


@pytest.mark.parametrize("words", [(), ("-m",), ("--no-injekt", "app.py"), ("-x", "app.py")])
def test_wrong_usage(cli, words):
    answer = cli("run", *words)
    assert (answer.code, answer.out) == (2, "")


def test_the_hook_comes_and_goes(cli, tmp_path, monkeypatch):
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.setattr(switch, "hook_folder", lambda: folder)
    answer = cli("install-hook", "--json")
    assert answer.json == {"installed": True, "path": str(folder / "seasoned_hook.pth"), "changed": True}
    assert len(os.listdir(folder)) == 2
    assert cli("install-hook").code == 0
    assert cli("install-hook", "--remove", "--json").json["changed"] is True
    assert os.listdir(folder) == []
    assert cli("install-hook", "--remove", "--json").json["changed"] is False


def test_a_hook_that_cannot_be_written(cli, tmp_path, monkeypatch):
    monkeypatch.setattr(switch, "hook_folder", lambda: tmp_path / "nowhere")
    answer = cli("install-hook")
    assert answer.code == 1
    assert str(tmp_path / "nowhere") in answer.line


def test_the_demo_on_two_runs(program, home):
    pytest.importorskip("autogen")
    answer = program("demo", "--runs", "2", "--json", "--home", str(home))
    assert answer.code == 0, answer.err
    assert answer.json["runs"] == 2
    assert answer.json["report"] == str(home / "report.html")
    assert (home / "report.html").is_file()
    assert {profile["agent"] for profile in answer.json["after"]} >= {"agent"}
    assert len(program("runs", "--json", "--home", str(home)).json) == 2
