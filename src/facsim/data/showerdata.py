"""Point clouds of showers in the layout of the package `showerdata` 0.7 (PyPI), read by range with h5py alone.

`showers` (N,): variable-length float32, each the rows x, y, z, energy and possibly time of one shower, end to end;
`shape` (3,): showers, most points, numbers a point; `num_points`, `pdg`, `shower_ids` (N,); `energies` (N, 1);
`directions` (N, 3), unit vectors. The files do not say their units. facsim takes what the package's own code does: x, y
in mm, z the number of the layer, energies in GeV, and for the time, of which it says nothing, ns.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.events import Events, Labels
from facsim.core.schema import Feature, Schema
from facsim.core.sources import check_range
from facsim.core.store import atomic_path, open_hdf5
from facsim.data.datasets import find_column, find_data, rows

SHOWERS, SHAPE, COUNTS = "showers", "shape", "num_points"
ENERGIES, DIRECTIONS, PDG, IDS = "energies", "directions", "pdg", "shower_ids"
GEV = 1000.0
POINTS = (Feature("x", "mm"), Feature("y", "mm"), Feature("z", "layer"), Feature("energy", "MeV"), Feature("t", "ns"))
CONDITIONS = (Feature("incident_energy", "MeV"), Feature("theta", "rad"), Feature("phi", "rad"), Feature("pdg"))


class ShowerCloudReader:
    """`EventSource` over point-cloud showers: x (N, P, 4 or 5) float32 with a mask (N, P), conditions (N, 4).

    P is the largest number of points that the file says it has. Showers with one id stay in one group, so that copies
    of a shower never get into different splits.

    Raises:
        FacsimError: missing data sets, wrong shapes, or no showers.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        with open_hdf5(self.path) as handle:
            self._length, points, self._width = _shape(handle)
            if not self._length:
                raise FacsimError(f"'{path}' holds no showers.")
            for name in (COUNTS, ENERGIES, PDG, IDS):
                find_column(handle, name, self._length)
            find_data(handle, DIRECTIONS, (self._length, 3))
        self._schema = Schema("cloud", POINTS[: self._width], CONDITIONS, None, {"file": self.path.name}, points)
        self.block_rows = 256

    @property
    def schema(self) -> Schema:
        return self._schema

    def __len__(self) -> int:
        return self._length

    def read(self, start: int, stop: int) -> Events:
        """Showers `start` to `stop` (exclusive); what is no point is 0.

        Raises:
            FacsimError: a range outside the file, a direction of length 0, or a shower with another number of points
                than the file says.
        """
        check_range(start, stop, len(self))
        with open_hdf5(self.path) as handle:
            showers = handle[SHOWERS][start:stop]
            counts = rows(handle[COUNTS], start, stop).astype(np.int64)
            labels = self._labels(handle, start, stop)
        x = np.zeros((stop - start, self._schema.points or 0, self._width), dtype=np.float32)
        sizes = np.array([len(shower) for shower in showers], dtype=np.int64)
        wrong = np.flatnonzero((sizes != counts * self._width) | (counts > x.shape[1]))
        if len(wrong):
            first = int(wrong[0])
            raise FacsimError(
                f"shower {start + first} of '{self.path}' is damaged: it has {sizes[first]} numbers, and should have "
                f"{counts[first]} points of {self._width}, at most {x.shape[1]} of them."
            )
        mask = np.arange(x.shape[1]) < counts[:, None]
        if len(showers):
            x[mask] = np.concatenate(list(showers)).reshape(-1, self._width)
        x[:, :, 3] *= np.float32(GEV)
        return Events(self._schema, x, **vars(labels), mask=mask)

    def labels(self) -> Labels:
        """Conditions and ids of all showers, read without the points."""
        with open_hdf5(self.path) as handle:
            return self._labels(handle, 0, len(self))

    def _labels(self, handle: h5py.File, start: int, stop: int) -> Labels:
        energy, pdg, ids = (rows(handle[name], start, stop) for name in (ENERGIES, PDG, IDS))
        direction = np.asarray(handle[DIRECTIONS][start:stop], dtype=np.float64)
        length = np.linalg.norm(direction, axis=1)
        for bad in np.flatnonzero(length == 0)[:1]:
            raise FacsimError(f"shower {start + bad} of '{self.path}' has a direction of length 0.")
        theta = np.arccos(np.clip(direction[:, 2] / length, -1, 1))
        phi = np.arctan2(direction[:, 1], direction[:, 0])
        cond = np.stack([energy * GEV, theta, phi, pdg], axis=1)
        return Labels(cond, np.arange(start, stop, dtype=np.int64), ids.astype(np.int64))


def _shape(handle: h5py.File) -> tuple[int, int, int]:
    """Showers, most points and numbers a point, as the file says and as its showers are."""
    path = handle.filename
    shape = tuple(int(size) for size in find_data(handle, SHAPE, (3,))[:])
    showers: Any = handle.get(SHOWERS)
    if not isinstance(showers, h5py.Dataset) or h5py.check_vlen_dtype(showers.dtype) is None:
        raise FacsimError(
            f"'{path}' lacks the data set '{SHOWERS}' of variable-length numbers; it has {sorted(handle)}."
        )
    if showers.shape != shape[:1] or shape[2] not in (4, 5):
        raise FacsimError(
            f"'{SHAPE}' in '{path}' says {list(shape)}: expected {[len(showers), 'points', '4 or 5']}, as the "
            f"{len(showers)} showers have it."
        )
    return shape[0], shape[1], shape[2]


def is_shower_cloud(schema: Schema) -> bool:
    """Whether events are clouds of energy deposits at x, y, z."""
    names = [feature.name for feature in schema.features]
    return schema.representation == "cloud" and names[:4] == [feature.name for feature in POINTS[:4]]


def write_showerdata(path: Path, events: Events) -> None:
    """Write point clouds with the conditions of `CONDITIONS` in the package's layout.

    Raises:
        FacsimError: other events, or a condition that is missing.
    """
    if not is_shower_cloud(events.schema) or events.mask is None:
        raise FacsimError("showerdata files hold clouds of points x, y, z, energy with a mask.")
    energy, theta, phi, pdg = (events.condition(feature.name) for feature in CONDITIONS)
    direction = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], axis=1)
    points = events.x.astype(np.float32).copy()
    points[:, :, 3] /= np.float32(GEV)
    with atomic_path(Path(path)) as temporary, h5py.File(temporary, "w") as handle:
        showers = handle.create_dataset(SHOWERS, (len(events),), h5py.vlen_dtype(np.dtype("float32")))
        for row, (cloud, real) in enumerate(zip(points, events.mask, strict=True)):
            showers[row] = cloud[real].ravel()
        handle.create_dataset(ENERGIES, data=(energy / GEV)[:, None].astype(np.float32))
        handle.create_dataset(DIRECTIONS, data=direction.astype(np.float32))
        handle.create_dataset(PDG, data=pdg.astype(np.int32))
        handle.create_dataset(IDS, data=events.group_id.astype(np.int32))
        handle.create_dataset(SHAPE, data=points.shape)
        handle.create_dataset(COUNTS, data=events.mask.sum(axis=1).astype(np.int32))
