"""Photons to reconstruct: single ones, and pairs from neutral pions; what clusters say of them.

Everything starts at the interaction point. Energies in MeV, lengths in mm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.physics.ecal_calibration import Photons
from facsim.physics.ecal_event import Particles, accepted, at_face
from facsim.physics.ecal_map import CellMap, FloatArray, IntArray

PION_MASS = 134.9768
PHOTON = 22
ROUNDS = 200
REACH = 2.0
"""A cluster belongs to a particle whose point of impact is within so many widths of its seed."""


def scattered_points(n: int, place: CellMap, rng: np.random.Generator) -> FloatArray:
    """Points (n, 2) on the face, as many in each zone, anywhere inside of its cells."""
    zone = rng.integers(0, len(place.zones), n)
    counts = np.bincount(place.zone)
    cell = (np.cumsum(counts) - counts)[zone] + (rng.random(n) * counts[zone]).astype(np.int64)
    return np.asarray(place.centres[cell] + (rng.random((n, 2)) - 0.5) * place.size[cell, None])


def towards(point: FloatArray, momentum: FloatArray, place: CellMap) -> FloatArray:
    """Momenta (n, 3) of size `momentum` (n,) from the interaction point to points (n, 2) of the face."""
    there = np.column_stack([point, np.full(len(point), place.z)])
    return np.asarray(there * (momentum / np.linalg.norm(there, axis=1))[:, None])


def single_photons(n: int, energy: tuple[float, float], place: CellMap, rng: np.random.Generator) -> Particles:
    """`n` events of one photon, uniform in ln E between the two energies (MeV), as many in each zone."""
    size = np.exp(rng.uniform(np.log(energy[0]), np.log(energy[1]), n))
    point = scattered_points(n, place, rng)
    return Particles(np.arange(n), np.full(n, PHOTON), towards(point, size, place), point)


@dataclass(frozen=True)
class Pions:
    """Decayed neutral pions: `photons`, two of each in a row, event by event, and the pions' `energy` and `pt` (N,)."""

    photons: Particles
    energy: FloatArray
    pt: FloatArray

    def __len__(self) -> int:
        return len(self.energy)


def pion_gun(
    n: int, energy: tuple[float, float], photon: tuple[float, float], place: CellMap, rng: np.random.Generator
) -> Pions:
    """`n` neutral pions, uniform in ln E between the two energies (MeV), whose photons both hit a cell and have
    energies in the range `photon` (MeV); pions that do not fulfil it are drawn again.

    Raises:
        FacsimError: hardly any do.
    """
    parts: list[Pions] = []
    for _ in range(ROUNDS):
        parts.append(_decayed(2 * n, energy, photon, place, rng))
        if sum(map(len, parts)) >= n:
            break
    else:
        raise FacsimError(
            f"fewer than one in {2 * ROUNDS} pions of {energy[0] / 1e3:g} to {energy[1] / 1e3:g} GeV has both photons "
            f"in the calorimeter with {photon[0] / 1e3:g} to {photon[1] / 1e3:g} GeV: choose energies that go together."
        )
    momentum, point = (
        np.concatenate([getattr(part.photons, name) for part in parts])[: 2 * n] for name in ("momentum", "point")
    )
    size, pt = (np.concatenate([getattr(part, name) for part in parts])[:n] for name in ("energy", "pt"))
    event = np.repeat(np.arange(n), 2)
    return Pions(Particles(event, np.full(2 * n, PHOTON), momentum, point), size, pt)


def _decayed(
    n: int, energy: tuple[float, float], photon: tuple[float, float], place: CellMap, rng: np.random.Generator
) -> Pions:
    """Of `n` pions those that are accepted."""
    total = np.exp(rng.uniform(np.log(energy[0]), np.log(energy[1]), n))
    momentum = towards(scattered_points(n, place, rng), np.sqrt(total**2 - PION_MASS**2), place)
    pair = two_photons(momentum, rng)
    event = np.repeat(np.arange(n), 2)
    flat = pair.reshape(-1, 3)
    forward = flat[:, 2] > 0
    safe = np.where(forward[:, None], flat, (0.0, 0.0, 1.0))
    photons = at_face(event, np.full(2 * n, PHOTON), safe, np.zeros((2 * n, 3)), place)
    both = (accepted(photons, place, photon) & forward).reshape(n, 2).all(axis=1)
    pt = np.hypot(momentum[:, 0], momentum[:, 1])
    return Pions(photons[np.repeat(both, 2)], total[both], pt[both])


def two_photons(momentum: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Momenta (N, 2, 3) of the photons of pions of momenta (N, 3), which decay isotropically at rest."""
    cosine, phi = rng.uniform(-1, 1, len(momentum)), rng.uniform(0, 2 * np.pi, len(momentum))
    sine = np.sqrt(1 - cosine**2)
    rest = 0.5 * PION_MASS * np.stack([sine * np.cos(phi), sine * np.sin(phi), cosine], axis=1)
    return np.stack([boosted(sign * rest, momentum, PION_MASS) for sign in (1, -1)], axis=1)


def boosted(light: FloatArray, momentum: FloatArray, mass: float) -> FloatArray:
    """Momenta (N, 3) of massless particles given at rest of a body of `mass` that flies with `momentum` (N, 3)."""
    energy = np.sqrt(mass**2 + np.sum(momentum**2, axis=1))
    along = np.sum(light * momentum, axis=1)
    size = np.linalg.norm(light, axis=1)
    return np.asarray(light + momentum * (along / (energy + mass) + size)[:, None] / mass)


def match(particles: Particles, found: Photons, place: CellMap) -> IntArray:
    """Nearest candidate of the same event within `REACH` widths of its seed, for each particle (N,); -1 for none."""
    first = np.searchsorted(found.event, particles.event)
    count = np.searchsorted(found.event, particles.event, side="right") - first
    particle = np.repeat(np.arange(len(particles)), count)
    candidate = np.arange(len(particle)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
    apart = np.linalg.norm(found.point[candidate] - particles.point[particle], axis=1)
    near = apart <= REACH * place.size[found.seed[candidate]]
    particle, candidate, apart = particle[near], candidate[near], apart[near]
    order = np.lexsort((apart, particle))
    nearest, where = np.unique(particle[order], return_index=True)
    matched = np.full(len(particles), -1, dtype=np.int64)
    matched[nearest] = candidate[order][where]
    return matched


def pair_mass(found: Photons, first: IntArray, second: IntArray, place: CellMap) -> FloatArray:
    """Mass (MeV) of pairs of candidates, taken as photons from the interaction point."""
    there = np.column_stack([found.point, np.full(len(found), place.z)])
    unit = there / np.linalg.norm(there, axis=1, keepdims=True)
    # twice the square of the half angle's sine, which loses no digits at small angles
    opening = np.sum((unit[first] - unit[second]) ** 2, axis=1)
    return np.asarray(np.sqrt(found.energy[first] * found.energy[second] * opening))


def all_pairs(found: Photons, transverse: float, place: CellMap) -> tuple[IntArray, IntArray]:
    """Pairs of candidates of the same event, each of at least `transverse` MeV of transverse energy."""
    radius = np.linalg.norm(found.point, axis=1)
    kept = np.flatnonzero(found.energy * radius / np.hypot(radius, place.z) >= transverse)
    event = found.event[kept]
    last = np.searchsorted(event, event, side="right")
    count = last - np.arange(len(kept)) - 1
    first: NDArray[np.int64] = np.repeat(np.arange(len(kept)), count)
    second = first + 1 + np.arange(len(first)) - np.repeat(np.cumsum(count) - count, count)
    return kept[first], kept[second]
