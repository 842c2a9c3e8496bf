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
BINS = 6
SLOPE_PRIOR = 0.05
RESPONSE_PRIOR = 5.0


@dataclass
class Tuning:
    """Fitted numbers; rows of coefficients are polynomials in ln E - pivot, flat outside the training range.

    Args:
        pivot, low, high: ln E (MeV) of the pivot and of the training range.
        depth: (2, 3) added to the paper's mean ln T and ln alpha.
        spread: (2, 2) ln of the factors on the paper's spreads of ln T and ln alpha.
        correlation: added to the paper's correlation.
        response: (L, 2) ln of visible over deposited energy in each layer.
        scale: (1, 3) ln of a factor on all layers.
        spot_scale: (L,) mean spot energy in each layer over that of `spots`.
        radial: constants of the radial profile.
        spots: spectrum of one spot.
    """

    pivot: float
    low: float
    high: float
    depth: FloatArray
    spread: FloatArray
    correlation: float
    response: FloatArray
    scale: FloatArray
    spot_scale: FloatArray
    radial: Radial
    spots: SpotSpectrum

    @classmethod
    def untuned(cls, truth: ShowerSums, spots: SpotSpectrum) -> Tuning:
        """The paper's shower with the mean response of the training showers."""
        ln_e, n_layers = np.log(truth.energy), truth.rings.shape[1]
        response = np.zeros((n_layers, 2))
        response[:, 0] = np.log(truth.rings.sum() / truth.energy.sum())
        return cls(
            float(ln_e.mean()), float(ln_e.min()), float(ln_e.max()), np.zeros((2, 3)), np.zeros((2, 2)), 0.0,
            response, np.zeros((1, 3)), np.ones(n_layers), gp.GRINDHAMMER_PETERS, spots,
        )  # fmt: skip

    def at(self, coefficients: FloatArray, energy: FloatArray) -> FloatArray:
        """Polynomials (P, C) at `energy` (N,): (P, N)."""
        x = np.clip(np.log(energy), self.low, self.high) - self.pivot
        return np.asarray(coefficients @ np.vander(x, coefficients.shape[1], increasing=True).T)


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
        self._tuning = Tuning.untuned(truth, measure_spots(spread_batches(train, self.events), out))
        for step in range(ROUNDS):
            if step in RADIAL_ROUNDS:
                self._tuning.radial = self._fit_radial(truth, generator(seed, self.name, "radial"))
            # Common random numbers: the same seed each time, so that rounds differ by the parameters alone.
            showers = self._parts(truth.energy, generator(seed, self.name, "fit"))
            own = ShowerSums.joined([ShowerSums.measure(truth.energy[part], cells, out) for part, cells in showers])
            self._improve(truth, own, step)

    def _improve(self, truth: ShowerSums, own: ShowerSums, step: int) -> None:
        """Move the parameters by the difference between training and sampled showers."""
        tuning = self._tuning
        damping = 1.0 if step < FULL_STEPS else DAMPING
        self._improve_depth(truth, own, damping)
        change = _totals(truth) - _totals(own)
        x = np.array([np.log(truth.energy[part]).mean() for part in truth.bins(BINS)]) - tuning.pivot
        tuning.scale += damping * _polynomials(x, change[:, None], 3)
        if step > 0:
            tuning.response += DAMPING * _response_change(truth, own, tuning.pivot)
            tuning.response = np.clip(tuning.response, -7.0, 3.0)
        if step > 1:
            ratio = (own.hits + 1e-3) / (truth.hits + 1e-3)
            tuning.spot_scale = np.clip(tuning.spot_scale * np.clip(ratio, 0.7, 1.4) ** 0.8, 0.05, 20.0)

    def _improve_depth(self, truth: ShowerSums, own: ShowerSums, damping: float) -> None:
        tuning, depths = self._tuning, self._readout.depths
        ln_e, middle, width, correlation = truth.depth_bins(depths, BINS)
        _, own_middle, own_width, own_correlation = own.depth_bins(depths, BINS)
        x = ln_e - tuning.pivot
        tuning.depth += damping * _polynomials(x, middle - own_middle, 3)
        tuning.spread += damping * _polynomials(x, np.log(width / own_width), 2)
        tuning.spread = np.clip(tuning.spread, -2.0, 2.0)
        tuning.correlation += damping * float(np.mean(correlation - own_correlation))

    def _longitudinal(self, energy: FloatArray) -> Longitudinal:
        """The paper's distribution of (ln T, ln alpha), moved and widened by the fit."""
        paper, tuning = gp.longitudinal_parameters(energy, self._readout.medium), self._tuning
        ln_t, ln_alpha = tuning.at(tuning.depth, energy)
        wider_t, wider_alpha = np.exp(tuning.at(tuning.spread, energy))
        return Longitudinal(
            paper.mean_ln_t + ln_t,
            np.maximum(paper.mean_ln_alpha + ln_alpha, gp.MINIMUM_LOG),
            np.minimum(paper.sigma_ln_t * wider_t, 1.0),
            np.minimum(paper.sigma_ln_alpha * wider_alpha, 1.0),
            np.clip(paper.rho + tuning.correlation, -0.95, 0.95),
        )

    def _profile(self, energy: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Mean visible energy (N, L) of the layers of drawn showers, MeV, and their age tau (N, L)."""
        depths = self._readout.depths
        shape = self._longitudinal(energy)
        t_max, alpha = gp.draw_longitudinal(shape, rng.standard_normal((len(energy), 2)))
        start = conversion_depth(len(energy), self.particle, rng)
        tuning = self._tuning
        response = np.exp(tuning.at(tuning.response, energy) + tuning.at(tuning.scale, energy)).T
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


def _polynomials(x: FloatArray, values: FloatArray, terms: int) -> FloatArray:
    """Coefficients (P, terms) of polynomials through `values` (B, P) at `x` (B,); a mild prior holds slopes at zero."""
    design = np.vander(x, terms, increasing=True)
    prior = np.diag(np.sqrt([0.0] + [SLOPE_PRIOR] * (terms - 1)))
    padded = np.concatenate([values, np.zeros((terms, values.shape[1]))])
    return np.asarray(np.linalg.lstsq(np.concatenate([design, prior]), padded, rcond=None)[0].T, dtype=np.float64)


def _totals(sums: ShowerSums) -> FloatArray:
    """ln of the mean E_tot / E_inc in bins of incident energy, (B,)."""
    ratio = sums.layers.sum(axis=1) / sums.energy
    return np.log([max(float(ratio[part].mean()), 1e-9) for part in sums.bins(BINS)])


def _response_change(truth: ShowerSums, own: ShowerSums, pivot: float) -> FloatArray:
    """Change of ln response and of its slope in each layer (L, 2): weighted lines through bins of incident energy."""
    parts, own_parts = truth.bins(BINS), own.bins(BINS)
    layers, own_layers = truth.layers, own.layers
    floor = 1e-6 * truth.energy.mean()
    n_layers = layers.shape[1]
    normal, right = np.zeros((n_layers, 2, 2)), np.zeros((n_layers, 2))
    normal[:] = np.diag([1.0, RESPONSE_PRIOR])
    for part, own_part in zip(parts, own_parts, strict=False):
        mean, own_mean = layers[part].mean(axis=0), own_layers[own_part].mean(axis=0)
        relative = layers[part].var(axis=0) / len(part) / np.maximum(mean, floor) ** 2
        weight = 1.0 / np.maximum(2.0 * relative, 1e-4)
        weight[mean < floor] = 0.0
        design = np.array([1.0, float(np.log(truth.energy[part]).mean()) - pivot])
        normal += weight[:, None, None] * np.outer(design, design)
        right += (weight * np.log((mean + floor) / (own_mean + floor)))[:, None] * design
    return np.asarray(np.linalg.solve(normal, right[..., None])[..., 0], dtype=np.float64)
