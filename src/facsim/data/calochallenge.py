"""CaloChallenge HDF5 files, read by range and written in the layout of `core.showerfile`."""

from __future__ import annotations

from pathlib import Path

import h5py

from facsim.core.errors import FacsimError
from facsim.core.events import Array, Events, Labels
from facsim.core.geometry import Geometry
from facsim.core.growing import chunk_rows
from facsim.core.schema import Schema, calorimeter_schema
from facsim.core.showerfile import (
    ENERGIES,
    SHOWERS,
    append_showers,
    extra_names,
    read_extra,
    read_labels,
    read_rows,
    read_schema,
    write_showers,
)
from facsim.core.sources import check_range
from facsim.core.store import open_hdf5
from facsim.data.geometry import GeometryLike, load_geometry
from facsim.physics.geometries import find_geometry

__all__ = ["CaloChallengeReader", "append_showers", "write_showers"]


class CaloChallengeReader:
    """`EventSource` over a CaloChallenge file: cells (N, V, 1) float32 and conditions (N, K) float64, MeV.

    The geometry is `geometry` when given, else the one that facsim stored in the file, else the built-in one with the
    same number of cells. Files are opened for each read, so a reader can be handed to other processes.

    Args:
        path: the file.
        geometry: a geometry, a built-in name, or the path of a binning XML or geometry JSON.

    Raises:
        FacsimError: a missing or damaged file, missing data sets, wrong shapes, no events, or a geometry with another
            number of cells.
    """

    def __init__(self, path: Path, geometry: GeometryLike | None = None) -> None:
        self.path = Path(path)
        wanted = None if geometry is None else load_geometry(geometry)
        with open_hdf5(self.path) as handle:
            n_cells = _check_layout(handle, self.path)
            self._length = len(handle[SHOWERS])
            self._schema = _schema(handle, self.path, n_cells, wanted)
            chunks = handle[SHOWERS].chunks
            self.extra_names = extra_names(handle)
        self.block_rows: int = min(chunks[0], 4096) if chunks else chunk_rows(4 * n_cells, 256)

    @property
    def schema(self) -> Schema:
        return self._schema

    def __len__(self) -> int:
        return self._length

    def read(self, start: int, stop: int) -> Events:
        """Events `start` to `stop` (exclusive)."""
        check_range(start, stop, len(self))
        with open_hdf5(self.path) as handle:
            return read_rows(handle, self._schema, start, stop)

    def labels(self) -> Labels:
        """Conditions, ids and weights of all events, read without the cells."""
        with open_hdf5(self.path) as handle:
            return read_labels(handle, 0, len(self))

    def extra(self, name: str) -> Array | None:
        """A per-event array of the file's group `facsim`, such as `cpu_ms`; None if the file does not keep it."""
        with open_hdf5(self.path) as handle:
            return read_extra(handle, name, 0, len(self))


def _check_layout(handle: h5py.File, path: Path) -> int:
    """Refuse what is not a CaloChallenge file; return the number of cells."""
    missing = [name for name in (ENERGIES, SHOWERS) if not isinstance(handle.get(name), h5py.Dataset)]
    if missing:
        raise FacsimError(
            f"'{path}' lacks the data set '{missing[0]}' of a CaloChallenge file; it has {sorted(handle)}: "
            "describe other layouts with a mapping file."
        )
    energies, showers = handle[ENERGIES], handle[SHOWERS]
    for data in (energies, showers):
        if data.dtype.kind not in "fiu":
            raise FacsimError(f"'{data.name[1:]}' in '{path}' holds {data.dtype}, not numbers.")
    if showers.ndim != 2:
        raise FacsimError(
            f"'{SHOWERS}' in '{path}' has shape {showers.shape}: expected (events, cells); "
            "describe other layouts with a mapping file."
        )
    if energies.shape not in ((len(showers), 1), (len(showers),)):
        raise FacsimError(
            f"'{ENERGIES}' in '{path}' has shape {energies.shape}: expected {(len(showers), 1)}, one per shower."
        )
    if not len(showers):
        raise FacsimError(f"'{path}' holds no showers.")
    return int(showers.shape[1])


def _schema(handle: h5py.File, path: Path, n_cells: int, wanted: Geometry | None) -> Schema:
    stored = read_schema(handle)
    geometry = wanted or (stored.geometry if stored else None)
    if geometry is None:
        try:
            geometry = find_geometry(n_cells)
        except FacsimError as error:
            raise FacsimError(f"'{path}': {error} Give the file's geometry as a binning XML or JSON.") from None
    if geometry.n_cells != n_cells:
        raise FacsimError(
            f"the showers in '{path}' have {n_cells} cells, but the geometry '{geometry.name}' has {geometry.n_cells}."
        )
    if stored is None:
        return calorimeter_schema(geometry)
    _check_lengths(handle, path, len(stored.conditions))
    return calorimeter_schema(geometry, stored.conditions, stored.provenance)


def _check_lengths(handle: h5py.File, path: Path, n_conditions: int) -> None:
    """Refuse a file whose own arrays disagree with its showers."""
    n = len(handle[SHOWERS])
    for name in extra_names(handle):
        data = handle["facsim"][name]
        if len(data) != n:
            raise FacsimError(f"'facsim/{name}' in '{path}' has {len(data)} entries for {n} showers.")
    width = handle["facsim/cond"].shape[1] if "facsim/cond" in handle else 1
    if width != n_conditions:
        raise FacsimError(f"'{path}' holds {width} conditions per shower, but its schema names {n_conditions}.")
