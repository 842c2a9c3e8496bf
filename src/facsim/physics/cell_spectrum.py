"""Streaming histogram of cell energies, kept in blocks of showers so that its error can be found by resampling."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError

FloatArray = NDArray[np.float64]

BINS_PER_DECADE = 10
DECADES = 9
BLOCKS = 32
_SHIFT = 44  # the exponent and eight bits of the mantissa of a double: 256 fine cells an octave


def cell_edges(threshold: float) -> FloatArray:
    """Default edges of the cell energy spectrum, MeV: 10 logarithmic bins a decade over 9 decades from threshold."""
    start = np.log10(threshold if threshold > 0 else 1e-3)
    return np.logspace(start, start + DECADES, DECADES * BINS_PER_DECADE + 1)


class CellSpectrum:
    """Counts [underflow, bins, overflow] of positive cell energies (MeV), showers dealt in turn to 32 blocks.

    Raises:
        FacsimError: the edges do not increase or are not positive.
    """

    def __init__(self, edges: NDArray[Any]) -> None:
        self.edges = np.asarray(edges, dtype=np.float64)
        if self.edges.ndim != 1 or len(self.edges) < 2 or self.edges[0] <= 0 or np.any(np.diff(self.edges) <= 0):
            raise FacsimError("edges of a cell energy spectrum must be at least two increasing positive energies.")
        self.counts = np.zeros((BLOCKS, len(self.edges) + 1), dtype=np.int64)
        self._seen = 0
        self._table, self._first = _fine_table(self.edges)

    def add(self, index: NDArray[np.int64], value: FloatArray, n_cells: int, showers: int) -> None:
        """Add a block of `showers`: flat `index` of the lit cells, in ascending order, and their energies."""
        place = self._place(value)
        borders = np.searchsorted(index, np.arange(showers + 1) * n_cells)
        row = np.repeat((self._seen + np.arange(showers)) % BLOCKS, np.diff(borders))
        width = self.counts.shape[1]
        self.counts += np.bincount(row * width + place, minlength=self.counts.size).reshape(self.counts.shape)
        self._seen += showers

    def _place(self, value: FloatArray) -> NDArray[np.int64]:
        """Bin of each value, 0 for underflow; the last edge belongs to the last bin, as in numpy.histogram."""
        if self._table is None:
            place = np.searchsorted(self.edges, value, side="right")
        else:
            fine = np.clip((value.view(np.int64) >> _SHIFT) - self._first, 0, len(self._table) - 1)
            place = self._table[fine]
            place += value >= np.append(self.edges, np.inf)[place]
        place[value == self.edges[-1]] -= 1
        return place.astype(np.int64)


def _fine_table(edges: FloatArray) -> tuple[NDArray[np.int64] | None, int]:
    """Bin at the lower end of each fine cell, for edges so wide apart that a fine cell holds at most one of them.

    A look-up and one comparison are several times faster than a binary search; None asks for the search.
    """
    keys = edges.view(np.int64) >> _SHIFT
    first, last = int(keys[0]) - 1, int(keys[-1]) + 1
    if np.any(np.diff(keys) == 0) or last - first > 1 << 16:
        return None, 0
    lower = (np.arange(first, last + 1, dtype=np.int64) << _SHIFT).view(np.float64)
    return np.searchsorted(edges, lower, side="right").astype(np.int64), first
