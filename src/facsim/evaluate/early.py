"""Single numbers that say how good a model is while it trains; smaller is better."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from facsim import metrics
from facsim.core.errors import FacsimError
from facsim.core.events import Events
from facsim.core.sources import MemorySource
from facsim.evaluate.sample import take_sample
from facsim.physics.observables import strict_bins

Features = NDArray[np.float64]


def _separation(x: Features, y: Features, seed: int) -> float:
    scores = [metrics.separation(a, b, strict_bins(a), seed=seed).value for a, b in zip(x.T, y.T, strict=True)]
    return float(np.nanmean(scores))


def _w1(x: Features, y: Features, seed: int) -> float:
    spread = [column for column in range(x.shape[1]) if np.ptp(x[:, column]) > 0]
    return float(np.mean([metrics.w1(x[:, k], y[:, k], normalise=True).value for k in spread]))


EARLY_SCORES: dict[str, Callable[[Features, Features, int], float]] = {
    "fpd": lambda x, y, seed: metrics.fpd(x, y, seed=seed, permutations=0).value,
    "kpd": lambda x, y, seed: metrics.kpd(x, y, seed=seed, permutations=0).value,
    "separation": _separation,
    "w1": _w1,
    "auc": lambda x, y, seed: metrics.c2st(x, y, seed=seed).value,
}
"""`separation` and `w1` are means over the features; `auc` is that of the pinned classifier test."""


class EarlyScore:
    """The score `name` of generated events against `truth`, at the same conditions.

    Showers on a cylinder are compared by their high-level features, tables by their columns and conditions.

    Args:
        name: in `EARLY_SCORES`. truth: the validation events. seed: of the metric's random choices.

    Raises:
        FacsimError: an unknown name, or events without features.
    """

    def __init__(self, name: str, truth: Events, seed: int) -> None:
        if name not in EARLY_SCORES:
            raise FacsimError(f"there is no score '{name}' for early stopping: expected one of {sorted(EARLY_SCORES)}.")
        self.name, self.seed = name, seed
        self.truth = early_features(truth)

    def __call__(self, generated: Events) -> float:
        return EARLY_SCORES[self.name](self.truth, early_features(generated), self.seed)


def early_features(events: Events) -> Features:
    """Features (N, D) of showers on a cylinder, or of rows of a table.

    Raises:
        FacsimError: other events.
    """
    if events.schema.representation == "table":
        return np.concatenate([events.x, events.cond], axis=1).astype(np.float64)
    if events.schema.geometry is None:
        raise FacsimError(
            "early stopping knows scores of showers on a cylinder and of tables: leave out train.early_stopping."
        )
    return take_sample(MemorySource(events), 0, len(events)).features.astype(np.float64)
