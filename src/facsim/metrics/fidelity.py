"""How faithful a student's scores are to its teacher's, over all background and in the tail where a trigger cuts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau, rankdata

from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.metrics._samples import FloatArray, check_values
from facsim.metrics.replicas import spread
from facsim.metrics.score import Estimate

SHARES = (1.0, 0.1, 0.02, 0.01, 0.001)
FEWEST = 10
"""Selected events below which nothing is said."""


@dataclass(frozen=True)
class Agreement:
    """Teacher and student in the `share` of background that the teacher calls most unusual, `events` in number.

    `spearman`, `kendall` (tau-b): correlations of ranks among these events alone, 1 for the same order. They are lower
    in a tail than over all events, for a narrow range is hard to order. `overlap`: of the teacher's events, the
    fraction that a student selects which keeps as much background; by chance it is `share`. NaN with fewer than ten.
    """

    share: float
    events: int
    spearman: Estimate
    kendall: Estimate
    overlap: Estimate


def agreement(
    teacher: NDArray[Any],
    student: NDArray[Any],
    shares: Sequence[float] = SHARES,
    *,
    replicas: int = 200,
    seed: int = 1,
) -> list[Agreement]:
    """Agreement of scores of the same background events, one for each of `shares`.

    Scores may be of any scale: only their order counts. Errors are standard deviations over bootstrap samples of the
    events, the tail chosen anew in each; they do not tell how another training would differ.

    Args:
        teacher, student: scores (N,) of each event, more is more unusual. shares: of background, above 0 and up to 1.
        replicas: bootstrap samples. seed: of them.

    Raises:
        FacsimError: scores that are not finite or not of the same events, shares out of range.
    """
    x, y = check_values("teacher's", teacher), check_values("student's", student)
    if len(x) != len(y):
        raise FacsimError(f"scores of {len(x)} events by the teacher and {len(y)} by the student are not of the same.")
    for share in shares:
        _check_share(share)
    rng = generator(seed, "fidelity")
    draws = [np.arange(len(x)), *(rng.integers(0, len(x), len(x)) for _ in range(replicas))]
    found = []
    for share in shares:
        values = np.array([_values(x[draw], y[draw], share) for draw in draws])
        pairs = [Estimate((float(column[0]), spread(column))) for column in values.T]
        found.append(Agreement(share, int(selected(x, share).sum()), *pairs))
    return found


def selected(background: NDArray[Any], share: float, scores: NDArray[Any] | None = None) -> NDArray[np.bool_]:
    """Which of `scores`, by default `background` itself, are above the loosest threshold that keeps no more than
    `share` of `background` (N,): equal scores pass or fail together, and a share of 1 takes all.

    Raises:
        FacsimError: a share out of range.
    """
    _check_share(share)
    values = np.asarray(background if scores is None else scores)
    kept = int(share * len(background) + 1e-9)
    if kept >= len(background):
        return np.ones(len(values), dtype=bool)
    threshold = np.partition(background, len(background) - kept - 1)[len(background) - kept - 1]
    return np.asarray(values > threshold)


def _check_share(share: float) -> None:
    if not 0 < share <= 1:
        raise FacsimError(f"a share of background lies above 0 and up to 1, and {share} does not.")


def _values(teacher: FloatArray, student: FloatArray, share: float) -> tuple[float, float, float]:
    """Spearman's and Kendall's correlation and the overlap."""
    chosen = selected(teacher, share)
    if chosen.sum() < FEWEST:
        return (np.nan,) * 3
    x, y = teacher[chosen], student[chosen]
    overlap = float(selected(student, share)[chosen].mean())
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return np.nan, np.nan, overlap
    return float(np.corrcoef(rankdata(x), rankdata(y))[0, 1]), float(kendalltau(x, y).statistic), overlap
