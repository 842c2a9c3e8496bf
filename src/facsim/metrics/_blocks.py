"""Errors and p-values of statistics of two samples, from random blocks of their events.

Both samples are divided into K blocks. A statistic is a function of two groups of blocks: the jackknife leaves blocks
out, halves of mixed blocks show how much the statistic scatters between samples of one distribution, and exchanged
blocks are a permutation test. Nothing is computed from single events twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.metrics._samples import FloatArray
from facsim.metrics.score import Estimate

BLOCKS = 20
HALVES = 100
MANY_FEATURES = 64
FEW_HALVES = 16
"""Halves for the error of functions of covariances with more than `MANY_FEATURES` features, which take milliseconds."""
FEWEST_FOR_QUANTILE = 50
ONE_SIGMA = 0.6826894921370859
FEWEST_EFFECTIVE = 1.5
"""Effective events left without a block; unbiased covariances and MMDs divide by this number less one."""
LEAST_SHARE = 0.75
"""The linear part is a difference and may come out negative; it may take at most the rest of the scatter of pairs."""

Statistic = Callable[[FloatArray, FloatArray], FloatArray]
"""Values (P,) for P pairs of groups of blocks, given as 0 and 1, (P, 2 K): first the reference's K, then the others."""


@dataclass(frozen=True)
class Blocks:
    """Random blocks of the events of two samples.

    Attributes:
        of_x, of_y: block of each event, (N,) and (M,), from 0 to `count` - 1.
        total, square: sums of weights and of their squares, (2 `count`,), the reference's blocks first.
    """

    of_x: NDArray[np.int64]
    of_y: NDArray[np.int64]
    total: FloatArray
    square: FloatArray

    @property
    def count(self) -> int:
        """Blocks of each sample."""
        return len(self.total) // 2

    def noise(self, first: FloatArray, second: FloatArray) -> FloatArray:
        """1/n + 1/m of two groups of blocks (..., 2 K), with the effective numbers of events n and m."""
        inverse = [(g @ self.square) / (g @ self.total) ** 2 for g in (first, second)]
        return np.asarray(inverse[0] + inverse[1])


def assign_blocks(weights_x: FloatArray, weights_y: FloatArray, rng: np.random.Generator) -> Blocks:
    """Random blocks of all but equal numbers of events: 20, or as many as there are pairs of events.

    Raises:
        FacsimError: fewer than four events in a sample, or all but no effective events left without a block.
    """
    sizes = (len(weights_x), len(weights_y))
    count = min(BLOCKS, *(size // 2 for size in sizes))
    if count < 2:
        raise FacsimError(f"this metric needs four events in each sample, not {sizes[0]} and {sizes[1]}.")
    of = [rng.permutation(np.arange(size) % count) for size in sizes]
    sums = [
        np.concatenate([np.bincount(b, w**power, count) for b, w in zip(of, (weights_x, weights_y), strict=True)])
        for power in (1, 2)
    ]
    for total, square in zip(np.split(sums[0], 2), np.split(sums[1], 2), strict=True):
        left, left_square = total.sum() - total, square.sum() - square
        if left.min() <= 0 or np.any(left**2 < FEWEST_EFFECTIVE * left_square):
            raise FacsimError("a few events hold all the weight of a sample: this metric has no error then.")
    return Blocks(of[0], of[1], sums[0], sums[1])


def estimate(
    statistic: Statistic,
    blocks: Blocks,
    rng: np.random.Generator,
    *,
    extrapolate: bool = False,
    permutations: int = 0,
    halves: int = HALVES,
) -> Estimate:
    """Value, error and p-value of a statistic of two samples whose noise falls with 1/N.

    Value: of all blocks; with `extrapolate` in 1/N, K F_N - (K - 1) <F_(N - N/K)>, each block left out of both samples
    in turn. Error: what changes linearly with single events (the jackknife's variance of the same values, less what
    it takes for such of the other part), and the central 68 % half-width of the statistic between halves that hold half
    of the blocks of either sample, which is the scatter that is left for samples of one distribution; added in squares.
    p-value: of `permutations` exchanges of blocks, (1 + as large) / (1 + all); exact for samples of equal size.

    Raises:
        FacsimError: a negative number of permutations.
    """
    if permutations < 0:
        raise FacsimError(f"the number of permutations is {permutations}: expected 0 or more.")
    k = blocks.count
    x, y = np.repeat([1.0, 0.0], k)[None], np.repeat([0.0, 1.0], k)[None]
    kept = 1.0 - np.tile(np.eye(k), 2)
    full, without = float(statistic(x, y)[0]), statistic(x * kept, y * kept)
    value = k * full - (k - 1) * float(without.mean()) if extrapolate else full
    p_value = math.nan
    if permutations:
        p_value = _p_value(statistic, blocks, rng, permutations, full)
    return Estimate((value, _error(statistic, blocks, rng, without, halves)), p_value)


def jackknife_error(without: FloatArray) -> float:
    """Error from the values without each of K blocks in turn, (K,)."""
    k = len(without)
    return float(np.sqrt((k - 1) / k * np.sum((without - without.mean()) ** 2)))


def _error(statistic: Statistic, blocks: Blocks, rng: np.random.Generator, without: FloatArray, halves: int) -> float:
    k, whole = blocks.count, jackknife_error(without)
    if k < 4 or not halves:
        return whole
    chosen = np.zeros((halves, 2 * k))
    for row in chosen:
        row[rng.permutation(k)[: k // 2]] = 1
        row[k + rng.permutation(k)[: (k + 1) // 2]] = 1
    found = _in_units(statistic, blocks, chosen)
    scatter = np.abs(found - found.mean())
    square = float(np.mean(scatter**2))
    pairs = float(np.quantile(scatter, ONE_SIGMA)) ** 2 if halves >= FEWEST_FOR_QUANTILE else square
    # A jackknife takes the scatter that comes from pairs of blocks 2 (K - 1) / (K - 2) times.
    linear = whole**2 - 2 * (k - 1) / (k - 2) * square
    return float(np.sqrt(max(linear + pairs, LEAST_SHARE * pairs)))


def _p_value(statistic: Statistic, blocks: Blocks, rng: np.random.Generator, permutations: int, full: float) -> float:
    chosen = np.stack([rng.permutation(2 * blocks.count) < blocks.count for _ in range(permutations)]).astype(float)
    found = _in_units(statistic, blocks, chosen)
    return float((1 + np.count_nonzero(found >= full)) / (1 + permutations))


def _in_units(statistic: Statistic, blocks: Blocks, chosen: FloatArray) -> FloatArray:
    """The statistic between the chosen blocks and the others, as if the groups were as large as the samples."""
    k = blocks.count
    x, y = np.repeat([1.0, 0.0], k), np.repeat([0.0, 1.0], k)
    others = 1.0 - chosen
    return np.asarray(statistic(chosen, others) * blocks.noise(x, y) / blocks.noise(chosen, others))
