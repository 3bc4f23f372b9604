"""The official way to give agents their experience: a middleware of ``create_agent``.

Import this module only where ``langchain`` is imported already.

It needs no patch, and what it adds is seen by every tracer, as with any middleware. It finds out which run it is in
from the callbacks, so the run must be recorded: by the adapter, or by a
:class:`..langchain_handler.SeasonedCallbackHandler` in the call's ``callbacks``. Where the adapter injects as well, the
block is there once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain.agents.middleware import AgentMiddleware
from langchain_core.runnables.config import var_child_runnable_config

from .langchain_handler import core_of
from .langchain_inject import composed, system_with

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..instrumentation.tap import Tap


class SeasonedMiddleware(AgentMiddleware):
    """Puts an agent's block at the end of its system message.

    One of the ``middleware`` of ``create_agent``; put it last, so that it is nearest to the model.

    Args:
        tap: where the blocks come from.
    """

    def __init__(self, tap: Tap) -> None:
        super().__init__()
        self._core = core_of(tap)

    def wrap_model_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
        """Hand on the request with the block in it."""
        return handler(self._with_block(request))

    async def awrap_model_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
        """Hand on the request with the block in it."""
        return await handler(self._with_block(request))

    def _with_block(self, request: Any) -> Any:
        core = self._core
        if not core.tap.active:
            return request
        try:
            return self._changed(request)
        except Exception as error:  # noqa: BLE001  the guard's purpose
            core.caught("langchain.middleware", error)
            return request

    def _changed(self, request: Any) -> Any:
        core = self._core
        config = var_child_runnable_config.get() or {}
        node = core.find(getattr(config.get("callbacks"), "parent_run_id", None))
        step = node.step if node is not None else None
        run = step.scope.run if step is not None else None
        if step is None or run is None:
            return request
        scope = step.scope
        core.runs.heard(scope, step.agent)  # the task must be known before the block is composed
        block = composed(core, run, step.agent)
        if not block:
            return request
        scope.memory.blocks[step.agent] = block
        if not hasattr(request, "system_message"):  # the first versions have a text
            text = request.system_prompt
            return request.override(system_prompt=f"{text}\n\n{block}" if text else block)
        system = request.system_message
        return request.override(system_message=system_with(scope.memory, step.agent, system, block))
