"""Jets as arrays: one code for numpy and torch, checks, blocks of bounded memory, distances between particles.

torch is never imported: its functions are reached through the module of the tensors that come in.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

import numpy as np

from facsim.core.arrays import Array, as_type, namespace
from facsim.core.errors import FacsimError

__all__ = [
    "Particles",
    "in_blocks",
    "pair_squares",
    "particles",
    "safe_sqrt",
    "wrapped",
]

PAIRS_AT_ONCE = 1 << 16  # of particles, 0.5 MB each array in float64: stays in the cache, however many jets


class Particles(NamedTuple):
    """Particles of N jets, each array (N, P), floating point and finite; pT is 0 where there is no particle."""

    eta: Array
    phi: Array
    pt: Array


def particles(jets: Array, mask: Array | None = None, *, positive: bool = False) -> Particles:
    """Columns eta, phi, pT of jets, with pT = 0 for what the mask leaves out.

    Args:
        jets: (N, P, 3 or more), columns eta, phi (radians), pT (any unit). float32 and float64 are kept, every other
            type becomes float64.
        mask: (N, P), 1 or True for a particle, 0 or False for padding, which may then hold anything.
        positive: refuse negative pT.

    Raises:
        FacsimError: shapes that do not fit, no jets, a mask of other values, numbers that are not finite, negative pT.
    """
    xp = namespace(jets)
    jets = np.asarray(jets) if xp is np else jets
    if jets.ndim != 3 or jets.shape[2] < 3 or 0 in jets.shape:
        raise FacsimError(
            f"jets have shape (jets, particles, 3 or more) with columns eta, phi, pT, not {tuple(jets.shape)}."
        )
    if jets.dtype not in (xp.float32, xp.float64):
        jets = as_type(jets, xp.float64)
    jets = jets[:, :, :3]
    if mask is not None:
        jets = xp.where(_present(xp, mask, jets)[:, :, None], jets, 0.0)
    _check_values(xp, jets, positive)
    return Particles(jets[:, :, 0], jets[:, :, 1], jets[:, :, 2])


def _present(xp: ModuleType, mask: Array, jets: Array) -> Array:
    mask = np.asarray(mask) if xp is np else xp.asarray(mask, device=jets.device, requires_grad=False)
    if mask.shape != jets.shape[:2]:
        raise FacsimError(
            f"the mask of jets of shape {tuple(jets.shape)} has shape {tuple(jets.shape[:2])}, not {tuple(mask.shape)}."
        )
    present = mask == 1
    if not bool((present | (mask == 0)).all()):
        raise FacsimError("a mask holds 1 for particles and 0 for padding, and nothing else; convert it first.")
    return present


def _check_values(xp: ModuleType, jets: Array, positive: bool) -> None:
    finite = xp.isfinite(jets)
    if not bool(finite.all()):
        bad = int((~finite.reshape(len(jets), -1).all(1)).nonzero()[0][0])
        raise FacsimError(f"jet {bad} of {len(jets)} holds a number that is not finite; drop or mend it first.")
    if positive and bool((jets[:, :, 2] < 0).any()):
        bad = int((jets[:, :, 2] < 0).any(1).nonzero()[0][0])
        raise FacsimError(f"jet {bad} of {len(jets)} holds a negative pT, meaningless here; set it to 0 first.")


def in_blocks(function: Callable[..., Array], parts: Particles, pairs: int = PAIRS_AT_ONCE) -> Array:
    """`function(eta, phi, pt)` of blocks of jets with so many pairs of particles, joined along the first axis."""
    n, p = parts.pt.shape
    step = max(1, pairs // p**2)
    return namespace(parts.pt).concatenate(
        [function(*(part[i : i + step] for part in parts)) for i in range(0, n, step)]
    )


def safe_sqrt(square: Array) -> Array:
    """Square root of numbers not negative, with gradient 0 instead of infinity at 0."""
    xp = namespace(square)
    if not getattr(square, "requires_grad", False):
        return xp.sqrt(square)
    zero = square == 0
    return xp.where(zero, 0.0, xp.sqrt(xp.where(zero, 1.0, square)))


def wrapped(angle: Array) -> Array:
    """The same angle in [-pi, pi]; exact for an angle that is there already."""
    return angle - 2 * math.pi * namespace(angle).round(angle / (2 * math.pi))


def pair_squares(eta: Array, phi: Array, of_eta: Array | None = None, of_phi: Array | None = None) -> Array:
    """Squares of sqrt(d eta^2 + d phi^2) between particles (..., P) and points (..., K), by default themselves.

    d phi is the angle between the two, at most pi: min(d, 2 pi - d) with d = |phi_i - phi_j|, which equals
    pi - ||phi_i - phi_j| - pi| and loses no digits where d is small.

    Returns:
        (..., P, K).
    """
    xp = namespace(eta)
    phi = wrapped(phi)
    of_eta = eta if of_eta is None else of_eta
    of_phi = phi if of_phi is None else wrapped(of_phi)
    d_eta = eta[..., :, None] - of_eta[..., None, :]
    d_phi = xp.abs(phi[..., :, None] - of_phi[..., None, :])
    d_phi = xp.minimum(d_phi, 2 * math.pi - d_phi)
    return d_eta * d_eta + d_phi * d_phi
