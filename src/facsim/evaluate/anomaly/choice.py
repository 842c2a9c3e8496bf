"""Which of several scores to use, without a look at signal; and which one would have been best, told apart from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facsim.metrics.auc import value_auc

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Merit:
    """Of one score: AUC and error of background against each kind of changed background, and the mean of the AUCs."""

    name: str
    auc: dict[str, tuple[float, float]]

    @property
    def mean(self) -> float:
        """Over the kinds; 0.5 without any."""
        return float(np.mean([value for value, _ in self.auc.values()])) if self.auc else 0.5


def merits(
    scores: Mapping[str, FloatArray],
    background: NDArray[np.bool_],
    changed: Mapping[str, NDArray[np.bool_]],
    weight: FloatArray | None = None,
) -> list[Merit]:
    """Of each score (N,), the best first; equal ones in the order given.

    Args:
        scores: name to values (N,). background: which events are background that was not changed, (N,).
        changed: kind of changed background to its events, (N,). weight: of all events, (N,); ones by default.
    """

    def area(x: FloatArray, events: NDArray[np.bool_]) -> tuple[float, float]:
        weights = (None, None) if weight is None else (weight[background], weight[events])
        value, error = value_auc(x[background], x[events], *weights)
        return value, error

    found = [
        Merit(name, {kind: area(x, events) for kind, events in changed.items() if events.any()})
        for name, x in scores.items()
    ]
    return sorted(found, key=lambda merit: -merit.mean)
