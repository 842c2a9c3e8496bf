"""Read-outs whose cells lie anywhere: each layer is a list of cell centres.

For detectors that are no cylinder of rings and sectors: hexagonal and mixed cells (CMS HGCal), rectangular cells
(CaloGAN). Rings are bins of the distance from the axis, the same in all layers; a layer may have no cell in some ring.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from facsim.core.errors import FacsimError
from facsim.core.geometry import CylinderGeometry, FloatArray, Geometry, IntArray
from facsim.core.image import ImageGeometry

MICROMETRE = 1e-3


@dataclass(frozen=True, eq=False)
class CellLayer:
    """One layer: `id` as the experiment numbers it, cell centres `x` and `y` in mm from the shower's axis, (n,)."""

    id: int
    x: FloatArray
    y: FloatArray

    @property
    def n_cells(self) -> int:
        return len(self.x)


@dataclass(frozen=True, eq=False)
class CellGeometry(Geometry):
    """A read-out of cells at any place.

    Args:
        name: short name.
        particle: `photon`, `pion`, ..., or empty.
        layers: the layers that are read out, front to back; best made by `cell_layer`.
        r_edges: edges in mm of the rings in which radial profiles are taken; they hold all cell centres.
        threshold: cell energies below this value (MeV) count as zero.

    Raises:
        FacsimError: no layer, a layer without cells, centres that are not finite, or rings that do not hold them.
    """

    name: str
    particle: str
    layers: tuple[CellLayer, ...]
    r_edges: tuple[float, ...]
    threshold: float = 0.0

    def __post_init__(self) -> None:
        if not self.layers:
            raise FacsimError(f"geometry '{self.name}' has no layer.")
        for layer in self.layers:
            if layer.x.ndim != 1 or layer.x.shape != layer.y.shape or not len(layer.x):
                raise FacsimError(
                    f"layer {layer.id} of geometry '{self.name}' needs as many x as y, one each per cell, "
                    f"not arrays of shape {layer.x.shape} and {layer.y.shape}."
                )
            if not np.isfinite([layer.x, layer.y]).all():
                raise FacsimError(f"layer {layer.id} of geometry '{self.name}' has cells at places that are no number.")
        edges = np.asarray(self.r_edges, dtype=np.float64)
        if len(edges) < 2 or not np.all(np.diff(edges) > 0) or self.r.min() < edges[0] or self.r.max() > edges[-1]:
            raise FacsimError(
                f"the rings of geometry '{self.name}' need increasing edges (mm) that hold all cells, which lie "
                f"{self.r.min():.4g} to {self.r.max():.4g} mm from the axis, not {list(self.r_edges)}."
            )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CellGeometry):
            return NotImplemented
        return (self.name, self.particle, self._digest) == (other.name, other.particle, other._digest)

    def __hash__(self) -> int:
        return hash((self.name, self.particle, self._digest))

    @cached_property
    def _digest(self) -> bytes:
        """Of all numbers: geometries of a million cells are compared often."""
        ids = np.array([layer.id for layer in self.layers])
        parts = [self.x, self.y, self.offsets, ids, np.array([*self.r_edges, self.threshold])]
        return hashlib.blake2b(b"".join(part.tobytes() for part in parts), digest_size=16).digest()

    @cached_property
    def x(self) -> FloatArray:
        return np.concatenate([layer.x for layer in self.layers])

    @cached_property
    def y(self) -> FloatArray:
        return np.concatenate([layer.y for layer in self.layers])

    @cached_property
    def r(self) -> FloatArray:
        return np.hypot(self.x, self.y)

    @cached_property
    def alpha(self) -> FloatArray:
        return np.arctan2(self.y, self.x)

    @cached_property
    def ring_index(self) -> IntArray:
        ring = np.searchsorted(self.r_edges, self.r, side="right") - 1
        return np.minimum(ring, len(self.r_edges) - 2).astype(np.int64)

    @cached_property
    def n_rings(self) -> IntArray:
        return np.full(self.n_layers, len(self.r_edges) - 1, dtype=np.int64)

    @property
    def ring_edges(self) -> FloatArray:
        return np.asarray(self.r_edges, dtype=np.float64)

    @property
    def plane_layers(self) -> list[int]:
        return [i for i, layer in enumerate(self.layers) if layer.n_cells > 1]

    def same_cells(self, other: Geometry) -> bool:
        if not isinstance(other, CellGeometry) or not np.array_equal(self.offsets, other.offsets):
            return False
        return bool(max(np.abs(self.x - other.x).max(), np.abs(self.y - other.y).max()) <= MICROMETRE)

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "particle": self.particle,
            "threshold_MeV": self.threshold,
            "r_edges_mm": list(self.r_edges),
            "layers": [{"id": la.id, "x_mm": la.x.tolist(), "y_mm": la.y.tolist()} for la in self.layers],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CellGeometry:
        """Geometry from `to_dict`'s mapping.

        Raises:
            FacsimError: a key is missing, or as the class.
        """
        try:
            layers = tuple(cell_layer(int(la["id"]), la["x_mm"], la["y_mm"]) for la in data["layers"])
            edges = tuple(float(edge) for edge in data["r_edges_mm"])
            return cls(str(data["name"]), str(data["particle"]), layers, edges, float(data["threshold_MeV"]))
        except KeyError as error:
            raise FacsimError(f"a geometry of cells needs the key {error}; it has {sorted(data)}.") from None


def cell_layer(number: int, x: ArrayLike, y: ArrayLike) -> CellLayer:
    """A layer from cell centres in mm."""
    return CellLayer(number, np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64))


def geometry_from_dict(data: Mapping[str, Any]) -> Geometry:
    """The geometry that `to_dict` of any of them described; those of free cells have the key `r_edges_mm`, images the
    key `row_edges`.

    Raises:
        FacsimError: a key is missing, or numbers that make no geometry.
    """
    if "row_edges" in data:
        return ImageGeometry.from_dict(data)
    return CellGeometry.from_dict(data) if "r_edges_mm" in data else CylinderGeometry.from_dict(data)
