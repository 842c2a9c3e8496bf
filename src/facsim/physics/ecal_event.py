"""From local showers to the whole calorimeter: particles at its face, the window of each, energies in the cells of all.

A shower simulator answers for one particle with the energies in a square window of fine cells. Windows are aligned with
the fine grid of the map, so that a window's cells belong to whole cells of the zone they lie in, borders of zones
inside a window included. Lengths are in mm, energies in MeV.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.physics.ecal_map import CellMap, FloatArray, IntArray

MAGNET_Z = 5200.0
MAGNET_KICK = 1200.0
"""Change of the horizontal momentum of a unit charge in the 4 Tm of the LHCb magnet, MeV, and where it is placed."""


@dataclass(frozen=True)
class Particles:
    """Particles at the calorimeter's face: `event` (N,), `pdg` (N,), `momentum` (N, 3) MeV and `point` (N, 2) mm."""

    event: IntArray
    pdg: IntArray
    momentum: FloatArray
    point: FloatArray

    def __len__(self) -> int:
        return len(self.event)

    def __getitem__(self, index: Any) -> Particles:
        return Particles(self.event[index], self.pdg[index], self.momentum[index], self.point[index])

    @property
    def energy(self) -> FloatArray:
        """Of photons and, their mass neglected, electrons, MeV."""
        return np.asarray(np.linalg.norm(self.momentum, axis=1))


def at_face(
    event: NDArray[Any], pdg: NDArray[Any], momentum: NDArray[Any], vertex: NDArray[Any], place: CellMap
) -> Particles:
    """Particles flown to the face of `place`: straight, electrons with one kick in the middle of the magnet.

    Args:
        event, pdg: (N,). momentum: (N, 3) MeV at the vertex. vertex: (N, 3) mm.

    Raises:
        FacsimError: particles that do not fly forward, or numbers that are not finite.
    """
    event, pdg = (np.asarray(values, dtype=np.int64) for values in (event, pdg))
    momentum, vertex = (np.array(values, dtype=np.float64).reshape(-1, 3) for values in (momentum, vertex))
    if not (np.isfinite(momentum).all() and np.isfinite(vertex).all()):
        raise FacsimError("momenta and vertices of particles must be finite (MeV, mm), and some are not.")
    if np.any(momentum[:, 2] <= 0) or np.any(vertex[:, 2] >= place.z):
        raise FacsimError("particles must fly towards the calorimeter: expected p_z > 0 and vertices in front of it.")
    charge = -np.sign(pdg) * (np.abs(pdg) == 11)
    middle = np.maximum(vertex[:, 2], MAGNET_Z)
    before = vertex[:, :2] + momentum[:, :2] / momentum[:, 2:] * (middle - vertex[:, 2])[:, None]
    # The magnet turns a momentum and leaves its size.
    size = np.linalg.norm(momentum, axis=1)
    momentum[:, 0] += charge * MAGNET_KICK * (vertex[:, 2] < MAGNET_Z)
    square = size**2 - momentum[:, 0] ** 2 - momentum[:, 1] ** 2
    momentum[:, 2] = np.sqrt(np.maximum(square, 1e-12 * size**2))
    point = before + momentum[:, :2] / momentum[:, 2:] * (place.z - middle)[:, None]
    return Particles(event, pdg, momentum, point)


def accepted(
    particles: Particles, place: CellMap, energy: tuple[float, float], slope: float = np.inf
) -> NDArray[np.bool_]:
    """Which particles hit a cell of `place` with an energy in the range (MeV), and slopes of at most `slope`."""
    cell = place.find(*particles.point.T)
    steep = np.abs(particles.momentum[:, :2] / particles.momentum[:, 2:]).max(axis=1, initial=0.0)
    inside = (particles.energy >= energy[0]) & (particles.energy <= energy[1])
    return np.asarray((cell >= 0) & inside & (steep <= slope))


@dataclass(frozen=True)
class Windows:
    """Windows of fine cells on a map: fine `row` and `column` (N,) of their first cells, and `local` (N, 2), the points
    of impact seen from the middle of each window, mm."""

    row: IntArray
    column: IntArray
    local: FloatArray


def place_windows(point: FloatArray, size: int, place: CellMap) -> Windows:
    """Windows of `size` x `size` fine cells about points (N, 2) of impact.

    An even window has its middle on the corner of the grid that is nearest to the point, an odd one in the middle of
    the cell that holds it: the point is at most half a fine cell away from the middle, in x and in y.
    """
    if size % 2:
        row, column = place.fine(*point.T)
        node = np.stack([column, row], axis=1) + 0.5
    else:
        node = np.rint(point / place.pitch) + np.array(place.table.shape[::-1]) / 2
    middle = (node - np.array(place.table.shape[::-1]) / 2) * place.pitch
    first = np.floor(node - size / 2 + 0.25).astype(np.int64)
    return Windows(first[:, 1], first[:, 0], point - middle)


@dataclass(frozen=True)
class Hits:
    """Energies in cells: `event`, `cell` and `energy` (MeV) of shape (H,), sorted by event and cell, each pair once."""

    event: IntArray
    cell: IntArray
    energy: FloatArray

    def __len__(self) -> int:
        return len(self.event)

    def of(self, event: int) -> Hits:
        """The hits of one event."""
        first, last = np.searchsorted(self.event, (event, event + 1))
        return Hits(self.event[first:last], self.cell[first:last], self.energy[first:last])

    def above(self, threshold: float) -> Hits:
        """Hits of at least `threshold` MeV."""
        kept = self.energy >= threshold
        return Hits(self.event[kept], self.cell[kept], self.energy[kept])


def summed(event: IntArray, cell: IntArray, energy: FloatArray, place: CellMap) -> Hits:
    """Hits with what overlaps added up."""
    key, which = np.unique(event * place.n_cells + cell, return_inverse=True)
    total = np.bincount(which, weights=energy, minlength=len(key)).astype(np.float64)
    event, cell = np.divmod(key, place.n_cells)
    return Hits(event, cell, total)


def merge_windows(cells: NDArray[Any], windows: Windows, event: IntArray, place: CellMap) -> Hits:
    """Energies of windows (N, size x size), row by row, in the cells of `place`; what falls off the face is lost.

    Raises:
        FacsimError: windows that are not square, or energies that are not finite.
    """
    size = round(cells.shape[1] ** 0.5)
    if size * size != cells.shape[1]:
        raise FacsimError(f"a window must be square, row by row, and has {cells.shape[1]} cells.")
    shower, inside = np.nonzero(cells)
    energy = cells[shower, inside].astype(np.float64)
    if not np.isfinite(energy).all():
        raise FacsimError("energies of a shower's window must be finite (MeV), and some are not.")
    row, column = np.divmod(inside, size)
    cell = place.cells_at(windows.row[shower] + row, windows.column[shower] + column)
    there = cell >= 0
    return summed(event[shower[there]], cell[there], energy[there], place)
