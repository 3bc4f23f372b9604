"""The tasks that are known, and which of them a new task is like: the matcher behind ``seasoned similar``.

A search has two steps. An inverted list (:mod:`.lexical`) names the few entries that share the most telling terms
with the task; those are compared with it closely (:mod:`.rescoring`) and weighed by a learned model
(:mod:`.calibration`). The score of a match is the probability that entry and task follow one template;
:meth:`TaskIndex.confidence` is the probability that any entry does, and below :attr:`TaskIndex.threshold` the index
abstains, so that nothing is handed to an agent merely because it was the nearest.

Without an encoder the answer depends on the entries and the task alone: not on chance, and not on the order in which
the entries came. With one it also depends on whether that is loaded yet.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..instrumentation.errors import SeasonedError
from .calibration import learned, semantic
from .embedder import Vectors
from .lexical import Postings, steps, terms, word_keys
from .masking import READ, read
from .rescoring import FEATURES, compare, known, pooled, seen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from .calibration import Weights
    from .embedder import Encoder
    from .lexical import Keys
    from .masking import Reading

POOL = 24
"""Candidates that are looked at closely: on the tasks at hand the right one is among them 997 times in 1000."""

ALIKE = 5_000
"""Equally good candidates among which the first by text are chosen; of more, the oldest these many."""

THRESHOLD = 0.5
"""Confidence below which the index abstains: it is calibrated where every other task has no template."""

FORMAT = "seasoned task index 1"

Identity = str | int


class Match(NamedTuple):
    """An entry that a task is like.

    ``score`` is the probability, 0..1, that both follow one template; ``parts`` are the likenesses, 0..1, that it
    was made from; ``explain`` says in words what they have in common.
    """

    id: Identity
    score: float
    parts: dict[str, float]
    explain: str


class _Entry(NamedTuple):
    id: Identity
    text: str
    task_type: str | None
    domain: str | None
    reading: Reading
    keys: Keys


class _Found(NamedTuple):
    """What a closer look gave: candidates with their features and utilities, best first."""

    entries: list[_Entry]
    features: NDArray[np.float64]
    utility: NDArray[np.float64]
    weights: Weights


_PARTS = {
    "lexical": "cos_words",
    "keyword": "keywords_rare",
    "pattern": "cos_pattern",
    "alignment": "dice",
    "grammar": "grammar_share",
    "neighbours": "centre",
}
"""Which feature each part of a score shows."""


class TaskIndex:
    """Known tasks, searchable for the ones that a new task is like.

    Safe to use from several threads. Entries are kept in memory; :meth:`save` and :meth:`load` keep them as JSON.
    With an ``encoder`` (:class:`.embedder.Embedder`) the meaning of the wording counts as well, from the moment when it
    is loaded and has embedded the candidates; until then, and without one, the words alone answer. ``candidates`` are
    looked at closely for each task, at most.
    """

    def __init__(self, *, threshold: float = THRESHOLD, encoder: Encoder | None = None, candidates: int = POOL) -> None:
        self.threshold = threshold
        self._closely = candidates
        self.vectors = Vectors(encoder) if encoder is not None else None
        self._lock = threading.RLock()
        self._slots: dict[Identity, int] = {}
        self._entries: list[_Entry | None] = []
        self._size = np.zeros(64, np.float32)
        self._postings = Postings()

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, id: object) -> bool:  # noqa: A002  the public name
        return id in self._slots

    def add(self, id: Identity, text: str, task_type: str | None = None, domain: str | None = None) -> None:  # noqa: A002
        """Make a task known; one that is known by this id already is replaced.

        Any text is taken; of a long one the first :data:`~.masking.READ` characters count.
        """
        reading = read(text)
        entry = _Entry(id, text[:READ], task_type, domain, reading, terms(reading))
        with self._lock:
            if id in self._slots:
                self.remove(id)
            slot = len(self._entries)
            self._entries.append(entry)
            self._slots[id] = slot
            if slot >= len(self._size):
                self._size = np.concatenate([self._size, np.zeros_like(self._size)])
            self._size[slot] = len(entry.keys) ** 0.5 or 1.0
            self._postings.add(slot, entry.keys)
            if self.vectors is not None:
                self.vectors.want(id, entry.text)

    def remove(self, id: Identity) -> bool:  # noqa: A002  the public name
        """Forget a task; False where none is known by this id."""
        with self._lock:
            slot = self._slots.pop(id, None)
            if slot is None:
                return False
            if self.vectors is not None:
                self.vectors.drop(id)
            entry = self._entries[slot]
            if entry is not None:
                self._entries[slot] = None
                self._size[slot] = 0.0
                self._postings.remove(slot, entry.keys)
            if len(self._entries) > 256 and len(self._entries) > 2 * len(self._slots):
                self._rebuild([entry for entry in self._entries if entry is not None])
            return True

    def search(self, text: str, limit: int = 5, task_type: str | None = None, domain: str | None = None) -> list[Match]:
        """The entries that ``text`` is most like, best first, at most ``limit`` (and never more than were looked at).

        ``task_type`` and ``domain`` count where an entry names its own as well; they rank and never exclude.
        """
        return self.weigh(text, limit, task_type, domain)[1] if limit >= 1 else []

    def confidence(self, text: str, task_type: str | None = None, domain: str | None = None) -> float:
        """The probability, 0..1, that some entry fits: that it follows the same template as ``text``."""
        found = self._look(text, self._closely, task_type, domain)
        return found.weights.fits(found.utility)

    def weigh(
        self, text: str, limit: int = 5, task_type: str | None = None, domain: str | None = None
    ) -> tuple[float, list[Match]]:
        """:meth:`confidence` and :meth:`search` from one look, for whoever wants both. With a ``limit`` above
        :data:`POOL` more candidates are looked at, and the confidence is that in all of them."""
        found = self._look(text, max(self._closely, limit), task_type, domain)
        scores = found.weights.probability(found.utility)
        return found.weights.fits(found.utility), [
            Match(entry.id, float(score), parts := self._parts(row, entry, task_type, domain), _explain(parts))
            for entry, score, row in zip(found.entries[:limit], scores, found.features, strict=False)
        ]

    def abstains(self, text: str, task_type: str | None = None, domain: str | None = None) -> bool:
        """Whether nothing fits well enough to be used: :meth:`confidence` is below :attr:`threshold`."""
        return self.confidence(text, task_type, domain) < self.threshold

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the entries as lines of JSON, whole or not at all."""
        target = Path(path)
        partial = target.with_name(f"{target.name}.{os.getpid()}.part")
        with self._lock, partial.open("w", encoding="utf-8", errors="surrogatepass") as out:
            out.write(json.dumps({"format": FORMAT, "threshold": self.threshold}) + "\n")
            for entry in self._entries:
                if entry is not None:
                    out.write(json.dumps([entry.id, entry.text, entry.task_type, entry.domain]) + "\n")
        partial.replace(target)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, encoder: Encoder | None = None) -> TaskIndex:
        """The index that :meth:`save` wrote.

        Raises:
            SeasonedError: the file is not such an index; it is data only, nothing in it is ever run.
        """
        try:
            with Path(path).open(encoding="utf-8") as lines:
                index = cls(threshold=_head(json.loads(next(lines, "null"))), encoder=encoder)
                for line in lines:
                    index.add(*_row(json.loads(line)))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise SeasonedError(f"{path} is no task index: {error}. Build it again from the store.") from error
        return index

    # -- inside ------------------------------------------------------------------------------------------------------

    def _rebuild(self, entries: Iterable[_Entry]) -> None:
        """Start the lists again without the slots of removed entries."""
        self._slots, self._entries, self._postings = {}, [], Postings()
        for slot, entry in enumerate(entries):
            self._slots[entry.id] = slot
            self._entries.append(entry)
            self._size[slot] = len(entry.keys) ** 0.5 or 1.0
            self._postings.add(slot, entry.keys)
        self._size[len(self._entries) :] = 0.0

    def _candidates(self, keys: Keys, count: int) -> list[_Entry]:
        """The entries that share the most telling terms with ``keys``; of equals the one whose text comes first."""
        slots = len(self._entries)
        holders = self._postings.holders(keys)
        rarity = _rarity(holders, len(self._slots))
        scores = self._postings.overlap(keys, rarity * rarity, holders, slots)
        living = self._size[:slots] > 0
        scores = np.where(living, scores / np.where(living, self._size[:slots], 1.0), 0.0)
        chosen = np.flatnonzero(scores > 0.5 * scores.max(initial=0.0))
        if len(chosen) < count:
            chosen = np.flatnonzero(scores > 0)
        if count < len(chosen):
            some = scores[chosen]
            chosen = chosen[some >= np.partition(some, len(some) - count)[len(some) - count]]
        ranked = [
            (-float(scores[slot]), entry) for slot in chosen.tolist() if (entry := self._entries[slot]) is not None
        ]
        if len(ranked) > ALIKE:
            ranked = sorted(ranked, key=lambda pair: pair[0])[:ALIKE]
        ranked.sort(key=lambda pair: (pair[0], pair[1].text, str(pair[1].id)))
        return [entry for _, entry in ranked[:count]]

    def _observe(self, text: str, count: int) -> tuple[list[_Entry], NDArray[np.float64]]:
        """The candidates for ``text`` and their features: everything before the learned weights."""
        reading = read(text)
        keys = terms(reading)
        entries = self._candidates(keys, count) if len(keys) and self._slots else []
        if not entries:
            return [], np.zeros((0, len(FEATURES)))
        every = np.unique(np.concatenate([keys, *(entry.keys for entry in entries)]))
        rarity = _rarity(self._postings.holders(every), len(self._slots))
        readings = [reading, *(entry.reading for entry in entries)]
        words = sorted({word for each in readings for word in each.tokens})
        what = known(words, self._postings.holders(word_keys(words)), len(self._slots))
        in_order = [steps(each) for each in readings]
        held = np.split(self._postings.holders(np.concatenate(in_order)), np.cumsum([len(each) for each in in_order]))
        prepared = [
            seen(each, counts.tolist(), int(place > 0), what.rarity)
            for place, (each, counts) in enumerate(zip(readings, held, strict=False))
        ]
        closely = [compare(prepared[0], each, what) for each in prepared[1:]]
        together = pooled(keys, [entry.keys for entry in entries], every, rarity)
        return entries, np.concatenate([closely, together], axis=1)

    def _look(self, text: str, count: int, task_type: str | None, domain: str | None) -> _Found:
        vectors = self.vectors
        task = vectors.encode(text) if vectors is not None and vectors.ready else None
        with self._lock:
            entries, features = self._observe(text, count)
        if not entries:
            return _Found([], features, np.zeros(0), learned())
        likeness = vectors.likeness(task, [entry.id for entry in entries]) if vectors and task is not None else None
        weights = learned(semantic=likeness is not None)
        if likeness is not None:
            features = np.concatenate([features, semantic(likeness)], axis=1)
        given = [
            weights.domain * _agree(domain, entry.domain) + weights.task_type * _agree(task_type, entry.task_type)
            for entry in entries
        ]
        # rounded, so that the last bit of a sum never decides between equals
        utility = np.round(weights.utility(features) + given, 9)
        order = sorted(range(len(entries)), key=lambda at: (-float(utility[at]), at))
        return _Found([entries[at] for at in order], features[order], utility[order], weights)

    def _parts(
        self, row: NDArray[np.float64], entry: _Entry, task_type: str | None, domain: str | None
    ) -> dict[str, float]:
        parts = {part: min(1.0, float(row[FEATURES.index(feature)])) for part, feature in _PARTS.items()}
        if len(row) > len(FEATURES):
            parts["semantic"] = min(1.0, max(0.0, float(row[len(FEATURES)])))
        if domain is not None and entry.domain is not None:
            parts["domain"] = float(domain == entry.domain)
        if task_type is not None and entry.task_type is not None:
            parts["type"] = float(task_type == entry.task_type)
        return parts


def _agree(mine: str | None, theirs: str | None) -> float:
    return 0.0 if mine is None or theirs is None else 1.0 if mine == theirs else -1.0


def _rarity(holders: NDArray[np.float64], entries: int) -> NDArray[np.float64]:
    return np.log((entries + 1) / (np.maximum(holders, 0) + 1)) + 1


def _head(head: Any) -> float:
    """The threshold that a saved index's first line gives."""
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise ValueError(f"its first line does not say {FORMAT!r}")
    return float(head["threshold"])


def _row(row: Any) -> tuple[Identity, str, str | None, str | None]:
    """One saved entry, checked: an index may have been written by anybody."""
    id_, text, task_type, domain = row
    if not isinstance(id_, (str, int)) or not isinstance(text, str):
        raise TypeError(f"an entry is {str(row)[:80]!r}, not [id, text, type, domain]")
    if not all(isinstance(value, (str, type(None))) for value in (task_type, domain)):
        raise TypeError(f"entry {id_!r} has a type or domain that is no text")
    return id_, text, task_type, domain


def _explain(parts: dict[str, float]) -> str:
    """The parts of a score in one line."""
    said = [
        f"{parts['alignment']:.0%} of the words line up",
        f"{parts['pattern']:.0%} of the wording's pattern and {parts['keyword']:.0%} of the telling words are shared",
    ]
    if "semantic" in parts:
        said.append(f"the meaning is {parts['semantic']:.0%} alike")
    if "domain" in parts:
        said.append("same domain" if parts["domain"] else "another domain")
    if "type" in parts:
        said.append("same type of task" if parts["type"] else "another type of task")
    return "; ".join(said)
