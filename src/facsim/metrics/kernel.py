"""Kernel physics distance (KPD, arXiv 2211.10295): unbiased MMD^2 with the kernel (x.y / D + 1)^4."""

from __future__ import annotations

from functools import cache
from math import comb

import numpy as np
from numpy.typing import NDArray

from facsim.core.arrays import Array, like, namespace, rows, to_numpy
from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.metrics._blocks import Blocks, assign_blocks, estimate
from facsim.metrics._samples import (
    CLIP,
    FloatArray,
    check_different,
    check_features,
    check_weights,
    scale_by_largest,
    scale_robustly,
)
from facsim.metrics.pairs import in_blocks, kernel_matrix, mmd, pair_sums, quartic_kernel
from facsim.metrics.protocols import CHALLENGE, JETNET, STRICT
from facsim.metrics.score import Estimate

BATCH_SIZE = {JETNET: 5_000, CHALLENGE: 10_000}
MOST_MONOMIALS = 300_000
EVENTS_AT_ONCE = 512


def kpd(
    real: Array,
    gen: Array,
    protocol: str = STRICT,
    *,
    real_weights: Array | None = None,
    gen_weights: Array | None = None,
    num_batches: int = 10,
    batch_size: int | None = None,
    seed: int = 42,
    clip: float | None = CLIP,
    permutations: int = 0,
) -> Estimate:
    """Kernel physics distance of two feature samples.

    `jetnet-0.2.5`: features divided by the reference's largest |value|; the median over `num_batches` batches of
    `batch_size` (5 000) events drawn with replacement, and half the 16.275-83.725 percentile range of the batches.
    `calochallenge-2022`: the same with batches of 10 000.

    `strict`: features in robust units limited to +-8; the exact unbiased MMD^2 of all events, its error and the p-value
    of a permutation test from 20 blocks of events (`metrics._blocks.estimate`). It averages to 0 for samples of one
    distribution.

    Args:
        real: reference features (N, D), gen: features to judge (M, D); numpy arrays or torch tensors.
        protocol: one of the three above.
        real_weights, gen_weights: event weights, negative ones allowed (`strict` only).
        num_batches, batch_size: of the batched protocols; with the protocol's own size each sample must hold as many
            events, a size that is set may be more than there are, as the draws are with replacement.
        seed: seed of the batches, or of the blocks.
        clip: limit of robust units; None leaves extreme events as they are (`strict` only).
        permutations: of the p-value (`strict` only); none, no p-value.

    Raises:
        FacsimError: shapes that do not fit, values that are not finite, unknown protocol, too few events, weights
            without a positive sum or with a batched protocol, one sample given twice to `strict`.
    """
    x, y = check_features(real, gen)
    if protocol == STRICT:
        check_different(x, y)
        weights = check_weights("reference", len(x), real_weights), check_weights("generated", len(y), gen_weights)
        return _strict(*scale_robustly(x, y, clip), weights, seed, permutations)
    if protocol not in BATCH_SIZE:
        raise FacsimError(f"unknown protocol '{protocol}' of the KPD: use one of {[*BATCH_SIZE, STRICT]}.")
    if real_weights is not None or gen_weights is not None:
        raise FacsimError(f"the protocol '{protocol}' knows no weights; use '{STRICT}'.")
    size = BATCH_SIZE[protocol] if batch_size is None else batch_size
    if num_batches < 1 or size < 2:
        raise FacsimError(f"the KPD needs at least one batch of two events, not {num_batches} of {size}.")
    if batch_size is None and min(len(x), len(y)) < size:
        raise FacsimError(
            f"this protocol of the KPD draws batches of {size} events; there are {min(len(x), len(y))}: give more, "
            "or set batch_size yourself."
        )
    values = _batch_values(*scale_by_largest(x, y), num_batches, size, seed)
    low, high = np.percentile(values, (16.275, 83.725))
    return Estimate((float(np.median(values)), float((high - low) / 2)))


def _batch_values(x: Array, y: Array, batches: int, size: int, seed: int) -> FloatArray:
    """MMD^2 of each batch; by the cheapest of three ways that give the same number."""
    drawn = []
    for i in range(batches):
        rng = np.random.default_rng(seed + i * 1000)
        drawn.append((rng.choice(len(x), size=size), rng.choice(len(y), size=size)))
    if _linear_is_cheaper(size, size, x.shape[1]):
        return np.array([_unbiased_of_moments(rows(x, i), rows(y, j)) for i, j in drawn])
    if max(len(x), len(y)) ** 2 > batches * size**2:
        ones = np.ones((1, size))
        return np.array([_unbiased(rows(x, i), ones, rows(y, j), ones)[0] for i, j in drawn])
    times_x = np.stack([np.bincount(i, minlength=len(x)) for i, _ in drawn]).astype(np.float64)
    times_y = np.stack([np.bincount(j, minlength=len(y)) for _, j in drawn]).astype(np.float64)
    return _unbiased(x, times_x, y, times_y)


def _unbiased(x: Array, times_x: FloatArray, y: Array, times_y: FloatArray) -> FloatArray:
    """Unbiased MMD^2 for each row of multiplicities (batches, N), (batches, M)."""
    n, m = times_x.sum(axis=1), times_y.sum(axis=1)
    inside_x = np.diag(pair_sums(x, times_x, x, times_x, quartic_kernel)) - times_x @ _kernel_of_itself(x)
    inside_y = np.diag(pair_sums(y, times_y, y, times_y, quartic_kernel)) - times_y @ _kernel_of_itself(y)
    across = np.diag(pair_sums(x, times_x, y, times_y, quartic_kernel))
    return np.asarray(inside_x / (n * (n - 1)) + inside_y / (m * (m - 1)) - 2 * across / (n * m))


def _linear_is_cheaper(n: int, m: int, dimension: int) -> bool:
    """Whether moments take fewer multiplications than kernels of all pairs, and fit in memory."""
    monomials = _monomials(dimension)
    return monomials <= MOST_MONOMIALS and (n + m) * monomials < (n * n + m * m + n * m) * (dimension + 8)


def _unbiased_of_moments(x: Array, y: Array) -> float:
    """Unbiased MMD^2 of two samples in linear time."""
    one, other = (quartic_moments(s, np.zeros(len(s), dtype=int), np.ones(len(s)), 1)[0] for s in (x, y))
    n, m = len(x), len(y)
    inside_x = float((one * one).sum()) - _kernel_of_itself(x).sum()
    inside_y = float((other * other).sum()) - _kernel_of_itself(y).sum()
    return float(inside_x / (n * (n - 1)) + inside_y / (m * (m - 1)) - 2 * float((one * other).sum()) / (n * m))


def _kernel_of_itself(x: Array) -> FloatArray:
    return to_numpy(((x * x).sum(axis=1) / x.shape[1] + 1.0) ** 4)


def _monomials(dimension: int) -> int:
    """Monomials of degree 4 of `dimension` features and a constant."""
    return comb(dimension + 4, 4)


def quartic_moments(x: Array, blocks: NDArray[np.int64], weights: FloatArray, count: int) -> Array:
    """Weighted sums over the events of each block of all monomials of degree 4 of [x / sqrt(D), 1]: (blocks, Q).

    The kernel is a sum over these monomials, each as often as its factors can be ordered, so that its sum over two
    blocks is the inner product of their moments, with the root of that number as factor: time linear in the events.
    Monomials a <= b <= c <= d are products of the pairs (a, b) with all (c, d) that begin at b or later.
    """
    xp, size = namespace(x), x.shape[1] + 1
    alike, factor = bool(np.all(weights == 1)), like(_orders(size), x)
    moments = []
    for block in range(count):
        members = np.flatnonzero(blocks == block)
        total = 0.0 * factor
        for first in range(0, len(members), EVENTS_AT_ONCE):
            chosen = members[first : first + EVENTS_AT_ONCE]
            part = rows(x, chosen).T
            part = xp.concatenate([part / (size - 1) ** 0.5, xp.ones_like(part[:1])])
            left = part if alike else part * like(weights[chosen], x)
            pairs = xp.concatenate([part[c:] * part[c] for c in range(size)])
            begin = np.cumsum([0, *range(size, 0, -1)])
            sums = [(left[: b + 1] * part[b]) @ pairs[begin[b] :].T for b in range(size)]
            total += xp.concatenate([each.reshape(-1) for each in sums])
        moments.append(total * factor)
    return xp.stack(moments)


@cache
def _orders(size: int) -> FloatArray:
    """Root of the number of orders of the factors of each monomial, in the order of `quartic_moments`."""
    found = []
    for b in range(size):
        c, d = np.triu_indices(size - b)
        four = np.stack(np.broadcast_arrays(np.arange(b + 1)[:, None], b, c + b, d + b), axis=-1)
        same = four[..., 1:] == four[..., :-1]
        runs = np.ones(same.shape[:-1])
        length = np.ones(same.shape[:-1])
        for k in range(3):
            length = np.where(same[..., k], length + 1, 1.0)
            runs *= length
        found.append((24.0 / runs).ravel())
    return np.asarray(np.sqrt(np.concatenate(found)))


def _strict(x: Array, y: Array, weights: tuple[FloatArray, FloatArray], seed: int, permutations: int) -> Estimate:
    rng = generator(seed, "kpd")
    blocks = assign_blocks(*weights, rng)
    matrix = _matrix(x, y, weights, blocks)
    for part, (sample, w, of) in enumerate(((x, weights[0], blocks.of_x), (y, weights[1], blocks.of_y))):
        place = part * blocks.count + np.arange(blocks.count)
        matrix[place, place] -= np.bincount(of, w**2 * _kernel_of_itself(sample), blocks.count)
    return estimate(mmd(matrix, blocks), blocks, rng, permutations=permutations)


def _matrix(x: Array, y: Array, weights: tuple[FloatArray, FloatArray], blocks: Blocks) -> FloatArray:
    """Sums of the kernel over pairs of blocks, (2 K, 2 K), by the cheaper of two ways."""
    if _linear_is_cheaper(len(x), len(y), x.shape[1]):
        of_both = ((x, blocks.of_x, weights[0]), (y, blocks.of_y, weights[1]))
        moments = namespace(x).concatenate([quartic_moments(s, of, w, blocks.count) for s, of, w in of_both])
        return to_numpy(moments @ moments.T).copy()
    of_x, of_y = in_blocks(blocks, *weights)
    return kernel_matrix(x, of_x, y, of_y, quartic_kernel)
