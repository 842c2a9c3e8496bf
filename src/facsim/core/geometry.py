"""Calorimeter read-out geometries: what all have in common, and cylinders of rings and azimuthal sectors.

The cells of a cylinder are numbered as in the CaloChallenge: the radius runs fastest, then the angle, then the layer
(arXiv 2410.21611, section 2). Read-outs of cells at any place are in `core.cell_geometry`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class AnyLayer(Protocol):
    """What layers of all read-outs have: a number as the experiment counts them, and cells."""

    @property
    def id(self) -> int: ...

    @property
    def n_cells(self) -> int: ...


class Geometry(ABC):
    """A read-out: cells in layers, front to back, the cells of a layer one after another.

    Attributes:
        name: short name, e.g. `ds2-electrons`.
        particle: `photon`, `pion`, `electron`, ..., or empty.
        threshold: cell energies below this value (MeV) count as zero.
        layers: the layers that are read out.
    """

    name: str
    particle: str
    threshold: float
    if TYPE_CHECKING:

        @property
        def layers(self) -> Sequence[AnyLayer]: ...

    @property
    def n_layers(self) -> int:
        return len(self.layers)

    @cached_property
    def offsets(self) -> IntArray:
        """First cell of each layer and, last, the number of cells: shape (n_layers + 1,)."""
        return np.concatenate([[0], np.cumsum([layer.n_cells for layer in self.layers])]).astype(np.int64)

    @property
    def n_cells(self) -> int:
        return int(self.offsets[-1])

    @property
    def shape(self) -> tuple[int, int, int] | None:
        """(n_layers, n_alpha, n_r) of a cylinder whose layers are all alike, else None."""
        return None

    @cached_property
    def layer_index(self) -> IntArray:
        """Position in `layers` of each cell, shape (n_cells,)."""
        return np.repeat(np.arange(self.n_layers), np.diff(self.offsets)).astype(np.int64)

    def layer_sum(self, cells: NDArray[Any]) -> NDArray[Any]:
        """Sum over the cells of each layer: (N, n_cells) -> (N, n_layers), same unit."""
        return np.add.reduceat(cells, self.offsets[:-1], axis=1)

    @property
    @abstractmethod
    def x(self) -> FloatArray:
        """x of each cell centre, mm, shape (n_cells,)."""

    @property
    @abstractmethod
    def y(self) -> FloatArray:
        """y of each cell centre, mm."""

    @property
    @abstractmethod
    def r(self) -> FloatArray:
        """Distance of each cell centre from the axis, mm."""

    @property
    @abstractmethod
    def alpha(self) -> FloatArray:
        """Azimuth of each cell centre, rad."""

    @property
    @abstractmethod
    def ring_index(self) -> IntArray:
        """Ring of each cell inside its layer, shape (n_cells,)."""

    @property
    @abstractmethod
    def n_rings(self) -> IntArray:
        """Number of rings of each layer, shape (n_layers,)."""

    @property
    @abstractmethod
    def ring_edges(self) -> FloatArray | None:
        """Ring edges in mm shared by all layers, or None when layers are split differently."""

    @property
    @abstractmethod
    def plane_layers(self) -> list[int]:
        """Positions of the layers in which x and y are defined."""

    @abstractmethod
    def same_cells(self, other: Geometry) -> bool:
        """Whether both have the same cells at the same places, within a micrometre; names and depths may differ."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """JSON-ready description; `core.cell_geometry.geometry_from_dict` is its inverse."""


@dataclass(frozen=True)
class Layer:
    """One longitudinal layer: `id` as the experiment numbers it, ring edges in mm, number of sectors."""

    id: int
    r_edges: tuple[float, ...]
    n_alpha: int

    @property
    def n_r(self) -> int:
        return len(self.r_edges) - 1

    @property
    def n_cells(self) -> int:
        return self.n_r * self.n_alpha


@dataclass(frozen=True)
class CylinderGeometry(Geometry):
    """A read-out cylinder aligned with the incident particle.

    Args:
        name: short name, e.g. `ds2-electrons`.
        particle: `photon`, `pion`, `electron`, ... (the name in the challenge's binning file).
        layers: the layers that are read out, front to back.
        threshold: cell energies below this value (MeV) count as zero.

    Raises:
        FacsimError: no layer, a layer without cells, or ring edges that do not increase.
    """

    name: str
    particle: str
    layers: tuple[Layer, ...]
    threshold: float = 0.0

    def __post_init__(self) -> None:
        if not self.layers:
            raise FacsimError(f"geometry '{self.name}' has no layer.")
        for layer in self.layers:
            edges = np.asarray(layer.r_edges)
            if layer.n_alpha < 1 or len(edges) < 2 or edges[0] < 0 or not np.all(np.diff(edges) > 0):
                raise FacsimError(
                    f"layer {layer.id} of geometry '{self.name}' needs increasing ring edges (mm, not negative) and at "
                    f"least one sector, not r_edges={layer.r_edges}, n_alpha={layer.n_alpha}."
                )

    @property
    def shape(self) -> tuple[int, int, int] | None:
        """(n_layers, n_alpha, n_r) when all layers are alike, else None."""
        kinds = {(layer.n_alpha, layer.n_r) for layer in self.layers}
        return (self.n_layers, *kinds.pop()) if len(kinds) == 1 else None

    @cached_property
    def ring_index(self) -> IntArray:
        """Ring of each cell inside its layer, shape (n_cells,)."""
        return np.concatenate([np.tile(np.arange(la.n_r), la.n_alpha) for la in self.layers]).astype(np.int64)

    @cached_property
    def sector_index(self) -> IntArray:
        """Azimuthal sector of each cell inside its layer, shape (n_cells,)."""
        return np.concatenate([np.repeat(np.arange(la.n_alpha), la.n_r) for la in self.layers]).astype(np.int64)

    @cached_property
    def r(self) -> FloatArray:
        """Ring centre of each cell, mm: the midpoint of its edges."""
        rings = [0.5 * (np.asarray(la.r_edges[1:]) + np.asarray(la.r_edges[:-1])) for la in self.layers]
        return np.concatenate([np.tile(c, la.n_alpha) for c, la in zip(rings, self.layers, strict=True)])

    @cached_property
    def alpha(self) -> FloatArray:
        """Azimuth of each cell centre in (-pi, pi)."""
        parts = []
        for la in self.layers:
            edges = np.linspace(-np.pi, np.pi, la.n_alpha + 1)
            parts.append(np.repeat(0.5 * (edges[1:] + edges[:-1]), la.n_r))
        return np.concatenate(parts)

    @cached_property
    def x(self) -> FloatArray:
        """x of each cell centre, mm."""
        return self.r * np.cos(self.alpha)

    @cached_property
    def y(self) -> FloatArray:
        """y of each cell centre, mm."""
        return self.r * np.sin(self.alpha)

    @cached_property
    def n_rings(self) -> IntArray:
        """Number of rings of each layer, shape (n_layers,)."""
        return np.array([layer.n_r for layer in self.layers], dtype=np.int64)

    @property
    def ring_edges(self) -> FloatArray | None:
        """Ring edges in mm shared by all layers, or None when layers are split differently."""
        edges = {layer.r_edges for layer in self.layers}
        return np.asarray(edges.pop(), dtype=np.float64) if len(edges) == 1 else None

    @property
    def plane_layers(self) -> list[int]:
        """Positions of the layers of more than one sector: in the others x and y are not defined."""
        return [i for i, layer in enumerate(self.layers) if layer.n_alpha > 1]

    def same_cells(self, other: Geometry) -> bool:
        """Equal sectors and rings in every layer, edges within a micrometre."""
        if not isinstance(other, CylinderGeometry):
            return False
        kinds = [[(layer.n_alpha, layer.n_r) for layer in one.layers] for one in (self, other)]
        pairs = zip(self.layers, other.layers, strict=False)
        return kinds[0] == kinds[1] and all(np.allclose(a.r_edges, b.r_edges, rtol=0, atol=1e-3) for a, b in pairs)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready description; `from_dict` is its inverse."""
        return {
            "name": self.name,
            "particle": self.particle,
            "threshold_MeV": self.threshold,
            "layers": [{"id": la.id, "r_edges_mm": list(la.r_edges), "n_alpha": la.n_alpha} for la in self.layers],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CylinderGeometry:
        """Geometry from `to_dict`'s mapping.

        Raises:
            FacsimError: a key is missing.
        """
        try:
            layers = tuple(
                Layer(int(la["id"]), tuple(float(e) for e in la["r_edges_mm"]), int(la["n_alpha"]))
                for la in data["layers"]
            )
            return cls(str(data["name"]), str(data["particle"]), layers, float(data["threshold_MeV"]))
        except KeyError as error:
            raise FacsimError(f"a geometry needs the key {error}; it has {sorted(data)}.") from None


def regular_cylinder(
    name: str, particle: str, n_layers: int, n_alpha: int, n_r: int, dr: float, threshold: float
) -> CylinderGeometry:
    """Cylinder of `n_layers` equal layers with `n_r` rings of width `dr` (mm) and `n_alpha` sectors."""
    edges = tuple(round(i * dr, 6) for i in range(n_r + 1))
    return CylinderGeometry(name, particle, tuple(Layer(i, edges, n_alpha) for i in range(n_layers)), threshold)
