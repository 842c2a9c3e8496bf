"""Weighted AUC within folds, and its bootstrap over groups of dependent events."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


class WeightedAuc:
    """AUC over pairs of one fold as a function of event weights; scores are sorted once.

    Args:
        scores: (N,). label: 0 or 1, (N,); AUC is P(score of 1 > score of 0) + P(equal) / 2.
        fold: only pairs of one fold are compared, (N,).
    """

    def __init__(self, scores: NDArray[Any], label: NDArray[Any], fold: NDArray[Any]) -> None:
        self._parts = []
        for number in np.unique(fold):
            inside = np.flatnonzero(fold == number)
            order = inside[np.argsort(scores[inside], kind="stable")]
            starts = np.flatnonzero(np.concatenate([[True], np.diff(scores[order]) > 0]))
            self._parts.append((order, np.asarray(label)[order] == 1, starts))

    def __call__(self, weight: NDArray[Any]) -> float:
        """AUC with event weights (N,); NaN when no fold holds both classes."""
        won = pairs = 0.0
        for order, is_one, starts in self._parts:
            w = weight[order]
            ones = np.add.reduceat(np.where(is_one, w, 0.0), starts)
            zeros = np.add.reduceat(np.where(is_one, 0.0, w), starts)
            won += float(ones @ (np.cumsum(zeros) - 0.5 * zeros))
            pairs += float(ones.sum() * zeros.sum())
        return won / pairs if pairs > 0 else float("nan")


def bootstrap_error(
    auc: WeightedAuc,
    weight: NDArray[Any],
    groups: NDArray[Any],
    rng: np.random.Generator,
    replicas: int = 200,
) -> float:
    """Standard deviation of the AUC when whole groups are drawn again with replacement.

    Args:
        auc: of the sample. weight: of its events, (N,).
        groups: integers from 0, (N,), different for the two classes; events of one group are drawn together.
        rng: generator. replicas: how many samples are drawn.
    """
    if not np.isfinite(auc(weight)):
        return float("nan")
    n = int(groups.max()) + 1
    values = [auc(weight * rng.multinomial(n, np.full(n, 1.0 / n))[groups]) for _ in range(replicas)]
    return float(np.nanstd(values, ddof=1))
