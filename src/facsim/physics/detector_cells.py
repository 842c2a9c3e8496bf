"""Cells of the parametric detector: their numbers, what is deposited in them, and neighbours merged to clusters.

A cell's number runs over the regions, in each over eta from the negative end, there over phi. Cells of many events are
told apart by `key` = event * cells + cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from facsim.core.geometry import FloatArray, IntArray
from facsim.physics.detector_settings import Calorimeter

NOWHERE = -1
NEIGHBOURS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))


@dataclass(frozen=True)
class Cells:
    """Arrays by region (R + 1 edges, R sizes) and by cell."""

    low: FloatArray
    high: FloatArray
    rows: IntArray
    sectors: IntArray
    first: IntArray
    count: int

    def number(self, eta: FloatArray, phi: FloatArray) -> IntArray:
        """Cells (N,) at eta and phi (N,), -1 outside."""
        absolute = np.abs(eta)
        region = np.searchsorted(self.high, absolute, side="right")
        inside = region < len(self.high)
        region = np.where(inside, region, 0)
        step = (absolute - self.low[region]) / (self.high - self.low)[region] * self.rows[region]
        step = np.clip(np.where(inside, step, 0.0).astype(np.int64), 0, self.rows[region] - 1)
        # negative eta counts down from the middle: rows 0 to n - 1 there, n to 2 n - 1 on the positive side
        row = np.where(eta < 0, self.rows[region] - 1 - step, self.rows[region] + step)
        turn = (np.where(inside, phi, 0.0) / (2 * np.pi) % 1.0 * self.sectors[region]).astype(np.int64)
        cell = self.first[region] + row * self.sectors[region] + np.minimum(turn, self.sectors[region] - 1)
        return np.where(inside, cell, NOWHERE)

    def place(self, cell: IntArray) -> tuple[IntArray, IntArray, IntArray]:
        """Region, row and sector (N,) of cells."""
        region = np.searchsorted(self.first, cell, side="right") - 1
        rest = cell - self.first[region]
        return region, rest // self.sectors[region], rest % self.sectors[region]

    def position(self, cell: IntArray, rng: np.random.Generator | None = None) -> tuple[FloatArray, FloatArray]:
        """Eta and phi (N,) of the cells' centres, or with `rng` anywhere in the cells with equal probability."""
        region, row, sector = self.place(cell)
        u, v = np.full((2, len(cell)), 0.5) if rng is None else rng.random((2, len(cell)))
        step = row - self.rows[region]
        width = ((self.high - self.low) / self.rows)[region]
        positive = step >= 0
        absolute = self.low[region] + (np.where(positive, step, -1 - step) + u) * width
        phi = (sector + v) * 2 * np.pi / self.sectors[region]
        return np.where(positive, absolute, -absolute), (phi + np.pi) % (2 * np.pi) - np.pi


@lru_cache(maxsize=16)
def cells_of(calorimeter: Calorimeter) -> Cells:
    """The cells of a calorimeter."""
    high = np.array([region.eta for region in calorimeter.regions])
    rows = np.array([region.cells for region in calorimeter.regions], dtype=np.int64)
    sectors = np.array([region.sectors for region in calorimeter.regions], dtype=np.int64)
    ends = np.cumsum(2 * rows * sectors)
    return Cells(np.r_[0.0, high[:-1]], high, rows, sectors, np.r_[0, ends[:-1]], int(ends[-1]))


@dataclass(frozen=True)
class Deposits:
    """Energies of the cells of many events: `key` (C,) increasing, `energy` (C,) GeV, `cells` per event in all."""

    key: IntArray
    energy: FloatArray
    cells: int

    @property
    def event(self) -> IntArray:
        """(C,) the event of each."""
        return self.key // self.cells

    @property
    def cell(self) -> IntArray:
        """(C,) the cell of each."""
        return self.key % self.cells

    def __len__(self) -> int:
        return len(self.key)

    def find(self, key: IntArray) -> IntArray:
        """Places (N,) of the cells with these keys, -1 where there is none."""
        return find(self.key, key)


def find(sorted_keys: IntArray, key: IntArray) -> IntArray:
    """Places of `key` in `sorted_keys`, -1 where there is none."""
    if not len(sorted_keys):
        return np.full(np.shape(key), NOWHERE, dtype=np.int64)
    place = np.minimum(np.searchsorted(sorted_keys, key), len(sorted_keys) - 1)
    return np.where(sorted_keys[place] == key, place, NOWHERE)


def deposit(
    calorimeter: Calorimeter,
    event: IntArray,
    cell: IntArray,
    energy: FloatArray,
    rng: np.random.Generator | None = None,
) -> Deposits:
    """Sums of energies (N,) by event and cell, with `rng` fluctuating by the cell's resolution; cells below their
    threshold or significance are left out."""
    cells = cells_of(calorimeter)
    inside = (cell != NOWHERE) & (energy > 0)
    key, place = np.unique(event[inside] * cells.count + cell[inside], return_inverse=True)
    total = np.bincount(place, energy[inside], len(key)).astype(np.float64)
    region = cells.place(key % cells.count)[0]
    if rng is not None:
        total = lognormal(total, calorimeter.sigma(total, region), rng)
    least = np.maximum(
        calorimeter.column("threshold", region), calorimeter.significance * calorimeter.sigma(total, region)
    )
    kept = total >= least
    return Deposits(key[kept], total[kept], cells.count)


def clusters(calorimeter: Calorimeter, deposits: Deposits) -> IntArray:
    """For each cell (C,) the place of the local maximum that it belongs to: itself, or its most energetic neighbour's.

    Cells touch along sides and at corners, within a region and across phi = 0; the two halves of a region touch only
    where it begins at eta = 0.
    """
    cells, best = cells_of(calorimeter), np.arange(len(deposits))
    region, row, sector = cells.place(deposits.cell)
    highest = deposits.energy.copy()
    for up, turn in NEIGHBOURS:
        there = row + up
        inside = (there >= 0) & (there < 2 * cells.rows[region])
        inside &= (region == 0) | ((there < cells.rows[region]) == (row < cells.rows[region]))
        cell = cells.first[region] + there * cells.sectors[region] + (sector + turn) % cells.sectors[region]
        place = deposits.find(np.where(inside, deposits.event * cells.count + cell, NOWHERE))
        energy = np.where(place >= 0, deposits.energy[place], 0.0) if len(place) else highest
        # of two equal ones the first is the higher, so that chains end
        more = (energy > highest) | ((energy == highest) & (place >= 0) & (place < best))
        best, highest = np.where(more, place, best), np.where(more, energy, highest)
    while True:
        further = best[best]
        if np.array_equal(further, best):
            return best
        best = further


def lognormal(mean: FloatArray, sigma: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Positive numbers of this mean and standard deviation, (N,)."""
    width = np.sqrt(np.log1p((sigma / np.where(mean > 0, mean, 1.0)) ** 2))
    drawn = mean * np.exp(width * rng.standard_normal(len(mean)) - width**2 / 2)
    return np.where(mean > 0, drawn, 0.0)


def keys(event: IntArray, cell: IntArray, count: int) -> NDArray[np.int64]:
    """Keys of cells (N,), -1 where the cell is outside."""
    return np.where(cell == NOWHERE, NOWHERE, event * count + cell)
