"""Efficiencies of selections, surrogate over truth, as an analysis would use them: by cuts on named features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.events import Events
from facsim.metrics.efficiency_ratio import EfficiencyRatio, bin_numbers, efficiency_ratio

Cuts = Mapping[str, tuple[float | None, float | None]]
"""Name of a feature to where it has to lie: above the first value and at most the second, None where open."""


@dataclass(frozen=True)
class SelectionRatio:
    """Ratios of efficiencies, surrogate over truth: over all events (one bin), and in bins of conditions by name."""

    integrated: EfficiencyRatio
    binned: Mapping[str, EfficiencyRatio] = field(default_factory=dict)


def selection_efficiency_ratio(
    truth: Events, surrogate: Events, cuts: Cuts, bins: Mapping[str, Sequence[float]] | None = None
) -> SelectionRatio:
    """Ratio of the efficiencies of one selection, integrated and in bins, with errors.

    Events of the surrogate that were sampled at the very conditions of `truth`, in order, are compared in pairs, which
    takes the spread of conditions and weights out of the error.

    Args:
        truth, surrogate: tables; weights may have either sign.
        cuts: all of them have to be passed.
        bins: name of a condition to increasing edges, each for itself; events outside of the edges are left out.

    Raises:
        FacsimError: no cuts, features or conditions that are not there, weights without a positive sum.
    """
    paired = len(truth) == len(surrogate) and np.array_equal(truth.cond, surrogate.cond)
    paired = paired and np.array_equal(_weight(truth), _weight(surrogate))
    a, b = passed(truth, cuts), passed(surrogate, cuts)

    def ratio(in_a: NDArray[Any], in_b: NDArray[Any], bins: int) -> EfficiencyRatio:
        return efficiency_ratio(a, b, in_a, in_b, bins, truth.weight, surrogate.weight, paired=paired)

    binned = {}
    for name, edges in (bins or {}).items():
        in_a, in_b = (bin_numbers(events.condition(name), edges) for events in (truth, surrogate))
        binned[name] = ratio(in_a, in_b, len(edges) - 1)
    zeros = [np.zeros(len(events), dtype=np.int64) for events in (truth, surrogate)]
    return SelectionRatio(ratio(zeros[0], zeros[1], 1), binned)


def passed(events: Events, cuts: Cuts) -> NDArray[np.bool_]:
    """Whether each event of a table passes all `cuts`, (N,).

    Raises:
        FacsimError: no cuts, or of features that are not there.
    """
    names = [feature.name for feature in events.schema.features]
    unknown = sorted(set(cuts) - set(names))
    if not cuts or unknown or events.schema.representation != "table":
        raise FacsimError(f"a selection needs cuts on features of a table: expected some of {names}, not {list(cuts)}.")
    found = np.ones(len(events), dtype=bool)
    for name, (low, high) in cuts.items():
        values = events.x[:, names.index(name)]
        found &= (values > (-np.inf if low is None else low)) & (values <= (np.inf if high is None else high))
    return found


def _weight(events: Events) -> NDArray[Any]:
    return np.ones(len(events)) if events.weight is None else np.asarray(events.weight)
