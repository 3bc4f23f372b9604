"""The plugins and the guard around each of their hooks.

pluggy lets an exception of one implementation end the whole call. Here every implementation is wrapped when it is
registered: what it raises is counted and logged once under ``plugin NAME.HOOK`` and counts as None, so the other
plugins are called all the same. (Hook wrappers, pluggy's generators around other implementations, are refused:
one of them could silence everybody.)
"""

from __future__ import annotations

import functools
import inspect
import logging
from importlib import metadata
from typing import TYPE_CHECKING, Any

import pluggy

from . import hookspecs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..instrumentation.guard import Guard

GROUP = "seasoned"
"""The entry point group in which packages offer plugins."""

log = logging.getLogger("seasoned.hooks")


class Hooks(pluggy.PluginManager):
    """The plugin manager.

    Attributes:
        blocked: names of plugins that are not to be loaded.
        broken: plugins that could not be loaded, with the reason.
    """

    def __init__(self, guard: Guard, blocked: Iterable[str] = (), *, trace: bool = False) -> None:
        super().__init__("seasoned")
        self.guard = guard
        self.blocked = frozenset(blocked)
        self.broken: dict[str, str] = {}
        self.add_hookspecs(hookspecs)
        if trace:
            self.trace.root.setwriter(lambda text: log.debug(text.rstrip("\n")))
            self.enable_tracing()

    def add(self, plugin: object, name: str) -> bool:
        """Register a plugin under ``name``; False where it is blocked or cannot be registered."""
        if name in self.blocked:
            return False
        try:
            self.register(plugin, name)
        except Exception as error:  # noqa: BLE001  a wrong signature, a name taken twice, a wrapper
            self.guard.caught(f"loading plugin {name}", error)
            self.broken[name] = str(error)
            if self.has_plugin(name):
                self.unregister(name=name)
            return False
        return True

    def register(self, plugin: object, name: str | None = None) -> str | None:
        """Register a plugin and put the guard around each of its hooks."""
        registered = super().register(plugin, name)
        if registered is not None:
            for caller in self.get_hookcallers(plugin) or ():
                for implementation in caller.get_hookimpls():
                    if implementation.plugin is not plugin:
                        continue
                    if implementation.hookwrapper or implementation.wrapper:
                        raise pluggy.PluginValidationError(plugin, f"{caller.name}: hook wrappers are not allowed")
                    place = f"plugin {registered}.{caller.name}"
                    # pluggy calls what stands here; there is no public place to put a guard around one implementation
                    guarded = self._guarded(implementation.function, place)
                    implementation.function = guarded  # pyright: ignore[reportAttributeAccessIssue]
        return registered

    def _guarded(self, function: Callable[..., Any], place: str) -> Callable[..., Any]:
        guard = self.guard

        @functools.wraps(function)
        def call(*args: Any) -> Any:
            try:
                return function(*args)
            except Exception as error:  # noqa: BLE001  the guard's purpose
                guard.caught(place, error)
                return None

        call.unguarded = function  # type: ignore[attr-defined]  read by each()
        return call

    def load_entry_points(self) -> None:
        """Load what installed packages offer; a package that fails to import is told once and left out."""
        for entry in metadata.entry_points(group=GROUP):
            if entry.name in self.blocked or self.has_plugin(entry.name):
                continue
            try:
                plugin = entry.load()
                plugin = plugin() if inspect.isclass(plugin) else plugin
            except Exception as error:  # noqa: BLE001  third-party code
                self.guard.caught(f"loading plugin {entry.name}", error)
                self.broken[entry.name] = str(error)
                continue
            self.add(plugin, entry.name)

    def has(self, hook: str) -> bool:
        """Whether any plugin implements ``hook``."""
        return bool(getattr(self.hook, hook).get_hookimpls())

    def collect(self, hook: str, **arguments: Any) -> list[Any]:
        """Call ``hook`` and join the sequences that its implementations return, first registered first."""
        out: list[Any] = []
        for answer in reversed(getattr(self.hook, hook)(**arguments)):
            out.extend(answer)
        return out

    def merge(self, hook: str, **arguments: Any) -> dict[Any, Any]:
        """Call ``hook`` and merge the mappings that its implementations return, later registered ones winning."""
        out: dict[Any, Any] = {}
        for answer in reversed(getattr(self.hook, hook)(**arguments)):
            out.update(answer)
        return out

    def each(self, hook: str) -> Iterator[tuple[str, Callable[..., Any]]]:
        """The implementations of ``hook`` one by one, unguarded and by keyword, for calls that need a savepoint
        around each; the caller guards them."""
        for implementation in reversed(getattr(self.hook, hook).get_hookimpls()):
            function = getattr(implementation.function, "unguarded", implementation.function)
            names = implementation.argnames

            def call(
                _function: Callable[..., Any] = function, _names: tuple[str, ...] = tuple(names), **arguments: Any
            ) -> Any:
                return _function(*(arguments[name] for name in _names))

            yield f"plugin {implementation.plugin_name}.{hook}", call
