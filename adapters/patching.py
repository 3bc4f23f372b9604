"""Wrapping the methods of a framework's classes, so that it can be undone and undisturbed.

Classes are patched, never instances: frameworks rebuild and copy their objects, and objects made earlier are
covered too. Four rules make it safe:

- A wrapper has the kind, name, signature and documentation of what it wraps, because frameworks look at them.
- It is put where the method is defined, and on every subclass that overrides it. An override usually calls its
  base class; then only the outermost wrapper observes (:class:`Layer`).
- Restoring puts back the very same function object, wherever ours is still the one that the class holds. Where
  somebody has wrapped it after us, ours stays underneath and, because it asks ``tap.active`` first, does nothing.
- Wrapping twice changes nothing.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import threading
from contextvars import ContextVar, Token
from types import FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Method = Callable[..., Any]

MARK = "__seasoned_wrapper__"
"""A wrapper of ours holds itself under this name: an attribute alone would not do, because ``functools.wraps``
hands attributes on to whoever wraps ours."""

_MISSING = object()
_stand_in: Callable[[type, str, Method], Method | None] | None = None
_INSIDE: ContextVar[frozenset[tuple[str, int]]] = ContextVar("seasoned_inside", default=frozenset())


@contextlib.contextmanager
def standing_in(stand_in: Callable[[type, str, Method], Method | None]) -> Iterator[None]:
    """Whatever is wrapped within this block wraps what ``stand_in`` gives instead of the method itself.

    For playing an application again with recorded answers: what stands in is beneath the adapters' wrappers, so they
    see and record it as they would the real thing, in every class that they know of or that comes later.

    Args:
        stand_in: given the class, the name and the method; None leaves the method as it is.
    """
    global _stand_in
    before, _stand_in = _stand_in, stand_in
    try:
        yield
    finally:
        _stand_in = before


class Layer:
    """One method of a family of classes, and the classes in which it is wrapped more than once.

    An override and the base method that it calls are both wrapped. The outer wrapper notes that it is at work for
    this object; the inner one asks :meth:`inside` and then only calls through, by :meth:`beneath`, where a further
    call of the method is one of its own again.

    Attributes:
        base: whether the method is the family's own, not an override.
        stacked: the classes in which several wrappers lie upon each other.
    """

    __slots__ = ("base", "name", "stacked")

    def __init__(self, name: str, *, base: bool) -> None:
        self.name = name
        self.base = base
        self.stacked: set[type] = set()

    def inside(self, target: object) -> bool:
        """Whether an outer wrapper of ``target``'s method is at work here. Ask only while :attr:`stacked`."""
        return type(target) in self.stacked and (self.name, id(target)) in _INSIDE.get()

    def beneath(self, raw: Method, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """``raw``, called for an outer wrapper."""
        token = _INSIDE.set(_INSIDE.get() - {(self.name, id(target))})
        try:
            return raw(target, *args, **kwargs)
        finally:
            _INSIDE.reset(token)

    async def a_beneath(self, raw: Method, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """:meth:`beneath` for a coroutine function."""
        token = _INSIDE.set(_INSIDE.get() - {(self.name, id(target))})
        try:
            return await raw(target, *args, **kwargs)
        finally:
            _leave(token)

    def outermost(self, raw: Method, observing: Method) -> Method:
        """The wrapper of an override: ``observing`` if it is the outermost one at work, ``raw`` within another."""
        name = self.name

        def outer(self: Any, *args: Any, **kwargs: Any) -> Any:
            key, inside = (name, id(self)), _INSIDE.get()
            if key in inside:
                return raw(self, *args, **kwargs)
            token = _INSIDE.set(inside | {key})
            try:
                return observing(self, *args, **kwargs)
            finally:
                _INSIDE.reset(token)

        async def outer_async(self: Any, *args: Any, **kwargs: Any) -> Any:
            key, inside = (name, id(self)), _INSIDE.get()
            if key in inside:
                return await raw(self, *args, **kwargs)
            token = _INSIDE.set(inside | {key})
            try:
                return await observing(self, *args, **kwargs)
            finally:
                _leave(token)

        return outer_async if inspect.iscoroutinefunction(raw) else outer


def _leave(token: Token[frozenset[tuple[str, int]]]) -> None:
    """Undo what a coroutine noted, unless it is closed in another context than it was begun in."""
    with contextlib.suppress(ValueError):
        _INSIDE.reset(token)


if TYPE_CHECKING:
    Maker = Callable[[Method, Layer], Method]


class _Patch(NamedTuple):
    owner: type
    name: str
    original: object
    ours: object


class Patches:
    """Everything that was replaced, so that it can be restored."""

    def __init__(self) -> None:
        self._done: list[_Patch] = []

    def wrap(self, owner: type, name: str, make: Callable[[Method], Method]) -> bool:
        """Replace the method ``name`` that ``owner`` itself defines by ``make(method)``.

        Returns whether it was replaced: not where it is wrapped already, inherited, or no ordinary method.
        """
        original = owner.__dict__.get(name)
        if original is None or is_ours(original):
            return False
        if isinstance(original, (staticmethod, classmethod, property, type)) or not callable(original):
            return False
        raw = _callable(original)
        if _stand_in is not None:
            raw = _stand_in(owner, name, raw) or raw
        ours = functools.wraps(original)(make(raw))
        setattr(ours, MARK, ours)
        self._set(owner, name, original, ours)
        return True

    def add(self, owner: type, name: str, value: object) -> bool:
        """Give ``owner`` an attribute that it does not have itself; False where it has one."""
        if name in owner.__dict__:
            return False
        self._set(owner, name, _MISSING, value)
        return True

    def _set(self, owner: type, name: str, original: object, ours: object) -> None:
        setattr(owner, name, ours)
        self._done.append(_Patch(owner, name, original, ours))

    def restore(self) -> None:
        """Put everything back that nobody has wrapped since; idempotent."""
        for patch in reversed(self._done):
            if patch.owner.__dict__.get(patch.name) is not patch.ours:
                continue
            if patch.original is _MISSING:
                delattr(patch.owner, patch.name)
            else:
                setattr(patch.owner, patch.name, patch.original)
        self._done.clear()


class Family:
    """A class of the framework with the methods that are wrapped in it and in its subclasses.

    Args:
        base: the class that defines the methods.
        makers: for each method, what makes the wrapper from the original and its :class:`Layer`.
    """

    def __init__(self, patches: Patches, base: type, makers: Mapping[str, Maker]) -> None:
        self.base = base
        self._patches = patches
        self._makers: dict[str, Maker] = {}
        self._layers: dict[str, Layer] = {}
        self._seen: set[type] = {base}
        self._lock = threading.Lock()
        for name, make in makers.items():
            layer = Layer(name, base=True)
            if patches.wrap(base, name, functools.partial(_make, make, layer)):
                self._makers[name], self._layers[name] = make, layer
        for kind in list(subclasses(base)):
            self.prepare(kind)

    def prepare(self, kind: type) -> None:
        """Wrap the overrides that instances of ``kind`` use. Quick for a class that was seen before."""
        if kind in self._seen:
            return
        with self._lock:
            lineage = kind.__mro__
            above = lineage[: lineage.index(self.base)] if self.base in lineage else ()
            for name, make in self._makers.items():
                for owner in above:
                    if name in owner.__dict__ and self._override(owner, name, make):
                        self._layers[name].stacked.add(kind)
            self._seen.add(kind)

    def _override(self, owner: type, name: str, make: Maker) -> bool:
        """Wrap one override; whether it is wrapped now. One of another kind (a plain function that returns the
        coroutine of its base) is left alone: what it calls is observed."""
        found = owner.__dict__[name]
        if is_ours(found):
            return True
        if inspect.iscoroutinefunction(found) != inspect.iscoroutinefunction(self.base.__dict__[name]):
            return False
        layer = self._layers[name]
        unstacked = Layer(name, base=False)
        return self._patches.wrap(
            owner, name, lambda raw: layer.outermost(raw, functools.wraps(raw)(make(raw, unstacked)))
        )


def _make(make: Maker, layer: Layer, raw: Method) -> Method:
    return make(raw, layer)


def is_ours(function: object) -> bool:
    """Whether ``function`` is a wrapper of ours itself, not one that somebody put around ours."""
    return getattr(function, "__dict__", {}).get(MARK) is function


def subclasses(base: type) -> Iterator[type]:
    """Every class that is derived from ``base`` by now, directly or not."""
    waiting = [base]
    while waiting:
        for kind in type.__subclasses__(waiting.pop()):
            waiting.append(kind)
            yield kind


def _callable(original: Any) -> Method:
    """``original`` as a function that takes the instance first. Other instrumentors leave descriptors in a class,
    which must be bound to learn which instance it is."""
    if type(original) is FunctionType:  # not isinstance, for which they pass themselves off as what they wrap
        return original

    def bound(self: Any, *args: Any, **kwargs: Any) -> Any:
        return original.__get__(self, type(self))(*args, **kwargs)

    async def bound_async(self: Any, *args: Any, **kwargs: Any) -> Any:
        return await original.__get__(self, type(self))(*args, **kwargs)

    return bound_async if inspect.iscoroutinefunction(original) else bound
