"""Energy sums and moments of a block of showers, all layers of one kind in one matrix product."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.geometry import CylinderGeometry, Geometry, Layer
from facsim.physics.cell_sums import cell_observables, centre_width

FloatArray = NDArray[np.float64]
Arrays = dict[str, NDArray[Any]]

LAYER_KEYS = ("e_layer", "ec_x", "ec_y", "ec_r", "width_x", "width_y", "width_r", "sparsity")


@dataclass(frozen=True)
class LitCells:
    """A block of showers: `cells` (n, V) in float64 with zeros below threshold, the flat `index` and the energies
    `value` (MeV) of the cells above it."""

    cells: FloatArray
    index: NDArray[np.int64]
    value: FloatArray


def lit_cells(cells: NDArray[Any], threshold: float) -> LitCells:
    """Cells at or above `threshold` (MeV); negative ones never count, NaN is kept so that it can be reported."""
    flat = np.ascontiguousarray(cells if np.issubdtype(cells.dtype, np.floating) else cells.astype(np.float64)).ravel()
    least = np.nextafter(np.zeros(1, flat.dtype), np.ones(1, flat.dtype))[0]
    index = np.flatnonzero(~(flat < max(flat.dtype.type(threshold), least)))
    value = flat[index].astype(np.float64)
    block = np.zeros(flat.shape)
    block[index] = value
    return LitCells(block.reshape(cells.shape), index, value)


@dataclass(frozen=True)
class _Run:
    """Neighbouring layers of one kind: layers `first` to `last`, cells `start` to `stop`."""

    layer: Layer
    first: int
    last: int
    start: int
    stop: int
    matrix: FloatArray

    @property
    def r(self) -> FloatArray:
        edges = np.asarray(self.layer.r_edges, dtype=np.float64)
        return 0.5 * (edges[1:] + edges[:-1])


@lru_cache(maxsize=16)
def _runs(geometry: CylinderGeometry) -> tuple[_Run, ...]:
    return tuple(_iterate_runs(geometry))


def _iterate_runs(geometry: CylinderGeometry) -> Iterator[_Run]:
    first = 0
    kinds = [(layer.r_edges, layer.n_alpha) for layer in geometry.layers]
    for last in range(1, len(kinds) + 1):
        if last < len(kinds) and kinds[last] == kinds[first]:
            continue
        part = slice(geometry.offsets[first], geometry.offsets[first + 1])
        rings = np.eye(geometry.layers[first].n_r)[geometry.ring_index[part]]
        x, y = geometry.x[part, None], geometry.y[part, None]
        matrix = np.hstack([rings, x, y, x * x, y * y])
        yield _Run(
            geometry.layers[first], first, last, int(geometry.offsets[first]), int(geometry.offsets[last]), matrix
        )
        first = last


def ring_edges(geometry: Geometry) -> FloatArray | None:
    """Ring edges in mm shared by all layers, or None when layers are split differently."""
    return geometry.ring_edges


def block_observables(block: LitCells, geometry: Geometry) -> Arrays:
    """The arrays of `calo.shower_observables`, without `e_ratio`, for one block of showers."""
    n = len(block.cells)
    if isinstance(geometry, CylinderGeometry):
        out = _cylinder_observables(block, geometry)
    else:
        out = cell_observables(block.index, block.value, n, geometry)
    out["sparsity"] = 1.0 - _hits(block, geometry) / np.diff(geometry.offsets)
    out["empty"] = out["e_layer"] <= 0
    out["e_total"] = out["e_layer"].sum(axis=1)
    return out


def _cylinder_observables(block: LitCells, geometry: CylinderGeometry) -> Arrays:
    n = len(block.cells)
    out: Arrays = {key: np.zeros((n, geometry.n_layers)) for key in LAYER_KEYS[:-1]}
    rings = []
    for run in _runs(geometry):
        layers = slice(run.first, run.last)
        cells = block.cells[:, run.start : run.stop].reshape(-1, run.layer.n_cells)
        sums = (cells @ run.matrix).reshape(n, run.last - run.first, -1)
        ring = sums[..., : run.layer.n_r]
        energy = ring.sum(axis=-1)
        out["e_layer"][:, layers] = energy
        out["ec_r"][:, layers], out["width_r"][:, layers] = centre_width(ring @ run.r, ring @ run.r**2, energy)
        if run.layer.n_alpha > 1:
            for k, axis in enumerate("xy", start=run.layer.n_r):
                centre, width = centre_width(sums[..., k], sums[..., k + 2], energy)
                out[f"ec_{axis}"][:, layers], out[f"width_{axis}"][:, layers] = centre, width
        rings.append(ring)
    shared = ring_edges(geometry) is not None
    out["e_ring"] = sum(r.sum(axis=1) for r in rings) if shared else np.hstack([r.reshape(n, -1) for r in rings])
    return out


def _hits(block: LitCells, geometry: Geometry) -> NDArray[np.int64]:
    """Number of lit cells per layer, (n, L): differences of where the layer borders fall among the sorted indices."""
    borders = np.arange(len(block.cells))[:, None] * geometry.n_cells + geometry.offsets[None, :]
    return np.diff(np.searchsorted(block.index, borders), axis=1)
