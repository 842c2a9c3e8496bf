"""Low-level features of showers: what the cells say, at a size a classifier can learn from a thousand showers.

Per shower: log energy and number of lit cells; log energy of each block of neighbouring layers; log energy and lit
fraction of each block of layers and rings; the share of each quadrant of a block of layers, after turning the shower
so that its energy-weighted dipole points along x; the spectrum of cell energies in three parts of the depth; the
largest cell and the participation ratio sum(E)^2 / sum(E^2) of each block of layers. At most about 475 numbers for
any geometry, made from lit cells only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.geometry import Geometry
from facsim.physics.shower_sums import lit_cells

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

LAYER_BLOCKS = 15
RING_BLOCKS = 9
WIDE_RINGS = 2
DEPTHS = 3
OCTAVES = 12
FLOOR = 1e-3
BLOCK_CELLS = 1 << 22


@dataclass(frozen=True)
class CellFeatures:
    """Maps showers on `geometry` to low-level features; the first column is log10 of the incident energy (MeV)."""

    geometry: Geometry

    @cached_property
    def _threshold(self) -> float:
        return self.geometry.threshold if self.geometry.threshold > 0 else FLOOR

    @cached_property
    def _layer_block(self) -> IntArray:
        """Block of layers of each cell."""
        return _merged(self.geometry.layer_index, self.geometry.n_layers, LAYER_BLOCKS)

    @cached_property
    def _zone(self) -> IntArray:
        """Block of layers and rings of each cell, numbered from 0 without gaps."""
        rings = self.geometry.n_rings[self.geometry.layer_index]
        ring = self.geometry.ring_index * np.minimum(rings, RING_BLOCKS) // rings
        return np.unique(self._layer_block * RING_BLOCKS + ring, return_inverse=True)[1].astype(np.int64)

    @cached_property
    def _quadrant_block(self) -> IntArray:
        """Block of layers, inner or outer rings, of each cell; 4 quadrants are added per shower."""
        rings = self.geometry.n_rings[self.geometry.layer_index]
        outer = self.geometry.ring_index * WIDE_RINGS // np.maximum(rings, WIDE_RINGS)
        return np.asarray(self._layer_block * WIDE_RINGS + outer, dtype=np.int64)

    @cached_property
    def _depth(self) -> IntArray:
        return _merged(self.geometry.layer_index, self.geometry.n_layers, DEPTHS)

    def __call__(self, cells: NDArray[Any], e_inc: NDArray[Any]) -> NDArray[np.float32]:
        """Features (N, F) of cell energies (N, V) and incident energies (N,), MeV."""
        step = max(1, BLOCK_CELLS // self.geometry.n_cells)
        parts = [
            self._block(cells[i : i + step], np.asarray(e_inc[i : i + step], dtype=np.float64))
            for i in range(0, len(cells), step)
        ]
        return np.concatenate(parts)

    def _block(self, cells: NDArray[Any], e_inc: FloatArray) -> NDArray[np.float32]:
        lit = lit_cells(cells, self.geometry.threshold)
        event, cell = np.divmod(lit.index, self.geometry.n_cells)
        n, energy = len(cells), lit.value

        def sums(part: IntArray, size: int, weights: FloatArray | None) -> FloatArray:
            flat = np.bincount(event * size + part, weights=weights, minlength=n * size)
            return flat.astype(np.float64).reshape(n, size)

        zones = int(self._zone.max()) + 1
        zone_size = np.bincount(self._zone, minlength=zones)
        in_zone = self._zone[cell]
        blocks = int(self._layer_block.max()) + 1
        in_block = self._layer_block[cell]
        total = sums(in_block, blocks, energy)
        squares = sums(in_block, blocks, energy**2)
        largest = np.zeros(n * blocks)
        np.maximum.at(largest, event * blocks + in_block, energy)
        octave = np.clip(np.log2(energy / self._threshold), 0, OCTAVES - 1).astype(np.int64)
        spectrum = sums(self._depth[cell] * OCTAVES + octave, DEPTHS * OCTAVES, None)
        columns = [
            np.log10(e_inc)[:, None],
            np.log10(total.sum(axis=1, keepdims=True) + self._threshold),
            np.log1p(spectrum.sum(axis=1, keepdims=True)),
            np.log10(total + self._threshold),
            np.log10(sums(in_zone, zones, energy) + self._threshold),
            sums(in_zone, zones, None) / zone_size,
            self._quadrant_shares(event, cell, energy, n, np.repeat(total, WIDE_RINGS * 4, axis=1)),
            np.log1p(spectrum),
            np.log10(largest.reshape(n, blocks) + self._threshold),
            np.divide(total**2, squares, out=np.zeros_like(total), where=squares > 0),
        ]
        return np.hstack(columns).astype(np.float32)

    def _quadrant_shares(
        self, event: IntArray, cell: IntArray, energy: FloatArray, n: int, total: FloatArray
    ) -> FloatArray:
        """Energy of each quadrant over that of its block of layers, quadrants counted from the shower's dipole."""
        alpha = self.geometry.alpha[cell]
        dipole = np.arctan2(
            np.bincount(event, weights=energy * np.sin(alpha), minlength=n),
            np.bincount(event, weights=energy * np.cos(alpha), minlength=n),
        )
        turned = (alpha - dipole[event] + np.pi / 4) % (2 * np.pi)
        quadrant = np.minimum((turned / (np.pi / 2)).astype(np.int64), 3)
        place = event * total.shape[1] + self._quadrant_block[cell] * 4 + quadrant
        energies = np.bincount(place, weights=energy, minlength=total.size).reshape(total.shape)
        return np.divide(energies, total, out=np.zeros_like(total), where=total > 0)


def _merged(index: IntArray, n: int, most: int) -> IntArray:
    """Positions 0..n-1 merged to at most `most` blocks of neighbours."""
    return np.asarray(index * min(n, most) // n, dtype=np.int64)
