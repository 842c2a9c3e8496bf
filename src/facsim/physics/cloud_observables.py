"""Observables of showers that are clouds of energy deposits, as point-cloud papers compare them (arXiv 2309.05704).

Energies MeV, x and y mm, z in layers. A shower without energy has 0 everywhere. To add one: write a plain function of
`Clouds`, and a line in `CLOUD_OBSERVABLES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


class Clouds:
    """Showers and what several observables share, computed when first asked for.

    Args:
        points: (N, P, 4 or more), columns x, y, z, energy; what the mask leaves out is ignored.
        mask: (N, P), true where a point is real.
        incident: incident energies, MeV, (N,).
    """

    def __init__(self, points: NDArray[Any], mask: NDArray[np.bool_], incident: NDArray[Any]) -> None:
        values = np.where(mask[..., None], points[..., :4], 0).astype(np.float64)
        self.x, self.y, self.z, self.energy = np.moveaxis(values, -1, 0)
        self.incident = np.asarray(incident, dtype=np.float64)

    @cached_property
    def total(self) -> FloatArray:
        """Visible energy, (N,)."""
        return np.asarray(self.energy.sum(axis=1))

    @cached_property
    def hits(self) -> FloatArray:
        """Number of points with energy, (N,)."""
        return np.asarray((self.energy > 0).sum(axis=1), dtype=np.float64)

    @property
    def largest(self) -> FloatArray:
        """Energy of the point with the most, (N,)."""
        return np.asarray(self.energy.max(axis=1, initial=0.0))

    @cached_property
    def r(self) -> FloatArray:
        """Distance of each point from the axis x = y = 0, (N, P)."""
        return np.asarray(np.hypot(self.x, self.y))

    @cached_property
    def log_energy(self) -> FloatArray:
        """log10 of each point's energy, 0 where there is none, (N, P)."""
        lit = self.energy > 0
        return np.where(lit, np.log10(np.where(lit, self.energy, 1.0)), 0.0)

    def mean(self, values: FloatArray) -> FloatArray:
        """Energy-weighted mean of values (N, P), (N,)."""
        return _ratio((values * self.energy).sum(axis=1), self.total)

    def width(self, values: FloatArray) -> FloatArray:
        """Energy-weighted standard deviation of values (N, P), (N,)."""
        return np.sqrt(self.mean((values - self.mean(values)[:, None]) ** 2))

    def holding(self, values: FloatArray, share: float) -> FloatArray:
        """The value up to which points hold `share` of the energy, (N,)."""
        if values.shape[1] == 0:
            return np.zeros(len(values))
        order = np.argsort(values, axis=1)
        below = np.cumsum(np.take_along_axis(self.energy, order, axis=1), axis=1)
        place = np.argmax(below >= share * below[:, -1:] * (1 - 1e-12), axis=1)
        found = np.take_along_axis(values, np.take_along_axis(order, place[:, None], axis=1), axis=1)[:, 0]
        return np.where(self.total > 0, found, 0.0)


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def _log_mean(clouds: Clouds) -> FloatArray:
    return _ratio(clouds.log_energy.sum(axis=1), clouds.hits)


def _log_width(clouds: Clouds) -> FloatArray:
    deviation = np.where(clouds.energy > 0, clouds.log_energy - _log_mean(clouds)[:, None], 0.0)
    return np.sqrt(_ratio((deviation**2).sum(axis=1), clouds.hits))


@dataclass(frozen=True)
class CloudObservable:
    """A named quantity of a shower: LaTeX `label`, `unit`, and the function of `Clouds` that returns (N,)."""

    name: str
    label: str
    unit: str
    values: Callable[[Clouds], FloatArray]


CLOUD_OBSERVABLES: Mapping[str, CloudObservable] = {
    line.name: line
    for line in (
        CloudObservable("e_ratio", r"$E_{tot}/E_{inc}$", "", lambda c: c.total / c.incident),
        CloudObservable("hits", r"$N_{points}$", "", lambda c: c.hits),
        CloudObservable("ec_x", r"$\langle x \rangle$", "mm", lambda c: c.mean(c.x)),
        CloudObservable("ec_y", r"$\langle y \rangle$", "mm", lambda c: c.mean(c.y)),
        CloudObservable("ec_z", r"$\langle z \rangle$", "layer", lambda c: c.mean(c.z)),
        CloudObservable("width_x", r"$\sigma_x$", "mm", lambda c: c.width(c.x)),
        CloudObservable("width_y", r"$\sigma_y$", "mm", lambda c: c.width(c.y)),
        CloudObservable("width_z", r"$\sigma_z$", "layer", lambda c: c.width(c.z)),
        CloudObservable("ec_r", r"$\langle r \rangle$", "mm", lambda c: c.mean(c.r)),
        CloudObservable("width_r", r"$\sigma_r$", "mm", lambda c: c.width(c.r)),
        CloudObservable("r_50", r"$r_{50\%}$", "mm", lambda c: c.holding(c.r, 0.5)),
        CloudObservable("r_90", r"$r_{90\%}$", "mm", lambda c: c.holding(c.r, 0.9)),
        CloudObservable("z_10", r"$z_{10\%}$", "layer", lambda c: c.holding(c.z, 0.1)),
        CloudObservable("z_50", r"$z_{50\%}$", "layer", lambda c: c.holding(c.z, 0.5)),
        CloudObservable("z_90", r"$z_{90\%}$", "layer", lambda c: c.holding(c.z, 0.9)),
        CloudObservable("e_max_share", r"$E_{max}/E_{tot}$", "", lambda c: _ratio(c.largest, c.total)),
        CloudObservable("log_e_mean", r"$\langle \log_{10} E_{point} \rangle$", "", _log_mean),
        CloudObservable("log_e_width", r"$\sigma(\log_{10} E_{point})$", "", _log_width),
    )
}
"""Name to observable."""


def cloud_table(points: NDArray[Any], mask: NDArray[np.bool_], incident: NDArray[Any]) -> FloatArray:
    """All observables of `CLOUD_OBSERVABLES`, in order: (N, D)."""
    clouds = Clouds(points, mask, incident)
    return np.stack([observable.values(clouds) for observable in CLOUD_OBSERVABLES.values()], axis=1)
