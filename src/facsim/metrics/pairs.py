"""Sums over all pairs of events, without ever holding all pairs, and what a jackknife of blocks makes of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from facsim.metrics._jackknife import assign_blocks, jackknife_error
from facsim.metrics._samples import FloatArray

ROWS_AT_ONCE = 1024

PairFunction = Callable[[FloatArray, FloatArray], FloatArray]
"""Values (n, m) of a symmetric function for all pairs of rows of two arrays (n, D), (m, D)."""


def euclidean(x: FloatArray, y: FloatArray) -> FloatArray:
    """Distances (n, m) of the rows of x (n, D) and y (m, D)."""
    squares = np.einsum("ij,ij->i", x, x)[:, None] + np.einsum("ij,ij->i", y, y) - 2.0 * (x @ y.T)
    return np.asarray(np.sqrt(np.maximum(squares, 0.0, out=squares), out=squares))


def quartic_kernel(x: FloatArray, y: FloatArray) -> FloatArray:
    """The kernel (x.y / D + 1)^4 of the KPD."""
    kernel = x @ y.T
    kernel /= x.shape[1]
    kernel += 1.0
    kernel *= kernel
    kernel *= kernel
    return kernel


def pair_sums(
    x: FloatArray, weights_x: FloatArray, y: FloatArray, weights_y: FloatArray, function: PairFunction
) -> FloatArray:
    """W_x f(x, y) W_y^T of shape (B, C) with weights (B, N), (C, M)."""
    total = np.zeros((len(weights_x), len(weights_y)))
    for first in range(0, len(x), ROWS_AT_ONCE):
        rows = slice(first, first + ROWS_AT_ONCE)
        for start in range(0, len(y), ROWS_AT_ONCE):
            columns = slice(start, start + ROWS_AT_ONCE)
            total += weights_x[:, rows] @ function(x[rows], y[columns]) @ weights_y[:, columns].T
    return total


class BlockedPairs:
    """Sums of a kernel over pairs of blocks of events: `xx`, `yy` without an event's pair with itself, and `xy`.

    Args:
        xx, yy, xy: sums over pairs of blocks, (K, K).
        size_x, size_y: events of each block (K,).
    """

    def __init__(self, xx: FloatArray, yy: FloatArray, xy: FloatArray, size_x: FloatArray, size_y: FloatArray) -> None:
        self.xx, self.yy, self.xy, self.size_x, self.size_y = xx, yy, xy, size_x, size_y

    def mmd(self) -> tuple[float, float]:
        """Unbiased MMD^2 of all events, and its jackknife error: each block left out of both samples in turn."""
        n = len(self.size_x)
        without = np.array([self._estimate(np.arange(n) != k) for k in range(n)])
        return self._estimate(np.ones(n, dtype=bool)), jackknife_error(without)

    def _estimate(self, keep: NDArray[np.bool_]) -> float:
        n, m = self.size_x[keep].sum(), self.size_y[keep].sum()
        part = np.ix_(keep, keep)
        inside = self.xx[part].sum() / (n * (n - 1)) + self.yy[part].sum() / (m * (m - 1))
        return float(inside - 2 * self.xy[part].sum() / (n * m))


def blocked_distances(x: FloatArray, y: FloatArray, rng: np.random.Generator) -> BlockedPairs:
    """Sums of minus the Euclidean distance over random blocks of x (N, D) and y (M, D), for the energy distance.

    Time grows with (N + M)^2, memory does not.
    """
    blocks, n_blocks = assign_blocks((len(x), len(y)), rng)
    in_x, in_y = (np.eye(n_blocks)[:, block] for block in blocks)
    pairs = ((x, in_x, x, in_x), (y, in_y, y, in_y), (x, in_x, y, in_y))
    xx, yy, xy = (-pair_sums(*pair, euclidean) for pair in pairs)
    return BlockedPairs(xx, yy, xy, in_x.sum(axis=1), in_y.sum(axis=1))
