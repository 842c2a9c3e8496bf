"""How far a classifier, trained where truth is known, would move a surrogate's events elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.metrics._samples import FloatArray
from facsim.metrics.boosting import BoostSettings, out_of_fold_scores
from facsim.metrics.classifier import uniform_ranks
from facsim.metrics.signed_weights import training_weights

FOLDS = 3
FARTHEST = 3.0
"""Natural logarithm of a ratio at most: trees know no more."""
SETTINGS = BoostSettings(rounds=80, depth=4, candidates=48, rate=0.12, penalty=20.0)


@dataclass(frozen=True)
class Labelled:
    """Conditions and features (N, D) of a sample, and its weights of any sign (N,), or None for all one."""

    features: FloatArray
    weight: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.features)

    @property
    def weights(self) -> FloatArray:
        """Weights of mean one (N,)."""
        w = np.ones(len(self)) if self.weight is None else np.asarray(self.weight, dtype=np.float64)
        return np.asarray(w / w.mean())


def density_ratios(truth: Labelled, surrogate: Labelled, target: Labelled, seed: int) -> FloatArray:
    """p_truth / p_surrogate at the events of `target`, (T,), by boosted trees between the two other samples.

    The surrogate's events were sampled at the conditions of truth, so that a ratio of features together with conditions
    is one of features at given conditions, wherever those lie. Trees are trained on two thirds of the two samples for
    each third of the target; negative weights enter by their conditional expectations (`metrics.signed_weights`).

    Args:
        truth, surrogate: where truth is known. target: events of the surrogate anywhere; they are not trained on.
        seed: of folds and trees.

    Raises:
        FacsimError: samples of other columns, or fewer than 100 events.
    """
    parts = (truth, surrogate, target)
    if len({part.features.shape[1] for part in parts}) > 1 or min(len(truth), len(surrogate)) < 100:
        raise FacsimError("a ratio of densities needs at least 100 events of truth and surrogate, of the same columns.")
    rng = np.random.default_rng(seed)
    known = len(truth) + len(surrogate)
    ranks = uniform_ranks(np.vstack([part.features for part in parts]))
    label = np.repeat([0, 1, 1], [len(part) for part in parts])
    fold = np.concatenate([rng.permutation(np.arange(len(part)) % FOLDS) for part in parts])
    weight = np.concatenate([truth.weights, surrogate.weights])
    if weight.min() < 0:
        rows = training_weights(ranks[:, :known], label[:known], weight, fold[:known], rng)
    else:
        rows = np.broadcast_to(weight, (FOLDS, known))
    trained = np.hstack([rows, np.zeros((FOLDS, len(target)))])
    odds = out_of_fold_scores(ranks, label, trained, fold, SETTINGS, rng)[known:]
    # both samples count the same in training
    return np.asarray(np.exp(-np.clip(odds, -FARTHEST, FARTHEST)))
