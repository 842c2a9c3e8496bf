"""CaloGAN's files (arXiv 1712.10321; Mendeley pvn3xc3wy5), read by range.

`energy` (N, 1): incident energy in GeV; `layer_0` (N, 3, 96), `layer_1` (N, 12, 12), `layer_2` (N, 12, 6): cell
energies in MeV, on squares of 480 mm around the particle; `overflow` (N, 3): what lies outside of them, MeV. The
calorimeter is flat, lead and liquid argon, with layers of 90, 347 and 43 mm.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from facsim.core.cell_geometry import CellGeometry, CellLayer, cell_layer
from facsim.core.errors import FacsimError
from facsim.core.events import Array, Events, Labels, make_events
from facsim.core.schema import Schema, calorimeter_schema
from facsim.core.sources import check_range
from facsim.core.store import atomic_path, open_hdf5
from facsim.data.datasets import chunk_of, find_column, find_data, numbered, rows
from facsim.data.geometry import GeometryLike, load_geometry

ENERGY, OVERFLOW = "energy", "overflow"
LAYERS = {"layer_0": (3, 96), "layer_1": (12, 12), "layer_2": (12, 6)}
GEV = 1000.0
HALF_WIDTH = 240.0
RINGS = (0.0, 20.0, 40.0, 80.0, 120.0, 160.0, 200.0, 240.0, 340.0)


def _layer(number: int, n_x: int, n_y: int) -> CellLayer:
    """Cells of a square, y fastest as in the file."""
    x, y = (-HALF_WIDTH + (np.arange(n) + 0.5) * 2 * HALF_WIDTH / n for n in (n_x, n_y))
    return cell_layer(number, np.repeat(x, n_y), np.tile(y, n_x))


CALOGAN = CellGeometry("calogan", "", tuple(_layer(i, *shape) for i, shape in enumerate(LAYERS.values())), RINGS)
"""x runs along the first axis of the images, y along the second."""


class CaloGANReader:
    """`EventSource` over a CaloGAN file: cells (N, 504, 1) float32 in MeV, conditioned on the incident energy.

    Args:
        path: the file.
        geometry: a read-out of the same cells with another threshold; by default `CALOGAN`, whose threshold is 0.

    Raises:
        FacsimError: missing data sets, wrong shapes, another geometry, or no showers.
    """

    def __init__(self, path: Path, geometry: GeometryLike | None = None) -> None:
        self.path = Path(path)
        chosen = CALOGAN if geometry is None else load_geometry(geometry)
        if not chosen.same_cells(CALOGAN):
            raise FacsimError(f"'{path}' is a CaloGAN file, and '{chosen.name}' is not CaloGAN's read-out.")
        with open_hdf5(self.path) as handle:
            self._length = len(find_data(handle, "layer_0", (None, *LAYERS["layer_0"])))
            if not self._length:
                raise FacsimError(f"'{path}' holds no showers.")
            for name, shape in LAYERS.items():
                find_data(handle, name, (self._length, *shape))
            find_column(handle, ENERGY, self._length)
            self.block_rows = chunk_of(handle["layer_0"])
        self._schema = calorimeter_schema(chosen, provenance={"file": self.path.name})

    @property
    def schema(self) -> Schema:
        return self._schema

    def __len__(self) -> int:
        return self._length

    def read(self, start: int, stop: int) -> Events:
        """Events `start` to `stop` (exclusive)."""
        check_range(start, stop, len(self))
        with open_hdf5(self.path) as handle:
            layers = [handle[name][start:stop].reshape(stop - start, a * b) for name, (a, b) in LAYERS.items()]
            cond = self._conditions(handle, start, stop)
        cells = np.concatenate(layers, axis=1).astype(np.float32, copy=False)
        return make_events(self._schema, cells[:, :, None], cond, start)

    def labels(self) -> Labels:
        """Conditions and ids of all events, read without the cells."""
        with open_hdf5(self.path) as handle:
            return numbered(self._conditions(handle, 0, len(self)))

    def _conditions(self, handle: h5py.File, start: int, stop: int) -> Array:
        return rows(handle[ENERGY], start, stop)[:, None] * GEV


def write_calogan(path: Path, events: Events, overflow: Array | None = None) -> None:
    """Write showers on `CALOGAN` in CaloGAN's layout; `overflow` (N, 3) in MeV, by default 0.

    Raises:
        FacsimError: showers on another read-out.
    """
    geometry = events.schema.geometry
    if geometry is None or not geometry.same_cells(CALOGAN):
        raise FacsimError("CaloGAN files hold showers on CaloGAN's read-out of 504 cells.")
    parts = np.split(events.cells, geometry.offsets[1:-1], axis=1)
    with atomic_path(Path(path)) as temporary, h5py.File(temporary, "w") as handle:
        handle.create_dataset(ENERGY, data=events.condition("incident_energy")[:, None] / GEV)
        for (name, shape), cells in zip(LAYERS.items(), parts, strict=True):
            handle.create_dataset(name, data=cells.reshape(-1, *shape), compression="gzip", shuffle=True)
        handle.create_dataset(OVERFLOW, data=np.zeros((len(events), 3)) if overflow is None else overflow)
