"""Events that cannot be: not numbers, of a sign that truth never has, far outside, repeated. Counts, and which ones."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from facsim.core.arrays import Array, to_numpy
from facsim.core.errors import FacsimError
from facsim.metrics.copies import copied_fraction
from facsim.metrics.outliers import MARGIN, Outliers, outliers
from facsim.metrics.score import Estimate

SIGMAS = 5.0
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Validity:
    """What is wrong with single events of a sample; positions are those in the generated sample.

    Attributes:
        not_finite: events with a NaN or infinite feature.
        negative: events with a negative value of a feature that is never negative in truth.
        outliers: events far outside of truth's range, by `metrics.outliers`.
        duplicates: events that repeat an earlier one of the sample.
        copies_of_training: (fraction, error) by `metrics.copies`, None without a training sample.
        copies_null: the same of truth.
        events: number of events.
        truth: the number of `events` and of `duplicates` of the reference.
    """

    not_finite: IntArray
    negative: IntArray
    outliers: Outliers
    duplicates: IntArray
    events: int
    copies_of_training: Estimate | None = None
    copies_null: Estimate | None = None
    truth: dict[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether no event is impossible, and neither repetitions nor copies of training exceed truth's by 5 errors."""
        expected = self.truth["duplicates"] / self.truth["events"] * self.events
        repeated = len(self.duplicates) > expected + SIGMAS * np.sqrt(expected)
        copied = False
        if self.copies_of_training is not None and self.copies_null is not None:
            gap = self.copies_of_training.value - self.copies_null.value
            copied = gap > SIGMAS * float(np.hypot(self.copies_of_training.error, self.copies_null.error))
        return not (len(self.not_finite) or len(self.negative) or len(self.outliers.events) or repeated or copied)

    def __str__(self) -> str:
        """One line for people."""
        parts = [
            f"{len(self.not_finite)} not finite",
            f"{len(self.negative)} of an impossible sign",
            f"{len(self.outliers.events)} more than {MARGIN:g} ranges outside",
            f"{len(self.duplicates)} repeated",
        ]
        if self.copies_of_training is not None and self.copies_null is not None:
            value, error = self.copies_of_training
            parts.append(f"copies of training {value:.3g} +- {error:.2g} (truth {self.copies_null.value:.3g})")
        return f"{self.events} events: " + ", ".join(parts)


def validity(reference: Array, candidate: Array, training: Array | None = None, *, seed: int = 0) -> Validity:
    """Look at single events before any metric does.

    Args:
        reference: features of truth (N, D), finite; candidate: features to judge (M, D), whatever they hold.
        training: features of the events that the generator was made from; with it, copies are searched for.
        seed: of the search for copies.

    Raises:
        FacsimError: shapes that do not fit, a reference that is not finite, fewer than two finite candidates, or
            fewer than 200 events of truth or of training in the search for copies.
    """
    x, y = np.asarray(to_numpy(reference), np.float64), np.asarray(to_numpy(candidate), np.float64)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or not len(x) or not len(y):
        raise FacsimError(f"validity needs features of shapes (N, D) and (M, D), not {x.shape} and {y.shape}.")
    finite = np.asarray(np.isfinite(y).all(axis=1))
    if not np.isfinite(x).all() or finite.sum() < 2:
        raise FacsimError("validity needs a finite reference and at least two finite events to judge.")
    kept = np.flatnonzero(finite)
    good = y[kept]
    far = outliers(x, good)
    named = Outliers(kept[far.events], far.features, far.distances, len(far.events) / len(y))
    positive = (x >= 0).all(axis=0)
    negative = np.flatnonzero(finite & (np.where(finite[:, None], y, 0.0)[:, positive] < 0).any(axis=1))
    own, null = None, None
    if training is not None:
        own, null = copied_fraction(x, good, np.asarray(to_numpy(training), np.float64), seed=seed)
    truth = {"duplicates": len(_repeated(x)), "events": len(x)}
    return Validity(np.flatnonzero(~finite), negative, named, _repeated(y), len(y), own, null, truth)


def _repeated(x: NDArray[np.float64]) -> IntArray:
    """Events equal to an earlier one."""
    first = np.unique(x, axis=0, return_index=True)[1]
    return np.setdiff1d(np.arange(len(x)), first)
