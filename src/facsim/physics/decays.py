"""Decays by phase space, many at once: four-momenta are (N, 4) arrays of energy and momentum in MeV."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError

FloatArray = NDArray[np.float64]


def four_momentum(pt: FloatArray, eta: FloatArray, phi: FloatArray, mass: float | FloatArray) -> FloatArray:
    """Four-momenta (N, 4) of transverse momenta (MeV), pseudorapidities and azimuths."""
    momentum = np.stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)], axis=1)
    energy = np.sqrt((momentum**2).sum(axis=1) + np.square(mass))
    return np.column_stack([energy, momentum])


def invariant_mass(p: FloatArray) -> FloatArray:
    """Mass (N,) of four-momenta (N, 4), MeV."""
    mass: FloatArray = np.sqrt(np.maximum(p[:, 0] ** 2 - (p[:, 1:] ** 2).sum(axis=1), 0.0))
    return mass


def break_up(mass: FloatArray, first: float | FloatArray, second: float | FloatArray) -> FloatArray:
    """Momentum of either daughter in the rest frame of a mother of `mass`, MeV; 0 where the decay cannot be."""
    total, difference = np.square(first + second), np.square(first - second)
    momentum: FloatArray = np.sqrt(np.maximum((mass**2 - total) * (mass**2 - difference), 0.0)) / (2 * mass)
    return momentum


def boosted(p: FloatArray, mother: FloatArray) -> FloatArray:
    """Four-momenta `p` (N, 4) of the rest frame of `mother` (N, 4), in the frame in which `mother` is given."""
    mass = invariant_mass(mother)
    gamma = mother[:, 0] / mass
    beta_gamma = mother[:, 1:] / mass[:, None]
    along = (p[:, 1:] * beta_gamma).sum(axis=1)
    energy = gamma * p[:, 0] + along
    momentum = p[:, 1:] + beta_gamma * (p[:, 0] + along / (gamma + 1))[:, None]
    return np.column_stack([energy, momentum])


def two_body(
    mother: FloatArray, first: float | FloatArray, second: float | FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Isotropic decays of `mother` (N, 4) to daughters of masses `first` and `second`, MeV: two (N, 4) arrays.

    Raises:
        FacsimError: a mother is lighter than its daughters together.
    """
    mass = invariant_mass(mother)
    if np.any(mass < np.asarray(first) + second - 1e-3):
        raise FacsimError("a decay needs a mother that is heavier than its daughters together.")
    momentum = break_up(mass, first, second)
    cosine, phi = rng.uniform(-1, 1, len(mass)), rng.uniform(-np.pi, np.pi, len(mass))
    sine = np.sqrt(1 - cosine**2)
    direction = np.stack([sine * np.cos(phi), sine * np.sin(phi), cosine], axis=1) * momentum[:, None]
    energies = [np.sqrt(momentum**2 + np.square(m)) for m in (first, second)]
    daughters = [np.column_stack([e, sign * direction]) for e, sign in zip(energies, (1, -1), strict=True)]
    return boosted(daughters[0], mother), boosted(daughters[1], mother)


def pair_masses(
    mother: float, third: float, first: float, second: float, n: int, rng: np.random.Generator
) -> FloatArray:
    """Masses (n,) of the pair `first`, `second` beside `third` in three-body phase space of `mother`, MeV.

    The density in the pair's mass is the product of both break-up momenta (Dalitz, Phil. Mag. 44 (1953) 1068).
    """
    low, high = first + second, mother - third
    grid = np.linspace(low, high, 2001)
    density = break_up(np.full_like(grid, mother), grid, third) * break_up(np.maximum(grid, 1e-6), first, second)
    rising = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))])
    return np.interp(rng.uniform(0, rising[-1], n), rising, grid)


def pseudorapidity(p: FloatArray) -> FloatArray:
    """Of four-momenta (N, 4): (N,)."""
    eta: FloatArray = np.arcsinh(p[:, 3] / np.hypot(p[:, 1], p[:, 2]))
    return eta


def momentum_of(p: FloatArray) -> FloatArray:
    """Size of the momentum, MeV, (N,)."""
    momentum: FloatArray = np.sqrt((p[:, 1:] ** 2).sum(axis=1))
    return momentum
