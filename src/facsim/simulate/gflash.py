"""GFlash baseline: showers from the Grindhammer-Peters parametrisation (hep-ex/0001020), on a read-out cylinder.

Nothing of the shower's shape is learned: the constants are the paper's. The training sample only calibrates the mean
response and, in a sampling calorimeter, the sampling resolution, which also sets the number of energy spots.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.events import EventSource, chunks
from facsim.core.rng import generator
from facsim.core.schema import Schema
from facsim.core.sources import batch_rows
from facsim.physics import gflash as gp
from facsim.physics.gflash import FloatArray
from facsim.simulate.baseline import Baseline, Sampled, checked_conditions, cylinder
from facsim.simulate.gflash_media import Depths, Period, Readout, readout

ELECTROMAGNETIC = ("electron", "positron", "photon", "gamma", "e-", "e+")
CHUNK = 100
CALIBRATION_ROUNDS = 3


def layer_fractions(depths: FloatArray, start: FloatArray, t_max: FloatArray, alpha: FloatArray) -> FloatArray:
    """Fraction of the gamma profile in each layer, (N, L), in closed form.

    Args:
        depths: (L, 2) front and back, X0.
        start: (N,) depth where the shower starts, X0.
        t_max: (N,) depth of the maximum from there, X0.
        alpha: (N,) shape.
    """
    from scipy.special import gammainc  # noqa: PLC0415 - not needed to import facsim

    beta = ((alpha - 1.0) / t_max)[:, None]
    at = [gammainc(alpha[:, None], beta * np.maximum(depths[:, side] - start[:, None], 0.0)) for side in (0, 1)]
    return np.asarray(at[1] - at[0])


def conversion_depth(energy: FloatArray, is_photon: bool, rng: np.random.Generator) -> FloatArray:
    """Depth where showers start, (N,) X0: photons convert after an exponential of mean 9/7, electrons at once."""
    return rng.exponential(9.0 / 7.0, len(energy)) if is_photon else np.zeros(len(energy))


@dataclass(kw_only=True)
class GFlash(Baseline):
    """Parametrised electromagnetic showers; response and sampling resolution calibrated, nothing else fitted.

    The depth profile is a gamma distribution whose (ln T, ln alpha) fluctuate together; each layer's energy has the
    sampling fluctuation; it is shared by equal energy spots, Poisson in each cell with mean in closed form. Cells
    below the geometry's threshold are zero. Entry angle and position do not matter: the cylinder follows the particle.

    Args:
        period: slabs (material, mm, read out or not) of the calorimeter, by default from the data: see `readout`.
        layer_depths: front and back of each layer, mm.
        events: size of the sample drawn to calibrate.
    """

    name: ClassVar[str] = "gflash"
    resamples_truth: ClassVar[bool] = False

    period: Period | None = None
    layer_depths: Depths | None = None
    events: int = 1000
    response: float = field(init=False, default=1.0)
    resolution: float = field(init=False, default=0.1)
    _schema: Schema = field(init=False, repr=False)
    _readout: Readout = field(init=False, repr=False)

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
        made._schema, made._readout = schema, readout(schema, made.period, made.layer_depths)
        made.response, made.resolution = response, resolution
        return made

    @classmethod
    def unfit(cls, schema: Schema) -> str | None:
        reason = super().unfit(schema)
        if reason is None and cylinder(schema).particle not in ELECTROMAGNETIC:
            return f"baseline '{cls.name}' describes electrons and photons, not {cylinder(schema).particle}s."
        return reason

    def _fit(self, train: EventSource, seed: int) -> None:
        self._schema = train.schema
        self._readout = readout(train.schema, self.period, self.layer_depths)
        energy, ratio = energy_ratios(train)
        rng = generator(seed, "baseline", self.name)
        chosen = rng.choice(len(energy), min(self.events, len(energy)), replace=False)
        self._calibrate(energy, ratio, energy[chosen], rng)

    def _calibrate(self, energy: FloatArray, ratio: FloatArray, at: FloatArray, rng: np.random.Generator) -> None:
        """Set response and resolution so that showers sampled `at` these energies have the truth's mean and width."""
        wanted = float(np.mean(ratio))
        if not wanted > 0:
            raise FacsimError("the training showers hold no energy: GFlash cannot be calibrated.")
        stochastic = _stochastic_term(energy, ratio / wanted)
        self.response = wanted
        self.resolution = max(stochastic, 0.01) if self._readout.medium.is_sampling else 0.0
        for _ in range(CALIBRATION_ROUNDS):
            sampled = self._cells(at, rng).sum(axis=1) / at
            mean = max(float(np.mean(sampled)), 1e-9)
            self.response *= wanted / mean
            if self._readout.medium.is_sampling:
                own = _stochastic_term(at, sampled / mean)
                self.resolution = float(np.sqrt(max(self.resolution**2 + stochastic**2 - own**2, 1e-4)))

    def sample(self, cond: NDArray[np.float64], rng: np.random.Generator) -> Sampled:
        cond = checked_conditions(cond, self._schema)
        energy = cond[:, self._schema.condition_index("incident_energy")]
        return Sampled(self._cells(energy, rng)[..., None])

    def _cells(self, energy: FloatArray, rng: np.random.Generator) -> NDArray[np.float32]:
        """Cell energies (N, V) MeV, some showers at a time to bound the memory."""
        cells = np.empty((len(energy), len(self._readout.cell_ring)), np.float32)
        for first in range(0, len(energy), CHUNK):
            part = slice(first, first + CHUNK)
            cells[part] = self._shower(energy[part], rng)
        cells[cells < cylinder(self._schema).threshold] = 0.0
        return cells

    def _shower(self, energy: FloatArray, rng: np.random.Generator) -> FloatArray:
        out = self._readout
        medium = out.medium
        shape = gp.longitudinal_parameters(energy, medium)
        t_max, alpha = gp.draw_longitudinal(shape, rng.standard_normal((len(energy), 2)))
        start = conversion_depth(energy, cylinder(self._schema).particle in ("photon", "gamma"), rng)
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

    @property
    def memory_bytes(self) -> int:
        out = self._readout
        return int(out.depths.nbytes + out.edges.nbytes + out.cell_ring.nbytes + out.n_alpha.nbytes)


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
    mean = spots[..., None] * rings / out.n_alpha[:, None]
    count = rng.poisson(mean.reshape(len(mean), -1)[:, out.cell_ring])
    first = np.flatnonzero(np.diff(out.cell_layer, prepend=-1))
    inside = np.add.reduceat(count, first, axis=1)
    outside = rng.poisson(spots * np.maximum(1.0 - rings.sum(axis=2), 0.0))
    energy = visible / np.maximum(inside + outside, 1)
    return np.asarray(count * energy[:, out.cell_layer])


def energy_ratios(train: EventSource) -> tuple[FloatArray, FloatArray]:
    """Incident energy (MeV) and E_tot / E_inc of every training event, read in chunks: two arrays (N,)."""
    energy, ratio = [], []
    for batch in chunks(train, batch_rows(train)):
        energy.append(np.asarray(batch.condition("incident_energy"), np.float64))
        ratio.append(batch.cells.sum(axis=1, dtype=np.float64) / energy[-1])
    return np.concatenate(energy), np.concatenate(ratio)


def _stochastic_term(energy: FloatArray, ratio: FloatArray) -> float:
    """a of sigma / E = a / sqrt(E / GeV), pooled over energies (MeV); `ratio` has mean one, apart from a slope."""
    ln_e = np.log(energy)
    degree = min(2, len(np.unique(ln_e)) - 1)
    residual = ratio - np.polyval(np.polyfit(ln_e, ratio, degree), ln_e) if degree > 0 else ratio - ratio.mean()
    return float(np.sqrt(np.mean(residual**2 * energy / 1e3)))
