"""``seasoned.SeasonedCallbackHandler`` and ``seasoned.SeasonedMiddleware``: LangChain's own ways, and nothing global.

Import this module only where LangChain is installed; the front door does, when one of the two is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..adapters import langchain_handler
from . import runtime

if TYPE_CHECKING:
    from ..instrumentation.tap import Tap
    from .config import Config


def _tap(config: Config | None, settings: dict[str, Any]) -> Tap:
    """Where to record: what is switched on already, else a recording for what is chosen alone."""
    active = runtime.get() or runtime.enable(config, only_chosen=True, **settings)
    return active.tap if active is not None else runtime.silent_tap()


class SeasonedCallbackHandler(langchain_handler.SeasonedCallbackHandler):
    """Records the runnables that it is given to: ``chain.invoke(…, {"callbacks": [SeasonedCallbackHandler()]})``.

    For applications that want nothing global. Where recording is on already (``seasoned.enable()``) it adds nothing:
    what several handlers hear is recorded once.

    Args:
        config: as for :func:`seasoned.enable`; counts where nothing is switched on yet.
        settings: as for :func:`seasoned.enable`.

    Raises:
        ConfigError: for a setting that cannot be used.
    """

    def __init__(self, config: Config | None = None, **settings: Any) -> None:
        super().__init__(_tap(config, settings))


def middleware() -> type[Any]:
    """The class ``SeasonedMiddleware``; needs ``langchain``, where the handler needs only ``langchain_core``."""
    from ..adapters import langchain_middleware

    class SeasonedMiddleware(langchain_middleware.SeasonedMiddleware):
        """Puts an agent's block at the end of its system message: ``create_agent(…, middleware=[…])``.

        The official way, without a patch; the run must be recorded, by ``seasoned.enable()`` or by a
        ``SeasonedCallbackHandler`` in the call's callbacks.

        Args:
            config: as for :func:`seasoned.enable`; counts where nothing is switched on yet.
            settings: as for :func:`seasoned.enable`.
        """

        def __init__(self, config: Config | None = None, **settings: Any) -> None:
            super().__init__(_tap(config, settings))

    return SeasonedMiddleware
