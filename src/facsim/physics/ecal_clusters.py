"""Clusters of the calorimeter: local maxima, the cells that touch them, and shared cells divided between them.

As LHCb's cellular automaton does (V. Breton, N. Brun, P. Perret, LHCb-2001-123): a cell that no touching cell exceeds
seeds a cluster if its transverse energy suffices; each other cell belongs to the seeds that it touches, which is 3 x 3
cells inside a zone; one that touches several is divided in proportion to the clusters' energies, which is repeated
until these are stable. Energies in MeV, lengths in mm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facsim.physics.ecal_event import Hits
from facsim.physics.ecal_map import CellMap, FloatArray, IntArray

SEED_ET = 50.0
CELL_ENERGY = 5.0
ROUNDS = 8


@dataclass(frozen=True)
class Clusters:
    """Clusters sorted by event: `event` and `seed` (cell) (K,), `energy` (K,) as summed over cells, MeV, `point` (K,
    2), the energy-weighted mean of the cells' centres, mm, and `cells`, how many cells each has."""

    event: IntArray
    seed: IntArray
    energy: FloatArray
    point: FloatArray
    cells: IntArray

    def __len__(self) -> int:
        return len(self.event)


def find_clusters(hits: Hits, place: CellMap, seed_et: float = SEED_ET, cell_energy: float = CELL_ENERGY) -> Clusters:
    """Clusters of all events at once.

    Args:
        hits: sorted by event and cell.
        place: the map.
        seed_et: transverse energy that a seed needs, MeV. cell_energy: cells below it are not seen, MeV.
    """
    hits = hits.above(cell_energy)
    near = _neighbours(hits, place)
    padded = np.append(hits.energy, 0.0)
    around = padded[near]
    # of equal neighbours the one that comes first is the maximum
    behind = (around == hits.energy[:, None]) & (near < np.arange(len(hits))[:, None])
    x, y = place.centres[hits.cell].T
    transverse = hits.energy * np.hypot(x, y) / np.sqrt(x**2 + y**2 + place.z**2)
    maximum = np.all(around <= hits.energy[:, None], axis=1) & ~behind.any(axis=1) & (transverse >= seed_et)
    seeds = np.flatnonzero(maximum)
    cluster, place_near = np.nonzero(near[seeds] < len(hits))
    member = np.concatenate([seeds, near[seeds][cluster, place_near]])
    cluster = np.concatenate([np.arange(len(seeds)), cluster])
    share = _shares(cluster, member, hits.energy, len(seeds))
    energy = np.bincount(cluster, share, len(seeds)).astype(np.float64)
    centre = place.centres[hits.cell[member]]
    sums = [np.bincount(cluster, share * centre[:, axis], len(seeds)) for axis in (0, 1)]
    point = np.stack(sums, axis=1) / energy[:, None]
    count = np.bincount(cluster, minlength=len(seeds))
    return Clusters(hits.event[seeds], hits.cell[seeds], energy, point, count)


def _neighbours(hits: Hits, place: CellMap) -> IntArray:
    """Index among the hits of each hit's touching cells (H, most); H where one has no energy."""
    if len(hits) == 0:
        return np.zeros((0, place.neighbours.shape[1]), dtype=np.int64)
    key = hits.event * place.n_cells + hits.cell
    cell = place.neighbours[hits.cell]
    wanted = hits.event[:, None] * place.n_cells + cell
    found = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
    return np.where((cell >= 0) & (key[found] == wanted), found, len(hits))


def _shares(cluster: IntArray, member: IntArray, energy: FloatArray, n: int) -> FloatArray:
    """Energy that each pair of cluster and cell (M,) has, the whole energy of cells of one cluster."""
    share = energy[member]
    shared = np.bincount(member, minlength=len(energy))[member] > 1
    if not shared.any():
        return share
    for _ in range(ROUNDS):
        total = np.bincount(cluster, share, n)
        claims = np.bincount(member, total[cluster], len(energy))
        share = energy[member] * np.where(shared, total[cluster] / claims[member], 1.0)
    return share
