"""Experience for your agents: records what they do, learns from the outcomes, and gives it back in their prompts.

::

    import seasoned
    seasoned.enable()

    with seasoned.run("Refund order #W123", domain="retail") as run:
        user.initiate_chat(manager, message="...")
        run.outcome(success=True, quality=0.9)

Importing this package imports no framework and none of its own heavy parts; they load when they are needed.
"""

from __future__ import annotations

import contextlib
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .instrumentation.errors import SeasonedError
    from .instrumentation.events import Event
    from .instrumentation.records import Ability, Achievement, OutcomeRule, Section, SkillUse, Verdict
    from .instrumentation.runs import Run
    from .plugin import replay, testing
    from .plugin.config import Config
    from .plugin.hookspecs import hookimpl
    from .plugin.service import FlushReport

__version__ = "0.1.0"

T = TypeVar("T")

__all__ = [
    "Ability",
    "Achievement",
    "Config",
    "Event",
    "OutcomeRule",
    "Run",
    "SeasonedError",
    "Section",
    "SkillUse",
    "Verdict",
    "__version__",
    "current",
    "disable",
    "enable",
    "flush",
    "hookimpl",
    "replay",
    "run",
    "testing",
    "wrap",
]

_PLACES = {
    "Ability": "instrumentation.records",
    "Achievement": "instrumentation.records",
    "Config": "plugin.config",
    "Event": "instrumentation.events",
    "OutcomeRule": "instrumentation.records",
    "Run": "instrumentation.runs",
    "SeasonedError": "instrumentation.errors",
    "Section": "instrumentation.records",
    "SkillUse": "instrumentation.records",
    "Verdict": "instrumentation.records",
    "hookimpl": "plugin.hookspecs",
}


def __getattr__(name: str) -> Any:
    if name in ("replay", "testing"):
        return import_module(f".plugin.{name}", __name__)
    if name in ("SeasonedCallbackHandler", "SeasonedMiddleware"):
        return _langchain(name)
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{place}", __name__), name)
    globals()[name] = value
    return value


def _langchain(name: str) -> Any:
    """A class that needs LangChain, which is imported now; not in ``__all__``, because a star must not need it."""
    try:
        front = import_module(".plugin.langchain_front", __name__)
        value = front.middleware() if name == "SeasonedMiddleware" else front.SeasonedCallbackHandler
    except ModuleNotFoundError as error:
        if not str(error.name).startswith(("langchain", "langgraph")):
            raise
        from .instrumentation.errors import MissingExtra

        raise MissingExtra(name, "langchain") from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


def enable(config: Config | None = None, **settings: Any) -> None:
    """Switch recording on in this process. Frameworks may be imported, and agents made, before or after.

    Does nothing where recording is on already, or where the flag says no (``SEASONED_ENABLED=0``, or
    ``enabled = false`` in ``seasoned.toml``).

    Args:
        config: all settings; or give single ones by name, which win over environment and file.
        settings: any field of :class:`Config`, such as ``home="runs"`` or ``inject=False``.

    Raises:
        ConfigError: for a setting, roster, price table or pattern that cannot be used.
    """
    from .plugin import runtime

    runtime.enable(config, **settings)


def wrap(thing: T, config: Config | None = None, **settings: Any) -> T:
    """Switch recording on for one agent, team, chat, chain or graph only, and for whatever it begins.

    For applications that want nothing global: other objects run as if this package were not there. Where recording is
    on already (``enable()``), everything is recorded anyway.

    Args:
        thing: the agent, team, group chat manager or graph that runs begin with.
        config: as for :func:`enable`; counts at the first call.
        settings: as for :func:`enable`.

    Returns:
        What to use from now on: for LangChain and LangGraph the same kind of object with a handler of its own, else
        ``thing`` itself.

    Raises:
        ConfigError: for a setting, roster, price table or pattern that cannot be used.
    """
    from .plugin.wrapping import wrap as wrapped

    return wrapped(thing, config, **settings)


def disable() -> None:
    """Switch recording off: the frameworks are as they were, and what was recorded is in the database."""
    from .plugin import runtime

    runtime.disable()


def current() -> Run | None:
    """The run that is being worked on here, or else the one that last ended here; None where there is none.

    So that a chat can be judged without having opened a run for it::

        user.initiate_chat(assistant, message="...")
        if run := seasoned.current():
            run.outcome(success=True)
    """
    from .plugin import runtime

    return runtime.current()


@contextlib.contextmanager
def run(
    task: str | None = None,
    *,
    domain: str | None = None,
    task_type: str | None = None,
    session: str | None = None,
    namespace: str | None = None,
) -> Iterator[Run]:
    """Set the boundaries of a run. Works in threads and asyncio tasks; chats inside belong to it.

    While recording is off the run is a stand-in that takes outcomes and forgets them, so code need not ask.

    Args:
        task: what is to be done; found from the first user text where not given.
        domain: the field of work, such as ``retail``: skills grow by domain.
        task_type: the kind of task, such as ``refund``; classified by rule where not given.
        session: continues a conversation: runs with the same session belong together.
        namespace: the tenant, where one process serves several.
    """
    from .plugin import boundaries

    with boundaries.run(task, domain=domain, task_type=task_type, session=session, namespace=namespace) as opened:
        yield opened


def flush(timeout: float = 30.0) -> FlushReport:
    """Return when everything recorded so far is in the database and learned from, or after ``timeout`` seconds.

    Raises nothing: where the database cannot be reached, the report says so and the journal keeps the events.
    """
    from .plugin import runtime
    from .plugin.service import FlushReport

    active = runtime.get()
    return active.flush(timeout) if active is not None else FlushReport()
