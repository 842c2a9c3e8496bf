"""A Kalman filter for many tracks at once, from pad row to pad row (Fruehwirth, NIM A 262 (1987) 444).

A track in the frame of its sector: (x, sin psi, kappa) across and (z, tan lambda) along the field, which decouple in a
homogeneous field. Cf. `physics.helix`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facsim.physics import tpc
from facsim.physics.helix import EDGE

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

STEEPEST = 0.98
"""Sine of the largest angle to the axis of the sector at which tracks are followed."""


class Filter:
    """States of T tracks; all methods change those of the given indices.

    Attributes:
        across: (T, 3) x (cm), sin psi, kappa (1/cm). along: (T, 2) z (cm), tan lambda.
        cov_across: (T, 3, 3). cov_along: (T, 2, 2). y: cm, (T,). azimuth: sector 0 to 11, (T,).
    """

    def __init__(
        self,
        y: FloatArray,
        azimuth: IntArray,
        across: FloatArray,
        along: FloatArray,
        cov: tuple[FloatArray, FloatArray],
    ) -> None:
        self.y, self.azimuth, self.across, self.along = y.copy(), azimuth.copy(), across.copy(), along.copy()
        self.cov_across, self.cov_along = cov[0].copy(), cov[1].copy()

    def to_row(self, index: IntArray, row: int) -> NDArray[np.bool_]:
        """Move tracks to a pad row, into the sector where they cross it; false where they never reach it."""
        y = float(tpc.row_centre(row))
        ok = self._move(index, y)
        beyond = np.flatnonzero(ok & (np.abs(self.across[index, 0]) > EDGE * y))
        if len(beyond):
            self._turn(index[beyond])
            ok[beyond] = self._move(index[beyond], y)
        return ok

    def slopes(self, index: IntArray) -> tuple[FloatArray, FloatArray]:
        """dx/dy and dz/dy."""
        sine = self.across[index, 1]
        cosine = np.sqrt(1 - sine**2)
        return sine / cosine, self.along[index, 1] / cosine

    def update(
        self, index: IntArray, x: FloatArray, z: FloatArray, variance_x: FloatArray, variance_z: FloatArray
    ) -> None:
        """Take in a measurement each."""
        for state, cov, value, variance in (
            (self.across, self.cov_across, x, variance_x),
            (self.along, self.cov_along, z, variance_z),
        ):
            c = cov[index]
            gain = c[:, :, 0] / (c[:, 0, 0] + variance)[:, None]
            state[index] += gain * (value - state[index, 0])[:, None]
            cov[index] = c - gain[:, :, None] * c[:, None, 0, :]

    def _move(self, index: IntArray, y: float) -> NDArray[np.bool_]:
        x, sine, kappa = self.across[index].T
        step = y - self.y[index]
        new = sine + kappa * step
        ok: NDArray[np.bool_] = np.abs(new) < STEEPEST
        index = index[ok]
        x, sine, kappa, step, new = np.stack([x, sine, kappa, step, new])[:, ok]
        c0, c1 = np.sqrt(1 - sine**2), np.sqrt(1 - new**2)
        both = c0 + c1
        dx = step * (sine + new) / both
        by_sine = step * (2 * both + (sine + new) * (sine / c0 + new / c1)) / both**2
        by_kappa = step**2 * (both + (sine + new) * new / c1) / both**2
        chord = np.hypot(step, dx)
        arc = np.sign(step) * chord * (1 + (kappa * chord) ** 2 / 24)
        tan_lambda = self.along[index, 1]
        self._transport(index, step, by_sine, by_kappa, arc)
        self.across[index] = np.stack([x + dx, new, kappa], axis=1)
        self.along[index, 0] += tan_lambda * arc
        self.y[index] = y
        return ok

    def _transport(
        self, index: IntArray, step: FloatArray, by_sine: FloatArray, by_kappa: FloatArray, arc: FloatArray
    ) -> None:
        jacobian = np.zeros((len(index), 3, 3))
        jacobian[:, 0, 0] = jacobian[:, 1, 1] = jacobian[:, 2, 2] = 1
        jacobian[:, 0, 1], jacobian[:, 0, 2], jacobian[:, 1, 2] = by_sine, by_kappa, step
        self.cov_across[index] = jacobian @ self.cov_across[index] @ jacobian.transpose(0, 2, 1)
        c = self.cov_along[index]
        mixed = c[:, 0, 1] + arc * c[:, 1, 1]
        self.cov_along[index, 0, 0] = c[:, 0, 0] + 2 * arc * c[:, 0, 1] + arc**2 * c[:, 1, 1]
        self.cov_along[index, 0, 1] = self.cov_along[index, 1, 0] = mixed

    def _turn(self, index: IntArray) -> None:
        """Describe tracks in the neighbouring sector that they have run into."""
        x, sine, _ = self.across[index].T
        sign = np.where(x > 0, 1, -1)
        angle = sign * 2 * tpc.HALF_SECTOR
        psi, y = np.arcsin(sine), self.y[index]
        self.azimuth[index] = (self.azimuth[index] + sign) % tpc.SECTORS
        self.y[index] = y * np.cos(angle) + x * np.sin(angle)
        new = np.clip(psi - angle, -np.arcsin(STEEPEST), np.arcsin(STEEPEST))
        ratio = np.cos(psi) / np.cos(new)
        scale = np.stack([ratio, 1 / ratio, np.ones_like(ratio)], axis=1)
        self.cov_across[index] *= scale[:, :, None] * scale[:, None, :]
        self.across[index, 0] = x * np.cos(angle) - y * np.sin(angle)
        self.across[index, 1] = np.sin(new)
