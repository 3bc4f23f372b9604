"""The adapter of LangChain and LangGraph: ``langchain-core`` 1.x, ``langchain`` 1.x and ``langgraph`` 1.x.

It listens with a callback handler that LangChain itself adds to every call of this process
(``register_configure_hook``); only what must not be seen by other handlers, the injected block, goes in by wrapping.
This module says what is installed where; the others how:

=============================  ================================================================================
:mod:`.langchain_handler`      the callback handler
:mod:`.langchain_graphs`       chains, graphs and nodes; who works where; transitions
:mod:`.langchain_runs`         where runs begin, go on and end; what people say
:mod:`.langchain_models`       model calls
:mod:`.langchain_tools`        tools
:mod:`.langchain_messages`     reading messages
:mod:`.langchain_context`      what a graph's state holds beside messages
:mod:`.langchain_inject`       what is injected into model calls
:mod:`.langchain_middleware`   the same as an official middleware
:mod:`.langchain_state`        what all of them know
=============================  ================================================================================

LangChain imports its own modules when it needs them, so each part is installed when the module that it needs has
been imported. Nothing of LangChain is imported here before the application has, and none of the modules above before
the first part is installed.
"""

from __future__ import annotations

import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import wrapt

from ..instrumentation.errors import UnsupportedFramework
from ..instrumentation.tap import Support
from . import LANGCHAIN as FRAMEWORK
from .patching import Patches

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..instrumentation.tap import Tap
    from .langchain_state import Core

    Part = Callable[[Any, Core, Patches], None]

_SUPPORTED = ("1",)
"""The major versions of langchain-core that are known."""

_MEND = "install langchain-core>=1,<2"

_NEEDED = {
    "langchain_core.tracers.context": {"": ("register_configure_hook", "_configure_hooks")},
    "langchain_core.callbacks.manager": {
        "CallbackManager": ("on_chat_model_start",),
        "AsyncCallbackManager": ("on_chat_model_start",),
        "AsyncCallbackManagerForChainRun": ("on_chain_end", "on_chain_error"),
        "AsyncCallbackManagerForLLMRun": ("on_llm_end", "on_llm_error"),
        "AsyncCallbackManagerForToolRun": ("on_tool_end", "on_tool_error"),
    },
    "langchain_core.language_models.chat_models": {
        "BaseChatModel": (
            "_generate_with_cache",
            "_agenerate_with_cache",
            "agenerate",
            "_convert_input",
            "_stream",
            "_astream",
        ),
    },
    "langchain_core.tools.base": {"BaseTool": ("run", "arun")},
}
"""What must be there, by module and class."""


class LangChainAdapter:
    """Records LangChain and LangGraph and injects into their model calls; see
    :class:`..instrumentation.tap.Adapter`."""

    name = FRAMEWORK
    module = "langchain_core"
    tested = {
        "langchain-core": ("1.0.0", "1.7.2"),
        "langchain": ("1.0.0", "1.4.7"),
        "langgraph": ("1.0.0", "1.2.22"),
    }
    support = Support(
        title="LangChain and LangGraph (`langchain_core` 1.x)",
        records=(
            "graphs, `create_agent`, runnables: sync, async, streamed, batched; graphs within tools as child runs",
            "interrupts and resumes; a checkpointer's `thread_id` as the session",
            "chat models with prompts as sent, usage, cost, reasoning, cache hits",
            "tools with original exceptions and durations; transitions from node order and `Command`",
            "what nodes change in a graph's state beside the messages",
            "injection for every chat model, by patch or as `SeasonedMiddleware`",
        ),
        lacks=(
            ("injection into string-in `BaseLLM` models", "they have no system message"),
            ("retrievers and embeddings", "they are no agents' work"),
            ("single tokens of a stream", "the whole answer is recorded"),
        ),
    )

    def __init__(self) -> None:
        self._patches: Patches | None = None
        self._hook: Any = None
        self.core: Core | None = None

    def install(self, tap: Tap) -> None:
        """Listen to LangChain, which is imported, and wrap what is wrapped; a second time changes nothing.

        Raises:
            UnsupportedFramework: where ``langchain_core`` is of an unknown version, or lacks something in a part that
                is imported already. Nothing is changed then.
        """
        if self._patches is not None:
            return
        version = _version()
        if version.partition(".")[0] not in _SUPPORTED:
            raise UnsupportedFramework(f"langchain-core {version} is not known; {_MEND}")
        for name in _NEEDED:
            if name in sys.modules:
                _check(name)
        patches = self._patches = Patches()
        parts: dict[str, Part] = {
            "langchain_core.tracers.context": self._listen,
            "langchain_core.callbacks.manager": _note,
            "langchain_core.language_models.chat_models": _inject,
            "langchain_core.tools.base": _enter,
        }
        for name, part in parts.items():
            wrapt.register_post_import_hook(self._installer(name, part, tap, patches), name)

    def uninstall(self) -> None:
        """Stop to listen, and put everything back that nobody has wrapped since. Idempotent."""
        if self._patches is None:
            return
        self._patches.restore()
        if self._hook is not None:
            hooks = sys.modules["langchain_core.tracers.context"]._configure_hooks  # noqa: SLF001
            hooks[:] = [entry for entry in hooks if entry[0] is not self._hook]
        if self.core is not None:
            self.core.forget()
        self._patches = self._hook = self.core = None

    def wrap(self, thing: Any) -> Any:
        """A runnable with a handler of its own, for :func:`seasoned.wrap`; None for anything else."""
        if self.core is None or not hasattr(thing, "with_config") or not hasattr(thing, "invoke"):
            return None
        from .langchain_handler import SeasonedCallbackHandler

        return thing.with_config({"callbacks": [SeasonedCallbackHandler(self.core.tap)]})

    def _installer(self, name: str, part: Part, tap: Tap, patches: Patches) -> Callable[[Any], None]:
        """What installs ``part`` when the module is imported: now, if it is. It never raises, because an import of
        the application's must not fail for our sake."""

        def imported(module: Any) -> None:
            if self._patches is not patches:  # taken out meanwhile
                return
            try:
                _check(name)
                part(module, self._core(tap), patches)
            except Exception as error:  # noqa: BLE001  the import of the framework must not fail for our sake
                tap.guard.caught(f"adapter {self.name}", error)

        return imported

    def _core(self, tap: Tap) -> Core:
        if self.core is None:
            from .langchain_handler import core_of

            self.core = core_of(tap)
        return self.core

    def _listen(self, module: Any, core: Core, _patches: Patches) -> None:
        """Have our handler added to every call."""
        from .langchain_handler import SeasonedCallbackHandler

        handler = SeasonedCallbackHandler(core.tap, everywhere=True)  # the default, which holds in every context
        self._hook = ContextVar("seasoned_langchain_handler", default=handler)
        module.register_configure_hook(self._hook, inheritable=True)


def _note(module: Any, core: Core, patches: Patches) -> None:
    """Have the calls of chat models noted, and the runs that end."""
    from .langchain_inject import noting, telling

    for name in ("CallbackManager", "AsyncCallbackManager"):
        patches.wrap(getattr(module, name), "on_chat_model_start", noting(core))
    for kind in ("Chain", "LLM", "Tool"):
        owner = getattr(module, f"AsyncCallbackManagerFor{kind}Run")
        for ending in ("end", "error"):
            patches.wrap(owner, f"on_{kind.lower()}_{ending}", telling(core))


def _inject(module: Any, core: Core, patches: Patches) -> None:
    """Wrap the models."""
    from .langchain_inject import Injection

    Injection(core, patches).wrap_models(module.BaseChatModel)


def _enter(module: Any, core: Core, patches: Patches) -> None:
    """Wrap the tools."""
    from .langchain_inject import entering

    for name in ("run", "arun"):
        patches.wrap(module.BaseTool, name, entering(core))


def _version() -> str:
    """The version of what is imported as ``langchain_core``."""
    from importlib import metadata

    version = getattr(sys.modules.get("langchain_core"), "__version__", None)
    if isinstance(version, str):
        return version
    try:
        return metadata.version("langchain-core")
    except metadata.PackageNotFoundError:
        return "of an unknown version"


def _check(name: str) -> None:
    """Raise UnsupportedFramework where a module has not what is needed."""
    module = sys.modules[name]
    for kind, members in _NEEDED[name].items():
        owner = getattr(module, kind, None) if kind else module
        if owner is None:
            raise UnsupportedFramework(f"langchain-core {_version()}: {name} has no {kind}; {_MEND}")
        missing = [member for member in members if not hasattr(owner, member)]
        if missing:
            what = f"its {kind} has" if kind else f"{name} has"
            raise UnsupportedFramework(f"langchain-core {_version()}: {what} no {', '.join(missing)}; {_MEND}")
