"""sPlot: weights that take a background out of all distributions at once (Pivk and Le Diberder, physics/0402083).

Signal and background are told apart by one discriminating variable, here a mass: a Gaussian on an exponential in a
window. What is weighted has to be independent of the mass within each of the two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError

FloatArray = NDArray[np.float64]
ITERATIONS = 500
TOLERANCE = 1e-9
FEWEST = 100


@dataclass(frozen=True)
class MassFit:
    """A fit of signal and background.

    Attributes:
        yields: events of signal and of background.
        mean, sigma: of the signal's Gaussian. slope: of the background, exp(-slope m), per unit of mass.
        window: least and largest mass.
    """

    yields: tuple[float, float]
    mean: float
    sigma: float
    slope: float
    window: tuple[float, float]

    def densities(self, mass: FloatArray) -> FloatArray:
        """Densities (N, 2) of signal and background at `mass` (N,), each of integral one."""
        return np.column_stack(
            [_gaussian(mass, self.mean, self.sigma), _exponential(mass - self.window[0], self.slope, self.width)]
        )

    @property
    def width(self) -> float:
        return self.window[1] - self.window[0]


def fit_mass(mass: FloatArray, window: tuple[float, float]) -> MassFit:
    """Extended maximum likelihood of a Gaussian on an exponential, by expectation and maximisation.

    Args:
        mass: (N,), all inside of `window`.
        window: several widths of the signal on either side of it.

    Raises:
        FacsimError: fewer than 100 events, or masses outside.
    """
    if len(mass) < FEWEST or not (mass.min() >= window[0] and mass.max() <= window[1]):
        raise FacsimError(
            f"a fit of the mass needs at least {FEWEST} events inside of {window}, not {len(mass)} from "
            f"{mass.min(initial=np.inf):.5g} to {mass.max(initial=-np.inf):.5g}."
        )
    n, width = len(mass), window[1] - window[0]
    fit = MassFit((0.5 * n, 0.5 * n), float(np.median(mass)), 0.1 * width, 0.0, window)
    for _ in range(ITERATIONS):
        shares = fit.densities(mass) * np.asarray(fit.yields)
        shares /= shares.sum(axis=1, keepdims=True)
        signal, background = shares.T
        mean = float(np.average(mass, weights=signal))
        sigma = float(np.sqrt(np.average((mass - mean) ** 2, weights=signal)))
        slope = _slope(float(np.average(mass - window[0], weights=background)), width)
        yields = (float(signal.sum()), float(background.sum()))
        moved = abs(yields[0] - fit.yields[0])
        fit = MassFit(yields, mean, max(sigma, 1e-6 * width), slope, window)
        if moved < TOLERANCE * n:
            break
    return fit


def sweights(densities: FloatArray, yields: tuple[float, float]) -> FloatArray:
    """Weights (N, 2) of signal and background.

    w_s = (V_ss f_s + V_sb f_b) / (N_s f_s + N_b f_b), with V the covariance of the yields. At the maximum of the
    likelihood the weights of a species add up to its yield, and the two of an event to one.

    Args:
        densities: f of signal and background at each event, (N, 2).
        yields: N_s and N_b of the maximum likelihood.
    """
    total = densities @ np.asarray(yields)
    scaled = densities / total[:, None]
    covariance = np.linalg.inv(scaled.T @ scaled)
    found: FloatArray = scaled @ covariance
    return found


def _gaussian(x: FloatArray, mean: float, sigma: float) -> FloatArray:
    density: FloatArray = np.exp(-0.5 * ((x - mean) / sigma) ** 2) / (np.sqrt(2 * np.pi) * sigma)
    return density


def _exponential(x: FloatArray, slope: float, width: float) -> FloatArray:
    """exp(-slope x) on 0 to `width`, of integral one."""
    if abs(slope * width) < 1e-6:
        return np.full_like(x, 1 / width)
    density: FloatArray = slope * np.exp(-slope * x) / -np.expm1(-slope * width)
    return density


def _slope(mean: float, width: float) -> float:
    """The slope of the exponential on 0 to `width` that has that mean."""
    low, high = -60.0 / width, 60.0 / width
    for _ in range(80):
        slope = 0.5 * (low + high)
        low, high = (slope, high) if _mean(slope, width) > mean else (low, slope)
    return 0.5 * (low + high)


def _mean(slope: float, width: float) -> float:
    y = slope * width
    if abs(y) < 1e-6:
        return 0.5 * width
    return width * float(1 / y - 1 / np.expm1(y))
