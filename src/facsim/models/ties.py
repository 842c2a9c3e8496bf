"""Columns of a table that are exactly equal in part of the events: the second of two becomes its difference."""

from __future__ import annotations

import torch
from torch import Tensor, nn

COMMON = 0.01
"""Share of events from which equality counts as one that is meant, and a value as one that occurs exactly."""


class Ties(nn.Module):
    """Invertible map of `n` columns (..., n): a column with a parent is replaced by its difference to that.

    `fit` looks for pairs of columns that are equal in at least one event in a hundred, joins them into trees, largest
    share first, and makes every column but one of a tree the child of another. Equality is then a value, zero, of one
    column, which transforms of single columns keep exactly (`QuantileNormalisation`), and `decode` gives back equal
    numbers. Left alone are pairs of whole numbers, which are equal by chance and by rounding, and columns that would
    lose values of their own that occur exactly, such as zeros in events without the tie. A column that was never
    negative stays so.
    """

    parent: Tensor
    tied: Tensor
    positive: Tensor

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n = n
        self.register_buffer("parent", torch.arange(n))
        self.register_buffer("tied", torch.zeros(n, dtype=torch.bool))
        self.register_buffer("positive", torch.zeros(n, dtype=torch.bool))

    @torch.no_grad()
    def fit(self, x: Tensor, weight: Tensor | None = None) -> None:
        """Find the ties of `x` (M, n), M > 0, with weights (M,) that may be negative."""
        self.parent.copy_(torch.arange(self.n))
        self.tied.zero_()
        self.positive.copy_((x >= 0).all(0))
        whole = (x == x.round()).all(0)
        shares = {
            (i, j): _share(x[:, i] == x[:, j], weight)
            for i in range(self.n)
            for j in range(i + 1, self.n)
            if not bool(whole[i] & whole[j])
        }
        group = list(range(self.n))
        for (i, j), share in sorted(shares.items(), key=lambda item: -item[1]):
            if share < COMMON or group[i] == group[j]:
                continue
            child, parent = (j, i) if not bool(self.tied[j]) else (i, j)
            if bool(self.tied[child]) or _has_atoms(x[:, child], x[:, child] != x[:, parent], weight):
                continue
            self.parent[child], self.tied[child] = parent, True
            group = [group[parent] if one == group[child] else one for one in group]

    def encode(self, x: Tensor) -> Tensor:
        """Columns, those that have a parent less it."""
        return torch.where(self.tied, x - x.index_select(-1, self.parent), x)

    def decode(self, d: Tensor) -> Tensor:
        """Inverse of `encode`; where a difference is zero the two are equal to the last digit."""
        x, clamped = d, bool((self.tied & self.positive).any())
        for _ in range(self._depth()):
            child = x.index_select(-1, self.parent) + d
            if clamped:
                child = torch.where(self.positive, child.clamp(min=0), child)
            x = torch.where(self.tied, child, x)
        return x

    def _depth(self) -> int:
        """Steps from the root of a tree to its farthest child."""
        parents, depth = self.parent.tolist(), 0
        for column in range(self.n):
            at, steps = column, 0
            while parents[at] != at:
                at, steps = parents[at], steps + 1
            depth = max(depth, steps)
        return depth


def _share(chosen: Tensor, weight: Tensor | None) -> float:
    """Weighted share of the `chosen` events (M,); 0 where they are fewer than two."""
    if int(chosen.sum()) < 2:
        return 0.0
    return float(chosen.double().mean() if weight is None else weight[chosen].double().sum() / weight.double().sum())


def _has_atoms(x: Tensor, chosen: Tensor, weight: Tensor | None) -> bool:
    """Whether a value occurs in a hundredth of all events among the `chosen` ones."""
    values, counts = torch.unique(x[chosen], return_counts=True)
    likely = values[counts >= max(2.0, 0.1 * COMMON * len(x))]
    return any(_share(chosen & (x == value), weight) >= COMMON for value in likely)
