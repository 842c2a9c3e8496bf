"""Response and resolution of a calorimeter in bins of incident energy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BINS = 6
FEWEST = 10


@dataclass(frozen=True)
class Calorimetry:
    """Mean and relative width of E / E_inc in bins of E_inc; NaN in bins of fewer than ten showers.

    Args:
        edges: MeV, (B + 1,). count: showers in each bin. energy: mean incident energy, MeV.
        response, response_error: mean of E / E_inc. resolution, resolution_error: its standard deviation over its mean.
    """

    edges: FloatArray
    count: NDArray[np.int64]
    energy: FloatArray
    response: FloatArray
    response_error: FloatArray
    resolution: FloatArray
    resolution_error: FloatArray


def energy_edges(energy: FloatArray, bins: int = BINS) -> FloatArray:
    """Edges of bins of equal population, MeV; one bin where there is one energy."""
    edges = np.unique(np.quantile(energy, np.linspace(0, 1, bins + 1)))
    if len(edges) < 2:
        return np.array([edges[0] * 0.999, edges[0] * 1.001])
    return np.asarray(edges, dtype=np.float64)


def calorimetry(measured: FloatArray, energy: FloatArray, edges: FloatArray) -> Calorimetry:
    """Response and resolution of showers of `energy` (N,) that gave `measured` (N,), MeV.

    The error of the width is that of a standard deviation with the sample's own fourth moment.
    """
    place = np.clip(np.searchsorted(edges, energy, side="right") - 1, 0, len(edges) - 2)
    rows = [_moments(measured[place == k] / energy[place == k], energy[place == k]) for k in range(len(edges) - 1)]
    count = np.bincount(place, minlength=len(edges) - 1)
    return Calorimetry(edges, count, *np.array(rows, dtype=np.float64).T)


def _moments(ratio: FloatArray, energy: FloatArray) -> tuple[float, ...]:
    n = len(ratio)
    if n < FEWEST or ratio.mean() <= 0:
        return (float("nan"),) * 5
    mean, width = float(ratio.mean()), float(ratio.std(ddof=1))
    fourth = float(np.mean((ratio - mean) ** 4))
    error = np.sqrt(max(fourth - width**4, 0.0) / n) / (2 * width) if width > 0 else 0.0
    return float(energy.mean()), mean, width / n**0.5, width / mean, float(error) / mean
