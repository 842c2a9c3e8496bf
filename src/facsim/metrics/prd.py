"""Precision and recall of distributions (PRD, Sajjadi et al., arXiv 1806.00035) and the area under their curve."""

from __future__ import annotations

import warnings

import numpy as np
from scipy.cluster.vq import kmeans2
from scipy.integrate import trapezoid

from facsim.core.arrays import Array, to_numpy
from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.metrics._samples import FloatArray, check_features, check_weights, scale_robustly
from facsim.metrics.score import Estimate

CLUSTERS = 20
CLUSTERINGS = 10
ANGLES = 1001
RESAMPLINGS = 40
ITERATIONS = 30


def prd_auc(
    real: Array,
    gen: Array,
    *,
    real_weights: Array | None = None,
    gen_weights: Array | None = None,
    clusters: int = CLUSTERS,
    clusterings: int = CLUSTERINGS,
    scale: bool = True,
    seed: int = 42,
) -> Estimate:
    """Area under the precision-recall curve of two samples: 1 for alike, 0 for disjoint ones.

    Both samples together are divided into clusters by k-means; with P and Q the shares of the generated and of the real
    events in each, precision(t) = sum min(t Q, P) and recall(t) = precision(t) / t for t from 0 to infinity (1001
    angles). The mean over `clusterings` k-means; its error is the scatter of resampled shares, and of the clusterings.
    Finite samples never reach 1: compare with truth against truth. Computed on the host.

    Args:
        real: reference features (N, D), gen: features to judge (M, D).
        real_weights, gen_weights: event weights, not negative.
        clusters: of each k-means; fewer where there are fewer different events.
        clusterings: independent k-means.
        scale: take features in robust units limited to +-8; without it, as they are.
        seed: of the k-means and the resampling.

    Raises:
        FacsimError: shapes that do not fit, values that are not finite, weights that do not fit, fewer events than
            clusters, no clustering.
    """
    x, y = check_features(real, gen)
    if clusters < 2 or clusterings < 1 or min(len(x), len(y)) < clusters:
        raise FacsimError(
            f"PRD needs two or more clusters, a clustering and at least as many events a sample as clusters, "
            f"not {clusters}, {clusterings} and {len(x)}, {len(y)}."
        )
    weights = [
        check_weights(name, len(sample), given, negative=False)
        for name, sample, given in (("reference", x, real_weights), ("generated", y, gen_weights))
    ]
    if scale:
        x, y = scale_robustly(x, y)
    pooled = np.concatenate([to_numpy(x), to_numpy(y)])
    clusters = min(clusters, len(np.unique(pooled, axis=0)))
    rng = generator(seed, "prd")
    values, variances = np.empty(clusterings), np.empty(clusterings)
    for k in range(clusterings):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # an empty cluster takes no events and changes nothing
            label = kmeans2(pooled, clusters, iter=ITERATIONS, minit="++", seed=rng)[1]
        drawn = [_shares(part, w, clusters, rng) for part, w in zip(np.split(label, [len(x)]), weights, strict=True)]
        areas = _area(drawn[1], drawn[0])
        values[k], variances[k] = areas[0], areas[1:].var(ddof=1)
    scatter = values.var(ddof=1) / clusterings if clusterings > 1 else 0.0
    return Estimate((float(values.mean()), float(np.sqrt(variances.mean() + scatter))))


def _shares(label: FloatArray, weights: FloatArray, clusters: int, rng: np.random.Generator) -> FloatArray:
    """Shares of the clusters, (1 + resamplings, clusters): as they are, then with the noise of so many events."""
    shares = np.bincount(label, weights, clusters) / weights.sum()
    effective = round(float(weights.sum() ** 2 / np.sum(weights**2)))
    return np.vstack([shares, rng.multinomial(effective, shares, RESAMPLINGS) / effective])


def _area(p: FloatArray, q: FloatArray) -> FloatArray:
    """Areas (n,) under the curves of shares p and q, (n, clusters)."""
    slope = np.tan(np.linspace(1e-8, np.pi / 2 - 1e-8, ANGLES))[:, None, None]
    precision = np.minimum(slope * q, p).sum(axis=2)
    recall = precision / slope[:, :, 0]
    return np.asarray(-trapezoid(precision, recall, axis=0))
