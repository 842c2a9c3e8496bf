"""Shower observables of the CaloChallenge (arXiv 2410.21611) on any read-out, streamed.

Definitions: centre of energy EC_x = sum(x E) / (sum E + 1e-16), width_x = sqrt(max(0, sum(x^2 E) / (sum E + 1e-16)
- EC_x^2)), likewise for y and r; sparsity = 1 - fraction of cells above threshold. Energies MeV, lengths mm.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.events import EventSource, chunks
from facsim.core.geometry import Geometry
from facsim.physics.cell_spectrum import CellSpectrum, cell_edges
from facsim.physics.shower_sums import LAYER_KEYS, Arrays, LitCells, block_observables, lit_cells, ring_edges

__all__ = [
    "LAYER_KEYS",
    "Observations",
    "cell_edges",
    "collect",
    "high_level_features",
    "high_level_names",
    "layer_correlation",
    "ring_edges",
    "shower_observables",
]

FloatArray = NDArray[np.float64]

CELLS_AT_ONCE = 1 << 18  # float64 working set of 2 MB: stays in the cache, whatever the size of the file


def shower_observables(
    cells: NDArray[Any], e_inc: NDArray[Any], geometry: Geometry, threshold: float | None = None
) -> Arrays:
    """Observables of showers held in memory.

    Args:
        cells: cell energies in MeV, shape (N, V), in the geometry's order.
        e_inc: incident energies in MeV, shape (N,).
        geometry: the read-out.
        threshold: cell energies below it (MeV) count as zero; by default the geometry's.

    Returns:
        `e_layer`, `ec_x`, `ec_y`, `ec_r`, `width_x`, `width_y`, `width_r`, `sparsity` (N, L), `empty` (N, L) bool,
        `e_total`, `e_ratio` (N,), `e_ring` (N, R): energy per ring summed over layers when they share their rings,
        else the rings of all layers one after the other. x and y centres and widths are 0 in layers of one sector or
        cell.

    Raises:
        FacsimError: the shapes do not fit, an energy is not finite, or an incident energy is not positive.
    """
    _check(cells, e_inc, geometry)
    limit = geometry.threshold if threshold is None else threshold
    parts = [block_observables(block, geometry) for block in _blocks(cells, limit, geometry)]
    return _joined(parts, np.asarray(e_inc, dtype=np.float64))


def _check(cells: NDArray[Any], e_inc: NDArray[Any], geometry: Geometry) -> None:
    if cells.ndim != 2 or cells.shape[1] != geometry.n_cells:
        raise FacsimError(
            f"showers of geometry '{geometry.name}' have shape (events, {geometry.n_cells}), not {cells.shape}."
        )
    if e_inc.shape != (len(cells),):
        raise FacsimError(f"{len(cells)} showers need as many incident energies, not an array of shape {e_inc.shape}.")
    if len(cells) == 0:
        raise FacsimError("there are no showers to compute observables of.")
    if not np.all(e_inc > 0):
        raise FacsimError("incident energies must be positive numbers of MeV; check the file's incident energies.")


def _blocks(cells: NDArray[Any], threshold: float, geometry: Geometry) -> Iterator[LitCells]:
    """Blocks of showers small enough for the cache."""
    step = max(1, CELLS_AT_ONCE // geometry.n_cells)
    for first in range(0, len(cells), step):
        block = lit_cells(cells[first : first + step], threshold)
        bad = block.index[~np.isfinite(block.value)]
        if len(bad):
            shower = first + int(bad[0]) // geometry.n_cells
            raise FacsimError(f"shower {shower} of {len(cells)} holds a cell energy that is not a finite number.")
        yield block


def _joined(parts: Sequence[Arrays], e_inc: FloatArray) -> Arrays:
    out: Arrays = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    out["e_ratio"] = out["e_total"] / e_inc
    return out


def high_level_features(obs: Arrays, e_inc: NDArray[Any], geometry: Geometry) -> FloatArray:
    """The CaloChallenge's high-level vector, shape (N, D); D = 30, 46, 362, 362 for its data sets 1g, 1pi, 2, 3.

    [log10 E_inc, log10(E_l + 1e-8), EC_x/100, EC_y/100, w_x/100, w_y/100, log10(E_tot + 1e-8), sparsity_l,
    EC_r/100, w_r/100], energies in MeV; x and y only in layers of more than one sector or cell.
    """
    wide = geometry.plane_layers
    columns = [np.log10(e_inc)[:, None], np.log10(obs["e_layer"].astype(np.float64) + 1e-8)]
    columns += [obs[key][:, wide] / 100.0 for key in ("ec_x", "ec_y", "width_x", "width_y")]
    columns += [np.log10(obs["e_total"] + 1e-8)[:, None], obs["sparsity"]]
    columns += [obs[key] / 100.0 for key in ("ec_r", "width_r")]
    return np.asarray(np.hstack(columns), dtype=np.float64)


def high_level_names(geometry: Geometry) -> list[str]:
    """Names of the columns of `high_level_features`, e.g. `e_layer_12` (layers by the experiment's id)."""
    ids = [layer.id for layer in geometry.layers]
    wide = [ids[i] for i in geometry.plane_layers]
    names = ["e_inc", *(f"e_layer_{i}" for i in ids)]
    names += [f"{key}_{i}" for key in ("ec_x", "ec_y", "width_x", "width_y") for i in wide]
    return [*names, "e_total", *(f"{key}_{i}" for key in ("sparsity", "ec_r", "width_r") for i in ids)]


def layer_correlation(e_layer: NDArray[Any]) -> FloatArray:
    """Pearson correlation matrix of layer energies (N, L) -> (L, L); undefined entries are 0, the diagonal is 1."""
    centred = e_layer.astype(np.float64) - e_layer.mean(axis=0, dtype=np.float64)
    covariance = centred.T @ centred
    norm = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    matrix: FloatArray = np.divide(covariance, norm, out=np.zeros_like(covariance), where=norm > 0)
    np.fill_diagonal(matrix, 1.0)
    return matrix


@dataclass(frozen=True)
class Observations:
    """What is kept of a sample of showers after one streaming pass.

    Attributes:
        geometry: the read-out.
        e_inc: incident energies, MeV, (N,).
        obs: as from `shower_observables`; per-layer and per-ring arrays in float32 to save memory.
        event_id, group_id: (N,).
        cell_edges: edges (MeV) of the pooled spectrum of cells above threshold, (B + 1,).
        cell_blocks: its counts [underflow, B bins, overflow] in blocks of showers, (blocks, B + 2).
        cell_max: largest cell energy, MeV.
        mean_shower: mean energy of each cell, MeV, (V,).
    """

    geometry: Geometry
    e_inc: FloatArray
    obs: Arrays
    event_id: NDArray[np.int64]
    group_id: NDArray[np.int64]
    cell_edges: FloatArray
    cell_blocks: NDArray[np.int64]
    cell_max: float
    mean_shower: FloatArray

    def __len__(self) -> int:
        return len(self.e_inc)

    @property
    def features(self) -> FloatArray:
        """High-level features, (N, D) float64; computed at each access."""
        return high_level_features(self.obs, self.e_inc, self.geometry)

    @property
    def feature_names(self) -> list[str]:
        return high_level_names(self.geometry)

    @property
    def cell_counts(self) -> NDArray[np.int64]:
        """Counts [underflow, bins, overflow] of the pooled cell spectrum, (B + 2,)."""
        return np.asarray(self.cell_blocks.sum(axis=0), dtype=np.int64)

    @property
    def correlation(self) -> FloatArray:
        """Correlation matrix of layer energies, (L, L)."""
        return layer_correlation(self.obs["e_layer"])

    def select(self, index: NDArray[Any] | slice) -> Observations:
        """The chosen events; what is pooled over showers (cells, mean shower) stays that of the whole sample."""
        obs = {key: value[index] for key, value in self.obs.items()}
        return replace(
            self, e_inc=self.e_inc[index], obs=obs, event_id=self.event_id[index], group_id=self.group_id[index]
        )


def collect(
    source: EventSource,
    chunk: int = 1000,
    *,
    threshold: float | None = None,
    edges: NDArray[Any] | None = None,
    start: int = 0,
    stop: int | None = None,
) -> Observations:
    """Stream showers `start` to `stop` of `source` once and keep their observables.

    Memory: one chunk of the file plus about 1.5 kB a shower for 45 layers.

    Args:
        source: showers on a grid with a geometry and the condition `incident_energy` (MeV).
        chunk: showers read at a time.
        threshold: cell threshold in MeV, by default the geometry's.
        edges: edges (MeV) of the cell spectrum, by default `cell_edges(threshold)`.

    Raises:
        FacsimError: no geometry, no showers, energies not finite, or shapes that do not fit.
    """
    geometry = source.schema.geometry
    if geometry is None:
        raise FacsimError("calorimeter observables need events with a geometry; this file describes none.")
    limit = geometry.threshold if threshold is None else threshold
    spectrum = CellSpectrum(cell_edges(limit) if edges is None else edges)
    total, largest = np.zeros(geometry.n_cells), 0.0
    parts: list[Arrays] = []
    for batch in chunks(source, chunk, start, stop):
        cells, e_inc = batch.cells, batch.condition("incident_energy").astype(np.float64)
        _check(cells, e_inc, geometry)
        blocks = []
        for block in _blocks(cells, limit, geometry):
            blocks.append(block_observables(block, geometry))
            spectrum.add(block.index, block.value, geometry.n_cells, len(block.cells))
            total += block.cells.sum(axis=0)
            largest = max(largest, float(block.value.max(initial=0.0)))
        kept = _joined(blocks, e_inc) | {"e_inc": e_inc, "event_id": batch.event_id, "group_id": batch.group_id}
        parts.append({key: _slim(value) for key, value in kept.items()})
    if not parts:
        raise FacsimError("there are no showers to compute observables of.")
    obs = {key: np.concatenate([part.pop(key) for part in parts]) for key in list(parts[0])}
    e_inc, event_id, group_id = (obs.pop(key) for key in ("e_inc", "event_id", "group_id"))
    return Observations(
        geometry, e_inc, obs, event_id, group_id, spectrum.edges, spectrum.counts, largest, total / len(e_inc)
    )


def _slim(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(np.float32) if array.dtype == np.float64 and array.ndim == 2 else array
