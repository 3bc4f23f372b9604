"""Which texts a run has already written to the journal.

A chat repeats itself: the reply of a model is a message, then part of every later prompt. Each text is
redacted, hashed and written once for each run; afterwards its reference is found here, by the string itself.

The cache belongs to one run, never to the process: so every run brings all its texts along, and forgetting
one run can never take a text from another that is still being written. It is bounded (two generations of
:data:`GENERATION` characters each), so that memory stays flat however long a run is; what falls out is merely
written again, and the database still keeps it once.
"""

from __future__ import annotations

GENERATION = 1_000_000
"""Characters of text that one generation may hold before it becomes the old one."""


class TextCache:
    """Text to reference, for one run. Safe to use from several threads: a lost update costs one more write."""

    __slots__ = ("_old", "_size", "_young")

    def __init__(self) -> None:
        self._young: dict[str, str] = {}
        self._old: dict[str, str] = {}
        self._size = 0

    def get(self, text: str) -> str | None:
        """The reference of ``text`` if this run has written it."""
        ref = self._young.get(text)
        if ref is None:
            ref = self._old.get(text)
            if ref is not None:
                self.add(text, ref)
        return ref

    def add(self, text: str, ref: str) -> None:
        """Remember that ``text`` is written, as ``ref``. Call it only once the write has succeeded."""
        if self._size > GENERATION:
            self._old, self._young, self._size = self._young, {}, 0
        self._young[text] = ref
        self._size += len(text)

    def clear(self) -> None:
        """Forget everything: the texts must be written again (after a fork, or a failed write)."""
        self._young, self._old, self._size = {}, {}, 0
