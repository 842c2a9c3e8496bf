"""Observables of jets: mass, pT, eta, multiplicity, energy flow polynomials, the ratio D2.

Functions of particles with columns eta, phi, pT (the order of JetNet), massless; numpy arrays and torch tensors alike,
differentiable for the latter. With coordinates relative to the jet (eta - eta_jet, phi - phi_jet, pT / pT_jet), masses
and polynomials come out relative, too. Definitions: docs/jets.md.
"""

from __future__ import annotations

import math

from facsim.core.arrays import Array, as_type, namespace
from facsim.physics.jet_arrays import in_blocks, pair_squares, particles, safe_sqrt

__all__ = ["N_EFPS", "W1EFP_COLUMNS", "d2", "efps", "jet_features"]

PRODUCTS = (
    (1, 1), (1, 2), (1, 3), (2, 2), (1, 5), (2, 5), (1, 6), (1, 9),
    (1, 1, 1), (1, 11), (1, 13), (5, 5), (1, 1, 2), (1, 1, 5), (1, 1, 1, 1),
)  # fmt: skip
"""Columns 21 to 35 of `efps`: graphs of several parts, as the columns of their connected parts."""

N_EFPS = 36

W1EFP_COLUMNS = (12, 14, 15, 16, 17)
"""Columns of `efps` that JetNet's W1-EFP compares: the connected graphs of four vertices and four edges."""


def jet_features(jets: Array, mask: Array | None = None) -> dict[str, Array]:
    """Jet quantities from the sum of massless four-momenta.

    The mass comes from sums about the axis of the jet, in which the large terms of E^2 - p^2 cancel beforehand, so that
    float32 keeps its digits for light jets as well.

    Args:
        jets: (N, P, 3 or more), columns eta, phi (radians), pT (any unit); padding has pT = 0.
        mask: (N, P), 1 for a particle, 0 for padding.

    Returns:
        `mass`, `pt` (unit of pT), `eta`, `multiplicity` (number of particles with pT > 0), each (N,) and of the input's
        type. A jet without particles has 0 everywhere.

    Raises:
        FacsimError: wrong shapes, numbers that are not finite.
    """
    eta, phi, pt = particles(jets, mask)
    xp = namespace(pt)
    px, py, pz = (pt * xp.cos(phi)).sum(1), (pt * xp.sin(phi)).sum(1), (pt * xp.sinh(eta)).sum(1)
    square = px * px + py * py
    transverse = safe_sqrt(square)
    some = square > 0
    return {
        "mass": _mass(eta, phi, pt),
        "pt": transverse,
        "eta": xp.where(some, xp.arcsinh(pz / xp.where(some, transverse, 1.0)), 0.0),
        "multiplicity": as_type((pt > 0).sum(1), pt.dtype),
    }


def _mass(eta: Array, phi: Array, pt: Array) -> Array:
    """Mass (N,): with cosh eta = 1 + c and cos phi = 1 - d, E^2 - p^2 = (C + D)(2 S + C - D) - H^2 - Y^2."""
    xp = namespace(pt)
    weight = xp.abs(pt)
    total = weight.sum(1)
    centre = (weight * eta).sum(1) / xp.where(total > 0, total, 1.0)
    axis = xp.arctan2((weight * xp.sin(phi)).sum(1), (weight * xp.cos(phi)).sum(1))
    eta, phi = eta - _fixed(centre)[:, None], phi - _fixed(axis)[:, None]
    rise, fall = 2 * (pt * xp.sinh(eta / 2) ** 2).sum(1), 2 * (pt * xp.sin(phi / 2) ** 2).sum(1)
    along, across = (pt * xp.sinh(eta)).sum(1), (pt * xp.sin(phi)).sum(1)
    square = (rise + fall) * (2 * pt.sum(1) + rise - fall) - along * along - across * across
    return safe_sqrt(xp.where(square > 0, square, 0.0))


def _fixed(value: Array) -> Array:
    """Without gradient: the mass does not depend on the axis that it is computed about."""
    return value.detach() if hasattr(value, "detach") else value


def efps(jets: Array, mask: Array | None = None) -> Array:
    """The 36 energy flow polynomials of at most four edges (arXiv 1712.07124), in the order of the package EnergyFlow.

    EFP_G = sum over particles i_1 ... i_V of pT_i1 ... pT_iV times the product of theta_ij over the edges of G, with
    theta_ij = sqrt(d eta^2 + d phi^2): EnergyFlow's measure `hadr`, beta = 1, not normalised. Blocks of jets keep the
    working set in the cache; a tensor that asks for gradients keeps every block's intermediate results.

    Args:
        jets: (N, P, 3 or more), columns eta, phi (radians), pT (any unit, also negative); padding has pT = 0.
        mask: (N, P), 1 for a particle, 0 for padding.

    Returns:
        (N, 36), of the input's type; a column with V vertices has the unit of pT to the power V. Column 0 is sum pT,
        columns up to 20 are the connected graphs, the others products of these.

    Raises:
        FacsimError: wrong shapes, numbers that are not finite.
    """
    return in_blocks(_efp_block, particles(jets, mask))


def _efp_block(eta: Array, phi: Array, pt: Array) -> Array:
    """All columns, (n, 36). For vectors over the particles, `s_k` = sum_j theta_ij^k pT_j and u = pT s_1."""
    xp = namespace(pt)
    square = pair_squares(eta, phi)
    theta = safe_sqrt(square)
    s1, s2 = _apply(theta, pt), _apply(square, pt)
    s3, s4 = _apply(theta * square, pt), _apply(square * square, pt)
    u = pt * s1
    star, star2 = _apply(theta, u), _apply(square, u)
    # two_i_j = sum_k theta_ik pT_k theta_kj: two steps through the jet, the only cubic term.
    two = xp.matmul(theta * pt[:, None, :], theta)
    closed = two * theta
    triangle = _apply(closed, pt)
    triangle2, box = _apply(closed * theta, pt), _apply(two * two, pt)
    s11 = s1 * s1
    vertices = (
        None, s1, s2, s3, s4, s11, s1 * s2, s1 * s3, s2 * s2, triangle, triangle2,
        s11 * s1, s11 * s2, s1 * star, s2 * star, s1 * star2, s1 * triangle, box,
        s11 * s11, s11 * star, star * star,
    )  # fmt: skip
    connected = [pt.sum(1) if vertex is None else (pt * vertex).sum(1) for vertex in vertices]
    products = [math.prod((connected[i] for i in rest), start=connected[first]) for first, *rest in PRODUCTS]
    return xp.stack(connected + products, 1)


def _apply(matrix: Array, vector: Array) -> Array:
    """Matrices (n, P, P) times vectors (n, P)."""
    return namespace(matrix).matmul(matrix, vector[:, :, None])[:, :, 0]


def d2(jets: Array, mask: Array | None = None) -> Array:
    """Ratio of energy correlation functions D2 = e3 / e2^3 with beta = 1 (arXiv 1409.6298).

    e2 = sum_{i<j} z_i z_j theta_ij and e3 = sum_{i<j<k} z_i z_j z_k theta_ij theta_jk theta_ki with z = pT / sum pT;
    these are the polynomials of one edge and of the triangle, divided by the 2 and 6 orders of their particles.

    Args:
        jets: (N, P, 3 or more), columns eta, phi (radians), pT (any unit); padding has pT = 0.
        mask: (N, P), 1 for a particle, 0 for padding.

    Returns:
        (N,), of the input's type; 0 for jets whose particles all lie in one or two places.

    Raises:
        FacsimError: wrong shapes, numbers that are not finite, negative pT.
    """
    return in_blocks(_d2_block, particles(jets, mask, positive=True))


def _d2_block(eta: Array, phi: Array, pt: Array) -> Array:
    xp = namespace(pt)
    theta = safe_sqrt(pair_squares(eta, phi))
    total = pt.sum(1)
    z = pt / xp.where(total > 0, total, 1.0)[:, None]
    e2 = (z * _apply(theta, z)).sum(1) / 2
    e3 = (z * _apply(theta * xp.matmul(theta * z[:, None, :], theta), z)).sum(1) / 6
    spread = e2 > 0
    e2 = xp.where(spread, e2, 1.0)
    # One division at a time: the cube of a narrow jet's e2 is below the least float32.
    return xp.where(spread, e3 / e2 / e2 / e2, 0.0)
