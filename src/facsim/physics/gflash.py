"""Parametrised electromagnetic showers of G. Grindhammer and S. Peters (hep-ex/0001020), "GFlash".

Pure functions on arrays; depths are in radiation lengths, radii in Moliere radii, energies in MeV. The mean
longitudinal profile is a gamma distribution, the radial one the sum of a core and a tail whose widths change with
depth. Two slips of the Geant4 implementation (the effective charge swaps its weights; the energy profile of a
sampling calorimeter is integrated with the homogeneous parameters) are not reproduced: the paper is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.physics.materials import Material

FloatArray = NDArray[np.float64]

SCALE_ENERGY = 21.2
"""Multiple-scattering energy of the Moliere radius, MeV."""
MINIMUM_LOG = 0.1
MAXIMUM_SIGMA = 0.5
LARGEST_EXPONENT = 20.0


@dataclass(frozen=True)
class Medium:
    """What the parametrisation needs of a calorimeter.

    Args:
        z: effective charge.
        x0: radiation length, mm.
        critical_energy: MeV.
        moliere_radius: mm.
        sampling_frequency: radiation length over the period's length (F_S), 0 when homogeneous.
        e_hat: signal of an electron over that of a minimum-ionising particle, 1 when homogeneous.
    """

    z: float
    x0: float
    critical_energy: float
    moliere_radius: float
    sampling_frequency: float = 0.0
    e_hat: float = 1.0

    @property
    def is_sampling(self) -> bool:
        return self.sampling_frequency > 0


@dataclass(frozen=True)
class Slab:
    """A slab of the period of a calorimeter: material, thickness in mm, whether its energy is read."""

    material: Material
    thickness: float
    active: bool = True


def critical_energy(material: Material) -> float:
    """Critical energy in MeV, 2.66 (X0 Z/A)^1.1 with X0 in g/cm2 (hep-ex/0001020, section 2)."""
    return float(2.66 * (material.x0_mass * material.z_over_a) ** 1.1)


def homogeneous_medium(material: Material) -> Medium:
    """Medium of a block of one material."""
    energy = critical_energy(material)
    return Medium(material.z, material.x0, energy, SCALE_ENERGY * material.x0 / energy)


def effective_medium(period: Sequence[Slab]) -> Medium:
    """Medium of a calorimeter that repeats `period` (hep-ex/0001020, section 3.1).

    Slabs of more than two materials are averaged by mass alike; the electron-to-MIP ratio takes the mean charge of
    the passive and of the active slabs.

    Raises:
        FacsimError: no slab, a thickness that is not positive, or no active slab.
    """
    if not period or any(slab.thickness <= 0 for slab in period) or not any(slab.active for slab in period):
        raise FacsimError("a calorimeter's period needs slabs of positive thickness, at least one of them active.")
    if len({slab.material.name for slab in period}) == 1 and all(slab.active for slab in period):
        return homogeneous_medium(period[0].material)
    mass = np.array([slab.thickness * slab.material.density for slab in period])
    weight = mass / mass.sum()
    length = sum(slab.thickness for slab in period)
    density = mass.sum() / length
    x0_inverse = weight / np.array([slab.material.x0_mass for slab in period])
    scatter = float(np.sum(x0_inverse * [critical_energy(slab.material) for slab in period]))
    x0_mass = 1.0 / float(x0_inverse.sum())
    charge = np.array([slab.material.z for slab in period])
    active = np.array([slab.active for slab in period])
    passive_z = float(np.average(charge[~active], weights=mass[~active])) if not active.all() else 0.0
    active_z = float(np.average(charge[active], weights=mass[active]))
    x0 = 10.0 * x0_mass / density
    return Medium(
        z=float(weight @ charge),
        x0=x0,
        critical_energy=x0_mass * scatter,
        moliere_radius=10.0 * SCALE_ENERGY / scatter / density,
        sampling_frequency=0.0 if active.all() else x0 / length,
        e_hat=1.0 if active.all() else 1.0 / (1.0 + 0.007 * (passive_z - active_z)),
    )


@dataclass(frozen=True)
class Longitudinal:
    """Distribution of (ln T, ln alpha) of showers of given energies: arrays of shape (N,), T in X0."""

    mean_ln_t: FloatArray
    mean_ln_alpha: FloatArray
    sigma_ln_t: FloatArray
    sigma_ln_alpha: FloatArray
    rho: FloatArray


def longitudinal_parameters(energy: NDArray[Any], medium: Medium) -> Longitudinal:
    """Means, spreads and correlation of ln T and ln alpha (hep-ex/0001020, appendix A.1.1 and A.2.1).

    Args:
        energy: (N,) MeV.
        medium: the calorimeter.
    """
    ln_y = np.log(np.asarray(energy, np.float64) / medium.critical_energy)
    t_max = np.maximum(ln_y - 0.812, MINIMUM_LOG)
    alpha = np.maximum(0.81 + (0.458 + 2.26 / medium.z) * ln_y, MINIMUM_LOG)
    if medium.is_sampling:
        t_max = t_max - 0.55 / medium.sampling_frequency - 0.69 * (1.0 - medium.e_hat)
        alpha = alpha - 0.476 / medium.sampling_frequency
        spread, rho = ((-2.5, 1.25), (-0.82, 0.79)), 0.784 - 0.023 * ln_y
    else:
        spread, rho = ((-1.4, 1.26), (-0.58, 0.86)), 0.705 - 0.023 * ln_y
    sigma_t, sigma_alpha = (_spread(a + b * ln_y) for a, b in spread)
    mean_ln_t = np.maximum(np.log(np.maximum(t_max, MINIMUM_LOG)), MINIMUM_LOG)
    mean_ln_alpha = np.maximum(np.log(np.maximum(alpha, MINIMUM_LOG)), MINIMUM_LOG)
    return Longitudinal(mean_ln_t, mean_ln_alpha, sigma_t, sigma_alpha, np.clip(rho, -0.99, 0.99))


def _spread(inverse: FloatArray) -> FloatArray:
    """1 / `inverse`, at most `MAXIMUM_SIGMA`: the fit was made above a GeV and has a pole below."""
    return np.where(inverse > 1.0 / MAXIMUM_SIGMA, 1.0 / np.maximum(inverse, 1e-9), MAXIMUM_SIGMA)


def draw_longitudinal(shape: Longitudinal, normal: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Depth of the maximum T (X0, at least 1) and alpha (at least 1.1) of each shower.

    Args:
        shape: distribution, arrays (N,).
        normal: (N, 2) standard normal numbers.
    """
    c1, c2 = np.sqrt((1.0 + shape.rho) / 2.0), np.sqrt((1.0 - shape.rho) / 2.0)
    first, second = c1 * normal[:, 0], c2 * normal[:, 1]
    t_max = np.exp(shape.mean_ln_t + shape.sigma_ln_t * (first + second))
    alpha = np.exp(shape.mean_ln_alpha + shape.sigma_ln_alpha * (first - second))
    return np.maximum(t_max, 1.0), np.maximum(alpha, 1.1)


def shower_age(depth: FloatArray, t_max: FloatArray, alpha: FloatArray, mean_ln_alpha: FloatArray) -> FloatArray:
    """Depth in units of the centre of gravity, as the radial profiles take it: tau, shape (N, L).

    tau = t / <t> times <alpha> / (<alpha> - 1): it is 1 at the maximum of the mean shower.

    Args:
        depth: (L,) or (N, L), X0.
        t_max: (N,) X0.
        alpha: (N,).
        mean_ln_alpha: (N,) mean of ln alpha at these energies.
    """
    mean_alpha = np.exp(mean_ln_alpha)
    scale = (alpha - 1.0) / (t_max * alpha) * mean_alpha / (mean_alpha - 1.0)
    return depth * scale[:, None]


@dataclass(frozen=True)
class Radial:
    """Constants of the radial profile; `sampling` ones are used in sampling calorimeters only.

    core radius = core[0] + core[1] ln E + (core[2] + core[3] Z) tau, and so on: see `radial_parameters`. E in GeV.
    """

    core: tuple[float, float, float, float] = (0.0251, 0.00319, 0.1162, -0.000381)
    tail: tuple[float, float, float, float, float, float] = (0.659, -0.00309, 0.645, -2.59, 0.3585, 0.0412)
    weight: tuple[float, float, float, float, float, float] = (2.632, -0.00094, 0.401, 0.00187, 1.313, -0.0686)
    core_sampling: tuple[float, float] = (-0.0203, 0.0397)
    tail_sampling: tuple[float, float] = (-0.14, -0.495)
    weight_sampling: tuple[float, float] = (0.348, -0.642)


GRINDHAMMER_PETERS = Radial()


def radial_parameters(
    energy: NDArray[Any], tau: FloatArray, medium: Medium, constants: Radial = GRINDHAMMER_PETERS
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Core radius, tail radius (Moliere radii) and core weight at each depth: three arrays (N, L).

    Source: hep-ex/0001020, appendix A.1.3 and A.2.3; radii and weight are kept in their meaningful ranges.

    Args:
        energy: (N,) MeV.
        tau: (N, L) from `shower_age`.
        medium: the calorimeter.
        constants: numbers of the paper unless replaced.
    """
    ln_e = np.log(np.asarray(energy, np.float64) / 1e3)[:, None]
    c, k, w = constants.core, constants.tail, constants.weight
    core = c[0] + c[1] * ln_e + (c[2] + c[3] * medium.z) * tau
    steep, flat = (np.exp(np.minimum(slope * (tau - k[2]), LARGEST_EXPONENT)) for slope in (k[3], k[4] + k[5] * ln_e))
    tail = (k[0] + k[1] * medium.z) * (steep + flat)
    u = np.minimum((w[2] + w[3] * medium.z - tau) / np.maximum(w[4] + w[5] * ln_e, 0.1), LARGEST_EXPONENT)
    weight = (w[0] + w[1] * medium.z) * np.exp(u - np.exp(u))
    if medium.is_sampling:
        excess, per_length = 1.0 - medium.e_hat, np.exp(-tau) / medium.sampling_frequency
        core = core + constants.core_sampling[0] * excess + constants.core_sampling[1] * per_length
        tail = tail + constants.tail_sampling[0] * excess + constants.tail_sampling[1] * per_length
        bump = constants.weight_sampling[1] * np.exp(-((tau - 1.0) ** 2)) / medium.sampling_frequency
        weight = weight + excess * (constants.weight_sampling[0] + bump)
    core = np.maximum(core, 1e-3)
    return core, np.maximum(tail, core), np.clip(weight, 0.0, 1.0)


def radial_cdf(radius: FloatArray, core: FloatArray, tail: FloatArray, weight: FloatArray) -> FloatArray:
    """Fraction of the energy inside `radius` (Moliere radii); arguments broadcast."""
    square = np.square(radius)
    return np.asarray(weight * square / (square + core**2) + (1.0 - weight) * square / (square + tail**2))


def ring_fractions(edges: FloatArray, core: FloatArray, tail: FloatArray, weight: FloatArray) -> FloatArray:
    """Fraction of a layer's energy in each ring: (N, L) parameters and (R + 1,) edges give (N, L, R)."""
    inside = radial_cdf(edges, core[..., None], tail[..., None], weight[..., None])
    return np.asarray(np.diff(inside, axis=-1))


def spot_count(energy: NDArray[Any], medium: Medium, resolution: float) -> FloatArray:
    """Mean number of energy spots of a shower, (N,) (hep-ex/0001020, appendix A.1.4 and A.2.4).

    Args:
        energy: (N,) MeV.
        medium: the calorimeter.
        resolution: sampling resolution sigma / sqrt(E / GeV); a homogeneous medium does not use it.
    """
    gev = np.asarray(energy, np.float64) / 1e3
    if medium.is_sampling:
        return np.asarray(10.3 / resolution * gev**0.959)
    return np.asarray(93.0 * np.log(medium.z) * gev**0.876)


def spot_profile(t_max: FloatArray, alpha: FloatArray, medium: Medium) -> tuple[FloatArray, FloatArray]:
    """T and alpha of the depth distribution of the spots, from those of the energy (appendix A.1.4 and A.2.4)."""
    if medium.is_sampling:
        factors = (0.813 + 0.0019 * medium.z, 0.844 + 0.0026 * medium.z)
    else:
        factors = (0.698 + 0.00212 * medium.z, 0.639 + 0.00334 * medium.z)
    return np.maximum(t_max * factors[0], 0.5), np.maximum(alpha * factors[1], 1.1)
