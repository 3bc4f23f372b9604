"""``seasoned.wrap``: recording for one object, for applications that want nothing global.

The frameworks are prepared as by ``enable()``, because there is no other place to listen at; but what is in place there
lets everything through that does not begin with an object that was wrapped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from . import runtime

if TYPE_CHECKING:
    from .config import Config

T = TypeVar("T")


def wrap(thing: T, config: Config | None = None, **settings: Any) -> T:
    """See :func:`seasoned.wrap`."""
    active = runtime.get()
    if active is None:
        active = runtime.enable(config, only_chosen=True, **settings)
    if active is None:  # the flag says no
        return thing
    for adapter in active.adapters:
        own = getattr(adapter, "wrap", None)
        made = active.guard.call(f"adapter {adapter.name}", own, thing) if own is not None else None
        if made is not None:
            return made
    active.tap.choose(thing)
    return thing
