"""Energy mover's distance between jets (arXiv 1902.02346), exact, for many pairs at a time.

Numpy arrays and torch tensors alike.
"""

from __future__ import annotations

import math

from facsim.core.arrays import Array, as_type, namespace
from facsim.core.errors import FacsimError
from facsim.metrics.transport import Transport, counted
from facsim.physics.jet_arrays import Particles, pair_squares, particles

PAIRS_AT_ONCE = 1024
STEPS_BETWEEN = 8
SHARE_FREE = 8
"""Every so many steps it is looked whether one problem in so many is solved and makes room for another."""
FARTHEST = 1e100
MARGIN = 1 + 1e-9
"""For rounding, where a bound is held against a distance."""


def emd(a: Array, b: Array, mask_a: Array | None = None, mask_b: Array | None = None) -> Array:
    """Energy mover's distance of jet i of `a` and jet i of `b`.

    The least sum over moves of (pT moved) x sqrt(d eta^2 + d phi^2) that turns the softer jet into part of the harder
    one, plus |sum pT_a - sum pT_b|: EnergyFlow's `emd` with R = 1, beta = 1, norm = False, and phi taken round the
    circle. Exact to rounding (float64 throughout); no gradients.

    Args:
        a, b: (N, P, 3 or more) and (N, Q, 3 or more), columns eta, phi (radians), pT (any unit); padding has pT = 0.
        mask_a, mask_b: (N, P) and (N, Q), 1 for a particle, 0 for padding.

    Returns:
        (N,), float64, in the unit of pT.

    Raises:
        FacsimError: wrong shapes, numbers that are not finite, angles beyond 1e100, negative pT, different numbers of
            jets.
    """
    one, two = _loaded(a, mask_a), _loaded(b, mask_b)
    if len(one.pt) != len(two.pt):
        raise FacsimError(f"distances of pairs need as many jets in both samples, not {len(one.pt)} and {len(two.pt)}.")
    index = counted(one.pt[:, 0])
    return _distances(one, two, index, index, index)


def emd_matrix(
    a: Array, b: Array, mask_a: Array | None = None, mask_b: Array | None = None, *, nearest_only: bool = False
) -> Array:
    """Energy mover's distances of all pairs, (N, M), of jets (N, P, 3 or more) and (M, Q, 3 or more); see `emd`.

    With `nearest_only` a pair that is the nearest neither of its row nor of its column may be infinite in place of its
    distance; this takes a third of the time.
    """
    one, two = _loaded(a, mask_a), _loaded(b, mask_b)
    n, m = len(one.pt), len(two.pt)
    pair = counted((one.pt[:, :1] + two.pt[None, :, 0]).reshape(n * m))
    # Diagonal by diagonal: every row and column soon has a distance that others can be held against.
    order = pair % n * m + (pair % n + pair // n) % m
    return _distances(one, two, pair // m, pair % m, order, nearest_only=nearest_only, shape=(n, m)).reshape(n, m)


def _loaded(jets: Array, mask: Array | None) -> Particles:
    """Particles in float64, and one more of no pT after them."""
    found = particles(jets.detach() if hasattr(jets, "detach") else jets, mask, positive=True)
    xp = namespace(found.pt)
    parts = Particles(*(as_type(part, xp.float64) for part in found))
    if bool((xp.abs(parts.eta) > FARTHEST).any()) or bool((xp.abs(parts.phi) > FARTHEST).any()):
        raise FacsimError(f"jets hold an angle beyond {FARTHEST:g}: no distance can be taken; remove those jets.")
    return Particles(*(xp.concatenate([part, 0 * part[:, :1]], 1) for part in parts))


def _problems(a: Particles, b: Particles) -> tuple[Array, Array, Array, Array]:
    """Cost (B, n, m), supply, demand, and what the harder jet has too much, for pairs of jets."""
    xp = namespace(a.pt)
    cost = xp.sqrt(pair_squares(a.eta, a.phi, b.eta, b.phi))
    # The surplus of the harder jet goes nowhere, at no cost: to the last particle of the softer.
    cost[:, -1], cost[:, :, -1] = 0.0, 0.0
    surplus = a.pt.sum(1) - b.pt.sum(1)
    supply, demand = 1.0 * a.pt, 1.0 * b.pt
    supply[:, -1], demand[:, -1] = xp.clip(-surplus, 0.0, None), xp.clip(surplus, 0.0, None)
    return cost, supply, demand, xp.abs(surplus)


def _distances(
    a: Particles,
    b: Particles,
    of_a: Array,
    of_b: Array,
    order: Array,
    *,
    nearest_only: bool = False,
    shape: tuple[int, int] = (1, -1),
) -> Array:
    """EMD of the jets `of_a` of a and `of_b` of b, (pairs,), computed in this order; solved pairs make room.

    `shape`: of all pairs, where only those are wanted that are the nearest of a row or column.
    """
    xp = namespace(a.pt)
    found = xp.full_like(a.pt[of_a, 0], math.inf)
    surplus = xp.zeros_like(found)

    def load(which: Array) -> Transport:
        one, two = (Particles(*(part[of[which]] for part in jets)) for jets, of in ((a, of_a), (b, of_b)))
        cost, supply, demand, surplus[which] = _problems(one, two)
        return Transport(cost, supply, demand, 1 * which)

    problems, loaded = load(order[:PAIRS_AT_ONCE]), PAIRS_AT_ONCE
    while len(problems):
        which, costs = problems.solved()
        found[which] = costs + surplus[which]
        if nearest_only:
            matrix, number = found.reshape(shape), problems.number
            enough = xp.maximum(xp.amin(matrix, 1)[of_a[number]], xp.amin(matrix, 0)[of_b[number]])
            problems.give_up(problems.bounds() + surplus[number] > MARGIN * enough)
        free = xp.where(~problems.live)[0]
        if len(free) * SHARE_FREE >= len(problems):
            more = order[loaded : loaded + len(free)]
            loaded += len(more)
            if len(more):
                problems.replace(free[: len(more)], load(more))
            if len(more) < len(free):
                problems.keep(problems.live)
        for _ in range(STEPS_BETWEEN):
            problems.step()
    return found
