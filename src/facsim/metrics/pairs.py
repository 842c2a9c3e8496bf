"""Sums over all pairs of events, without ever holding all pairs, and the MMD^2 of groups of blocks of events."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from facsim.core.arrays import Array, like, namespace, to_numpy
from facsim.metrics._blocks import Blocks, Statistic
from facsim.metrics._samples import FloatArray

ROWS_AT_ONCE = 1024

PairFunction = Callable[[Array, Array], Array]
"""Values (n, m) of a symmetric function for all pairs of rows of two arrays (n, D), (m, D)."""


def squared_distances(x: Array, y: Array) -> Array:
    """Squared Euclidean distances (n, m) of the rows of x (n, D) and y (m, D), not below 0."""
    squares = x @ (-2.0 * y.T)
    squares += (x * x).sum(axis=1)[:, None]
    squares += (y * y).sum(axis=1)
    return namespace(x).clip(squares, 0.0, None, out=squares)


def euclidean(x: Array, y: Array) -> Array:
    """Distances (n, m) of the rows of x (n, D) and y (m, D)."""
    squares = squared_distances(x, y)
    return namespace(x).sqrt(squares, out=squares)


def quartic_kernel(x: Array, y: Array) -> Array:
    """The kernel (x.y / D + 1)^4 of the KPD."""
    kernel = x @ y.T
    kernel /= x.shape[1]
    kernel += 1.0
    kernel *= kernel
    kernel *= kernel
    return kernel


def pair_sums(x: Array, weights_x: FloatArray, y: Array, weights_y: FloatArray, function: PairFunction) -> FloatArray:
    """W_x f(x, y) W_y^T of shape (B, C) with weights (B, N), (C, M)."""
    left, right = like(weights_x, x), like(weights_y, y)
    total = like(np.zeros((len(weights_x), len(weights_y))), x)
    for first in range(0, len(x), ROWS_AT_ONCE):
        rows = slice(first, first + ROWS_AT_ONCE)
        for start in range(0, len(y), ROWS_AT_ONCE):
            columns = slice(start, start + ROWS_AT_ONCE)
            total += left[:, rows] @ function(x[rows], y[columns]) @ right[:, columns].T
    return to_numpy(total)


def in_blocks(blocks: Blocks, weights_x: FloatArray, weights_y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weights of events by block, (K, N) and (K, M), 0 outside of the event's block."""
    one = np.eye(blocks.count)
    return one[:, blocks.of_x] * weights_x, one[:, blocks.of_y] * weights_y


def kernel_matrix(x: Array, of_x: FloatArray, y: Array, of_y: FloatArray, function: PairFunction) -> FloatArray:
    """Sums of a kernel over pairs of blocks of both samples, (2 K, 2 K), with an event's pair with itself.

    Args:
        of_x, of_y: as from `in_blocks`.
    """
    xx, yy = pair_sums(x, of_x, x, of_x, function), pair_sums(y, of_y, y, of_y, function)
    xy = pair_sums(x, of_x, y, of_y, function)
    return np.block([[xx, xy], [xy.T, yy]])


def mmd(matrix: FloatArray, blocks: Blocks) -> Statistic:
    """Unbiased MMD^2 of groups of blocks, from the sums (2 K, 2 K) over pairs of different events."""

    def statistic(first: FloatArray, second: FloatArray) -> FloatArray:
        inside = [
            np.einsum("pi,pi->p", g @ matrix, g) / ((g @ blocks.total) ** 2 - g @ blocks.square)
            for g in (first, second)
        ]
        across = np.einsum("pi,pi->p", first @ matrix, second) / ((first @ blocks.total) * (second @ blocks.total))
        return np.asarray(inside[0] + inside[1] - 2 * across)

    return statistic
