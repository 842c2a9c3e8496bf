"""Means, quantiles and widths of values under many sets of weights at once: the replicas of a bootstrap.

Replicas that are shared between samples of the same events give the error of a difference, their correlation included
(Poisson bootstrap: Efron and Tibshirani, An Introduction to the Bootstrap, 1993; Chamandy et al., 2012).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

CORE = (0.15865525, 0.84134475)
"""Quantiles one standard deviation from the middle of a Gaussian."""


def replica_weights(n: int, replicas: int, rng: np.random.Generator) -> FloatArray:
    """(1 + replicas, n): weights 1, and Poisson weights of mean 1."""
    return np.concatenate([np.ones((1, n)), rng.poisson(1.0, (replicas, n)).astype(np.float64)])


def weighted_mean(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Means (B,) of values (n,) under weights (B, n); NaN without weight."""
    total = weights.sum(axis=1)
    return np.asarray(np.divide(weights @ values, total, out=np.full(len(weights), np.nan), where=total > 0))


def weighted_quantiles(values: FloatArray, weights: FloatArray, levels: tuple[float, ...]) -> FloatArray:
    """Quantiles (B, L) of values (n,) under weights (B, n), between values by linear interpolation."""
    found = np.full((len(weights), len(levels)), np.nan)
    order = np.argsort(values)
    ordered = values[order]
    for k, weight in enumerate(weights[:, order]):
        total = np.cumsum(weight)
        if len(total) and total[-1] > 0:
            found[k] = np.interp(levels, (total - 0.5 * weight) / total[-1], ordered)
    return found


def core_width(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Half the distance (B,) between the quantiles at 16 % and 84 %: a Gaussian's sigma, blind to tails."""
    quantiles = weighted_quantiles(values, weights, CORE)
    return 0.5 * (quantiles[:, 1] - quantiles[:, 0])


def half_width(values: FloatArray) -> float:
    """The same of values (n,) that all count alike, by NumPy's quantiles."""
    low, high = np.quantile(values, CORE)
    return float(high - low) / 2


def median(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Medians (B,)."""
    return weighted_quantiles(values, weights, (0.5,))[:, 0]


def spread(replicas: FloatArray) -> float:
    """Error of the first of (1 + B,) values from the others; NaN with fewer than two finite ones."""
    finite = replicas[1:][np.isfinite(replicas[1:])]
    return float(np.std(finite, ddof=1)) if len(finite) > 1 else float("nan")
