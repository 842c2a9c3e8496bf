"""Distance of two correlation matrices, e.g. of the energies of layers."""

from __future__ import annotations

import numpy as np

from facsim.core.arrays import Array, namespace
from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.metrics._blocks import FEW_HALVES, HALVES, MANY_FEATURES, assign_blocks, estimate
from facsim.metrics._moments import Moments, between_moments, moments_of_groups
from facsim.metrics._samples import SAME, FloatArray, check_different, check_features, check_weights
from facsim.metrics.score import Estimate


def correlation_distance(
    real: Array,
    gen: Array,
    *,
    real_weights: Array | None = None,
    gen_weights: Array | None = None,
    seed: int = 42,
    permutations: int = 0,
) -> Estimate:
    """Mean squared difference of the Pearson correlations of all pairs of features, extrapolated in 1/N.

    |R1 - R2|^2_F / (D (D - 1)) without the contribution of finite samples, so that it averages to 0 for samples of
    one distribution (it may be negative); error and p-value from 20 blocks of events. Correlations with a constant
    feature count as 0.

    Args:
        real: reference features (N, D), gen: features to judge (M, D), D at least 2.
        real_weights, gen_weights: event weights, negative ones allowed.
        seed: seed of the blocks.
        permutations: of the p-value; none, no p-value.

    Raises:
        FacsimError: shapes that do not fit, one feature only, values that are not finite, weights without a positive
            sum, one sample given twice.
    """
    x, y = check_features(real, gen)
    if x.shape[1] < 2:
        raise FacsimError("a distance of correlations needs at least two features.")
    check_different(x, y)
    weights = check_weights("reference", len(x), real_weights), check_weights("generated", len(y), gen_weights)
    rng = generator(seed, "correlation distance")
    blocks = assign_blocks(*weights, rng)
    moments = moments_of_groups(*_standardised(x, y), weights, blocks)
    statistic = between_moments(moments, _distance)
    halves = HALVES if x.shape[1] <= MANY_FEATURES else FEW_HALVES
    return estimate(statistic, blocks, rng, extrapolate=True, permutations=permutations, halves=halves)


def _standardised(x: Array, y: Array) -> tuple[Array, Array]:
    """Both in the units of both together: no correlation changes, and sums of squares keep their digits."""
    xp = namespace(x)
    pooled = xp.concatenate([x, y])
    mean = pooled.mean(axis=0)
    unit = xp.sqrt(((pooled - mean) ** 2).mean(axis=0))
    unit = xp.where(unit <= SAME * xp.abs(mean), xp.ones_like(unit), unit)
    return (x - mean) / unit, (y - mean) / unit


def _distance(one: Moments, two: Moments) -> float:
    difference = _correlation(one[1]) - _correlation(two[1])
    d = len(difference)
    return float(np.sum(difference**2) / (d * (d - 1)))


def _correlation(covariance: FloatArray) -> FloatArray:
    variance = np.diag(covariance)
    used = variance > 1e-12
    norm = np.sqrt(np.where(used, variance, 1.0))
    matrix: FloatArray = np.where(np.outer(used, used), covariance, 0.0) / np.outer(norm, norm)
    np.fill_diagonal(matrix, 1.0)
    return matrix
