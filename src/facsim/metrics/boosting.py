"""Gradient-boosted trees with random split candidates: the classifier of facsim's two-sample test.

Logistic gradient boosting (Friedman, Ann. Stat. 29 (2001) 1189) with second-order leaf values, where each level of a
tree considers a few random pairs (feature, threshold) as in extremely randomised trees (Geurts et al., Mach. Learn.
63 (2006) 3). All folds of a cross-fit are grown at once, so that a test costs about a second on one core.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class BoostSettings:
    """Hyperparameters, pinned by the protocol that uses them.

    Args:
        rounds: trees a fold.
        depth: levels of a tree.
        candidates: random (feature, threshold) pairs tried at each level.
        rate: shrinkage of each tree.
        penalty: L2 penalty on leaf values, in events times p (1 - p).
    """

    rounds: int = 200
    depth: int = 3
    candidates: int = 64
    rate: float = 0.05
    penalty: float = 5.0


def out_of_fold_scores(
    ranks: NDArray[Any],
    label: NDArray[Any],
    weight: NDArray[Any],
    fold: NDArray[Any],
    settings: BoostSettings,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Log-odds of label 1 for each event, from the model that was not trained on the event's fold.

    Args:
        ranks: features as uniform ranks in (0, 1), shape (D, N).
        label: 0 or 1, (N,).
        weight: event weights, (N,), or those that each fold's model is trained with, (folds, N); not negative.
        fold: fold of each event, integers from 0, (N,).
        settings: hyperparameters.
        rng: generator of the split candidates.
    """
    features = np.ascontiguousarray(ranks, dtype=np.float32)
    target = np.asarray(label, dtype=np.float32)
    folds = np.arange(int(fold.max()) + 1)[:, None]
    train = np.where(fold[None, :] != folds, weight, 0.0).astype(np.float32)
    odds = np.zeros(train.shape, dtype=np.float32)
    for _ in range(settings.rounds):
        probability = 1.0 / (1.0 + np.exp(-odds))
        gradient = (target - probability) * train
        curvature = probability * (1.0 - probability) * train
        odds += _tree(features, gradient.astype(np.float32), curvature.astype(np.float32), settings, rng)
    return np.asarray(odds[fold, np.arange(len(fold))], dtype=np.float64)


def cross_fitted_means(
    ranks: NDArray[Any], target: NDArray[Any], fold: NDArray[Any], settings: BoostSettings, rng: np.random.Generator
) -> NDArray[np.float64]:
    """E[target | features] of all events from the model of each fold, trained on the events of the others: (folds, N).

    Least-squares boosting with the same trees, from the mean of each training set on; `penalty` is in events.

    Args:
        ranks, fold, rng: as of `out_of_fold_scores`.
        target: any numbers, (N,).
        settings: hyperparameters.
    """
    features = np.ascontiguousarray(ranks, dtype=np.float32)
    folds = np.arange(int(fold.max()) + 1)[:, None]
    train = (fold[None, :] != folds).astype(np.float32)
    values = np.asarray(target, dtype=np.float32)
    found = np.repeat((train @ values / train.sum(axis=1))[:, None], len(values), axis=1)
    for _ in range(settings.rounds):
        found += _tree(features, (values - found) * train, train, settings, rng)
    return np.asarray(found, dtype=np.float64)


def _tree(
    features: FloatArray,
    gradient: FloatArray,
    curvature: FloatArray,
    settings: BoostSettings,
    rng: np.random.Generator,
) -> FloatArray:
    """Step of one tree for every fold and event, (K, N)."""
    k, n = gradient.shape
    rows, events = np.arange(k)[:, None], np.arange(n)
    node = np.zeros((k, n), dtype=np.int64)
    for level in range(settings.depth):
        feature = rng.integers(len(features), size=settings.candidates)
        threshold = rng.uniform(0.03, 0.97, settings.candidates).astype(np.float32)
        above = features[feature] > threshold[:, None]
        best = _best_candidate(above, node, 2**level, gradient, curvature, settings.penalty)
        node = 2 * node + above[best[rows, node], events]
    leaves = 2**settings.depth
    place = (rows * leaves + node).ravel()
    slope = np.bincount(place, weights=gradient.ravel(), minlength=k * leaves)
    bend = np.bincount(place, weights=curvature.ravel(), minlength=k * leaves)
    value = (settings.rate * slope / (bend + settings.penalty)).astype(np.float32)
    return np.asarray(value[place].reshape(k, n), dtype=np.float32)


def _best_candidate(
    above: NDArray[np.bool_],
    node: IntArray,
    n_nodes: int,
    gradient: FloatArray,
    curvature: FloatArray,
    penalty: float,
) -> IntArray:
    """Candidate of largest gain in each node of each fold, (K, n_nodes)."""
    inside = (node[:, None, :] == np.arange(n_nodes)[None, :, None]).astype(np.float32)
    slope = (inside * gradient[:, None, :]).reshape(-1, node.shape[1])
    bend = (inside * curvature[:, None, :]).reshape(-1, node.shape[1])
    side = above.T.astype(np.float32)
    slope_above, bend_above = slope @ side, bend @ side
    slope_below = slope.sum(axis=1, keepdims=True) - slope_above
    bend_below = bend.sum(axis=1, keepdims=True) - bend_above
    gain = slope_above**2 / (bend_above + penalty) + slope_below**2 / (bend_below + penalty)
    return np.asarray(gain.argmax(axis=1).reshape(len(node), n_nodes), dtype=np.int64)
