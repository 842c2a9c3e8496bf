"""Generated events far outside of what the reference holds, by name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facsim.core.arrays import Array, to_numpy
from facsim.metrics._samples import SAME, check_features

MARGIN = 0.5


@dataclass(frozen=True)
class Outliers:
    """Events with a feature outside of the reference's range by more than half of that range, the farthest first.

    Attributes:
        events: their positions in the generated sample, (K,).
        features: the feature that lies farthest outside, (K,).
        distances: how far outside of the range, in units of its width, (K,); infinite where the reference is constant.
        fraction: of the generated events.
    """

    events: NDArray[np.int64]
    features: NDArray[np.int64]
    distances: NDArray[np.float64]
    fraction: float


def outliers(real: Array, gen: Array) -> Outliers:
    """Find generated events far outside of the reference's range. A handful decides every `jetnet-0.2.5` number.

    Args:
        real: reference features (N, D), gen: features to judge (M, D).

    Raises:
        FacsimError: shapes that do not fit, or values that are not finite.
    """
    x, y = (to_numpy(sample) for sample in check_features(real, gen))
    low, high = x.min(axis=0), x.max(axis=0)
    outside = np.maximum(np.maximum(low - y, y - high), 0.0)
    outside[outside <= SAME * np.maximum(np.abs(low), np.abs(high)) * (low == high)] = 0.0
    width = high - low
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = np.where(outside > 0, outside / width, 0.0)
    farthest = distance.argmax(axis=1)
    most = distance[np.arange(len(y)), farthest]
    events = np.flatnonzero(most > MARGIN)
    events = events[np.argsort(-most[events], kind="stable")]
    return Outliers(events, farthest[events], most[events], len(events) / len(y))


def outlier_fraction(real: Array, gen: Array) -> float:
    """Fraction of generated events that `outliers` finds."""
    return outliers(real, gen).fraction
