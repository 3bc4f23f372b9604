"""The adapter of classic AutoGen: ``autogen`` 0.14.1, ``ag2`` below 1.0, and ``autogen-agentchat`` 0.2.

The three distributions bring the same import name, so it is looked at what that name holds, never at who brought
it. This module says what is wrapped; the others how:

========================  =====================================================================================
:mod:`.classic_chats`     where runs begin and end
:mod:`.classic_messages`  messages
:mod:`.classic_turns`     replies and human input
:mod:`.classic_direct`    replies that the application asks for itself
:mod:`.classic_speakers`  the selection of speakers
:mod:`.classic_models`    model calls, and what is injected into them
:mod:`.classic_tools`     tools and code
:mod:`.classic_carry`     what the framework's threads would lose
:mod:`.classic_state`     what all of them know
========================  =====================================================================================

Never wrapped are the reply functions (``generate_oai_reply`` and its like): every agent captures them when it is
made, and applications name them to replace or exclude them, which compares identity.
"""

from __future__ import annotations

import sys
from functools import partial
from types import FunctionType
from typing import TYPE_CHECKING, Any

from ..instrumentation.errors import UnsupportedFramework
from ..instrumentation.tap import Support
from . import (
    classic_carry,
    classic_chats,
    classic_direct,
    classic_messages,
    classic_models,
    classic_speakers,
    classic_tools,
    classic_turns,
)
from .classic_state import FRAMEWORK, Core
from .patching import Family, Layer, Patches

if TYPE_CHECKING:
    from types import ModuleType

    from ..instrumentation.tap import Tap

_NEEDED = {
    "ConversableAgent": (
        "initiate_chat", "a_initiate_chat", "receive", "a_receive", "_process_received_message", "generate_reply",
        "a_generate_reply", "process_all_messages_before_reply", "_generate_oai_reply_from_client",
        "execute_function", "a_execute_function", "execute_code_blocks", "get_human_input", "a_get_human_input",
    ),
    "GroupChat": ("append", "select_speaker", "a_select_speaker"),
    "GroupChatManager": ("resume", "a_resume"),
    "OpenAIWrapper": ("create", "_update_usage"),
}  # fmt: skip
"""What must be there, by class."""

_MEND = "install autogen==0.14.1, ag2>=0.14,<1 or autogen-agentchat==0.2.40"

_DISTRIBUTIONS = ("autogen", "ag2", "autogen-agentchat", "pyautogen")
"""Who may bring the name ``autogen``, for messages only."""


class ClassicAdapter:
    """Records classic AutoGen and injects into its model calls; see :class:`..instrumentation.tap.Adapter`."""

    name = FRAMEWORK
    module = "autogen"
    tested = {
        "autogen": ("0.14.1", "0.14.1"),
        "ag2": ("0.14.0", "0.14.0"),
        "autogen-agentchat": ("0.2.40", "0.2.40"),
    }
    support = Support(
        title="classic AutoGen (`import autogen`)",
        records=(
            "chats of two and in groups, nested chats as child runs; sync, async and streamed",
            "model calls with prompts as sent, usage, cost and reasoning",
            "tools and code with results, errors and durations",
            "speaker selection, human input, AG2's context variables",
            "injection for every agent with a model client",
        ),
        lacks=(
            ("model calls of `GPTAssistantAgent`", "it calls its provider past the point where prompts can be seen"),
            ("`ag2` 1.x", "another framework of the same name, refused with a message"),
        ),
    )

    def __init__(self) -> None:
        self._patches: Patches | None = None
        self.core: Core | None = None

    @property
    def unattributed(self) -> int:
        """Model calls that could not be placed in a run for certain, and were neither recorded nor changed."""
        return self.core.unattributed if self.core is not None else 0

    def install(self, tap: Tap) -> None:
        """Wrap the framework's methods, which are imported; a second time changes nothing.

        Raises:
            UnsupportedFramework: where ``autogen`` is not one of the supported lines. Nothing is changed then.
        """
        if self._patches is not None:
            return
        found = _classes(sys.modules.get(self.module))
        core = Core(tap, *found)
        patches = Patches()
        try:
            self._wrap(core, patches)
        except BaseException:
            patches.restore()
            raise
        self._patches, self.core = patches, core

    def uninstall(self) -> None:
        """Put everything back that nobody has wrapped since; what stays passes through. Idempotent."""
        if self._patches is not None:
            self._patches.restore()
            self._patches = None

    def _wrap(self, core: Core, patches: Patches) -> None:
        chats, carry = classic_chats.Chats(core), classic_carry.Carry()
        direct = classic_direct.Direct(core, chats, carry)
        agents = Family(
            patches,
            core.agent,
            {
                **classic_chats.agent_makers(core, chats),
                **classic_messages.agent_makers(core),
                **classic_turns.agent_makers(core, carry, direct),
                **classic_carry.agent_makers(core, carry),
                **classic_tools.agent_makers(core),
            },
        )
        managers = Family(patches, core.manager, classic_chats.manager_makers(core))
        groups = Family(
            patches, core.group, {**classic_messages.group_makers(core), **classic_speakers.group_makers(core)}
        )
        makers = classic_models.wrapper_makers(core, carry)
        wrappers = Family(patches, core.wrapper, makers)
        patches.add(core.agent, classic_tools.MAP, classic_tools.FunctionMap())

        def prepare_agent(kind: type) -> None:
            agents.prepare(kind)
            if core.manager in kind.__mro__:
                managers.prepare(kind)

        core.prepare_agent = prepare_agent
        core.prepare_group = groups.prepare
        core.prepare_wrapper = partial(_prepare_wrapper, core, patches, wrappers, makers["create"])
        core.prepare_executor = partial(classic_tools.prepare_executor, core, patches)
        stream, chats.stream_here = _streams()
        if stream is not None:
            Family(patches, stream, {"__init__": classic_carry.stream_maker(core, chats)})


def _classes(module: ModuleType | None) -> tuple[type, type, type, type]:
    """The four classes whose methods are wrapped; raises UnsupportedFramework where something is missing."""
    found: list[type] = []
    for name, methods in _NEEDED.items():
        kind = getattr(module, name, None)
        if not isinstance(kind, type):
            raise UnsupportedFramework(f"{_who(module)} has no {name}; {_MEND}")
        missing = [method for method in methods if not callable(getattr(kind, method, None))]
        if missing:
            raise UnsupportedFramework(f"{_who(module)}: its {name} has no {', '.join(missing)}; {_MEND}")
        found.append(kind)
    agent, group, manager, wrapper = found
    return agent, group, manager, wrapper


def _who(module: ModuleType | None) -> str:
    """What is imported as ``autogen``: the distribution if one of the known ones is installed, and its version."""
    from importlib import metadata

    version = getattr(module, "__version__", None)
    for name in _DISTRIBUTIONS:
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        if version in (None, installed):
            return f"{name} {installed}"
    return f"autogen {version or 'of an unknown version'}"


def _streams() -> tuple[type | None, Any]:
    """AG2's stream between the thread of ``agent.run()`` and its caller, and what tells the stream of a thread
    without setting one; (None, None) where the framework has none."""
    stream = getattr(sys.modules.get("autogen.io.thread_io_stream"), "ThreadIOStream", None)
    default = getattr(getattr(sys.modules.get("autogen.io.base"), "IOStream", None), "_default_io_stream", None)
    if not isinstance(stream, type) or default is None:
        return None, None
    return stream, lambda: default.get(None)


def _prepare_wrapper(core: Core, patches: Patches, family: Family, create: Any, kind: type) -> None:
    """Wrap ``create`` of a class that an agent has as its client. It need not be an OpenAIWrapper: whatever has
    a method of that name will do for the framework."""
    if core.wrapper in kind.__mro__:
        family.prepare(kind)
        return
    for owner in kind.__mro__:
        if isinstance(owner.__dict__.get("create"), FunctionType):
            patches.wrap(owner, "create", lambda raw: create(raw, Layer("create", base=True)))
            return
