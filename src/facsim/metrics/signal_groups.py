"""Results of one anomaly score for groups of signal, such as masses, against one background."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.metrics._samples import check_values, check_weights
from facsim.metrics.auc import value_auc
from facsim.metrics.intervals import LEAST
from facsim.metrics.score import Estimate
from facsim.metrics.significance import Improvement, significance_improvement
from facsim.metrics.working_points import TARGETS, WorkingPoint, working_points


@dataclass(frozen=True)
class GroupResult:
    """Of one group of signal: number of events, AUC, working points in the order of the targets, and improvement."""

    group: Hashable
    events: int
    auc: Estimate
    points: list[WorkingPoint]
    improvement: Improvement


def by_group(
    background: NDArray[Any],
    signal: NDArray[Any],
    groups: Sequence[Hashable] | NDArray[Any],
    background_weights: NDArray[Any] | None = None,
    signal_weights: NDArray[Any] | None = None,
    *,
    targets: Sequence[float] = TARGETS,
    least: float = LEAST,
    within: tuple[float, float] = (0.0, 1.0),
    seed: int = 0,
) -> list[GroupResult]:
    """Results of each group of signal, in the order of the groups.

    The groups share the background, so that their errors of the threshold are common to all.

    Args:
        background: scores (N,). signal: scores (M,). groups: of the signal events, numbers or names, (M,).
        background_weights, signal_weights: not negative; by default 1.
        targets, least: of `working_points`. within: of `significance_improvement`. seed: of its halves.

    Raises:
        FacsimError: another number of groups than of events, a group of one event, and as the functions behind.
    """
    x, of = check_values("signal", signal), np.asarray(groups)
    if of.shape != x.shape:
        raise FacsimError(f"there are {of.size} groups for {len(x)} signal events.")
    w = check_weights("signal", len(x), signal_weights, negative=False)
    found = []
    for name in np.unique(of):
        inside = of == name
        sample = (background, x[inside], background_weights, w[inside])
        found.append(
            GroupResult(
                name.item(),
                int(inside.sum()),
                value_auc(*sample),
                working_points(*sample, targets=targets, least=least),
                significance_improvement(*sample, within=within, least=least, seed=seed),
            )
        )
    return found
