"""What holds for all tests: no property is judged by the clock, because a busy machine is no fault of the code."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("seasoned", deadline=None)
settings.load_profile("seasoned")
