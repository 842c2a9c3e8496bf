"""Clusters of cells in pad rows: places and charges of the crossings of tracks."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from facsim.physics import tpc
from facsim.physics.tpc_plane import TIME_SLOTS, OnPadRows, PadPlane

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

NEIGHBOURS = (1, TIME_SLOTS - 1, TIME_SLOTS, TIME_SLOTS + 1)
VALLEY = 0.5
FEWEST_CELLS = 3
SMALLEST_CHARGE = 20.0
EDGE_PART = 0.1


@dataclass(frozen=True)
class Clusters(OnPadRows):
    """Clusters sorted by pad row and place along it; arrays of shape (M,).

    Attributes:
        group: pad row, see `tpc_plane.plane_group`. pad, time: barycentre, pads and time buckets.
        charge: sum of amplitudes, ADC. peak: largest amplitude. cells: number of cells.
        var_pad, var_time: spread about the barycentre, pad^2 and bucket^2.
        edge: whether more than `EDGE_PART` of its charge is on the first or last pad of its row: some is lost then.
        shared: whether it was cut off another cluster.
    """

    group: IntArray
    pad: FloatArray
    time: FloatArray
    charge: FloatArray
    peak: FloatArray
    cells: IntArray
    var_pad: FloatArray
    var_time: FloatArray
    edge: NDArray[np.bool_]
    shared: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.group)

    def __getitem__(self, index: IntArray | NDArray[np.bool_]) -> Clusters:
        return Clusters(*(getattr(self, field.name)[index] for field in fields(self)))

    @property
    def x(self) -> FloatArray:
        """Along the pad row, cm."""
        return tpc.x_of_pad(self.pad, self.row)

    @property
    def drift(self) -> FloatArray:
        """Drift length, cm."""
        return (self.time + tpc.BUCKET_SHIFT) * tpc.BUCKET_LENGTH

    @property
    def z(self) -> FloatArray:
        """cm from the membrane in the middle, negative on the second side."""
        return (tpc.DRIFT_LENGTH - self.drift) * np.where(self.sector < tpc.SECTORS, 1.0, -1.0)


def find_clusters(
    plane: PadPlane,
    *,
    valley: float = VALLEY,
    fewest_cells: int = FEWEST_CELLS,
    smallest_charge: float = SMALLEST_CHARGE,
) -> tuple[Clusters, IntArray]:
    """Clusters, and the cluster of each cell (C,), -1 where it belongs to none.

    Cells that touch in pad or time, at a corner too, go uphill to a local maximum each; two maxima are joined into one
    cluster when the saddle between them is higher than `valley` times the lower peak.

    Args:
        valley: 0 joins all that touches, 1 splits at every local maximum.
        fewest_cells, smallest_charge: smaller clusters (cells, ADC) are dropped.
    """
    pairs = _neighbours(plane.key)
    top = _uphill(plane.amplitude, pairs)
    top = _joined(plane.amplitude, pairs, top, valley)
    clusters, of_cell = _measured(plane, top, pairs)
    kept = (clusters.cells >= fewest_cells) & (clusters.charge >= smallest_charge)
    order = np.flatnonzero(kept)
    order = order[np.lexsort((clusters.pad[order], clusters.group[order]))]
    new = np.full(len(clusters), -1, dtype=np.int64)
    new[order] = np.arange(len(order))
    return clusters[order], new[of_cell]


def _neighbours(key: IntArray) -> list[tuple[IntArray, IntArray]]:
    """Pairs of cells that touch, by direction."""
    pairs = []
    for offset in NEIGHBOURS:
        found = np.searchsorted(key, key + offset)
        found = np.minimum(found, max(len(key) - 1, 0))
        first = np.flatnonzero(key[found] == key + offset) if len(key) else np.zeros(0, dtype=np.int64)
        pairs.append((first, found[first]))
    return pairs


def _uphill(amplitude: FloatArray, pairs: list[tuple[IntArray, IntArray]]) -> IntArray:
    """The local maximum above each cell; of equal amplitudes the later cell counts as higher."""
    up = np.arange(len(amplitude))
    for first, second in pairs:
        for here, there in ((first, second), (second, first)):
            now = up[here]
            higher = (amplitude[there] > amplitude[now]) | ((amplitude[there] == amplitude[now]) & (there > now))
            up[here[higher]] = there[higher]
    return _roots(up)


def _roots(up: IntArray) -> IntArray:
    while True:
        above = up[up]
        if np.array_equal(above, up):
            return up
        up = above


def _joined(amplitude: FloatArray, pairs: list[tuple[IntArray, IntArray]], top: IntArray, valley: float) -> IntArray:
    """Local maxima with shallow saddles between them joined, the lower to its best higher neighbour."""
    first, second = (np.concatenate([pair[k] for pair in pairs]) for k in (0, 1))
    saddle = np.minimum(amplitude[first], amplitude[second])
    while True:
        a, b = top[first], top[second]
        a_lower = (amplitude[a] < amplitude[b]) | ((amplitude[a] == amplitude[b]) & (a < b))
        lower, higher = np.where(a_lower, a, b), np.where(a_lower, b, a)
        some = np.flatnonzero((a != b) & (saddle > valley * amplitude[lower]))
        if not len(some):
            return top
        some = some[np.lexsort((saddle[some], lower[some]))]
        up = np.arange(len(amplitude))
        up[lower[some]] = higher[some]
        top = _roots(up)[top]


def _measured(plane: PadPlane, top: IntArray, pairs: list[tuple[IntArray, IntArray]]) -> tuple[Clusters, IntArray]:
    peaks, of_cell = np.unique(top, return_inverse=True)
    n, amplitude = len(peaks), plane.amplitude

    def total(values: FloatArray) -> FloatArray:
        return np.bincount(of_cell, values, n).astype(np.float64)

    charge = total(amplitude)
    pad, time = (total(amplitude * values) / charge for values in (plane.pad, plane.bucket))
    var_pad = total(amplitude * (plane.pad - pad[of_cell]) ** 2) / charge
    var_time = total(amplitude * (plane.bucket - time[of_cell]) ** 2) / charge
    last = tpc.pads_of_row(plane.row) - 1
    edge = total(np.where((plane.pad == 0) | (plane.pad == last), amplitude, 0.0)) > EDGE_PART * charge
    shared = np.zeros(n, dtype=bool)
    for first, second in pairs:
        apart = of_cell[first] != of_cell[second]
        shared[of_cell[first[apart]]] = True
        shared[of_cell[second[apart]]] = True
    cells = np.bincount(of_cell, minlength=n)
    peak = amplitude[peaks]
    return Clusters(plane.group[peaks], pad, time, charge, peak, cells, var_pad, var_time, edge, shared), of_cell
