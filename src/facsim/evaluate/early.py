"""Single numbers that say how good a model is while it trains; smaller is better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facsim import metrics
from facsim.core.errors import FacsimError
from facsim.core.events import Events
from facsim.core.sources import MemorySource
from facsim.evaluate import families
from facsim.evaluate.physics import TaskPhysics
from facsim.evaluate.sample import take_sample
from facsim.metrics.protocols import STRICT
from facsim.physics.calo import Observations
from facsim.physics.observables import OBSERVABLES, strict_bins


@dataclass(frozen=True)
class EarlySample:
    """What is compared: features (N, D), and of showers their observables."""

    features: NDArray[np.float64]
    observations: Observations | None = None

    @classmethod
    def of(cls, events: Events, physics: TaskPhysics | None = None) -> EarlySample:
        """Quantities of a task's `physics` and conditions; high-level features of showers on a cylinder; columns and
        conditions of tables.

        Raises:
            FacsimError: other events.
        """
        if physics is not None:
            return cls(np.hstack([physics.observe(events), physics.conditions(events.cond)]))
        if events.schema.representation == "table":
            return cls(np.concatenate([events.x, events.cond], axis=1).astype(np.float64))
        if events.schema.geometry is None or events.schema.representation != "grid":
            raise FacsimError(
                "early stopping knows scores of showers on a read-out and of tables: leave out train.early_stopping."
            )
        observations = take_sample(MemorySource(events), 0, 0).observations
        return cls(observations.features.astype(np.float64), observations)


def _separation(x: EarlySample, y: EarlySample, seed: int) -> float:
    """Mean separation power of the observables, or of the columns."""
    if x.observations is None or y.observations is None:
        pairs = zip(x.features.T, y.features.T, strict=True)
        return float(np.mean([metrics.separation(a, b, strict_bins(a), seed=seed).value for a, b in pairs]))
    found = [families.separation(o, x.observations, y.observations, STRICT) for o in OBSERVABLES.values()]
    return float(np.mean([family.value for family in found if family is not None]))


def _w1(x: EarlySample, y: EarlySample, seed: int) -> float:
    """Mean 1-Wasserstein distance of the observables, or of the columns that vary, in standard deviations of truth."""
    if x.observations is None or y.observations is None:
        pairs = [(a, b) for a, b in zip(x.features.T, y.features.T, strict=True) if np.ptp(a) > 0]
        return float(np.mean([metrics.w1(a, b, normalise=True).value for a, b in pairs]))
    found = [families.wasserstein(o, x.observations, y.observations) for o in OBSERVABLES.values()]
    return float(np.mean([family.value for family in found if family is not None]))


EARLY_SCORES: dict[str, Callable[[EarlySample, EarlySample, int], float]] = {
    "fpd": lambda x, y, seed: metrics.fpd(x.features, y.features, seed=seed, permutations=0).value,
    "kpd": lambda x, y, seed: metrics.kpd(x.features, y.features, seed=seed, permutations=0).value,
    "separation": _separation,
    "w1": _w1,
    "auc": lambda x, y, seed: metrics.c2st(x.features, y.features, seed=seed).value,
}
"""By the strict protocols; `auc` is the pinned classifier test on the features."""


class EarlyScore:
    """The score `name` of generated events against `truth`, at the same conditions.

    Args:
        name: in `EARLY_SCORES`. truth: the validation events. seed: of the metric's random choices.
        physics: of their task, where it has one.

    Raises:
        FacsimError: an unknown name, events without features, or too few for FPD.
    """

    def __init__(self, name: str, truth: Events, seed: int, physics: TaskPhysics | None = None) -> None:
        if name not in EARLY_SCORES:
            raise FacsimError(f"there is no score '{name}' for early stopping: expected one of {sorted(EARLY_SCORES)}.")
        self.name, self.seed, self.physics = name, seed, physics
        self.truth = EarlySample.of(truth, physics)
        n, d = self.truth.features.shape
        if name == "fpd" and n < 2 * d:
            raise FacsimError(
                f"FPD of {d} features means something from {2 * d} events, and there are {n} for validation: take a "
                "larger 'prepare.validation', or another score: --set train.early_stopping.score=w1."
            )

    def __call__(self, generated: Events) -> float:
        return EARLY_SCORES[self.name](self.truth, EarlySample.of(generated, self.physics), self.seed)
