"""Scores made of a predictor's outputs: each as it is, each without a sign, and all together, fitted to background."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facsim.metrics.sign_free import Combination, sign_free

FloatArray = NDArray[np.float64]
FREE = ", sign-free"
TOGETHER = "all outputs together"
FEWEST = 40
"""Background events from which on outputs are combined."""


def all_scores(
    outputs: FloatArray, names: Sequence[str], background: FloatArray, weight: FloatArray | None = None, seed: int = 0
) -> dict[str, FloatArray]:
    """Name to score (N,), larger for odder events.

    Args:
        outputs: of the events to score, (N, D). names: of the outputs, of which the first counts.
        background: outputs (M, D) of background events; among the scored ones they look a little too usual.
        weight: of these, (M,).
        seed: of the halves that a combination is fitted and calibrated on.
    """
    found: dict[str, FloatArray] = {}
    for column, name in enumerate(names):
        found[name] = outputs[:, column]
        found[name + FREE] = sign_free(outputs[:, column], background[:, column], weight)
    varying = np.flatnonzero(background.std(axis=0) > 0)
    if len(varying) > 1 and len(background) >= FEWEST:
        combination = Combination(background[:, varying], "mahalanobis", seed=seed)
        found[TOGETHER] = combination.statistic(outputs[:, varying])
    return found
