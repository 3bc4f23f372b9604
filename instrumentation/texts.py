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


class TextCache(dict[str, "str | None"]):
    """Text to reference, for one run: ``cache[text]`` is None where the run has not written ``text``.

    The young generation is the dictionary itself, so that a text which was met lately is found without a call.
    (``get`` therefore looks into that generation only.) Whoever finds None writes the text, and calls ``update`` with
    its reference once that has succeeded. Safe to use from several threads: a lost update costs one more write.
    """

    __slots__ = ("_old", "_size")

    def __init__(self) -> None:
        super().__init__()
        self._old: dict[str, str | None] = {}
        self._size = 0

    def __missing__(self, text: str) -> str | None:
        ref = self._old.get(text)
        if self._size > GENERATION:
            self._old, self._size = dict(self), 0
            super().clear()
        self._size += len(text)
        if ref is not None:
            self[text] = ref
        return ref

    def clear(self) -> None:
        """Forget everything: the texts must be written again (after a fork, or a failed write)."""
        super().clear()
        self._old, self._size = {}, 0

    def by_reference(self) -> dict[str | None, str]:
        """Every text that is remembered, by its reference."""
        return {ref: text for text, ref in (*self._old.items(), *self.items())}
