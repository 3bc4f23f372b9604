"""The contract: every hook of the life of a run, in the order in which they are called.

A plugin is any object (a module, a class instance) with some of these functions, each marked with
``@seasoned.hookimpl``; it takes the arguments that it needs, by name. Packages offer theirs through the entry
point group ``seasoned``. The built-in parts (growth, the task classifier, the adapters, the ready-made outcome
rules) are plugins on these same hooks. Every call runs under the guard: what a plugin raises is counted and
logged once, and counts as its not having answered.

Two kinds of place call them. *In the application's thread*: ``run_started``, ``task_named``, ``run_finished``,
``event_recorded``, ``prompt_sections``; these must be quick and must not touch the database. *In the background*
(the thread that follows the journal, or a command): the others. This module imports nothing of ours at run time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    import typer
    from sqlalchemy import Connection

    from ..instrumentation.events import Event
    from ..instrumentation.reading import RunRecord
    from ..instrumentation.records import Ability, Achievement, OutcomeRule, Reason, Section, Sink, SkillUse, Verdict
    from ..instrumentation.runs import Run
    from ..instrumentation.store import Store
    from ..instrumentation.tap import Adapter
    from .config import Config

hookspec = pluggy.HookspecMarker("seasoned")
hookimpl = pluggy.HookimplMarker("seasoned")
"""Marks the functions of a plugin that implement a hook: ``@seasoned.hookimpl``."""


# -- switching on ------------------------------------------------------------------------------------------------


@hookspec
def configure(config: Config) -> None:
    """The settings are read and recording is about to start. Keep what you need of them; raising is harmless."""


@hookspec
def register_adapters() -> Sequence[Adapter]:  # type: ignore[empty-body]
    """Frameworks to record: adapters, each installed when its module is imported."""


@hookspec
def register_redactions() -> Mapping[str, str]:  # type: ignore[empty-body]
    """Secrets to remove before anything is written: a name, and the regular expression that finds it."""


@hookspec
def register_prices() -> Mapping[str, tuple[float, float]]:  # type: ignore[empty-body]
    """Prices of models in US dollars for a million input and output tokens. The user's own table wins."""


@hookspec
def register_abilities() -> Sequence[Ability]:  # type: ignore[empty-body]
    """Sentences that a skill's levels unlock, beside those of the roster and the built-in table."""


@hookspec
def register_achievements() -> Sequence[Achievement]:  # type: ignore[empty-body]
    """Achievements, each with the test that says whether an agent has earned it."""


@hookspec(firstresult=True)
def growth_rules() -> Mapping[str, Any] | None:
    """The numbers of growth that differ from the defaults, by the keys of the roster's table ``[rules]``. The first
    answer counts; a roster's table or the setting ``rules`` goes before it."""


@hookspec
def register_outcome_rules() -> Sequence[OutcomeRule]:  # type: ignore[empty-body]
    """Rules that judge a finished run which nobody judged, tried in order after the configured ones."""


@hookspec
def register_sinks() -> Sequence[Sink]:  # type: ignore[empty-body]
    """Places to send recorded events to, in batches, after they are in the database (at least once)."""


@hookspec
def register_commands(app: typer.Typer) -> None:
    """Add commands to the command line ``seasoned``."""


# -- a run -------------------------------------------------------------------------------------------------------


@hookspec
def run_started(run: Run) -> None:
    """A run was started, in the application's thread. Be quick."""


@hookspec
def task_named(run: Run) -> None:
    """A run's task is known now (``run.task``), or a more substantial text has taken its place, in the application's
    thread. Be quick."""


@hookspec
def event_recorded(event: Event) -> None:
    """An event was written, in the application's thread, redacted and in full. Costs every event some time."""


@hookspec
def prompt_sections(run: Run, agent: str) -> Sequence[Section]:  # type: ignore[empty-body]
    """Sections for the block that ``agent`` is given in this run, in the application's thread: from memory only.

    Asked once for each agent and run. Sections are ordered by their priority and dropped from the last when the
    block would be too long; nothing that differs from run to run without differing in meaning belongs in them.
    """


@hookspec
def run_finished(run: Run) -> None:
    """A run's chat has ended, in the application's thread. Be quick; a follow-up may continue it."""


# -- what follows, in the background -----------------------------------------------------------------------------


@hookspec(firstresult=True)
def judge_outcome(run: RunRecord, events: Sequence[Event]) -> Verdict | None:
    """Judge a finished run that has no outcome. The first answer counts; None leaves it to the next, and to
    nobody: then the run stays unknown. Never judge from what an agent says of itself."""


@hookspec(firstresult=True)
def classify_task(run: RunRecord) -> str | None:
    """The type of a run's task ("debugging", "booking"), where the application did not give it."""


@hookspec(firstresult=True)
def task_group(run: RunRecord) -> str | None:
    """The kind of task that a run is: an equal name means the same kind, of which the tenth success earns less than
    the first. Asked once for each run, when it is first learned from, and kept with it. The first answer counts."""


@hookspec(firstresult=True)
def exercised_skills(run: RunRecord, agent: str, events: Sequence[Event]) -> Sequence[SkillUse] | None:
    """Which skills ``agent`` exercised in a run, with their weights. The first answer counts."""


@hookspec
def learn(run: RunRecord, connection: Connection) -> None:
    """Learn from a finished and judged run, in a transaction of its own; called in the order (finished at,
    run id) as far as runs arrive in it, and again for a run whose outcome has changed."""


@hookspec
def review(store: Store, namespaces: Collection[str], occasion: str, until: float | None) -> bool | None:
    """Runs of these namespaces were learned from, and none waits now: the time for what looks at many runs at once, in
    short transactions of its own. The ``occasion`` is ``asked`` (a flush or a command: do everything), ``background``
    (beside the application: do what is worth it) or ``ending`` (the program waits to end: do what is quick);
    ``until`` (:func:`time.monotonic`) is when to stop. True says that something is left, and asks for another call."""


@hookspec
def unlearn(run_ids: Sequence[str] | None, connection: Connection) -> None:
    """Drop what was learned from these runs, because they are being forgotten, or everything (None) before a
    rebuild. Runs that remain are still there to learn from again."""


@hookspec
def store_changed(connection: Connection) -> None:
    """Something was learned, here or by another process (and once at the start): load what ``prompt_sections``
    needs into memory."""


@hookspec
def prompt_reasons(namespace: str, agent: str, connection: Connection) -> Mapping[str, Reason]:  # type: ignore[empty-body]
    """Why lines are in the sections that ``prompt_sections`` would give: a reason for each line, by its text. Asked by
    ``seasoned prompt``, in the background, after ``store_changed``."""


def every_hook() -> Iterable[tuple[str, Callable[..., Any]]]:
    """The name and signature of each hook above, in order: for the documentation's test."""
    for name, value in list(globals().items()):
        if getattr(value, "seasoned_spec", None) is not None:
            yield name, value
