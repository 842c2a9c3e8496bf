"""Read-outs of one plane of rows and columns: pads and time buckets of a TPC, cells of a calorimeter's face.

Cells are numbered row by row, the column running fastest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.geometry import FloatArray, Geometry, IntArray


@dataclass(frozen=True)
class Plane:
    """The only layer of an image."""

    n_cells: int
    id: int = 0


@dataclass(frozen=True)
class ImageGeometry(Geometry):
    """A plane of rows x columns cells.

    Args:
        name: short name, e.g. `mpd-tpc`.
        row_edges: edges of the rows, in `units[0]`, increasing: one more than there are rows.
        column_edges: edges of the columns, in `units[1]`.
        units: of rows and columns, e.g. `("pad", "time bucket")` or `("mm", "mm")`.
        threshold: cells below this value, in the unit of the data, count as zero; 0 where there is none.
        particle: `photon`, `electron`, ..., or empty.

    Raises:
        FacsimError: edges that do not increase, or fewer than two.
    """

    name: str
    row_edges: tuple[float, ...]
    column_edges: tuple[float, ...]
    units: tuple[str, str] = ("mm", "mm")
    threshold: float = 0.0
    particle: str = ""

    def __post_init__(self) -> None:
        for axis, edges in (("rows", self.row_edges), ("columns", self.column_edges)):
            if len(edges) < 2 or not np.all(np.diff(edges) > 0):
                raise FacsimError(f"the {axis} of image '{self.name}' need increasing edges, not {list(edges)}.")

    @property
    def image(self) -> tuple[int, int]:
        """Numbers of rows and columns."""
        return len(self.row_edges) - 1, len(self.column_edges) - 1

    @cached_property
    def layers(self) -> tuple[Plane, ...]:
        rows, columns = self.image
        return (Plane(rows * columns),)

    @cached_property
    def centres(self) -> tuple[FloatArray, FloatArray]:
        """Centres of the rows and of the columns."""
        rows, columns = np.asarray(self.row_edges, np.float64), np.asarray(self.column_edges, np.float64)
        return 0.5 * (rows[1:] + rows[:-1]), 0.5 * (columns[1:] + columns[:-1])

    @cached_property
    def x(self) -> FloatArray:
        """Place of each cell along the columns, in `units[1]`, shape (n_cells,)."""
        return np.tile(self.centres[1], self.image[0])

    @cached_property
    def y(self) -> FloatArray:
        """Place of each cell along the rows, in `units[0]`."""
        return np.repeat(self.centres[0], self.image[1])

    @cached_property
    def r(self) -> FloatArray:
        """Distance of each cell from the origin of both axes, meaningful where their units agree."""
        return np.hypot(self.x, self.y)

    @cached_property
    def alpha(self) -> FloatArray:
        return np.arctan2(self.y, self.x)

    @property
    def ring_index(self) -> IntArray:
        return np.zeros(self.n_cells, dtype=np.int64)

    @property
    def n_rings(self) -> IntArray:
        return np.ones(1, dtype=np.int64)

    @property
    def ring_edges(self) -> None:
        return None

    @property
    def plane_layers(self) -> list[int]:
        return [0]

    def same_cells(self, other: Geometry) -> bool:
        if not isinstance(other, ImageGeometry) or self.image != other.image or self.units != other.units:
            return False
        pairs = ((self.row_edges, other.row_edges), (self.column_edges, other.column_edges))
        return all(np.allclose(a, b, rtol=0, atol=1e-3) for a, b in pairs)

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "row_edges": list(self.row_edges),
            "column_edges": list(self.column_edges),
            "units": list(self.units),
            "threshold": self.threshold,
            "particle": self.particle,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ImageGeometry:
        """Geometry from `to_dict`'s mapping.

        Raises:
            FacsimError: a key is missing, or as the class.
        """
        try:
            rows, columns = (tuple(float(edge) for edge in data[key]) for key in ("row_edges", "column_edges"))
            units = (str(data["units"][0]), str(data["units"][1]))
            return cls(str(data["name"]), rows, columns, units, float(data["threshold"]), str(data["particle"]))
        except KeyError as error:
            raise FacsimError(f"an image geometry needs the key {error}; it has {sorted(data)}.") from None


def regular_image(
    name: str, rows: tuple[float, float, int], columns: tuple[float, float, int], **options: Any
) -> ImageGeometry:
    """An image of equal cells: first edge, last edge and number of the rows and of the columns."""
    row_edges, column_edges = (tuple(np.linspace(low, high, n + 1).tolist()) for low, high, n in (rows, columns))
    return ImageGeometry(name, row_edges, column_edges, **options)
