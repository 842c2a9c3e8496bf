"""How many truth events is a generated sample worth?"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from facsim.core.arrays import Array, rows
from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.metrics._blocks import jackknife_error
from facsim.metrics._moments import plain_moments
from facsim.metrics._samples import FloatArray, check_different, check_features, scale_robustly
from facsim.metrics.frechet import frechet_distance

Distance = Callable[[Array, Array], float]
FEWEST = 16
FEWEST_TRUTH = 64
STEPS = 10
DRAWS = 4
BLOCKS = 8


def plain_frechet(x: Array, y: Array) -> float:
    """The Frechet distance of two samples as they are, with its bias: it falls with more events."""
    return frechet_distance(*plain_moments(x), *plain_moments(y))


def equivalent_size(
    reference: Array,
    candidate: Array,
    distance: Distance = plain_frechet,
    *,
    scale: bool = True,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Number of truth events that come as close to truth as the generated sample does.

    The reference is halved at random. Samples of n events of one half are compared with the other by a plug-in
    distance, which falls with n; the size at which it reaches that of the generated sample is its worth, interpolated
    in the logarithms. It is capped at half of the reference: no more can be said with so many truth events.

    Args:
        reference: features of truth (N, D), candidate: features to judge (M, D).
        distance: of two feature arrays, positive, biased by finite samples and smaller for more events.
        scale: take features in robust units limited to +-8.
        seed: of halves and samples.

    Returns:
        (size, its error, the cap). The error is a jackknife over blocks of events of the logarithm; a size at the cap
        has error 0. Where the candidate is farther than the smallest truth sample, 16 events, the size is
        extrapolated as n ~ 1 / distance.

    Raises:
        FacsimError: shapes that do not fit, values that are not finite, fewer than 64 truth events or 16 candidates.
    """
    x, y = check_features(reference, candidate)
    check_different(x, y)
    if len(x) < FEWEST_TRUTH or len(y) < FEWEST:
        raise FacsimError(
            f"an equivalent size needs {FEWEST_TRUTH} truth events and {FEWEST} to judge, not {len(x)} and {len(y)}."
        )
    if scale:
        x, y = scale_robustly(x, y)
    rng = generator(seed, "equivalent size")
    order, of_y = rng.permutation(len(x)), rng.permutation(len(y)) % BLOCKS
    near, pool = order[: len(x) // 2], order[len(x) // 2 :]
    cap = len(pool)
    curve = _curve(x, near, pool, distance, rng)
    full = _size(curve, distance(rows(x, near), y), cap)
    if full >= cap:
        return float(cap), 0.0, float(cap)
    blocks = np.arange(len(near)) % BLOCKS
    without = []
    for k in range(BLOCKS):
        kept_near, kept_y = near[blocks != k], rows(y, np.flatnonzero(of_y != k))
        curve = _curve(x, kept_near, pool, distance, rng)
        without.append(math.log(_size(curve, distance(rows(x, kept_near), kept_y), cap)))
    return full, full * jackknife_error(np.array(without)), float(cap)


def _curve(
    x: Array, near: NDArray[np.int64], pool: NDArray[np.int64], distance: Distance, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Logarithms of sizes, and of the mean distance of truth samples of these sizes."""
    sizes = np.unique(np.geomspace(FEWEST, len(pool), STEPS).astype(int))
    truth = rows(x, near)
    found = [
        np.mean(
            [
                distance(truth, rows(x, rng.choice(pool, n, replace=False)))
                for _ in range(1 if n == len(pool) else DRAWS)
            ]
        )
        for n in sizes
    ]
    return np.log(sizes), np.log(np.maximum(found, 1e-300))


def _size(curve: tuple[FloatArray, FloatArray], value: float, cap: int) -> float:
    """Size at which the falling curve reaches `value`."""
    sizes, distances = curve[0], np.minimum.accumulate(curve[1])
    level = math.log(max(value, 1e-300))
    if level <= distances[-1]:
        return float(cap)
    if level > distances[0]:
        return math.exp(sizes[0] + distances[0] - level)
    return math.exp(float(np.interp(-level, -distances, sizes)))
