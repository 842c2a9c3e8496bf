"""GFlash baseline: showers from the Grindhammer-Peters parametrisation (hep-ex/0001020), on a read-out cylinder.

Nothing of the shower's shape is learned: the constants are the paper's. The training sample only calibrates the mean
response and, in a sampling calorimeter, the sampling resolution, which also sets the number of energy spots.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.events import EventSource
from facsim.core.rng import generator
from facsim.core.schema import Schema
from facsim.physics import gflash as gp
from facsim.physics.gflash import FloatArray
from facsim.simulate.baseline import spread_batches
from facsim.simulate.gflash_base import Parametrisation, conversion_depth, layer_fractions
from facsim.simulate.gflash_media import Readout

CALIBRATION_ROUNDS = 3


@dataclass(kw_only=True)
class GFlash(Parametrisation):
    """Parametrised electromagnetic showers; response and sampling resolution calibrated, nothing else fitted.

    The depth profile is a gamma distribution whose (ln T, ln alpha) fluctuate together; each layer's energy has the
    sampling fluctuation; it is shared by equal energy spots, Poisson in each cell with mean in closed form. Cells
    below the geometry's threshold are zero. Entry angle and position do not matter: the cylinder follows the particle.
    """

    name: ClassVar[str] = "gflash"

    response: float = field(init=False, default=1.0)
    resolution: float = field(init=False, default=0.1)

    @classmethod
    def calibrated(cls, schema: Schema, response: float, resolution: float, **options: Any) -> Self:
        """The parametrisation with a given calibration, without training events.

        Args:
            schema: of the showers to make.
            response: E_tot / E_inc of a shower that does not leak.
            resolution: a of the sampling resolution sigma / E = a / sqrt(E / GeV).
            options: fields of this class.
        """
        made = cls(**options)
        made._prepare(schema)
        made.response, made.resolution = response, resolution
        return made

    def _fit(self, train: EventSource, seed: int) -> None:
        self._prepare(train.schema)
        energy, ratio = energy_ratios(train, self.events)
        self._calibrate(energy, ratio, generator(seed, "baseline", self.name))

    def _calibrate(self, energy: FloatArray, ratio: FloatArray, rng: np.random.Generator) -> None:
        """Set response and resolution so that showers sampled at these energies have the truth's mean and width."""
        wanted = float(np.mean(ratio))
        if not wanted > 0:
            raise FacsimError("the training showers hold no energy: GFlash cannot be calibrated.")
        stochastic = _stochastic_term(energy, ratio / wanted)
        self.response = wanted
        self.resolution = max(stochastic, 0.01) if self._readout.medium.is_sampling else 0.0
        for _ in range(CALIBRATION_ROUNDS):
            sampled = np.concatenate([cells.sum(axis=1) for _, cells in self._parts(energy, rng)]) / energy
            mean = max(float(np.mean(sampled)), 1e-9)
            self.response *= wanted / mean
            if self._readout.medium.is_sampling:
                own = _stochastic_term(energy, sampled / mean)
                self.resolution = float(np.sqrt(max(self.resolution**2 + stochastic**2 - own**2, 1e-4)))

    def _shower(self, energy: FloatArray, rng: np.random.Generator) -> FloatArray:
        out, medium = self._readout, self._readout.medium
        shape = gp.longitudinal_parameters(energy, medium)
        t_max, alpha = gp.draw_longitudinal(shape, rng.standard_normal((len(energy), 2)))
        start = conversion_depth(len(energy), self.particle, rng)
        visible = self._fluctuate(
            self.response * energy[:, None] * layer_fractions(out.depths, start, t_max, alpha), rng
        )
        spots = gp.spot_count(energy, medium, self.resolution)[:, None]
        spots = spots * layer_fractions(out.depths, start, *gp.spot_profile(t_max, alpha, medium))
        depth = np.maximum(out.depths.mean(axis=1) - start[:, None], 0.0)
        tau = gp.shower_age(depth, t_max, alpha, shape.mean_ln_alpha)
        rings = gp.ring_fractions(out.edges, *gp.radial_parameters(energy, tau, medium))
        return share_spots(visible, spots, rings, out, rng)

    def _fluctuate(self, visible: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Layer energies (N, L) with the sampling fluctuation, gamma distributed of variance resolution^2 E GeV."""
        quantum = 1e3 * self.resolution**2 * self.response
        return rng.standard_gamma(visible / quantum) * quantum if quantum > 0 else visible


def share_spots(
    visible: FloatArray, spots: FloatArray, rings: FloatArray, out: Readout, rng: np.random.Generator
) -> FloatArray:
    """Cell energies (N, V): each layer's energy shared equally by its spots.

    Args:
        visible: (N, L) layer energies, MeV.
        spots: (N, L) mean number of spots.
        rings: (N, L, R) fraction of a layer in each ring; the rest lies outside the cylinder.
        out: the read-out.
        rng: generator.
    """
    count = rng.poisson(out.spread(spots[..., None] * rings))
    inside = np.add.reduceat(count, out.first_cell, axis=1)
    outside = rng.poisson(spots * np.maximum(1.0 - rings.sum(axis=2), 0.0))
    energy = visible / np.maximum(inside + outside, 1)
    return np.asarray(count * energy[:, out.cell_layer])


def energy_ratios(train: EventSource, events: int) -> tuple[FloatArray, FloatArray]:
    """Incident energy (MeV) and E_tot / E_inc of about `events` training events: two arrays (N,)."""
    energy, ratio = [], []
    for batch in spread_batches(train, events):
        energy.append(np.asarray(batch.condition("incident_energy"), np.float64))
        ratio.append(batch.cells.sum(axis=1, dtype=np.float64) / energy[-1])
    return np.concatenate(energy), np.concatenate(ratio)


def _stochastic_term(energy: FloatArray, ratio: FloatArray) -> float:
    """a of sigma / E = a / sqrt(E / GeV), pooled over energies (MeV); `ratio` has mean one, apart from a slope."""
    ln_e = np.log(energy)
    degree = min(2, len(np.unique(ln_e)) - 1)
    residual = ratio - np.polyval(np.polyfit(ln_e, ratio, degree), ln_e) if degree > 0 else ratio - ratio.mean()
    return float(np.sqrt(np.mean(residual**2 * energy / 1e3)))
