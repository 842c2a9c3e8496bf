"""Soft unclustered energy patterns: scalars replaced by thermal showers of dark mesons, and the decays of these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.geometry import FloatArray
from facsim.physics.decays import boosted, invariant_mass, two_body
from facsim.physics.particles import Particles, merged
from facsim.physics.thermal_shower import thermal_shower
from facsim.simulate.dark_processes import SCALAR

DAUGHTERS = {"ee": (11, 0.000511), "mumu": (13, 0.10566), "pipi": (211, 0.13957)}
"""Pairs that a dark photon may decay to: PDG number and mass in GeV."""


@dataclass(frozen=True)
class DarkMesons:
    """What the scalar becomes.

    Args:
        mass, temperature: of the dark mesons, GeV.
        photon: mass of the dark photons, two of which each meson decays to, GeV.
        decays: shares of the pairs `ee`, `mumu` and `pipi` in their decays.

    Raises:
        FacsimError: masses that decays do not allow, a temperature that is not above 0, unknown pairs, or shares that
            do not add up to 1.
    """

    mass: float = 2.0
    temperature: float = 2.0
    photon: float = 0.7
    decays: Mapping[str, float] = field(default_factory=lambda: {"ee": 0.15, "mumu": 0.15, "pipi": 0.70})

    def __post_init__(self) -> None:
        unknown = sorted(set(self.decays) - set(DAUGHTERS))
        if unknown or not self.decays:
            raise FacsimError(f"dark photons decay to {sorted(DAUGHTERS)}, not to {unknown or 'nothing'}.")
        if abs(sum(self.decays.values()) - 1) > 1e-6 or min(self.decays.values()) < 0:
            raise FacsimError(f"the shares of a dark photon's decays must add up to 1, not {dict(self.decays)}.")
        heaviest = max(DAUGHTERS[name][1] for name in self.decays)
        if not (self.temperature > 0 and 2 * heaviest < self.photon < self.mass / 2):
            raise FacsimError(
                f"dark mesons need a temperature above 0 and photons between {2 * heaviest:g} GeV and half of their "
                f"mass, not {self.temperature:g} GeV, {self.photon:g} GeV and the mass {self.mass:g} GeV."
            )


def with_showers(particles: Particles, mesons: DarkMesons, rng: np.random.Generator) -> Particles:
    """Particles of events in which each scalar has become what dark photons decay to.

    Raises:
        FacsimError: a scalar that is too light.
    """
    scalar = particles.pdg == SCALAR
    mother = particles.momentum[scalar][:, [3, 0, 1, 2]]
    shower = thermal_shower(invariant_mass(mother), mesons.mass, mesons.temperature, rng)
    meson = boosted(shower.momentum, mother[shower.event])
    photon = _pairs(two_body(meson, mesons.photon, mesons.photon, rng))
    event = np.repeat(particles.event[scalar][shower.event], 2)
    names, shares = list(mesons.decays), list(mesons.decays.values())
    kind = rng.choice(len(names), len(photon), p=np.asarray(shares) / sum(shares))
    pdg, mass = (np.array([DAUGHTERS[name][k] for name in names])[kind] for k in (0, 1))
    daughter = _pairs(two_body(photon, mass, mass, rng))
    pdg = np.repeat(pdg.astype(np.int64), 2) * np.tile([1, -1], len(photon))
    decayed = Particles(particles.events, np.repeat(event, 2), pdg, daughter[:, [1, 2, 3, 0]])
    return merged(particles.events, [particles[~scalar], decayed])


def _pairs(daughters: tuple[FloatArray, FloatArray]) -> FloatArray:
    """The two daughters of each mother, one after the other."""
    return np.stack(daughters, axis=1).reshape(-1, 4)
