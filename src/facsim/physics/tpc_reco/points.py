"""Resolution of clusters, and a search for clusters near predicted places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.physics import tpc
from facsim.physics.tpc_reco.clusters import Clusters

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

HEIGHTS = tpc.row_height(np.arange(tpc.ROWS))
FEWEST_RESIDUALS, FEWEST_IN_BIN, BINS = 200, 20, 6
MEDIAN_OF_GAUSSIAN = 0.67449
"""Median of the absolute values of a standard Gaussian."""
LARGEST_PULL = 4.5
"""Of clusters that a fit keeps."""
SLOT = 1024.0
"""Distance of pad rows in the search key, far more than any row's width in cm."""


@dataclass(frozen=True)
class PointErrors:
    """Variance of a cluster's place: constant + diffusion x drift (cm) + angle x (extent of the track in the row)^2.

    Args:
        pad: the three numbers along the pads: cm^2, cm, none. time: along the drift. The defaults are those of MPD's
            digitiser.
    """

    pad: tuple[float, float, float] = (2.0e-4, 8.0e-6, 8.0e-3)
    time: tuple[float, float, float] = (1.0e-3, 2.0e-5, 8.0e-3)

    def variances(self, drift: FloatArray, slope_x: FloatArray, slope_z: FloatArray, row: IntArray) -> FloatArray:
        """(2, N): variances along pads and drift, cm^2, of tracks of slopes dx/dy and dz/dy in the row."""
        columns = variance_terms(drift, slope_x, slope_z, row)
        return np.stack([sum(a * b for a, b in zip(p, c, strict=True)) for p, c in zip(
            (self.pad, self.time), columns, strict=True)])  # fmt: skip


def variance_terms(
    drift: FloatArray, slope_x: FloatArray, slope_z: FloatArray, row: IntArray
) -> tuple[list[FloatArray], list[FloatArray]]:
    """What the numbers of `PointErrors` are multiplied by, along pads and along the drift."""
    length, height = np.maximum(drift, 0.0), HEIGHTS[row]
    one = np.ones_like(length)
    return [one, length, (slope_x * height) ** 2], [one, length, (slope_z * height) ** 2]


def calibrated_errors(
    residuals: FloatArray, drift: FloatArray, slopes: tuple[FloatArray, FloatArray], row: IntArray
) -> PointErrors:
    """Errors fitted to known residuals (2, N) (cm, along pads and drift) of clusters.

    How they depend on drift and angle is that of the residuals' cores; their scale is such that the pulls below
    `LARGEST_PULL`, those that a fit keeps, have the variance 1.

    Raises:
        FacsimError: fewer than `FEWEST_RESIDUALS` finite residuals.
    """
    good = np.isfinite(residuals).all(axis=0) & np.isfinite(slopes[0]) & np.isfinite(slopes[1])
    if good.sum() < FEWEST_RESIDUALS:
        raise FacsimError(f"errors of clusters need {FEWEST_RESIDUALS} residuals; there are {int(good.sum())}.")
    terms = variance_terms(drift[good], slopes[0][good], slopes[1][good], row[good])
    return PointErrors(*(_variance_fit(residuals[k, good], np.stack(terms[k], axis=1)) for k in (0, 1)))


def _variance_fit(residual: FloatArray, terms: FloatArray) -> tuple[float, float, float]:
    """Coefficients, none negative, of the variance in bins of drift and angle; medians bear the tails."""
    cells = [np.searchsorted(np.quantile(terms[:, k], np.linspace(0, 1, BINS + 1)[1:-1]), terms[:, k]) for k in (1, 2)]
    cell = cells[0] * BINS + cells[1]
    count = np.bincount(cell, minlength=BINS**2)
    spread = np.array([
        np.median(np.abs(residual[cell == k])) if count[k] else 0.0 for k in range(BINS**2)
    ])  # fmt: skip
    mean = np.stack([np.bincount(cell, column, BINS**2) for column in terms.T], axis=1) / np.maximum(count, 1)[:, None]
    variance = (spread / MEDIAN_OF_GAUSSIAN) ** 2
    used = count >= FEWEST_IN_BIN
    weight = np.where(used, np.sqrt(count) / np.maximum(variance, 1e-12), 0.0)
    active = np.ones(3, dtype=bool)
    while True:
        found = np.zeros(3)
        found[active] = np.linalg.lstsq(mean[:, active] * weight[:, None], variance * weight, rcond=None)[0]
        if (found >= 0).all():
            break
        active &= found >= 0
    squares = residual**2 / np.maximum(terms @ found, 1e-12)
    found *= squares[squares < LARGEST_PULL**2].mean()
    return float(found[0]), float(found[1]), float(found[2])


class ClusterIndex:
    """Clusters by pad row and place along it."""

    def __init__(self, clusters: Clusters) -> None:
        self.x, self.z, self.drift, self.group = clusters.x, clusters.z, clusters.drift, clusters.group
        self.row, self.sector, self.event = clusters.row, clusters.sector, clusters.event
        self.key = clusters.group * SLOT + self.x

    def __len__(self) -> int:
        return len(self.key)

    def between(self, group: IntArray, low: FloatArray, high: FloatArray) -> tuple[IntArray, IntArray]:
        """Pairs (query, cluster) of clusters of the pad rows `group` (Q,) between the places low and high, cm."""
        half = 0.49 * SLOT
        first = np.searchsorted(self.key, group * SLOT + np.clip(low, -half, half))
        last = np.searchsorted(self.key, group * SLOT + np.clip(high, -half, half), side="right")
        count = np.maximum(last - first, 0)
        query = np.repeat(np.arange(len(group)), count)
        return query, np.arange(len(query)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)

    def nearest(
        self,
        group: IntArray,
        place: tuple[FloatArray, FloatArray],
        variance: tuple[FloatArray, FloatArray],
        free: NDArray[np.bool_],
        gate: float,
    ) -> tuple[IntArray, FloatArray]:
        """For each query the free cluster (-1: none) of least chi2 to (x, z), and that chi2, at most `gate`."""
        reach = np.sqrt(gate * variance[0])
        query, cluster = self.between(group, place[0] - reach, place[0] + reach)
        chi2 = (self.x[cluster] - place[0][query]) ** 2 / variance[0][query]
        chi2 += (self.z[cluster] - place[1][query]) ** 2 / variance[1][query]
        near = np.flatnonzero((chi2 < gate) & free[cluster])
        near = near[np.lexsort((chi2[near], query[near]))]
        best = near[np.unique(query[near], return_index=True)[1]]
        found, least = np.full(len(group), -1, dtype=np.int64), np.full(len(group), np.inf)
        found[query[best]], least[query[best]] = cluster[best], chi2[best]
        return found, least
