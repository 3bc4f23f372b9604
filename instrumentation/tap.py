"""What an adapter is given: its only way to the rest.

Adapters import nothing above this room, so the composer of prompts and the switches reach them here.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from .guard import Guard
    from .recorder import Recorder
    from .runs import Run


class Tap:
    """The recorder, the guard and the composer, as an adapter sees them.

    Attributes:
        recorder: writes events; replaced by nobody after the adapter is installed.
        guard: every callback runs under it.
        compose: gives the block for an agent in a run (empty where nothing is to be injected); never blocks for
            long, is byte-identical within a run, and has recorded the injection when it returns the first time.
        idle_ns: how long a conversation may rest before a follow-up is a new run, in nanoseconds.
        active: False after ``disable()``: whatever of ours is still in place must then pass through.
    """

    __slots__ = ("_chosen", "active", "compose", "guard", "idle_ns", "recorder")

    def __init__(
        self, recorder: Recorder, guard: Guard, compose: Callable[[Run, str], str], *, idle_minutes: float = 30.0
    ) -> None:
        self.recorder = recorder
        self.guard = guard
        self.compose = compose
        self.idle_ns = int(idle_minutes * 60e9)
        self.active = True
        self._chosen: dict[int, Callable[[], Any]] | None = None

    def only_chosen(self) -> None:
        """From now on runs begin only with objects that somebody chose."""
        self._chosen = self._chosen if self._chosen is not None else {}

    def everything(self) -> None:
        """From now on every run is recorded."""
        self._chosen = None

    @property
    def chooses(self) -> bool:
        """Whether only runs are recorded that begin with objects that somebody chose."""
        return self._chosen is not None

    def choose(self, thing: Any) -> None:
        """Have the runs of an agent, team or graph recorded, where others are not."""
        chosen, key = self._chosen, id(thing)
        if chosen is None:
            return
        try:
            chosen[key] = weakref.ref(thing, lambda _: chosen.pop(key, None))
        except TypeError:  # it takes no weak references: kept for good
            chosen[key] = lambda: thing

    def takes(self, *things: Any) -> bool:
        """Whether a run that begins with these objects is to be recorded. Asked only where none is going on."""
        chosen = self._chosen
        return chosen is None or any(id(thing) in chosen for thing in things)


class Support(NamedTuple):
    """What an adapter says of itself, for README and ``seasoned doctor``.

    Attributes:
        title: the framework, as people call it.
        records: what is recorded, in a few words each.
        lacks: what is not, each with the reason.
    """

    title: str
    records: tuple[str, ...]
    lacks: tuple[tuple[str, str], ...] = ()


class Adapter(Protocol):
    """A framework's adapter, as the hook ``register_adapters`` returns them.

    Attributes:
        name: what runs recorded through it have as ``framework``.
        module: the import name whose import installs it; it is never imported by us.
        tested: the oldest and the newest version that its tests run against, by distribution.
        support: what it records, and what it does not and why.
    """

    name: str
    module: str
    tested: dict[str, tuple[str, str]]
    support: Support

    def install(self, tap: Tap) -> None:
        """Patch the framework, which is imported. Raises UnsupportedFramework where it does not know it."""
        ...

    def uninstall(self) -> None:
        """Put back what was patched, where ours is still outermost; idempotent."""
        ...
