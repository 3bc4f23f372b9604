"""Which clause of a task asks for which call, learned from tasks and the calls that solved them, nothing else.

Nobody says which sentence led to which call. So the alignment is latent: reading a task clause by clause, each frame
(:mod:`.clauses`) asks for nothing or for one call, and the calls come in the order of the clauses. The probability of a
sequence of calls is the sum over all ways to lay it over the frames; a log-linear model of a frame's label, given its
features and the call before, is fitted so that the sequences seen are likely (forward-backward, L-BFGS, ridge penalty).
A label's own name speaks for it as well: one weight, shared by all tools, says how much it means that a clause has the
words of a tool's name. That is what carries over to wordings that were never seen.

Fitting is convex enough to be deterministic: it starts at zero and sees the examples in a fixed order.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from .clauses import frames, name_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .clauses import Frame

RIDGE = 1.0
"""The penalty on a word's weight. 0.5, 1 and 2 were compared by cross-validation and differ by less than its noise."""

RIDGE_NAMES = 0.1
"""The penalty on the few weights that all tools share."""

RIDGE_ORDER = 0.3
"""The penalty on the weights of which call follows which."""

ROUNDS = 60
"""Steps of the optimiser; more change nothing that can be measured."""

BATCH = 48
"""Examples of like length that are worked on at once."""

BEAM = 40
"""Sequences that are kept while reading a task."""

MAX_LABELS, MAX_CALLS = 48, 12

_NEVER = -1e9
_SHARED = 6  # three ways in which a name's words occur, for the first and the second frame of a clause


class Example(NamedTuple):
    """A task, the calls that solved it, and how much it counts."""

    text: str
    calls: tuple[str, ...]
    weight: float = 1.0


class _Batch(NamedTuple):
    rows: Any  # sparse: one row for each frame that exists
    keep: Any  # where these rows stand in (examples x frames)
    shared: Any  # rows x labels x _SHARED
    mask: Any  # examples x frames
    second: Any  # examples x frames: 1 for the second frame of a clause
    calls: Any  # examples x calls: labels
    lengths: Any
    weights: Any


class ClauseModel:
    """The fitted model: asked for the likely sequences of calls of a task."""

    def __init__(self, examples: Sequence[Example]) -> None:
        """Fit the model.

        Args:
            examples: solved tasks. Those with more than :data:`MAX_CALLS` calls, or with a tool that is not among the
                :data:`MAX_LABELS` most common, are left out.

        Raises:
            ImportError: numpy or scipy is not installed.
            ValueError: there is no call in any example.
        """
        counts = Counter(call for example in examples for call in example.calls)
        self.labels = sorted(sorted(counts, key=lambda call: (-counts[call], call))[:MAX_LABELS])
        if not self.labels:
            raise ValueError("there is no call to learn from in any of the examples")
        known = set(self.labels)
        examples = sorted(one for one in examples if len(one.calls) <= MAX_CALLS and known.issuperset(one.calls))
        self._number = {label: number for number, label in enumerate(self.labels, 1)}
        self._names = {label: name_words(label) for label in self.labels}
        common = Counter(word for words in self._names.values() for word in set(words))
        self._rarity = {word: math.log((len(self.labels) + 1) / count) / 2 for word, count in common.items()}
        read = [frames(one.text) for one in examples]
        seen = Counter(name for one in read for name in {name for frame in one for name in frame.features})
        self._features = {name: number for number, name in enumerate(sorted(n for n, c in seen.items() if c > 1))}
        self._last: tuple[str, dict[tuple[int, ...], tuple[float, tuple[int, ...]]]] | None = None
        self._fit(examples, read)

    # -- fitting -------------------------------------------------------------------------------------------------

    def _fit(self, examples: Sequence[Example], read: Sequence[list[Frame]]) -> None:
        import numpy as np  # heavy, and needed only where there is a library
        from scipy.optimize import minimize

        labels, size = len(self.labels) + 1, len(self._features)
        order = sorted(range(len(examples)), key=lambda number: (len(read[number]), number))
        batches = []
        for first in range(0, len(order), BATCH):
            part = order[first : first + BATCH]
            batches.append(self._batch([examples[number] for number in part], [read[number] for number in part]))
        words, orders = size * labels, 2 * labels * labels
        penalty = np.concatenate([np.full(words, RIDGE), np.full(orders, RIDGE_ORDER), np.full(_SHARED, RIDGE_NAMES)])

        def loss(weights: Any) -> tuple[float, Any]:
            split = (weights[:words].reshape(size, labels), weights[words : words + orders], weights[words + orders :])
            total = 0.5 * float((penalty * weights * weights).sum())
            slope = penalty * weights
            for batch in batches:
                likelihood, gradient = _likelihood(batch, split[0], split[1].reshape(2 * labels, labels), split[2])
                total -= likelihood
                slope -= gradient
            return total, slope

        start = np.zeros(words + orders + _SHARED)
        for name, value in (("bias", 1.0), ("2 bias", 2.0)):  # most frames ask for nothing
            if name in self._features:
                start[self._features[name] * labels] = value
        found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": ROUNDS}).x
        self._words = found[:words].reshape(size, labels)
        self._orders = found[words : words + orders].reshape(2, labels, labels)
        self._shared = found[words + orders :]

    def _batch(self, examples: Sequence[Example], read: Sequence[list[Frame]]) -> _Batch:
        import numpy as np
        from scipy.sparse import csr_matrix

        number, longest = len(examples), max(1, *map(len, read))
        most = max(1, *(len(one.calls) for one in examples)) if examples else 1
        mask = np.zeros((number, longest), bool)
        second = np.zeros((number, longest), int)
        row, column, value, shared = [], [], [], []
        for place, example in enumerate(read):
            for time, frame in enumerate(example):
                mask[place, time] = True
                second[place, time] = frame.second
                for name, weight in frame.features.items():
                    if name in self._features:
                        row.append(len(shared))
                        column.append(self._features[name])
                        value.append(weight)
                shared.append(self._shared_features(frame))
        calls = np.zeros((number, most), int)
        for place, example in enumerate(examples):
            calls[place, : len(example.calls)] = [self._number[call] for call in example.calls]
        rows = csr_matrix((value, (row, column)), shape=(len(shared), len(self._features)))
        tensor = np.array(shared) if shared else np.zeros((0, len(self.labels) + 1, _SHARED))
        lengths = np.array([len(one.calls) for one in examples])
        weights = np.array([one.weight for one in examples])
        return _Batch(rows, np.flatnonzero(mask.ravel()), tensor, mask, second, calls, lengths, weights)

    def _shared_features(self, frame: Frame) -> list[list[float]]:
        """How much of each label's name stands in the clause: its words by rarity, its first word, all of them."""
        found = [[0.0] * _SHARED for _ in range(len(self.labels) + 1)]
        offset = _SHARED // 2 if frame.second else 0
        for label, words in self._names.items():
            hits = [word for word in words if word in frame.words]
            if hits:
                row = found[self._number[label]]
                row[offset] = sum(self._rarity[word] for word in hits)
                row[offset + 1] = float(words[0] in frame.words)
                row[offset + 2] = float(len(hits) == len(words))
        return found

    # -- asking --------------------------------------------------------------------------------------------------

    def sequences(self, text: str) -> dict[tuple[str, ...], float]:
        """The likely sequences of calls for a task, with their probabilities (they sum to 1)."""
        return {tuple(self.labels[label - 1] for label in key): p for key, (p, _) in self._read(text).items()}

    def clauses_of(self, text: str, calls: tuple[str, ...]) -> list[int]:
        """For each of these calls, the number of the clause that likeliest asks for it; empty where it was not
        among the likely sequences."""
        key = tuple(self._number.get(call, 0) for call in calls)
        found = self._read(text).get(key)
        return list(found[1]) if found else []

    def _read(self, text: str) -> dict[tuple[int, ...], tuple[float, tuple[int, ...]]]:
        if self._last is None or self._last[0] != text:  # a plan asks twice about its task
            self._last = (text, self._searched(text))
        return self._last[1]

    def _searched(self, text: str) -> dict[tuple[int, ...], tuple[float, tuple[int, ...]]]:
        import numpy as np

        beam: dict[tuple[int, ...], float] = {(): 0.0}
        best: dict[tuple[int, ...], tuple[float, tuple[int, ...]]] = {(): (0.0, ())}
        for frame in frames(text):
            base = np.array(self._shared_features(frame)) @ self._shared
            for name, value in frame.features.items():
                if name in self._features:
                    base = base + value * self._words[self._features[name]]
            after: dict[tuple[int, ...], float] = {}
            ways: dict[tuple[int, ...], tuple[float, tuple[int, ...]]] = {}
            for key, so_far in beam.items():
                scores = base + self._orders[int(frame.second), key[-1] if key else 0]
                scores = scores - (scores.max() + math.log(float(np.exp(scores - scores.max()).sum())))
                for label, score in enumerate(scores.tolist()):
                    if label and (score < -9 or len(key) >= 2 * MAX_CALLS):
                        continue
                    longer = (*key, label) if label else key
                    after[longer] = float(np.logaddexp(after.get(longer, _NEVER), so_far + score))
                    likeliest, where = best[key]
                    way = (likeliest + score, (*where, frame.clause) if label else where)
                    if longer not in ways or way[0] > ways[longer][0]:
                        ways[longer] = way
            kept = sorted(after, key=lambda key: (-after[key], key))[:BEAM]
            beam, best = {key: after[key] for key in kept}, {key: ways[key] for key in kept}
        top = max(beam.values())
        total = sum(math.exp(value - top) for value in beam.values())
        return {key: (math.exp(value - top) / total, best[key][1]) for key, value in beam.items()}


def _likelihood(batch: _Batch, words: Any, orders: Any, shared: Any) -> tuple[float, Any]:
    """The log-likelihood of a batch's sequences, and its gradient by all weights."""
    import numpy as np

    number, longest = batch.mask.shape
    most, labels = batch.calls.shape[1], words.shape[1]
    every = np.arange(number)
    plain = np.zeros((number * longest, labels))
    plain[batch.keep] = batch.rows @ words + batch.shared @ shared
    before = np.concatenate([np.zeros((number, 1), int), batch.calls], axis=1)
    place = batch.second[:, :, None] * labels + before[:, None, :]  # examples x frames x calls so far
    scores = plain.reshape(number, longest, 1, labels) + orders[place]
    scores -= scores.max(-1, keepdims=True)
    chances = np.exp(scores)
    sums = chances.sum(-1, keepdims=True)
    chances /= sums
    scores -= np.log(sums)
    exists = batch.mask[:, :, None]
    none = np.where(exists, scores[..., 0], 0.0)
    columns = np.arange(most)
    call = scores[every[:, None, None], np.arange(longest)[None, :, None], columns, batch.calls[:, None, :]]
    call = np.where(exists & (columns < batch.lengths[:, None])[:, None, :], call, _NEVER)
    ahead = np.full((number, longest + 1, most + 1), _NEVER)
    ahead[:, 0, 0] = 0.0
    behind = np.full((number, longest + 1, most + 1), _NEVER)
    behind[every, longest, batch.lengths] = 0.0
    for time in range(longest):
        stay = ahead[:, time] + none[:, time]
        ahead[:, time + 1, 0] = stay[:, 0]
        ahead[:, time + 1, 1:] = np.logaddexp(stay[:, 1:], ahead[:, time, :-1] + call[:, time])
    for time in range(longest - 1, -1, -1):
        stay = behind[:, time + 1] + none[:, time]
        behind[:, time] = stay
        behind[:, time, :-1] = np.logaddexp(stay[:, :-1], behind[:, time + 1, 1:] + call[:, time])
    likelihood = ahead[every, longest, batch.lengths]
    # A sequence longer than the frames it would need has no way at all; it says nothing.
    possible = (likelihood > _NEVER / 2) * batch.weights
    whole = likelihood[:, None, None]
    weight = (exists * possible[:, None, None]).astype(float)
    staying = np.exp(np.clip(ahead[:, :-1] + none + behind[:, 1:] - whole, -700, 0)) * weight
    calling = np.exp(np.clip(ahead[:, :-1, :-1] + call + behind[:, 1:, 1:] - whole, -700, 0)) * weight
    occupied = staying.copy()
    occupied[..., :-1] += calling
    slope = -occupied[..., None] * chances
    slope[..., 0] += staying
    slope[every[:, None, None], np.arange(longest)[None, :, None], columns, batch.calls[:, None, :]] += calling
    by_frame = slope.sum(2).reshape(number * longest, labels)[batch.keep]
    flat = place.ravel()
    by_order = np.stack(
        [np.bincount(flat, slope[..., label].ravel(), minlength=len(orders)) for label in range(labels)], axis=1
    )
    gradient = np.concatenate([
        np.asarray(batch.rows.T @ by_frame).ravel(),
        by_order.ravel(),
        np.einsum("nck,nc->k", batch.shared, by_frame),
    ])  # fmt: skip
    return float((likelihood * possible).sum()), gradient
