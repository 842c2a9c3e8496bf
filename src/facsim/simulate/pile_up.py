"""Collisions laid over events: a library of them, drawn again and again and turned about the beam, as in Delphes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from facsim.core.geometry import FloatArray, IntArray
from facsim.physics.particles import Particles, merged
from facsim.simulate.pythia_events import EVENTS_AT_ONCE, Pythia

SOFT = ("SoftQCD:all = on", "Tune:pp = 5")
"""As in Delphes' examples, elastic collisions included, which nothing is seen of."""


@dataclass(frozen=True)
class Overlaid:
    """Particles of collisions over events, and the place of each one's collision (N,) among those that were drawn."""

    particles: Particles
    collision: IntArray


@lru_cache(maxsize=2)
def library(collisions: int, energy: float, largest_eta: float, seed: int) -> Particles:
    """Visible particles of so many inelastic collisions below |eta| = `largest_eta`.

    Raises:
        FacsimError, MissingExtraError: as `Pythia`.
    """
    pythia = Pythia((f"Beams:eCM = {energy:g}", *SOFT), seed)
    parts = []
    for first in range(0, collisions, EVENTS_AT_ONCE):
        made = pythia.next(min(EVENTS_AT_ONCE, collisions - first))
        near = made[(np.abs(made.eta) < largest_eta) & (made.pt > 0)]
        parts.append(Particles(collisions, near.event + first, near.pdg, near.momentum))
    return merged(collisions, parts)


def overlay(source: Particles, numbers: IntArray, rng: np.random.Generator) -> Overlaid:
    """`numbers` (E,) collisions of the library `source` over each of E events, each turned by an angle of its own."""
    total = int(numbers.sum())
    drawn, angle = rng.integers(0, source.events, total), rng.uniform(0, 2 * np.pi, total)
    starts = source.starts
    count = np.diff(starts)[drawn]
    collision = np.repeat(np.arange(total), count)
    place = np.arange(len(collision)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(starts[drawn], count)
    event = np.repeat(np.arange(len(numbers)), numbers)[collision]
    momentum = _turned(source.momentum[place], angle[collision])
    return Overlaid(Particles(len(numbers), event.astype(np.int64), source.pdg[place], momentum), collision)


def _turned(momentum: FloatArray, angle: FloatArray) -> FloatArray:
    cosine, sine = np.cos(angle), np.sin(angle)
    x, y = momentum[:, 0], momentum[:, 1]
    return np.column_stack([cosine * x - sine * y, sine * x + cosine * y, momentum[:, 2:]])
