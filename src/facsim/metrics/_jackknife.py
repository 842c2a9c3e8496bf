"""Block jackknife of functions of two samples, with extrapolation to infinite sample size."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.metrics._samples import FloatArray

BLOCKS = 20

Moments = tuple[FloatArray, FloatArray]
BoolArray = NDArray[np.bool_]


def extrapolated(
    x: FloatArray, y: FloatArray, function: Callable[[Moments, Moments], float], rng: np.random.Generator
) -> tuple[float, float]:
    """`function` of the (mean, covariance) of both samples, extrapolated in 1/N, and its error.

    Each of K = 20 blocks of events is left out of both samples in turn: value K F_N - (K - 1) <F_(N - N/K)>, error
    sqrt((K - 1)/K sum (F_k - <F>)^2). Moments of the rest come from sums over blocks.

    Raises:
        FacsimError: fewer than four events in a sample.
    """
    blocks, n_blocks = assign_blocks((len(x), len(y)), rng)
    sums = [_block_sums(sample, block, n_blocks) for sample, block in zip((x, y), blocks, strict=True)]
    whole = [tuple(part.sum(axis=0) for part in sample) for sample in sums]
    full = function(_moments(*whole[0]), _moments(*whole[1]))
    without = np.empty(n_blocks)
    for k in range(n_blocks):
        rest = [
            _moments(*(total - part[k] for total, part in zip(totals, sample, strict=True)))
            for totals, sample in zip(whole, sums, strict=True)
        ]
        without[k] = function(rest[0], rest[1])
    return _combined(full, without)


def extrapolated_events(
    n_x: int, n_y: int, function: Callable[[BoolArray, BoolArray], float], rng: np.random.Generator
) -> tuple[float, float]:
    """The same for a `function` of which events of either sample are kept (n_x,), (n_y,); same blocks for one `rng`.

    Raises:
        FacsimError: fewer than four events in a sample.
    """
    (block_x, block_y), n_blocks = assign_blocks((n_x, n_y), rng)
    full = function(block_x >= 0, block_y >= 0)
    return _combined(full, np.array([function(block_x != k, block_y != k) for k in range(n_blocks)]))


def assign_blocks(sizes: tuple[int, int], rng: np.random.Generator) -> tuple[list[NDArray[np.int64]], int]:
    """Random block of each event of both samples, and the number of blocks, 20 or as many as there are pairs of events.

    Raises:
        FacsimError: fewer than four events in a sample.
    """
    n_blocks = min(BLOCKS, *(size // 2 for size in sizes))
    if n_blocks < 2:
        raise FacsimError(f"this metric needs four events in each sample, not {sizes[0]} and {sizes[1]}.")
    return [rng.permutation(np.arange(size) % n_blocks) for size in sizes], n_blocks


def _combined(full: float, without: FloatArray) -> tuple[float, float]:
    n_blocks = len(without)
    return float(n_blocks * full - (n_blocks - 1) * without.mean()), jackknife_error(without)


def jackknife_error(without: FloatArray) -> float:
    """Error from the values without each of K blocks in turn, (K,)."""
    n_blocks = len(without)
    return float(np.sqrt((n_blocks - 1) / n_blocks * np.sum((without - without.mean()) ** 2)))


def _block_sums(x: FloatArray, block: NDArray[np.int64], n_blocks: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Events, sums (blocks, D) and sums of products (blocks, D, D) of each block."""
    members = [x[block == k] for k in range(n_blocks)]
    return (
        np.array([float(len(part)) for part in members]),
        np.stack([part.sum(axis=0) for part in members]),
        np.stack([part.T @ part for part in members]),
    )


def _moments(n: FloatArray, first: FloatArray, second: FloatArray) -> Moments:
    mean = first / n
    return mean, np.asarray((second - n * np.outer(mean, mean)) / (n - 1))
