"""Energies that a charged particle hands over in single collisions with the gas of a TPC.

The photoabsorption ionisation model: Allison and Cobb, Ann. Rev. Nucl. Part. Sci. 30 (1980) 253, equation 28, with the
limit of the energy that an electron can take. It gives the number of collisions and their energies without a free
parameter, and with them the fluctuations of the energy loss, its tail, the relativistic rise and the plateau.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from facsim.physics.photoabsorption import mixture

FloatArray = NDArray[np.float64]

ELECTRON_MASS = 510_998.95
FINE_STRUCTURE = 1 / 137.035999
HBAR_C = 1.973269804e-5
"""eV cm."""
DENSITY = 2.68678e19 * 273.15 / 293.0
"""Atoms and molecules in a cm^3 at 293 K and one atmosphere."""
LOWEST, HIGHEST = 12.6, 1e6
"""Range of energies of a collision, eV."""
CELLS = 1500
SLOWEST, FASTEST, SPEEDS = 0.05, 1000.0, 56
"""Range and number of values of beta gamma in a table."""
PION_MASS = 139.57e6


def energy_edges() -> FloatArray:
    """Edges of the cells of energy, eV, shape (1501,)."""
    return np.geomspace(LOWEST, HIGHEST, CELLS + 1)


@lru_cache(maxsize=1)
def _medium() -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Energies (eV), cross-section (cm^2), and the two parts of the dielectric constant, the first less one."""
    edges = energy_edges()
    energy, sigma = np.sqrt(edges[1:] * edges[:-1]), mixture(edges)
    lossy = DENSITY * HBAR_C * sigma / energy
    low, high, at = edges[None, :-1] ** 2, edges[None, 1:] ** 2, energy[:, None] ** 2
    real = (np.log(np.abs((high - at) / (low - at))) @ lossy) / np.pi
    return energy, sigma, real, lossy


def collision_spectrum(beta_gamma: float, mass: float = PION_MASS) -> FloatArray:
    """Collisions per cm and eV in each cell of `energy_edges`, shape (1500,).

    `mass` in eV, of the particle, which limits the energy that it can hand over.
    """
    energy, sigma, real, lossy = _medium()
    edges = energy_edges()
    beta2, gamma = beta_gamma**2 / (1 + beta_gamma**2), np.hypot(1, beta_gamma)
    ratio = ELECTRON_MASS / mass
    most = 2 * ELECTRON_MASS * beta_gamma**2 / (1 + 2 * gamma * ratio + ratio**2)
    screened = 1 - beta2 * (1 + real)
    log = np.log(2 * ELECTRON_MASS * beta2 / energy) - 0.5 * np.log(screened**2 + (beta2 * lossy) ** 2)
    absorbed = DENSITY * sigma / energy * log
    angle = np.arctan2(beta2 * lossy, screened)
    radiated = (beta2 - (1 + real) / ((1 + real) ** 2 + lossy**2)) * angle / HBAR_C
    part = sigma * np.diff(edges)
    knocked = DENSITY * (np.cumsum(part) - 0.5 * part) / energy**2 * np.maximum(1 - beta2 * energy / most, 0)
    total = FINE_STRUCTURE / (np.pi * beta2) * (absorbed + radiated + knocked)
    return np.where(energy < most, np.maximum(total, 0), 0)


class TransferTable:
    """Collisions per cm, and quantiles of their energies, at tabulated values of beta gamma.

    Args:
        intervals: of equal probability; energies between two quantiles are interpolated in the logarithm.
        highest: end of the last interval, eV; None for the model's own, in which case the tail is continuous when
            there are many intervals. MPD's simulation reads such a table: what falls into its last interval is spread
            evenly in the logarithm up to the end, far above 1 / E^2.
        mass: of the particle, eV.
    """

    def __init__(self, intervals: int, highest: float | None = None, mass: float = PION_MASS) -> None:
        self.intervals = intervals
        self.log_speed = np.log(np.geomspace(SLOWEST, FASTEST, SPEEDS))
        edges = np.log(energy_edges())
        probability = np.arange(intervals + 1) / intervals
        density, quantiles = [], []
        for speed in np.exp(self.log_speed):
            cumulative = np.concatenate([[0.0], np.cumsum(collision_spectrum(speed, mass) * np.diff(np.exp(edges)))])
            density.append(cumulative[-1])
            last = np.searchsorted(cumulative, cumulative[-1])
            quantiles.append(np.interp(probability, cumulative[: last + 1] / cumulative[-1], edges[: last + 1]))
        self.density, self.quantiles = np.asarray(density), np.asarray(quantiles)
        if highest is not None:
            self.quantiles[:, -1] = np.maximum(np.log(highest), self.quantiles[:, -2])

    def collisions(self, beta_gamma: FloatArray) -> FloatArray:
        """Mean number of collisions per cm, shape as `beta_gamma`."""
        return np.asarray(np.interp(np.log(beta_gamma), self.log_speed, self.density))

    def energies(self, beta_gamma: FloatArray, rng: np.random.Generator) -> FloatArray:
        """An energy (eV) of a collision for each value of beta gamma, shape (n,)."""
        step = self.log_speed[1] - self.log_speed[0]
        place = np.clip((np.log(beta_gamma) - self.log_speed[0]) / step, 0, SPEEDS - 1)
        speed = np.minimum((place + rng.random(len(place))).astype(np.int64), SPEEDS - 1)
        at = rng.random(len(place)) * self.intervals
        lower = at.astype(np.int64)
        flat, first = self.quantiles.ravel(), speed * (self.intervals + 1) + lower
        start = flat[first]
        return np.asarray(np.exp(start + (at - lower) * (flat[first + 1] - start)))


@lru_cache(maxsize=8)
def transfer_table(intervals: int, highest: float | None, mass: float) -> TransferTable:
    """The table of these arguments, made once."""
    return TransferTable(intervals, highest, mass)
