"""Runs in other forms: the chat format that model providers take, a data frame, and files.

A file is written beside its place and moved there when it is whole, so that a full disk or an interruption leaves what
was there before. Long runs are written while they are read.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import stat
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from ..adapters.recorded_export import dialogue, family, record
from ..instrumentation import otlp
from ..instrumentation.describing import text_of
from ..instrumentation.errors import ConfigError, MissingExtra
from .replay_messages import chat

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from pandas import DataFrame
    from sqlalchemy import Connection

    from ..instrumentation.reading import RunRecord
    from ..instrumentation.steps import Reading, Step
    from .replay import Replay

JSONL, OTLP = "jsonl", "otlp"

FORMATS = {JSONL: (".jsonl",), OTLP: (".json", ".otlp")}
"""The formats of files, and the ends of names that stand for them, apart from a ``.gz`` behind."""

COLUMNS = {
    "seq": "int64", "at": "datetime64[ns, UTC]", "turn": "int64", "kind": "object", "agent": "object",
    "title": "object", "text": "object", "tool": "object", "model": "object", "input_tokens": "Int64",
    "output_tokens": "Int64", "cost_usd": "float64", "duration_ms": "float64", "ok": "boolean",
}  # fmt: skip
"""The columns of a data frame and their types."""

_CAN_FAIL = frozenset(("model_call", "tool_result", "code_execution", "error", "gap"))


class Exported(NamedTuple):
    """What was written: the file, how many runs are in it, and its size in bytes."""

    path: Path
    runs: int
    size: int


def messages(replay: Replay) -> list[dict[str, Any]]:
    """A run's conversation in OpenAI's chat format, valid as the history of a request.

    It begins with the system prompts that models were sent, without what was put into them. Every call of a tool has
    an id of its own and is followed by its answer, also where the record says otherwise (see
    :func:`.replay_messages.chat`). Runs inside this one are not in it.
    """
    with replay._reading() as connection:  # noqa: SLF001  a part of it that is kept in a file of its own
        return chat(dialogue(connection, replay.record.run_id))


def dataframe(replay: Replay) -> DataFrame:
    """A row for each step: ``seq, at`` (UTC), ``turn, kind, agent, title, text, tool, model, input_tokens,
    output_tokens, cost_usd, duration_ms`` and ``ok``, which is empty for what cannot fail.

    Raises:
        MissingExtra: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError:
        raise MissingExtra("pandas", "notebook") from None
    values: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    for step in replay.steps():
        for name, value in zip(COLUMNS, _row(step), strict=True):
            values[name].append(value)
    made = {
        name: pd.to_datetime(pd.Series(found, dtype="int64"), unit="ns", utc=True) if name == "at"
        else pd.Series(found, dtype=COLUMNS[name])
        for name, found in values.items()
    }  # fmt: skip
    return pd.DataFrame(made)


def _row(step: Step) -> tuple[Any, ...]:
    payload = step.payload
    usage = payload.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    ok = not step.failed if step.kind in _CAN_FAIL else None
    return (
        step.seq, step.at_ns, step.turn, step.kind, step.agent, step.title, step.text, _name(payload.get("tool")),
        _name(payload.get("model")), _count(usage.get("input_tokens")), _count(usage.get("output_tokens")),
        _amount(payload.get("cost_usd")), step.duration_ms, ok,
    )  # fmt: skip


def _name(value: Any) -> str | None:
    return None if value is None else text_of(value)


def _count(value: Any) -> int | None:
    return value if value.__class__ is int and abs(value) < 1 << 63 else None


def _amount(value: Any) -> float | None:
    return float(value) if value.__class__ in (int, float) else None


# -- files -------------------------------------------------------------------------------------------------------------


def export(replay: Replay, path: Path, format: str | None = None) -> Path:  # noqa: A002  as everywhere
    """Write a run and the runs inside it to a file.

    Args:
        replay: the run.
        path: where to; packed where the name ends in ``.gz``. A file that is there is replaced.
        format: ``jsonl``, recorded runs that are read back without loss, a line each, or ``otlp``, OpenTelemetry spans
            as OTLP/JSON; by the file's name where not given (``.jsonl``, ``.json``).

    Raises:
        ConfigError: there is no such format, or the file cannot be written.
    """
    return export_runs(replay._reading, [replay.record.run_id], path, format).path  # noqa: SLF001  as above


def export_runs(
    reading: Reading,
    run_ids: Collection[str],
    path: Path,
    format: str | None = None,  # noqa: A002
) -> Exported:
    """Write runs and the runs inside them to one file, the oldest first; otherwise as :func:`export`."""
    chosen = format_of(path, format)
    with reading() as connection, written(path) as file:
        found = family(connection, run_ids)
        for piece in _lines(connection, found) if chosen == JSONL else otlp.document(connection, found):
            file.write(piece)
    return Exported(path, len(found), _size(path))


def format_of(path: Path, format: str | None = None) -> str:  # noqa: A002
    """The format that a file is to be written in; raises ConfigError where it is none, or the name does not tell."""
    if format is not None:
        if format not in FORMATS:
            raise ConfigError(f"runs cannot be exported as {format!r}; choose one of {', '.join(FORMATS)}")
        return format
    name = path.name.lower().removesuffix(".gz")
    for known, ends in FORMATS.items():
        if name.endswith(ends):
            return known
    raise ConfigError(
        f"{path}: the name does not tell the format; end it in .jsonl (recorded runs) or .json (OpenTelemetry spans), "
        f"or say format='jsonl' or 'otlp'"
    )


def _lines(connection: Connection, found: list[RunRecord]) -> Iterator[bytes]:
    for run in found:
        yield from record(connection, run)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


@contextlib.contextmanager
def written(path: Path) -> Iterator[IO[bytes]]:
    """A file to write to, that takes the place of ``path`` at the end of the block, or leaves it as it was where the
    block raises. What is no plain file (a pipe, a device) is written to as it is. A name that ends in ``.gz`` packs.

    A new file can be read by its owner alone, as everything that is recorded; one that is replaced keeps its mode.

    Raises:
        ConfigError: the file cannot be written.
    """
    try:
        with _beside(path) as raw:
            if path.name.lower().endswith(".gz"):
                # neither name nor time in the header: the same runs give the same file
                with gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed:
                    yield packed  # type: ignore[misc]
            else:
                yield raw
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be written ({error.strerror or error}); name a file in a folder that exists, may be "
            "written and has room"
        ) from error


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[IO[bytes]]:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        mode = None
    if mode is not None and not stat.S_ISREG(mode):
        with path.open("wb") as file:
            yield file
        return
    place = path.resolve()  # a link stays one
    descriptor, name = tempfile.mkstemp(prefix=".seasoned-", suffix=".tmp", dir=place.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        if mode is not None:
            Path(name).chmod(stat.S_IMODE(mode))
        Path(name).replace(place)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
