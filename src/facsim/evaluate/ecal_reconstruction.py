"""Particles at the calorimeter answered by a shower simulator, put on the cell map and reconstructed.

A responder is a truth simulator or a surrogate: `(cond (N, K), rng) -> cells (N, V) or (N, V, 1)`, the energies (MeV)
of a square window of fine cells, row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.core.schema import Feature
from facsim.physics.ecal_calibration import Calibration, Photons, fit_calibration
from facsim.physics.ecal_clusters import Clusters, find_clusters
from facsim.physics.ecal_event import Hits, Particles, merge_windows, place_windows, summed
from facsim.physics.ecal_map import CellMap, FloatArray
from facsim.physics.ecal_photons import Pions, match, pair_mass, single_photons

Responder = Callable[[NDArray[Any], np.random.Generator], NDArray[Any]]
Done = Callable[[float], None]

AT_ONCE = 500
UNITS = {"": 1.0, "MeV": 1.0, "GeV": 1e-3, "mm": 1.0, "cm": 0.1, "m": 1e-3, "cells": 1 / 20.2, "rad": 1.0}


@dataclass(frozen=True)
class Local:
    """How particles become the conditions of a responder.

    Args:
        conditions: the responder's columns: momentum `px`, `py`, `pz`, point of impact `x`, `y` seen from the middle of
        the
            window, and `pdg`, in the units they say.
        place: the map. size: fine cells of a window's side.
    """

    conditions: Sequence[Feature]
    place: CellMap
    size: int

    def __call__(self, particles: Particles) -> FloatArray:
        """Conditions (N, K).

        Raises:
            FacsimError: a condition that is not known here.
        """
        local = place_windows(particles.point, self.size, self.place).local
        known = {
            **dict(zip(("px", "py", "pz"), particles.momentum.T, strict=True)),
            **dict(zip(("x", "y"), local.T, strict=True)),
            "pdg": particles.pdg.astype(np.float64),
        }
        unknown = [f.name for f in self.conditions if f.name not in known or f.unit not in UNITS]
        if unknown:
            raise FacsimError(f"the calorimeter's showers have the conditions {unknown}; known are {sorted(known)}.")
        return np.stack([known[f.name] * UNITS[f.unit] for f in self.conditions], axis=1)


def respond(
    particles: Particles, responder: Responder, local: Local, seed: int, branch: str, done: Done | None = None
) -> Hits:
    """Energies in the cells of the whole calorimeter, overlaps of showers added up.

    Particles are answered `AT_ONCE` at a time with random numbers of the branch `branch` of `seed`, so that the same
    seed gives the same events.

    Raises:
        FacsimError: the responder gives other windows than `local` says.
    """
    parts = []
    for first in range(0, len(particles), AT_ONCE):
        some = particles[first : first + AT_ONCE]
        cells = np.asarray(responder(local(some), generator(seed, "ecal", branch, first)))
        cells = cells.reshape(len(cells), -1)
        if cells.shape != (len(some), local.size**2):
            raise FacsimError(
                f"the shower simulator gave cells of shape {cells.shape}; expected {(len(some), local.size**2)}."
            )
        parts.append(merge_windows(cells, place_windows(some.point, local.size, local.place), some.event, local.place))
        if done is not None:
            done(min(1.0, (first + AT_ONCE) / len(particles)))
    if not parts:
        return Hits(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    event, cell, energy = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("event", "cell", "energy")
    )
    return summed(event, cell, energy, local.place)


def calibrated(
    responder: Responder, local: Local, n: int, energy: tuple[float, float], seed: int, done: Done | None = None
) -> Calibration:
    """Corrections of clusters from `n` single photons of the truth; their seeds are used for nothing else."""
    photons = single_photons(n, energy, local.place, generator(seed, "ecal", "calibration"))
    clusters = largest(find_clusters(respond(photons, responder, local, seed, "calibration", done), local.place))
    return fit_calibration(clusters, photons.energy[clusters.event], photons.point[clusters.event], local.place)


def largest(clusters: Clusters) -> Clusters:
    """The most energetic cluster of each event."""
    order = np.lexsort((-clusters.energy, clusters.event))
    _, where = np.unique(clusters.event[order], return_index=True)
    kept = order[where]
    return Clusters(*(getattr(clusters, name)[kept] for name in ("event", "seed", "energy", "point", "cells")))


@dataclass(frozen=True)
class SingleSeen:
    """Single photons as reconstructed, NaN where none was found: `response` (N,), energy over the true one, `apart` (N,
    2) mm, from the true point, `clusters` (N,), how many there are in the event."""

    response: FloatArray
    apart: FloatArray
    clusters: FloatArray


def see_photons(photons: Particles, found: Photons, place: CellMap) -> SingleSeen:
    """What was reconstructed of single photons, one an event, events numbered from 0."""
    matched = match(photons, found, place)
    seen = matched >= 0
    response = np.full(len(photons), np.nan)
    apart = np.full((len(photons), 2), np.nan)
    response[seen] = found.energy[matched[seen]] / photons.energy[seen]
    apart[seen] = found.point[matched[seen]] - photons.point[seen]
    return SingleSeen(response, apart, np.bincount(found.event, minlength=len(photons)).astype(np.float64))


@dataclass(frozen=True)
class PionsSeen:
    """Pions as reconstructed: `mass` (N,) MeV, NaN where the photons are not two clusters, `merged` (N,), 1 where both
    photons belong to one cluster, and `resolved` (N,), 1 where they belong to two; neither where one was not found."""

    mass: FloatArray
    merged: FloatArray
    resolved: FloatArray


def see_pions(pions: Pions, found: Photons, place: CellMap) -> PionsSeen:
    """What was reconstructed of pions, one an event, events numbered from 0."""
    pair = match(pions.photons, found, place).reshape(-1, 2)
    both = (pair >= 0).all(axis=1)
    resolved = both & (pair[:, 0] != pair[:, 1])
    mass = np.full(len(pions), np.nan)
    mass[resolved] = pair_mass(found, pair[resolved, 0], pair[resolved, 1], place)
    merged = both & ~resolved
    return PionsSeen(mass, merged.astype(np.float64), resolved.astype(np.float64))
