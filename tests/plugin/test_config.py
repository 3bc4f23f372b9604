"""Settings: their precedence, and one clear message for every mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from seasoned.instrumentation.errors import ConfigError
from seasoned.plugin.config import find_file, flag, load_config

pytestmark = pytest.mark.usefixtures("clean_folder")


def test_defaults(tmp_path: Path) -> None:
    config = load_config()
    assert config.enabled is None
    assert config.home_path == tmp_path / ".seasoned"
    assert config.namespace == tmp_path.name
    assert config.database == f"sqlite:///{tmp_path}/.seasoned/seasoned.db"


def test_file_environment_call_in_rising_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "seasoned.toml").write_text('token_budget = 1\nidle_minutes = 1\ndomain = "file"\nroster = "r.toml"\n')
    monkeypatch.setenv("SEASONED_IDLE_MINUTES", "2")
    monkeypatch.setenv("SEASONED_DOMAIN", "environment")
    config = load_config(domain="call")
    assert (config.token_budget, config.idle_minutes, config.domain) == (1, 2.0, "call")
    assert config.roster == str(tmp_path / "r.toml")
    assert config.file == str(tmp_path / "seasoned.toml")


def test_the_file_is_found_from_a_folder_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "shop"\n[tool.seasoned]\nhome = "exp"\n')
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    config = load_config()
    assert config.home_path == tmp_path / "exp"
    assert config.namespace == "shop"
    assert find_file() == tmp_path / "pyproject.toml"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("injekt = false", ["seasoned.toml", "injekt", "'inject'"]),
        ("colour = 1", ["seasoned.toml", "colour", "known are"]),
        ("inject = 3", ["seasoned.toml", "bool", "inject"]),
        ("token_budget = -1", ["token_budget", "negative"]),
        ('ingest = "sometimes"', ["seasoned.toml", "ingest", "sometimes"]),
        ("inject = ", ["seasoned.toml", "not valid TOML"]),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_place(tmp_path: Path, text: str, parts: list[str]) -> None:
    (tmp_path / "seasoned.toml").write_text(text)
    with pytest.raises(ConfigError) as error:
        load_config()
    for part in parts:
        assert part in str(error.value)
    assert "\n" not in str(error.value)


def test_mistakes_in_the_call_and_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="did you mean 'inject'"):
        load_config(injects=False)
    monkeypatch.setenv("SEASONED_INJECT", "perhaps")
    with pytest.raises(ConfigError, match="SEASONED_INJECT is 'perhaps'"):
        load_config()


@pytest.mark.parametrize(
    ("environment", "file", "expected"),
    [
        (None, None, None),
        ("1", None, True),
        ("0", None, False),
        ("off", "enabled = true", False),
        (None, "enabled = true", True),
        (None, "enabled = false", False),
        ("1", "enabled = false", True),
        (None, "enabled = tru", None),
        (None, "inject = true", None),
    ],
)
def test_the_flag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: str | None, file: str | None, expected: bool | None
) -> None:
    if environment is not None:
        monkeypatch.setenv("SEASONED_ENABLED", environment)
    if file is not None:
        (tmp_path / "seasoned.toml").write_text(file)
    assert flag() is expected


def test_the_documentation_lists_every_setting_with_its_default() -> None:
    import re

    from seasoned.plugin.config import KEYS, Config

    text = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", text, re.MULTILINE))
    assert tuple(rows) == KEYS
    default = Config()
    for key, shown in rows.items():
        value = getattr(default, key)
        if isinstance(value, (bool, int, float)) or key in ("home", "ingest"):
            expected = (
                str(value).lower()
                if isinstance(value, bool)
                else f"{value:g}"
                if isinstance(value, (int, float))
                else value
            )
            assert shown.strip() == f"`{expected}`", key
