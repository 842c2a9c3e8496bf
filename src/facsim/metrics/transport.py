"""Transport problems, many in step with one another: the least cost of moving supplies to demands.

Numpy arrays and torch tensors alike.
"""

from __future__ import annotations

import math

from facsim.core.arrays import Array, as_type, namespace

ROUNDING = 1e-13


def counted(like: Array) -> Array:
    """0, 1, 2 ... as many as there are values, where these are."""
    xp = namespace(like)
    return xp.cumsum(xp.ones_like(like, dtype=xp.int64), 0) - 1


class Transport:
    """Transport problems (B): cost (B, n, m), supply (B, n) and demand (B, m) of equal sums, with a `number` (B,) each.

    Successive shortest paths with node potentials (Edmonds and Karp, J. ACM 19 (1972) 248), one scanned row a step.

    A shortest path from a row with supply left to a column with demand left moves as much as it can, again and again.
    In a search, `wait` is the distance of rows reached and not yet scanned and `waiting` their number, `row_at` the
    distance of rows reached, `near` that of columns seen, `col_at` that of columns settled, infinity for all others;
    `row_of` and `col_of` lead back. Potentials u, v keep cost - u - v >= 0, and 0 wherever something flows (`flow` has
    columns first); `closed` is v, but -infinity for columns settled, so that nothing reaches them again.
    """

    def __init__(self, cost: Array, supply: Array, demand: Array, number: Array) -> None:
        xp = namespace(cost)
        zero = xp.zeros_like(supply[:, 0])
        self.xp, self.cost, self.number, self.live = xp, cost, number, zero == 0
        self.supply, self.demand, self.supplied, self.demanded = supply, demand, 1.0 * supply, 1.0 * demand
        self.flow = xp.zeros_like(xp.swapaxes(cost, 1, 2))
        self.limit = ROUNDING * supply.sum(1)
        self.v = xp.where(demand > 0, xp.amin(cost, 1), -math.inf)
        self.u = xp.amin(cost - self.v[:, None, :], 2)
        self.u[self.limit == 0] = 0.0
        self.wait, self.row_at = xp.zeros_like(supply), xp.zeros_like(supply)
        self.near, self.col_at, self.closed = (xp.zeros_like(demand) for _ in range(3))
        self.row_of, self.col_of = as_type(self.near, xp.int64), as_type(self.wait, xp.int64)
        self.waiting, self.source = zero, as_type(zero, xp.int64)
        self.each = counted(zero)
        self._search(self.each)

    def __len__(self) -> int:
        return len(self.number)

    def solved(self) -> tuple[Array, Array]:
        """Numbers and least costs of problems solved since the last call; their places are free then."""
        xp = self.xp
        which = xp.where(self.live & (self.waiting == math.inf))[0]
        self.live[which] = False
        return self.number[which], (xp.swapaxes(self.flow[which], 1, 2) * self.cost[which]).sum((1, 2))

    def bounds(self) -> Array:
        """Numbers (B,) that no cost lies below; they only grow, up to the least cost."""
        v = self.xp.where(self.demanded > 0, self.v, 0.0)
        return (self.u * self.supplied).sum(1) + (v * self.demanded).sum(1)

    def give_up(self, which: Array) -> None:
        """Free the places of these problems (B,)."""
        self.live[which], self.waiting[which] = False, math.inf

    def replace(self, which: Array, other: Transport) -> None:
        """Put as many other problems in the place of these."""
        for name, value in vars(self).items():
            if name not in ("xp", "each"):
                value[which] = getattr(other, name)

    def keep(self, which: Array) -> None:
        """Drop all problems but these (B,)."""
        for name, value in vars(self).items():
            if name != "xp":
                setattr(self, name, value[which])
        self.each = counted(self.limit)

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
        here, end = counted(amount), column
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
