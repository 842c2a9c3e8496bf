"""The TPC of MPD at NICA: pad plane, drift and gas.

Two read-out sides of twelve sectors; a sector has 53 pad rows perpendicular to its axis, 27 of pads of 5 x 12 mm inside
and 26 of 5 x 18 mm outside. Lengths are in cm, times in ns, as usual for this detector. Constants: MpdRoot, and the
technical design report of the MPD TPC.

Coordinates of a sector: y along its axis, away from the beam; x along the pad rows, 0 on the axis; z along the drift.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facsim.core.errors import FacsimError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SIDES, SECTORS = 2, 12
INNER_ROWS, OUTER_ROWS = 27, 26
ROWS = INNER_ROWS + OUTER_ROWS
PAD_WIDTH = 0.5
PAD_HEIGHTS = (1.2, 1.8)
"""Of inner and outer pads along y, cm."""
FIRST_ROW = 40.9
"""Lower edge of pad row 0, cm from the beam."""
DEAD_EDGE = 1.35
"""Width without pads at either side of a sector, cm."""
HALF_SECTOR = np.pi / SECTORS

DRIFT_LENGTH = 170.0
DRIFT_VELOCITY = 5.5e-3
"""cm/ns."""
BUCKET = 100.0
"""Time bucket, ns."""
BUCKET_LENGTH = BUCKET * DRIFT_VELOCITY
"""Drift during one time bucket, cm."""
BUCKETS = int(np.ceil(DRIFT_LENGTH / BUCKET_LENGTH))
MAGNETIC_FIELD = 0.5
"""T."""

DIFFUSION_TRANSVERSE, DIFFUSION_LONGITUDINAL = 0.0185, 0.032
"""Of Ar/CH4 90/10 at 130 V/cm and 0.5 T, cm per square root of cm of drift."""
W_VALUE = 35.24
"""Mean energy for an electron-ion pair, eV."""
BUCKET_SHIFT = 0.4935
"""A drift length of d buckets is read in bucket floor(d + this): integers are the middles of buckets."""

MASSES = {"electron": 0.000511, "muon": 0.105658, "pion": 0.139570, "kaon": 0.493677, "proton": 0.938272}
"""GeV."""


def check_rows(rows: ArrayLike) -> IntArray:
    """Pad row numbers as integers.

    Raises:
        FacsimError: a number that is no pad row.
    """
    found = np.asarray(rows, dtype=np.float64)
    wrong = ~((found >= 0) & (found < ROWS) & (found == np.floor(found)))
    if wrong.any():
        first = np.atleast_1d(found)[np.atleast_1d(wrong)][0]
        raise FacsimError(f"there is no pad row {first:g}: the pad rows of a TPC sector are numbered 0 to {ROWS - 1}.")
    return found.astype(np.int64)


def row_type(rows: ArrayLike) -> IntArray:
    """0 for inner pad rows (12 mm), 1 for outer ones (18 mm)."""
    return (check_rows(rows) >= INNER_ROWS).astype(np.int64)


def pad_height(kind: ArrayLike) -> FloatArray:
    """Height of the pads of a row type (see `row_type`), cm.

    Raises:
        FacsimError: a type other than 0 and 1.
    """
    kinds = np.asarray(kind)
    if not np.isin(kinds, (0, 1)).all():
        raise FacsimError(f"the pad row types are 0 (inner) and 1 (outer), not {kinds.tolist()}.")
    return np.asarray(PAD_HEIGHTS, dtype=np.float64)[kinds.astype(np.int64)]


def row_height(rows: ArrayLike) -> FloatArray:
    """Extent of pad rows along y, cm."""
    return pad_height(row_type(rows))


_EDGES = FIRST_ROW + np.concatenate([[0.0], np.cumsum(np.repeat(PAD_HEIGHTS, (INNER_ROWS, OUTER_ROWS)))])
_PADS = 2 * np.floor((np.tan(HALF_SECTOR) * _EDGES[:-1] - DEAD_EDGE) / PAD_WIDTH + 1e-9).astype(np.int64)
PADS_PER_SECTOR = int(_PADS.sum())
_EDGES.setflags(write=False)


def row_edges() -> FloatArray:
    """Edges of all pad rows along y, cm, shape (54,)."""
    return _EDGES


def row_centre(rows: ArrayLike) -> FloatArray:
    """Middle of pad rows along y, cm."""
    found = check_rows(rows)
    return 0.5 * (_EDGES[found] + _EDGES[found + 1])


def row_at(y: ArrayLike) -> IntArray:
    """Pad row at the distance `y` (cm) along the sector's axis; -1 outside."""
    found = np.searchsorted(_EDGES, np.asarray(y, dtype=np.float64), side="right") - 1
    return np.where((found >= 0) & (found < ROWS), found, -1).astype(np.int64)


def pads_of_row(rows: ArrayLike) -> IntArray:
    """Number of pads of pad rows: the largest even number that fits between the dead edges."""
    return np.asarray(_PADS[check_rows(rows)])


def first_pad(rows: ArrayLike) -> IntArray:
    """Number, counted through the sector, of the first pad of pad rows."""
    return np.concatenate([[0], np.cumsum(_PADS)])[check_rows(rows)]


def pad_coordinate(x: ArrayLike, rows: ArrayLike) -> FloatArray:
    """Place x (cm) in a pad row in pads: an integer in the middle of the pad of that number."""
    return np.asarray(x, dtype=np.float64) / PAD_WIDTH + 0.5 * pads_of_row(rows) - 0.5


def x_of_pad(pad: ArrayLike, rows: ArrayLike) -> FloatArray:
    """Inverse of `pad_coordinate`: x in cm."""
    return (np.asarray(pad, dtype=np.float64) + 0.5 - 0.5 * pads_of_row(rows)) * PAD_WIDTH


def drift_buckets(z: ArrayLike) -> FloatArray:
    """Drift length in time buckets of electrons set free at z (cm from the membrane in the middle), either side."""
    return (DRIFT_LENGTH - np.abs(np.asarray(z, dtype=np.float64))) / BUCKET_LENGTH - BUCKET_SHIFT


def drift_cm(buckets: ArrayLike) -> FloatArray:
    """Drift length in cm from time buckets, not below 0."""
    return np.maximum((np.asarray(buckets, dtype=np.float64) + BUCKET_SHIFT) * BUCKET_LENGTH, 0.0)


def sector_of(x: ArrayLike, y: ArrayLike) -> IntArray:
    """Sector, 0 to 11, at the place (x, y) of the detector; sector k is centred on the azimuth 30 k degrees."""
    phi = np.arctan2(np.asarray(y, dtype=np.float64), np.asarray(x, dtype=np.float64))
    return np.asarray(np.rint(phi / (2 * HALF_SECTOR)), dtype=np.int64) % SECTORS


def to_sector(x: ArrayLike, y: ArrayLike, sector: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Coordinates (x, y) in a sector, cm, of a place in the detector: y along the sector's axis."""
    axis = np.asarray(sector, dtype=np.float64) * 2 * HALF_SECTOR
    gx, gy = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    return gy * np.cos(axis) - gx * np.sin(axis), gx * np.cos(axis) + gy * np.sin(axis)


def beta_gamma(pt: ArrayLike, dip: ArrayLike, mass: Any) -> FloatArray:
    """Momentum over mass of tracks of transverse momentum `pt` (GeV) and dip angle `dip` (deg); `mass` in GeV."""
    cosine = np.maximum(np.abs(np.cos(np.radians(np.asarray(dip, dtype=np.float64)))), 1e-3)
    return np.asarray(pt, dtype=np.float64) / cosine / np.asarray(mass, dtype=np.float64)
