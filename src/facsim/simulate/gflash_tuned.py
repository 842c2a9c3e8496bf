"""GFlash fitted to the training sample: the honest rival of a learned surrogate; plain `gflash` is an easy one.

The formulas are those of hep-ex/0001020, the numbers those of the training showers. Each is found by indirect
inference: the same estimate is made on training and on sampled showers, and the parameter moved by the difference.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.events import EventSource
from facsim.core.rng import generator
from facsim.physics import gflash as gp
from facsim.physics.gflash import FloatArray, Longitudinal, Radial
from facsim.simulate.baseline import spread_batches
from facsim.simulate.gflash_base import Parametrisation, conversion_depth, layer_fractions
from facsim.simulate.gflash_radial import fit_radial
from facsim.simulate.gflash_sample import ShowerSums, measure_spots
from facsim.simulate.spots import SpotSpectrum

MINIMUM_EVENTS = 30
ROUNDS = 6
FULL_STEPS = 3
DAMPING = 0.5
RADIAL_ROUNDS = (1, 4)
RADIAL_BINS, RADIAL_DRAWS = 3, 40
RESPONSE_BINS = 6
SLOPE_PRIOR = 5.0


@dataclass
class Tuning:
    """Fitted numbers; each pair is a constant at the pivot energy and a slope in ln E, flat outside the training range.

    Args:
        pivot, low, high: ln E (MeV) of the pivot and of the training range.
        depth: (2, 2) added to the paper's mean ln T and ln alpha.
        spread: (3, 2) added to the variances of ln T and ln alpha and to their covariance.
        response: (L, 2) ln of visible over deposited energy in each layer.
        spot_scale: (L,) mean spot energy in each layer over that of `spots`.
        radial: constants of the radial profile.
        spots: spectrum of one spot.
    """

    pivot: float
    low: float
    high: float
    depth: FloatArray
    spread: FloatArray
    response: FloatArray
    spot_scale: FloatArray
    radial: Radial
    spots: SpotSpectrum

    def line(self, pairs: FloatArray, energy: FloatArray) -> FloatArray:
        """Each of `pairs` (P, 2) at `energy` (N,): (P, N)."""
        x = np.clip(np.log(energy), self.low, self.high) - self.pivot
        return np.asarray(pairs[:, :1] + pairs[:, 1:] * x)


@dataclass(kw_only=True)
class TunedGFlash(Parametrisation):
    """Parametrised showers fitted to training showers: depth, radial profile, response of each layer, energy spots.

    Fitted are mean and covariance of (ln T, ln alpha), linear in ln E; a response of each layer, a power of E; the
    constants of the radial profile; the mean spot energy of each layer, through the number of cells with energy; and
    the spectrum of single spots, taken from sparsely hit cells. A cell's energy is the sum of a Poisson number of
    spots, which makes the sampling fluctuation.
    """

    name: ClassVar[str] = "gflash-tuned"

    events: int = 2000
    _tuning: Tuning = field(init=False, repr=False)

    def _fit(self, train: EventSource, seed: int) -> None:
        self._prepare(train.schema)
        out = self._readout
        truth = ShowerSums.of(spread_batches(train, self.events), out)
        if len(truth.energy) < MINIMUM_EVENTS:
            raise FacsimError(
                f"baseline '{self.name}' needs at least {MINIMUM_EVENTS} training showers with energy, not "
                f"{len(truth.energy)}."
            )
        ln_e = np.log(truth.energy)
        spots = measure_spots(spread_batches(train, self.events), out)
        n_layers, pivot = len(out.depths), float(ln_e.mean())
        self._tuning = Tuning(
            pivot, float(ln_e.min()), float(ln_e.max()), np.zeros((2, 2)), np.zeros((3, 2)),
            np.zeros((n_layers, 2)), np.ones(n_layers), gp.GRINDHAMMER_PETERS, spots,
        )  # fmt: skip
        self._tuning.response[:, 0] = np.log(truth.rings.sum() / truth.energy.sum())
        for step in range(ROUNDS):
            if step in RADIAL_ROUNDS:
                self._tuning.radial = self._fit_radial(truth, generator(seed, self.name, "radial"))
            # Common random numbers: the same seed each time, so that rounds differ by the parameters alone.
            cells = self._cells(truth.energy, generator(seed, self.name, "fit"))
            self._improve(truth, ShowerSums.measure(truth.energy, cells, out), step)

    def _improve(self, truth: ShowerSums, own: ShowerSums, step: int) -> None:
        """Move the parameters by the difference between training and sampled showers."""
        tuning = self._tuning
        damping = 1.0 if step < FULL_STEPS else DAMPING
        wanted, found = (self._depth_moments(sums) for sums in (truth, own))
        tuning.depth += damping * (wanted[0] - found[0])
        tuning.spread += damping * (wanted[1] - found[1])
        if step == 0:
            tuning.response[:, 0] += np.log(truth.rings.sum() / max(own.rings.sum(), 1e-9))
            return
        tuning.response += DAMPING * _response_change(truth, own, tuning.pivot)
        tuning.response = np.clip(tuning.response, -7.0, 3.0)
        if step > 1:
            ratio = (own.hits + 1e-3) / (truth.hits + 1e-3)
            tuning.spot_scale = np.clip(tuning.spot_scale * np.clip(ratio, 0.7, 1.4) ** 0.8, 0.05, 20.0)

    def _depth_moments(self, sums: ShowerSums) -> tuple[FloatArray, FloatArray]:
        """Lines of the means (2, 2) and of the variances and covariance (3, 2) of ln T and ln alpha."""
        tuning = self._tuning
        x = np.clip(np.log(sums.energy), tuning.low, tuning.high) - tuning.pivot
        values = sums.log_depth(self._readout.depths)
        means = _lines(x, values)
        first, second = values - (means[:, :1] + means[:, 1:] * x)
        return means, _lines(x, np.array([first**2, second**2, first * second]))

    def _longitudinal(self, energy: FloatArray) -> Longitudinal:
        """The paper's distribution of (ln T, ln alpha), moved and widened by the fit."""
        paper, tuning = gp.longitudinal_parameters(energy, self._readout.medium), self._tuning
        ln_t, ln_alpha = tuning.line(tuning.depth, energy)
        var_t, var_alpha, covariance = tuning.line(tuning.spread, energy)
        sigma_t = np.sqrt(np.maximum(paper.sigma_ln_t**2 + var_t, 1e-4))
        sigma_alpha = np.sqrt(np.maximum(paper.sigma_ln_alpha**2 + var_alpha, 1e-4))
        rho = (paper.rho * paper.sigma_ln_t * paper.sigma_ln_alpha + covariance) / (sigma_t * sigma_alpha)
        return Longitudinal(
            paper.mean_ln_t + ln_t,
            np.maximum(paper.mean_ln_alpha + ln_alpha, gp.MINIMUM_LOG),
            sigma_t,
            sigma_alpha,
            np.clip(rho, -0.95, 0.95),
        )

    def _profile(self, energy: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Mean visible energy (N, L) of the layers of drawn showers, MeV, and their age tau (N, L)."""
        depths = self._readout.depths
        shape = self._longitudinal(energy)
        t_max, alpha = gp.draw_longitudinal(shape, rng.standard_normal((len(energy), 2)))
        start = conversion_depth(len(energy), self.particle, rng)
        response = np.exp(self._tuning.line(self._tuning.response, energy)).T
        visible = energy[:, None] * response * layer_fractions(depths, start, t_max, alpha)
        depth = np.maximum(depths.mean(axis=1) - start[:, None], 0.0)
        return visible, gp.shower_age(depth, t_max, alpha, shape.mean_ln_alpha)

    def _fit_radial(self, truth: ShowerSums, rng: np.random.Generator) -> Radial:
        parts = truth.bins(RADIAL_BINS)
        rings = np.array([truth.rings[part].mean(axis=0) for part in parts])

        def profile(b: int) -> tuple[FloatArray, FloatArray, FloatArray]:
            energy = rng.choice(truth.energy[parts[b]], RADIAL_DRAWS)
            return energy, *self._profile(energy, rng)

        return fit_radial(rings, profile, self._readout, self._tuning.radial)

    def _shower(self, energy: FloatArray, rng: np.random.Generator) -> NDArray[np.float32]:
        out, tuning = self._readout, self._tuning
        visible, tau = self._profile(energy, rng)
        rings = gp.ring_fractions(out.edges, *gp.radial_parameters(energy, tau, out.medium, tuning.radial))
        spot_energy = tuning.spots.mean * tuning.spot_scale
        count = rng.poisson(out.spread((visible / spot_energy)[..., None] * rings))
        row, cell = np.nonzero(count)
        cells = np.zeros(count.shape, np.float32)
        cells[row, cell] = tuning.spots.sums(count[row, cell], rng) * spot_energy[out.cell_layer[cell]]
        return cells


def _lines(x: FloatArray, values: FloatArray) -> FloatArray:
    """Constant and slope of each of `values` (P, N) against `x` (N,), whose mean is zero: (P, 2)."""
    variance = float(np.mean(x**2))
    slope = (values @ x) / len(x) / variance if variance > 1e-6 else np.zeros(len(values))
    return np.column_stack([values.mean(axis=1) - slope * x.mean(), slope])


def _response_change(truth: ShowerSums, own: ShowerSums, pivot: float) -> FloatArray:
    """Change of ln response and of its slope in each layer (L, 2): weighted lines through bins of incident energy."""
    parts, own_parts = truth.bins(RESPONSE_BINS), own.bins(RESPONSE_BINS)
    layers, own_layers = truth.layers, own.layers
    floor = 1e-6 * truth.energy.mean()
    n_layers = layers.shape[1]
    normal, right = np.zeros((n_layers, 2, 2)), np.zeros((n_layers, 2))
    normal[:] = np.diag([1.0, SLOPE_PRIOR])
    for part, own_part in zip(parts, own_parts, strict=False):
        mean, own_mean = layers[part].mean(axis=0), own_layers[own_part].mean(axis=0)
        relative = layers[part].var(axis=0) / len(part) / np.maximum(mean, floor) ** 2
        weight = 1.0 / np.maximum(2.0 * relative, 1e-4)
        weight[mean < floor] = 0.0
        design = np.array([1.0, float(np.log(truth.energy[part]).mean()) - pivot])
        normal += weight[:, None, None] * np.outer(design, design)
        right += (weight * np.log((mean + floor) / (own_mean + floor)))[:, None] * design
    return np.asarray(np.linalg.solve(normal, right[..., None])[..., 0], dtype=np.float64)
