"""A read-out of one plane of square cells at rest in the detector, whatever the particle's direction is."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from facsim.core.geometry import FloatArray, IntArray
from facsim.core.image import ImageGeometry, regular_image
from facsim.simulate.detector import Detector
from facsim.simulate.readout import EDGE, Readout


class PlaneReadout(Readout):
    """Towers of the whole depth on `rows` x `columns` squares about the middle of the face.

    Args:
        rows, columns: along y and along x. width: of a cell, mm. depth: of the towers, mm.
    """

    turned: ClassVar[bool] = False

    n_layers: Annotated[int, Field(ge=1, le=1)] = 1
    n_alpha: Annotated[int, Field(ge=1, le=1)] = 1
    n_r: Annotated[int, Field(ge=1, le=1)] = 1
    rows: Annotated[int, Field(ge=1)]
    columns: Annotated[int, Field(ge=1)]

    @property
    def radius(self) -> float:
        """Half of the longer side, mm."""
        return 0.5 * self.width * max(self.rows, self.columns)

    @property
    def n_cells(self) -> int:
        return self.rows * self.columns

    def cell_index(self, points: FloatArray) -> IntArray:
        """Cell of each point (mm, in the detector's frame, shape (m, 3)), row by row, or -1 outside, shape (m,)."""
        column = np.floor(points[:, 0] / self.width + 0.5 * self.columns).astype(np.int64)
        row = np.floor(points[:, 1] / self.width + 0.5 * self.rows).astype(np.int64)
        inside = (points[:, 2] > -EDGE) & (points[:, 2] < self.depth + EDGE)
        inside &= (row >= 0) & (row < self.rows) & (column >= 0) & (column < self.columns)
        return np.where(inside, row * self.columns + column, -1)

    def image(self, name: str, particle: str, threshold: float) -> ImageGeometry:
        """The cells, rows along y and columns along x, mm."""
        sides = [(-0.5 * n * self.width, 0.5 * n * self.width, n) for n in (self.rows, self.columns)]
        return regular_image(name, sides[0], sides[1], threshold=threshold, particle=particle)


class PlaneDetector(Detector):
    """A planar calorimeter read out on a plane."""

    readout: PlaneReadout
