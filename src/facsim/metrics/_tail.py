"""What lies above thresholds of a score: sums of weights, fractions and their intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facsim.core.errors import FacsimError
from facsim.metrics._samples import FloatArray, check_values, check_weights
from facsim.metrics.intervals import SIGMA, Interval, Sums, fraction_interval, interval, sum_interval

SAME = 1e-12
EVERY, MOST = 2000, 50_000
"""Of many thresholds the tightest are kept one by one, of the others so many in equal steps of the logarithm."""


class Tail:
    """Scores of one sample, sorted once; an event passes a threshold when its score is above it, never when equal.

    Args:
        name: of the sample, for errors.
        scores: (N,). weights: not negative, (N,); by default 1.

    Raises:
        FacsimError: no scores, scores that are not finite, weights that do not fit, are negative or sum to zero.
    """

    def __init__(self, name: str, scores: NDArray[Any], weights: NDArray[Any] | None = None) -> None:
        x = check_values(name, scores)
        w = check_weights(name, len(x), weights, negative=False)
        order = np.argsort(x, kind="stable")
        self.scores = x[order]
        self._first, self._second = (
            np.append(np.cumsum(part[order][::-1])[::-1], 0.0) for part in (w, w**2)
        )  # summed from above: nothing above the largest score is exactly nothing
        self.sums = Sums(float(self._first[0]), float(self._second[0]), float(w.max()))

    def __len__(self) -> int:
        return len(self.scores)

    def cuts(self) -> FloatArray:
        """All thresholds that differ in what passes, from the one that nothing passes to -infinity."""
        return np.append(np.unique(self.scores)[::-1], -np.inf)

    def above(self, cuts: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Sums of weights and of their squares above each of `cuts`."""
        place = np.searchsorted(self.scores, np.asarray(cuts, dtype=np.float64), side="right")
        return self._first[place], self._second[place]

    def count(self, cuts: ArrayLike) -> NDArray[np.int64]:
        """Events above each of `cuts`, whatever they weigh."""
        place = np.searchsorted(self.scores, np.asarray(cuts, dtype=np.float64), side="right")
        return np.asarray(len(self) - place, dtype=np.int64)

    def fraction(self, cuts: ArrayLike) -> FloatArray:
        """Weighted fraction above each of `cuts`."""
        return self.above(cuts)[0] / self.sums.total

    def effective(self, cuts: ArrayLike) -> FloatArray:
        """Effective number of events above each of `cuts`."""
        first, second = self.above(cuts)
        return np.where(second > 0, first**2 / np.where(second > 0, second, 1.0), 0.0)

    def fraction_ends(self, cuts: ArrayLike, level: float = SIGMA) -> tuple[FloatArray, FloatArray]:
        """Ends of the intervals of the fractions."""
        return fraction_interval(*self.above(cuts), self.sums, level)

    def sum_ends(self, cuts: ArrayLike, level: float = SIGMA) -> tuple[FloatArray, FloatArray]:
        """Ends of the intervals of the sums of weights."""
        return sum_interval(*self.above(cuts), self.sums.largest, level)

    def fraction_at(self, cut: float, level: float = SIGMA) -> Interval:
        """Fraction above one threshold with its interval."""
        return interval(self.fraction(cut), *self.fraction_ends(cut, level))

    def sum_at(self, cut: float, level: float = SIGMA) -> Interval:
        """Sum of weights above one threshold with its interval."""
        return interval(self.above(cut)[0], *self.sum_ends(cut, level))


def thinned(cuts: FloatArray) -> FloatArray:
    """Falling thresholds, no more than some 50 000: steps of less than a tenth of the error at a million events."""
    if len(cuts) <= MOST:
        return cuts
    steps = np.geomspace(EVERY, len(cuts), MOST).astype(np.int64) - 1
    return np.asarray(cuts[np.unique(np.concatenate([np.arange(EVERY), steps]))])


def loosest_within(found: FloatArray, wanted: float) -> int:
    """Index of the loosest of increasing `found` that does not exceed `wanted`.

    Raises:
        FacsimError: not even the first fits.
    """
    place = int(np.searchsorted(found, wanted * (1 + SAME), side="right")) - 1
    if place < 0:
        raise FacsimError(f"no threshold keeps {wanted:g} or less.")
    return place
