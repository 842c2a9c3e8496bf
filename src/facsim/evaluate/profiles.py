"""Mean and width of quantities in bins of a condition, and how far those of two samples lie apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

BINS = 10
FEWEST = 20
"""Events in a bin below which it is not compared."""


@dataclass(frozen=True)
class Profile:
    """Of one quantity in bins of one condition, arrays of shape (bins,); NaN where a bin has fewer than two events."""

    count: FloatArray
    mean: FloatArray
    mean_error: FloatArray
    width: FloatArray
    width_error: FloatArray


@dataclass(frozen=True)
class Deviation:
    """How far a profile lies from another's: mean of |difference| over the bins in units of `scale`, and chi2.

    `mean` and `width` are pairs (value, error); `bins` are the terms of `chi2`.
    """

    mean: tuple[float, float]
    width: tuple[float, float]
    chi2: float
    bins: int


def bin_edges(reference: FloatArray, bins: int = BINS) -> FloatArray | None:
    """Edges of bins of equal population, None for a condition that does not vary."""
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, bins + 1)))
    return edges if len(edges) > 2 else None


def profile(condition: FloatArray, values: FloatArray, edges: FloatArray) -> Profile:
    """Profile of `values` (N,) in bins of `condition` (N,); events outside belong to the first or last bin.

    The error of a width is that of the standard deviation with the sample's own fourth moment.
    """
    bins = len(edges) - 1
    place = np.clip(np.searchsorted(edges, condition, side="right") - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.bincount(place, values, bins) / count
        rest = values - mean[place]
        variance = np.bincount(place, rest**2, bins) / (count - 1)
        fourth = np.bincount(place, rest**4, bins) / count
        width = np.sqrt(variance)
        of_width = np.sqrt(np.maximum(fourth - variance**2, 0) / count) / (2 * width)
        few = count < 2
        columns = (mean, width / np.sqrt(count), width, np.where(width > 0, of_width, 0.0))
    return Profile(count, *(np.where(few, np.nan, column) for column in columns))


def compare(a: Profile, b: Profile, scale: FloatArray | float) -> Deviation | None:
    """How far `b` lies from `a`; None where no bin has events enough.

    Args:
        scale: what differences of the mean are divided by: a number, or one for each bin. Widths are divided by those
            of `a`.
    """
    used = (a.count >= FEWEST) & (b.count >= FEWEST) & (a.width > 0)
    if not used.any():
        return None
    unit = np.broadcast_to(np.asarray(scale, dtype=np.float64), used.shape)[used]
    shift, shift_error = (b.mean - a.mean)[used], np.hypot(a.mean_error, b.mean_error)[used]
    spread, spread_error = (b.width - a.width)[used], np.hypot(a.width_error, b.width_error)[used]
    chi2 = np.sum((shift / shift_error) ** 2)
    known = spread_error > 0
    chi2 += np.sum((spread[known] / spread_error[known]) ** 2)
    return Deviation(
        _mean_size(shift / unit, shift_error / unit),
        _mean_size(spread / a.width[used], spread_error / a.width[used]),
        float(chi2),
        int(used.sum() + known.sum()),
    )


def _mean_size(values: FloatArray, errors: FloatArray) -> tuple[float, float]:
    """Mean of the absolute values and its error; each is a Gaussian about an unknown middle."""
    return float(np.abs(values).mean()), float(math.sqrt(np.sum(errors**2)) / len(values))
