"""Energy mover's distance between jets (arXiv 1902.02346), exact, for many pairs at a time.

Numpy arrays and torch tensors alike. The transport problems of many pairs are solved in step with one another: each by
successive shortest paths with node potentials (Edmonds and Karp, J. ACM 19 (1972) 248), where every step scans one
particle of every pair.
"""

from __future__ import annotations

import math
from types import ModuleType

from facsim.core.arrays import Array, as_type, namespace
from facsim.core.errors import FacsimError
from facsim.physics.jet_arrays import Particles, pair_squares, particles

PAIRS_AT_ONCE = 1024
ROUNDING = 1e-13
STEPS_BETWEEN = 8
SHARE_DONE = 8
"""Solved problems make room for others when they are one in so many; this is looked at every STEPS_BETWEEN steps."""


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
        FacsimError: wrong shapes, numbers that are not finite, negative pT, different numbers of jets.
    """
    one, two = _loaded(a, mask_a), _loaded(b, mask_b)
    if len(one.pt) != len(two.pt):
        raise FacsimError(f"distances of pairs need as many jets in both samples, not {len(one.pt)} and {len(two.pt)}.")
    index = _counted(one.pt[:, 0])
    return _distances(one, two, index, index)


def emd_matrix(a: Array, b: Array, mask_a: Array | None = None, mask_b: Array | None = None) -> Array:
    """Energy mover's distances of all pairs, (N, M), of jets (N, P, 3 or more) and (M, Q, 3 or more); see `emd`."""
    one, two = _loaded(a, mask_a), _loaded(b, mask_b)
    n, m = len(one.pt), len(two.pt)
    pair = _counted((one.pt[:, :1] + two.pt[None, :, 0]).reshape(n * m))
    return _distances(one, two, pair // m, pair % m).reshape(n, m)


def _counted(like: Array) -> Array:
    """0, 1, 2 ... as many as there are values, where these are."""
    xp = namespace(like)
    return xp.cumsum(xp.ones_like(like, dtype=xp.int64), 0) - 1


def _loaded(jets: Array, mask: Array | None) -> Particles:
    """Particles in float64, and one more of no pT after them."""
    found = particles(jets.detach() if hasattr(jets, "detach") else jets, mask, positive=True)
    xp = namespace(found.pt)
    return Particles(*(xp.concatenate([part, 0 * part[:, :1]], 1) for part in (as_type(p, xp.float64) for p in found)))


def _distances(a: Particles, b: Particles, of_a: Array, of_b: Array) -> Array:
    """EMD of the jets `of_a` of a and `of_b` of b, (pairs,). Problems that are solved make room for the next."""
    xp = namespace(a.pt)
    found = xp.zeros_like(a.pt[of_a, 0])
    number = _counted(found)

    def load(which: Array) -> _Transport:
        eta, phi, supply = (part[of_a[which]] for part in a)
        of_eta, of_phi, demand = (part[of_b[which]] for part in b)
        cost = xp.sqrt(pair_squares(eta, phi, of_eta, of_phi))
        # What the harder jet has too much goes nowhere, at no cost: to the last particle of the softer.
        cost[:, -1], cost[:, :, -1] = 0.0, 0.0
        surplus = supply.sum(1) - demand.sum(1)
        supply[:, -1], demand[:, -1] = xp.clip(-surplus, 0.0, None), xp.clip(surplus, 0.0, None)
        found[which] = xp.abs(surplus)
        return _Transport(xp, cost, supply, demand, which)

    problems, loaded = load(number[:PAIRS_AT_ONCE]), PAIRS_AT_ONCE
    while len(problems.number):
        done = xp.where(problems.waiting == math.inf)[0]
        if len(done) * SHARE_DONE >= len(problems.number):
            found[problems.number[done]] += problems.costs(done)
            more = number[loaded : loaded + len(done)]
            loaded += len(more)
            if len(more):
                problems.replace(done[: len(more)], load(more))
            if len(more) < len(done):
                problems.keep(problems.waiting < math.inf)
        for _ in range(STEPS_BETWEEN):
            problems.step()
    return found


class _Transport:
    """Transport problems (B): cost (B, n, m), supply (B, n) and demand (B, m) of equal sums.

    A shortest path from a row with supply left to a column with demand left moves as much as it can, again and again.
    In a search, `wait` is the distance of rows reached and not yet scanned and `waiting` their number, `row_at` the
    distance of rows reached, `near` that of columns seen, `col_at` that of columns settled, infinity for all others;
    `row_of` and `col_of` lead back. Potentials u, v keep cost - u - v >= 0, and 0 wherever something flows (`flow` has
    columns first); `closed` is v, but -infinity for columns settled, so that nothing reaches them again.
    """

    def __init__(self, xp: ModuleType, cost: Array, supply: Array, demand: Array, number: Array) -> None:
        zero = xp.zeros_like(supply[:, 0])
        self.xp, self.cost, self.supply, self.demand = xp, cost, supply, demand
        self.flow = xp.zeros_like(xp.swapaxes(cost, 1, 2))
        self.limit = ROUNDING * supply.sum(1)
        self.v = xp.where(demand > 0, xp.amin(cost, 1), -math.inf)
        self.u = xp.amin(cost - self.v[:, None, :], 2)
        self.u[self.limit == 0] = 0.0
        self.wait, self.row_at = xp.zeros_like(supply), xp.zeros_like(supply)
        self.near, self.col_at, self.closed = (xp.zeros_like(demand) for _ in range(3))
        self.row_of, self.col_of = as_type(self.near, xp.int64), as_type(self.wait, xp.int64)
        self.waiting, self.source = zero, as_type(zero, xp.int64)
        self.number, self.each = number, _counted(zero)
        self._search(self.each)

    def costs(self, which: Array) -> Array:
        """What the flows of these problems cost."""
        return (self.xp.swapaxes(self.flow[which], 1, 2) * self.cost[which]).sum((1, 2))

    def replace(self, which: Array, other: _Transport) -> None:
        """Put as many other problems in the place of these."""
        for name, value in vars(self).items():
            if name not in ("xp", "each"):
                value[which] = getattr(other, name)

    def keep(self, which: Array) -> None:
        """Drop all problems but these (B,)."""
        for name, value in vars(self).items():
            if name != "xp":
                setattr(self, name, value[which])
        self.each = _counted(self.limit)

    def _search(self, which: Array) -> None:
        """Begin a search at the row with most supply left; where there is none, the problem is solved."""
        xp = self.xp
        supply = self.supply[which]
        source = xp.argmax(supply, 1)
        for array in (self.wait, self.row_at, self.near, self.col_at):
            array[which] = math.inf
        self.closed[which] = self.v[which]
        self.source[which] = source
        some = xp.amax(supply, 1) > self.limit[which]
        start = xp.where(some, xp.zeros_like(supply[:, 0]), math.inf)
        self.wait[which, source], self.row_at[which, source] = start, start
        self.waiting[which] = start + 1.0

    def step(self) -> None:
        """Scan one row of every problem, and where none waits settle the nearest column."""
        xp, each = self.xp, self.each
        row = xp.argmin(self.wait, 1)
        distance = self.wait[each, row]
        self.wait[each, row] = math.inf
        self.waiting -= as_type(distance < math.inf, self.waiting.dtype)
        reach = (distance - self.u[each, row])[:, None] + self.cost[each, row] - self.closed
        self.row_of = xp.where(reach < self.near, row[:, None], self.row_of)
        xp.minimum(self.near, reach, out=self.near)
        which = xp.where(self.waiting == 0)[0]
        near = self.near[which]
        column = xp.argmin(near, 1)
        at = near[each[: len(which)], column]
        self.near[which, column], self.closed[which, column] = math.inf, -math.inf
        self.col_at[which, column] = at
        ends = self.demand[which, column] > 0
        self._augment(which[ends], column[ends], at[ends])
        self._grow(which[~ends], column[~ends], at[~ends])

    def _grow(self, which: Array, column: Array, at: Array) -> None:
        """Reach the rows that flow into a settled column without demand left."""
        reached = (self.flow[which, column] > 0) & (self.row_at[which] == math.inf)
        self.waiting[which] = as_type(reached.sum(1), self.waiting.dtype)
        number, row = self.xp.where(reached)
        pair = which[number]
        self.wait[pair, row], self.row_at[pair, row] = at[number], at[number]
        self.col_of[pair, row] = column[number]

    def _augment(self, which: Array, column: Array, at: Array) -> None:
        """Update potentials, move what the path to `column` carries, begin the next search."""
        xp, source = self.xp, self.source[which]
        at = at[:, None]
        self.u[which] += xp.clip(at - self.row_at[which], 0.0, None)
        self.v[which] += xp.clip(self.col_at[which] - at, None, 0.0)
        amount = xp.minimum(self.supply[which, source], self.demand[which, column])
        moves, taken = [], []
        here, end = _counted(amount), column
        while len(here):
            row = self.row_of[which[here], end]
            moves.append((here, row, end))
            on = row != source[here]
            here, row, end = here[on], row[on], self.col_of[which[here], row][on]
            taken.append((here, row, end))
            amount[here] = xp.minimum(amount[here], self.flow[which[here], end, row])
        for sign, steps in ((1.0, moves), (-1.0, taken)):
            for here, row, end in steps:
                self.flow[which[here], end, row] += sign * amount[here]
        self.supply[which, source] -= amount
        self.demand[which, column] -= amount
        self._search(which)
