"""Classifier weights of showers: where a generator fails, from the scorecard's own classifier test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.evaluate.likelihood_ratio import weight_diagnostics
from facsim.evaluate.sample import ShowerSample
from facsim.metrics.calibration import fit_temperature
from facsim.metrics.classifier import C2STResult
from facsim.physics.observables import OBSERVABLES

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class _TreeTest:
    """A classifier test with trees as `evaluate.likelihood_ratio.Comparison`."""

    auc: float
    error: float
    log_ratio: FloatArray
    label: NDArray[np.int64]
    fold: NDArray[np.int64]
    groups: NDArray[np.int64]
    weight: FloatArray


def shower_weights(test: C2STResult, reference: ShowerSample, candidate: ShowerSample) -> dict[str, Any]:
    """JSON-ready diagnostics of the weights p_truth / p_generated, `evaluate.likelihood_ratio.WeightDiagnostics`.

    Boosted trees are not calibrated: a slope and a constant for the log-ratios of each fold are fitted on the others.
    Regions are bins of the incident energy and of the observables of whole showers.

    Args:
        test: of the high-level features of both samples' classifier subsets.
    """
    sizes = len(test.scores_a), len(test.scores_b)
    label = np.repeat([0, 1], sizes)
    fold = np.concatenate([test.folds_a, test.folds_b])
    weight = np.where(label == 0, sum(sizes) / (2 * sizes[0]), sum(sizes) / (2 * sizes[1]))
    raw = np.concatenate([test.scores_a, test.scores_b])
    ratio = np.empty(len(raw))
    for k in np.unique(fold):
        inside = fold == k
        outputs = np.column_stack([np.zeros(len(raw)), raw])
        found = fit_temperature(outputs[~inside], label[~inside], weight[~inside]).log_probabilities(outputs[inside])
        ratio[inside] = found[:, 1] - found[:, 0]
    groups = np.concatenate([test.groups_a, test.groups_a.max(initial=0) + 1 + test.groups_b])
    comparison = _TreeTest(test.auc, test.error, ratio, label, fold, groups, weight)
    return weight_diagnostics(comparison, _observables(reference), _observables(candidate)).to_dict()


def _observables(sample: ShowerSample) -> dict[str, FloatArray]:
    """Values of the classifier's subset; showers without an observable count as 0."""
    kept, observations = sample.picked, sample.observations
    found = {"e_inc": np.asarray(observations.e_inc, dtype=np.float64)[kept]}
    for name, observable in OBSERVABLES.items():
        if observable.per == "shower":
            found[name] = np.nan_to_num(observable.column(observations.obs, observations.geometry)[kept])
    return found
