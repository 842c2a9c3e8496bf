"""Tests of one-dimensional weighted samples: Kolmogorov-Smirnov, and chi squared of two weighted histograms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2 as chi2_distribution
from scipy.stats import kstwobign

from facsim.core.errors import FacsimError
from facsim.metrics._samples import FloatArray, check_values, check_weights

ENTRIES = 20
"""Of the whole sample's weights that join those of a bin in its variance."""


@dataclass(frozen=True)
class TestResult:
    """A statistic with its error, and the p-value of the hypothesis that both samples are of one distribution.

    `degrees` is the number of degrees of freedom of a chi squared, 0 otherwise.
    """

    statistic: float
    error: float
    p_value: float
    degrees: int = 0

    __test__ = False  # not a test case of pytest


def ks_test(
    a: NDArray[Any],
    b: NDArray[Any],
    weights_a: NDArray[Any] | None = None,
    weights_b: NDArray[Any] | None = None,
) -> TestResult:
    """Kolmogorov-Smirnov distance sup |F_a - F_b| of two weighted samples.

    Weights may be negative (sWeights); then a distribution function may fall, and the distance is still that of the two
    functions. The p-value is the asymptotic one with the effective numbers of events (sum w)^2 / sum w^2: without
    weights it agrees with SciPy's asymptotic test; with negative ones it is approximate. The error is that of
    |F_a - F_b| at the place of the largest distance.

    Args:
        a: reference values (N,), b: values to judge (M,).
        weights_a, weights_b: event weights.

    Raises:
        FacsimError: empty samples, values that are not finite, weights that do not fit or sum to zero.
    """
    x, y = check_values("reference", a), check_values("generated", b)
    u, v = check_weights("reference", len(x), weights_a), check_weights("generated", len(y), weights_b)
    values = np.concatenate([x, y])
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    step_x = np.concatenate([u, np.zeros(len(v))])[order]
    step_y = np.concatenate([np.zeros(len(u)), v])[order]
    cdf_x, cdf_y = np.cumsum(step_x) / u.sum(), np.cumsum(step_y) / v.sum()
    last = np.append(ordered[1:] != ordered[:-1], True)
    gap = np.where(last, np.abs(cdf_x - cdf_y), 0.0)
    place = int(gap.argmax())
    statistic = float(gap[place])
    variance = _cdf_variance(u, x <= ordered[place]) + _cdf_variance(v, y <= ordered[place])
    n, m = (float(w.sum() ** 2 / np.sum(w**2)) for w in (u, v))
    p_value = float(kstwobign.sf(np.sqrt(n * m / (n + m)) * statistic))
    return TestResult(statistic, float(np.sqrt(variance)), p_value)


def chi2_test(
    a: NDArray[Any],
    b: NDArray[Any],
    bins: NDArray[Any],
    weights_a: NDArray[Any] | None = None,
    weights_b: NDArray[Any] | None = None,
) -> TestResult:
    """Chi squared of the shapes of two weighted histograms (Gagunashvili, arXiv physics/0605123; Porter, 0804.0380).

    sum over bins of (p - q)^2 / (var p + var q), p and q the histograms over the sums of weights. Without negative
    weights both variances are taken at the common share (n p + m q) / (n + m), n and m the effective numbers of events,
    and with the size of the bin's weights (20 of the whole sample's join them: a few entries miss the large ones), so
    that a bin that is empty in the smaller sample has a variance too. With negative weights they are each bin's sum of
    squared weights alone, which takes some ten entries in every bin of either sample. Underflow and overflow are bins.
    Bins in which neither sample has an entry are left out; the degrees of freedom are the others less one. The error is
    sqrt(2 degrees + 4 (statistic - degrees)), and not below sqrt(2 degrees).

    Args:
        a: reference values (N,), b: values to judge (M,).
        bins: edges that increase.
        weights_a, weights_b: event weights, negative ones allowed.

    Raises:
        FacsimError: as `ks_test`, or edges that do not increase.
    """
    edges = np.asarray(bins, dtype=np.float64)
    if edges.ndim != 1 or len(edges) < 2 or not np.all(np.diff(edges) > 0):
        raise FacsimError("chi squared needs at least two increasing bin edges.")
    shapes, variances, units, positive = [], [], [], True
    for name, values, weights in (("reference", a, weights_a), ("generated", b, weights_b)):
        x = check_values(name, values)
        w = check_weights(name, len(x), weights)
        place = np.searchsorted(edges, x, side="right")
        place[x == edges[-1]] -= 1
        content, square = (np.bincount(place, power, len(edges) + 1) for power in (w, w**2))
        shapes.append(content / w.sum())
        variances.append(square / w.sum() ** 2)
        positive &= bool(np.all(w >= 0))
        # The share of an entry, of each bin with some entries of the whole sample: few entries miss the large weights.
        content, square = content + ENTRIES * w.mean(), square + ENTRIES * np.mean(w**2)
        units.append(square / np.where(content > 0, content, 1.0) / w.sum())
    variance = variances[0] + variances[1]
    if positive:
        n, m = (1 / part.sum() for part in variances)
        variance = (n * shapes[0] + m * shapes[1]) / (n + m) * (units[0] + units[1])
    filled = variance > 0
    statistic = float(np.sum((shapes[0] - shapes[1])[filled] ** 2 / variance[filled]))
    degrees = int(filled.sum()) - 1
    error = float(np.sqrt(2 * degrees + 4 * max(statistic - degrees, 0.0)))
    p_value = float(chi2_distribution.sf(statistic, degrees)) if degrees > 0 else 1.0
    return TestResult(statistic, error, p_value, degrees)


def _cdf_variance(weights: FloatArray, below: NDArray[np.bool_]) -> float:
    """Variance of the weighted fraction `below`."""
    fraction = weights[below].sum() / weights.sum()
    return float(np.sum((weights * (below - fraction)) ** 2) / weights.sum() ** 2)
