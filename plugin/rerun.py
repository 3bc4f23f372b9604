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
import contextvars
import inspect
import os
import runpy
import sys
import tempfile
import threading
import time
import weakref
from collections import Counter
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ..adapters.patching import standing_in
from ..instrumentation import reading
from ..instrumentation.comparing import Difference, Pair, compare
from ..instrumentation.describing import name_of, text_of
from ..instrumentation.errors import ConfigError, Departed, NotFound
from ..instrumentation.learning import FORK
from ..instrumentation.spans import spans
from . import rerun_agentchat, rerun_classic, rerun_langchain
from .rerun_script import Edit, Script

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..instrumentation.reading import RunRecord
    from ..instrumentation.steps import Step
    from .config import Config
    from .replay import Replay
    from .rerun_script import PromptChange

    Application = str | Path | Callable[[], Any]

KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY", "MISTRAL_API_KEY", "AZURE_OPENAI_API_KEY")
"""Variables without which clients cannot even be made. They get a placeholder while every answer is recorded."""

ANSWERS = ("tool_result", "code_execution", "human_input")
"""Kinds of events that can be served, beside model calls."""

DONE = ("message", "model_call", "tool_call", "tool_result", "code_execution", "human_input")
"""Kinds of events that are compared where their order does not count."""

PATIENCE = 60.0
"""Seconds that threads of the application are waited for."""

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
        self._wanted = script.from_turn
        self._known = script.errors

    @property
    def identical(self) -> bool:
        """Whether the application did again what was recorded: the same messages, tool calls, results and turns, and
        ended as it did. Where branches worked at the same time, their order does not count."""
        return (
            self.difference is not None and self.difference.identical and self.departed is None
            and not self.failed and (self._wanted is None or self.forked)
        )  # fmt: skip

    @property
    def failed(self) -> bool:
        """Whether an error left the application that the record knows nothing of."""
        error = self.error
        if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
            return False
        name = type(error).__name__  # a framework may have made another error of it, with a text that names it
        return name not in self._known and not any(known in str(error) for known in self._known)

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
        elif self._wanted is not None:
            text = f"the fork was not reached: nothing that it waits for came at or after turn {self._wanted}"
        elif self.turn is not None:
            text = f"it departs in turn {self.turn}"
        elif self.difference is not None and self.difference.outcome:
            text = "its outcome differs"
        else:
            text = "it did what was recorded, but did not end so"
        if self.departed:
            text += f": {self.departed}"
        if self.error is not None and not isinstance(self.error, (Departed, SystemExit)):
            text += f" (it ended with {type(self.error).__name__}: {str(self.error)[:200]})"
        if self.prompt_changes:
            first = self.prompt_changes[0]
            text += f". What the model is asked differs from turn {first.turn} on"
        return text

    def __repr__(self) -> str:
        return f"<Execution of {name_of(self.original.record.run_id)}: {self.summary}>"


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
    settings = msgspec.structs.replace(
        settings, home=place.name, db=None, enabled=True, inject=False, ingest="thread", content=True
    )
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
                active.recorder.source = f"{FORK}{original.record.run_id} at turn {from_turn}"
            began = time.time_ns()
            try:
                with runtime.held():
                    value = _waited(run)
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
    if execution.forked and execution.replay is not None:
        _keep(execution.replay, config or original.config, Path(place.name) / "fork.jsonl")
    return execution


# -- what is played --------------------------------------------------------------------------------------------------


def _script(
    original: Replay, *, live_tools: bool, strict: bool, from_turn: int | None, edit: Edit | None
) -> Script:  # fmt: skip
    record = original.record
    if edit is not None and sum(value is not None for value in (edit.answer, edit.tool, edit.human)) > 1:
        raise ConfigError("one edit at a time: what comes after it is not recorded")
    if from_turn is not None and from_turn > record.turns:
        raise ConfigError(f"run {record.run_id} has no turn {from_turn} to fork at; its turns are 0 to {record.turns}")
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
    return asyncio.run(value) if inspect.iscoroutine(value) else value


def _waited(run: Callable[[], Any]) -> Any:
    """What ``run`` returns, once the threads have ended that it leaves behind: a program waits for them as well.

    Where an event loop is at work here (a notebook's), it runs in a thread of its own, for it may want a loop.
    """
    before = set(threading.enumerate())
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        try:
            return run()
        finally:
            _join(before)
    found: list[Any] = []

    def work() -> None:
        try:
            found.append((run(), None))
        except BaseException as error:  # noqa: BLE001  raised again in the caller's thread
            found.append((None, error))

    thread = threading.Thread(target=contextvars.copy_context().run, args=(work,))
    thread.start()
    thread.join()
    _join(before)
    result, error = found[0]
    if error is not None:
        raise error
    return result


def _join(before: set[threading.Thread]) -> None:
    until = time.monotonic() + PATIENCE
    for thread in threading.enumerate():
        if thread not in before and not thread.daemon and thread is not threading.current_thread():
            thread.join(max(0.0, until - time.monotonic()))


def _script_run(path: Path, args: list[str]) -> Any:
    """A script as ``python SCRIPT`` runs it."""
    argv, place = sys.argv, str(path.resolve().parent)
    sys.argv = [str(path), *args]
    sys.path.insert(0, place)
    known = set(sys.modules)
    try:
        return runpy.run_path(str(path), run_name="__main__")
    finally:
        sys.argv = argv
        with contextlib.suppress(ValueError):
            sys.path.remove(place)
        for name in set(sys.modules) - known:  # so that the next time plays them as they are then
            if str(getattr(sys.modules[name], "__file__", None) or "").startswith(place + os.sep):
                del sys.modules[name]


@contextlib.contextmanager
def _keys(needed: bool) -> Iterator[None]:
    """Placeholders for keys that are not set, where no request is ever sent."""
    missing = [name for name in KEYS if needed and name not in os.environ]
    os.environ.update(dict.fromkeys(missing, PLACEHOLDER))
    try:
        yield
    finally:
        for name in missing:
            if os.environ.get(name) == PLACEHOLDER:
                del os.environ[name]


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
    chosen = _counterpart(original, found)
    if chosen is None:
        opened.close(flush=False)
        weakref.finalize(execution, place.cleanup)
        return
    execution.replay = Replay(opened, chosen, place=place)
    execution.difference = _differences(original, execution.replay)


def _keep(fork: Replay, config: Config, path: Path) -> None:
    """Put a fork beside the original: it alone, without the program's other runs."""
    from .importing import import_files
    from .runtime import Workspace

    fork.export(path)
    opened = Workspace(config)
    try:
        import_files(opened, [path])
        opened.flush()
    finally:
        opened.close(flush=False)


def _counterpart(original: Replay, found: list[RunRecord]) -> RunRecord | None:
    """The run that is the original's now: the same one of those about its task, else the one in its place."""
    before = [replay.record for replay in original.siblings]
    here = next(at for at, record in enumerate(before) if record.run_id == original.record.run_id)
    alike = [record for record in found if record.task == original.record.task]
    nth = sum(record.task == original.record.task for record in before[:here])
    if nth < len(alike):
        return alike[nth]
    return found[here] if here < len(found) and not alike else None


def _differences(left: Replay, right: Replay) -> Difference:
    """What differs between two runs and the runs inside them, what was injected left aside."""
    found = compare(left.turns, right.turns, prompts=False)
    pairs = [
        pair._replace(changes=tuple(change for change in pair.changes if change.kind != "injection"))
        for pair in found.pairs
    ]
    if any(not pair.same for pair in pairs) and _at_once(left) and _done(left) == _done(right):
        pairs = [Pair(pair.left or pair.right, pair.right or pair.left, ()) for pair in pairs]
    difference = Difference(pairs, found.outcome if right.record.success is not None else [])
    for one, other in zip_longest(left.children, right.children):
        if one is None or other is None:
            alone = one or other
            difference.pairs.extend(
                Pair(turn if one else None, None if one else turn, ()) for turn in (alone.turns if alone else ())
            )
        else:
            difference.pairs.extend(_differences(one, other).pairs)
    return difference


def _at_once(replay: Replay) -> bool:
    """Whether models or tools worked at the same time in a run, so that the order of what they did is chance."""
    latest = 0
    work = [span for span in spans(replay.steps()) if span.kind in ("model", "tool", "code")]
    for span in sorted(work, key=lambda span: span.from_ns):
        if span.from_ns < latest:
            return True
        latest = max(latest, span.until_ns)
    return False


def _done(replay: Replay) -> Counter[tuple[str, ...]]:
    """What was done and said in a run, in whatever order."""
    return Counter((step.kind, step.agent or "", text_of(step.payload.get("tool")), step.text, _asked(step))
                   for step in replay.steps(kinds=DONE))  # fmt: skip


def _asked(step: Step) -> str:
    return text_of(step.payload.get("arguments")) if step.kind == "tool_call" else ""
