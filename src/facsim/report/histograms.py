"""Histograms as the run directory keeps them (UHI JSON) and as figures need them (arrays)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Histogram:
    """A one-dimensional histogram: `edges` (B + 1,), `values` and `variances` (B,), and what fell outside."""

    edges: FloatArray
    values: FloatArray
    variances: FloatArray
    underflow: float = 0.0
    overflow: float = 0.0

    @property
    def total(self) -> float:
        """Sum of weights, under- and overflow included."""
        return float(self.values.sum()) + self.underflow + self.overflow

    @property
    def outside(self) -> float:
        """Fraction of the entries outside the edges."""
        return (self.underflow + self.overflow) / self.total if self.total > 0 else 0.0

    def fractions(self) -> tuple[FloatArray, FloatArray]:
        """Fraction of all entries in each bin, and its statistical error: both (B,)."""
        scale = 1.0 / self.total if self.total > 0 else 0.0
        return self.values * scale, np.sqrt(self.variances) * scale

    def merged(self, factor: int) -> Histogram:
        """Each `factor` neighbouring bins as one; `factor` divides the number of bins."""
        values, variances = (part.reshape(-1, factor).sum(axis=1) for part in (self.values, self.variances))
        return Histogram(self.edges[::factor], values, variances, self.underflow, self.overflow)


def readable_factor(histogram: Histogram, entries: float = 12.0) -> int:
    """How many bins to merge so that the bulk has few empty bins and at least `entries` entries in a typical bin.

    The bulk is the central 96 %; bins finer than a discrete observable's steps leave a comb of empty ones.
    """
    factors = [factor for factor in (1, 2, 3, 4, 5, 6, 8, 10) if len(histogram.values) % factor == 0]
    for factor in factors:
        values = histogram.merged(factor).values
        share = np.cumsum(values) / max(values.sum(), 1e-300)
        bulk = values[np.searchsorted(share, 0.02) : np.searchsorted(share, 0.98) + 1]
        if len(bulk) and np.mean(bulk == 0) < 0.1 and np.median(bulk) >= entries:
            return factor
    return factors[-1]


def read_uhi(data: Mapping[str, Any]) -> Histogram:
    """Histogram from UHI JSON (schema 1, one regular or variable axis, any storage with values).

    Raises:
        FacsimError: not such a histogram.
    """
    try:
        (axis,) = data["axes"]
        storage = data["storage"]
        edges = _edges(axis)
        values = np.asarray(storage["values"], dtype=np.float64)
        variances = np.asarray(storage.get("variances", values), dtype=np.float64)
        under, over = bool(axis.get("underflow", False)), bool(axis.get("overflow", False))
    except (KeyError, TypeError, ValueError) as error:
        raise FacsimError(f"expected a one-dimensional UHI histogram, and reading it failed on {error}.") from None
    n_bins = len(edges) - 1
    if len(values) != n_bins + under + over or values.shape != variances.shape:
        raise FacsimError(f"a UHI histogram with {n_bins} bins holds {len(values)} values.")
    inner = slice(int(under), int(under) + n_bins)
    return Histogram(
        edges,
        values[inner],
        np.abs(variances[inner]),
        float(values[0]) if under else 0.0,
        float(values[-1]) if over else 0.0,
    )


def _edges(axis: Mapping[str, Any]) -> FloatArray:
    if axis["type"] == "regular":
        return np.linspace(float(axis["lower"]), float(axis["upper"]), int(axis["bins"]) + 1)
    return np.asarray(axis["edges"], dtype=np.float64)


def ratio(sample: Histogram, reference: Histogram) -> tuple[FloatArray, FloatArray]:
    """Ratio of fractions sample / reference and the sample's own relative share of its error; NaN where empty."""
    value, error = sample.fractions()
    base, _ = reference.fractions()
    safe = np.where(base > 0, base, np.nan)
    return value / safe, error / safe


def relative_error(reference: Histogram) -> FloatArray:
    """Statistical error of the reference divided by its value, NaN where empty: shape (B,)."""
    value, error = reference.fractions()
    return np.asarray(error / np.where(value > 0, value, np.nan))


def occupied_range(histograms: list[Histogram], quantile: float = 5e-4) -> tuple[float, float]:
    """The edges between which all but `quantile` of each histogram lies, joined over the histograms."""
    lows, highs = [], []
    for item in histograms:
        total = item.values.sum()
        if total <= 0:
            continue
        cumulated = np.cumsum(item.values) / total
        lows.append(float(item.edges[np.searchsorted(cumulated, quantile)]))
        last = int(np.searchsorted(cumulated, 1 - quantile)) + 1
        highs.append(float(item.edges[min(last, len(item.edges) - 1)]))
    if not lows:
        return float(histograms[0].edges[0]), float(histograms[0].edges[-1])
    return min(lows), max(highs)
