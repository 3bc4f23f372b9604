"""The wheel: exactly what lies on disk in the rooms, and it works where nothing else of the repository is.

The repository's root is the package, so a build can go wrong in both directions: a room or a data file forgotten, or
tests, documents and virtual environments packed with it. Both are found by comparing the names.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("adapters", "growth", "instrumentation", "plugin", "skills_lib")
FRONT = ("__init__.py", "__main__.py", "py.typed")
BUILD = ("pyproject.toml", "README.md", "LICENSE")


def clean_environment(**more: str) -> dict[str, str]:
    """The environment without what would let another copy of the package, or its settings, in."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("SEASONED_", "PYTHON", "PYTEST_"))}
    return {**kept, **more}


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, env=clean_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def build(what: str, tree: Path, into: Path) -> Path:
    """Build a ``wheel`` or an ``sdist`` of the tree, by the backend that pyproject.toml names."""
    into.mkdir()
    program = f"from setuptools import build_meta; build_meta.build_{what}({str(into)!r})"
    run(sys.executable, "-c", program, cwd=tree)
    (built,) = into.iterdir()
    return built


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is to be built, so that nothing that an earlier build left behind gets in."""
    tree = tmp_path_factory.mktemp("build") / "seasoned-tree"
    tree.mkdir()
    for path in ROOT.iterdir():
        if path.is_file() and (path.suffix == ".py" or path.name in (*FRONT, *BUILD)):
            shutil.copy(path, tree)
    for name in (*ROOMS, "tests/packaging"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tree / "docs").mkdir()
    (tree / "docs" / "conf.py").write_text("# not for the wheel\n")
    return tree


@pytest.fixture(scope="module")
def wheel(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", tree, tmp_path_factory.mktemp("wheel") / "out")


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def on_disk() -> set[str]:
    """Every file of the front door and the five rooms, as the wheel should name it."""
    files = [ROOT / name for name in FRONT]
    for room in ROOMS:
        files += [path for path in (ROOT / room).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {f"seasoned/{path.relative_to(ROOT).as_posix()}" for path in files}


def test_it_holds_what_is_on_disk_and_nothing_else(wheel: Path) -> None:
    packed, wanted = names_in(wheel), on_disk()
    assert packed - wanted == set(), "in the wheel, but neither in a room nor of the front door"
    assert wanted - packed == set(), "on disk, but not in the wheel: see [tool.setuptools] in pyproject.toml"


def test_a_wheel_made_from_the_sdist_is_the_same(tree: Path, wheel: Path, tmp_path: Path) -> None:
    sdist = build("sdist", tree, tmp_path / "sdist")
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check")
    run(*pip, "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", "wheel", sdist, cwd=tmp_path)
    (again,) = (tmp_path / "wheel").iterdir()
    assert names_in(again) == names_in(wheel)


def test_it_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (folder,) = {name.partition("/")[0] for name in archive.namelist() if ".dist-info/" in name}
        metadata = message_from_string(archive.read(f"{folder}/METADATA").decode())
        scripts = archive.read(f"{folder}/entry_points.txt").decode()
        licence = archive.read(f"{folder}/licenses/LICENSE").decode()
        source = archive.read("seasoned/__init__.py").decode()
    assert metadata["Name"] == "seasoned"
    assert f'__version__ = "{metadata["Version"]}"' in source
    assert metadata["License-Expression"] == "Apache-2.0"
    assert "Apache License" in licence
    assert "limitations under the License" in licence
    assert metadata["Requires-Python"] == ">=3.10"
    assert "seasoned = seasoned.plugin.cli:main" in scripts
    extras = set(metadata.get_all("Provides-Extra", []))
    assert {"autogen", "agentchat", "langchain", "semantic", "postgres", "notebook", "dev"} <= extras
    assert "Experience for your agents" in str(metadata.get_payload())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel in it; the dependencies are those of the environment of the tests."""
    folder = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "venv", "--without-pip", folder / "env", cwd=folder)
    site = next((folder / "env" / "lib").glob("python*")) / "site-packages"
    pip = (sys.executable, "-m", "pip", "--python", folder / "env" / "bin" / "python", "--disable-pip-version-check")
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=folder)
    # A folder named in a .pth file is searched, but its own .pth files, the editable install's among them, are not.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "env"


def test_every_module_in_it_can_be_imported(installed: Path, wheel: Path, tmp_path: Path) -> None:
    modules = sorted(
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for name in names_in(wheel)
        if name.endswith(".py") and not name.endswith(("__main__.py", "sitecustomize.py", "/env.py"))
    )
    program = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]: importlib.import_module(name)\n"
        "import seasoned; print(seasoned.__file__)"
    )
    place = Path(run(installed / "bin" / "python", "-W", "error", "-c", program, *modules, cwd=tmp_path).strip())
    assert installed in place.parents


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_demo_works_from_it_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    pytest.importorskip("autogen")
    out = run(installed / "bin" / "seasoned", "demo", cwd=tmp_path)
    assert "<experience agent=" in out


def test_the_command_line_works_from_it(installed: Path, tmp_path: Path) -> None:
    assert "seasoned" in run(installed / "bin" / "seasoned", "--version", cwd=tmp_path)
    assert "seasoned" in run(installed / "bin" / "python", "-m", "seasoned", "--help", cwd=tmp_path)
