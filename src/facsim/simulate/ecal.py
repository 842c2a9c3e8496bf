"""Truth of the task `ecal`: photons and electrons in a shashlik calorimeter like LHCb's, seen on 30 x 30 cells.

Momenta are in GeV, as LHCb writes them; energies of cells in MeV and lengths in mm, as everywhere in facsim. A point of
impact is that on the calorimeter's face, seen from the middle of the window of cells.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from facsim.core.errors import MissingExtraError
from facsim.core.geometry import FloatArray
from facsim.core.schema import Schema, calorimeter_schema
from facsim.physics.gflash import Medium, Slab, effective_medium
from facsim.physics.materials import find_material
from facsim.simulate.ecal_gun import ECALGun, Particle
from facsim.simulate.ecal_readout import FINE, Cells, ECALEffects, bin_spots, electronics, merged, window
from facsim.simulate.ecal_showers import Beam, Sampler
from facsim.simulate.gun import CHALLENGE_NAMES, Energy
from facsim.simulate.showers_chunks import Chunk
from facsim.simulate.truth import Drawn, SimulationReport, Tell, VectorisedSimulation

if TYPE_CHECKING:
    from facsim.simulate.showers_settings import ShowerSimulation

NAME = "lhcb-ecal"
LEAD, SCINTILLATOR = 2.0, 4.0
"""Thickness of the plates, mm (LHCb, JINST 3 S08005, section 6.2: 66 layers of each)."""


def shashlik() -> Medium:
    """Effective medium of lead and scintillator."""
    plates = (("lead", LEAD, False), ("plastic-scintillator", SCINTILLATOR, True))
    return effective_medium([Slab(find_material(name), mm, active) for name, mm, active in plates])


class ECALSimulation(VectorisedSimulation):
    """Showers of photons and electrons in 66 layers of lead and scintillator.

    Args:
        engine: `parametrised` (hep-ex/0001020) or `geant4`.
        particle, energy, slope, point: see `ecal_gun.ECALGun`.
        cells: `fine` (30 x 30 of 20.2 mm), or merged as in LHCb's zones: `inner` (15 x 15), `middle` (10 x 10), `outer`
            (5 x 5).
        layers: of lead and scintillator.
        sampling: c of the sampling fluctuation c / sqrt(E / GeV), and constant: relative fluctuation of a shower; of
            the parametrisation.
        spots: share of the paper's spots that is drawn.
        effects: of the read-out; those of spots (light, crack, attenuation) are of the parametrisation alone.
        sampling_fraction: Geant4's visible energy is divided by it.
    """

    simulator: ClassVar[str] = "shower parametrisation"
    noun: ClassVar[str] = "showers"

    engine: Literal["parametrised", "geant4"] = "parametrised"
    particle: Annotated[tuple[Particle, ...], Field(min_length=1)] = ("gamma",)
    energy: Energy = Energy(log_uniform=(1.0, 100.0))
    slope: Annotated[float, Field(ge=0, le=0.3)] = 0.3
    point: Annotated[float, Field(ge=0, le=200.0)] = 10.1
    cells: Cells = "fine"
    layers: Annotated[int, Field(ge=1)] = 66
    sampling: Annotated[float, Field(ge=0, lt=1)] = 0.09
    constant: Annotated[float, Field(ge=0, lt=1)] = 0.008
    spots: Annotated[float, Field(gt=0, le=1)] = 1.0
    effects: ECALEffects = ECALEffects()
    sampling_fraction: Annotated[float, Field(gt=0, le=1)] = 0.172

    @field_validator("particle", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _of_engine(self) -> ECALSimulation:
        of_spots = [name for name in ("light", "crack", "attenuation") if getattr(self.effects, name)]
        if self.engine == "geant4" and of_spots:
            raise ValueError(f"effects: {of_spots} are of the engine 'parametrised'; Geant4's cells know no spots")
        return self

    @property
    def gun(self) -> ECALGun:
        """The particles."""
        return ECALGun(particle=self.particle, energy=self.energy, slope=self.slope, point=self.point)

    @property
    def depth(self) -> float:
        """Thickness of the calorimeter, mm."""
        return self.layers * (LEAD + SCINTILLATOR)

    @property
    def sampler(self) -> Sampler:
        """The parametrisation."""
        return Sampler(shashlik(), self.depth, self.sampling, self.constant, self.spots)

    def schema_of(self) -> Schema:
        names = sorted({CHALLENGE_NAMES[name] for name in self.particle})
        particle = names[0] if len(names) == 1 else "mixed"
        image = window(self.cells, NAME, particle, self.effects.threshold)
        return calorimeter_schema(image, self.gun.conditions)

    def conditions(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Conditions (n, 5 or 6) as `generate` draws them, without showers."""
        return self.gun.draw(n, rng)

    def generate(self, n: int, rng: np.random.Generator) -> Drawn:
        cond = self.conditions(n, rng)
        return Drawn(self.respond(cond, rng), cond)

    def respond(self, cond: NDArray[Any], rng: np.random.Generator) -> NDArray[np.float32]:
        cond = self.gun.checked(cond)
        fine = np.zeros((0, FINE * FINE)) if not len(cond) else self._fine(cond, rng)
        return electronics(merged(fine, self.cells), self.effects, rng).astype(np.float32)[:, :, None]

    def _fine(self, cond: FloatArray, rng: np.random.Generator) -> FloatArray:
        if self.engine == "geant4":
            from facsim.simulate.ecal_geant4 import respond  # noqa: PLC0415  it needs these settings

            return respond(self, cond, int(rng.integers(2**62)))
        size = np.linalg.norm(cond[:, :3], axis=1)
        beam = Beam(1e3 * size, cond[:, :3] / size[:, None], cond[:, 3:5], np.abs(self.gun.pdg(cond)) == 22)
        sampler = self.sampler
        parts = sampler.parts(beam.energy)
        showers = ((sampler.showers(beam[part], rng), part.stop - part.start) for part in parts)
        return np.concatenate([bin_spots(spots, n, self.depth, self.cells, self.effects) for spots, n in showers])

    def simulate(self, out: Path, seed: int, tell: Tell | None = None) -> SimulationReport:
        if self.engine == "parametrised":
            return super().simulate(out, seed, tell)
        from facsim.simulate.ecal_geant4 import simulate  # noqa: PLC0415

        return simulate(self, out, seed, tell)

    def parts(self, size: int | None = None) -> list[tuple[int, int]]:
        return super().parts(size) if self.engine == "parametrised" else self._geant4.parts(size)

    def write_part(self, part: Chunk, seed: int) -> float:
        parametrised = self.engine == "parametrised"
        return super().write_part(part, seed) if parametrised else self._geant4.write_part(part, seed)

    def merge_parts(self, parts: list[Chunk], out: Path, seed: int, cpu_seconds: float = 0.0) -> None:
        if self.engine == "parametrised":
            super().merge_parts(parts, out, seed, cpu_seconds)
            return
        from facsim.simulate.ecal_geant4 import merge_parts  # noqa: PLC0415  it needs these settings

        merge_parts(self, parts, out, seed)

    def identity(self, seed: int) -> dict[str, Any]:
        mine = super().identity(seed)
        return mine if self.engine == "parametrised" else {**mine, "geant4": self._geant4.identity(seed)}

    @property
    def _geant4(self) -> ShowerSimulation:
        from facsim.simulate.ecal_geant4 import showers_of  # noqa: PLC0415  it needs these settings

        return showers_of(self)

    def time(self, cond: NDArray[Any], seed: int) -> FloatArray:
        if self.engine == "parametrised":
            return super().time(cond, seed)
        from facsim.simulate.ecal_geant4 import cpu_time  # noqa: PLC0415

        return cpu_time(self, cond, seed)

    def missing(self) -> MissingExtraError | None:
        if self.engine == "parametrised":
            return None
        from facsim.simulate.geant4 import geant4_available  # noqa: PLC0415  looks for packages

        return None if geant4_available() else MissingExtraError("geant4", "calzone")
