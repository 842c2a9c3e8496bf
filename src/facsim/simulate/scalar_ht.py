"""Scalar sum of the pT of jets, with the density of pile-up taken off them, as in Delphes."""

from __future__ import annotations

import numpy as np

from facsim.core.geometry import FloatArray
from facsim.physics.particles import Particles
from facsim.simulate.jet_clustering import cluster

RADIUS = 0.5
LEAST_PT = 20.0
LARGEST_ETA = 2.5
GRID = (5, 6)
"""Cells in eta and phi whose median is the density: as near to 1 x 1 as comes out even."""


def density(particles: Particles) -> FloatArray:
    """Median pT per unit of eta and phi in each event (E,), GeV (M. Cacciari, G. Salam, arXiv 0707.1378)."""
    rows, sectors = GRID
    inside = np.abs(particles.eta) < LARGEST_ETA
    part = particles[inside]
    row = np.minimum(((part.eta / LARGEST_ETA + 1) / 2 * rows).astype(np.int64), rows - 1)
    sector = ((part.phi / (2 * np.pi) + 0.5) % 1.0 * sectors).astype(np.int64) % sectors
    cell = (part.event * rows + row) * sectors + sector
    total = np.bincount(cell, part.pt, particles.events * rows * sectors).reshape(-1, rows * sectors)
    return np.asarray(np.median(total, axis=1) / (2 * LARGEST_ETA / rows * 2 * np.pi / sectors))


def scalar_ht(particles: Particles) -> FloatArray:
    """Sum (E,) of the pT of anti-kT jets above 20 GeV, GeV. Below |eta| = 2.5 the density of pile-up times the area
    pi R^2 is taken off each, R = 0.5.

    Raises:
        MissingExtraError: FastJet is not installed.
    """
    jets = cluster(particles, radius=RADIUS, least_pt=LEAST_PT)
    pt, eta, _ = jets.axis.T
    pile_up = density(particles)[jets.event] * np.pi * RADIUS**2
    pt = np.where(np.abs(eta) < LARGEST_ETA, pt - pile_up, pt)
    return np.bincount(jets.event, np.where(pt > LEAST_PT, pt, 0.0), particles.events).astype(np.float64)
