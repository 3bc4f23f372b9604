"""Wrapping coroutines and asynchronous generators alike.

Nearly every method of AgentChat exists twice, as a coroutine and as a stream whose last item is the same result.
Both are followed by one kind of object, a :class:`Watcher`, so that they cannot be recorded differently.

A :class:`~contextvars.ContextVar` that is set inside an asynchronous generator leaks to whoever consumes it. So what
a watcher sets is set only while the framework's code runs, and taken back before an item is handed on. A wrapper is
one frame only, since AgentChat puts tracebacks into texts that users and models read.

Setting and taking back is written out in both wrappers, as :meth:`Watcher.enter` and :meth:`Watcher.leave` say it: it
happens several times for each message of a team, and the calls would take longer than what is done in them.
"""

from __future__ import annotations

import inspect
import time
from typing import TYPE_CHECKING, Any

from ..instrumentation.runs import CURRENT
from .agentchat_state import PLACE, Core, Place

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from contextvars import Token

    from ..instrumentation.runs import Run
    from .patching import Method

    Begin = Callable[[tuple[Any, ...], dict[str, Any]], "Watcher | None"]

_clock = time.perf_counter_ns
_current, _set_current, _reset_current = CURRENT.get, CURRENT.set, CURRENT.reset
_set_place, _reset_place = PLACE.set, PLACE.reset


class Watcher:
    """Follows one call: what is set while it runs, and what is recorded of it. Nothing in it raises.

    Args:
        spot: the name under which failures of ours are counted.
        args, kwargs: the call's arguments, as they are handed on.
        place: where the call happens; its run becomes the current one. None changes nothing.

    Attributes:
        elapsed: nanoseconds that the framework's code has taken, without those that its consumer took.
        timed: whether they are counted: False for those that nobody asks for a duration.
    """

    timed = True

    __slots__ = ("_current", "_placed", "_since", "args", "core", "elapsed", "kwargs", "place", "spot")

    def __init__(
        self, core: Core, spot: str, args: tuple[Any, ...], kwargs: dict[str, Any], place: Place | None
    ) -> None:
        self.core = core
        self.spot: str = spot
        self.args = args
        self.kwargs = kwargs
        self.place = place
        self.elapsed = 0

    def enter(self) -> None:
        """The framework's code begins or goes on."""
        self._current: Token[Run | None] | None = None
        self._placed: Token[Place | None] | None = None
        place = self.place
        if place is not None:
            if place.run is not _current():
                self._current = _set_current(place.run)
            self._placed = _set_place(place)
        if self.timed:
            self._since = _clock()

    def leave(self) -> None:
        """The framework's code has come to a result, an item or an exception."""
        if self.timed:
            self.elapsed += _clock() - self._since
        try:
            if self._placed is not None:
                _reset_place(self._placed)
            if self._current is not None:
                _reset_current(self._current)
        except ValueError:  # a generator that is closed in another context than it was begun in: nothing to undo
            return

    @property
    def active(self) -> bool:
        """Whether recording is still on: it may be switched off while a call is going on."""
        return self.core.tap.active

    @property
    def duration_ms(self) -> float:
        """How long the framework's code took."""
        return round(self.elapsed / 1e6, 3)

    def item(self, value: Any) -> None:
        """There is an item of a stream."""
        try:
            if self.core.tap.active:
                self.on_item(value)
        except Exception as error:  # noqa: BLE001  the guard's purpose
            self.core.caught(self.spot, error)

    def done(self, error: BaseException | None) -> None:
        """The call has ended: ``error`` left it, if any."""
        try:
            if isinstance(error, GeneratorExit):  # what is dropped says nothing
                self.on_closed()
            else:
                self.on_done(error)
        except Exception as trouble:  # noqa: BLE001  the guard's purpose
            self.core.caught(self.spot, trouble)

    def settle(self, result: Any) -> None:
        """The call has ended with ``result``."""
        try:
            if self.core.tap.active:
                self.on_item(result)
            self.on_done(None)
        except Exception as error:  # noqa: BLE001  the guard's purpose
            self.core.caught(self.spot, error)

    def on_item(self, value: Any) -> None:
        """What is to be done with an item."""

    def on_done(self, error: BaseException | None) -> None:
        """What is to be done at the end, also where recording is not :attr:`active` any more."""

    def on_closed(self) -> None:
        """What is to be done where the consumer gave up, or the call was dropped. By default what an ordinary end
        asks for."""
        self.on_done(None)


class Passing:
    """Follows a call that is left alone."""

    __slots__ = ("args", "elapsed", "kwargs")

    place = None
    timed = False

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.args = args
        self.kwargs = kwargs

    def enter(self) -> None:
        """Nothing is set."""

    def leave(self) -> None:
        """Nothing is taken back."""

    def item(self, value: Any) -> None:
        """Nothing is recorded."""

    def done(self, error: BaseException | None) -> None:
        """Nothing is recorded."""


def awaiting(raw: Method, begin: Begin) -> Method:
    """A wrapper of a coroutine function, or of a plain one that returns a coroutine."""

    async def awaited(*args: Any, **kwargs: Any) -> Any:
        watcher = begin(args, kwargs)
        if watcher is None:
            return await raw(*args, **kwargs)
        current = placed = None
        place = watcher.place
        if place is not None:
            if place.run is not _current():
                current = _set_current(place.run)
            placed = _set_place(place)
        since = _clock()
        try:
            try:
                result = await raw(*watcher.args, **watcher.kwargs)
            finally:
                watcher.elapsed = _clock() - since
                try:
                    if placed is not None:
                        _reset_place(placed)
                    if current is not None:
                        _reset_current(current)
                except ValueError:  # as in Watcher.leave
                    pass
        except BaseException as error:
            watcher.done(error)
            raise
        watcher.settle(result)
        return result

    def returning(*args: Any, **kwargs: Any) -> Any:
        watcher = begin(args, kwargs)
        if watcher is None:
            return raw(*args, **kwargs)
        result = _called(raw, watcher)
        if inspect.iscoroutine(result):
            return awaiting(_given(result), lambda *_: watcher)()
        watcher.settle(result)
        return result

    return awaited if inspect.iscoroutinefunction(raw) else returning


def _given(coroutine: Any) -> Method:
    async def given(*_args: Any, **_kwargs: Any) -> Any:
        return await coroutine

    return given


def streaming(raw: Method, begin: Begin) -> Method:
    """A wrapper of an asynchronous generator function, or of a plain one that returns such a generator."""
    if inspect.isasyncgenfunction(raw):
        return _streamed(raw, begin)

    def returning(*args: Any, **kwargs: Any) -> Any:
        watcher = begin(args, kwargs)
        if watcher is None:
            return raw(*args, **kwargs)
        result = _called(raw, watcher)
        if inspect.isasyncgen(result):
            return _streamed(lambda *_args, **_kwargs: result, lambda *_: watcher)()
        watcher.done(None)
        return result

    return returning


def _streamed(raw: Method, begin: Begin) -> Method:
    """A generator that hands on in both directions whatever comes: items, what is sent, what is thrown in, and the
    closing."""

    async def streamed(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        watcher = begin(args, kwargs) or Passing(args, kwargs)
        try:
            stream = raw(*watcher.args, **watcher.kwargs)
        except BaseException as error:
            watcher.done(error)
            raise
        place, timed = watcher.place, watcher.timed
        current = placed = None
        send, given, since = stream.asend, None, 0
        step = send
        while True:
            if place is not None:
                current = None if place.run is _current() else _set_current(place.run)
                placed = _set_place(place)
            if timed:
                since = _clock()
            try:
                try:
                    value = await step(given)
                finally:
                    if timed:
                        watcher.elapsed += _clock() - since
                    try:
                        if placed is not None:
                            _reset_place(placed)
                        if current is not None:
                            _reset_current(current)
                    except ValueError:  # as in Watcher.leave
                        pass
            except StopAsyncIteration:
                watcher.done(None)
                return
            except BaseException as error:
                watcher.done(error)
                raise
            watcher.item(value)
            step = send
            try:
                given = yield value
            except GeneratorExit as gone:
                watcher.enter()
                try:
                    await stream.aclose()
                finally:
                    watcher.leave()
                    watcher.done(gone)
                raise
            except BaseException as error:  # noqa: BLE001  it is the generator's
                step, given = stream.athrow, error

    return streamed


def _called(raw: Method, watcher: Watcher | Passing) -> Any:
    """``raw``, called where the call itself may fail already."""
    try:
        return raw(*watcher.args, **watcher.kwargs)
    except BaseException as error:
        watcher.done(error)
        raise
