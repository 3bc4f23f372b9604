"""Running an application's own code again, with the answers of models and tools served from a recorded run.

::

    execution = replay.load("last").execute("app.py")
    assert execution.identical, execution.summary

Everything between the answers is the application's: prompts, agents, who speaks next, parsers, when it ends. So this
tells whether changed code still does what was recorded, without a model, a key or a network. With ``from_turn`` the
recorded answers end there and the application's real model goes on: a fork, recorded as a run of its own.

The application runs in this process, recorded in a temporary home, and its run is compared with the record.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import runpy
import sys
import tempfile
import threading
import time
import weakref
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ..adapters.patching import standing_in
from ..instrumentation import reading
from ..instrumentation.comparing import Difference, compare
from ..instrumentation.errors import ConfigError, Departed, NotFound
from . import rerun_agentchat, rerun_classic, rerun_langchain
from .rerun_script import Edit, Script

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .config import Config
    from .replay import Replay
    from .rerun_script import PromptChange

    Application = str | Path | Callable[[], Any]

KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY", "MISTRAL_API_KEY", "AZURE_OPENAI_API_KEY")
"""Variables without which clients cannot even be made. They get a placeholder while every answer is recorded."""

ANSWERS = ("tool_result", "code_execution", "human_input")
"""Kinds of events that can be served, beside model calls."""

PLACEHOLDER = "not-needed-for-recorded-answers"

_FAMILIES = {
    "langchain_core": "langchain", "langchain": "langchain", "langgraph": "langchain",
    "autogen_agentchat": "agentchat", "autogen_core": "agentchat", "autogen_ext": "agentchat", "autogen": "classic",
}  # fmt: skip


class Execution:
    """An application that was run again.

    Attributes:
        original: the recorded run.
        replay: the run as it was recorded now; None where the application did not come so far.
        difference: what differs between the two, prompts and what was injected left aside; None without ``replay``.
        departed: why the application could not be served any further, or None.
        prompt_changes: models that were asked something else than recorded, in order.
        left: recorded answers that were not asked for, a line each.
        served: how many answers were served.
        forked: whether the application's own model took over.
        error: what left the application, if anything.
        value: what a callable application returned.
    """

    def __init__(self, original: Replay, script: Script, error: BaseException | None, value: Any) -> None:
        self.original = original
        self.replay: Replay | None = None
        self.difference: Difference | None = None
        self.departed = script.departed
        self.prompt_changes: list[PromptChange] = script.prompt_changes
        self.left = script.left
        self.served = script.served
        self.forked = script.forked
        self.error = error
        self.value = value

    @property
    def identical(self) -> bool:
        """Whether the application did again what was recorded: the same messages, tool calls, results and turns."""
        return self.difference is not None and self.difference.identical and self.departed is None

    @property
    def turn(self) -> int | None:
        """The turn in which it departs; None where it does not."""
        parting = self.difference.parting if self.difference is not None else None
        if parting is None:
            return None
        turn = parting.left or parting.right
        return turn.number if turn is not None else None

    @property
    def summary(self) -> str:
        """In a sentence or two, for people."""
        if self.forked:
            return f"forked: {self.served} recorded answers were served, then the application's own model went on"
        count = len(self.original.turns)
        if self.identical:
            text = f"the same in all {count} turns, with {self.served} recorded answers"
        elif self.replay is None:
            text = "the application did not begin the recorded run"
        else:
            text = f"it departs in turn {self.turn}" if self.turn is not None else "its outcome differs"
        if self.departed:
            text += f": {self.departed}"
        if self.error is not None and not isinstance(self.error, (Departed, SystemExit)):
            text += f" (it ended with {type(self.error).__name__}: {str(self.error)[:200]})"
        if self.prompt_changes:
            first = self.prompt_changes[0]
            text += f". What the model is asked differs from turn {first.turn} on"
        return text

    def __repr__(self) -> str:
        return f"<Execution of {self.original.record.run_id}: {self.summary}>"


def execute(
    original: Replay,
    app: Application,
    args: Sequence[str] = (),
    *,
    live_tools: bool = False,
    strict: bool = False,
    from_turn: int | None = None,
    edit: Edit | None = None,
    config: Config | None = None,
) -> Execution:
    """Run an application again with recorded answers.

    Args:
        original: the recorded run.
        app: a script's path, or a callable without arguments (a coroutine function too).
        args: the script's arguments.
        live_tools: execute tools and programs for real, and serve the models' answers only.
        strict: stop where a model is asked something else than recorded, too.
        from_turn: serve answers up to this turn; from there on the application's own model and tools answer, and the
            run is recorded where the original is.
        edit: what is changed at ``from_turn``.
        config: settings of the recording; those of the original's home where not given.

    Raises:
        ConfigError: the run cannot be played (recorded without contents, or imported without model calls), recording
            is switched off by the flag, or ``edit`` is given without ``from_turn``.
        NotFound: there is no such script.
    """
    from . import runtime

    script = _script(original, live_tools=live_tools, strict=strict, from_turn=from_turn, edit=edit)
    run = _program(app, args)
    before = runtime.get()
    if before is not None:
        if before.tap.chooses:
            raise ConfigError("recording is on for wrapped objects only; call seasoned.disable() before this")
        runtime.disable()
    place = tempfile.TemporaryDirectory(prefix="seasoned-replay-")
    settings = config or original.config
    if from_turn is None:
        settings = msgspec.structs.replace(settings, home=place.name, db=None)
    settings = msgspec.structs.replace(settings, enabled=True, inject=False, ingest="thread", content=True)
    error: BaseException | None = None
    value: Any = None
    bodies = rerun_langchain.Bodies(script)
    try:
        if any((replay.record.framework or "").startswith("lang") for replay in original.siblings):
            bodies.prepare_texts()
        with standing_in(partial(_stand_in, script, bodies)), _keys(from_turn is None):
            active = runtime.enable(settings)
            if active is None:
                raise ConfigError("recording is switched off by SEASONED_ENABLED=0; unset it to run this")
            if from_turn is not None:
                active.recorder.source = f"fork of {original.record.run_id} at turn {from_turn}"
            began = time.time_ns()
            try:
                with runtime.held():
                    value = run()
            except (Exception, SystemExit, asyncio.CancelledError) as raised:  # noqa: BLE001  whatever leaves it is reported
                error = raised
            active.flush()
            runtime.disable()
    finally:
        runtime.disable()
        bodies.restore()
        if before is not None:
            runtime.enable(before.config)
    execution = Execution(original, script, error, value)
    _compared(execution, settings, place, began)
    return execution


# -- what is played --------------------------------------------------------------------------------------------------


def _script(
    original: Replay, *, live_tools: bool, strict: bool, from_turn: int | None, edit: Edit | None
) -> Script:  # fmt: skip
    record = original.record
    if edit is not None and from_turn is None:
        raise ConfigError("an edit needs a turn at which it is made; give from_turn (--from TURN)")
    if record.parent_run_id is not None:
        raise ConfigError(
            f"run {record.run_id} happened inside another one, and is played with it: use {record.parent_run_id}"
        )
    if record.model_calls == 0 and (record.source == "import" or not any(original.steps(kinds=ANSWERS))):
        raise ConfigError(
            f"run {record.run_id} has no recorded answers of models"
            + ("; it was imported" if record.source == "import" else ", tools, programs or people")
            + ". Record the application itself: seasoned run SCRIPT"
        )
    redact = original.redact
    script = Script(
        redact, live_tools=live_tools, strict=strict, run_id=record.run_id, from_turn=from_turn, edit=edit or Edit()
    )
    for replay in original.siblings:
        script.add(replay)
    if any("response_chars" in step.payload for step in original.steps(kinds=("model_call",))):
        raise ConfigError(f"run {record.run_id} was recorded without contents (content = false): there are no answers")
    return script


def _program(app: Application, args: Sequence[str]) -> Callable[[], Any]:
    if callable(app):
        return partial(_called, app)
    path = Path(app)
    if not path.is_file():
        raise NotFound(f"there is no script {str(app)!r} in {Path.cwd()}; check the name")
    return partial(_script_run, path, list(args))


def _called(app: Callable[[], Any]) -> Any:
    value = app()
    if not inspect.iscoroutine(value):
        return value
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(value)
    found: list[Any] = []  # a loop is at work here (a notebook's): another one needs a thread of its own

    def work() -> None:
        try:
            found.append((asyncio.run(value), None))
        except BaseException as error:  # noqa: BLE001  raised again in the caller's thread
            found.append((None, error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    result, error = found[0]
    if error is not None:
        raise error
    return result


def _script_run(path: Path, args: list[str]) -> Any:
    """A script as ``python SCRIPT`` runs it."""
    argv, place = sys.argv, str(path.resolve().parent)
    sys.argv = [str(path), *args]
    sys.path.insert(0, place)
    try:
        return runpy.run_path(str(path), run_name="__main__")
    finally:
        sys.argv = argv
        with contextlib.suppress(ValueError):
            sys.path.remove(place)


@contextlib.contextmanager
def _keys(needed: bool) -> Iterator[None]:
    """Placeholders for keys that are not set, where no request is ever sent."""
    missing = [name for name in KEYS if needed and name not in os.environ]
    os.environ.update(dict.fromkeys(missing, PLACEHOLDER))
    try:
        yield
    finally:
        for name in missing:
            os.environ.pop(name, None)


def _stand_in(
    script: Script, bodies: rerun_langchain.Bodies, owner: type, name: str, raw: Callable[..., Any]
) -> Callable[..., Any] | None:
    family = next(
        (found for kind in owner.__mro__ if (found := _FAMILIES.get(kind.__module__.partition(".")[0]))), None
    )
    if family == "langchain":
        return rerun_langchain.stand_in(script, bodies, owner, name, raw)
    later = inspect.iscoroutinefunction(raw) or inspect.isasyncgenfunction(raw)
    if family == "agentchat" or (family is None and later):
        return rerun_agentchat.stand_in(script, owner, name, raw)
    return rerun_classic.stand_in(script, owner, name, raw)


# -- what came of it -------------------------------------------------------------------------------------------------


def _compared(
    execution: Execution, settings: Config, place: tempfile.TemporaryDirectory[str], began: int
) -> None:  # fmt: skip
    from .replay import Replay
    from .runtime import Workspace

    original = execution.original
    opened = Workspace(settings)
    with opened.store.reading() as connection:
        found = [
            record
            for record in reading.runs(connection, since_ns=began, newest_first=False)
            if record.parent_run_id is None
        ]
    position = [replay.record.run_id for replay in original.siblings].index(original.record.run_id)
    if position >= len(found):
        opened.close(flush=False)
        weakref.finalize(execution, place.cleanup)
        return
    execution.replay = Replay(opened, found[position], place=place)
    execution.difference = _differences(original, execution.replay)


def _differences(left: Replay, right: Replay) -> Difference:
    """What differs between two runs and the runs inside them, what was injected left aside."""
    found = compare(left.turns, right.turns, prompts=False)
    pairs = [
        pair._replace(changes=tuple(change for change in pair.changes if change.kind != "injection"))
        for pair in found.pairs
    ]
    outcome = [change for change in found.outcome if right.record.success is not None]
    difference = Difference(pairs, outcome)
    for one, other in zip(left.children, right.children, strict=False):
        inner = _differences(one, other)
        difference.pairs.extend(inner.pairs)
    return difference
