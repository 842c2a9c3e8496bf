"""Fit of a helix to the clusters of tracks: least squares in pad rows, outlying clusters dropped.

Parameters where a track is nearest to the beam line: (d0, phi0, kappa, z0, tan lambda). Its point there is
(-d0 sin phi0, d0 cos phi0, z0), its direction (cos phi0, sin phi0, tan lambda), kappa its signed curvature; in cm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facsim.physics import tpc
from facsim.physics.helix import GEV_PER_TESLA_CM, arc_of_chord, x_at_row
from facsim.physics.tpc_reco.clusters import Clusters
from facsim.physics.tpc_reco.finder import FoundTracks
from facsim.physics.tpc_reco.points import HEIGHTS, LARGEST_PULL, PointErrors

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

PARAMETERS = ("d0", "phi0", "kappa", "z0", "tan_lambda")
STEPS = np.array([1e-3, 1e-6, 1e-8, 1e-3, 1e-6])
"""Of the numerical derivatives by the parameters."""
ROUNDS, ITERATIONS = 3, 2
FEWEST_POINTS = 8
KAPPA_FLOOR = 1e-9


@dataclass(frozen=True)
class FittedTracks:
    """Helices; arrays of T tracks.

    Attributes:
        event: (T,). parameters: (T, 5), see `PARAMETERS`. covariance: (T, 5, 5). chi2: (T,), of `points` (T,) clusters
            with two coordinates each.
        clusters: clusters that the fit has kept in each pad row, -1 elsewhere, (T, 53).
        residual_pad, residual_time: cluster less helix along the pads and along the drift, cm, NaN where there is
            none, (T, 53). pull_pad, pull_time: over their errors.
        charge_per_cm: charge of clusters over the path in their pad row, ADC/cm, NaN where there is none, (T, 53).
    """

    event: IntArray
    parameters: FloatArray
    covariance: FloatArray
    chi2: FloatArray
    clusters: IntArray
    residual_pad: FloatArray
    residual_time: FloatArray
    pull_pad: FloatArray
    pull_time: FloatArray
    charge_per_cm: FloatArray

    def __len__(self) -> int:
        return len(self.event)

    @property
    def points(self) -> IntArray:
        return np.asarray((self.clusters >= 0).sum(axis=1), dtype=np.int64)

    @property
    def pt(self) -> FloatArray:
        """GeV."""
        kappa = np.maximum(np.abs(self.parameters[:, 2]), KAPPA_FLOOR)
        return GEV_PER_TESLA_CM * tpc.MAGNETIC_FIELD / kappa

    @property
    def charge(self) -> FloatArray:
        return -np.sign(self.parameters[:, 2])

    @property
    def momentum(self) -> FloatArray:
        """GeV."""
        return np.asarray(self.pt * np.hypot(1, self.parameters[:, 4]))


def fit_tracks(
    found: FoundTracks, clusters: Clusters, errors: PointErrors | None = None, largest_pull: float = LARGEST_PULL
) -> FittedTracks:
    """Helices of the tracks; those that keep fewer than `FEWEST_POINTS` clusters are left out.

    Clusters at the edge of a sector have lost a part of their charge: they are not fitted.

    Args:
        errors: of clusters. largest_pull: clusters farther from the helix than so many errors are dropped.
    """
    used = errors or PointErrors()
    points = _Points(found.clusters, clusters)
    parameters = at_beam_line(found)
    for k in range(ROUNDS):
        for _ in range(ITERATIONS):
            parameters, covariance = _step(points, parameters, used)
        if k < ROUNDS - 1:
            points.drop(parameters, used, largest_pull)
    residuals, variances, slopes = points.residuals(parameters, used)
    pulls = residuals / np.sqrt(variances)
    chi2 = np.nansum(pulls**2, axis=(0, 2))
    path = HEIGHTS * np.sqrt(1 + slopes[0] ** 2 + slopes[1] ** 2)
    density = np.where(points.used, points.charge / path, np.nan)
    table = np.where(points.used, found.clusters, -1)
    good = (points.used.sum(axis=1) >= FEWEST_POINTS) & np.isfinite(parameters).all(axis=1)
    kept = np.flatnonzero(good)
    return FittedTracks(
        found.event[kept], parameters[kept], covariance[kept], chi2[kept], table[kept],
        residuals[0, kept], residuals[1, kept], pulls[0, kept], pulls[1, kept], density[kept],
    )  # fmt: skip


def at_beam_line(found: FoundTracks) -> FloatArray:
    """Parameters (T, 5) of tracks as found."""
    axis = found.azimuth * 2 * tpc.HALF_SECTOR
    x = found.y * np.cos(axis) - found.x * np.sin(axis)
    y = found.y * np.sin(axis) + found.x * np.cos(axis)
    phi, kappa = axis + found.psi, found.kappa
    normal = np.array([kappa * x - np.sin(phi), kappa * y + np.cos(phi)])
    length = np.hypot(*normal)
    d0 = (kappa * (x**2 + y**2) + 2 * (y * np.cos(phi) - x * np.sin(phi))) / (1 + length)
    phi0 = np.arctan2(-normal[0], normal[1])
    chord = np.hypot(x + d0 * np.sin(phi0), y - d0 * np.cos(phi0))
    z0 = found.z - arc_of_chord(chord, kappa) * found.tan_lambda
    return np.stack([d0, phi0, kappa, z0, found.tan_lambda], axis=1)


class _Points:
    """Measurements of tracks by pad row, (T, 53)."""

    def __init__(self, table: IntArray, clusters: Clusters) -> None:
        at = np.maximum(table, 0)
        self.used = (table >= 0) & ~clusters.edge[at] if len(clusters) else table >= 0
        n = len(clusters)
        values = (clusters.x, clusters.z, clusters.drift, clusters.charge)
        self.x, self.z, self.drift, self.charge = (v[at] if n else np.zeros(at.shape) for v in values)
        sector = clusters.sector[at] % tpc.SECTORS if n else np.zeros(at.shape)
        axis = sector * 2 * tpc.HALF_SECTOR
        self.cos, self.sin, self.axis = np.cos(axis), np.sin(axis), axis
        self.y = tpc.row_centre(np.arange(tpc.ROWS))[None, :]

    def predicted(self, p: FloatArray) -> tuple[FloatArray, FloatArray, tuple[FloatArray, FloatArray]]:
        """x and z in each pad row, and the slopes dx/dy and dz/dy there; NaN where the helix does not reach it."""
        d0, phi0, kappa, z0, tan_lambda = (value[:, None] for value in p.T)
        kappa = np.where(np.abs(kappa) < KAPPA_FLOOR, KAPPA_FLOOR, kappa)
        gx, gy = -d0 * np.sin(phi0), d0 * np.cos(phi0)
        x0, y0 = gy * self.cos - gx * self.sin, gx * self.cos + gy * self.sin
        psi = phi0 - self.axis
        sine = np.sin(psi) + kappa * (self.y - y0)
        cosine = np.sqrt(np.where(np.abs(sine) < 1, 1 - sine**2, np.nan))
        x = x_at_row(x0, psi, kappa, self.y - y0, sine, cosine)
        turn = np.sign(kappa) * (np.arctan2(sine, cosine) - psi)
        turn = (turn + np.pi) % (2 * np.pi) - np.pi
        turn = np.where(turn < -0.5, turn + 2 * np.pi, turn)
        return x, z0 + turn / np.abs(kappa) * tan_lambda, (sine / cosine, tan_lambda / cosine)

    def residuals(
        self, p: FloatArray, errors: PointErrors
    ) -> tuple[FloatArray, FloatArray, tuple[FloatArray, FloatArray]]:
        """Measured less predicted (2, T, 53), variances, slopes; NaN where there is no cluster."""
        x, z, slopes = self.predicted(p)
        rows = np.broadcast_to(np.arange(tpc.ROWS), x.shape)
        off = np.stack([self.x - x, self.z - z])
        return np.where(self.used, off, np.nan), errors.variances(self.drift, *slopes, rows), slopes

    def drop(self, p: FloatArray, errors: PointErrors, largest: float) -> None:
        """Leave out clusters that lie too far off."""
        off, variances, _ = self.residuals(p, errors)
        pulls = np.abs(off) / np.sqrt(variances)
        self.used &= (pulls < largest).all(axis=0)


def _step(points: _Points, p: FloatArray, errors: PointErrors) -> tuple[FloatArray, FloatArray]:
    """One Gauss-Newton step: better parameters, and their covariances."""
    off, variances, _ = points.residuals(p, errors)
    base = np.stack(points.predicted(p)[:2])
    slope = np.stack(
        [(np.stack(points.predicted(p + step * np.eye(5)[k])[:2]) - base) / step for k, step in enumerate(STEPS)],
        axis=-1,
    )
    good = np.isfinite(off) & np.isfinite(slope).all(axis=-1)
    weight = np.where(good, 1 / variances, 0.0)
    slope, off = np.where(good[..., None], slope, 0.0), np.where(good, off, 0.0)
    scale = STEPS
    jacobian = slope * scale
    information = np.einsum("ctri,ctr,ctrj->tij", jacobian, weight, jacobian, optimize=True)
    gradient = np.einsum("ctri,ctr,ctr->ti", jacobian, weight, off, optimize=True)
    diagonal = np.einsum("tii->ti", information)
    diagonal += 1e-12 * np.maximum(diagonal, 1e-12)
    inverse = np.linalg.inv(information)
    change = np.einsum("tij,tj->ti", inverse, gradient) * scale
    return p + change, inverse * scale[:, None] * scale[None, :]
