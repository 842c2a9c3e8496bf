"""Tracks of full TPC events: of a particle gun, or of collisions of Pythia 8, several on top of one another."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from facsim.core.errors import FacsimError, MissingExtraError
from facsim.core.rng import generator, integer_seed
from facsim.physics.helix import Helices
from facsim.physics.tpc import MASSES

Species = Literal["electron", "muon", "pion", "kaon", "proton"]
LARGEST_SEED = 900_000_000
LARGEST_ETA = 2.0
MOST_FAILURES = 100
"""Collisions that Pythia gives up one after another."""
Finite = Annotated[float, Field(allow_inf_nan=False)]
PDG: dict[int, tuple[str, int]] = {
    11: ("electron", -1), 13: ("muon", -1), 211: ("pion", 1), 321: ("kaon", 1), 2212: ("proton", 1),
}  # fmt: skip
"""Species and charge of the particles (of the antiparticles the opposite)."""


class _Beam(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    vertex_z: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 10.0


class TrackGun(_Beam):
    """Independent tracks from the beam line.

    Args:
        tracks: per event. pt: range, GeV, drawn evenly. eta: range. species: drawn evenly.
        vertex_z: spread of the origin of an event's tracks along the beam, cm.
    """

    source: Literal["gun"] = "gun"
    tracks: Annotated[int, Field(ge=1)] = 100
    pt: tuple[Finite, Finite] = (0.1, 2.5)
    eta: tuple[Finite, Finite] = (-1.2, 1.2)
    species: Annotated[tuple[Species, ...], Field(min_length=1)] = ("pion", "kaon", "proton")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not 0 < self.pt[0] <= self.pt[1]:
            raise ValueError(f"pt: the range must increase and lie above 0, not {self.pt[0]:g} to {self.pt[1]:g}")
        if not self.eta[0] <= self.eta[1]:
            raise ValueError(f"eta: the range must increase, not {self.eta[0]:g} to {self.eta[1]:g}")
        return self

    def draw(self, events: int, seed: int) -> Helices:
        """Tracks of so many events, the same for the same seed."""
        rng, n = generator(seed, "tpc", "gun"), events * self.tracks
        event = np.repeat(np.arange(events), self.tracks)
        masses = np.array([MASSES[name] for name in self.species])
        return Helices(
            event,
            rng.uniform(*self.pt, n),
            rng.uniform(-np.pi, np.pi, n),
            np.sinh(rng.uniform(*self.eta, n)),
            rng.choice([-1.0, 1.0], n),
            np.zeros(n),
            np.zeros(n),
            (self.vertex_z * rng.standard_normal(events))[event],
            masses[rng.integers(0, len(masses), n)],
        )


class PythiaCollisions(_Beam):
    """Charged particles of proton collisions of Pythia 8, of lifetimes above 1 cm.

    Args:
        energy: of the centre of mass, GeV. process: a line of Pythia's settings. overlaid: collisions per event, each
            with its own vertex. lowest_pt: softer particles are left out, GeV. vertex_z: spread of the vertices, cm.
    """

    source: Literal["pythia"] = "pythia"
    energy: Annotated[float, Field(ge=10.0)] = 11.0
    process: str = "SoftQCD:nonDiffractive = on"
    overlaid: Annotated[int, Field(ge=1)] = 20
    lowest_pt: Annotated[float, Field(gt=0)] = 0.05

    def draw(self, events: int, seed: int) -> Helices:
        """Tracks of so many events, the same for the same seed.

        Raises:
            FacsimError: Pythia does not start. MissingExtraError: it is not installed.
        """
        columns = _particles(self._pythia(seed), events * self.overlaid)
        collision, pdg, px, py, pz, x, y, z = columns
        pt = np.hypot(px, py)
        kept = (pt > self.lowest_pt) & (np.abs(pz) < np.sinh(LARGEST_ETA) * pt)
        collision, pdg, px, py, pz, x, y, z, pt = (v[kept] for v in (*columns, pt))
        vertex = self.vertex_z * generator(seed, "tpc", "vertices").standard_normal(events * self.overlaid)
        known = {code: (MASSES[name], charge) for code, (name, charge) in PDG.items()}
        mass = np.array([known[int(code)][0] for code in np.abs(pdg)])
        charge = np.array([float(known[int(abs(code))][1] * np.sign(code)) for code in pdg])
        event = collision.astype(np.int64) // self.overlaid
        z = z + vertex[collision.astype(np.int64)]
        return Helices(event, pt, np.arctan2(py, px), pz / pt, charge, x, y, z, mass)

    def _pythia(self, seed: int) -> Any:
        try:
            import pythia8mc  # noqa: PLC0415  optional
        except ImportError as error:
            raise MissingExtraError("jets", str(error.name)) from None
        pythia = pythia8mc.Pythia("", False)
        number = 1 + integer_seed(seed, "tpc", "pythia") % (LARGEST_SEED - 1)
        for line in (
            "Print:quiet = on",
            f"Beams:eCM = {self.energy}",
            "Random:setSeed = on",
            f"Random:seed = {number}",
            "ParticleDecays:limitTau0 = on",
            "ParticleDecays:tau0Max = 10",
        ):
            pythia.readString(line)
        if not pythia.readString(self.process) or not pythia.init():
            raise FacsimError(
                f"Pythia does not start with the process '{self.process}' at {self.energy:g} GeV: let PYTHIA8DATA name "
                "its folder share/Pythia8/xmldoc, or mend the process."
            )
        return pythia


TrackSource = Annotated[TrackGun | PythiaCollisions, Field(discriminator="source")]


def _particles(pythia: Any, collisions: int) -> tuple[NDArray[np.float64], ...]:
    """Collision, PDG code, momentum (GeV) and origin (cm) of the final particles of the kinds in `PDG`."""
    found: list[tuple[float, ...]] = []
    for number in range(collisions):
        if not any(pythia.next() for _ in range(MOST_FAILURES)):
            raise FacsimError(f"Pythia gave up {MOST_FAILURES} collisions one after another: choose another process.")
        for p in pythia.event:
            if p.isFinal() and p.idAbs() in PDG:
                found.append(
                    (number, p.id(), p.px(), p.py(), p.pz(), 0.1 * p.xProd(), 0.1 * p.yProd(), 0.1 * p.zProd())
                )
    return tuple(np.array(found, dtype=np.float64).reshape(-1, 8).T)
