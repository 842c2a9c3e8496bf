"""Classifier two-sample test, protocol `facsim-c2st-1` (after Lopez-Paz and Oquab, arXiv 1610.06545).

A classifier is trained to tell sample A (truth) from B; the AUC of its scores on events it was not trained on is 0.5
when the samples cannot be told apart. What the protocol fixes, and why, is in docs/evaluation.md:

* Features are prepared without labels on the pooled sample, so that nothing leaks: the smooth dependence on the
  conditions is taken out (Legendre polynomials to degree 4), which makes E_tot/E_inc visible where log E_tot and
  log E_inc alone hide it; 64 principal components are added; all become ranks.
* Five folds, whole groups in one fold, both classes spread evenly; every event is scored by a model that saw
  neither it nor its group.
* Two ensembles of `BoostSettings()` trees; AUC over pairs within a fold; its error is DeLong's over groups, times 1.5
  for the overlap of training sets: without it, repeated truth-against-truth tests scatter more than their errors say.
* Negative weights (sWeights): trees are trained with conditional expectations of the weights (`signed_weights`), the
  AUC of held-out events has the exact ones, and its error is DeLong's with weights.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.metrics._samples import check_weights
from facsim.metrics.auc import stratified_auc
from facsim.metrics.auc_bootstrap import WeightedAuc, bootstrap_error
from facsim.metrics.boosting import BoostSettings, out_of_fold_scores
from facsim.metrics.folds import group_folds, group_numbers
from facsim.metrics.signed_weights import training_weights

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

PROTOCOL = "facsim-c2st-1"
FOLDS = 5
TRAINING_NOISE = (1 + FOLDS / (FOLDS - 1)) ** 0.5
"""Factor on DeLong's error for the overlap of training sets (Nadeau and Bengio, Mach. Learn. 52 (2003) 239)."""
ENSEMBLES = 2
COMPONENTS = 64
DEGREE = 4
FEWEST_EVENTS = 20
ARCHITECTURE = (
    f"{ENSEMBLES} x {BoostSettings.rounds} boosted trees of depth {BoostSettings.depth}, {BoostSettings.candidates} "
    f"random splits a level, rate {BoostSettings.rate}, penalty {BoostSettings.penalty:g}; {FOLDS} folds"
)
SIGNED = ", trained with conditional expectations of the signed weights"


@dataclass(frozen=True)
class C2STResult:
    """Outcome of a classifier two-sample test.

    Attributes:
        auc, error: area under the ROC curve of the out-of-fold scores and its standard error.
        accuracy: mean over classes of the fraction on the right side of likelihood ratio 1.
        scores_a, scores_b: out-of-fold log-likelihood ratio of B over A for each event, (Na,), (Nb,).
        folds_a, folds_b: fold of each event.
        groups_a, groups_b: group of each event.
        architecture: the classifier, in words.
        n_train: events of both classes that the smallest training set held.
        seed: seed of the folds and the trees.
        protocol: name and version.
        weights_a, weights_b: event weights, None without.
    """

    auc: float
    error: float
    accuracy: float
    scores_a: FloatArray
    scores_b: FloatArray
    folds_a: IntArray
    folds_b: IntArray
    groups_a: IntArray
    groups_b: IntArray
    architecture: str
    n_train: int
    seed: int
    protocol: str = PROTOCOL
    weights_a: FloatArray | None = None
    weights_b: FloatArray | None = None

    def region(self, in_a: NDArray[np.bool_], in_b: NDArray[np.bool_]) -> tuple[float, float]:
        """AUC and error of the same scores among the chosen events: masks (Na,) and (Nb,)."""
        parts = (self.scores_a[in_a], self.scores_b[in_b], self.folds_a[in_a], self.folds_b[in_b])
        groups = (self.groups_a[in_a], self.groups_b[in_b])
        if self.weights_a is None or self.weights_b is None:
            auc, error = stratified_auc(*parts, *groups)
        elif min(self.weights_a.min(), self.weights_b.min()) < 0:
            auc, error = stratified_auc(*parts, *groups, self.weights_a[in_a], self.weights_b[in_b])
        else:
            auc, error = _weighted_auc(*parts, groups, (self.weights_a[in_a], self.weights_b[in_b]), self.seed)
        return auc, error * TRAINING_NOISE


def classifier_test(
    a: NDArray[Any],
    b: NDArray[Any],
    seed: int,
    groups_a: NDArray[Any] | None = None,
    groups_b: NDArray[Any] | None = None,
    protocol: str = PROTOCOL,
    *,
    conditions: int = 0,
    weights_a: NDArray[Any] | None = None,
    weights_b: NDArray[Any] | None = None,
) -> C2STResult:
    """How well a classifier tells sample `b` from sample `a`.

    Args:
        a: features of truth, (Na, D). b: features of the sample to judge, (Nb, D).
        seed: seed of the folds and the trees.
        groups_a, groups_b: events made from one truth event share a number and stay in one fold.
        protocol: only `facsim-c2st-1`.
        conditions: how many leading columns are known before simulation (the high-level vector has one, log10 E_inc).
        weights_a, weights_b: event weights. With them the error is a bootstrap over groups, and where some are negative
            DeLong's with weights.

    Raises:
        FacsimError: shapes that do not fit, values that are not finite, fewer than 20 events or 5 groups a class,
            weights that do not fit, unknown protocol.
    """
    if protocol != PROTOCOL:
        raise FacsimError(f"unknown protocol '{protocol}' of the classifier test: use '{PROTOCOL}'.")
    x = _checked(a, b, conditions)
    ids = (group_numbers(groups_a, len(a), "reference", FOLDS), group_numbers(groups_b, len(b), "generated", FOLDS))
    rng = generator(seed, PROTOCOL)
    folds_a, folds_b = (group_folds(groups, rng, FOLDS) for groups in ids)
    fold = np.concatenate([folds_a, folds_b])
    label = np.repeat([0, 1], [len(a), len(b)])
    own = [
        check_weights(name, len(sample), given)
        for name, sample, given in (("reference", a, weights_a), ("generated", b, weights_b))
    ]
    signed = min(w.min() for w in own) < 0
    weight = 0.5 * len(x) * np.concatenate([w / w.sum() for w in own])
    ranks = uniform_ranks(with_components(without_conditions(x, conditions)))
    if signed:
        weight = training_weights(ranks, label, weight, fold, rng)
    settings = BoostSettings()
    scores = np.mean([out_of_fold_scores(ranks, label, weight, fold, settings, rng) for _ in range(ENSEMBLES)], axis=0)
    scores_a, scores_b = scores[: len(a)], scores[len(a) :]
    accuracy = 0.5 * (np.average(scores_a <= 0, weights=own[0]) + np.average(scores_b > 0, weights=own[1]))
    n_train = len(fold) - int(np.bincount(fold).max())
    kept = (None, None) if weights_a is None and weights_b is None else (own[0], own[1])
    nothing = float("nan")
    found = C2STResult(
        nothing,
        nothing,
        float(accuracy),
        scores_a,
        scores_b,
        folds_a,
        folds_b,
        *ids,
        ARCHITECTURE + SIGNED if signed else ARCHITECTURE,
        n_train,
        seed,
        PROTOCOL,
        *kept,
    )
    auc, error = found.region(np.ones(len(a), dtype=bool), np.ones(len(b), dtype=bool))
    return replace(found, auc=auc, error=error)


def _weighted_auc(
    scores_a: FloatArray,
    scores_b: FloatArray,
    folds_a: IntArray,
    folds_b: IntArray,
    groups: tuple[IntArray, IntArray],
    weights: tuple[FloatArray, FloatArray],
    seed: int,
) -> tuple[float, float]:
    label = np.repeat([0, 1], [len(scores_a), len(scores_b)])
    auc = WeightedAuc(np.concatenate([scores_a, scores_b]), label, np.concatenate([folds_a, folds_b]))
    weight = np.concatenate([w / w.sum() for w in weights])
    numbers = np.unique(2 * np.concatenate(groups) + label, return_inverse=True)[1]
    return auc(weight), bootstrap_error(auc, weight, numbers, generator(seed, PROTOCOL, "bootstrap"))


def _checked(a: NDArray[Any], b: NDArray[Any], conditions: int) -> FloatArray:
    """Both samples one above the other, (Na + Nb, D)."""
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or not 0 <= conditions < x.shape[1]:
        raise FacsimError(
            f"a classifier test needs features of shapes (Na, D) and (Nb, D) with fewer than D conditions, "
            f"not {x.shape}, {y.shape} and {conditions} conditions."
        )
    if min(len(x), len(y)) < FEWEST_EVENTS:
        raise FacsimError(
            f"a classifier test needs at least {FEWEST_EVENTS} events a sample, not {len(x)} and {len(y)}."
        )
    pooled = np.concatenate([x, y])
    if not np.isfinite(pooled).all():
        raise FacsimError("a classifier test needs finite features; remove events with NaN or infinite values.")
    return pooled


def without_conditions(x: FloatArray, conditions: int) -> FloatArray:
    """Features with their smooth dependence on the first `conditions` columns taken out; those columns are kept."""
    basis = [np.ones((len(x), 1))]
    for column in x[:, :conditions].T:
        low, high = column.min(), column.max()
        degree = min(DEGREE, len(np.unique(column)) - 1)
        if degree > 0:
            basis.append(np.polynomial.legendre.legvander(2 * (column - low) / (high - low) - 1, degree)[:, 1:])
    design = np.hstack(basis)
    rest = x[:, conditions:]
    fitted = design @ np.linalg.lstsq(design, rest, rcond=None)[0]
    return np.hstack([x[:, :conditions], rest - fitted])


def with_components(x: FloatArray) -> FloatArray:
    """Features and their leading principal components (after standardising, limited to +-4)."""
    spread = x.std(axis=0)
    used = spread > 1e-12 * (np.abs(x).max(axis=0) + 1e-300)
    scaled = np.clip((x[:, used] - x[:, used].mean(axis=0)) / spread[used], -4.0, 4.0)
    scaled -= scaled.mean(axis=0)
    if scaled.shape[1] < 2:
        return x
    vectors = np.linalg.eigh(scaled.T @ scaled)[1][:, ::-1]
    return np.hstack([x, scaled @ vectors[:, :COMPONENTS]])


def uniform_ranks(x: FloatArray) -> NDArray[np.float32]:
    """Each column as mid-ranks in (0, 1), transposed: (N, D) -> (D, N)."""
    out = np.empty(x.shape[::-1], dtype=np.float32)
    for row, column in zip(out, x.T, strict=True):
        ordered = np.sort(column)
        row[:] = np.searchsorted(ordered, column, "left") + np.searchsorted(ordered, column, "right")
    return np.asarray(out / np.float32(2 * len(x)))
