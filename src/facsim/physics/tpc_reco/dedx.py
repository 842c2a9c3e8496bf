"""Energy loss of tracks: truncated mean of the charge per path length in pad rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError

FloatArray = NDArray[np.float64]


def truncated_mean(values: FloatArray, kept: float = 0.6, fewest: int = 10) -> FloatArray:
    """Means (T,) of the lowest part `kept` of the finite values (T, R); NaN with fewer than `fewest` values.

    The part need not be a whole number of values: the last one counts with its fraction.

    Raises:
        FacsimError: `kept` outside (0, 1].
    """
    if not 0 < kept <= 1:
        raise FacsimError(f"a truncated mean keeps a part above 0 and at most 1 of the values, not {kept:g}.")
    finite = np.isfinite(values)
    count = finite.sum(axis=1)
    ordered = np.sort(np.where(finite, values, np.inf), axis=1)
    weight = np.clip(kept * count[:, None] - np.arange(values.shape[1]), 0.0, 1.0)
    total = (np.where(weight > 0, ordered, 0.0) * weight).sum(axis=1)
    enough = count >= fewest
    return np.where(enough, total / np.where(enough, kept * count, 1.0), np.nan)
