"""Frechet physics distance (FPD, arXiv 2211.10295): Frechet distance of Gaussians, without its sample-size bias."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cholesky, eigh, eigvalsh
from scipy.optimize import OptimizeWarning, curve_fit

from facsim.core.arrays import Array, like, namespace, rows, to_numpy
from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.metrics._blocks import FEW_HALVES, HALVES, MANY_FEATURES, Statistic, assign_blocks, estimate
from facsim.metrics._moments import Moments, between_moments, moments_of_groups
from facsim.metrics._samples import (
    CLIP,
    FloatArray,
    check_different,
    check_features,
    check_weights,
    scale_by_largest,
    scale_robustly,
)
from facsim.metrics.protocols import CHALLENGE, JETNET, STRICT
from facsim.metrics.score import Estimate

MIN_SAMPLES = {JETNET: 20_000, CHALLENGE: 10_000}
ROWS_AT_ONCE = 1024


def frechet_distance(mean1: FloatArray, cov1: FloatArray, mean2: FloatArray, cov2: FloatArray) -> float:
    """|m1 - m2|^2 + Tr(C1 + C2 - 2 (C1 C2)^(1/2)); covariances may be singular.

    With C1 = L L^T the trace of the root is the sum of the square roots of the eigenvalues of L^T C2 L, which is
    symmetric: no complex numbers, and no noise from the root of a nearly singular product.
    """
    try:
        root = cholesky(cov1, lower=True, check_finite=False)
    except LinAlgError:
        values, vectors = eigh(cov1, check_finite=False)
        root = vectors * np.sqrt(np.clip(values, 0.0, None))
    product = root.T @ cov2 @ root
    eigenvalues = eigvalsh(0.5 * (product + product.T), check_finite=False)
    trace = np.sqrt(np.clip(eigenvalues, 0.0, None)).sum()
    return float(np.sum((mean1 - mean2) ** 2) + np.trace(cov1) + np.trace(cov2) - 2.0 * trace)


def _distance_of_few(pooled: FloatArray, block: NDArray[np.int64]) -> Statistic:
    """The Frechet distance of groups of blocks of both samples together (N + M, D), with few more events than features.

    The trace of the root is the sum of the singular values of A B^T, A and B the centred samples over
    sqrt(N - 1), sqrt(M - 1): a matrix of events, N x M, smaller than the covariances, and made from one product.
    """
    pooled = pooled - pooled.mean(axis=0)
    products = pooled @ pooled.T
    square = np.diag(products)

    def distance(in_x: NDArray[np.bool_], in_y: NDArray[np.bool_]) -> float:
        n, m = np.count_nonzero(in_x), np.count_nonzero(in_y)
        mean_x, mean_y = in_x @ pooled / n, in_y @ pooled / m
        part = products[np.ix_(in_x, in_y)]
        part = part - part.mean(axis=0) - part.mean(axis=1)[:, None] + part.mean()
        product = part @ part.T if n < m else part.T @ part
        roots = np.sqrt(np.clip(eigvalsh(product, check_finite=False), 0.0, None)).sum()
        trace_x = (square[in_x].sum() - n * mean_x @ mean_x) / (n - 1)
        trace_y = (square[in_y].sum() - m * mean_y @ mean_y) / (m - 1)
        trace = roots / np.sqrt((n - 1) * (m - 1))
        return float(np.sum((mean_x - mean_y) ** 2) + trace_x + trace_y - 2.0 * trace)

    def statistic(first: FloatArray, second: FloatArray) -> FloatArray:
        return np.array([distance(f[block] > 0, s[block] > 0) for f, s in zip(first, second, strict=True)])

    return statistic


def _distance(one: Moments, two: Moments) -> float:
    return frechet_distance(*one, *two)


def fpd(
    real: Array,
    gen: Array,
    protocol: str = STRICT,
    *,
    real_weights: Array | None = None,
    gen_weights: Array | None = None,
    min_samples: int | None = None,
    max_samples: int = 50_000,
    num_batches: int = 20,
    num_points: int = 10,
    seed: int = 42,
    clip: float | None = CLIP,
    permutations: int = 0,
) -> Estimate:
    """Frechet physics distance of two feature samples, extrapolated to infinite sample size.

    `jetnet-0.2.5`: features divided by the reference's largest |value|; mean distance of `num_batches` pairs of
    samples drawn with replacement at `num_points` sizes equally spaced in 1/N; fit a + b/N with a, b >= 0; value a
    and its fit error. `calochallenge-2022`: the same with min_samples = 10 000. Both are biased upwards (drawing with
    replacement cannot see beyond the pool, and a >= 0), and one extreme event sets the scale.

    `strict`: features in robust units, limited to +-8; the distance of all events, extrapolated in 1/N by leaving out
    each of 20 blocks of events in turn (K F_N - (K - 1) <F_(N - N/K)>), its error and the p-value of a permutation test
    from the same blocks (`metrics._blocks.estimate`). It may be negative and averages to 0 for samples of one
    distribution. Below about 2 D events the extrapolation leaves part of the bias: compare with the null of equal size.

    Args:
        real: reference features (N, D), gen: features to judge (M, D); numpy arrays or torch tensors.
        protocol: one of the three above.
        real_weights, gen_weights: event weights, negative ones allowed (`strict` only).
        min_samples: smallest sample of the fit, by default the protocol's, and then each sample must hold as many; set,
            it may be more than there are, as the draws are with replacement (unused by `strict`).
        max_samples: largest sample of the fit (unused by `strict`).
        num_batches, num_points: pairs a size, and sizes (unused by `strict`).
        seed: seed of all draws.
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
    if protocol not in MIN_SAMPLES:
        raise FacsimError(f"unknown protocol '{protocol}' of the FPD: use one of {[*MIN_SAMPLES, STRICT]}.")
    if real_weights is not None or gen_weights is not None:
        raise FacsimError(f"the protocol '{protocol}' knows no weights; use '{STRICT}'.")
    least = MIN_SAMPLES[protocol] if min_samples is None else min_samples
    if not 2 <= least < max_samples or num_points < 3 or num_batches < 1:
        raise FacsimError(
            f"the FPD's fit needs three or more sizes between 2 <= min_samples < max_samples and a batch at each, not "
            f"{num_points} sizes from {least} to {max_samples} and {num_batches} batches."
        )
    if min_samples is None and min(len(x), len(y)) < least:
        raise FacsimError(
            f"this protocol of the FPD draws at least {least} events of each sample; there are {min(len(x), len(y))}: "
            "give more, or set min_samples yourself."
        )
    sizes = (1 / np.linspace(1.0 / least, 1.0 / max_samples, num_points)).astype(np.int32)
    return _batched(*scale_by_largest(x, y), sizes, num_batches, seed)


def _strict(x: Array, y: Array, weights: tuple[FloatArray, FloatArray], seed: int, permutations: int) -> Estimate:
    rng = generator(seed, "fpd")
    blocks = assign_blocks(*weights, rng)
    dimension, alike = x.shape[1], all(np.all(w == w[0]) for w in weights)
    if alike and min(len(x), len(y)) < dimension and len(x) + len(y) < 4 * dimension:
        of = np.concatenate([blocks.of_x, blocks.count + blocks.of_y])
        statistic = _distance_of_few(np.concatenate([to_numpy(x), to_numpy(y)]), of)
    else:
        statistic = between_moments(moments_of_groups(x, y, weights, blocks), _distance)
    halves = HALVES if dimension <= MANY_FEATURES else FEW_HALVES
    return estimate(statistic, blocks, rng, extrapolate=True, permutations=permutations, halves=halves)


def _batched(x: Array, y: Array, sizes: NDArray[np.int32], num_batches: int, seed: int) -> Estimate:
    rng = np.random.default_rng(seed)
    draws = [[rng.choice(len(sample), size=n) for sample in (x, y)] for n in np.repeat(sizes, num_batches)]
    moments = [_moments_of_draws(sample, [draw[k] for draw in draws]) for k, sample in enumerate((x, y))]
    distances = np.array([frechet_distance(*one, *two) for one, two in zip(*moments, strict=True)])
    values = distances.reshape(len(sizes), num_batches).mean(axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OptimizeWarning)
        best, covariance = curve_fit(_line, 1 / sizes, values, bounds=([0, 0], [np.inf, np.inf]))
    return Estimate((float(best[0]), float(np.sqrt(covariance[0, 0]))))


def _line(x: FloatArray, intercept: float, slope: float) -> FloatArray:
    return intercept + slope * x


def _moments_of_draws(x: Array, draws: list[NDArray[np.int64]]) -> Iterator[Moments]:
    """Mean and covariance of each draw of rows.

    How often each row comes, for all draws, times the products of two features is one matrix product in place of a
    gather of rows for each draw. It pays where there are few features and draws are not much smaller than the sample.
    """
    xp, n_features = namespace(x), x.shape[1]
    if n_features > MANY_FEATURES or len(x) * len(draws) > 2 * sum(len(drawn) for drawn in draws):
        yield from (_drawn_moments(x, drawn) for drawn in draws)
        return
    centre = x.mean(axis=0)
    i, j = np.triu_indices(n_features)
    times = np.stack([np.bincount(drawn, minlength=len(x)).astype(np.int32) for drawn in draws])
    sums = np.zeros((len(draws), n_features + len(i)))
    for first in range(0, len(x), ROWS_AT_ONCE):
        part = x[first : first + ROWS_AT_ONCE] - centre
        counted = like(times[:, first : first + ROWS_AT_ONCE], x)
        sums += to_numpy(counted @ xp.concatenate([part, part[:, i] * part[:, j]], axis=1))
    for total, drawn in zip(sums, draws, strict=True):
        n, mean = len(drawn), total[:n_features] / len(drawn)
        covariance = np.empty((n_features, n_features))
        covariance[i, j] = covariance[j, i] = (total[n_features:] - n * mean[i] * mean[j]) / (n - 1)
        yield mean + to_numpy(centre), covariance


def _drawn_moments(x: Array, drawn: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
    """Mean and covariance of rows drawn with replacement; by multiplicity where more are drawn than there are."""
    n = len(drawn)
    if n <= len(x):
        sample, times = rows(x, drawn), None
    else:
        sample, times = x, like(np.bincount(drawn, minlength=len(x)), x)
    mean = (sample if times is None else sample * times[:, None]).sum(axis=0) / n
    centred = sample - mean
    squares = (centred if times is None else centred * times[:, None]).T @ centred
    return to_numpy(mean), to_numpy(squares / (n - 1))
