"""N-subjettiness of jets (arXiv 1011.2268) and its ratios, for many jets at a time.

Functions of particles with columns eta, phi, pT as in `facsim.physics.jets`; numpy arrays and torch tensors alike.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.arrays import Array, namespace
from facsim.core.errors import FacsimError
from facsim.physics.jet_arrays import in_blocks, pair_squares, particles, safe_sqrt

__all__ = ["subjettiness", "tau", "tau21", "tau32"]

R0 = 0.8
"""Radius of JetNet's jets, the unit of distances in `tau`."""

PAIRS_AT_ONCE = 1 << 19  # clustering takes as many passes as particles: fewer and larger blocks than for one pass


def subjettiness(jets: Array, n_max: int = 3, mask: Array | None = None, *, r0: float = R0) -> Array:
    """tau_1 to tau_n_max with beta = 1 about winner-take-all kT axes.

    tau_N = sum_i pT_i min_k theta_ik / (r0 sum_i pT_i), with theta_ik the distance of particle i to axis k of N. The
    axes come from merging the pair with least min(pT_i, pT_j) theta_ij, again and again, until N are left; the sum of a
    pair has the pT of both and the direction of the harder one (winner-take-all, arXiv 1401.2158; no distance to the
    beam). Axes are therefore particles, those of N - 1 are among those of N, and tau_N <= tau_(N-1) holds always.
    The choice of axes is made on the host, in float64; gradients are those at fixed choice.

    Args:
        jets: (N, P, 3 or more), columns eta, phi (radians), pT (any unit); padding has pT = 0.
        n_max: the largest number of axes, at least 1.
        mask: (N, P), 1 for a particle, 0 for padding.
        r0: radius of the jet, the unit of distances.

    Returns:
        (N, n_max), without unit, of the input's type; 0 for jets of no more particles than axes.

    Raises:
        FacsimError: wrong shapes, numbers that are not finite, negative pT, no axes, a radius that is not positive.
    """
    if n_max < 1 or not r0 > 0:
        raise FacsimError(f"N-subjettiness needs at least 1 axis and a positive radius, not {n_max} and {r0}.")

    def block(eta: Array, phi: Array, pt: Array) -> Array:
        return _tau_block(eta, phi, pt, n_max) / r0

    return in_blocks(block, particles(jets, mask, positive=True), PAIRS_AT_ONCE)


def tau(jets: Array, n: int, mask: Array | None = None, *, r0: float = R0) -> Array:
    """tau_n alone, (N,); see `subjettiness`, which gives all of them at the price of one."""
    return subjettiness(jets, n, mask, r0=r0)[:, n - 1]


def tau21(jets: Array, mask: Array | None = None) -> Array:
    """tau_2 / tau_1 (N,), small for jets of two prongs; 0 where tau_1 is 0. See `subjettiness`."""
    return _ratio(subjettiness(jets, 2, mask))


def tau32(jets: Array, mask: Array | None = None) -> Array:
    """tau_3 / tau_2 (N,), small for jets of three prongs; 0 where tau_2 is 0. See `subjettiness`."""
    return _ratio(subjettiness(jets, 3, mask))


def _ratio(taus: Array) -> Array:
    """The last column divided by the one before."""
    where = namespace(taus).where
    some = taus[:, -2] > 0
    return where(some, taus[:, -1] / where(some, taus[:, -2], 1.0), 0.0)


def _tau_block(eta: Array, phi: Array, pt: Array, n_max: int) -> Array:
    xp = namespace(pt)
    leaders = _leaders(_on_host(eta), _on_host(phi), _on_host(pt), n_max)
    jet = np.arange(len(leaders))[:, None]
    square = pair_squares(eta, phi, eta[jet, leaders], phi[jet, leaders])
    total = pt.sum(1)
    total = xp.where(total > 0, total, 1.0)
    nearest = [safe_sqrt(xp.amin(square[:, :, :n], -1)) for n in range(1, n_max + 1)]
    return xp.stack([(pt * distance).sum(1) / total for distance in nearest], 1)


def _on_host(array: Array) -> NDArray[np.float64]:
    return np.asarray(array.detach().cpu() if hasattr(array, "detach") else array, dtype=np.float64)


def _leaders(
    eta: NDArray[np.float64], phi: NDArray[np.float64], pt: NDArray[np.float64], n_max: int
) -> NDArray[np.int64]:
    """Particles (n, n_max) that lead the last clusters: the first N columns are the axes of N.

    Jets of fewer particles than axes repeat the last one left.
    """
    pt, alive = pt.copy(), pt > 0
    square: NDArray[np.float64] = pair_squares(eta, phi)
    left = alive.sum(1)
    lost = np.full((len(pt), n_max), -1)
    cost = np.minimum(pt[:, :, None], pt[:, None, :]) ** 2 * square
    cost[~(alive[:, :, None] & alive[:, None, :])] = np.inf
    cost[:, range(pt.shape[1]), range(pt.shape[1])] = np.inf
    partner = cost.argmin(2)
    least = np.take_along_axis(cost, partner[:, :, None], 2)[:, :, 0]
    for remaining in range(int(left.max(initial=0)) - 1, 0, -1):
        jet = np.flatnonzero(left > remaining)
        first = least[jet].argmin(1)
        second = partner[jet, first]
        swap = pt[jet, second] > pt[jet, first]
        winner, loser = np.where(swap, second, first), np.where(swap, first, second)
        _merge(jet, winner, loser, (pt, alive, square, cost, partner, least))
        if remaining < n_max:
            lost[jet, remaining] = loser
    lost[:, 0] = alive.argmax(1)
    return np.where(lost < 0, lost[:, :1], lost)


def _merge(
    jet: NDArray[np.int64], winner: NDArray[np.int64], loser: NDArray[np.int64], state: tuple[NDArray[Any], ...]
) -> None:
    """One merger in each of the jets, in place. Costs only grow, so that only rows whose partner merged are stale."""
    pt, alive, square, cost, partner, least = state
    pt[jet, winner] += pt[jet, loser]
    alive[jet, loser] = False
    row = np.minimum(pt[jet, winner, None], pt[jet]) ** 2 * square[jet, winner]
    row[~alive[jet]] = np.inf
    row[np.arange(len(jet)), winner] = np.inf
    cost[jet, winner], cost[jet, :, winner] = row, row
    cost[jet, loser], cost[jet, :, loser] = np.inf, np.inf
    least[jet, loser] = np.inf
    met = partner[jet]
    stale = (met == winner[:, None]) | (met == loser[:, None])
    stale[np.arange(len(jet)), winner] = True
    which, particle = np.nonzero(stale & alive[jet])
    rows = cost[jet[which], particle]
    best = rows.argmin(1)
    partner[jet[which], particle] = best
    least[jet[which], particle] = rows[np.arange(len(rows)), best]
