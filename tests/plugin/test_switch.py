"""The flag, in real processes: on and off without touching code, in child processes too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from seasoned.instrumentation.errors import NotFound
from seasoned.plugin import switch

REPOSITORY = Path(__file__).parents[2]
PROGRAM = textwrap.dedent(
    """
    import json, os, subprocess, sys
    from seasoned.plugin import runtime
    out = {"argv": sys.argv[1:], "on": runtime.get() is not None}
    if "--child" in sys.argv:
        out["child"] = json.loads(subprocess.check_output([sys.executable, __file__]))
    print(json.dumps(out))
    """
)


def environment(**more: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SEASONED_")}
    return {**clean, "PYTHONPATH": str(REPOSITORY), **more}


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return path


def run(command: list[str], folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=environment(**more), capture_output=True, text=True, timeout=60, check=False
    )


def launched(folder: Path, *arguments: str, module: bool = False, **more: str) -> dict[str, object]:
    code = f"from seasoned.plugin import switch; switch.launch({list(arguments)!r}, module={module})"
    done = run([sys.executable, "-c", code], folder, **more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_off_without_the_flag(program: Path) -> None:
    assert json.loads(run([sys.executable, str(program)], program.parent).stdout)["on"] is False


def test_a_script_is_launched_recorded_with_its_arguments_and_children(program: Path) -> None:
    out = launched(program.parent, str(program), "--child", "--home", "x y")
    assert out["argv"] == ["--child", "--home", "x y"]
    assert out["on"] is True
    assert out["child"] == {"argv": [], "on": True}


def test_a_module_and_a_console_command_are_launched_recorded(program: Path) -> None:
    folder = program.parent
    assert launched(folder, "program", "a", module=True)["on"] is True
    command = folder / "tool"
    command.write_text(f"#!{sys.executable}\n{PROGRAM}")
    command.chmod(0o755)
    assert launched(folder, "tool", "b", PATH=f"{folder}:{os.environ['PATH']}")["on"] is True


def test_a_script_that_does_not_exist_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotFound, match=r"no script 'missing\.py' in .*check the name"):
        switch.launch(["missing.py"])


def test_a_sitecustomize_of_the_environments_own_still_runs(program: Path) -> None:
    (program.parent / "sitecustomize.py").write_text("import os\nos.environ['MINE'] = 'ran'\n")
    program.write_text(PROGRAM.replace('"on":', '"mine": os.environ.get("MINE"), "on":'))
    code = f"from seasoned.plugin import switch; switch.launch([{str(program)!r}])"
    done = run([sys.executable, "-c", code], program.parent, PYTHONPATH=f"{program.parent}{os.pathsep}{REPOSITORY}")
    assert json.loads(done.stdout) == {"argv": [], "mine": "ran", "on": True}


def test_the_flag_switched_off_wins_over_code(program: Path) -> None:
    program.write_text("import seasoned\nseasoned.enable()\n" + PROGRAM)
    folder = program.parent
    assert json.loads(run([sys.executable, str(program)], folder).stdout)["on"] is True
    assert json.loads(run([sys.executable, str(program)], folder, SEASONED_ENABLED="0").stdout)["on"] is False
    (folder / "seasoned.toml").write_text("enabled = false\n")
    assert json.loads(run([sys.executable, str(program)], folder).stdout)["on"] is False


def test_the_start_up_hook_makes_the_flag_enough_and_can_be_removed(tmp_path: Path, program: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    path = switch.install_hook(site)
    code = f"import site; site.addsitedir({str(site)!r}); exec(compile(open({str(program)!r}).read(), 'p', 'exec'))"
    command = [sys.executable, "-c", code]
    assert path.exists()
    assert json.loads(run(command, tmp_path).stdout)["on"] is False
    assert json.loads(run(command, tmp_path, SEASONED_ENABLED="1").stdout)["on"] is True
    (tmp_path / "seasoned.toml").write_text("enabled = true\n")
    assert json.loads(run(command, tmp_path).stdout)["on"] is True
    assert switch.remove_hook(site)
    assert not switch.remove_hook(site)
    assert list(site.iterdir()) == [] or {p.name for p in site.iterdir()} == {"__pycache__"}


def test_the_hook_survives_our_being_uninstalled(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    switch.install_hook(site)
    code = f"import site; site.addsitedir({str(site)!r}); print('fine')"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=tmp_path, env={"SEASONED_ENABLED": "1"}, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("fine\n", "")


def test_a_broken_configuration_never_ends_a_flagged_program(program: Path) -> None:
    (program.parent / "seasoned.toml").write_text("injekt = 1\n")
    code = f"from seasoned.plugin import switch; switch.launch([{str(program)!r}])"
    done = run([sys.executable, "-c", code], program.parent)
    assert json.loads(done.stdout)["on"] is False
    (line,) = done.stderr.splitlines()
    assert "injekt" in line
    assert "seasoned.toml" in line
