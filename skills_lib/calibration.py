"""What the matcher's observations are worth: weights learned from data, kept as data.

A linear model turns the numbers of :mod:`.rescoring` into one utility; two logistic curves turn utilities into
probabilities: that a match follows the task's template, and that anything in the index does. ``data/matching.json``
holds the coefficients and says what they were learned from; ``tests/bench/learn_matching.py`` learns them again. A
linear model on purpose: more flexible ones fitted the tasks they saw better and new templates no better.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .rescoring import FEATURES

if TYPE_CHECKING:
    from numpy.typing import NDArray

TYPICAL = 0.6
"""How well the best candidate usually lines up (``dice``): the second set of weights counts from here."""

_ALIGNMENT = FEATURES.index("dice")

FILE = Path(__file__).parent / "data" / "matching.json"


class Weights(NamedTuple):
    """One learned model.

    ``slopes`` are per :func:`widened` feature; ``match`` is (slope, intercept) from utility to the log-odds of a match;
    ``fit`` the same from the best utility to the log-odds that something fits. (The distance to the second, the
    number of good candidates and the best one's features were tried beside it: they told no more of new templates.)
    """

    slopes: NDArray[np.float64]
    centre: float
    match: tuple[float, float]
    fit: tuple[float, float]
    domain: float
    task_type: float

    def utility(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """One number for each row of features: the higher, the likelier of the same template."""
        return widened(features) @ self.slopes - self.centre

    def probability(self, utility: NDArray[np.float64]) -> NDArray[np.float64]:
        """The calibrated score, 0..1, of matches with these utilities."""
        slope, intercept = self.match
        return _logistic(slope * utility + intercept)

    def fits(self, utility: NDArray[np.float64]) -> float:
        """The probability, 0..1, that one of the candidates follows the task's template."""
        if not len(utility):
            return 0.0
        slope, intercept = self.fit
        return float(_logistic(slope * utility.max(keepdims=True) + intercept)[0])


def widened(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """The features, and each again times how well the best candidate lines up.

    Where some candidate agrees nearly word for word, order and grammar decide; where the task is worded like none of
    them, only its telling words can. One weight for a feature cannot serve both.
    """
    best = features[:, _ALIGNMENT].max() - TYPICAL if len(features) else 0.0
    return np.concatenate([features, features * best], axis=1)


def _logistic(value: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1.0 / (1.0 + np.exp(-np.clip(value, -40.0, 40.0)))


SEMANTIC = ("semantic", "semantic_masked", "semantic_behind", "semantic_masked_behind")
"""What an encoder adds to the features: the cosine of the wordings and of the masked ones, and how far each is behind
the best candidate's."""


def semantic(likeness: NDArray[np.float64]) -> NDArray[np.float64]:
    """The numbers of :data:`SEMANTIC` from the cosines, a row for each candidate."""
    return np.concatenate([likeness, likeness - likeness.max(0, initial=-1.0)], axis=1)


@lru_cache(maxsize=2)
def learned(*, semantic: bool = False) -> Weights:
    """The weights that come with the package, for features with or without the encoder's.

    Raises:
        ValueError: the file and this version of the matcher do not belong together.
    """
    held = json.loads(FILE.read_text(encoding="utf-8"))
    if tuple(held["features"]) != (*FEATURES, *SEMANTIC):
        raise ValueError(f"{FILE} holds weights of other features: learn them again with tests/bench/learn_matching.py")
    model = held["semantic" if semantic else "lexical"]
    return Weights(
        slopes=np.array(model["slopes"], float),
        centre=float(model["centre"]),
        match=(float(model["match"][0]), float(model["match"][1])),
        fit=(float(model["fit"][0]), float(model["fit"][1])),
        domain=float(model["domain"]),
        task_type=float(model["task_type"]),
    )
