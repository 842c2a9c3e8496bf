"""Seeds of tracks: three clusters in pad rows of one sector that can lie on one helix."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facsim.physics import tpc
from facsim.physics.helix import arc_of_chord
from facsim.physics.tpc_reco.filter import Filter
from facsim.physics.tpc_reco.points import ClusterIndex, PointErrors

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

LARGEST_CURVATURE = 0.022
"""1/cm: that of 68 MeV."""
STEEPEST_SLOPE, STEEPEST_DIP = 2.5, 4.0
FARTHEST_ORIGIN = 120.0
"""cm along the beam, of where seeds point to."""
GATE = 16.0
WIDEN = 2.0


def find_seeds(
    index: ClusterIndex, free: NDArray[np.bool_], rows: tuple[int, int, int], errors: PointErrors
) -> tuple[IntArray, Filter]:
    """All seeds of free clusters in three pad rows, inner to outer: clusters (S, 3), and their state at the inner one.

    Nothing is asked of the origin of a track but that it lies within `FARTHEST_ORIGIN` along the beam.
    """
    triples = _triples(index, free, rows)
    y = [np.full(len(triples), tpc.row_centre(row)) for row in rows]
    x, z = (np.asarray(values)[triples].T for values in (index.x, index.z))
    first, second, chord = (np.hypot(x[b] - x[a], y[b] - y[a]) for a, b in ((0, 1), (1, 2), (0, 2)))
    cross = (y[1] - y[0]) * (x[2] - x[1]) - (x[1] - x[0]) * (y[2] - y[1])
    kappa = 2 * cross / (first * second * chord)
    psi = np.arctan2(x[1] - x[0], y[1] - y[0]) - np.arcsin(np.clip(0.5 * kappa * first, -1, 1))
    arcs = [arc_of_chord(c, kappa) for c in (first, second)]
    tan_lambda = (z[2] - z[0]) / (arcs[0] + arcs[1])
    slope = np.tan(np.clip(psi, -1.4, 1.4))
    var_x, var_z = errors.variances(
        index.drift[triples[:, 0]], slope, tan_lambda / np.cos(psi), index.row[triples[:, 0]]
    )
    off = z[1] - z[0] - tan_lambda * arcs[0]
    good = (off**2 < GATE * 1.5 * var_z) & (np.abs(kappa) < LARGEST_CURVATURE) & (np.abs(psi) < 1.3)
    across = np.stack([x[0], np.sin(psi), kappa], axis=1)
    along = np.stack([z[0], tan_lambda], axis=1)
    cov = _covariances(WIDEN * var_x, WIDEN * var_z, y[1] - y[0], y[2] - y[0])
    state = (y[0][good], (index.sector[triples[good, 0]] % tpc.SECTORS), across[good], along[good])
    return triples[good], Filter(*state, (cov[0][good], cov[1][good]))


def _triples(index: ClusterIndex, free: NDArray[np.bool_], rows: tuple[int, int, int]) -> IntArray:
    inner, middle, outer = (float(tpc.row_centre(row)) for row in rows)
    start = np.flatnonzero(free & (index.row == rows[2]))
    width = STEEPEST_SLOPE * (outer - middle)
    owner, b = index.between(index.group[start] - (rows[2] - rows[1]), index.x[start] - width, index.x[start] + width)
    a = start[owner]
    slope = (index.z[a] - index.z[b]) / (outer - middle)
    points = np.abs(index.z[a] - slope * outer) < FARTHEST_ORIGIN
    kept = free[b] & points & (np.abs(slope) < STEEPEST_DIP)
    a, b, slope = a[kept], b[kept], slope[kept]
    ratio = (middle - inner) / (outer - middle)
    dx = index.x[b] - index.x[a]
    room = (
        np.minimum(LARGEST_CURVATURE * (outer - inner) ** 2 / 4 * (1 + (dx / (outer - middle)) ** 2) ** 1.5, 4.0) + 0.3
    )
    x, z = index.x[b] + ratio * dx, index.z[b] - slope * (middle - inner)
    owner, c = index.between(index.group[b] - (rows[1] - rows[0]), x - room, x + room)
    near = free[c] & (np.abs(index.z[c] - z[owner]) < 1.0 + 0.2 * np.abs(slope[owner]) * (middle - inner))
    return np.stack([c[near], b[owner[near]], a[owner[near]]], axis=1)


def _covariances(
    var_x: FloatArray, var_z: FloatArray, near: FloatArray, far: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Of a parabola through three points at 0, `near`, `far`, and of a line through the first and last."""
    n = len(var_x)
    across = np.zeros((n, 3, 3))
    across[:, 0, 0] = 1
    across[:, 1] = np.stack(
        [-(near + far) / (near * far), far / (near * (far - near)), -near / (far * (far - near))], 1
    )
    across[:, 2] = 2 * np.stack([1 / (near * far), -1 / (near * (far - near)), 1 / (far * (far - near))], axis=1)
    along = np.zeros((n, 2, 2))
    along[:, 0, 0] = 1
    along[:, 1] = np.stack([-1 / far, 1 / far], axis=1)
    return (
        (across @ across.transpose(0, 2, 1)) * var_x[:, None, None],
        (along @ along.transpose(0, 2, 1)) * var_z[:, None, None],
    )
