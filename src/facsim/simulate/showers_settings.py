"""What to simulate: detector, particles, energies, angles, positions, and how much of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar

from numpy.typing import NDArray
from pydantic import Field, ValidationError, field_validator, model_validator

from facsim.core.errors import MissingExtraError
from facsim.core.geometry import FloatArray
from facsim.core.schema import Schema, calorimeter_schema
from facsim.simulate.detector import Detector
from facsim.simulate.detector_files import load_detector, one_sentence
from facsim.simulate.gun import (
    CHALLENGE_NAMES,
    COLUMNS,
    HADRONS,
    Angle,
    Energy,
    Particle,
    Position,
    condition_columns,
    draw_table,
)
from facsim.simulate.showers_chunks import Chunk
from facsim.simulate.truth import SimulationReport, Tell, TruthSimulation


class ShowerSimulation(TruthSimulation):
    """Showers in a detector, by Geant4.

    Args:
        detector: name of a preset, a YAML file, or the detector itself.
        particle: a particle, or several that take turns.
        energy: kinetic energies in GeV (`Energy`); a bare number is a fixed energy.
        angle: direction at the front face, rad.
        position: point of entry, mm.
        events: number of showers.
        workers: processes; None takes one per processor. The showers do not depend on it.
        chunk: events per chunk at most; an interruption loses at most one chunk per worker.
    """

    simulator: ClassVar[str] = "Geant4"
    noun: ClassVar[str] = "showers"

    detector: Detector
    particle: Annotated[tuple[Particle, ...], Field(min_length=1)] = ("e-",)
    energy: Energy
    angle: Angle = Angle()
    position: Position = Position()

    @field_validator("detector", mode="before")
    @classmethod
    def _load(cls, value: Any) -> Any:
        return load_detector(value) if isinstance(value, str | Path) else value

    @field_validator("particle", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _hits_the_detector(self) -> ShowerSimulation:
        for axis, spread in (("x", self.position.x), ("y", self.position.y)):
            if max(map(abs, spread.bounds)) >= self.detector.size / 2:
                raise ValueError(
                    f"position.{axis} lies outside the front face, which is {self.detector.size:g} mm wide"
                )
        return self

    @classmethod
    def parse(cls, settings: dict[str, Any]) -> ShowerSimulation:
        """Settings from a mapping.

        Raises:
            FacsimError: an unknown key, a value out of range, or an impossible detector, in one sentence.
        """
        try:
            return cls.model_validate(settings)
        except ValidationError as error:
            raise one_sentence(error, "simulate", cls) from None

    @property
    def hadrons(self) -> bool:
        """Whether hadrons are shot."""
        return bool(HADRONS & set(self.particle))

    @property
    def condition_columns(self) -> list[int]:
        """Columns of the gun's table that are conditions of the showers."""
        return condition_columns(self.particle, self.angle, self.position)

    def shower_schema(self, provenance: dict[str, Any] | None = None) -> Schema:
        """Schema of the showers; the conditions are those of `gun.condition_columns`."""
        names = sorted({CHALLENGE_NAMES.get(particle, "muon") for particle in self.particle})
        name = names[0] if len(names) == 1 else "mixed"
        conditions = tuple(COLUMNS[i] for i in self.condition_columns)
        return calorimeter_schema(self.detector.geometry(name), conditions, provenance)

    def table(self, seed: int) -> FloatArray:
        """The gun's rows (energy MeV, theta, phi, x, y, pdg) of all events, shape (events, 6)."""
        return draw_table(self.particle, self.energy, self.angle, self.position, self.events, seed)

    def event_schema(self, provenance: dict[str, Any] | None = None) -> Schema:
        return self.shower_schema(provenance)

    def simulate(self, out: Path, seed: int, tell: Tell | None = None) -> SimulationReport:
        from facsim.simulate.showers import simulate_showers  # noqa: PLC0415  it needs these settings

        return simulate_showers(self, out, seed, tell)

    def parts(self, size: int | None = None) -> list[tuple[int, int]]:
        step = size or 10 * self.chunk  # Geant4 is set up anew for each part; the showers do not depend on its size
        return [(first, min(first + step, self.events)) for first in range(0, self.events, step)]

    def write_part(self, part: Chunk, seed: int) -> float:
        from facsim.simulate.showers import write_part  # noqa: PLC0415

        return write_part(self, part, seed)

    def merge_parts(self, parts: list[Chunk], out: Path, seed: int, cpu_seconds: float = 0.0) -> None:
        from facsim.simulate.showers import put_together  # noqa: PLC0415

        put_together(self, parts, out, self.identity(seed))

    def identity(self, seed: int) -> dict[str, Any]:
        from facsim.simulate.showers import identity_of  # noqa: PLC0415

        return identity_of(self, seed)

    def time(self, cond: NDArray[Any], seed: int) -> FloatArray | None:
        from facsim.simulate.showers import time_geant4  # noqa: PLC0415

        return time_geant4(self, cond, seed) if self.missing() is None else None

    def missing(self) -> MissingExtraError | None:
        from facsim.simulate.geant4 import geant4_available  # noqa: PLC0415  looks for packages

        return None if geant4_available() else MissingExtraError("geant4", "calzone")
