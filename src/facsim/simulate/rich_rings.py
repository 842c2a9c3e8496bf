"""Photons of tracks in both radiators, and what the ring likelihoods make of them."""

from __future__ import annotations

import numpy as np

from facsim.physics.rich import (
    DECAY,
    MASSES,
    RADIATORS,
    SPECIES,
    TAIL_SHARE,
    TAIL_WIDTH,
    FloatArray,
    Hits,
    IntArray,
    Radiator,
    cherenkov_angle,
    direction_error,
    dlls,
    expected_background,
    expected_photons,
    inside,
    log_likelihoods,
)
from facsim.simulate.rich_kinematics import Tracks

LIGHT = (6.0, 1.2)
"""Parameters of the beta distribution of the share of a ring that falls on detectors."""
MISMATCH = 0.02
"""Share of tracks whose ring is another particle's."""
KNOWN_LIGHT, KNOWN_BACKGROUND = 0.10, 0.25
"""How well the reconstruction knows the light and the background of a track."""
FLUCTUATION = 8.0
HADRONS = ("pi", "k", "p")


def simulate_dlls(tracks: Tracks, species: IntArray, rng: np.random.Generator) -> FloatArray:
    """The five differences of log-likelihoods, (N, 5) as `physics.rich.HYPOTHESES`.

    Rings have photons by Frank and Tamm, Poisson-distributed, on the part of the ring that falls on detectors, with a
    common error of the track and one of each photon with a tail. Light of other tracks is a background. Kaons and pions
    decay in flight, hadrons interact, and some tracks are matched to another particle.

    Args:
        tracks: momenta (MeV), pseudorapidities, tracks of the event. species: number in `SPECIES` (N,).
        rng: of all that fluctuates.
    """
    n = len(species)
    actual = np.where(rng.uniform(size=n) < MISMATCH, SPECIES.index("pi"), species)
    decay = _decay_length(actual, tracks.momentum, rng)
    interaction = rng.uniform(size=n)
    hadron = np.isin(actual, [SPECIES.index(name) for name in HADRONS])
    found = np.zeros((n, len(SPECIES) + 1))
    for radiator in RADIATORS:
        rows = np.flatnonzero(inside(tracks.eta, radiator))
        lost = (decay < radiator.length) | (hadron & (interaction < radiator.interactions))
        part = Tracks(*(column[rows] for column in tracks))
        found[rows] += _radiator(part, actual[rows], lost[rows], radiator, rng)
    return dlls(found)


def _radiator(
    tracks: Tracks, species: IntArray, lost: np.ndarray, radiator: Radiator, rng: np.random.Generator
) -> FloatArray:
    n = len(species)
    share = rng.beta(*LIGHT, n) * np.maximum(rng.normal(1, 0.15, n), 0.0)
    angle = cherenkov_angle(tracks.momentum, np.array(list(MASSES.values()))[species], radiator)
    photons = np.where(lost, 0.0, share * expected_photons(angle, radiator))
    level = expected_background(tracks.n_tracks, tracks.eta, radiator)
    ring, other = rng.poisson(photons), rng.poisson(level * rng.gamma(FLUCTUATION, 1 / FLUCTUATION, n))
    hits = _hits(angle, ring, other, direction_error(tracks.momentum, radiator), radiator, rng)
    light = share * rng.lognormal(0, KNOWN_LIGHT, n)
    return log_likelihoods(hits, tracks.momentum, light, level * rng.lognormal(0, KNOWN_BACKGROUND, n), radiator)


def _hits(
    angle: FloatArray, ring: IntArray, other: IntArray, common: FloatArray, radiator: Radiator, rng: np.random.Generator
) -> Hits:
    """Hits of rings and of other light inside of the window."""
    n = len(ring)
    own, foreign = np.repeat(np.arange(n), ring), np.repeat(np.arange(n), other)
    width = radiator.sigma * np.where(rng.uniform(size=len(own)) < TAIL_SHARE, TAIL_WIDTH, 1.0)
    centre = angle + rng.normal(0, 1, n) * common
    signal = centre[own] + width * rng.normal(0, 1, len(own))
    background = radiator.window * np.sqrt(rng.uniform(size=len(foreign)))
    angles, track = np.concatenate([signal, background]), np.concatenate([own, foreign])
    seen = (angles > 0) & (angles < radiator.window)
    return Hits(angles[seen], track[seen])


def _decay_length(species: IntArray, momentum: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Where each track decays, m; infinite for those that do not."""
    mean = np.full(len(SPECIES), np.inf)
    for name, length in DECAY.items():
        mean[SPECIES.index(name)] = length
    path: FloatArray = rng.exponential(1.0, len(species)) * mean[species] * 1e-3 * momentum
    return path
