"""Area under the ROC curve, exact for weights of any sign, with an error that respects groups of dependent events."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.metrics._samples import FloatArray, check_values, check_weights
from facsim.metrics.score import Estimate


def value_auc(
    a: NDArray[Any],
    b: NDArray[Any],
    weights_a: NDArray[Any] | None = None,
    weights_b: NDArray[Any] | None = None,
) -> Estimate:
    """AUC of one observable: P(value of B > value of A) + P(equal) / 2, and its error; see `stratified_auc`.

    Args:
        a: reference values (N,), b: values to judge (M,).
        weights_a, weights_b: event weights of any sign.

    Raises:
        FacsimError: empty samples, values that are not finite, weights that do not fit or have no positive sum.
    """
    x, y = check_values("reference", a), check_values("generated", b)
    u, v = check_weights("reference", len(x), weights_a), check_weights("generated", len(y), weights_b)
    return Estimate(stratified_auc(x, y, weights_a=u, weights_b=v))


def stratified_auc(
    scores_a: NDArray[Any],
    scores_b: NDArray[Any],
    strata_a: NDArray[Any] | None = None,
    strata_b: NDArray[Any] | None = None,
    groups_a: NDArray[Any] | None = None,
    groups_b: NDArray[Any] | None = None,
    weights_a: NDArray[Any] | None = None,
    weights_b: NDArray[Any] | None = None,
) -> tuple[float, float]:
    """P(score of B > score of A) + P(equal) / 2 over pairs of one stratum, and its standard error.

    The AUC is the Mann-Whitney statistic, each pair with the product of its weights: sum w_i w_j (1[s_i < s_j] +
    1[s_i = s_j] / 2) / sum w_i w_j, exact also where weights are negative. Scores of different folds come from
    different models, so only pairs within a stratum (fold) are compared. The error is DeLong's (Biometrics 44 (1988)
    837), each event's influence summed over its group first.

    Args:
        scores_a: scores of class 0, (Na,). scores_b: of class 1, (Nb,).
        strata_a, strata_b: integers; by default one stratum.
        groups_a, groups_b: events of one group are dependent; by default each event is its own.
        weights_a, weights_b: event weights of any sign; ones by default.

    Returns:
        AUC and error; (nan, nan) when no stratum holds both classes, or the pairs' weights have no positive sum.
    """
    a, b = np.asarray(scores_a, dtype=np.float64), np.asarray(scores_b, dtype=np.float64)
    in_a = np.zeros(len(a), dtype=np.int64) if strata_a is None else np.asarray(strata_a)
    in_b = np.zeros(len(b), dtype=np.int64) if strata_b is None else np.asarray(strata_b)
    u = np.ones(len(a)) if weights_a is None else np.asarray(weights_a, dtype=np.float64)
    v = np.ones(len(b)) if weights_b is None else np.asarray(weights_b, dtype=np.float64)
    wins_a, wins_b = np.zeros(len(a)), np.zeros(len(b))
    others_a, others_b = np.zeros(len(a)), np.zeros(len(b))
    for stratum in np.intersect1d(in_a, in_b):
        i, j = np.flatnonzero(in_a == stratum), np.flatnonzero(in_b == stratum)
        others_a[i], others_b[j] = v[j].sum(), u[i].sum()
        wins_b[j] = weight_below(b[j], a[i], u[i])
        wins_a[i] = others_a[i] - weight_below(a[i], b[j], v[j])
    pairs = float(u @ others_a)
    if not pairs > 0:
        return float("nan"), float("nan")
    auc = float(v @ wins_b / pairs)
    parts = ((u, wins_a, others_a, groups_a), (v, wins_b, others_b, groups_b))
    variance = sum(_group_variance(w * (wins - auc * others) / pairs, groups) for w, wins, others, groups in parts)
    return auc, float(np.sqrt(variance))


def weight_below(scores: FloatArray, others: FloatArray, weights: FloatArray) -> FloatArray:
    """Of each of `scores` (N,), the weight of the others below it and half of that of equal ones."""
    order = np.argsort(others, kind="stable")
    below, ordered = np.concatenate([[0.0], np.cumsum(weights[order])]), others[order]
    left, right = (np.searchsorted(ordered, scores, side) for side in ("left", "right"))
    return np.asarray(0.5 * (below[left] + below[right]))


def _group_variance(influence: NDArray[Any], groups: NDArray[Any] | None) -> float:
    sums = influence
    if groups is not None:
        sums = np.bincount(np.unique(groups, return_inverse=True)[1], weights=influence)
    return float(np.sum(sums**2) * len(sums) / max(len(sums) - 1, 1))
