"""Frozen shower library: stored truth showers, looked up by incident condition, rescaled and rotated.

As in the frozen showers of ATLAS and the shower library of the CMS forward calorimeter: real fluctuations, but every
shower is a copy, so a library is also the positive control of memorisation checks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from math import gcd
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from facsim.core.events import EventSource, chunks
from facsim.core.geometry import CylinderGeometry
from facsim.core.rng import generator
from facsim.core.schema import Schema
from facsim.core.sources import batch_rows
from facsim.simulate.baseline import Sampled, ShowerBaseline, check_count, checked_conditions

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

IntArray = NDArray[np.int64]
# Conditions are jittered by this fraction of their spread so that events at equal conditions are drawn alike.
JITTER = 1e-3


@dataclass(frozen=True)
class SparseShowers:
    """Showers without their empty cells: those of shower i are `cell[start[i]:start[i + 1]]`, `energy` (MeV) alike."""

    start: IntArray
    cell: NDArray[np.uint32]
    energy: NDArray[np.float32]

    @property
    def nbytes(self) -> int:
        return self.start.nbytes + self.cell.nbytes + self.energy.nbytes

    def take(self, index: IntArray) -> tuple[IntArray, IntArray, NDArray[np.float32]]:
        """Row in `index`, cell and energy of every hit of the showers `index` (N,)."""
        counts = self.start[index + 1] - self.start[index]
        rows = np.repeat(np.arange(len(index)), counts)
        first = np.repeat(self.start[index] - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
        position = first + np.arange(len(rows))
        return rows, self.cell[position].astype(np.int64), self.energy[position]


def sector_steps(geometry: CylinderGeometry) -> int:
    """Number of rotations that map whole sectors on whole sectors in every layer; layers of one sector have any."""
    return reduce(gcd, (layer.n_alpha for layer in geometry.layers if layer.n_alpha > 1), 0) or 1


def rotate_cells(cell: IntArray, step: IntArray, geometry: CylinderGeometry) -> IntArray:
    """Cells after rotating by `step` times 2 pi / `sector_steps(geometry)`: both (M,)."""
    n_r = np.array([layer.n_r for layer in geometry.layers])[geometry.layer_index]
    n_alpha = np.array([layer.n_alpha for layer in geometry.layers])[geometry.layer_index]
    shift = step * (n_alpha[cell] // np.gcd(sector_steps(geometry), n_alpha[cell]))
    sector = (geometry.sector_index[cell] + shift) % n_alpha[cell]
    first = geometry.offsets[geometry.layer_index[cell]]
    return np.asarray(first + sector * n_r[cell] + geometry.ring_index[cell], dtype=np.int64)


@dataclass(kw_only=True)
class ShowerLibrary(ShowerBaseline):
    """Truth showers nearest in condition, scaled by the ratio of incident energies, rotated by whole sectors.

    For each shower one of the `nearest` stored events closest in ln E (and in the other conditions, each in units of
    its spread; particle types never mix) is drawn. Showers are not rotated when the conditions contain more than energy
    and particle: an angle or a position breaks the symmetry. Cells below the geometry's threshold after scaling are
    zero.

    Args:
        nearest: how many neighbours a shower is drawn from.
        events: at most so many training events are stored, chosen at random (0: all).
    """

    name: ClassVar[str] = "library"
    resamples_truth: ClassVar[bool] = True
    rotates: ClassVar[bool] = True

    nearest: int = 10
    events: int = 0
    _schema: Schema = field(init=False, repr=False)
    _showers: SparseShowers = field(init=False, repr=False)
    _cond: NDArray[np.float64] = field(init=False, repr=False)
    _ids: IntArray = field(init=False, repr=False)
    _scale: NDArray[np.float64] = field(init=False, repr=False)
    _tree: cKDTree = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_count(self.name, "nearest", self.nearest, 1)
        check_count(self.name, "events", self.events, 0)

    def _fit(self, train: EventSource, seed: int) -> None:
        from scipy.spatial import cKDTree  # noqa: PLC0415 - not needed to import facsim

        rng = generator(seed, "baseline", self.name)
        keep = np.ones(len(train), bool)
        if 0 < self.events < len(train):
            keep[:] = False
            keep[rng.choice(len(train), self.events, replace=False)] = True
        self._schema = train.schema
        self._showers, self._cond, self._ids = _store(train, keep)
        point = self._coordinates(self._cond)
        spread = point.std(axis=0)
        self._scale = np.where(spread > 0, spread, 1.0)
        names = [feature.name for feature in self._schema.conditions]
        if "pdg" in names:
            self._scale[names.index("pdg")] = 1e-6
        point = point / self._scale
        self._tree = cKDTree(point + JITTER * rng.uniform(-1, 1, point.shape))

    def _coordinates(self, cond: NDArray[np.float64]) -> NDArray[np.float64]:
        """Conditions with the logarithm of the energy, (N, K)."""
        column = self._schema.condition_index("incident_energy")
        point = cond.copy()
        point[:, column] = np.log(cond[:, column])
        return point

    def _neighbour(self, cond: NDArray[np.float64], rng: np.random.Generator) -> IntArray:
        """A stored event for each condition."""
        point = self._coordinates(cond) / self._scale
        point += JITTER * rng.uniform(-1, 1, point.shape)
        nearest = min(self.nearest, len(self._ids))
        index = np.asarray(self._tree.query(point, k=nearest)[1], dtype=np.int64).reshape(len(cond), nearest)
        return index[np.arange(len(cond)), rng.integers(0, nearest, len(cond))]

    def sample(self, cond: NDArray[np.float64], rng: np.random.Generator) -> Sampled:
        cond = checked_conditions(cond, self._schema)
        geometry = self._schema.geometry
        assert geometry is not None  # `unfit` has seen to it
        source = self._neighbour(cond, rng)
        rows, cell, energy = self._showers.take(source)
        column = self._schema.condition_index("incident_energy")
        scaled = energy * (cond[:, column] / self._cond[source, column])[rows]
        if self.rotates and self._schema.is_axial and isinstance(geometry, CylinderGeometry):
            step = rng.integers(0, sector_steps(geometry), len(cond))
            cell = rotate_cells(cell, step[rows], geometry)
        kept = scaled >= geometry.threshold
        x = np.zeros((len(cond), geometry.n_cells, 1), np.float32)
        x[rows[kept], cell[kept], 0] = scaled[kept]
        return Sampled(x, self._ids[source])

    @property
    def memory_bytes(self) -> int:
        return self._showers.nbytes + self._cond.nbytes + self._ids.nbytes


def _store(train: EventSource, keep: NDArray[np.bool_]) -> tuple[SparseShowers, NDArray[np.float64], IntArray]:
    """The kept showers, their conditions (N, K) and ids (N,), reading chunk by chunk."""
    counts, cells, energies, cond, ids = [], [], [], [], []
    first = 0
    for batch in chunks(train, batch_rows(train)):
        kept = batch[keep[first : first + len(batch)]]
        first += len(batch)
        rows, cell = np.nonzero(kept.cells)
        counts.append(np.bincount(rows, minlength=len(kept)))
        cells.append(cell.astype(np.uint32))
        energies.append(kept.cells[rows, cell].astype(np.float32))
        cond.append(np.asarray(kept.cond, np.float64))
        ids.append(kept.event_id)
    start = np.concatenate([[0], np.cumsum(np.concatenate(counts))]).astype(np.int64)
    showers = SparseShowers(start, np.concatenate(cells), np.concatenate(energies))
    return showers, np.concatenate(cond), np.concatenate(ids).astype(np.int64)
