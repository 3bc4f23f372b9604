"""The callback handler: LangChain's own way to listen.

Import this module only where LangChain is imported already.

LangChain calls an ordinary method of a handler in a thread of a pool when the code is asynchronous, once for every
event and every token of a stream, and waits for it. That takes longer than all of the recording. A method that is a
coroutine function is awaited instead, but synchronous code would start an event loop for it. So ours are both: they
do their work when they are called, and return something to await that is done already (:class:`Callback`).
``run_inline`` would avoid the thread as well, but it changes the order in which all other handlers are called.
"""

from __future__ import annotations

import inspect
import weakref
from sys import modules
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks.base import BaseCallbackHandler

from .langchain_graphs import Graphs
from .langchain_models import Models
from .langchain_runs import Runs
from .langchain_state import WATCHDOG, Core, watchdog
from .langchain_tools import Tools

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from ..instrumentation.runs import Run
    from ..instrumentation.tap import Tap


class _Done:
    """What is awaited where nothing is left to be done."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, None]:
        return iter(())  # type: ignore[return-value]


_DONE = _Done()


async def _pattern() -> None:
    """The code by which ``inspect`` takes a :class:`Callback` for a coroutine function."""


class Callback:
    """One method of the handler: a function to synchronous callers, a coroutine function to asynchronous ones.

    Whatever ``work`` raises ends here.
    """

    __code__ = _pattern.__code__
    __defaults__ = None
    __kwdefaults__ = None

    def __init__(self, name: str, work: Callable[..., object], tap: Tap, *, everywhere: bool) -> None:
        self._everywhere = everywhere
        self.__name__ = name
        self.__annotations__: dict[str, Any] = {}
        self._work = work
        self._tap = tap
        mark = getattr(inspect, "markcoroutinefunction", None)  # since Python 3.12
        if mark is not None:
            mark(self)

    def __call__(self, *args: Any, **kwargs: Any) -> _Done:
        """Do the work now; there is nothing left to await."""
        tap = self._tap
        if tap.active and (not self._everywhere or tap._chosen is None):  # noqa: SLF001  what tap.takes() would say
            if WATCHDOG in modules:
                self._watched(args, kwargs)
                return _DONE
            try:
                self._work(*args, **kwargs)
            except Exception as error:  # noqa: BLE001  the guard's purpose
                tap.guard.caught(f"langchain.{self.__name__}", error)
        return _DONE

    def _watched(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Do the work where something watches what blocks an event loop."""
        switch = watchdog()
        if switch is not None:
            switch.value = True
        try:
            self._work(*args, **kwargs)
        except Exception as error:  # noqa: BLE001  the guard's purpose
            self._tap.guard.caught(f"langchain.{self.__name__}", error)
        finally:
            if switch is not None:
                switch.value = False


class Unheard(Callback):
    """The method for what is not recorded, such as every token of a stream."""

    def __call__(self, *_args: Any, **_kwargs: Any) -> _Done:
        """Nothing."""
        return _DONE


def _nothing(*_args: Any, **_kwargs: Any) -> None:
    """What an :class:`Unheard` method would do."""


class Listening(Core):
    """The core with the parts that the callbacks are handed to."""

    def __init__(self, tap: Tap) -> None:
        super().__init__(tap)
        self.runs = Runs(self)
        self.graphs = Graphs(self, self.runs)
        self.models = Models(self, self.runs, self.graphs)
        self.tools = Tools(self, self.runs, self.graphs)


_cores: weakref.WeakValueDictionary[int, Listening] = weakref.WeakValueDictionary()


def core_of(tap: Tap) -> Listening:
    """The one core of a tap: what several handlers of the same tap hear is recorded once."""
    core = _cores.get(id(tap))
    if core is None or core.tap is not tap:
        core = _cores[id(tap)] = Listening(tap)
    return core


class SeasonedCallbackHandler(BaseCallbackHandler):
    """Records what the runnables do that it is given to: ``config={"callbacks": [SeasonedCallbackHandler(...)]}``.

    For applications that want nothing global; where the adapter listens to the whole process it changes nothing. It
    only records: add :class:`..langchain_middleware.SeasonedMiddleware` to give agents their experience.

    Args:
        tap: where to record.
        everywhere: whether it is the one that listens to the whole process, which hears nothing where only what was
            chosen is recorded.
    """

    raise_error = False
    run_inline = False

    def __init__(self, tap: Tap, *, everywhere: bool = False) -> None:
        super().__init__()
        core = self._core = core_of(tap)
        models, graphs, tools = core.models, core.graphs, core.tools
        for name, work in (
            ("on_chat_model_start", models.chat_start),
            ("on_llm_start", models.text_start),
            ("on_llm_end", models.end),
            ("on_llm_error", models.error),
            ("on_llm_new_token", models.token),
            ("on_stream_event", None),
            ("on_chain_start", graphs.start),
            ("on_chain_end", graphs.end),
            ("on_chain_error", graphs.error),
            ("on_tool_start", tools.start),
            ("on_tool_end", tools.end),
            ("on_tool_error", tools.error),
            ("on_text", None),
            ("on_agent_action", None),  # the steps of the older agents are recorded as model calls and tools
            ("on_agent_finish", None),
        ):
            kind = Callback if work is not None else Unheard
            setattr(self, name, kind(name, work or _nothing, tap, everywhere=everywhere))

    @property
    def latest(self) -> Run | None:
        """The run that ended last, to be judged: ``handler.latest.outcome(True)``."""
        return self._core.latest

    @property
    def ignore_retriever(self) -> bool:
        """Retrievers are not recorded."""
        return True

    @property
    def ignore_retry(self) -> bool:
        """Each attempt is recorded by itself."""
        return True

    @property
    def ignore_custom_event(self) -> bool:
        """What applications tell each other is not recorded."""
        return True

    def __copy__(self) -> SeasonedCallbackHandler:
        return self

    def __deepcopy__(self, _memo: Any) -> SeasonedCallbackHandler:
        return self  # models that are copied keep their handler
