"""The particle gun: which particles, with which energies, angles and positions, one row per event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from facsim.core import rng
from facsim.core.geometry import FloatArray
from facsim.core.schema import Feature
from facsim.simulate.readout import Section

PDG = {"e-": 11, "e+": -11, "gamma": 22, "pi+": 211, "pi-": -211, "mu-": 13, "mu+": -13}
HADRONS = {"pi+", "pi-"}
CHALLENGE_NAMES = {"e-": "electron", "e+": "electron", "gamma": "photon", "pi+": "pion", "pi-": "pion"}
COLUMNS = (
    Feature("incident_energy", "MeV"),
    Feature("theta", "rad"),
    Feature("phi", "rad"),
    Feature("x", "mm"),
    Feature("y", "mm"),
    Feature("pdg"),
)
MAX_THETA = 1.2
Particle = Literal["e-", "e+", "gamma", "pi+", "pi-", "mu-", "mu+"]
Energy_GeV = Annotated[float, Field(gt=0, le=1e5, allow_inf_nan=False)]


def bare_number(value: Any, section: type[Section]) -> Any:
    """A number as the fixed value of a section; a section or a mapping as it is.

    Raises:
        ValueError: anything else.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"fixed": value}
    if not isinstance(value, Mapping | section):
        raise ValueError(f"expected a number or one of the keys {', '.join(section.model_fields)}, not {value!r}")
    return value


class Energy(Section):
    """Kinetic energies in GeV: exactly one of a fixed value, a range (uniform or log-uniform), or a list.

    Energies of a list take turns, so that each has the same number of events. A bare number is a fixed energy.
    """

    fixed: Energy_GeV | None = None
    uniform: tuple[Energy_GeV, Energy_GeV] | None = None
    log_uniform: tuple[Energy_GeV, Energy_GeV] | None = None
    listed: Annotated[list[Energy_GeV], Field(min_length=1)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _bare_number(cls, value: Any) -> Any:
        return bare_number(value, cls)

    @model_validator(mode="after")
    def _one(self) -> Energy:
        given = [name for name, value in self if value is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of fixed, uniform, log_uniform, listed, not {given or 'none'}")
        for bounds in (self.uniform, self.log_uniform):
            if bounds is not None and bounds[0] >= bounds[1]:
                raise ValueError(f"a range of energies goes up, not from {bounds[0]} to {bounds[1]} GeV")
        return self

    def draw(self, u: FloatArray) -> FloatArray:
        """Energies in MeV of events with the uniform numbers `u`, shape (N,)."""
        if self.fixed is not None:
            energy = np.full(len(u), self.fixed)
        elif self.uniform is not None:
            energy = self.uniform[0] + u * (self.uniform[1] - self.uniform[0])
        elif self.log_uniform is not None:
            low, high = np.log(self.log_uniform)
            energy = np.exp(low + u * (high - low))
        else:
            energy = np.resize(np.asarray(self.listed), len(u))
        return np.asarray(1000.0 * energy, dtype=np.float64)


class Spread(Section):
    """A quantity that is fixed or uniform in a range. A bare number is a fixed value."""

    fixed: Annotated[float, Field(allow_inf_nan=False)] | None = None
    uniform: tuple[float, float] | None = None

    @model_validator(mode="before")
    @classmethod
    def _bare_number(cls, value: Any) -> Any:
        return bare_number(value, cls)

    @model_validator(mode="after")
    def _one(self) -> Spread:
        if (self.fixed is None) == (self.uniform is None):
            raise ValueError("give a number, or 'uniform: [low, high]'")
        if self.uniform is not None and not self.uniform[0] < self.uniform[1]:
            raise ValueError(f"a range goes up, not from {self.uniform[0]} to {self.uniform[1]}")
        return self

    @property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest value."""
        if self.uniform is not None:
            return self.uniform
        value = 0.0 if self.fixed is None else self.fixed
        return (value, value)

    def draw(self, u: FloatArray) -> FloatArray:
        """Values for the uniform numbers `u`, shape (N,)."""
        low, high = self.bounds
        return low + u * (high - low)


ZERO = Spread(fixed=0.0)


class Angle(Section):
    """Direction of the particle, rad: `theta` to the normal of the front face, `phi` around it."""

    theta: Spread = ZERO
    phi: Spread = ZERO

    @model_validator(mode="after")
    def _forward(self) -> Angle:
        low, high = self.theta.bounds
        if not 0 <= low <= high <= MAX_THETA:
            raise ValueError(f"theta lies between 0 and {MAX_THETA} rad, not {low:g} to {high:g}")
        return self


class Position(Section):
    """Where the particle enters the front face, mm from its centre."""

    x: Spread = ZERO
    y: Spread = ZERO


def draw_table(
    particles: Sequence[Particle], energy: Energy, angle: Angle, position: Position, events: int, seed: int
) -> FloatArray:
    """One row per event with the columns `COLUMNS`, shape (events, 6); several particles take turns.

    The first rows do not change when more events are asked for.
    """
    u = rng.generator(seed, "geant4", "gun").random((events, 5))
    spreads = (angle.theta, angle.phi, position.x, position.y)
    columns = [energy.draw(u[:, 0])] + [spread.draw(u[:, i]) for i, spread in enumerate(spreads, start=1)]
    per_turn = 1 if energy.listed is None else len(energy.listed)
    turn = (np.arange(events) // per_turn) % len(particles)
    pdg = np.asarray([PDG[name] for name in particles], dtype=np.float64)[turn]
    return np.stack([*columns, pdg], axis=1)


def condition_columns(particles: Sequence[Particle], angle: Angle, position: Position) -> list[int]:
    """Columns of the table that are conditions of the showers: the energy, and what varies between events.

    A polar angle is one even when it is fixed, unless it is zero, because it breaks the symmetry about the axis.
    """
    spreads = (angle.theta, angle.phi, position.x, position.y)
    known = [i for i, spread in enumerate(spreads, start=1) if spread.uniform is not None or (i == 1 and spread.fixed)]
    return [0, *known, *([5] if len(set(particles)) > 1 else [])]
