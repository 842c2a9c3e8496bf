"""Do scores drift between runs of data? Tests of each run against a reference, corrected for the number of runs.

Two tests a run: Kolmogorov-Smirnov, which sees the bulk, and the rate above a fixed threshold, which sees the tail that
a trigger keeps. The smaller p-value counts twice (Bonferroni); Holm's correction over the runs holds for any
dependence, so also for runs that share one reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import hypergeom

from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.metrics._samples import FloatArray, check_values
from facsim.metrics.histograms import ks_test
from facsim.metrics.intervals import SIGMA, Interval, clopper_pearson, interval
from facsim.metrics.testing import NullTest, holm

FEW = 20000
"""Events of both samples up to which the Kolmogorov-Smirnov p-value comes from permutations, exact for equal scores."""


@dataclass(frozen=True)
class RunDrift:
    """One run against the reference.

    Attributes:
        run: its name. events: its number of events.
        distance, p_distance: of the Kolmogorov-Smirnov test.
        rate, p_rate: fraction above the threshold with its interval, and the p-value that it is the reference's.
        p_run: of both tests, before any correction for other runs.
        p_holm: corrected for all runs given; a drift when it is below the level wanted.
        p_online: corrected for the place of the run in the sequence, the k-th by pi^2 k^2 / 6: never changes when
            further runs come, and the chance of any false alarm ever stays below the level.
    """

    run: str
    events: int
    distance: float
    p_distance: float
    rate: Interval
    p_rate: float
    p_run: float
    p_holm: float
    p_online: float


def monitor(
    reference: NDArray[Any],
    runs: Mapping[str, NDArray[Any]],
    threshold: float,
    *,
    permutations: int = 999,
    seed: int = 0,
) -> list[RunDrift]:
    """Tests of runs in the order they were taken.

    Args:
        reference: scores (N,), of events that neither trained the score nor are in a run.
        runs: name to scores (M,).
        threshold: of the rate, fixed beforehand.
        permutations: of events between reference and run where both have at most 20 000 together. More events have the
            asymptotic p-value, which equal scores make too large, never too small; so has a distance that no
            permutation reaches: otherwise a correction for many runs could raise no alarm.
        seed: of the permutations.

    Raises:
        FacsimError: no runs, no events, scores or a threshold that are not finite, or no permutation.
    """
    truth = check_values("reference", reference)
    if not runs or permutations < 1 or not np.isfinite(threshold):
        raise FacsimError(
            f"drift needs runs ({len(runs)}), permutations ({permutations}) and a threshold ({threshold})."
        )
    samples = {name: check_values(f"run {name}", scores) for name, scores in runs.items()}
    rows = []
    for name, x in samples.items():
        distance, p_distance = _ks(truth, x, permutations, generator(seed, "drift", name))
        k, n = int(np.sum(x > threshold)), len(x)
        low, high = clopper_pearson(k, n, SIGMA)
        p_rate = equal_fractions(k, n, int(np.sum(truth > threshold)), len(truth))
        rows.append((name, n, distance, p_distance, interval(k / n, low, high), p_rate))
    p_run = np.array([min(1.0, 2 * min(row[3], row[5])) for row in rows])
    online = np.minimum(1.0, p_run * (np.pi * np.arange(1, len(rows) + 1)) ** 2 / 6)
    return [
        RunDrift(*row, float(p), float(h), float(o))
        for row, p, h, o in zip(rows, p_run, holm(p_run), online, strict=True)
    ]


def equal_fractions(passed: int, events: int, reference_passed: int, reference_events: int) -> float:
    """Two-sided p-value that two fractions are equal: twice the smaller tail of Fisher's exact test, never too small.

    Raises:
        FacsimError: counts that are none.
    """
    if not (0 <= passed <= events and 0 <= reference_passed <= reference_events and events and reference_events):
        raise FacsimError("two fractions need 0 <= passed <= events and at least one event each.")
    law = hypergeom(events + reference_events, passed + reference_passed, events)
    return min(1.0, 2 * min(float(law.cdf(passed)), float(law.sf(passed - 1))))


def _ks(truth: FloatArray, x: FloatArray, permutations: int, rng: np.random.Generator) -> tuple[float, float]:
    found = ks_test(truth, x)
    if len(truth) + len(x) > FEW:
        return found.statistic, found.p_value
    scores = np.concatenate([truth, x])
    order = np.argsort(scores, kind="stable")
    last = np.flatnonzero(np.append(np.diff(scores[order]) > 0, True))
    steps = np.concatenate([np.full(len(truth), 1 / len(truth)), np.full(len(x), -1 / len(x))])
    null = [np.abs(np.cumsum(rng.permutation(steps))[last]).max() for _ in range(permutations)]
    test = NullTest(found.statistic - 1e-9, np.array(null))
    reached = bool(test.null.max() >= test.statistic)
    return found.statistic, test.p_value if reached else min(test.p_value, found.p_value)
