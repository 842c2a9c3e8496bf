"""Distance of two correlation matrices, e.g. of the energies of layers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.metrics._jackknife import Moments, extrapolated
from facsim.metrics._samples import FloatArray, check_features


def correlation_distance(real: NDArray[Any], gen: NDArray[Any], *, seed: int = 42) -> tuple[float, float]:
    """Mean squared difference of the Pearson correlations of all pairs of features, extrapolated in 1/N.

    |R1 - R2|^2_F / (D (D - 1)) without the contribution of finite samples, so that it averages to 0 for samples of
    one distribution (it may be negative); jackknife error from 20 blocks of events. Correlations with a constant
    feature count as 0.

    Args:
        real: reference features (N, D), gen: features to judge (M, D), D at least 2.
        seed: seed of the order of events in the blocks.

    Raises:
        FacsimError: shapes that do not fit, one feature only, or values that are not finite.
    """
    x, y = check_features(real, gen)
    if x.shape[1] < 2:
        raise FacsimError("a distance of correlations needs at least two features.")
    centre, unit = x.mean(axis=0), x.std(axis=0)
    unit[unit == 0] = 1.0
    return extrapolated((x - centre) / unit, (y - centre) / unit, _distance, generator(seed, "correlation distance"))


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
