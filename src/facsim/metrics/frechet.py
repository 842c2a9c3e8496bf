"""Frechet physics distance (FPD, arXiv 2211.10295): Frechet distance of Gaussians, without its sample-size bias."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cholesky, eigh, eigvalsh
from scipy.optimize import OptimizeWarning, curve_fit

from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.metrics._jackknife import BoolArray, extrapolated, extrapolated_events
from facsim.metrics._samples import FloatArray, check_features, scale_by_largest, scale_robustly

JETNET = "jetnet-0.2.5"
CHALLENGE = "calochallenge-2022"
STRICT = "strict"
MIN_SAMPLES = {JETNET: 20_000, CHALLENGE: 10_000}


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


def _distance_of_few(x: FloatArray, y: FloatArray) -> Callable[[BoolArray, BoolArray], float]:
    """`frechet_distance` of the events kept, for samples (N, D), (M, D) with fewer events than features.

    The trace of the root is the sum of the singular values of A B^T, A and B the centred samples over
    sqrt(N - 1), sqrt(M - 1): a matrix of events, N x M, smaller than the covariances, and made from one product.
    """
    x, y = x - x.mean(axis=0), y - x.mean(axis=0)
    products, square_x, square_y = x @ y.T, np.sum(x**2, axis=1), np.sum(y**2, axis=1)

    def distance(kept_x: BoolArray, kept_y: BoolArray) -> float:
        n, m = np.count_nonzero(kept_x), np.count_nonzero(kept_y)
        mean_x, mean_y = kept_x @ x / n, kept_y @ y / m
        part = products[np.ix_(kept_x, kept_y)]
        part = part - part.mean(axis=0) - part.mean(axis=1)[:, None] + part.mean()
        product = part @ part.T if n < m else part.T @ part
        roots = np.sqrt(np.clip(eigvalsh(product, check_finite=False), 0.0, None)).sum()
        trace_x = (square_x[kept_x].sum() - n * mean_x @ mean_x) / (n - 1)
        trace_y = (square_y[kept_y].sum() - m * mean_y @ mean_y) / (m - 1)
        trace = roots / np.sqrt((n - 1) * (m - 1))
        return float(np.sum((mean_x - mean_y) ** 2) + trace_x + trace_y - 2.0 * trace)

    return distance


def fpd(
    real: NDArray[Any],
    gen: NDArray[Any],
    protocol: str = STRICT,
    *,
    min_samples: int | None = None,
    max_samples: int = 50_000,
    num_batches: int = 20,
    num_points: int = 10,
    seed: int = 42,
) -> tuple[float, float]:
    """Frechet physics distance of two feature samples, extrapolated to infinite sample size.

    `jetnet-0.2.5`: features divided by the reference's largest |value|; mean distance of `num_batches` pairs of
    samples drawn with replacement at `num_points` sizes equally spaced in 1/N; fit a + b/N with a, b >= 0; value a
    and its fit error. `calochallenge-2022`: the same with min_samples = 10 000. Both are biased upwards (jets.md 8.1:
    drawing with replacement cannot see beyond the pool, and a >= 0), and one extreme event sets the scale.

    `strict`: features in robust units, limited to +-8; the distance of all events, extrapolated in 1/N by leaving out
    each of 20 blocks of events in turn (K F_N - (K - 1) <F_(N - N/K)>), and the jackknife error of the same blocks.
    It may be negative and averages to 0 for samples of one distribution, where its error is too large by 1.4 to 2.
    Below about 2 D events the extrapolation leaves part of the bias: compare with the null of equal size.

    Args:
        real: reference features (N, D), gen: features to judge (M, D).
        protocol: one of the three above.
        min_samples: smallest sample of the fit, by default the protocol's (unused by `strict`).
        max_samples: largest sample of the fit (unused by `strict`).
        num_batches, num_points: pairs a size, and sizes (unused by `strict`).
        seed: seed of all draws.

    Raises:
        FacsimError: shapes that do not fit, values that are not finite, unknown protocol, too few events.
    """
    x, y = check_features(real, gen)
    if protocol == STRICT:
        x, y = scale_robustly(x, y)
        rng = generator(seed, "fpd")
        if min(len(x), len(y)) < x.shape[1]:
            return extrapolated_events(len(x), len(y), _distance_of_few(x, y), rng)
        return extrapolated(x, y, lambda one, two: frechet_distance(*one, *two), rng)
    if protocol not in MIN_SAMPLES:
        raise FacsimError(f"unknown protocol '{protocol}' of the FPD: use one of {[*MIN_SAMPLES, STRICT]}.")
    x, y = scale_by_largest(x, y)
    least = MIN_SAMPLES[protocol] if min_samples is None else min_samples
    sizes = (1 / np.linspace(1.0 / least, 1.0 / max_samples, num_points)).astype(np.int32)
    rng = np.random.default_rng(seed)
    values = []
    for size in sizes:
        at_size = []
        for _ in range(num_batches):
            first, second = rng.choice(len(x), size=size), rng.choice(len(y), size=size)
            at_size.append(frechet_distance(*_drawn_moments(x, first), *_drawn_moments(y, second)))
        values.append(np.mean(at_size))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OptimizeWarning)
        best, covariance = curve_fit(_line, 1 / sizes, values, bounds=([0, 0], [np.inf, np.inf]))
    return float(best[0]), float(np.sqrt(covariance[0, 0]))


def _line(x: FloatArray, intercept: float, slope: float) -> FloatArray:
    return intercept + slope * x


def _moments(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    mean = x.mean(axis=0)
    centred = x - mean
    return mean, np.asarray(centred.T @ centred / (len(x) - 1))


def _drawn_moments(x: FloatArray, drawn: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
    """Mean and covariance of rows drawn with replacement; by multiplicity where more are drawn than there are."""
    if len(drawn) <= len(x):
        return _moments(x[drawn])
    times = np.bincount(drawn, minlength=len(x)).astype(np.float64)
    mean = times @ x / len(drawn)
    centred = x - mean
    return mean, np.asarray((centred * times[:, None]).T @ centred / (len(drawn) - 1))
