"""The 1-Wasserstein distance of two weighted one-dimensional samples, with its error."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.metrics._samples import FloatArray, check_values


def wasserstein_1d(
    a: NDArray[Any],
    b: NDArray[Any],
    weights_a: NDArray[Any] | None = None,
    weights_b: NDArray[Any] | None = None,
    *,
    normalise: bool = False,
) -> tuple[float, float]:
    """W1 = integral |F_a - F_b|, in the unit of the values, or in units of the reference's standard deviation.

    The error is the infinitesimal jackknife: with s = sign(F_a - F_b), an event at x moves W1 by
    (integral s (1[x <= t] - F(t)) dt) w / sum(w), and the squares of these moves add up over the events of both
    samples. It is what a bootstrap converges to where F_a and F_b differ, and needs no random numbers.

    Args:
        a: reference values (N,), b: values to judge (M,).
        weights_a, weights_b: event weights, not negative.
        normalise: divide by the standard deviation of `a`; (nan, nan) when that is zero.

    Raises:
        FacsimError: empty samples, values that are not finite, weights that do not fit.
    """
    x, y = check_values("reference", a), check_values("generated", b)
    u, v = _weights("reference", x, weights_a), _weights("generated", y, weights_b)
    values = np.concatenate([x, y])
    order = np.argsort(values, kind="stable")
    values = values[order]
    from_x = order < len(x)
    mass = np.concatenate([u, v])[order]
    cdf_x, cdf_y = np.cumsum(np.where(from_x, mass, 0.0)), np.cumsum(np.where(from_x, 0.0, mass))
    steps = np.diff(values)
    gap = (cdf_x - cdf_y)[:-1]
    distance = float(np.sum(np.abs(gap) * steps))
    # potential(x) = integral of the sign from the smallest value up to x; an event at x adds minus that, centred.
    potential = np.concatenate([[0.0], np.cumsum(np.sign(gap) * steps)])
    variance = sum(_variance(potential[part], mass[part]) for part in (from_x, ~from_x))
    unit = _spread(x, u) if normalise else 1.0
    if unit == 0:
        return float("nan"), float("nan")
    return distance / unit, float(np.sqrt(variance)) / unit


def _weights(name: str, values: FloatArray, weights: NDArray[Any] | None) -> FloatArray:
    if weights is None:
        return np.full(len(values), 1 / len(values))
    given: FloatArray = np.asarray(weights, dtype=np.float64)
    if given.shape != values.shape or not np.all(given >= 0) or not 0 < given.sum() < np.inf:
        raise FacsimError(f"weights of the {name} sample must be {len(values)} numbers, not negative, not all zero.")
    return np.asarray(given / given.sum())


def _variance(potential: FloatArray, mass: FloatArray) -> float:
    """Variance of the weighted mean of `potential`, weights summing to 1."""
    centred = potential - np.sum(mass * potential)
    n = 1 / np.sum(mass**2)
    return float(np.sum((mass * centred) ** 2) * n / max(n - 1, 1e-9)) if n > 1 else 0.0


def _spread(values: FloatArray, mass: FloatArray) -> float:
    mean = np.sum(mass * values)
    spread = float(np.sqrt(np.sum(mass * (values - mean) ** 2)))
    return spread if spread > 1e-12 * abs(mean) else 0.0
