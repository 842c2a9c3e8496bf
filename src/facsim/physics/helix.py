"""Helices in a homogeneous field along z: where tracks cross the pad rows of a TPC, and at which angles.

In the frame of a sector a track has the direction (cos psi, sin psi) along (y, x), and psi grows with the arc by the
signed curvature kappa, so that sin psi is a straight line of y: crossings of pad rows are closed forms, exact also in
the limit of straight tracks. Lengths in cm, momenta in GeV.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.physics import tpc
from facsim.physics.tpc_window import CONDITIONS

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

GEV_PER_TESLA_CM = 2.99792458e-3
AT_ONCE = 500
EDGE = np.tan(tpc.HALF_SECTOR)


@dataclass(frozen=True)
class Helices:
    """Charged particles where they begin; arrays of shape (T,).

    Attributes:
        event: number of the event that a particle belongs to, from 0.
        pt: transverse momentum, GeV. phi: azimuth of the momentum, rad. tan_lambda: pz / pT = sinh(eta).
        charge: +1 or -1. x, y, z: origin, cm. mass: GeV.

    Raises:
        FacsimError: arrays of different lengths, values that are not finite, no momentum, or no unit charge.
    """

    event: IntArray
    pt: FloatArray
    phi: FloatArray
    tan_lambda: FloatArray
    charge: FloatArray
    x: FloatArray
    y: FloatArray
    z: FloatArray
    mass: FloatArray

    def __post_init__(self) -> None:
        n = len(self.pt)
        for name, values in vars(self).items():
            if np.shape(values) != (n,):
                raise FacsimError(f"'{name}' of {n} tracks has the shape {np.shape(values)}, not ({n},).")
            wrong = np.flatnonzero(~np.isfinite(values))
            if len(wrong):
                raise FacsimError(f"'{name}' of track {wrong[0]} is {values[wrong[0]]}, not a finite number.")
        if (self.pt <= 0).any():
            raise FacsimError(f"the pT of a track must be above 0 GeV; track {np.argmax(self.pt <= 0)} has none.")
        if (np.abs(self.charge) != 1).any():
            first = np.argmax(np.abs(self.charge) != 1)
            raise FacsimError(f"tracks have the charge 1 or -1; that of track {first} is {self.charge[first]:g}.")
        if n and self.event.min() < 0:
            raise FacsimError("events are numbered from 0; a track has a negative number.")

    def __len__(self) -> int:
        return len(self.pt)

    def __getitem__(self, index: slice | NDArray[np.int64] | NDArray[np.bool_]) -> Helices:
        return Helices(*(getattr(self, field.name)[index] for field in fields(self)))

    @property
    def curvature(self) -> FloatArray:
        """Signed curvature, 1/cm: positive particles turn clockwise in a field along +z."""
        return curvature_of(self.pt, self.charge)


@dataclass(frozen=True)
class Crossings:
    """Crossings of pad rows' middles; arrays of shape (K,), sorted by track and along it.

    Attributes:
        track: index of the track. side: 0 for z >= 0, 1 below. sector: 0 to 11. row: 0 to 52.
        x: along the pad row, cm. z: cm. crossing, dip: angles, deg, as the digitiser takes them. path: arc in the
            transverse plane from the origin, cm.
    """

    track: IntArray
    side: IntArray
    sector: IntArray
    row: IntArray
    x: FloatArray
    z: FloatArray
    crossing: FloatArray
    dip: FloatArray
    path: FloatArray

    def __len__(self) -> int:
        return len(self.track)

    def __getitem__(self, index: slice | NDArray[np.int64] | NDArray[np.bool_]) -> Crossings:
        return Crossings(*(getattr(self, field.name)[index] for field in fields(self)))

    @property
    def pad(self) -> FloatArray:
        """Place in pads of the row."""
        return tpc.pad_coordinate(self.x, self.row)

    @property
    def drift(self) -> FloatArray:
        """Drift length, time buckets."""
        return tpc.drift_buckets(self.z)


def curvature_of(pt: FloatArray, charge: FloatArray, field: float = tpc.MAGNETIC_FIELD) -> FloatArray:
    """Signed curvature (1/cm) of tracks of transverse momentum `pt` (GeV) in a field (T) along +z."""
    return np.asarray(-charge * GEV_PER_TESLA_CM * field / pt)


def arc_of_chord(chord: FloatArray, kappa: FloatArray) -> FloatArray:
    """Length of the arc (at most half a turn) of curvature kappa over a chord, cm; exact for straight tracks too."""
    half = np.clip(0.5 * np.abs(kappa) * chord, 0.0, 1.0)
    bent = half > 1e-5
    return np.asarray(chord * np.where(bent, np.arcsin(half) / np.where(bent, half, 1.0), 1.0))


def x_at_row(
    x: FloatArray, psi: FloatArray, kappa: FloatArray, step: FloatArray, sine: FloatArray, cosine: FloatArray
) -> FloatArray:
    """Place x where a track from (x, psi) has moved along y by `step`: there its direction is (cosine, sine)."""
    c0 = np.cos(psi)
    same = c0 * cosine > 0
    along = step * (np.sin(psi) + sine) / np.where(same, c0 + cosine, 1.0)
    return np.asarray(x + np.where(same, along, (c0 - cosine) / np.where(same, 1.0, kappa)))


def row_crossings(tracks: Helices, turns: float = 1.0) -> Crossings:
    """Where tracks cross the middles of pad rows, until they leave the TPC or have made so many turns (1 at most).

    No energy loss and no scattering.

    Raises:
        FacsimError: `turns` outside (0, 1].
    """
    if not 0 < turns <= 1:
        raise FacsimError(f"tracks are followed for a part of one turn, above 0 and at most 1, not {turns:g}.")
    parts = [_crossings(tracks, first, turns) for first in range(0, len(tracks), AT_ONCE)]
    if not parts:
        none = np.zeros(0, dtype=np.int64)
        return Crossings(none, none, none, none, *(np.zeros(0) for _ in range(5)))
    return Crossings(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Crossings)))


def _crossings(tracks: Helices, first: int, turns: float) -> Crossings:
    some = tracks[first : first + AT_ONCE]
    kappa, rows = some.curvature, tpc.row_centre(np.arange(tpc.ROWS))
    axis = np.arange(tpc.SECTORS) * 2 * tpc.HALF_SECTOR
    x0, y0 = tpc.to_sector(some.x[:, None], some.y[:, None], np.arange(tpc.SECTORS)[None, :])
    psi0 = some.phi[:, None] - axis[None, :]
    sine = np.sin(psi0)[:, :, None] + kappa[:, None, None] * (rows - y0[:, :, None])
    reach = np.abs(sine) < 1
    track, sector, row = (np.tile(index, 2) for index in np.nonzero(reach))
    value = np.tile(sine[reach], 2)
    cosine = np.sqrt(1 - value**2) * np.repeat([1.0, -1.0], len(value) // 2)
    turn = np.sign(kappa[track]) * (np.arctan2(value, cosine) - psi0[track, sector]) % (2 * np.pi)
    x = x_at_row(x0[track, sector], psi0[track, sector], kappa[track], rows[row] - y0[track, sector], value, cosine)
    path = turn / np.abs(kappa[track])
    z = some.z[track] + path * some.tan_lambda[track]
    kept = (np.abs(x) <= EDGE * rows[row]) & (np.abs(z) <= tpc.DRIFT_LENGTH) & (turn <= _last(some, turns)[track])
    kept = np.flatnonzero(kept)
    kept = kept[np.lexsort((path[kept], track[kept]))]
    track, z, cosine = track[kept], z[kept], cosine[kept]
    side = (z < 0).astype(np.int64)
    dip = np.degrees(np.arctan(some.tan_lambda[track])) * np.sign(cosine) * (1 - 2 * side)
    crossing = np.degrees(np.arctan(value[kept] / cosine))
    return Crossings(track + first, side, sector[kept], row[kept], x[kept], z, crossing, dip, path[kept])


def _last(tracks: Helices, turns: float) -> FloatArray:
    """Angle (rad) turned when tracks have left the TPC for good: what comes after their farthest point does not count
    when that lies outside."""
    kappa = tracks.curvature
    away = np.array([tracks.x - np.sin(tracks.phi) / kappa, tracks.y + np.cos(tracks.phi) / kappa])
    farthest = np.arctan2(away[1], away[0]) + np.sign(kappa) * np.pi / 2
    turn = np.sign(kappa) * (farthest - tracks.phi) % (2 * np.pi)
    leaves = np.hypot(*away) + 1 / np.abs(kappa) > tpc.row_edges()[-1] / np.cos(tpc.HALF_SECTOR)
    return np.where(leaves, np.minimum(turn, 2 * np.pi * turns), 2 * np.pi * turns)


def conditions_of(tracks: Helices, crossings: Crossings, mass: float = tpc.MASSES["pion"]) -> FloatArray:
    """Conditions (K, 6) of local responses at crossings, columns as `tpc_window.CONDITIONS`.

    Ionisation depends on a particle through beta gamma only: responses of a digitiser for particles of `mass` (GeV) to
    other particles are those at the pT of equal beta gamma.
    """
    pt = (tracks.pt * mass / tracks.mass)[crossings.track]
    columns = (crossings.crossing, crossings.dip, crossings.drift, crossings.pad, crossings.row, pt)
    assert len(columns) == len(CONDITIONS)
    return np.column_stack(columns).astype(np.float64)
