"""Showers of soft, isotropic particles: momenta of a thermal gas that add up to a mediator at rest.

In units of the mass m of a particle, |p| has the density f(p) = p^2 exp(-A p^2 / (1 + sqrt(1 + p^2))), A = m / T: that
of Boltzmann, since the fraction is the kinetic energy (S. Knapen et al., arXiv 1612.00850; used in arXiv 2306.13595).
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.geometry import FloatArray, IntArray

POINTS = 20_001
FARTHEST = 50.0
"""Kinetic energy, in units of T, up to which momenta are drawn: exp(-50) of them lie beyond."""
STEPS = 100


class Shower(NamedTuple):
    """Particles of many showers: `event` (P,) in increasing order, `momentum` (P, 4) energy, px, py, pz in GeV."""

    event: IntArray
    momentum: FloatArray


def density(p: FloatArray, ratio: float) -> FloatArray:
    """f at momenta `p` (N,), in units of the mass, for `ratio` = m / T; not normalised."""
    return np.asarray(p**2 * np.exp(-ratio * p**2 / (1 + np.sqrt(1 + p**2))))


def thermal_momenta(n: int, ratio: float, rng: np.random.Generator) -> FloatArray:
    """`n` momenta |p| with the density f, in units of the mass."""
    p, below = _table(ratio)
    return np.asarray(np.interp(rng.random(n), below, p))


def thermal_shower(masses: FloatArray, meson: float, temperature: float, rng: np.random.Generator) -> Shower:
    """Showers of mediators at rest: particles are drawn until their energy exceeds the mediator's mass; the mean
    momentum is taken off each, and all momenta are scaled, so that energy and momentum are those of the mediator.

    Args:
        masses: of the mediators (N,), GeV. meson: mass of a particle, GeV. temperature: GeV.

    Raises:
        FacsimError: a mediator that is too light for two particles, or masses and temperature that are not above 0.
    """
    if not (meson > 0 and temperature > 0 and np.all(masses > 2 * meson)):
        raise FacsimError(
            f"a thermal shower needs mediators above {2 * meson:g} GeV, twice the mass of its particles, and a "
            f"temperature above 0, not {np.min(masses, initial=np.inf):g} GeV and {temperature:g} GeV."
        )
    number = _numbers(masses, meson, temperature, rng)
    event = np.repeat(np.arange(len(masses)), [len(p) for p in number])
    size = np.concatenate([*number, np.empty(0)]) * meson
    cosine, phi = rng.uniform(-1, 1, len(size)), rng.uniform(-np.pi, np.pi, len(size))
    across = np.sqrt(1 - cosine**2)
    p = size[:, None] * np.stack([across * np.cos(phi), across * np.sin(phi), cosine], axis=1)
    count = np.bincount(event, minlength=len(masses))
    mean = np.stack([np.bincount(event, part, len(masses)) for part in p.T], axis=1) / np.maximum(count, 1)[:, None]
    p = p - mean[event]
    p = p * _scale(event, (p**2).sum(axis=1), masses, meson)[event][:, None]
    return Shower(event, np.column_stack([np.sqrt(meson**2 + (p**2).sum(axis=1)), p]))


@lru_cache(maxsize=16)
def _table(ratio: float) -> tuple[FloatArray, FloatArray]:
    """Momenta, and the share of the density below each."""
    kinetic = FARTHEST / ratio
    p = np.linspace(0.0, np.sqrt((1 + kinetic) ** 2 - 1), POINTS)
    value = density(p, ratio)
    below = np.r_[0.0, np.cumsum((value[1:] + value[:-1]) / 2)]
    return p, below / below[-1]


def _numbers(masses: FloatArray, meson: float, temperature: float, rng: np.random.Generator) -> list[FloatArray]:
    """|p| of each shower's particles, in units of their mass."""
    found = []
    for mass in masses:
        most = int(np.ceil(mass / meson)) - 1  # more of them could not even be at rest
        p = thermal_momenta(most, meson / temperature, rng)
        energy = np.cumsum(meson * np.sqrt(1 + p**2))
        found.append(p[: max(2, int(np.searchsorted(energy, mass)) + 1)])
    return found


def _scale(event: IntArray, square: FloatArray, masses: FloatArray, meson: float) -> FloatArray:
    """Factors (N,) of the momenta at which the energies add up to the masses, by Newton's method from above."""
    factor = masses / np.bincount(event, np.sqrt(square), len(masses))
    for _ in range(STEPS):
        energy = np.sqrt(meson**2 + factor[event] ** 2 * square)
        excess = np.bincount(event, energy, len(masses)) - masses
        if np.all(np.abs(excess) <= 1e-13 * masses):
            break
        slope = np.bincount(event, factor[event] * square / energy, len(masses))
        factor = factor - excess / slope
    return np.asarray(factor)
