"""Generated events far outside of what the reference holds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.metrics._samples import check_features


def outlier_fraction(real: NDArray[Any], gen: NDArray[Any]) -> float:
    """Fraction of generated events with a feature outside the reference's range by more than half of that range.

    Args:
        real: reference features (N, D), gen: features to judge (M, D).

    Raises:
        FacsimError: shapes that do not fit, or values that are not finite.
    """
    x, y = check_features(real, gen)
    low, high = x.min(axis=0), x.max(axis=0)
    margin = 0.5 * (high - low)
    return float(np.mean(np.any((y < low - margin) | (y > high + margin), axis=1)))
