"""The energy distance of two multivariate samples (Szekely and Rizzo, J. Stat. Plan. Inference 143 (2013) 1249)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.rng import generator
from facsim.metrics._samples import check_features, scale_robustly
from facsim.metrics.pairs import blocked_distances


def energy_distance(
    real: NDArray[Any], gen: NDArray[Any], *, scale: bool = True, seed: int = 42
) -> tuple[float, float]:
    """2 E|X - Y| - E|X - X'| - E|Y - Y'|, unbiased, and its jackknife error from 20 blocks of events.

    It is the MMD^2 of the kernel -|x - y|: zero for one distribution only, sensitive to every kind of difference, and
    not driven by extreme events. It averages to 0 for samples of one distribution and may be negative. Euclidean
    distances near zero are exact to about 1e-7 of the size of the features.

    Args:
        real: reference features (N, D), gen: features to judge (M, D). Time grows with (N + M)^2.
        scale: take features in robust units limited to +-8; without it, as they are.
        seed: seed of the blocks.

    Raises:
        FacsimError: shapes that do not fit, values that are not finite, fewer than four events in a sample.
    """
    x, y = check_features(real, gen)
    if scale:
        x, y = scale_robustly(x, y)
    centre = np.median(x, axis=0)
    return blocked_distances(x - centre, y - centre, generator(seed, "energy distance")).mmd()
