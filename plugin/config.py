"""Settings: what they are, and where they come from.

In rising precedence: the defaults here; ``seasoned.toml`` or ``[tool.seasoned]`` in ``pyproject.toml``, the nearest
one at or above the working folder; environment variables ``SEASONED_<NAME>``; arguments of ``enable()`` or of a
command. Paths in a file are relative to that file, others to the working folder.

The settings are a msgspec struct, checked for unknown names and wrong types, and not a pydantic model: importing
pydantic-settings alone takes 130-220 ms where importing and enabling this package may take 150.
"""

from __future__ import annotations

import difflib
import logging
import os
import re
import sys
from pathlib import Path
from typing import Any, Literal

import msgspec

from ..instrumentation import home as home_folder
from ..instrumentation.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover  (only on Python 3.10)
    import tomli as tomllib

log = logging.getLogger("seasoned")

ENVIRONMENT = "SEASONED_"
FILES = ("seasoned.toml", "pyproject.toml")
TRUE, FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off", "")


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings. Make one with :func:`load_config`; every field is a key of the file and an argument of ``enable``.

    Attributes:
        enabled: the flag. None means that nobody said: then only a call of ``enable()`` switches on.
        home: the folder for journal, database and reports.
        db: SQLAlchemy URL of the database; default SQLite in ``home``.
        namespace: the application or tenant; default the project's name. Nothing is learned across namespaces.
        domain: the domain of runs that do not name one.
        inject: False records and learns, but changes no prompt.
        content: False records who did what and when, but no texts at all.
        token_budget: the longest block that an agent is given, in tokens (estimated as characters / 4).
        artifacts: the folders in which agents work: files that tools and programs make there are recorded.
        idle_minutes: after how many minutes of rest a follow-up is a new run.
        roster: path of the agents' roster (TOML).
        semantic: compare tasks by meaning as well, where the extra ``semantic`` is installed. It is loaded in the
            background (seconds, half a gigabyte); until then words alone decide.
        rules: path of the numbers that growth follows (TOML), see ``docs/growth.md``.
        prices: path of a price table (TOML) that overrides the shipped prices of models.
        redact: further secrets: names and the regular expressions that find them.
        block: names of plugins that must not be loaded.
        trace: write every hook call to the log, at DEBUG.
        ingest: ``thread`` follows the journal in this process; ``external`` leaves that to ``seasoned ingest``.
        summary: print a line about what was recorded when the program ends.
        outcome: ready-made rules that judge runs, see ``docs/outcomes.md``.
        file: where the settings were read from; not a key.
    """

    enabled: bool | None = None
    home: str = ".seasoned"
    db: str | None = None
    namespace: str = ""
    domain: str | None = None
    inject: bool = True
    content: bool = True
    token_budget: int = 400
    artifacts: list[str] = []
    idle_minutes: float = 30.0
    semantic: bool = False
    roster: str | None = None
    rules: str | None = None
    prices: str | None = None
    redact: dict[str, str] = {}
    block: list[str] = []
    trace: bool = False
    ingest: Literal["thread", "external"] = "thread"
    summary: bool = True
    outcome: dict[str, Any] = {}
    file: str | None = None

    @property
    def home_path(self) -> Path:
        """``home`` as an absolute path."""
        return Path(self.home).absolute()

    @property
    def database(self) -> str:
        """The URL of the database."""
        return self.db or home_folder.database_url(self.home_path)


KEYS = tuple(name for name in Config.__struct_fields__ if name != "file")
_PATHS = ("home", "roster", "rules", "prices")


def find_file(start: Path | None = None) -> Path | None:
    """The nearest ``seasoned.toml``, or ``pyproject.toml`` with a table ``[tool.seasoned]``, at or above ``start``."""
    folder = start or Path.cwd()
    for place in (folder, *folder.parents):
        for name in FILES:
            path = place / name
            try:
                if path.is_file() and (name == FILES[0] or "[tool.seasoned" in path.read_text(encoding="utf-8")):
                    return path
            except (OSError, UnicodeDecodeError):
                continue
    return None


def load_config(*, start: Path | None = None, **given: Any) -> Config:
    """The settings in force; ``given`` are those of a call or command, where None means not given.

    Raises:
        ConfigError: for an unknown name, a wrong type or an unreadable file; it names the place.
    """
    named = os.environ.get(ENVIRONMENT + "CONFIG")
    path = Path(named) if named else find_file(start)
    values: dict[str, Any] = {}
    if path is not None:
        values = _read(path)
        _check_names(values, str(path))
        for key in _PATHS:
            if isinstance(values.get(key), str):
                values[key] = str(path.parent / values[key])
        if isinstance(values.get("artifacts"), list):
            values["artifacts"] = [str(path.parent / str(folder)) for folder in values["artifacts"]]
        values = msgspec.structs.asdict(_convert(values, str(path))) if values else values
        values["file"] = str(path)
    base = dict(values)
    _warn_of_unknown_variables()
    for key in KEYS:
        text = os.environ.get(ENVIRONMENT + key.upper())
        if text is not None:
            base[key] = _from_text(key, text)
    given = {key: value for key, value in given.items() if value is not None}
    _check_names(given, "the call")
    base.update({key: str(value) if isinstance(value, Path) else value for key, value in given.items()})
    config = _convert(base, "the call" if given else "the environment")
    if config.token_budget < 0 or config.idle_minutes < 0:
        name = "token_budget" if config.token_budget < 0 else "idle_minutes"
        raise ConfigError(f"{name} is negative; give 0 or more")
    return config if config.namespace else msgspec.structs.replace(config, namespace=_project_name(start))


def flag(start: Path | None = None) -> bool | None:
    """What the flag says, read as cheaply as possible (it is asked at the start of every Python program).

    True or False where the environment or a file says so, None where nothing does. Never raises.
    """
    text = os.environ.get(ENVIRONMENT + "ENABLED")
    if text is not None:
        return text.strip().lower() not in FALSE
    try:
        path = find_file(start)
        if path is None or not re.search(r"^\s*enabled\s*=", path.read_text(encoding="utf-8"), re.MULTILINE):
            return None
        value = _read(path).get("enabled")
    except (OSError, ConfigError, UnicodeDecodeError):
        return None
    return value if isinstance(value, bool) else None


def _read(path: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}; check SEASONED_CONFIG") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    if path.name == "pyproject.toml":
        table = table.get("tool", {}).get("seasoned", {})
    return table


def _check_names(values: dict[str, Any], place: str) -> None:
    for name in values:
        if name not in KEYS:
            close = difflib.get_close_matches(name, KEYS, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(KEYS)}"
            raise ConfigError(f"{place}: unknown setting {name!r}; {hint}")


def _warn_of_unknown_variables() -> None:
    """A misspelt variable is told of, not refused: it may be somebody else's."""
    known = {ENVIRONMENT + key.upper() for key in KEYS} | {ENVIRONMENT + name for name in ("CONFIG", "DEBUG")}
    for name in os.environ:
        if name.startswith(ENVIRONMENT) and name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {close[0]}?" if close else ""
            log.warning("seasoned: the environment variable %s means nothing%s", name, hint)


def _convert(values: dict[str, Any], place: str) -> Config:
    try:
        return msgspec.convert(values, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{place}: {str(error).replace('`$.', '`')}") from error


def _from_text(key: str, text: str) -> Any:
    """The value of an environment variable, by the type of the setting."""
    kind = str(Config.__annotations__[key])
    name = ENVIRONMENT + key.upper()
    if "bool" in kind:
        low = text.strip().lower()
        if low in TRUE or low in FALSE:
            return low in TRUE
        raise ConfigError(f"{name} is {text!r}; give 1 or 0")
    if kind.startswith(("int", "float")):
        try:
            return int(text) if kind.startswith("int") else float(text)
        except ValueError as error:
            raise ConfigError(f"{name} is {text!r}; give a number") from error
    if kind.startswith("list"):
        return [part.strip() for part in text.split(",") if part.strip()]
    if kind.startswith("dict"):
        try:
            return msgspec.json.decode(text.encode())
        except msgspec.DecodeError as error:
            raise ConfigError(f"{name} is not JSON: {error}") from error
    return text


def _project_name(start: Path | None) -> str:
    """The name in the nearest ``pyproject.toml``, else that of the working folder."""
    folder = (start or Path.cwd()).absolute()
    for place in (folder, *folder.parents):
        path = place / "pyproject.toml"
        if path.is_file():
            try:
                name = tomllib.loads(path.read_text(encoding="utf-8")).get("project", {}).get("name")
            except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, AttributeError):
                name = None
            if isinstance(name, str) and name:
                return name
            break
    return folder.name or "default"
