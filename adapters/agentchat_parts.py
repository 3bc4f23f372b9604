"""Which methods of AutoGen AgentChat are wrapped, and with what.

Apart from the adapter, because every process that records makes an adapter, and only those that import the framework
need any of this.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ..instrumentation.errors import UnsupportedFramework
from . import agentchat_models, agentchat_runs, agentchat_teams, agentchat_tools, agentchat_turns
from .agentchat_patching import AgentChatPatches, Kinds
from .agentchat_state import Core

if TYPE_CHECKING:
    from ..instrumentation.tap import Tap

MEND = "install autogen-agentchat==0.7.5"

AGENTS, TEAMS = "autogen_agentchat.agents", "autogen_agentchat.teams"
"""The two modules that applications import, and with each of which a part of the framework comes."""

_NEEDED = {
    AGENTS: {
        "autogen_agentchat.agents.BaseChatAgent": ("on_messages", "on_messages_stream", "on_reset", "load_state"),
        "autogen_agentchat.agents.AssistantAgent": ("_execute_tool_call",),
        "autogen_agentchat.agents.UserProxyAgent": ("_get_input",),
        "autogen_core.models.ChatCompletionClient": ("create", "create_stream"),
        "autogen_core.tools.Workbench": ("call_tool",),
        "autogen_core.tools.BaseTool": ("run_json",),
        "autogen_core.code_executor.CodeExecutor": ("execute_code_blocks",),
    },
    TEAMS: {
        "autogen_agentchat.teams.BaseGroupChat": ("run_stream", "reset", "load_state"),
        "autogen_agentchat.teams._group_chat._base_group_chat_manager.BaseGroupChatManager": (
            "select_speaker", "update_message_thread",
        ),
        "autogen_agentchat.teams._group_chat._sequential_routed_agent.SequentialRoutedAgent": ("on_message_impl",),
        "autogen_core.models.ChatCompletionClient": ("create", "create_stream"),
    },
}  # fmt: skip
"""What must be there, by class, once a module is imported."""


class Parts:
    """Wraps the parts of the framework, each once."""

    def __init__(self, core: Core, patches: AgentChatPatches) -> None:
        self.core = core
        self._patches = patches
        self._runs = agentchat_runs.Runs(core)
        self._clients: Kinds | None = None

    def wrap(self, module: str) -> None:
        """Wrap what has come with ``module``; raises UnsupportedFramework where something is missing."""
        found = {path.rpartition(".")[2]: _class(path, methods) for path, methods in _NEEDED[module].items()}
        core, runs = self.core, self._runs
        if self._clients is None:
            self._clients = self._kinds(found["ChatCompletionClient"], agentchat_models.client_makers(core))
        if module == AGENTS:
            self._kinds(found["BaseChatAgent"], agentchat_turns.agent_makers(core, runs, self._see))
            self._kinds(found["UserProxyAgent"], agentchat_turns.person_makers(core))
            self._kinds(found["Workbench"], agentchat_tools.bench_makers(core))
            self._kinds(found["BaseTool"], agentchat_tools.tool_makers(core))
            self._kinds(found["CodeExecutor"], agentchat_tools.executor_makers(core))
            self._patches.wrap_static(found["AssistantAgent"], "_execute_tool_call", agentchat_tools.call_maker(core))
        else:
            self._kinds(found["BaseGroupChat"], agentchat_runs.team_makers(core, runs))
            self._kinds(found["SequentialRoutedAgent"], agentchat_teams.machine_makers(core))
            self._kinds(found["BaseGroupChatManager"], agentchat_teams.manager_makers(core))

    def _kinds(self, base: type, makers: Any) -> Kinds:
        return Kinds(self._patches, base, makers, self.core.caught)

    def _see(self, client: Any) -> None:
        """An agent has ``client`` as its model client, which need not be derived from the framework's class."""
        if client is not None and self._clients is not None:
            self._clients.prepare_alike(type(client))


def made(tap: Tap) -> tuple[Parts, AgentChatPatches, Core]:
    """The parts for a tap, nothing of which is wrapped yet."""
    core, patches = Core(tap), AgentChatPatches()
    return Parts(core, patches), patches, core


def _class(path: str, methods: tuple[str, ...]) -> type:
    """An imported class with its methods; raises UnsupportedFramework where it or one of them is missing."""
    module, _, name = path.rpartition(".")
    kind = getattr(sys.modules.get(module), name, None)
    if not isinstance(kind, type):
        raise UnsupportedFramework(f"autogen-agentchat {version()} has no {name}; {MEND}")
    missing = [method for method in methods if not callable(getattr(kind, method, None))]
    if missing:
        raise UnsupportedFramework(f"autogen-agentchat {version()}: its {name} has no {', '.join(missing)}; {MEND}")
    return kind


def version() -> str:
    """The version of what is imported as ``autogen_agentchat``."""
    found = getattr(sys.modules.get("autogen_agentchat"), "__version__", None)
    return found if isinstance(found, str) else "of an unknown version"
