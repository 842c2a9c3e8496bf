"""Statistics of two samples that are functions of their means and covariances, for groups of blocks of events."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from facsim.core.arrays import Array, like, rows, to_numpy
from facsim.metrics._blocks import Blocks, Statistic
from facsim.metrics._samples import FloatArray

Moments = tuple[FloatArray, FloatArray]
"""Mean (D,) and covariance (D, D)."""

Groups = Callable[[FloatArray], Moments]


def moments_of_groups(x: Array, y: Array, weights: tuple[FloatArray, FloatArray], blocks: Blocks) -> Groups:
    """The function from a group of blocks, 0 or 1 each, (2 K,), to its mean and unbiased covariance."""
    of_both = ((x, weights[0], blocks.of_x), (y, weights[1], blocks.of_y))
    sums = [_block_sums(sample, w, of, blocks.count) for sample, w, of in of_both]
    first, second = (np.concatenate(part) for part in zip(*sums, strict=True))

    def moments(group: FloatArray) -> Moments:
        total, square = group @ blocks.total, group @ blocks.square
        mean = group @ first / total
        covariance = np.tensordot(group, second, 1) / total - np.outer(mean, mean)
        return mean, np.asarray(covariance / (1.0 - square / total**2))

    return moments


def between_moments(moments: Groups, function: Callable[[Moments, Moments], float]) -> Statistic:
    """`function` of the moments of two groups of blocks."""

    def statistic(first: FloatArray, second: FloatArray) -> FloatArray:
        return np.array([function(moments(f), moments(s)) for f, s in zip(first, second, strict=True)])

    return statistic


def plain_moments(x: Array) -> Moments:
    """Mean and unbiased covariance of events (N, D)."""
    mean = x.mean(axis=0)
    centred = x - mean
    return to_numpy(mean), to_numpy(centred.T @ centred / (len(x) - 1))


def _block_sums(x: Array, w: FloatArray, block: NDArray[np.int64], count: int) -> tuple[FloatArray, FloatArray]:
    """Weighted sums (K, D) and sums of products (K, D, D) of the events of each block."""
    first, second = [], []
    for k in range(count):
        members = np.flatnonzero(block == k)
        part = rows(x, members)
        weighted = part * like(w[members, None], part)
        first.append(to_numpy(weighted.sum(axis=0)))
        second.append(to_numpy(weighted.T @ part))
    return np.stack(first), np.stack(second)
