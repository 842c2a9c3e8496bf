"""What `gflash-tuned` measures of showers, training ones and its own alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.events import Events
from facsim.physics.gflash import FloatArray
from facsim.simulate.gflash_media import Readout
from facsim.simulate.spots import SpotSpectrum

LOW_OCCUPANCY = (0.03, 0.1, 0.3, 1.0)
ENOUGH_HITS = 500
MINIMUM_ALPHA = 1.15
MINIMUM_T = 0.3


@dataclass(frozen=True)
class ShowerSums:
    """Sums of showers.

    Args:
        energy: (N,) incident, MeV.
        rings: (N, L, R) ring sums, MeV.
        hits: (L,) mean number of cells with energy in each layer.
    """

    energy: FloatArray
    rings: FloatArray
    hits: FloatArray

    @classmethod
    def of(cls, batches: Iterable[Events], out: Readout) -> ShowerSums:
        """Sums of showers read in batches; showers without any energy are left out."""
        energies = ((np.asarray(batch.condition("incident_energy"), np.float64), batch.cells) for batch in batches)
        return cls.joined([cls.measure(energy, cells, out) for energy, cells in energies])

    @classmethod
    def joined(cls, parts: Sequence[ShowerSums]) -> ShowerSums:
        """Sums of all the showers of `parts`."""
        number = np.array([len(part.energy) for part in parts], np.float64)
        hits = number @ np.array([part.hits for part in parts]) / max(number.sum(), 1.0)
        return cls(np.concatenate([p.energy for p in parts]), np.concatenate([p.rings for p in parts]), hits)

    @classmethod
    def measure(cls, energy: FloatArray, cells: NDArray[np.float32], out: Readout) -> ShowerSums:
        """Sums of showers `cells` (N, V) of incident `energy` (N,)."""
        lit = cells.any(axis=1)
        energy, cells = energy[lit], cells[lit]
        row, cell = np.nonzero(cells)
        hits = np.bincount(out.cell_layer[cell], minlength=len(out.depths)) / max(len(cells), 1)
        shape = (len(cells), *out.edges[:, 1:].shape)
        place = row * (shape[1] * shape[2]) + out.cell_ring[cell]
        rings = np.bincount(place, cells[row, cell], minlength=int(np.prod(shape)))
        return cls(energy, rings.reshape(shape), hits)

    @property
    def layers(self) -> FloatArray:
        """Layer energies (N, L), MeV."""
        return np.asarray(self.rings.sum(axis=2))

    def log_depth(self, depths: FloatArray) -> FloatArray:
        """ln T and ln alpha of the gamma profile with each shower's mean and variance of depth: (2, N).

        Args:
            depths: (L, 2) front and back of each layer, X0.
        """
        centre, layers = depths.mean(axis=1), self.layers
        total = layers.sum(axis=1)
        mean = layers @ centre / total
        variance = np.maximum(layers @ centre**2 / total - mean**2, 1e-3)
        alpha = np.maximum(mean**2 / variance, MINIMUM_ALPHA)
        t_max = np.maximum((alpha - 1.0) * variance / mean, MINIMUM_T)
        return np.log([t_max, alpha])

    def depth_bins(self, depths: FloatArray, number: int) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """How ln T and ln alpha are distributed in bins of incident energy.

        Returns:
            Mean ln E (B,); medians (B, 2); half widths of the central 68 % (B, 2); correlations (B,).
        """
        parts = self.bins(number)
        ln_e, values = np.log(self.energy), self.log_depth(depths)
        medians, widths, correlations = [], [], []
        for part in parts:
            inside = values[:, part]
            if np.ptp(ln_e[part]) > 0:
                slope = np.polyfit(ln_e[part], inside.T, 1)[0]
                inside = inside - slope[:, None] * (ln_e[part] - ln_e[part].mean())
            low, middle, high = np.quantile(inside, [0.16, 0.5, 0.84], axis=1)
            medians.append(middle)
            widths.append(np.maximum(0.5 * (high - low), 1e-3))
            clipped = np.clip((inside - middle[:, None]) / widths[-1][:, None], -3.0, 3.0)
            correlations.append(np.mean(clipped[0] * clipped[1]) / np.sqrt(np.prod(np.mean(clipped**2, axis=1)) + 1e-9))
        return (
            np.array([ln_e[part].mean() for part in parts]),
            np.array(medians),
            np.array(widths),
            np.array(correlations),
        )

    def bins(self, number: int) -> list[NDArray[np.int64]]:
        """The showers in `number` bins of incident energy of about equal size."""
        return [part for part in np.array_split(np.argsort(self.energy, kind="stable"), number) if len(part)]


def measure_spots(batches: Iterable[Events], out: Readout) -> SpotSpectrum:
    """Spectrum of single spots: cells with energy in rings where so few cells have any that two spots rarely meet.

    The innermost ring is left out where there are others, for its cells see the primary particle itself.
    """
    energies, occupancies = [], []
    n_rings = out.edges.shape[1] - 1
    for batch in batches:
        row, cell = np.nonzero(batch.cells)
        counts = np.zeros((len(batch), n_rings * len(out.depths)))
        ring = out.cell_ring[cell]
        np.add.at(counts, (row, ring), 1.0)
        ln_e = np.log(np.asarray(batch.condition("incident_energy"), np.float64))
        half = ln_e > np.median(ln_e)
        per_ring = np.bincount(out.cell_ring, minlength=counts.shape[1])
        occupancy = np.zeros_like(counts)
        for part in (half, ~half):
            if part.any():
                occupancy[part] = counts[part].mean(axis=0) / np.maximum(per_ring, 1)
        outer = (ring % n_rings > 0) if n_rings > 1 else np.ones(len(ring), bool)
        energies.append(batch.cells[row, cell][outer])
        occupancies.append(occupancy[row, ring][outer])
    energy, occupied = np.concatenate(energies).astype(np.float64), np.concatenate(occupancies)
    for limit in LOW_OCCUPANCY:
        chosen = energy[occupied <= limit]
        if len(chosen) >= ENOUGH_HITS:
            break
    if not len(chosen):
        raise FacsimError("no cell outside the innermost ring has any energy: GFlash cannot be fitted to such showers.")
    return SpotSpectrum.of(chosen)
