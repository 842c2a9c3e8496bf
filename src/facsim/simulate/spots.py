"""Energy spots: what single particles leave in a cell, and sums of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facsim.physics.gflash import FloatArray

QUANTILES = 1025
ONE_BY_ONE = 30
"""Sums of more spots than this are drawn from a gamma distribution of the same mean and variance."""


@dataclass(frozen=True)
class SpotSpectrum:
    """Spectrum of the energy of one spot.

    Args:
        mean: mean energy, MeV.
        table: equidistant quantiles of energy / mean, from the smallest to the largest.
    """

    mean: float
    table: FloatArray

    @classmethod
    def of(cls, energies: FloatArray) -> SpotSpectrum:
        """Spectrum of measured single spots (MeV); the highest thousandth is cut, where few events decide."""
        table = np.quantile(energies, np.linspace(0.0, 1.0, QUANTILES))
        table[-1] = table[-2]
        middle = 0.5 * (table[1:] + table[:-1])
        return cls(float(middle.mean()), table / middle.mean())

    def sums(self, counts: NDArray[np.int64], rng: np.random.Generator) -> FloatArray:
        """Sum of `counts` (M,) spots each, in units of the mean: (M,)."""
        total = np.zeros(len(counts))
        few = (counts > 0) & (counts <= ONE_BY_ONE)
        number = counts[few]
        place = rng.random(int(number.sum())) * (len(self.table) - 1)
        left = place.astype(np.int64)
        spots = self.table[left] + (place - left) * (self.table[left + 1] - self.table[left])
        if len(spots):
            total[few] = np.add.reduceat(spots, np.concatenate([[0], np.cumsum(number)[:-1]]))
        many = counts > ONE_BY_ONE
        variance = max(self.variance, 1e-6)
        total[many] = rng.standard_gamma(counts[many] / variance) * variance
        return total

    @property
    def variance(self) -> float:
        """Variance of energy / mean, of the spectrum that is linear between the quantiles."""
        low, high = self.table[:-1], self.table[1:]
        return float(np.mean((low**2 + low * high + high**2) / 3.0) - 1.0)
