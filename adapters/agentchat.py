"""The adapter of AutoGen AgentChat: ``autogen_agentchat`` 0.7, with ``autogen_core`` and ``autogen_ext``.

The distribution has the same name as the last of the old line, which brings ``autogen``; so it is looked at what is
imported. This module says what is wrapped; the others how:

==========================  ===================================================================================
:mod:`.agentchat_parts`     which methods are wrapped
:mod:`.agentchat_runs`      where runs begin and end: teams, and agents without one
:mod:`.agentchat_teams`     who speaks next, and how a turn reaches its agent
:mod:`.agentchat_turns`     replies, and what people type
:mod:`.agentchat_models`    model calls, and what is injected into them
:mod:`.agentchat_tools`     tools, workbenches and code
:mod:`.agentchat_messages`  reading the framework's messages
:mod:`.agentchat_streams`   following coroutines and streams
:mod:`.agentchat_patching`  classes that are defined later
:mod:`.agentchat_state`     what all of them know
==========================  ===================================================================================

Agents and teams are imported apart from each other, so each part is wrapped when its own module is imported.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

import wrapt

from ..instrumentation.errors import UnsupportedFramework
from ..instrumentation.tap import Support
from . import AGENTCHAT as FRAMEWORK

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..instrumentation.tap import Tap
    from .agentchat_parts import Parts
    from .agentchat_patching import AgentChatPatches
    from .agentchat_state import Core

log = logging.getLogger("seasoned")

LINE = "0.7."
"""What the version of a supported distribution begins with."""


class AgentChatAdapter:
    """Records AutoGen AgentChat and injects into its model calls; see :class:`..instrumentation.tap.Adapter`.

    Attributes:
        refused: why a part of the framework is not recorded, which was imported after the rest and is not as it
            should be; None where all is well.
    """

    name = FRAMEWORK
    module = FRAMEWORK
    tested = {"autogen-agentchat": ("0.7.5", "0.7.5")}
    support = Support(
        title="AutoGen AgentChat (`import autogen_agentchat`)",
        records=(
            "teams of all kinds and single agents, `run` and `run_stream`; inner teams as child runs",
            "model calls with prompts as sent, usage, cost and thoughts",
            "tools directly and through workbenches, code, with original exceptions and durations",
            "selection, handoffs, human input, memories",
            "injection for every agent with a `ChatCompletionClient`",
        ),
        lacks=(
            (
                "model calls of `OpenAIAgent`, `OpenAIAssistantAgent` and `AzureAIAgent`",
                "they call their services directly",
            ),
            ("single chunks of a stream", "the whole answer is recorded"),
            ("distributed runtimes", "other processes' agents are not seen"),
        ),
    )

    def __init__(self) -> None:
        self._patches: AgentChatPatches | None = None
        self.core: Core | None = None
        self.refused: str | None = None

    def install(self, tap: Tap) -> None:
        """Wrap what is imported, and the rest as soon as it is; a second time changes nothing.

        Raises:
            UnsupportedFramework: where the framework is not of a supported line. Nothing is changed then.
        """
        if self._patches is not None:
            return
        from .agentchat_parts import AGENTS, MEND, TEAMS, made, version

        if not version().startswith(LINE):
            raise UnsupportedFramework(f"autogen-agentchat {version()} is not of the line {LINE}x; {MEND}")
        parts, patches, core = made(tap)
        self._patches, self.core, self.refused = patches, core, None
        for module in (AGENTS, TEAMS):
            if module in sys.modules:
                try:
                    parts.wrap(module)
                except BaseException:
                    self.uninstall()
                    raise
        for module in (AGENTS, TEAMS):
            if module not in sys.modules:
                wrapt.register_post_import_hook(self._later(parts, patches, module), module)

    def _later(self, parts: Parts, patches: AgentChatPatches, module: str) -> Callable[[Any], None]:
        def imported(_module: Any) -> None:
            if self._patches is not patches:
                return
            try:
                parts.wrap(module)
            except UnsupportedFramework as error:
                self.refused = str(error)
                self.uninstall()
                log.warning("seasoned: %s", error)
            except Exception as error:  # noqa: BLE001  the import of the framework must not fail for our sake
                self.refused = str(error)
                self.uninstall()
                parts.core.caught(f"adapter {FRAMEWORK}", error)

        return imported

    def uninstall(self) -> None:
        """Put everything back that nobody has wrapped since; what stays passes through. Idempotent."""
        if self._patches is not None:
            self._patches.restore()
            self._patches = None
