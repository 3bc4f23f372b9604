"""The one place where failures of ours end.

An observer must never reach the observed. Every callback from a framework and every hook of a plugin runs
under this guard: whatever it raises is counted under the place where it happened, logged once for that place
and kind of error (with its traceback, at WARNING), and the application goes on as if nobody watched.

Only :class:`Exception` is held back. ``KeyboardInterrupt``, ``SystemExit`` and ``asyncio.CancelledError``
belong to the application and pass through.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

log = logging.getLogger("seasoned")


class Guard:
    """Counts and logs the failures of callbacks; see the module's docstring.

    ``failures`` maps a place (``"classic.message"``, ``"plugin growth.learn"``) to how often it failed.
    """

    __slots__ = ("_logged", "failures", "last")

    def __init__(self) -> None:
        self.failures: Counter[str] = Counter()
        self.last: dict[str, str] = {}
        self._logged: set[tuple[str, str]] = set()

    def caught(self, place: str, error: Exception) -> None:
        """Count ``error`` under ``place`` and log it if it is the first of its type there. Never raises."""
        try:
            self.failures[place] += 1
            kind = type(error).__name__
            self.last[place] = f"{kind}: {error}"[:500]
            if (place, kind) not in self._logged:
                self._logged.add((place, kind))
                log.warning(
                    "seasoned: %s failed and was skipped; the application is not affected (logged once): %s",
                    place,
                    self.last[place],
                    exc_info=error,
                )
        except Exception:  # noqa: BLE001, S110  a broken __str__ or log handler must not pass either
            pass

    def call(self, place: str, function: Callable[..., T], *args: Any, **kwargs: Any) -> T | None:
        """``function(*args, **kwargs)``, or None where it raises an :class:`Exception`."""
        try:
            return function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001  the guard's purpose
            self.caught(place, error)
            return None
