"""The 1-Wasserstein distance of two weighted one-dimensional samples, and its mean over directions, with errors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.metrics._samples import FloatArray, check_features, check_values, scale_robustly

ROUNDING = 1e-12


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
    distance, moves = _distance_and_moves(x, y, u, v)
    unit = _spread(x, u) if normalise else 1.0
    if unit == 0:
        return float("nan"), float("nan")
    return distance / unit, float(np.sqrt(_variance(moves[0], u) + _variance(moves[1], v))) / unit


def sliced_wasserstein(
    real: NDArray[Any], gen: NDArray[Any], *, directions: int = 100, scale: bool = True, seed: int = 42
) -> tuple[float, float]:
    """Mean W1 of two multivariate samples over random directions (sliced Wasserstein distance, arXiv 1304.5784).

    The error is the infinitesimal jackknife of the mean: what an event moves it by is the mean of what it moves the
    distance of each direction by. Like W1 itself it has a floor from finite samples: compare with truth against truth.

    Args:
        real: reference features (N, D), gen: features to judge (M, D).
        directions: random unit vectors.
        scale: take features in robust units limited to +-8; without it, as they are.
        seed: seed of the directions.

    Raises:
        FacsimError: shapes that do not fit, values that are not finite, or no direction.
    """
    x, y = check_features(real, gen)
    if directions < 1:
        raise FacsimError(f"the sliced Wasserstein distance needs at least one direction, not {directions}.")
    if scale:
        x, y = scale_robustly(x, y)
    u, v = np.full(len(x), 1 / len(x)), np.full(len(y), 1 / len(y))
    rng = generator(seed, "directions")
    total, moved_x, moved_y = 0.0, np.zeros(len(x)), np.zeros(len(y))
    for _ in range(directions):
        direction = rng.standard_normal(x.shape[1])
        direction = direction / float(np.linalg.norm(direction))
        distance, moves = _distance_and_moves(x @ direction, y @ direction, u, v)
        total += distance
        moved_x += moves[0] / directions
        moved_y += moves[1] / directions
    return float(total / directions), float(np.sqrt(_variance(moved_x, u) + _variance(moved_y, v)))


def _distance_and_moves(
    x: FloatArray, y: FloatArray, u: FloatArray, v: FloatArray
) -> tuple[float, tuple[FloatArray, FloatArray]]:
    """W1 of samples with weights that sum to 1, and the potential of each event of x and of y: what the event moves
    the distance by, up to sign, a constant and its weight."""
    values = np.concatenate([x, y])
    order = np.argsort(values, kind="stable")
    mass = np.concatenate([u, -v])[order]
    steps = np.diff(values[order])
    gap = np.cumsum(mass)[:-1]
    gap[np.abs(gap) < ROUNDING] = 0.0  # else the sign of rounding errors would move events
    # potential(x) = integral of the sign from the smallest value up to x; an event at x adds minus that, centred.
    potential = np.empty(len(values))
    potential[order] = np.concatenate([[0.0], np.cumsum(np.sign(gap) * steps)])
    return float(np.sum(np.abs(gap) * steps)), (potential[: len(x)], -potential[len(x) :])


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
