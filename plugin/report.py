"""A report of recorded runs as a single HTML page, which opens with a double click and needs no network.

One page is about one run, or about all runs of a home. Everything in it that was said by users, models or tools is
data: escaped where it stands in the page, put in as text where a script shows it, freed of control characters and of
marks that turn the direction of writing; and the page forbids itself any script but its own, and any loading.

A page about many runs holds all of them as rows, and of some the details, packed, which are opened on demand. It is
written piece by piece: of the details only one run's are in memory at a time.
"""

from __future__ import annotations

import base64
import hashlib
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from ..instrumentation.errors import ConfigError
from . import drawings
from .cli.output import clean, one_line
from .report_home import gather
from .report_nodes import ATTRIBUTES, TAGS, json_for_page, pack, to_html
from .report_pages import environment, source, write_private
from .report_run import ALONE, EMBEDDED, run_node
from .report_texts import count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

    from ..instrumentation.reading import RunRecord
    from .config import Config
    from .runtime import Workspace

DETAILS = 100
"""Runs whose details a report of many holds, unless somebody says otherwise."""
ROOM = 20_000_000
"""Bytes of packed details at most, unless somebody asks for a number of runs or for all."""


def write_report(
    workspace: Workspace,
    path: Path,
    *,
    title: str = "seasoned report",
    filters: Mapping[str, Any] | None = None,
    told: str = "",
    details: int | None = None,
    progress: Callable[[int, int | None], None] = lambda _done, _total: None,
    counts: dict[str, int] | None = None,
) -> Path:
    """Write the report of many runs to ``path`` and return it.

    Flush before, so that the database is up to date.

    Args:
        workspace: whose report.
        path: the file to write.
        title: the page's heading.
        filters: which runs, as the arguments of :func:`.reading.runs`; by default those of the workspace's namespace.
        told: the filters in words.
        details: of how many runs the page holds the details; by default of 100, as far as 20 MB reach.
        progress: told how many of those are done, of how many.
        counts: is given ``runs``, how many the report is about.

    Raises:
        ConfigError: where ``path`` cannot be written.
        StoreError: where the database cannot be read.
    """
    wanted = {"namespace": workspace.config.namespace} if filters is None else dict(filters)
    with workspace.store.reading() as connection:
        data = gather(connection, workspace, wanted)
        if counts is not None:
            counts["runs"] = data["all"].runs
        chosen = data.pop("choose")(DETAILS if details is None else details)
        numbers: dict[str, int] = {}
        room = ROOM if details is None else None
        page = _page(
            title=title, filters=told, run_html="", details_note=_details_note(len(chosen), data),
            packed=_packed(
                connection, chosen, numbers, room, progress, alive(workspace.config, connection)
            ),
            page_data=lambda: json_for_page({**_allowed(), "runs": data["table"](numbers)}), **data,
        )  # fmt: skip
        _write(path, page)
    return path


def write_run(workspace: Workspace, path: Path, record: RunRecord) -> Path:
    """Write the report of one run to ``path`` and return it; raises as :func:`write_report`."""
    with workspace.store.reading() as connection:
        going_on = alive(workspace.config, connection)
        node = run_node(connection, record, room=ALONE, now_ns=time.time_ns(), going_on=going_on)
    title = f"Run {record.run_id}: {one_line(record.task, 80)}"
    _write(path, _page(title=title, run_html=to_html(node), page_data=lambda: json_for_page(_allowed())))
    return path


def alive(config: Config, connection: Connection) -> Callable[[str], bool | None]:
    """Tells of a run without an end whether its program is at work here; None where that cannot be known."""
    from .cli.condition import going_on

    return lambda run_id: going_on(config, connection, run_id)


def _write(path: Path, page: Iterator[str]) -> None:
    try:
        write_private(path, page)
    except OSError as error:
        mend = "make the folder first" if isinstance(error, FileNotFoundError) else "name another file with --out"
        raise ConfigError(f"the report cannot be written to {path}: {error.strerror or error}; {mend}") from error


def _page(**data: Any) -> Iterator[str]:
    """The page, piece by piece."""
    made = environment()
    made.filters["compact"] = _compact
    made.filters["usd"] = _usd
    scripts = {"theme_script": source("theme.js"), "script": source("report.js")}
    hashes = " ".join(f"'sha256-{_hash(text)}'" for text in scripts.values())
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src {hashes}; base-uri 'none'; form-action 'none'"
    return made.get_template("report.html.j2").generate(
        **data, **scripts, policy=policy, drawings_dark=drawings.variables(drawings.DARK),
        made_at=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
    )  # fmt: skip


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _allowed() -> dict[str, Any]:
    return {"tags": sorted(TAGS), "attributes": sorted(ATTRIBUTES)}


def _packed(
    connection: Connection,
    chosen: Sequence[RunRecord],
    numbers: dict[str, int],
    room: int | None,
    progress: Callable[[int, int | None], None],
    going_on: Callable[[str], bool | None],
) -> Iterator[tuple[int, str]]:
    """The details of these runs, one after the other, as far as there is room; ``numbers`` tells which are there."""
    now = time.time_ns()
    for number, record in enumerate(chosen, 1):
        text = pack(run_node(connection, record, room=EMBEDDED, now_ns=now, going_on=going_on))
        progress(number, len(chosen))
        if room is not None:
            room -= len(text)
            if room < 0:
                return
        numbers[clean(record.run_id)] = number
        yield number, text


def _details_note(chosen: int, data: Mapping[str, Any]) -> str:
    inside = data["inside"]
    roots = data["all"].runs - inside
    if chosen >= roots:
        note = "Each opens with everything that was recorded of it."
        return note + (" Those inside another (↳) open with that." if inside else "")
    return (
        f"{count(chosen)} of {count(roots)} open with everything that was recorded: the newest, and those in which "
        "most failed. The others open with their figures and the command that shows the rest; "
        "seasoned report --runs N, or --all, puts more into the file."
    )


def _compact(value: int) -> str:
    """A figure that fits a card: from ten thousand on in thousands, millions or billions."""
    if value < 10_000:
        return count(value)
    size, unit = next(pair for pair in ((1e9, "B"), (1e6, "M"), (1e3, "k")) if value >= pair[0])
    shown = value / size
    return f"{shown:.{2 if shown < 10 else 1 if shown < 100 else 0}f}\u202f{unit}"


def _usd(value: float | None) -> str:
    if value is None:
        return "-"
    if value == 0:
        return "$0"
    return f"${value:,.2f}" if value >= 0.1 else f"${value:.4f}"


# -- for the demo ------------------------------------------------------------------------------------------------------


def profiles(workspace: Workspace, connection: Connection) -> list[dict[str, Any]]:
    """The agents' profiles, or none where growth is blocked."""
    growth = workspace.hooks.get_plugin("growth")
    found = growth.profile_json(connection) if growth is not None else []
    return found if isinstance(found, list) else [found]


def overview(every: Sequence[RunRecord]) -> dict[str, Any]:
    """Sums over these runs."""
    judged = [run for run in every if run.success is not None]
    costs = [run.cost_usd for run in every if run.cost_usd is not None]
    return {
        "runs": len(every),
        "succeeded": sum(1 for run in judged if run.success),
        "judged": len(judged),
        "messages": sum(run.messages for run in every),
        "model_calls": sum(run.model_calls for run in every),
        "tool_calls": sum(run.tool_calls for run in every),
        "errors": sum(run.errors for run in every),
        "input_tokens": sum(run.input_tokens for run in every),
        "output_tokens": sum(run.output_tokens for run in every),
        "cost_usd": sum(costs) if costs else None,
    }
