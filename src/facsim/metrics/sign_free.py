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
from scipy.special import ndtri

from facsim.core.arrays import to_numpy
from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.metrics._samples import FloatArray, as_numbers, check_values
from facsim.metrics._tail import Tail

HOW = ("fisher", "harmonic", "mahalanobis")


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
    """Distance from the background's centre in quantiles, (M,): -log10 of the two-sided p-value, 0 in the middle.

    Arguments and errors as of `tail_probability`.
    """
    return -np.log10(tail_probability(scores, background, weights, two_sided=True))


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
        self.how, self._fitted = how, x[order[: len(x) // 2]]
        self._inverse = np.linalg.inv(shrunk_covariance(self._normal(self._fitted)))
        self._calibration = self._combined(x[order[len(x) // 2 :]])

    def p_values(self, scores: NDArray[Any]) -> FloatArray:
        """Of events (M, K) that the combination has not seen, (M,): uniform for background.

        Raises:
            FacsimError: another number of scores, or scores that are not finite.
        """
        return tail_probability(self._combined(_table("scored", scores, self._fitted.shape[1])), self._calibration)

    def _combined(self, x: FloatArray) -> FloatArray:
        if self.how == "mahalanobis":
            z = self._normal(x)
            return np.asarray(np.einsum("ni,ij,nj->n", z, self._inverse, z))
        p = [tail_probability(column, known, two_sided=True) for column, known in zip(x.T, self._fitted.T, strict=True)]
        return np.asarray(np.mean(1 / np.array(p), axis=0) if self.how == "harmonic" else -2 * np.log(p).sum(axis=0))

    def _normal(self, x: FloatArray) -> FloatArray:
        """Normal scores (M, K) of each column's middle rank among the fitted background."""
        n, columns = len(self._fitted), []
        for column, known in zip(x.T, np.sort(self._fitted, axis=0).T, strict=True):
            rank = 0.5 * (np.searchsorted(known, column, "left") + np.searchsorted(known, column, "right"))
            columns.append(ndtri((rank + 0.5) / (n + 1)))
        return np.stack(columns, axis=1)


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
