"""What a cut on a score does to background: stable against pile-up, sculpting nothing, the same in every run, a rate.

The threshold is set on the first truth sample and looked at on the second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.evaluate.anomaly.predictions import NULL, REFERENCE, Predictions
from facsim.evaluate.anomaly.records import plain
from facsim.metrics.drift import monitor
from facsim.metrics.sculpting import sculpting
from facsim.metrics.stability import efficiency_stability
from facsim.metrics.trigger_rate import event_rate, threshold_for_rate
from facsim.metrics.working_points import working_points

if TYPE_CHECKING:
    from facsim.evaluate.anomaly.judge import AnomalyPlan

BINS = 6
RUNS = 8
FEWEST_PASSED = 5
FloatArray = NDArray[np.float64]


def background_checks(
    score: FloatArray, table: Predictions, background: NDArray[np.bool_], plan: AnomalyPlan
) -> dict[str, Any]:
    """The parts `checks` and `rates` of a scorecard; a check that cannot be made says why."""
    first, second = (np.flatnonzero(background & table.of(part)) for part in (REFERENCE, NULL))
    point = working_points(
        score[first], score[first], table.weight[first], table.weight[first], targets=[plan.targets[0]]
    )[0]
    cut = float(point.threshold.value)
    found: dict[str, Any] = {"target": plan.targets[0], "stability": {}, "sculpting": {}, "drift": [], "notes": []}
    if not np.isfinite(cut) or not FEWEST_PASSED <= int((score[second] > cut).sum()) < len(second):
        found["notes"].append(
            f"at a background efficiency of {plan.targets[0]:g} too few of {len(second)} events pass for the checks"
        )
        return {"checks": found, "rates": _rates(score, table, background, plan)}
    found["threshold"] = cut
    columns = [feature.name for feature in table.schema.conditions[:-1]]
    for name in plan.against:
        if name in columns:
            by = table.cond[second, columns.index(name)]
            found["stability"][name] = _stability(score[second], cut, by, table.weight[second], plan.seed)
    for name in plan.spectators:
        if name in columns:
            at = table.cond[second, columns.index(name)]
            found["sculpting"][name] = _sculpting(score[second], cut, at, table.weight[second], plan.seed)
    runs = {f"B{k + 1}": part for k, part in enumerate(np.array_split(score[second], RUNS)) if len(part)}
    found["drift"] = [plain(run) for run in monitor(score[first], runs, cut, seed=plan.seed)]
    return {"checks": found, "rates": _rates(score, table, background, plan)}


def _stability(score: FloatArray, cut: float, by: FloatArray, weight: FloatArray, seed: int) -> Any:
    edges = np.unique(np.quantile(by, np.linspace(0, 1, BINS + 1)))
    if len(edges) < 3:
        return None
    edges[-1] = np.nextafter(edges[-1], np.inf)
    try:
        return plain(efficiency_stability(score, cut, by, edges, weight, seed=seed))
    except FacsimError:
        return None


def _sculpting(score: FloatArray, cut: float, spectator: FloatArray, weight: FloatArray, seed: int) -> Any:
    try:
        return plain(sculpting(score, cut, spectator, weight, seed=seed))
    except FacsimError:
        return None


def _rates(score: FloatArray, table: Predictions, background: NDArray[np.bool_], plan: AnomalyPlan) -> list[Any]:
    """Thresholds for rates of a trigger, where the cross section of the background is known."""
    if plan.cross_section is None:
        return []
    test = background & table.of(REFERENCE, NULL)
    weight = table.weight[test]
    hertz = event_rate(plan.cross_section, float(weight.sum()), plan.luminosity) * weight
    return [plain(threshold_for_rate(score[test], hertz, rate)) for rate in plan.rates]
