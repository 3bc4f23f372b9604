"""Recorded runs, looked at step by step. Import it as ``from seasoned import replay``.

::

    run = replay.load("last")
    run.turns[3].steps          # what happened in a turn
    run.at(42).prompt           # what the model was sent, the injected block marked
    run.diff(replay.load("r01")).parting

A replay reads what was recorded and nothing else: no model is called and nothing is written, so it is free and always
the same. In a notebook a replay shows itself (:mod:`.notebook`).
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from ..instrumentation import reading, schema
from ..instrumentation.comparing import compare
from ..instrumentation.describing import name_of
from ..instrumentation.errors import Ambiguous, NotFound, RunFormatError
from ..instrumentation.events import storable
from ..instrumentation.home import holds_records
from ..instrumentation.moments import Moment, ToolUse, tool_uses
from ..instrumentation.steps import Step, Turn, Turns, steps

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterator, Sequence

    from pandas import DataFrame
    from typing_extensions import Self

    from ..instrumentation.comparing import Difference
    from ..instrumentation.reading import RunRecord
    from ..instrumentation.steps import Reading
    from .config import Config
    from .notebook import Drawing
    from .rerun import Application, Execution
    from .runtime import Workspace

__all__ = ["Moment", "Replay", "Step", "ToolUse", "Turn", "load"]


def load(
    run: str | Path,
    *,
    home: str | Path | None = None,
    db: str | None = None,
    config: Config | None = None,
    pick: str | None = None,
    update: bool = True,
) -> Replay:
    """Open a recorded run.

    Args:
        run: a run's id, the beginning of one, or ``last``; or a file of recorded runs (JSONL, plain or gzipped).
        home: the folder that runs are recorded in, if not the one that the settings say.
        db: the database, likewise.
        config: all settings, likewise.
        pick: of a file with several runs, the id of the one that is wanted.
        update: bring in first what was recorded until now; False opens the database as it is.

    Raises:
        NotFound: there is no such run.
        Ambiguous: several ids begin so, or the file has several runs and ``pick`` names none.
        RunFormatError: the file cannot be read.
        StoreError: the database cannot be used.
    """
    if "IPython" in sys.modules:  # turns and steps show themselves there
        from .notebook import install

        install()
    if isinstance(run, Path) or _is_file(run):
        return _from_file(Path(run), pick)
    from .config import load_config

    given: dict[str, Any] = {key: value for key, value in (("home", home), ("db", db)) if value is not None}
    opened = _workspace(config or load_config(**given), update=update)
    with opened.store.reading() as connection:
        record = reading.find(connection, run)
    return Replay(opened, record)


def _is_file(name: str) -> bool:
    # ids of imported runs may have slashes in them
    return name.endswith((".jsonl", ".jsonl.gz", ".json", ".gz")) or ("/" in name and Path(name).is_file())


def _workspace(config: Config, *, update: bool) -> Workspace:
    """A home to read from. What this process records into it itself is brought in by the one who records."""
    from . import runtime

    active = runtime.get()
    if config.db is None and not holds_records(config.home_path):
        raise NotFound(f"nothing was recorded in {config.home_path} yet. Record something: seasoned run SCRIPT")
    if update and active is not None and active.config.database == config.database:
        active.flush()
        update = False
    opened = runtime.Workspace(config)
    if update:
        opened.flush()
    return opened


def _from_file(path: Path, pick: str | None) -> Replay:
    """A run of a file, read through a home of its own that goes with the replay."""
    from ..adapters.recorded import read
    from ..adapters.recorded_events import write_run
    from .config import load_config
    from .runtime import Workspace

    chosen, others, inside = None, [], []
    for record in read([path]):
        if chosen is not None and record.parent in {chosen.run_id, *(run.run_id for run in inside)}:
            inside.append(record)
        elif pick is None or record.run_id == pick:
            if chosen is not None:
                others.append(record.run_id)
                break
            chosen = record
    if chosen is None:
        raise NotFound(f"{path} has no run {pick!r}" if pick is not None else f"{path} has no run in it")
    if others:
        raise Ambiguous(
            f"{path} has several runs, {chosen.run_id!r} and {others[0]!r} among them; name one: "
            f"load({path.name!r}, pick={chosen.run_id!r})"
        )
    place = tempfile.TemporaryDirectory(prefix="seasoned-replay-")
    opened = Workspace(load_config(home=place.name, enabled=True, inject=False, db=None))
    for record in (chosen, *inside):
        write_run(opened.recorder, record)
    report = opened.flush()
    if report.error:
        raise RunFormatError(f"{path}: run {chosen.run_id!r} cannot be opened: {report.error}")
    with opened.store.reading() as connection:
        record = reading.find(connection, chosen.run_id)
    return Replay(opened, record, place=place)


class Replay:
    """A recorded run.

    Attributes:
        record: the run's facts: task, agents, outcome, counts, cost (:class:`.reading.RunRecord`).
    """

    def __init__(
        self,
        opened: Workspace,
        record: RunRecord,
        *,
        place: tempfile.TemporaryDirectory[str] | None = None,
        owner: Replay | None = None,
    ) -> None:
        self.record = record
        self._opened = opened
        self._turns: Turns | None = None
        self._owner = owner  # whose home this one reads from: it stays open as long as either is held
        self._finalizer = weakref.finalize(self, _close, opened, place) if owner is None else None

    @property
    def _reading(self) -> Reading:
        return self._opened.store.reading

    # -- turns and steps -------------------------------------------------------------------------------------

    @property
    def turns(self) -> Turns:
        """The turns, read when they are looked at."""
        if self._turns is None:
            self._turns = Turns(self._reading, self.record.run_id)
        return self._turns

    def __len__(self) -> int:
        return len(self.turns)

    def __getitem__(self, index: int) -> Turn:
        return self.turns[index]

    def __iter__(self) -> Iterator[Turn]:
        return iter(self.turns)

    def turn(self, number: int) -> Turn:
        """The turn with this number; raises NotFound where there is none."""
        return self.turns.numbered(number)

    def steps(self, *, kinds: Collection[str] | None = None, prompts: bool = False) -> Generator[Step, None, None]:
        """All steps in order, read as they are taken, so that a run of any length takes little memory.

        Args:
            kinds: only these kinds of events.
            prompts: whether model calls have their ``prompt`` and ``injected``.
        """
        return steps(self._reading, self.record, kinds=kinds, prompts=prompts)

    def step(self, seq: int) -> Step:
        """The step with this number; of several (a run that went on in another process), the first.

        Raises:
            NotFound: there is none.
        """
        with (
            self._reading() as connection,
            contextlib.closing(reading.events(connection, self.record.run_id, seq=seq)) as found,
        ):
            for event in found:
                return Step(event)
        raise NotFound(f"run {self.record.run_id} has no event {seq}. Its events: seasoned show {self.record.run_id}")

    def at(self, step: int | Step) -> Moment:
        """The whole state as of a step, which is given itself or by its number (``seq``).

        Raises:
            NotFound: there is no such step.
        """
        return Moment(self._reading, self.record, self.step(step) if isinstance(step, int) else step)

    @property
    def children(self) -> list[Replay]:
        """The runs inside this one (nested conversations), in the order in which they began."""
        with self._reading() as connection:
            ids = [run_id for run_id in reading.tree(connection, [self.record.run_id]) if run_id != self.record.run_id]
            found = reading.runs(connection, run_ids=ids, newest_first=False) if ids else []
        return [
            Replay(self._opened, record, owner=self._owner or self)
            for record in found
            if record.parent_run_id == self.record.run_id
        ]

    @property
    def siblings(self) -> list[Replay]:
        """The runs that began in the same process as this one (itself among them), in order: those of its program."""
        table, journal, run = schema.events.c, schema.journals.c, schema.runs.c
        with self._reading() as connection:
            here = (
                select(journal.writer)
                .join_from(schema.events, schema.journals, table.journal_pk == journal.journal_pk)
                .join(schema.runs, table.run_pk == run.run_pk)
                .where(run.run_id == self.record.run_id)
                .limit(1)
            )
            began = (
                select(run.run_id)
                .join_from(schema.events, schema.journals, table.journal_pk == journal.journal_pk)
                .join(schema.runs, table.run_pk == run.run_pk)
                .where(journal.writer == here.scalar_subquery(), table.seq == 0, run.parent_run_id.is_(None))
                .distinct()
            )
            ids = set(connection.execute(began).scalars()) | {self.record.run_id}
            found = reading.runs(connection, run_ids=ids, newest_first=False)
        return [
            self if r.run_id == self.record.run_id else Replay(self._opened, r, owner=self._owner or self)
            for r in found
        ]

    @property
    def config(self) -> Config:
        """The settings with which the run was opened."""
        return self._opened.config

    def redact(self, text: str) -> str:
        """``text`` as it would have been recorded: secrets marked."""
        return storable(self._opened.redactor.text(text))

    def refresh(self) -> Replay:
        """The run as it is now: for one that is still going on."""
        self._opened.flush()
        with self._reading() as connection:
            record = reading.find(connection, self.record.run_id)
        return Replay(self._opened, record, owner=self._owner or self)

    # -- questions ---------------------------------------------------------------------------------------------

    def search(self, text: str) -> list[Step]:
        """The steps in whose words ``text`` occurs, in capitals or not."""
        wanted = text.casefold()
        return [step for step in self.steps() if wanted in f"{step.title}\n{step.text}".casefold()]

    @property
    def tools(self) -> list[ToolUse]:
        """All tool calls with their results."""
        return tool_uses(self.steps(kinds=("tool_call", "tool_result")))

    def diff(self, other: Replay, *, prompts: bool = True) -> Difference:
        """What differs between this run and another: their turns aligned, with every value that is not the same.

        Args:
            other: the other run.
            prompts: whether what models were sent is compared as well.
        """
        return compare(self.turns, other.turns, prompts=prompts)

    def execute(self, app: Application, args: Sequence[str] = (), **options: Any) -> Execution:
        """Run the application that was recorded again, with recorded answers (see :func:`.rerun.execute`).

        Args:
            app: a script's path, or a callable without arguments.
            args: the script's arguments.
            options: ``live_tools``, ``strict``, ``from_turn``, ``edit``.
        """
        from . import rerun

        return rerun.execute(self, app, args, **options)

    # -- other forms -------------------------------------------------------------------------------------------

    def to_messages(self) -> list[dict[str, Any]]:
        """The conversation in OpenAI's chat format (see :func:`.replay_export.messages`)."""
        from . import replay_export

        return replay_export.messages(self)

    def to_dataframe(self) -> DataFrame:
        """The steps as a pandas data frame, a row each (see :func:`.replay_export.dataframe`).

        Raises:
            MissingExtra: pandas is not installed.
        """
        from . import replay_export

        return replay_export.dataframe(self)

    def export(self, path: str | Path, format: str | None = None) -> Path:  # noqa: A002  as everywhere
        """Write the run to a file (see :func:`.replay_export.export`).

        Args:
            path: where to; with a name that ends in ``.gz`` it is packed.
            format: ``jsonl``, a recorded run that is read back without loss, or ``otlp``, OpenTelemetry spans; by the
                file's name where not given.

        Raises:
            ConfigError: there is no such format, or the file cannot be written.
        """
        from . import replay_export

        return replay_export.export(self, Path(path), format)

    # -- in a notebook -----------------------------------------------------------------------------------------

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        from . import notebook

        return notebook.bundle(self)

    def timeline(self) -> Drawing:
        """What took how long: one lane for each agent, drawn."""
        from . import notebook

        return notebook.timeline(self)

    def graph(self) -> Drawing:
        """Who handed over to whom, and how often, drawn."""
        from . import notebook

        return notebook.graph(self)

    def usage(self) -> Drawing:
        """Tokens and cost as they added up, drawn."""
        from . import notebook

        return notebook.usage(self)

    def player(self) -> Any:
        """A view with a slider and keys to step through; a static page where widgets are missing."""
        from . import notebook

        return notebook.player(self)

    # -- its end -----------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Let go of the database (and of a file's temporary home); it happens by itself when nobody holds it."""
        if self._finalizer is not None:
            self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Replay {name_of(self.record.run_id)}: {self.record.messages} messages, {self.record.turns} turns>"


def _close(opened: Workspace, place: tempfile.TemporaryDirectory[str] | None) -> None:
    opened.close(flush=False)
    if place is not None:
        place.cleanup()
