"""LEMURS files: showers on a cylinder with the particle's angles (arXiv 2509.05108; Zenodo 17045562), read by range.

Layout, as published code that reads the files has it (the files themselves were not at hand): `showers` (N, 9, 16, 45)
with the axes r, phi, z, `incident_energy`, `incident_theta`, `incident_phi` (N,); MeV and rad. Energies are those
deposited in the active material, without a factor for the sampling fraction. Geant4's Par04 example numbers its cells
in the same order, z fastest.
"""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import h5py
import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.events import Array, Events, Labels, make_events
from facsim.core.geometry import CylinderGeometry, regular_cylinder
from facsim.core.schema import Feature, Schema, calorimeter_schema
from facsim.core.sources import check_range
from facsim.core.store import atomic_path, open_hdf5
from facsim.data.datasets import chunk_of, find_column, find_data, numbered, rows
from facsim.data.geometry import GeometryLike, load_geometry

SHOWERS = "showers"
ENERGY = ("incident_energy", "incident_energies")
THETA = ("incident_theta", "theta")
PHI = ("incident_phi", "phi")
CONDITIONS = (Feature("incident_energy", "MeV"), Feature("theta", "rad"), Feature("phi", "rad"))
AXES = ("layer", "alpha", "r")
PAR04_ORDER = ("r", "alpha", "layer")
PAR04_SIW = regular_cylinder("lemurs-par04-siw", "photon", 45, 16, 9, 4.65, 0.5e-3)
"""Rings of half a Moliere radius of Par04's silicon-tungsten calorimeter, and Par04's threshold of 0.5 keV."""


class LEMURSReader:
    """`EventSource` over a LEMURS file: cells (N, V, 1) float32 in facsim's order, and conditions energy, theta, phi.

    Args:
        path: the file.
        geometry: the read-out; by default that of Par04's silicon-tungsten calorimeter. The other detectors of LEMURS
            have the same cells in number but rings of another width (and another threshold).

    Raises:
        FacsimError: missing data sets, wrong shapes, axes that do not fit the geometry in any order, or no showers.
    """

    def __init__(self, path: Path, geometry: GeometryLike | None = None) -> None:
        self.path = Path(path)
        chosen = PAR04_SIW if geometry is None else load_geometry(geometry)
        if not isinstance(chosen, CylinderGeometry) or chosen.shape is None:
            raise FacsimError(f"'{path}' holds showers on a cylinder of equal layers, and '{chosen.name}' is none.")
        with open_hdf5(self.path) as handle:
            showers = find_data(handle, SHOWERS, (None, None, None, None))
            self._length = len(showers)
            if not self._length:
                raise FacsimError(f"'{path}' holds no showers.")
            self._order = _axis_order(showers.shape[1:], chosen, str(path))
            for names in (ENERGY, THETA, PHI):
                find_column(handle, names, self._length)
            self.block_rows = chunk_of(showers)
        self._n_cells = chosen.n_cells
        self._schema = calorimeter_schema(chosen, CONDITIONS, {"file": self.path.name})

    @property
    def schema(self) -> Schema:
        return self._schema

    def __len__(self) -> int:
        return self._length

    def read(self, start: int, stop: int) -> Events:
        """Events `start` to `stop` (exclusive).

        Raises:
            FacsimError: a range outside the file, or angles that are none in rad.
        """
        check_range(start, stop, len(self))
        with open_hdf5(self.path) as handle:
            cells = np.asarray(handle[SHOWERS][start:stop], dtype=np.float32)
            cond = self._conditions(handle, start, stop)
        cells = cells.transpose(0, *(1 + self._order.index(axis) for axis in AXES))
        return make_events(self._schema, cells.reshape(stop - start, self._n_cells, 1), cond, start)

    def labels(self) -> Labels:
        """Conditions and ids of all events, read without the cells."""
        with open_hdf5(self.path) as handle:
            return numbered(self._conditions(handle, 0, len(self)))

    def _conditions(self, handle: h5py.File, start: int, stop: int) -> Array:
        columns = [rows(find_column(handle, names, len(self)), start, stop) for names in (ENERGY, THETA, PHI)]
        if np.any((columns[1] < 0) | (columns[1] > np.pi)) or np.any(np.abs(columns[2]) > 2 * np.pi):
            raise FacsimError(
                f"'{self.path}': the angles must be in rad, theta from 0 to pi and phi within 2 pi, and among events "
                f"{start} to {stop - 1} are others; for degrees describe the file with a mapping file."
            )
        return np.stack(columns, axis=1)


def _axis_order(shape: tuple[int, ...], geometry: CylinderGeometry, where: str) -> tuple[str, ...]:
    """Names of the file's axes, slowest first: Par04's order if it fits, else the only one that does."""
    assert geometry.shape is not None
    sizes = dict(zip(AXES, geometry.shape, strict=True))
    fitting = [order for order in permutations(AXES) if tuple(sizes[axis] for axis in order) == shape]
    if PAR04_ORDER in fitting:
        return PAR04_ORDER
    if len(fitting) != 1:
        raise FacsimError(
            f"'{SHOWERS}' in '{where}' has shape (events, {', '.join(map(str, shape))}), which fits "
            f"{len(fitting) or 'no'} orders of the {sizes['r']} rings, {sizes['alpha']} sectors and {sizes['layer']} "
            f"layers of '{geometry.name}': give the read-out with 'geometry', or the order with a mapping file."
        )
    return fitting[0]


def write_lemurs(path: Path, events: Events) -> None:
    """Write showers on a cylinder of equal layers, with the conditions of `CONDITIONS`, in LEMURS's layout.

    Raises:
        FacsimError: showers on another read-out, or a condition that is missing.
    """
    geometry = events.schema.geometry
    if geometry is None or geometry.shape is None:
        raise FacsimError("LEMURS files hold showers on a cylinder of equal layers.")
    cond = [events.condition(feature.name) for feature in CONDITIONS]
    showers = events.cells.reshape(len(events), *geometry.shape).transpose(0, 3, 2, 1)
    with atomic_path(Path(path)) as temporary, h5py.File(temporary, "w") as handle:
        handle.create_dataset(SHOWERS, data=showers, compression="gzip", shuffle=True)
        for names, column in zip((ENERGY, THETA, PHI), cond, strict=True):
            handle.create_dataset(names[0], data=column)
