"""The classifier test of a scorecard with a network: one network a fold, stopped early, so that it takes minutes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from facsim.evaluate.c2st import PROTOCOL, compare
from facsim.evaluate.crossfit import Plan
from facsim.evaluate.labelled import Sample
from facsim.evaluate.measures import Measured
from facsim.train.classifier import ClassifierSettings

NETWORK_PROTOCOL = f"{PROTOCOL} short"
PLAN = Plan(network="cloud", folds=2, seeds=1, settings=ClassifierSettings(epochs=30, patience=6))


def network_auc(a: Sample, b: Sample, seed: int) -> Measured:
    """How well networks tell clouds `b` from the truth `a`: `c2st.network_test` with two folds, one seed, 30 epochs.

    Raises:
        FacsimError: samples that a classifier cannot use, fewer than 50 events.
    """
    points = max(a.x.shape[1], b.x.shape[1])
    test = compare(_padded(a, points), _padded(b, points), PLAN, seed)
    note = f"network '{PLAN.network}', {PLAN.folds} folds, trained on {test.n_train} events."
    return Measured(test.auc, test.error, (len(a), len(b)), note=note)


def _padded(sample: Sample, points: int) -> Sample:
    missing = points - sample.x.shape[1]
    if not missing or sample.mask is None:
        return sample
    mask = np.pad(sample.mask, ((0, 0), (0, missing)))
    return replace(sample, x=np.pad(sample.x, ((0, 0), (0, missing), (0, 0))), mask=mask)
