"""Scores as p-values of the background alone, without a choice of sign, and several of them as one.

A p-value here is the chance that a background event lies as far out: (1 + number of background events at least as far)
/ (1 + N), exactly uniform for a new background event with scores that differ (conformal; Vovk et al., Algorithmic
Learning in a Random World, 2005), too large with equal scores, never below 1 / (1 + N): beyond the last background
event nothing is ranked. With weights the event itself counts as the largest weight, which is cautious.

Several scores are combined without an assumption on their dependence: the combination is fitted to one half of the
background, and its own p-value comes from the other half.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, ndtri_exp

from facsim.core.arrays import to_numpy
from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.metrics._samples import FloatArray, as_numbers, check_values
from facsim.metrics._tail import Tail

HOW = ("fisher", "harmonic", "mahalanobis")
FARTHEST = 10
"""Effective events of the background whose mean excess is the scale beyond the last of them."""


def tail_probability(
    scores: NDArray[Any], background: NDArray[Any], weights: NDArray[Any] | None = None, *, two_sided: bool = False
) -> FloatArray:
    """p-values (M,) of scores (M,): the background at or above each, or twice the smaller side.

    Args:
        scores: (M,). background: scores (N,) of other events.
        weights: of the background, not negative.
        two_sided: low scores are as odd as high ones.

    Raises:
        FacsimError: empty samples, scores that are not finite, weights that do not fit or are negative.
    """
    x = check_values("scored", scores)
    above = _at_or_above(x, Tail("background", background, weights))
    if not two_sided:
        return above
    below = _at_or_above(-x, Tail("background", -check_values("background", background), weights))
    return np.asarray(np.minimum(1.0, 2 * np.minimum(above, below)))


def sign_free(scores: NDArray[Any], background: NDArray[Any], weights: NDArray[Any] | None = None) -> FloatArray:
    """Distance from the background's centre in quantiles, (M,): -log10 of a two-sided p-value, 0 in the middle.

    To rank events, not to claim a probability: between background scores the logarithm of the p-value is interpolated,
    and beyond the last it falls exponentially, with the mean excess of the ten events (effective) that are farthest.

    Arguments and errors as of `tail_probability`.
    """
    x = check_values("scored", scores)
    upper, lower = _both_sides(check_values("background", background), weights)
    return np.asarray(-np.minimum(0.0, np.log(2) + np.minimum(upper(x), lower(-x))) / np.log(10))


class _LogTail:
    """Logarithm of the p-value of a score, falling, as a continuous function."""

    def __init__(self, tail: Tail) -> None:
        cuts = tail.cuts()
        self._at = cuts[-2::-1]
        share = tail.fraction(cuts)[:0:-1] * tail.sums.total + tail.sums.largest
        self._log = np.log(share / (tail.sums.total + tail.sums.largest))
        farthest = int(np.argmax(np.append(tail.effective(cuts[1:]) >= FARTHEST, True)))
        excess = tail.scores[tail.scores >= cuts[min(farthest, len(cuts) - 2)]]
        self._scale = float(excess.mean() - excess[0]) or float(np.std(tail.scores)) or 1.0

    def __call__(self, x: FloatArray) -> FloatArray:
        beyond = np.maximum(x - self._at[-1], 0.0) / self._scale
        before = np.interp(x, np.append(self._first(), self._at), np.append(0.0, self._log))
        return np.asarray(before - beyond)

    def _first(self) -> float:
        """A score so low that its p-value is one."""
        return float(self._at[0] - self._scale)


def _both_sides(background: FloatArray, weights: NDArray[Any] | None = None) -> tuple[_LogTail, _LogTail]:
    """Of scores, and of scores with the sign changed."""
    sides = (Tail("background", sign * background, weights) for sign in (1, -1))
    upper, lower = (_LogTail(side) for side in sides)
    return upper, lower


class Combination:
    """Several scores of an event as one p-value.

    `fisher`: -2 sum ln p; many scores a little odd. `harmonic`: mean of 1 / p (Wilson, PNAS 116 (2019) 1195); one score
    very odd. `mahalanobis`: z' C^-1 z of normal scores z, C their shrunk covariance; combinations that are odd though
    no score is. The first two take two-sided p-values.

    Args:
        background: scores of background events (N, K), at least 8.
        how: see above.
        seed: of the halves.

    Raises:
        FacsimError: another shape, too few events, scores that are not finite, an unknown `how`.
    """

    def __init__(self, background: NDArray[Any], how: str = "mahalanobis", *, seed: int = 0) -> None:
        x = _table("background", background)
        if how not in HOW or len(x) < 8:
            raise FacsimError(f"a combination needs one of {HOW} ('{how}') and 8 background events ({len(x)}).")
        order = generator(seed, "combination").permutation(len(x))
        fitted = x[order[: len(x) // 2]]
        self.how, self._sides = how, [_both_sides(column) for column in fitted.T]
        self._inverse = np.linalg.inv(shrunk_covariance(self._normal(fitted)))
        self._calibration = self.statistic(x[order[len(x) // 2 :]])

    def p_values(self, scores: NDArray[Any]) -> FloatArray:
        """Of events (M, K) that the combination has not seen, (M,): uniform for background.

        Raises:
            FacsimError: another number of scores, or scores that are not finite.
        """
        return tail_probability(self.statistic(scores), self._calibration)

    def statistic(self, scores: NDArray[Any]) -> FloatArray:
        """What the p-values are of, (M,), larger for odder events: ranks them beyond the last background event too.

        Raises:
            FacsimError: as `p_values`.
        """
        x = _table("scored", scores, len(self._sides))
        if self.how == "mahalanobis":
            z = self._normal(x)
            return np.asarray(np.einsum("ni,ij,nj->n", z, self._inverse, z))
        log_p = [np.minimum(0.0, np.log(2) + np.minimum(*pair)) for pair in self._logs(x)]
        return np.asarray(logsumexp(-np.array(log_p), axis=0) if self.how == "harmonic" else -2 * np.sum(log_p, axis=0))

    def _logs(self, x: FloatArray) -> list[tuple[FloatArray, FloatArray]]:
        """Of each score, logarithms of the p-values of either side, (M,) each."""
        return [(upper(each), lower(-each)) for each, (upper, lower) in zip(x.T, self._sides, strict=True)]

    def _normal(self, x: FloatArray) -> FloatArray:
        """Normal scores (M, K), each from the side that it lies on."""
        sides = [[ndtri_exp(np.minimum(log_p, np.log(0.5))) for log_p in pair] for pair in self._logs(x)]
        return np.stack([low - high for high, low in sides], axis=1)


def shrunk_covariance(x: NDArray[Any]) -> FloatArray:
    """Covariance (K, K) of events (N, K) drawn towards a multiple of the unit matrix as far as noise asks for.

    Ledoit and Wolf, J. Multivariate Anal. 88 (2004) 365, eq. 14: always positive definite where any column varies.
    """
    values = np.asarray(x, dtype=np.float64)
    centred = values - values.mean(axis=0)
    n, k = centred.shape
    sample = centred.T @ centred / n
    target = np.trace(sample) / k * np.eye(k)
    distance = float(np.sum((sample - target) ** 2))
    noise = float(np.sum(np.sum(centred**2, axis=1) ** 2) / n - np.sum(sample**2)) / n
    share = min(1.0, noise / distance) if distance > 0 else 1.0
    return np.asarray(share * target + (1 - share) * sample)


def _at_or_above(scores: FloatArray, tail: Tail) -> FloatArray:
    first, _ = tail.above(np.nextafter(scores, -np.inf))
    return np.minimum(1.0, (first + tail.sums.largest) / (tail.sums.total + tail.sums.largest))


def _table(name: str, scores: NDArray[Any], columns: int | None = None) -> FloatArray:
    x = as_numbers(name, to_numpy(scores))
    if x.ndim != 2 or not x.size or not np.isfinite(x).all() or x.shape[1] != (columns or x.shape[1]):
        raise FacsimError(f"the {name} sample must be finite scores (events, {columns or 'scores'}), not {x.shape}.")
    return x
