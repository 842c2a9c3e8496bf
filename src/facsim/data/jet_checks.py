"""What is wrong with jets in a file, told in a sentence, and order of their particles."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError

FARTHEST = 3.5
"""Of a particle from its jet in eta or phi; a radian more than half a turn."""


def check_layout(particles: NDArray[Any], features: NDArray[Any] | None, where: str) -> None:
    """Refuse jets of JetNet's shapes whose columns have other ranges than etarel, phirel, ptrel and mask.

    Generated jets with some odd particles pass: only medians and quantiles are looked at.

    Args:
        particles: (N, P, 4). features: (N, 4) pT, eta, mass and number of particles. where: the file.

    Raises:
        FacsimError: columns or axes in another order.
    """
    real = particles[particles[:, :, 3] == 1]
    if len(real) and np.isfinite(real).all():
        spread = np.quantile(np.abs(real[:, :2]), 0.99, axis=0)
        negative = float((real[:, 2] < 0).mean())
        total = float(np.median(np.where(particles[:, :, 3] == 1, particles[:, :, 2], 0).sum(axis=1)))
        if (spread > FARTHEST).any() or negative > 0.05 or not 0.05 < total < 20:
            raise FacsimError(
                f"'{where}': the columns do not look like etarel, phirel, ptrel, mask: 99 % of |etarel| and |phirel| "
                f"lie below {spread[0]:.3g} and {spread[1]:.3g}, {negative:.0%} of ptrel are negative and their sum "
                f"over a jet is {total:.3g} (median; about 1 expected); are columns or axes swapped?"
            )
    if features is None or not len(features) or not np.isfinite(features).all():
        return
    pt, eta, mass, number = np.median(np.abs(features), axis=0)
    whole = bool((features[:, 3] == np.round(features[:, 3])).all())
    if not (whole and mass < pt and eta < 10 and 0 < number <= max(particles.shape[1], 1000)):
        raise FacsimError(
            f"'{where}': the jets' features do not look like pt, eta, mass, num_particles: medians of their sizes are "
            f"{pt:.4g}, {eta:.4g}, {mass:.4g}, {number:.4g}; are columns or axes swapped?"
        )


def check_finite(particles: NDArray[Any], where: str, first: int = 0) -> None:
    """Refuse particles (N, P, ...) with numbers that are not finite, which would pass for padding.

    Raises:
        FacsimError: there is one in the file `where`, whose jets here are numbered from `first`.
    """
    for row in np.flatnonzero(~np.isfinite(particles).all(axis=tuple(range(1, particles.ndim))))[:1]:
        raise FacsimError(f"'{where}': jet {first + row} has particles that are not finite numbers.")


def check_jets(x: NDArray[Any], mask: NDArray[np.bool_], where: str, first: int = 0) -> None:
    """Refuse values that are not finite, jets without particles, and particles that stand in a jet twice.

    Args:
        x: (N, P, 3) etarel, phirel, ptrel, hardest first, so that equal particles are neighbours; zeros as padding.
        mask: (N, P). where: the file. first: number of the first jet.

    Raises:
        FacsimError: one of these, with the number of the jet.
    """
    check_finite(x, where, first)
    for row in np.flatnonzero(~mask.any(axis=1))[:1]:
        raise FacsimError(f"'{where}': jet {first + row} has no particles: leave such jets out of the file.")
    same = (x[:, 1:] == x[:, :-1]).all(axis=2) & mask[:, 1:] & mask[:, :-1] & (x[:, 1:, 2] != 0)
    for row in np.flatnonzero(same.any(axis=1))[:1]:
        raise FacsimError(
            f"'{where}': jet {first + row} has the same particle twice: was the file written from overlapping lists?"
        )


def hardest_first(x: NDArray[Any], mask: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Jets with their particles in decreasing pT and the padding last; those in order come back as they are."""
    key = np.where(mask, x[:, :, 2], -np.inf)
    with np.errstate(invalid="ignore"):
        falling = (np.diff(key, axis=1) <= 0) | (np.isneginf(key[:, 1:]) & np.isneginf(key[:, :-1]))
    if falling.all():
        return x, mask
    order = np.argsort(-key, axis=1, kind="stable")
    return np.take_along_axis(x, order[..., None], axis=1), np.take_along_axis(mask, order, axis=1)
