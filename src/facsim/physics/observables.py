"""The named observables of calorimeter showers, and the bins they are compared in.

To add one: write a plain function of the arrays of `calo.shower_observables`, and a line in `OBSERVABLES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.geometry import Geometry
from facsim.physics.shower_sums import Arrays, ring_edges

FloatArray = NDArray[np.float64]
Bins = Callable[[Geometry, int | None, NDArray[Any]], FloatArray | None]

STRICT_BINS = 30
PAR04_RADIUS = 41.85
"""Outer radius in mm of the challenge's data sets 2 and 3."""


@dataclass(frozen=True)
class Observable:
    """A named quantity of a shower.

    Args:
        name: as in files and score names.
        label: LaTeX, for axes.
        unit: empty when it has none.
        per: `shower` (values (N,)), `layer` (N, L) or `ring` (N, R).
        values: the function of `calo.shower_observables`' arrays and the geometry.
        challenge: the bins of the CaloChallenge's scorer, None where it has none for this quantity.
        log: better drawn on a logarithmic axis.
        needs_sectors: defined only in layers of more than one sector or cell (x and y).
    """

    name: str
    label: str
    unit: str
    per: Literal["shower", "layer", "ring"]
    values: Callable[[Arrays, Geometry], FloatArray]
    challenge: Bins | None = None
    log: bool = False
    needs_sectors: bool = False

    @property
    def per_layer(self) -> bool:
        return self.per == "layer"

    def layers(self, geometry: Geometry) -> list[int]:
        """Positions of the layers in which a per-layer observable is defined."""
        return geometry.plane_layers if self.needs_sectors else list(range(geometry.n_layers))

    def column(self, obs: Arrays, geometry: Geometry, index: int | None = None) -> FloatArray:
        """Values (N,) of layer or ring `index`, or of the whole shower.

        Raises:
            FacsimError: an index is missing, or given for an observable of the whole shower.
        """
        if (index is None) != (self.per == "shower"):
            raise FacsimError(f"observable '{self.name}' is one value per {self.per}; got index {index}.")
        values = self.values(obs, geometry)
        return values if index is None else values[:, index]

    def absent(self, obs: Arrays, index: int | None = None) -> NDArray[np.bool_]:
        """Events without this observable, (N,): the layer, or the whole shower, holds no energy above threshold."""
        missing = obs["empty"][:, index] if self.per_layer and index is not None else obs["e_total"] <= 0
        return np.asarray(missing, dtype=bool)

    def challenge_bins(self, geometry: Geometry, index: int | None, reference: NDArray[Any]) -> FloatArray | None:
        """Edges of protocol `calochallenge-2022`, given the reference's values (N,); None where it defines none."""
        return None if self.challenge is None else self.challenge(geometry, index, reference)


def strict_bins(reference: NDArray[Any], n_bins: int = STRICT_BINS) -> FloatArray:
    """Edges of protocol `strict`: bins of equal probability in the reference sample, from its least to its largest
    value, fewer where values repeat. Give it the reference's values without those of empty layers.
    """
    if len(reference) == 0:
        return np.array([0.0, 1.0])
    edges = np.unique(np.quantile(np.asarray(reference, dtype=np.float64), np.linspace(0, 1, n_bins + 1)))
    if len(edges) > 1:
        return edges
    margin = 1e-6 * max(abs(edges[0]), 1.0)
    return np.array([edges[0] - margin, edges[0] + margin])


def plot_bins(reference: NDArray[Any], log: bool = False, n_bins: int = 40) -> FloatArray:
    """Edges for drawing: the reference's central 99.8 % and a tenth of it on both sides, equal or logarithmic."""
    kept = np.asarray(reference, dtype=np.float64)
    kept = kept[kept > 0] if log else kept
    if len(kept) == 0:
        return np.logspace(-3, 0, n_bins + 1) if log else np.linspace(0.0, 1.0, n_bins + 1)
    low, high = np.quantile(np.log10(kept) if log else kept, (0.001, 0.999))
    margin = 0.1 * (high - low) if high > low else 0.5 * max(abs(high), 1e-3)
    edges = np.linspace(low - margin, high + margin, n_bins + 1)
    return np.asarray(10**edges if log else edges)


def challenge_cell_bins(geometry: Geometry, largest: float) -> FloatArray | None:
    """The challenge's edges of the cell spectrum: 49 logarithmic bins from threshold to the reference's largest cell
    (MeV); None when no cell is above threshold."""
    return _log_bins(geometry.threshold, largest, 50)


def _log_bins(low: float, high: float, n_edges: int) -> FloatArray | None:
    return np.logspace(np.log10(low), np.log10(high), n_edges) if 0 < low < high else None


def _energy_bins(geometry: Geometry, index: int | None, reference: NDArray[Any]) -> FloatArray | None:
    return _log_bins(geometry.threshold, float(np.max(reference)), 40)


def _fixed(low: float, high: float, n_edges: int) -> Bins:
    return lambda geometry, index, reference: np.linspace(low, high, n_edges)


def _by_radius(
    par04: tuple[float, float], wide: tuple[float, float], other: tuple[float, float], ids: set[int]
) -> Bins:
    """101 edges: data sets 2 and 3 in `par04`, layers `ids` of data set 1 in `wide`, its other layers in `other`.

    Geometries that are not the challenge's scale `par04` with their outer radius (a factor 1 for data sets 2, 3).
    """

    def bins(geometry: Geometry, index: int | None, reference: NDArray[Any]) -> FloatArray:
        rings = ring_edges(geometry)
        if rings is None:
            layer = geometry.layers[0 if index is None else index]
            return np.linspace(*(wide if layer.id in ids else other), 101)
        scale = float(rings[-1]) / PAR04_RADIUS
        return np.linspace(par04[0] * scale, par04[1] * scale, 101)

    return bins


def _key(name: str) -> Callable[[Arrays, Geometry], FloatArray]:
    return lambda obs, geometry: np.asarray(obs[name], dtype=np.float64)


def hits(obs: Arrays, geometry: Geometry) -> FloatArray:
    """Number of cells above threshold in a shower, (N,)."""
    return np.asarray(np.rint((1.0 - obs["sparsity"].astype(np.float64)) @ np.diff(geometry.offsets)))


def depth(obs: Arrays, geometry: Geometry) -> FloatArray:
    """Energy-weighted mean layer number of a shower, counted from 0, (N,)."""
    energy = obs["e_layer"].astype(np.float64)
    return np.asarray(energy @ np.arange(geometry.n_layers) / (energy.sum(axis=1) + 1e-16))


def depth_width(obs: Arrays, geometry: Geometry) -> FloatArray:
    """Energy-weighted standard deviation of the layer number of a shower, (N,)."""
    energy = obs["e_layer"].astype(np.float64)
    square = energy @ np.arange(geometry.n_layers) ** 2 / (energy.sum(axis=1) + 1e-16)
    return np.asarray(np.sqrt(np.maximum(square - depth(obs, geometry) ** 2, 0.0)))


def sparsity(obs: Arrays, geometry: Geometry) -> FloatArray:
    """1 - fraction of lit cells of each layer, (N, L).

    Exact again where it was kept in single precision: the challenge's bins have edges at such fractions, e.g. 45 of
    900 cells, and rounding would move showers across them.
    """
    cells = np.diff(geometry.offsets)
    return np.asarray(1.0 - np.rint((1.0 - obs["sparsity"].astype(np.float64)) * cells) / cells)


def layer_share(obs: Arrays, geometry: Geometry) -> FloatArray:
    """Fraction of a shower's energy in each layer, (N, L)."""
    return np.asarray(obs["e_layer"] / (obs["e_total"][:, None] + 1e-16), dtype=np.float64)


def ring_share(obs: Arrays, geometry: Geometry) -> FloatArray:
    """Fraction of a shower's energy in each ring, summed over layers that share their rings, (N, R)."""
    return np.asarray(obs["e_ring"] / (obs["e_total"][:, None] + 1e-16), dtype=np.float64)


_CENTRE = _by_radius((-30, 30), (-500, 500), (-100, 100), {12, 13})
_WIDTH = _by_radius((0, 30), (0, 400), (0, 100), {12, 13})
_CENTRE_R = _by_radius((0, 42), (0, 1500), (0, 500), {12, 13, 14})
_WIDTH_R = _by_radius((0, 20), (0, 1500), (0, 500), {12, 13, 14})

OBSERVABLES: Mapping[str, Observable] = {
    line.name: line
    for line in (
        Observable("e_ratio", r"$E_{tot}/E_{inc}$", "", "shower", _key("e_ratio"), _fixed(0.5, 1.5, 101)),
        Observable("e_layer", r"$E_{layer}$", "MeV", "layer", _key("e_layer"), _energy_bins, log=True),
        Observable("ec_x", r"$\langle x \rangle$", "mm", "layer", _key("ec_x"), _CENTRE, needs_sectors=True),
        Observable("ec_y", r"$\langle y \rangle$", "mm", "layer", _key("ec_y"), _CENTRE, needs_sectors=True),
        Observable("ec_r", r"$\langle r \rangle$", "mm", "layer", _key("ec_r"), _CENTRE_R),
        Observable("width_x", r"$\sigma_x$", "mm", "layer", _key("width_x"), _WIDTH, needs_sectors=True),
        Observable("width_y", r"$\sigma_y$", "mm", "layer", _key("width_y"), _WIDTH, needs_sectors=True),
        Observable("width_r", r"$\sigma_r$", "mm", "layer", _key("width_r"), _WIDTH_R),
        Observable("sparsity", r"sparsity", "", "layer", sparsity, _fixed(0.0, 1.0, 21)),
        Observable("hits", r"$N_{cells}$", "", "shower", hits),
        Observable("depth", r"$\langle layer \rangle$", "", "shower", depth),
        Observable("depth_width", r"$\sigma_{layer}$", "", "shower", depth_width),
        Observable("layer_share", r"$E_{layer}/E_{tot}$", "", "layer", layer_share),
        Observable("ring_share", r"$E_{ring}/E_{tot}$", "", "ring", ring_share),
    )
}
"""Name to observable, the challenge's own first."""
