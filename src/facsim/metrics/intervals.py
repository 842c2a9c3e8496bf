"""Confidence intervals of fractions and of sums of weights, exact for counts.

Fractions have the interval of Clopper and Pearson (Biometrika 26 (1934) 404), sums of weights that of Fay and Feuer
(Statistics in Medicine 16 (1997) 791), which is Garwood's of a Poisson count where all weights are equal. With weights
both are made alike: the upper end is that of the sample with one more event of the largest weight on the side that
counts, moments matched by a beta or a gamma distribution; so nothing seen still has a limit.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv, gammaincinv

from facsim.core.errors import FacsimError

FloatArray = NDArray[np.float64]
SIGMA = 0.6826894921370859
"""Confidence level of one standard deviation."""
LEAST = 10.0
"""Effective background events below which a threshold is not called measured."""


class Interval(NamedTuple):
    """A value between the ends of its confidence interval; a value that is NaN stands for limits alone."""

    value: float
    low: float
    high: float

    @property
    def error(self) -> float:
        """Half of the interval's width."""
        return 0.5 * (self.high - self.low)


class Sums(NamedTuple):
    """Of a sample: sum of weights, sum of their squares, and the largest; all N, N and 1 without weights."""

    total: float
    squares: float
    largest: float

    @property
    def effective(self) -> float:
        """(sum w)^2 / sum w^2: events without weights of the same precision."""
        return self.total**2 / self.squares


def check_level(level: float) -> float:
    """A confidence level.

    Raises:
        FacsimError: it does not lie between 0 and 1.
    """
    if not 0 < level < 1:
        raise FacsimError(f"a confidence level lies between 0 and 1, and {level} does not.")
    return float(level)


def clopper_pearson(passed: ArrayLike, events: ArrayLike, level: float = SIGMA) -> tuple[FloatArray, FloatArray]:
    """Both ends of the interval of the fraction `passed` / `events`, counts of any one shape.

    Raises:
        FacsimError: counts that are none, more that pass than there are, or a level outside of 0 to 1.
    """
    k, n = np.broadcast_arrays(np.asarray(passed, dtype=np.float64), np.asarray(events, dtype=np.float64))
    if not (np.isfinite(n).all() and np.all((k >= 0) & (k <= n) & (n > 0))):
        raise FacsimError("an interval of fractions needs 0 <= passed <= events and at least one event.")
    alpha = 0.5 * (1 - check_level(level))
    some, rest = np.maximum(k, 1e-9), np.maximum(n - k, 1e-9)
    low, high = betaincinv(some, n - k + 1, alpha), betaincinv(k + 1, rest, 1 - alpha)
    return np.where(k > 0, low, 0.0), np.where(k < n, high, 1.0)


def fraction_interval(
    first: ArrayLike, second: ArrayLike, sums: Sums, level: float = SIGMA
) -> tuple[FloatArray, FloatArray]:
    """Both ends of the interval of weighted fractions `first` / `sums.total`.

    Args:
        first, second: sums of weights and of their squares of events that pass, of any one shape; weights not
            negative.
        sums: of all events.
        level: of the two-sided interval.

    Raises:
        FacsimError: a level outside of 0 to 1.
    """
    y, squares = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    alpha, one = 0.5 * (1 - check_level(level)), sums.largest
    total, all_squares = sums.total + one, sums.squares + one**2
    low = _beta(y, squares, total, all_squares, alpha)
    high = _beta(y + one, squares + one**2, total, all_squares, 1 - alpha)
    return np.where(y > 0, low, 0.0), np.where(y < sums.total * (1 - 1e-12), high, 1.0)


def sum_interval(
    first: ArrayLike, second: ArrayLike, largest: float, level: float = SIGMA
) -> tuple[FloatArray, FloatArray]:
    """Both ends of the interval of the expectation of a sum of weights whose number of events is Poisson.

    Args:
        first, second: sums of weights (not negative) and of their squares of what was seen, of any one shape.
        largest: weight that an event could have had.

    Raises:
        FacsimError: a level outside of 0 to 1.
    """
    y, squares = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    alpha = 0.5 * (1 - check_level(level))
    low = _gamma(np.where(y > 0, y, 1.0), np.where(y > 0, squares, 1.0), alpha)
    return np.where(y > 0, low, 0.0), _gamma(y + largest, squares + largest**2, 1 - alpha)


def _beta(y: FloatArray, squares: FloatArray, total: float, all_squares: float, at: float) -> FloatArray:
    """Quantile of the beta distribution with the mean and the variance of the weighted fraction y / total."""
    e = np.clip(y / total, 1e-300, 1 - 1e-15)
    variance = ((1 - e) ** 2 * squares + e**2 * np.maximum(all_squares - squares, 0.0)) / total**2
    events = e * (1 - e) / np.maximum(variance, 1e-300)
    return np.asarray(betaincinv(np.maximum(e * events, 1e-9), np.maximum((1 - e) * events, 1e-9), at))


def _gamma(mean: FloatArray, variance: FloatArray, at: float) -> FloatArray:
    return np.asarray(variance / mean * gammaincinv(mean**2 / variance, at))


def interval(value: Any, low: Any, high: Any) -> Interval:
    """An `Interval` of plain numbers."""
    return Interval(float(value), float(low), float(high))
