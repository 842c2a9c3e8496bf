"""Area under the ROC curve of cross-fitted scores, with an error that respects groups of dependent events."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata


def stratified_auc(
    scores_a: NDArray[Any],
    scores_b: NDArray[Any],
    strata_a: NDArray[Any] | None = None,
    strata_b: NDArray[Any] | None = None,
    groups_a: NDArray[Any] | None = None,
    groups_b: NDArray[Any] | None = None,
) -> tuple[float, float]:
    """P(score of B > score of A) + P(equal) / 2 over pairs of one stratum, and its standard error.

    The AUC is the Mann-Whitney statistic. Scores of different folds come from different models, so only pairs within
    a stratum (fold) are compared. The error is DeLong's (Biometrics 44 (1988) 837), each event's influence summed
    over its group first.

    Args:
        scores_a: scores of class 0, (Na,). scores_b: of class 1, (Nb,).
        strata_a, strata_b: integers; by default one stratum.
        groups_a, groups_b: events of one group are dependent; by default each event is its own.

    Returns:
        AUC and error; (nan, nan) when no stratum holds both classes.
    """
    a, b = np.asarray(scores_a, dtype=np.float64), np.asarray(scores_b, dtype=np.float64)
    in_a = np.zeros(len(a), dtype=np.int64) if strata_a is None else np.asarray(strata_a)
    in_b = np.zeros(len(b), dtype=np.int64) if strata_b is None else np.asarray(strata_b)
    wins_a, wins_b = np.zeros(len(a)), np.zeros(len(b))
    others_a, others_b = np.zeros(len(a)), np.zeros(len(b))
    for stratum in np.intersect1d(in_a, in_b):
        i, j = np.flatnonzero(in_a == stratum), np.flatnonzero(in_b == stratum)
        ranks = rankdata(np.concatenate([a[i], b[j]]))
        wins_b[j] = ranks[len(i) :] - rankdata(b[j])
        wins_a[i] = len(j) - (ranks[: len(i)] - rankdata(a[i]))
        others_a[i], others_b[j] = len(j), len(i)
    pairs = others_a.sum()
    if pairs == 0:
        return float("nan"), float("nan")
    auc = float(wins_b.sum() / pairs)
    parts = ((wins_a, others_a, groups_a), (wins_b, others_b, groups_b))
    variance = sum(_group_variance((wins - auc * others) / pairs, groups) for wins, others, groups in parts)
    return auc, float(np.sqrt(variance))


def _group_variance(influence: NDArray[Any], groups: NDArray[Any] | None) -> float:
    sums = influence
    if groups is not None:
        sums = np.bincount(np.unique(groups, return_inverse=True)[1], weights=influence)
    return float(np.sum(sums**2) * len(sums) / max(len(sums) - 1, 1))
