"""Energy sums and moments of showers whose cells lie anywhere, from lit cells only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.geometry import FloatArray, Geometry, IntArray


def cell_observables(index: IntArray, value: FloatArray, n: int, geometry: Geometry) -> dict[str, NDArray[Any]]:
    """The sums of `calo.shower_observables` that depend on where cells lie, for `n` showers.

    Args:
        index: lit cells, numbered through all showers: shower * n_cells + cell, (M,).
        value: their energies in MeV, (M,).
        n: number of showers.
        geometry: the read-out; its layers share their rings.

    Returns:
        `e_layer`, `ec_x`, `ec_y`, `ec_r`, `width_x`, `width_y`, `width_r` (n, L) and `e_ring` (n, R).
    """
    event, cell = np.divmod(index, geometry.n_cells)
    n_layers, n_rings = geometry.n_layers, int(geometry.n_rings[0])

    def sums(place: IntArray, size: int, weights: FloatArray) -> FloatArray:
        flat = np.bincount(event * size + place[cell], weights=weights, minlength=n * size)
        return flat.astype(np.float64).reshape(n, size)

    energy = sums(geometry.layer_index, n_layers, value)
    out = {"e_layer": energy, "e_ring": sums(geometry.ring_index, n_rings, value)}
    defined = np.isin(np.arange(n_layers), geometry.plane_layers)
    for axis, position in (("x", geometry.x), ("y", geometry.y), ("r", geometry.r)):
        first, second = (sums(geometry.layer_index, n_layers, value * position[cell] ** k) for k in (1, 2))
        centre, width = centre_width(first, second, energy)
        kept = np.ones(n_layers, dtype=bool) if axis == "r" else defined
        out[f"ec_{axis}"], out[f"width_{axis}"] = centre * kept, width * kept
    return out


def centre_width(first: FloatArray, second: FloatArray, energy: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Energy-weighted mean and standard deviation from the sums of x E, x^2 E and E; 0 without energy."""
    norm = energy + 1e-16
    centre = first / norm
    return centre, np.sqrt(np.maximum(second / norm - centre * centre, 0.0))
