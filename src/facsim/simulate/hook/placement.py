"""Showers of a surrogate in an event's read-out: around the particle's own place and direction."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.geometry import CylinderGeometry, FloatArray
from facsim.simulate.hook.records import Records
from facsim.simulate.readout import Readout

Cells = NDArray[Any]


def frames(direction: FloatArray) -> FloatArray:
    """Rotations (N, 3, 3) that turn the z axis onto the unit vectors `direction` (N, 3), z > -1, and nothing else."""
    x, y, z = direction.T
    over = 1.0 / (1.0 + z)
    rows = [[1 - x * x * over, -x * y * over, x], [-x * y * over, 1 - y * y * over, y], [-x, -y, z]]
    return np.moveaxis(np.array(rows), 2, 0)


class Placement:
    """Puts showers around particles into the read-out cylinder around the beam.

    A cell goes, whole, to the cell that holds a point drawn evenly in its ring and sector, at the middle of its depth:
    spectra and energy stay as they are, and a shower that is neither moved nor turned stays where it is. A particle
    that starts inside the calorimeter moves its shower by whole layers, by the next larger number with the probability
    that makes the mean right. What comes to lie outside of the read-out is lost.

    Args:
        readout: the read-out of both; its axis is z. geometry: its cells.
    """

    def __init__(self, readout: Readout, geometry: CylinderGeometry) -> None:
        self._readout, self._layer = readout, geometry.layer_index
        edges, alphas = readout.z_edges, [layer.n_alpha for layer in geometry.layers]
        self._middle = 0.5 * (edges[1:] + edges[:-1])[geometry.layer_index]
        rings = [np.asarray(layer.r_edges) for layer in geometry.layers]
        self._ring = np.concatenate([np.tile(r[:-1], n) for r, n in zip(rings, alphas, strict=True)])
        self._width = np.concatenate([np.tile(np.diff(r), n) for r, n in zip(rings, alphas, strict=True)])
        self._turn = 2 * np.pi / np.repeat([1.0 * n for n in alphas], np.diff(geometry.offsets))
        self._sector = geometry.sector_index * self._turn - np.pi

    def add(
        self, into: Cells, event: NDArray[np.int64], cells: Cells, start: Records, rng: np.random.Generator
    ) -> None:
        """Add showers to events.

        Args:
            into: (E, V), changed in place.
            event: row of `into` for each shower, (N,).
            cells: showers (N, V).
            start: where each shower starts, and in which direction, (N,); z > 0 lies inside the calorimeter.
            rng: of the points.
        """
        shower, cell = np.nonzero(cells)
        u = rng.random((2, len(cell)))
        radius = self._ring[cell] + u[0] * self._width[cell]
        angle = self._sector[cell] + u[1] * self._turn[cell]
        depth = self._middle[cell] + self._layers(start, rng)[shower]
        local = np.stack([radius * np.cos(angle), radius * np.sin(angle), depth], axis=1)
        points = np.einsum("nij,nj->ni", frames(start["direction"])[shower], local) + _at_face(start)[shower]
        index = self._readout.cell_index(points)
        inside = index >= 0
        flat = event[shower[inside]] * into.shape[1] + index[inside]
        into += np.bincount(flat, cells[shower, cell][inside], into.size).reshape(into.shape)

    def _layers(self, start: Records, rng: np.random.Generator) -> FloatArray:
        """How much deeper than the face each shower begins, along its direction, in whole layers, mm (N,)."""
        layers = np.maximum(start["position"][:, 2], 0.0) / start["direction"][:, 2] / self._readout.depth
        return np.asarray(np.floor(layers + rng.random(len(start))) * self._readout.depth)


def _at_face(start: Records) -> FloatArray:
    """Where the line of each particle crosses the face, mm (N, 3)."""
    direction = start["direction"]
    return np.asarray(start["position"] - (start["position"][:, 2] / direction[:, 2])[:, None] * direction)
