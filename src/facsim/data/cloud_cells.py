"""Point clouds of showers put into the cells of a cylinder, so that everything for cells can be used on them."""

from __future__ import annotations

import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.events import Events, EventSource, Labels
from facsim.core.geometry import CylinderGeometry, FloatArray, Geometry, IntArray
from facsim.core.schema import Schema, calorimeter_schema
from facsim.core.sources import block_rows, read_labels
from facsim.data.showerdata import is_shower_cloud


class CloudsInCells:
    """`EventSource` over point clouds, each point's energy added to the cell that it lies in.

    A point of z in layer k, within half a layer, belongs to the layer with the id k; x and y are taken from the
    cylinder's axis. Points outside of the cylinder are lost.

    Args:
        source: clouds of x, y (mm), z (layer), energy (MeV).
        geometry: the cylinder, whose layers are numbered as z is.

    Raises:
        FacsimError: other clouds, or a read-out that is no cylinder.
    """

    def __init__(self, source: EventSource, geometry: Geometry) -> None:
        if not is_shower_cloud(source.schema):
            raise FacsimError("only clouds of points x, y, z, energy can be put into cells.")
        if not isinstance(geometry, CylinderGeometry):
            raise FacsimError(f"points are put into the cells of a cylinder, and '{geometry.name}' is none.")
        self._source, self._geometry = source, geometry
        self._schema = calorimeter_schema(geometry, source.schema.conditions, source.schema.provenance)

    @property
    def schema(self) -> Schema:
        return self._schema

    @property
    def block_rows(self) -> int:
        """Events that the clouds' source decompresses together."""
        return block_rows(self._source)

    def __len__(self) -> int:
        return len(self._source)

    def read(self, start: int, stop: int) -> Events:
        """Events `start` to `stop` (exclusive)."""
        events = self._source.read(start, stop)
        n, n_cells = len(events), self._geometry.n_cells
        real = np.ones(events.x.shape[:2], dtype=bool) if events.mask is None else events.mask
        event = np.nonzero(real)[0]
        points = events.x[real].astype(np.float64)
        cell = find_cells(points[:, 0], points[:, 1], points[:, 2], self._geometry)
        kept = cell >= 0
        flat = event[kept] * n_cells + cell[kept]
        cells = np.bincount(flat, weights=points[kept, 3], minlength=n * n_cells).reshape(n, n_cells, 1)
        labels = {name: getattr(events, name) for name in ("cond", "event_id", "group_id", "weight")}
        return Events(self._schema, cells.astype(np.float32), **labels)

    def labels(self) -> Labels:
        """Conditions, ids and weights of all events."""
        return read_labels(self._source)


def find_cells(x: FloatArray, y: FloatArray, z: FloatArray, geometry: CylinderGeometry) -> IntArray:
    """Cell of each point, x and y in mm from the axis and z the id of its layer; -1 outside: (M,)."""
    cell = np.full(len(x), -1, dtype=np.int64)
    r, turn = np.hypot(x, y), (np.arctan2(y, x) + np.pi) / (2 * np.pi)
    number = np.floor(z + 0.5)
    for place, layer in enumerate(geometry.layers):
        here = np.flatnonzero(number == layer.id)
        ring = np.searchsorted(layer.r_edges, r[here], side="right") - 1
        sector = np.minimum((turn[here] * layer.n_alpha).astype(np.int64), layer.n_alpha - 1)
        inside = (ring >= 0) & (ring < layer.n_r)
        cell[here[inside]] = geometry.offsets[place] + (sector * layer.n_r + ring)[inside]
    return cell
