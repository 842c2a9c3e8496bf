"""The read-out cylinder laid over a detector: layers that are all alike, or each with depth, rings and sectors."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from facsim.core.geometry import CylinderGeometry, FloatArray, IntArray, Layer, regular_cylinder

EDGE = 1e-6
Millimetres = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Section(BaseModel):
    """A part of a description; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ReadoutLayer(Section):
    """One layer of cells: its number, length along the axis (mm), sectors, and edges of its rings (mm)."""

    id: int
    depth: Millimetres
    n_alpha: Annotated[int, Field(ge=1)]
    r_edges: Annotated[tuple[float, ...], Field(min_length=2)]

    @field_validator("r_edges")
    @classmethod
    def _increase(cls, edges: tuple[float, ...]) -> tuple[float, ...]:
        if edges[0] < 0 or any(b <= a for a, b in pairwise(edges)):
            raise ValueError(f"the edges of rings must increase from 0 mm or more, not {list(edges)}")
        return edges


class Readout(Section):
    """The read-out cylinder: its axis is the particle's direction, its origin the point of entry.

    Args:
        n_layers, n_alpha, n_r: numbers of layers, sectors and rings.
        depth: length of a cell along the axis, mm.
        width: width of a ring, mm.
        layers: in place of all these, layers that differ, front to back; the numbers are then the largest, the lengths
            the smallest of theirs.
    """

    turned: ClassVar[bool] = True
    """Whether the cells turn and move with the particle."""

    n_layers: Annotated[int, Field(ge=1)]
    n_alpha: Annotated[int, Field(ge=1)]
    n_r: Annotated[int, Field(ge=1)]
    depth: Millimetres
    width: Millimetres
    layers: Annotated[tuple[ReadoutLayer, ...], Field(min_length=1)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _sizes_of_layers(cls, value: Any) -> Any:
        if not isinstance(value, Mapping) or value.get("layers") is None:
            return value
        try:
            layers = [ReadoutLayer.model_validate(layer) for layer in value["layers"]]
            sizes = _sizes(layers)
        except (TypeError, ValueError):  # what is wrong with them is told where they are validated
            sizes = {"n_layers": 1, "n_alpha": 1, "n_r": 1, "depth": 1.0, "width": 1.0}
        else:
            for name in sizes.keys() & value.keys():
                if value[name] != sizes[name]:
                    raise ValueError(f"a read-out with 'layers' takes its '{name}' from them: leave it out")
        return {**value, **sizes}

    @model_serializer(mode="wrap")
    def _without_absent_layers(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found: dict[str, Any] = handler(self)
        return found if self.layers is not None else {k: v for k, v in found.items() if k != "layers"}

    @property
    def z_edges(self) -> FloatArray:
        """Fronts of the layers and, last, the back of the cylinder: mm, (n_layers + 1,)."""
        if self.layers is None:
            return np.arange(self.n_layers + 1, dtype=np.float64) * self.depth
        return np.concatenate([[0.0], np.cumsum([layer.depth for layer in self.layers])])

    @property
    def radius(self) -> float:
        """Radius of the cylinder, mm."""
        return self.n_r * self.width if self.layers is None else max(layer.r_edges[-1] for layer in self.layers)

    def geometry(self, name: str, particle: str, threshold: float) -> CylinderGeometry:
        """The cells, of which those below `threshold` (MeV) count as zero."""
        if self.layers is None:
            return regular_cylinder(name, particle, self.n_layers, self.n_alpha, self.n_r, self.width, threshold)
        layers = tuple(Layer(layer.id, layer.r_edges, layer.n_alpha) for layer in self.layers)
        return CylinderGeometry(name, particle, layers, threshold)

    @property
    def n_cells(self) -> int:
        if self.layers is None:
            return self.n_layers * self.n_alpha * self.n_r
        return sum(layer.n_alpha * (len(layer.r_edges) - 1) for layer in self.layers)

    def cell_index(self, points: FloatArray) -> IntArray:
        """Cell of each point (mm, in the particle's frame, shape (m, 3)), or -1 outside the cylinder, shape (m,)."""
        z, r = points[:, 2], np.hypot(points[:, 0], points[:, 1])
        z = z + EDGE * ((z > -EDGE) & (z < 0))
        turn = (np.arctan2(points[:, 1], points[:, 0]) + np.pi) / (2 * np.pi)
        if self.layers is None:
            layer, ring = np.floor(z / self.depth).astype(np.int64), (r / self.width).astype(np.int64)
            sector = (turn * self.n_alpha).astype(np.int64) % self.n_alpha
            inside = (layer >= 0) & (layer < self.n_layers) & (ring < self.n_r)
            return np.where(inside, (layer * self.n_alpha + sector) * self.n_r + ring, -1)
        index, first = np.full(len(points), -1, dtype=np.int64), 0
        edges = self.z_edges
        for i, own in enumerate(self.layers):
            rings = np.asarray(own.r_edges)
            here = np.flatnonzero((z >= edges[i]) & (z < edges[i + 1]) & (r >= rings[0]) & (r < rings[-1]))
            sector = (turn[here] * own.n_alpha).astype(np.int64) % own.n_alpha
            ring = np.searchsorted(rings, r[here], side="right") - 1
            index[here] = first + sector * (len(rings) - 1) + ring
            first += own.n_alpha * (len(rings) - 1)
        return index


def _sizes(layers: list[ReadoutLayer]) -> dict[str, Any]:
    return {
        "n_layers": len(layers),
        "n_alpha": max(layer.n_alpha for layer in layers),
        "n_r": max(len(layer.r_edges) - 1 for layer in layers),
        "depth": min(layer.depth for layer in layers),
        "width": min(float(np.diff(layer.r_edges).min()) for layer in layers),
    }
