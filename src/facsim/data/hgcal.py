"""Files of the CMS HGCal challenge (github.com/OzAmram/CMSHGCaloChallenge), read by range, and its geometry.

`showers` (N, layers, slots) in GeV, the cells of each layer in its first slots and zeros behind them; `gen_info`
(N, 3 or more): energy in GeV, eta, phi. The files do not say where the cells lie. The challenge keeps that in a pickled
object, which facsim never opens: save its arrays where you trust it, and `convert_geometry` makes facsim's JSON of
them.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike

from facsim.core.cell_geometry import CellGeometry, cell_layer
from facsim.core.errors import FacsimError
from facsim.core.events import Array, Events, Labels, make_events
from facsim.core.geometry import Geometry
from facsim.core.schema import Feature, Schema, calorimeter_schema
from facsim.core.sources import check_range
from facsim.core.store import atomic_path, open_hdf5
from facsim.data.datasets import chunk_of, find_data, numbered
from facsim.data.geometry import GeometryLike, load_geometry, write_geometry

SHOWERS, INFO = "showers", "gen_info"
GEV = 1000.0
CONDITIONS = (Feature("incident_energy", "MeV"), Feature("eta"), Feature("phi", "rad"))
CELL_CUT = 0.01
"""MeV; the challenge's scorer drops cells below 1e-5 GeV."""
PITCH = 12.091
"""mm; width of the cells in which the challenge counts its rings."""
ARRAYS = ("xmap", "ymap", "ncells")


class HGCalReader:
    """`EventSource` over a file of the challenge: cells (N, V, 1) float32 in MeV, layer by layer without empty slots.

    Args:
        path: the file.
        geometry: the read-out, as JSON made by `convert_geometry`.

    Raises:
        FacsimError: no geometry, missing data sets, wrong shapes, layers that do not fit the geometry, or no showers.
    """

    def __init__(self, path: Path, geometry: GeometryLike | None) -> None:
        self.path = Path(path)
        if geometry is None:
            raise FacsimError(
                f"'{path}' is a file of the CMS HGCal challenge, which does not say where its cells lie: give the "
                "geometry as JSON; 'CMS HGCal challenge' in docs/data.md says how it is made."
            )
        chosen = load_geometry(geometry)
        with open_hdf5(self.path) as handle:
            showers = find_data(handle, SHOWERS, (None, None, None))
            self._length, layers, slots = (int(size) for size in showers.shape)
            if not self._length:
                raise FacsimError(f"'{path}' holds no showers.")
            find_data(handle, INFO, (self._length, None))
            if handle[INFO].shape[1] < len(CONDITIONS):
                columns = handle[INFO].shape[1]
                raise FacsimError(f"'{INFO}' in '{path}' has {columns} columns: expected energy, eta, phi.")
            self.block_rows = chunk_of(showers)
        self._layer, self._slot = _slots(chosen)
        if layers != chosen.n_layers or slots <= self._slot.max():
            raise FacsimError(
                f"'{SHOWERS}' in '{path}' has {layers} layers of at most {slots} cells; the geometry '{chosen.name}' "
                f"has {chosen.n_layers} layers of at most {self._slot.max() + 1}."
            )
        self._empty = np.ones((layers, slots), dtype=bool)
        self._empty[self._layer, self._slot] = False
        self._schema = calorimeter_schema(chosen, CONDITIONS, {"file": self.path.name})

    @property
    def schema(self) -> Schema:
        return self._schema

    def __len__(self) -> int:
        return self._length

    def read(self, start: int, stop: int) -> Events:
        """Events `start` to `stop` (exclusive).

        Raises:
            FacsimError: a range outside the file, or energy in slots that are no cells of the geometry.
        """
        check_range(start, stop, len(self))
        with open_hdf5(self.path) as handle:
            showers = np.asarray(handle[SHOWERS][start:stop], dtype=np.float32)
            cond = self._conditions(handle, start, stop)
        outside = np.flatnonzero(np.any(showers[:, self._empty] != 0, axis=1))
        if len(outside):
            raise FacsimError(
                f"event {start + int(outside[0])} of '{self.path}' has energy in slots that are no cells of its "
                "geometry: give the one that these showers were made with."
            )
        cells = showers[:, self._layer, self._slot] * np.float32(GEV)
        return make_events(self._schema, cells[:, :, None], cond, start)

    def labels(self) -> Labels:
        """Conditions and ids of all events, read without the cells."""
        with open_hdf5(self.path) as handle:
            return numbered(self._conditions(handle, 0, len(self)))

    def _conditions(self, handle: h5py.File, start: int, stop: int) -> Array:
        cond = np.asarray(handle[INFO][start:stop, : len(CONDITIONS)], dtype=np.float64)
        return cond * (GEV, 1.0, 1.0)


def _slots(geometry: Geometry) -> tuple[Array, Array]:
    """Layer and slot of each cell."""
    return geometry.layer_index, np.arange(geometry.n_cells) - geometry.offsets[geometry.layer_index]


def hgcal_geometry(
    xmap: ArrayLike,
    ymap: ArrayLike,
    ncells: ArrayLike,
    *,
    name: str = "hgcal",
    particle: str = "",
    threshold: float = CELL_CUT,
    unit_mm: float = 10.0,
    pitch: float = PITCH,
) -> CellGeometry:
    """The read-out from the arrays of the challenge's geometry object.

    Args:
        xmap, ymap: cell centres relative to the shower's central cell, (layers, slots).
        ncells: number of cells of each layer, (layers,): the first slots.
        name, particle: what to call it; `photon`, `pion`, ...
        threshold: cell energies below it (MeV) count as zero.
        unit_mm: the unit of `xmap` and `ymap` in mm. CMS gives lengths in cm, and cells 1.2 units apart fit that.
        pitch: width of the rings in mm; the innermost is half as wide, as in the challenge's `ring_map`.

    Raises:
        FacsimError: arrays that do not fit together.
    """
    x, y = (np.asarray(values, dtype=np.float64) * unit_mm for values in (xmap, ymap))
    counts = np.asarray(ncells).astype(np.int64)
    alike = x.ndim == 2 and x.shape == y.shape and counts.shape == x.shape[:1]
    if not alike or not np.all((counts > 0) & (counts <= x.shape[1])):
        raise FacsimError(
            f"a geometry of the CMS HGCal challenge has 'xmap' and 'ymap' of shape (layers, slots) and as many cells a "
            f"layer in 'ncells', 1 to the number of slots; these have {x.shape}, {y.shape} and {counts.tolist()}."
        )
    layers = tuple(cell_layer(i + 1, x[i, :n].round(4), y[i, :n].round(4)) for i, n in enumerate(counts))
    farthest = max(float(np.hypot(layer.x, layer.y).max()) for layer in layers)
    edges = [0.0, *(np.arange(int(np.ceil(farthest / pitch - 0.5)) + 1) + 0.5) * pitch]
    return CellGeometry(name, particle, layers, tuple(float(edge) for edge in edges), threshold)


def convert_geometry(arrays: str | Path, out: str | Path, **options: Any) -> CellGeometry:
    """Make the geometry JSON that `HGCalReader` reads from an `.npz` with the arrays `xmap`, `ymap`, `ncells`.

    `options` as for `hgcal_geometry`; `name` is by default the file's. Pickled objects inside the file are not read.

    Raises:
        FacsimError: the file is missing or no `.npz` of such arrays.
    """
    path = Path(arrays)
    try:
        with np.load(path, allow_pickle=False) as file:
            values = {key: file[key] for key in ARRAYS}
    except KeyError as error:
        raise FacsimError(f"'{path}' lacks the array {error}: it needs {list(ARRAYS)}.") from None
    except (OSError, ValueError, zipfile.BadZipFile, AttributeError, TypeError):
        raise FacsimError(f"'{path}' is no readable .npz of the plain arrays {list(ARRAYS)}.") from None
    geometry = hgcal_geometry(**values, **{"name": path.stem, **options})
    write_geometry(Path(out), geometry)
    return geometry


def write_hgcal(path: Path, events: Events) -> None:
    """Write showers with the conditions of `CONDITIONS` in the challenge's layout.

    Raises:
        FacsimError: events without geometry, or a condition that is missing.
    """
    geometry = events.schema.geometry
    if geometry is None:
        raise FacsimError("files of the CMS HGCal challenge hold showers on a geometry.")
    layer, slot = _slots(geometry)
    showers = np.zeros((len(events), geometry.n_layers, slot.max() + 1), dtype=np.float32)
    showers[:, layer, slot] = events.cells / GEV
    info = np.stack([events.condition(feature.name) for feature in CONDITIONS], axis=1) / (GEV, 1.0, 1.0)
    with atomic_path(Path(path)) as temporary, h5py.File(temporary, "w") as handle:
        handle.create_dataset(SHOWERS, data=showers, compression="gzip", shuffle=True)
        handle.create_dataset(INFO, data=info.astype(np.float32), compression="gzip")
