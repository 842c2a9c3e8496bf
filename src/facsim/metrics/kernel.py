"""Kernel physics distance (KPD, arXiv 2211.10295): unbiased MMD^2 with the kernel (x.y / D + 1)^4."""

from __future__ import annotations

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
from facsim.metrics.pairs import ROWS_AT_ONCE, in_blocks, kernel_matrix, mmd, pair_sums, quartic_kernel
from facsim.metrics.score import Estimate

JETNET = "jetnet-0.2.5"
CHALLENGE = "calochallenge-2022"
STRICT = "strict"
BATCH_SIZE = {JETNET: 5_000, CHALLENGE: 10_000}
MOST_PRODUCTS = 1000


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
    if _products(x.shape[1]) ** 2 < size * (x.shape[1] + 8):
        return np.array([_unbiased_of_products(rows(x, i), rows(y, j)) for i, j in drawn])
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


def _unbiased_of_products(x: Array, y: Array) -> float:
    """Unbiased MMD^2 of two samples in linear time."""
    one, other = (product_moments(s, np.zeros(len(s), dtype=int), np.ones(len(s)), 1)[0] for s in (x, y))
    n, m = len(x), len(y)
    inside_x = float((one * one).sum()) - _kernel_of_itself(x).sum()
    inside_y = float((other * other).sum()) - _kernel_of_itself(y).sum()
    return float(inside_x / (n * (n - 1)) + inside_y / (m * (m - 1)) - 2 * float((one * other).sum()) / (n * m))


def _kernel_of_itself(x: Array) -> FloatArray:
    return to_numpy(((x * x).sum(axis=1) / x.shape[1] + 1.0) ** 4)


def _products(dimension: int) -> int:
    """Products of pairs of `dimension` features and a constant."""
    return (dimension + 1) * (dimension + 2) // 2


def product_moments(x: Array, blocks: NDArray[np.int64], weights: FloatArray, count: int) -> Array:
    """Sums over the events of each block of w P P^T, P the products of pairs of [x / sqrt(D), 1]: (blocks, Q^2).

    The kernel is <P(x), P(y)>^2, so that its sum over two blocks is the inner product of their moments: time linear in
    the number of events.
    """
    xp, dimension = namespace(x), x.shape[1]
    i, j = np.triu_indices(dimension + 1)
    alike = bool(np.all(weights == 1))
    factor = like(np.where(i == j, 1.0, np.sqrt(2.0)), x)
    moments = xp.zeros_like(x, shape=(count, len(i), len(i))) if xp is np else x.new_zeros((count, len(i), len(i)))
    for block in range(count):
        members = np.flatnonzero(blocks == block)
        for first in range(0, len(members), ROWS_AT_ONCE):
            chosen = members[first : first + ROWS_AT_ONCE]
            part = rows(x, chosen)
            extended = xp.concatenate([part / dimension**0.5, xp.ones_like(part[:, :1])], axis=1)
            products = extended[:, i] * extended[:, j] * factor
            # Equal factors are a symmetric product, which takes half of the time.
            weighted = products if alike else products * like(weights[chosen, None], x)
            moments[block] += weighted.T @ products
    return moments.reshape(count, -1)


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
    products = _products(x.shape[1])
    if products <= MOST_PRODUCTS and products**2 < (len(x) + len(y)) * (x.shape[1] + 8):
        of_both = ((x, blocks.of_x, weights[0]), (y, blocks.of_y, weights[1]))
        moments = namespace(x).concatenate([product_moments(s, of, w, blocks.count) for s, of, w in of_both])
        return to_numpy(moments @ moments.T).copy()
    of_x, of_y = in_blocks(blocks, *weights)
    return kernel_matrix(x, of_x, y, of_y, quartic_kernel)
