"""The public images of LHCb-like ECAL showers (arXiv 1812.01319, 2207.06329), NumPy archives such as
`caloGAN_case11_5D_120K.npz`.

`EnergyDeposit`: 30 x 30 cells, (N, 30, 30), (N, 30, 30, 1), or with the events last, (30, 30, N), (30, 30, 1, N);
`ParticleMomentum`: px, py, pz, (N, 3) or (3, N); `ParticlePoint`: x, y and perhaps z, (N, 2 or 3) or transposed;
`ParticlePDG`, optional: (N,) or (N, 1). Rows of an image are along y and columns along x, as the published metrics take
them. Points are kept in widths of a cell, in which those metrics are written; energies and momenta are as in the file
and called MeV and GeV, which the files do not say.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.events import Array, Events, Labels, make_events
from facsim.core.image import regular_image
from facsim.core.schema import Feature, Schema, calorimeter_schema
from facsim.core.sources import check_range
from facsim.data.datasets import numbered
from facsim.data.geometry import GeometryLike, load_geometry
from facsim.physics.ecal_observables import PUBLIC_NAME

ENERGY, MOMENTUM, POINT, PDG = "EnergyDeposit", "ParticleMomentum", "ParticlePoint", "ParticlePDG"
SIDE = 30
IMAGE = regular_image(PUBLIC_NAME, (-SIDE / 2, SIDE / 2, SIDE), (-SIDE / 2, SIDE / 2, SIDE), units=("cells", "cells"))
CONDITIONS = (
    *(Feature(name, "GeV") for name in ("px", "py", "pz")),
    *(Feature(name, "cells") for name in ("x", "y")),
    Feature("pdg"),
)


def is_ecal_npz(path: Path) -> bool:
    """Whether a file is an archive with an array `EnergyDeposit`."""
    if not path.is_file() or path.suffix.lower() != ".npz":
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.removesuffix(".npy") for name in archive.namelist()}
    except (OSError, zipfile.BadZipFile):
        return False
    return bool(names & {ENERGY, MOMENTUM, POINT})


class ECALReader:
    """`EventSource` over such an archive: cells (N, 900, 1) float32, conditions px, py, pz, x, y and perhaps pdg.

    The archive is read into memory; pickled objects in it are refused, because reading them would run their code.

    Args:
        path: the archive.
        geometry: of other events to compare with; it has to be these cells.

    Raises:
        FacsimError: a missing, damaged or pickled file, arrays that are missing, of other shapes, of different numbers
            of events, or not finite, particles that do not fly forward, no showers, or another geometry.
    """

    def __init__(self, path: Path, geometry: GeometryLike | None = None) -> None:
        self.path = Path(path)
        if geometry is not None and not load_geometry(geometry).same_cells(IMAGE):
            raise FacsimError(f"'{path}' holds ECAL showers on {SIDE} x {SIDE} cells, no other geometry.")
        arrays = _load(self.path)
        self._cells = _images(arrays[ENERGY], self.path)
        n = len(self._cells)
        if not n:
            raise FacsimError(f"'{path}' holds no showers.")
        columns = [_columns(arrays[MOMENTUM], MOMENTUM, n, (3,), self.path)]
        columns.append(_columns(arrays[POINT], POINT, n, (2, 3), self.path)[:, :2])
        if PDG in arrays:
            columns.append(_columns(arrays[PDG].reshape(-1, 1), PDG, n, (1,), self.path))
        self._cond = np.column_stack(columns)
        self._check()
        conditions = CONDITIONS[: self._cond.shape[1]]
        self._schema = calorimeter_schema(IMAGE, conditions, {"file": self.path.name})

    @property
    def schema(self) -> Schema:
        return self._schema

    def __len__(self) -> int:
        return len(self._cells)

    def read(self, start: int, stop: int) -> Events:
        """Showers `start` to `stop` (exclusive)."""
        check_range(start, stop, len(self))
        cells = self._cells[start:stop].reshape(stop - start, SIDE * SIDE, 1).astype(np.float32)
        return make_events(self._schema, cells, self._cond[start:stop], start)

    def labels(self) -> Labels:
        """Conditions and ids of all showers."""
        return numbered(self._cond)

    def _check(self) -> None:
        for feature, column in zip(CONDITIONS, self._cond.T, strict=False):
            bad = np.flatnonzero(~np.isfinite(column))
            if len(bad):
                raise FacsimError(f"'{self.path}': '{feature.name}' of shower {bad[0]} is not a finite number.")
        backward = np.flatnonzero(self._cond[:, 2] <= 0)
        if len(backward):
            raise FacsimError(
                f"'{self.path}': 'pz' of shower {backward[0]} is {self._cond[backward[0], 2]:.4g}, not positive."
            )


def _load(path: Path) -> dict[str, Array]:
    if not path.is_file():
        raise FacsimError(f"'{path}' does not exist or is not a file.")
    try:
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as archive:
            missing = [name for name in (ENERGY, MOMENTUM, POINT) if name not in archive]
            if missing:
                raise FacsimError(f"'{path}' lacks the arrays {missing}; it has {sorted(archive)}.")
            found = {name: archive[name] for name in (ENERGY, MOMENTUM, POINT, PDG) if name in archive}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        reason = "it holds pickled objects, which are not read" if "pickle" in str(error).lower() else str(error)
        raise FacsimError(f"'{path}' is damaged or unsafe and cannot be read: {reason.rstrip('.')}.") from None
    for name, values in found.items():
        if values.dtype.kind not in "fiu":
            raise FacsimError(f"'{name}' in '{path}' holds {values.dtype}: expected numbers.")
    return found


def _images(values: Array, path: Path) -> Array:
    """Images (N, 30, 30), whichever way the file has them."""
    shape = values.shape
    if shape[1:] in ((SIDE, SIDE), (SIDE, SIDE, 1)):
        return values.reshape(-1, SIDE, SIDE)
    if len(shape) in (3, 4) and shape[:-1] in ((SIDE, SIDE), (SIDE, SIDE, 1)):
        return np.moveaxis(values, -1, 0).reshape(-1, SIDE, SIDE)
    raise FacsimError(
        f"'{ENERGY}' in '{path}' has the shape {shape}: expected (N, {SIDE}, {SIDE}) or ({SIDE}, {SIDE}, N), "
        f"either with an axis of length 1 beside."
    )


def _columns(values: Array, name: str, n: int, widths: tuple[int, ...], path: Path) -> Array:
    """Numbers of `n` events (n, K), whichever way the file has them."""
    values = np.asarray(values, dtype=np.float64)
    if values.ndim == 2 and values.shape[0] == n and values.shape[1] in widths:
        return values
    if values.ndim == 2 and values.shape[1] == n and values.shape[0] in widths:
        return values.T
    wanted = " or ".join(f"({n}, {width})" for width in widths)
    raise FacsimError(f"'{name}' in '{path}' has the shape {values.shape}: expected {wanted}.")
