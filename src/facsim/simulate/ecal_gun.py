"""Photons and electrons at the face of the LHCb calorimeter: momenta (GeV) and points of impact (mm)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from facsim.core.errors import FacsimError
from facsim.core.geometry import FloatArray
from facsim.core.schema import Feature
from facsim.simulate.gun import PDG, Energy
from facsim.simulate.readout import Section

STEEPEST = 1.0
Particle = Literal["gamma", "e-", "e+"]
CONDITIONS = (
    *(Feature(name, "GeV") for name in ("px", "py", "pz")),
    *(Feature(name, "mm") for name in ("x", "y")),
    Feature("pdg"),
)


class ECALGun(Section):
    """Photons and electrons at the face of a window of cells.

    Args:
        particle: `gamma`, `e-`, `e+`, or several, equally often; then the type is a condition.
        energy: of the particles, GeV (`gun.Energy`).
        slope: largest |px / pz| and |py / pz|; both are uniform.
        point: largest |x| and |y| of the point of impact, seen from the middle of the window, mm; both are uniform.
    """

    particle: Annotated[tuple[Particle, ...], Field(min_length=1)] = ("gamma",)
    energy: Energy = Energy(log_uniform=(1.0, 100.0))
    slope: Annotated[float, Field(ge=0, le=STEEPEST)] = 0.3
    point: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 10.1

    @field_validator("particle", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @property
    def conditions(self) -> tuple[Feature, ...]:
        """Columns of the conditions; the type of the particle only where there are several."""
        return CONDITIONS if len(set(self.particle)) > 1 else CONDITIONS[:-1]

    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Conditions (n, 5 or 6)."""
        u = rng.random((n, 6))
        energy = self.energy.draw(u[:, 0]) / 1e3
        slopes, point = self.slope * (2 * u[:, 1:3] - 1), self.point * (2 * u[:, 3:5] - 1)
        pz = energy / np.sqrt(1 + (slopes**2).sum(axis=1))
        names = np.array([PDG[name] for name in self.particle], dtype=np.float64)
        pdg = names[np.minimum((u[:, 5] * len(names)).astype(int), len(names) - 1)]
        columns = np.column_stack([slopes * pz[:, None], pz, point, pdg])
        return columns[:, : len(self.conditions)]

    def table(self, cond: NDArray[Any]) -> FloatArray:
        """Rows of Geant4's gun (energy MeV, theta, phi, x, y, pdg) for conditions (N, 5 or 6)."""
        cond = self.checked(cond)
        across = np.hypot(cond[:, 0], cond[:, 1])
        energy = 1e3 * np.hypot(across, cond[:, 2])
        angles = np.arctan2(across, cond[:, 2]), np.arctan2(cond[:, 1], cond[:, 0])
        return np.column_stack([energy, *angles, cond[:, 3:5], self.pdg(cond)])

    def pdg(self, cond: FloatArray) -> FloatArray:
        """Type of each particle, (N,)."""
        return cond[:, 5] if cond.shape[1] > 5 else np.full(len(cond), float(PDG[self.particle[0]]))

    def checked(self, cond: NDArray[Any]) -> FloatArray:
        """Conditions as they can be.

        Raises:
            FacsimError: another number of columns, numbers that are not finite, a particle that does not fly forward,
                a slope above 1, or one that is neither photon nor electron.
        """
        cond, names = np.asarray(cond, dtype=np.float64), [feature.name for feature in self.conditions]
        if cond.ndim != 2 or cond.shape[1] != len(names):
            raise FacsimError(f"expected conditions {names}, shape (N, {len(names)}), not shape {cond.shape}.")
        if not np.isfinite(cond).all():
            raise FacsimError("momenta (GeV) and points of impact (mm) must be finite, and some are not.")
        steep = np.abs(cond[:, :2]).max(axis=1, initial=0.0) > STEEPEST * cond[:, 2]
        if np.any(cond[:, 2] <= 0) or steep.any():
            raise FacsimError(f"particles must fly forward: expected pz > 0 and slopes of at most {STEEPEST:g}.")
        unknown = set(np.unique(np.abs(self.pdg(cond))).tolist()) - {11.0, 22.0}
        if unknown:
            raise FacsimError(f"showers are those of photons (22) and electrons (11, -11), not of {sorted(unknown)}.")
        return cond
