"""What runs while recording is on: the parts, made and wired from the settings.

:class:`Workspace` is everything but the frameworks: commands use it as it is. :class:`Runtime` adds what
``enable()`` does to a process: adapters that install themselves when their framework is imported, the background
thread, and what must happen at a fork and at the end. There is at most one runtime in a process.

Heavy parts (SQLAlchemy, growth's ledger) are imported by the background thread, never by ``enable()``.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import wrapt

from ..instrumentation import home as home_folder
from ..instrumentation.artifacts import ArtifactWatch
from ..instrumentation.cost import Prices
from ..instrumentation.errors import ConfigError, StoreUnavailable, UnsupportedFramework
from ..instrumentation.guard import Guard
from ..instrumentation.journal import Writer
from ..instrumentation.recorder import Recorder
from ..instrumentation.redaction import Redactor
from ..instrumentation.runs import CURRENT, Run
from ..instrumentation.tap import Tap
from . import builtin
from .composer import Block, Composer
from .config import Config, flag, load_config
from .manager import Hooks
from .service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..instrumentation.ingest import Ingester
    from ..instrumentation.store import Store
    from ..instrumentation.tap import Adapter
    from .service import FlushReport

log = logging.getLogger("seasoned")

EXIT_SECONDS = 5.0
"""How long the end of a program may be held up to bring what was recorded into the database."""


class Workspace:
    """The parts of one home and namespace, without touching any framework.

    Raises:
        ConfigError: where a setting, roster, price table or pattern cannot be used.
    """

    reads_all_journals = True
    """Whether journals of other living processes are followed too: by commands. Applications each follow their own,
    and those of the dead."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.guard = Guard()
        self.hooks = Hooks(self.guard, config.block, trace=config.trace)
        for name, plugin in builtin.plugins(config, self.hooks):
            self.hooks.add(plugin, name)
        self.hooks.load_entry_points()
        self.hooks.hook.configure(config=config)
        self.redactor = self._redactor()
        self.prices = Prices.load(config.prices, self.hooks.merge("register_prices"))
        self.recorder = self._recorder()
        self.service = Service(
            self._open_store, self._open_ingester, self._recorder, self.hooks, self.guard, config.namespace
        )
        self.composer = Composer(
            self.hooks, self.recorder, inject=config.inject, budget=config.token_budget, ready=self._ready
        )

    def _redactor(self) -> Redactor:
        try:
            return Redactor({**self.hooks.merge("register_redactions"), **self.config.redact})
        except ConfigError:
            Redactor(self.config.redact)  # the user's own mistake is the user's to hear of
            log.exception("seasoned: a plugin's redaction pattern cannot be used; plugins' patterns are left out")
            return Redactor(self.config.redact)

    def _recorder(self) -> Recorder:
        config = self.config
        recorder = Recorder(
            Writer(config.home_path), self.redactor, self.guard, namespace=config.namespace, content=config.content,
            domain=config.domain,
        )  # fmt: skip
        recorder.prices = self.prices
        if config.artifacts:
            recorder.artifacts = ArtifactWatch([Path(folder) for folder in config.artifacts])
        return recorder

    def _open_store(self) -> Store:
        from ..instrumentation.store import Store

        if self.config.db is None:
            try:
                home_folder.prepare(self.config.home_path)
            except OSError as error:
                raise StoreUnavailable(
                    f"the folder {self.config.home_path} cannot be made ({error.strerror}); check that its parent "
                    "exists and may be written, or name another home"
                ) from error
        return Store(self.config.database)

    def _open_ingester(self, store: Store) -> Ingester:
        from ..instrumentation.ingest import Ingester

        return Ingester(
            store, self.config.home_path, lambda: self.recorder.writer, self.guard, everyone=self.reads_all_journals
        )

    def _ready(self) -> None:
        """Without a database file there is no experience to wait for."""
        config = self.config
        if config.db is None and not (config.home_path / home_folder.DATABASE).exists():
            return
        self.service.wait_ready()

    @property
    def store(self) -> Store:
        """The database; raises StoreError where it cannot be used."""
        return self.service.store

    def flush(self, timeout: float = 30.0) -> FlushReport:
        """Ingest and learn from everything written so far."""
        return self.service.flush(timeout)

    def preview(
        self, agent: str, task: str | None = None, domain: str | None = None, namespace: str | None = None
    ) -> Block:
        """The block that ``agent`` would get in a new run; nothing is recorded."""
        run = Run(self.recorder, namespace=namespace or self.config.namespace, domain=domain or self.config.domain)
        run.task = task
        return self.composer.compose(run, agent)

    def close(self, timeout: float = EXIT_SECONDS, *, flush: bool = True) -> FlushReport:
        """Bring in what is left, unless ``flush`` is False, and let go of database and journal."""
        report = self.service.stop(timeout, flush=flush)
        self.recorder.writer.close()
        return report


class Runtime(Workspace):
    """Recording in this process."""

    reads_all_journals = False

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.tap = Tap(self.recorder, self.guard, self.composer.block, idle_minutes=config.idle_minutes)
        self.adapters: list[Adapter] = self.hooks.collect("register_adapters")
        self.unsupported: dict[str, str] = {}
        self.pid = os.getpid()
        hook = self.hooks.hook
        self.recorder.on_start = self._run_started
        if self.hooks.has("run_finished"):
            self.recorder.on_finish = lambda run: hook.run_finished(run=run)
        if self.hooks.has("task_named"):
            self.recorder.on_task = lambda run: hook.task_named(run=run)
        if self.hooks.has("event_recorded"):
            self.recorder.listeners = (lambda event: hook.event_recorded(event=event),)
        self._tells_start = self.hooks.has("run_started")

    def _run_started(self, run: Run) -> None:
        if self.config.ingest == "thread":
            self.service.start()
        self.service.lessons.namespaces.add(run.namespace)
        if self._tells_start:
            self.hooks.hook.run_started(run=run)

    def install(self) -> None:
        """Install each adapter as soon as its framework is imported: now, if it is."""
        self.tap.active = True
        for adapter in self.adapters:
            wrapt.register_post_import_hook(self._installer(adapter), adapter.module)

    def _installer(self, adapter: Adapter) -> Callable[[Any], None]:
        def imported(_module: Any) -> None:
            if not self.tap.active or _runtime is not self:
                return
            try:
                adapter.install(self.tap)
            except UnsupportedFramework as error:
                self.unsupported[adapter.module] = str(error)
                log.warning("seasoned: %s", error)
            except Exception as error:  # noqa: BLE001  the import of the framework must not fail for our sake
                self.unsupported[adapter.module] = str(error)
                self.guard.caught(f"adapter {adapter.name}", error)

        return imported

    def uninstall(self) -> None:
        """Take the adapters out again; what cannot be taken out passes through from now on."""
        self.tap.active = False
        for adapter in self.adapters:
            self.guard.call(f"adapter {adapter.name}", adapter.uninstall)

    def after_fork(self) -> None:
        """In a forked child: a journal, locks and background of its own; nothing of the parent's is touched.

        The inherited files are closed, which leaves the parent's lock in place, because a lock belongs to all
        copies of the file and the parent still has its own.
        """
        old = self.recorder.writer
        old.abandon()
        self.recorder.writer = Writer(self.config.home_path)
        self.recorder.events = self.recorder.runs_started = 0
        self.service.after_fork()

    def summary(self) -> str | None:
        """A line about what was recorded, and how to give outcomes where they are missing; None without runs."""
        from .ending import summary

        return summary(self)


_runtime: Runtime | None = None
_switch = threading.RLock()
_registered = False
_held = False


def get() -> Runtime | None:
    """The runtime of this process, or None while recording is off."""
    return _runtime


def enable(config: Config | None = None, *, only_chosen: bool = False, **settings: Any) -> Runtime | None:
    """Switch recording on; see :func:`seasoned.enable`. ``only_chosen``: for what is wrapped alone."""
    global _runtime, _registered
    with _switch:
        if _runtime is not None:
            if not only_chosen:
                _runtime.tap.everything()
            return _runtime
        if flag() is False:
            return None
        config = config if config is not None else load_config(**settings)
        if config.enabled is False:
            return None
        runtime = Runtime(config)
        if only_chosen:
            runtime.tap.only_chosen()
        _runtime = runtime
        if not _registered:
            _registered = True
            os.register_at_fork(after_in_child=_after_fork)
            atexit.register(_at_exit)
        runtime.install()
        return runtime


def silent_tap() -> Tap:
    """A tap that lets everything pass, for parts that are made while the flag says no."""
    guard = Guard()
    recorder = Recorder(Writer(Path(os.devnull)), Redactor({}), guard, namespace="")
    tap = Tap(recorder, guard, lambda _run, _agent: "")
    tap.active = False
    return tap


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Recording stays on within the block, whatever the application does: it is played, and its own wish to switch off
    (and on again, in a home of its own) is meant for its ordinary work."""
    global _held
    _held = True
    try:
        yield
    finally:
        _held = False


def disable(*, timeout: float = EXIT_SECONDS) -> None:
    """Switch recording off: frameworks are as they were, and what was recorded is in the database."""
    global _runtime
    if _held:
        if _runtime is not None:
            _runtime.flush(timeout)
        return
    with _switch:
        runtime, _runtime = _runtime, None
    if runtime is not None:
        runtime.uninstall()
        runtime.close(timeout)


def _after_fork() -> None:
    global _switch
    _switch = threading.RLock()
    if _runtime is not None:
        try:
            _runtime.after_fork()
        except Exception as error:  # noqa: BLE001  a fork of the host's must not fail for our sake
            _runtime.guard.caught("fork", error)


def _at_exit() -> None:
    runtime = _runtime
    if runtime is None:
        return
    with contextlib.suppress(Exception):
        text = None
        if runtime.service.running:
            runtime.service.flush(EXIT_SECONDS, review="ending")
            text = runtime.summary()
        disable()
        if text:
            sys.stderr.write(text + "\n")


def current() -> Run | None:
    """The run that is being worked on here; see :func:`seasoned.current`."""
    from ..instrumentation.recorder import current as current_run

    return current_run() if _runtime is not None or CURRENT.get() is not None else None
