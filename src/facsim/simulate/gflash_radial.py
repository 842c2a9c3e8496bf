"""Fit of the radial profile's constants to training showers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple
from itertools import islice

import numpy as np

from facsim.physics import gflash as gp
from facsim.physics.gflash import FloatArray, Radial
from facsim.simulate.gflash_media import Readout

EVALUATIONS = 10
PULL = 0.1
"""Weight of the paper's constants, so that those the data do not constrain stay where they are."""

# Positions in a flattened `Radial` that one medium can constrain: a second constant multiplies its charge.
FREE = (0, 1, 2, 4, 6, 7, 8, 9, 10, 12, 14, 15, 17, 19, 20, 21)
FREE_HOMOGENEOUS = FREE[:-4]

Profile = Callable[[int], tuple[FloatArray, FloatArray, FloatArray]]


_SIZES = tuple(len(group) for group in astuple(gp.GRINDHAMMER_PETERS))
_PAPER = np.concatenate(astuple(gp.GRINDHAMMER_PETERS))


def radial_of(values: FloatArray, free: tuple[int, ...]) -> Radial:
    """The paper's constants with those at `free` replaced by `values`."""
    flat = _PAPER.copy()
    flat[list(free)] = values
    rest = iter(flat.tolist())
    return Radial(*(tuple(islice(rest, size)) for size in _SIZES))


def fit_radial(rings: FloatArray, profile: Profile, out: Readout, first: Radial) -> Radial:
    """Constants whose mean ring energies are nearest to those of the training showers.

    Least squares of the square roots of ring fractions, layers weighted by their energy.

    Args:
        rings: (B, L, R) mean ring energies in bins of incident energy, MeV.
        profile: gives for bin b the energies (n,), layer energies (n, L) and ages tau (n, L) of drawn showers.
        out: the read-out.
        first: constants to start from.
    """
    from scipy.optimize import least_squares  # noqa: PLC0415 - not needed to import facsim

    medium = out.medium
    free = FREE if medium.is_sampling else FREE_HOMOGENEOUS
    paper, start = (flat[list(free)] for flat in (_PAPER, np.concatenate(astuple(first))))
    share = rings.sum(axis=2) / rings.sum(axis=(1, 2))[:, None]
    target = np.sqrt(rings / np.maximum(rings.sum(axis=2, keepdims=True), 1e-12))
    draws = [profile(b) for b in range(len(rings))]
    weight = 40.0 * np.sqrt(share)[..., None]

    def residual(values: FloatArray) -> FloatArray:
        radial = radial_of(values, free)
        parts = []
        for energy, layers, tau in draws:
            fractions = gp.ring_fractions(out.edges, *gp.radial_parameters(energy, tau, medium, radial))
            parts.append((layers[..., None] * fractions).mean(axis=0))
        mean = np.array(parts)
        mean /= np.maximum(mean.sum(axis=2, keepdims=True), 1e-12)
        return np.concatenate([(weight * (np.sqrt(mean) - target)).ravel(), PULL * (values - paper)])

    scale = np.maximum(np.abs(paper), 0.05)
    return radial_of(least_squares(residual, start, x_scale=scale, max_nfev=EVALUATIONS).x, free)
