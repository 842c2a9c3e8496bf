"""Weights of either sign (sWeights) made fit for training: their conditional expectations.

With a weight that may be negative a training loss has no lower bound. Borisyak and Kazeev (arXiv 1905.11719) replace w
by E[w | x]: losses have the same expectation for any function of x, and the expectation is a ratio of densities, never
negative. It is estimated by regression, one for each fold on the events of the others, so that the weights of the
events that are judged take no part. What is judged keeps its exact weights: a poor regression costs power and makes no
bias.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.metrics.boosting import BoostSettings, cross_fitted_means

FloatArray = NDArray[np.float64]
REGRESSION = BoostSettings(rounds=80, depth=3, candidates=64, rate=0.1, penalty=50.0)


def training_weights(
    ranks: NDArray[Any], label: NDArray[Any], weight: NDArray[Any], fold: NDArray[Any], rng: np.random.Generator
) -> FloatArray:
    """What the classifier of each fold is trained with in place of `weight`: (folds, N), not negative.

    E[w | x] of the events of each label for itself, at least 0; the events that a fold's model is trained on add up to
    half of their number for either label.

    Args:
        ranks: features as uniform ranks, (D, N). label: 0 or 1, (N,). weight: of any sign, (N,).
        fold: of each event, integers from 0, (N,).
        rng: of the trees.
    """
    count = int(fold.max()) + 1
    found = np.zeros((count, len(weight)))
    train = fold[None, :] != np.arange(count)[:, None]
    expected = expected_weights(ranks, label, weight, fold, rng)
    for one in (0, 1):
        rows = np.flatnonzero(np.asarray(label) == one)
        total = (expected[:, rows] * train[:, rows]).sum(axis=1)
        found[:, rows] = expected[:, rows] * (0.5 * train.sum(axis=1) / np.maximum(total, 1e-12))[:, None]
    return found


def expected_weights(
    ranks: NDArray[Any], label: NDArray[Any], weight: NDArray[Any], fold: NDArray[Any], rng: np.random.Generator
) -> FloatArray:
    """E[w | x] of the events of each label in units of their mean weight, at least 0, for each fold: (folds, N).

    Arguments as of `training_weights`, but labels are any integers; the mean weight of each must be positive.
    """
    found = np.zeros((int(fold.max()) + 1, len(weight)))
    for one in np.unique(label):
        rows = np.flatnonzero(np.asarray(label) == one)
        relative = weight[rows] / np.mean(weight[rows])
        found[:, rows] = np.maximum(cross_fitted_means(ranks[:, rows], relative, fold[rows], REGRESSION, rng), 0.0)
    return found
