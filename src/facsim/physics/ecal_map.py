"""The cells of the LHCb electromagnetic calorimeter: three zones of square cells round the beam hole.

Every module is 121.2 mm wide and holds 9 cells (inner zone), 4 (middle) or 1 (outer): 40.4, 60.6 and 121.2 mm. The
zones are rectangles of 16 x 12, 32 x 20 and 64 x 52 modules, of which 16 x 12 inner cells round the beam are not read:
1536, 1792 and 2688 cells, 6016 in all, as built (LHCb, JINST 3 S08005, section 6.2).

Simplified: one plane at one distance, no gap between the halves, no tilt, no displaced modules, nominal sizes. Lengths
are in mm; x runs along columns, y along rows, both from the beam.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
NOWHERE = -1


@dataclass(frozen=True)
class Zone:
    """A rectangle of equal cells about the beam, without what zones inside of it cover.

    Args:
        name: of the zone. cell: width of its cells, in fine cells.
        half: half width and half height of the rectangle, in fine cells.
    """

    name: str
    cell: int
    half: tuple[int, int]


@dataclass(frozen=True)
class CellMap:
    """Square cells of several sizes on a common fine grid.

    Args:
        zones: from the innermost to the outermost.
        hole: half width and half height of the beam hole, in fine cells.
        pitch: of the fine grid, mm. z: distance of the face from the interaction point, mm.

    Raises:
        FacsimError: rectangles that are not nested, or no multiples of their cells.
    """

    zones: tuple[Zone, ...]
    hole: tuple[int, int]
    pitch: float
    z: float

    def __post_init__(self) -> None:
        inner = self.hole
        for zone in self.zones:
            nested = all(a <= b for a, b in zip(inner, zone.half, strict=True))
            if not nested or any(side % zone.cell for side in (*inner, *zone.half)):
                raise FacsimError(
                    f"the zone '{zone.name}' of half size {zone.half} must hold whole cells of "
                    f"{zone.cell} about {inner}."
                )
            inner = zone.half

    @cached_property
    def table(self) -> IntArray:
        """Cell of each place of the fine grid (rows, columns); -1 in the hole. Zone by zone, row by row."""
        columns, rows = (2 * half for half in self.zones[-1].half)
        table = np.full((rows, columns), NOWHERE, dtype=np.int64)
        first, inside = 0, self.hole
        for zone in self.zones:
            width, height = (2 * half // zone.cell for half in zone.half)
            read = np.ones((height, width), dtype=bool)
            (left, right), (low, high) = (
                (n // 2 - s // zone.cell, n // 2 + s // zone.cell) for n, s in zip((width, height), inside, strict=True)
            )
            read[low:high, left:right] = False
            cells = np.where(read, first + np.cumsum(read).reshape(read.shape) - 1, NOWHERE)
            fine = np.repeat(np.repeat(cells, zone.cell, axis=0), zone.cell, axis=1)
            x, y = columns // 2 - zone.half[0], rows // 2 - zone.half[1]
            part = table[y : rows - y, x : columns - x]
            part[fine >= 0] = fine[fine >= 0]
            first, inside = first + int(read.sum()), zone.half
        return table

    @cached_property
    def n_cells(self) -> int:
        return int(self.table.max()) + 1

    @property
    def half_size(self) -> tuple[float, float]:
        """Half width and half height of the face, mm."""
        x, y = self.zones[-1].half
        return x * self.pitch, y * self.pitch

    @cached_property
    def zone(self) -> IntArray:
        """Zone of each cell (n_cells,)."""
        area = np.bincount(self.table[self.table >= 0])
        return np.searchsorted([zone.cell**2 for zone in self.zones], area).astype(np.int64)

    @cached_property
    def size(self) -> FloatArray:
        """Width of each cell (n_cells,), mm."""
        return np.array([zone.cell for zone in self.zones])[self.zone] * self.pitch

    @cached_property
    def centres(self) -> FloatArray:
        """x and y of each cell (n_cells, 2), mm."""
        row, column = np.nonzero(self.table >= 0)
        cell = self.table[row, column]
        sums = [np.bincount(cell, weights=place) for place in (column, row)]
        middle = np.stack(sums, axis=1) / np.bincount(cell)[:, None] + 0.5
        return np.asarray((middle - np.array(self.table.shape[::-1]) / 2) * self.pitch)

    @cached_property
    def neighbours(self) -> IntArray:
        """Cells that touch each cell, at a side or corner: (n_cells, most), filled up with -1."""
        rows, columns = self.table.shape
        framed = np.pad(self.table, 1, constant_values=NOWHERE)
        pairs = []
        for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
            there = framed[1 + dy : 1 + dy + rows, 1 + dx : 1 + dx + columns]
            touch = (self.table != there) & (self.table >= 0) & (there >= 0)
            pairs.append(np.stack([self.table[touch], there[touch]], axis=1))
        either = np.concatenate([*pairs, *(pair[:, ::-1] for pair in pairs)])
        cell, other = np.unique(either, axis=0).T
        count = np.bincount(cell, minlength=self.n_cells)
        found = np.full((self.n_cells, int(count.max())), NOWHERE, dtype=np.int64)
        found[cell, np.arange(len(cell)) - np.repeat(np.cumsum(count) - count, count)] = other
        return found

    def fine(self, x: NDArray[Any], y: NDArray[Any]) -> tuple[IntArray, IntArray]:
        """Row and column of the fine grid at points in mm; not bounded by the face."""
        rows, columns = self.table.shape
        row = np.floor(np.asarray(y, np.float64) / self.pitch).astype(np.int64) + rows // 2
        return row, np.floor(np.asarray(x, np.float64) / self.pitch).astype(np.int64) + columns // 2

    def cells_at(self, row: IntArray, column: IntArray) -> IntArray:
        """Cells at places of the fine grid, -1 where there is none; arguments broadcast."""
        rows, columns = self.table.shape
        inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        found = self.table[np.clip(row, 0, rows - 1), np.clip(column, 0, columns - 1)]
        return np.where(inside, found, NOWHERE)

    def find(self, x: NDArray[Any], y: NDArray[Any]) -> IntArray:
        """Cells at points in mm, -1 in the hole and outside of the face.

        Raises:
            FacsimError: coordinates that are not finite.
        """
        if not (np.all(np.isfinite(x)) and np.all(np.isfinite(y))):
            raise FacsimError("points on the calorimeter's face must be finite (mm), and some are not.")
        return self.cells_at(*self.fine(x, y))

    def paint(self, cell: IntArray, value: NDArray[Any], density: bool = True) -> FloatArray:
        """The face as a picture on the fine grid (rows, columns): values summed by cell, each cell's value spread over
        its fine cells (`density`) or repeated; 0 in the hole."""
        sums: FloatArray = np.bincount(cell, weights=value, minlength=self.n_cells).astype(np.float64)
        if density:
            sums = sums / np.round((self.size / self.pitch) ** 2)
        return np.where(self.table >= 0, sums[np.maximum(self.table, 0)], 0.0)


LHCB = CellMap(
    (Zone("inner", 2, (48, 36)), Zone("middle", 3, (96, 60)), Zone("outer", 6, (192, 156))), (16, 12), 20.2, 12_490.0
)
"""Face of 7.76 x 6.30 m, 12.49 m from the interaction point."""
