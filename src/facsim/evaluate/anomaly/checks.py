"""What a cut on a score does to background: stable against pile-up, sculpting nothing, the same in every run, a rate.

The threshold is set on the first truth sample and looked at on the second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.evaluate.anomaly.predictions import NULL, REFERENCE, Predictions
from facsim.evaluate.anomaly.records import plain
from facsim.metrics.drift import monitor
from facsim.metrics.sculpting import sculpting
from facsim.metrics.stability import Stability, efficiency_stability
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
    given = (score[second], table.cond[second], table.weight[second])
    for kind, check, wanted in (("stability", _stability, plan.against), ("sculpting", sculpting, plan.spectators)):
        found[kind], notes = _by_condition(check, wanted, table, given, cut, plan.seed)
        found["notes"] += notes
    runs = {f"B{k + 1}": part for k, part in enumerate(np.array_split(score[second], RUNS)) if len(part)}
    found["drift"] = [plain(run) for run in monitor(score[first], runs, cut, seed=plan.seed)]
    return {"checks": found, "rates": _rates(score, table, background, plan)}


def _by_condition(
    check: Callable[..., Any],
    wanted: Sequence[str],
    table: Predictions,
    given: tuple[FloatArray, FloatArray, FloatArray],
    cut: float,
    seed: int,
) -> tuple[dict[str, Any], list[str]]:
    """`check` against each of the conditions `wanted` that there are; None, and a note why, where it cannot be made."""
    score, cond, weight = given
    columns = [feature.name for feature in table.schema.conditions[:-1]]
    found: dict[str, Any] = {}
    notes = []
    for name in (name for name in wanted if name in columns):
        try:
            found[name] = plain(check(score, cut, cond[:, columns.index(name)], weight, seed=seed))
        except FacsimError as error:
            found[name] = None
            notes.append(f"no check against {name}: {str(error).rstrip('.')}")
    return found, notes


def _stability(score: FloatArray, cut: float, by: FloatArray, weight: FloatArray, *, seed: int) -> Stability | None:
    edges = np.unique(np.quantile(by, np.linspace(0, 1, BINS + 1)))
    if len(edges) < 3:
        return None  # a condition of one value has no bins
    edges[-1] = np.nextafter(edges[-1], np.inf)
    return efficiency_stability(score, cut, by, edges, weight, seed=seed)


def _rates(score: FloatArray, table: Predictions, background: NDArray[np.bool_], plan: AnomalyPlan) -> list[Any]:
    """Thresholds for rates of a trigger, where the cross section of the background is known."""
    if plan.cross_section is None:
        return []
    test = background & table.of(REFERENCE, NULL)
    weight = table.weight[test]
    hertz = event_rate(plan.cross_section, float(weight.sum()), plan.luminosity) * weight
    return [plain(threshold_for_rate(score[test], hertz, rate)) for rate in plan.rates]
