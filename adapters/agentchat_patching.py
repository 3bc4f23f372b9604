"""Which classes of AgentChat are wrapped, those that the application defines later included.

Applications bring model clients, tools, agents and executors of their own, often defined after recording was
switched on. Python tells a base class of each new subclass; :class:`Watch` listens there without being on the stack,
because the framework itself warns there and blames its caller.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from .patching import MARK, Patches, is_ours, subclasses

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .patching import Method

    Maker = Callable[[Method], Method]


class AgentChatPatches(Patches):
    """What was replaced in AgentChat's classes, static methods among it."""

    def wrap_static(self, owner: type, name: str, make: Maker) -> bool:
        """:meth:`wrap` for a static method."""
        found = owner.__dict__.get(name)
        if not isinstance(found, staticmethod) or is_ours(found.__func__):
            return False
        ours = functools.wraps(found.__func__)(make(found.__func__))
        setattr(ours, MARK, ours)
        self._set(owner, name, found, staticmethod(ours))
        return True


class Kinds:
    """A class of the framework, with the methods that are wrapped in it and in whatever is derived from it.

    Overrides and the methods that they call are both wrapped. Which of the wrappers on the stack observes is told
    from the place (:class:`.agentchat_state.Place`), so the wrappers need not know of each other.
    """

    def __init__(self, patches: Patches, base: type, makers: Mapping[str, Maker], caught: Any) -> None:
        self._patches = patches
        self._makers = makers
        self._caught = caught
        self._seen: set[type] = set()
        self.prepare(base)
        for kind in list(subclasses(base)):
            self.prepare(kind)
        patches.add(base, "__init_subclass__", Watch(base, self.defined))

    def prepare(self, kind: type) -> None:
        """Wrap the methods that ``kind`` itself defines; quick for a class that was seen before."""
        if kind in self._seen:
            return
        self._seen.add(kind)
        for name, make in self._makers.items():
            found = kind.__dict__.get(name)
            if found is not None and not getattr(found, "__isabstractmethod__", False):
                self._patches.wrap(kind, name, make)

    def prepare_alike(self, kind: type) -> None:
        """Wrap the methods of a class that is not derived from the framework's, but is used as if it were."""
        for owner in kind.__mro__[:-1]:
            if owner not in self._seen:
                self.prepare(owner)

    def defined(self, kind: type) -> None:
        """A class was derived. Never raises."""
        try:
            self.prepare(kind)
        except Exception as error:  # noqa: BLE001  the guard's purpose
            self._caught("agentchat.class", error)


class Watch:
    """Stands for the method ``__init_subclass__`` that a class inherits, and notes for whom it is asked for."""

    def __init__(self, base: type, defined: Callable[[type], None]) -> None:
        self._base = base
        self._defined = defined

    def __get__(self, _instance: Any, owner: type) -> Any:
        self._defined(owner)
        return super(self._base, owner).__init_subclass__
