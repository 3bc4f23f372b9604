"""Tools for tests: what was recorded, and recorded runs played again. Import it as ``from seasoned import testing``.

::

    with testing.capture_events() as events:
        user.initiate_chat(assistant, message="...")
    assert [event.kind for event in events][-1] == "run_finished"

    testing.reenact(record)     # a recorded run, through the real framework, without a model

``reenact`` needs neither a key nor a network, so it serves for tests of an application's own plugins, for trying a
roster on real conversations, and for the demo.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..adapters.recorded import RecordedRun, parse, read
from ..instrumentation.errors import ConfigError, UnsupportedFramework
from . import boundaries, runtime
from .reenact_plan import ReenactmentError, ToolError, compare, plan
from .reenact_player import Player

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..instrumentation.events import Event
    from ..instrumentation.runs import Run
    from .reenact_plan import Plan

__all__ = [
    "Reenactment",
    "ReenactmentError",
    "ToolError",
    "capture_events",
    "read",
    "reenact",
    "reenact_async",
]

FRAMEWORKS = ("autogen", "autogen_agentchat", "langgraph")
"""Frameworks through which a recorded run can be played: classic AutoGen plays all of them, the others those of one
person and one agent with tools."""


@contextlib.contextmanager
def capture_events() -> Iterator[list[Event]]:
    """Collect the events that this process records inside the ``with`` block, of every thread, as they are written.

    They are redacted, with their texts in full. Nothing needs to be flushed first.

    Raises:
        ConfigError: while recording is off.
    """
    active = runtime.get()
    if active is None:
        raise ConfigError("there is nothing to capture, because recording is off; call seasoned.enable() first")
    events: list[Event] = []

    def listen(event: Event) -> None:
        events.append(event)

    recorder = active.recorder
    recorder.listeners = (*recorder.listeners, listen)
    try:
        yield events
    finally:
        recorder.listeners = tuple(listener for listener in recorder.listeners if listener is not listen)


@dataclass(frozen=True)
class Reenactment:
    """A recorded run that was played again.

    Attributes:
        run_id: the run as it was recorded now, or None where recording is off.
        record_id: the ``run_id`` of the record that was played.
        transcript: what was said, read back from the framework, in the form of the record: dictionaries with
            ``role``, ``agent``, ``content`` and, where there are any, ``tool_calls`` or ``tool_call_id``.
        prompts: what the scripted models were sent: pairs of agent and messages, one for each model call.
    """

    run_id: str | None
    record_id: str
    transcript: list[dict[str, Any]] = field(repr=False)
    prompts: list[tuple[str, list[dict[str, Any]]]] = field(repr=False)


def reenact(
    record: Mapping[str, Any] | RecordedRun,
    framework: str = "autogen",
    *,
    run_async: bool = False,
    tools_raise: bool = True,
    check: bool = True,
    task: str | None = None,
    outcome: bool = True,
    namespace: str | None = None,
) -> Reenactment:
    """Play a recorded run through the real framework.

    The agents with a model answer through a scripted model client, tools and code executors answer as recorded, in
    the order of their calls, people say what they said. While recording is on, this is a run of its own, with the
    record's domain and, where the record has one, its outcome (source ``reward``).

    Args:
        record: a run in the recorded-run format, as a dictionary or as :func:`read` gives it.
        framework: through which framework: ``autogen``, ``autogen_agentchat`` or ``langgraph``. The last two play
            runs in which one person and one agent take turns and the agent calls tools.
        run_async: use the framework's asynchronous methods, in an event loop of its own; where one is running
            already, use :func:`reenact_async`.
        tools_raise: a tool whose recorded answer begins with ``Error: `` raises the rest of it, so that the framework
            sees the failure and writes the same text. False returns the text as any other.
        check: compare the transcript with the record.
        task: the run's task; where not given it is found as in any run, from the first text of the user.
        outcome: give the run the recorded outcome.
        namespace: record in this namespace rather than the configured one.

    Raises:
        RunFormatError: the record is no recorded run, or nothing that the framework can play.
        ReenactmentError: something went differently; the message tells the first difference. (An AssertionError.)
        MissingExtra: the framework is not installed.
        UnsupportedFramework: it is none that runs can be played through.
    """
    run, script, player = _prepared(record, framework, tools_raise=tools_raise)
    players = _players(framework)
    with _recorded(run, task=task, outcome=outcome, namespace=namespace) as opened:
        transcript = asyncio.run(players.play_async(player)) if run_async else players.play(player)
        if check:
            _check(run, script, player, transcript)
    return _made(run, player, transcript, opened)


async def reenact_async(
    record: Mapping[str, Any] | RecordedRun,
    framework: str = "autogen",
    *,
    tools_raise: bool = True,
    check: bool = True,
    task: str | None = None,
    outcome: bool = True,
    namespace: str | None = None,
) -> Reenactment:
    """:func:`reenact` inside a running event loop, through the framework's asynchronous methods."""
    run, script, player = _prepared(record, framework, tools_raise=tools_raise)
    players = _players(framework)
    with _recorded(run, task=task, outcome=outcome, namespace=namespace) as opened:
        transcript = await players.play_async(player)
        if check:
            _check(run, script, player, transcript)
    return _made(run, player, transcript, opened)


def _prepared(
    record: Mapping[str, Any] | RecordedRun, framework: str, *, tools_raise: bool
) -> tuple[RecordedRun, Plan, Player]:
    if framework not in FRAMEWORKS:
        raise UnsupportedFramework(
            f"recorded runs cannot be played through {framework!r}; choose one of {', '.join(FRAMEWORKS)}"
        )
    run = parse(record)
    script = plan(run)
    if framework != "autogen":
        from .reenact_cast import cast

        cast(run.run_id, script, framework)  # refuses what it cannot play, before there is a run
    return run, script, Player(run.run_id, script, model=run.model, tools_raise=tools_raise)


def _players(framework: str) -> Any:
    """The module that plays runs through ``framework``; each imports its framework only when it plays."""
    if framework == "autogen_agentchat":
        from . import reenact_agentchat as players
    elif framework == "langgraph":
        from . import reenact_langgraph as players
    else:
        from . import reenact_classic as players
    return players


@contextlib.contextmanager
def _recorded(run: RecordedRun, *, task: str | None, outcome: bool, namespace: str | None) -> Iterator[Run | None]:
    """The run as which the play is recorded, or None where recording is off."""
    with boundaries.run(task, domain=run.domain, task_type=None, session=None, namespace=namespace) as opened:
        yield opened if runtime.get() is not None else None
        if outcome and run.outcome.success is not None:
            opened.outcome(run.outcome.success, quality=run.outcome.quality, source="reward")


def _check(run: RecordedRun, script: Plan, player: Player, transcript: list[dict[str, Any]]) -> None:
    """Raise what went differently; inside the recorded run, so that it ends with this error and no outcome."""
    if player.problem is not None:
        raise player.problem
    compare(run.run_id, script.transcript(), transcript)


def _made(run: RecordedRun, player: Player, transcript: list[dict[str, Any]], opened: Run | None) -> Reenactment:
    return Reenactment(
        run_id=opened.run_id if opened is not None else None,
        record_id=run.run_id,
        transcript=transcript,
        prompts=player.prompts,
    )
