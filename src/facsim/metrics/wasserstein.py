"""The 1-Wasserstein distance of two weighted one-dimensional samples, and its mean over directions, with errors."""

from __future__ import annotations

import numpy as np

from facsim.core.arrays import Array, like, namespace, to_numpy
from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.metrics._samples import FloatArray, check_features, check_values, check_weights, scale_robustly
from facsim.metrics.score import Estimate

ROUNDING = 1e-12


def wasserstein_1d(
    a: Array,
    b: Array,
    weights_a: Array | None = None,
    weights_b: Array | None = None,
    *,
    normalise: bool = False,
) -> Estimate:
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
    u, v = _mass("reference", x, weights_a), _mass("generated", y, weights_b)
    distance, moves = _distance_and_moves(x, y, u, v)
    unit = _spread(x, u) if normalise else 1.0
    if unit == 0:
        return Estimate((float("nan"), float("nan")))
    return Estimate((distance / unit, float(np.sqrt(_variance(moves[0], u) + _variance(moves[1], v))) / unit))


def sliced_wasserstein(
    real: Array,
    gen: Array,
    *,
    real_weights: Array | None = None,
    gen_weights: Array | None = None,
    directions: int = 100,
    scale: bool = True,
    seed: int = 42,
) -> Estimate:
    """Mean W1 of two multivariate samples over random directions (Bonneel et al., J. Math. Imaging Vis. 51 (2015) 22).

    The error is the infinitesimal jackknife of the mean: what an event moves it by is the mean of what it moves the
    distance of each direction by. Like W1 itself it has a floor from finite samples: compare with truth against truth.

    Args:
        real: reference features (N, D), gen: features to judge (M, D); numpy arrays or torch tensors.
        real_weights, gen_weights: event weights, not negative.
        directions: random unit vectors.
        scale: take features in robust units limited to +-8; without it, as they are.
        seed: seed of the directions.

    Raises:
        FacsimError: shapes that do not fit, values that are not finite, weights that do not fit, or no direction.
    """
    x, y = check_features(real, gen)
    if directions < 1:
        raise FacsimError(f"the sliced Wasserstein distance needs at least one direction, not {directions}.")
    u, v = _mass("reference", x, real_weights), _mass("generated", y, gen_weights)
    if scale:
        x, y = scale_robustly(x, y)
    rng = generator(seed, "directions")
    total, moved_x, moved_y = 0.0, np.zeros(len(x)), np.zeros(len(y))
    for _ in range(directions):
        direction = rng.standard_normal(x.shape[1])
        direction = like(direction / float(np.linalg.norm(direction)), x)
        distance, moves = _distance_and_moves(x @ direction, y @ direction, u, v)
        total += distance
        moved_x += moves[0] / directions
        moved_y += moves[1] / directions
    return Estimate((float(total / directions), float(np.sqrt(_variance(moved_x, u) + _variance(moved_y, v)))))


def _distance_and_moves(
    x: Array, y: Array, u: FloatArray, v: FloatArray
) -> tuple[float, tuple[FloatArray, FloatArray]]:
    """W1 of samples with weights that sum to 1, and the potential of each event of x and of y: what the event moves
    the distance by, up to sign, a constant and its weight."""
    xp = namespace(x)
    values = xp.concatenate([x, y])
    order = xp.argsort(values, stable=True)
    mass = xp.concatenate([like(u, x), like(-v, x)])[order]
    steps = xp.diff(values[order])
    gap = xp.cumsum(mass, 0)[:-1]
    gap = xp.where(xp.abs(gap) < ROUNDING, 0.0 * gap, gap)  # else the sign of rounding errors would move events
    # potential(x) = integral of the sign from the smallest value up to x; an event at x adds minus that, centred.
    potential = xp.zeros_like(values)
    potential[order[1:]] = xp.cumsum(xp.sign(gap) * steps, 0)
    found = to_numpy(potential)
    return float((xp.abs(gap) * steps).sum()), (found[: len(x)], -found[len(x) :])


def _mass(name: str, values: Array, weights: Array | None) -> FloatArray:
    """Weights that sum to 1."""
    given = check_weights(name, len(values), weights, negative=False)
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
