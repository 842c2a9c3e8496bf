"""Rings in the two RICH detectors of LHCb: angles, yields, and the likelihoods of particle hypotheses.

Constants are those of LHCb's RICH in Run 1 (arXiv 1211.6759): C4F10 and CF4 radiators, saturated angles 52.9 and 31.3
mrad, single-photon resolutions 1.62 and 0.68 mrad. Momenta are in MeV, angles in mrad, lengths in m.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MASSES = {"e": 0.51099895, "mu": 105.6583755, "pi": 139.57039, "k": 493.677, "p": 938.27209}
"""MeV, of the species that are told apart; in this order they are numbered."""
SPECIES = tuple(MASSES)
HYPOTHESES = ("e", "mu", "k", "p", "bt")
"""Of the five differences of log-likelihoods to the pion's; `bt` is a particle below threshold, without light."""
DECAY = {"k": 7.51, "pi": 55.9}
"""Mean decay length, m per GeV of momentum."""
TAIL_SHARE, TAIL_WIDTH = 0.10, 2.5
"""Share of photons with a wider error, and how much wider."""
_FAINT = 1e-9


@dataclass(frozen=True)
class Radiator:
    """One gas radiator.

    Args:
        n_minus_1: refractive index less one.
        acceptance: polar angles of tracks, mrad.
        sigma: single-photon resolution, mrad.
        photons: detected photons of a saturated ring.
        track: error of the track's direction and its part that goes with 1/p, mrad and mrad GeV.
        background: hits in the window for 100 tracks at eta 3.3.
        window: largest angle that is looked at, mrad.
        length: flight path to its middle, m. interactions: share of hadrons lost before it.
    """

    n_minus_1: float
    acceptance: tuple[float, float]
    sigma: float
    photons: float
    track: tuple[float, float]
    background: float
    window: float
    length: float
    interactions: float


RICH1 = Radiator(1.40e-3, (25.0, 300.0), 1.62, 27.0, (0.35, 1.5), 18.0, 62.0, 1.6, 0.02)
RICH2 = Radiator(4.9e-4, (15.0, 120.0), 0.68, 20.0, (0.20, 1.2), 9.0, 40.0, 10.5, 0.12)
RADIATORS = (RICH1, RICH2)


class Hits(NamedTuple):
    """Photon detector hits of many tracks in one radiator: Cherenkov angle (M,) mrad, and the track of each (M,)."""

    angle: FloatArray
    track: IntArray


def cherenkov_angle(momentum: FloatArray, mass: float | FloatArray, radiator: Radiator) -> FloatArray:
    """Angle of the light, mrad, 0 below threshold: cos(theta) = 1 / (n beta). `momentum` and `mass` in MeV."""
    inverse_beta = np.sqrt(1 + (mass / momentum) ** 2)
    cosine = inverse_beta / (1 + radiator.n_minus_1)
    return np.where(cosine < 1, 1e3 * np.arccos(np.minimum(cosine, 1.0)), 0.0)


def threshold(species: str, radiator: Radiator) -> float:
    """Least momentum at which a particle radiates, MeV: m / sqrt(n^2 - 1)."""
    return float(MASSES[species] / np.sqrt((1 + radiator.n_minus_1) ** 2 - 1))


def expected_photons(angle: FloatArray, radiator: Radiator) -> FloatArray:
    """Detected photons of a ring of that angle (mrad), from Frank and Tamm: proportional to sin^2 of the angle."""
    saturated = np.sqrt(1 - 1 / (1 + radiator.n_minus_1) ** 2)
    photons: FloatArray = radiator.photons * (np.sin(1e-3 * angle) / saturated) ** 2
    return photons


def direction_error(momentum: FloatArray, radiator: Radiator) -> FloatArray:
    """Common error of all photons of a track, mrad: its direction, and multiple scattering; momentum in MeV."""
    return np.hypot(radiator.track[0], radiator.track[1] / (1e-3 * momentum))


def expected_background(n_tracks: FloatArray, eta: FloatArray, radiator: Radiator) -> FloatArray:
    """Hits of other rings in the window of one track; their density rises with the angle."""
    return radiator.background * (n_tracks / 100.0) * np.exp(0.35 * (eta - 3.3))


def inside(eta: FloatArray, radiator: Radiator) -> NDArray[np.bool_]:
    """Whether tracks of pseudorapidity `eta` pass the radiator."""
    polar = 2e3 * np.arctan(np.exp(-eta))
    found: NDArray[np.bool_] = (polar >= radiator.acceptance[0]) & (polar < radiator.acceptance[1])
    return found


def log_likelihoods(
    hits: Hits, momentum: FloatArray, light: FloatArray, background: FloatArray, radiator: Radiator
) -> FloatArray:
    """Log-likelihood of every hypothesis of `SPECIES` and, last, of no light, up to a constant of the track: (N, 6).

    The extended likelihood of the hits of one track: -N_h + sum log(b(theta_i) + N_h G(theta_i - theta_h)), with N_h
    photons expected of hypothesis h and the density b of other hits; what all hypotheses share is left out.

    Args:
        hits: of the tracks, in order of tracks. momentum: MeV (N,).
        light: share of photons that the reconstruction expects (N,).
        background: hits of other rings that it expects in the window (N,).
        radiator: the radiator.
    """
    n = len(momentum)
    width = np.hypot(radiator.sigma, direction_error(momentum, radiator))
    density = np.maximum(background[hits.track], 1e-3) * 2 * hits.angle / radiator.window**2 + _FAINT
    found = np.zeros((n, len(SPECIES) + 1))
    scale = 1 / (np.sqrt(2 * np.pi) * width)
    for column, mass in enumerate(MASSES.values()):
        angle = cherenkov_angle(momentum, mass, radiator)
        expected = light * expected_photons(angle, radiator)
        pull = (hits.angle - angle[hits.track]) / width[hits.track]
        ring = (expected * scale)[hits.track] * np.exp(-0.5 * pull * pull)
        found[:, column] = np.bincount(hits.track, np.log1p(ring / density), n) - expected
    return found


def dlls(likelihoods: FloatArray) -> FloatArray:
    """Differences to the pion hypothesis, columns as `HYPOTHESES`, from log-likelihoods (N, 6) as above."""
    order = [SPECIES.index(name) if name in SPECIES else len(SPECIES) for name in HYPOTHESES]
    pion = likelihoods[:, SPECIES.index("pi")]
    return likelihoods[:, order] - pion[:, None]
