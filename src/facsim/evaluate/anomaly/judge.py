"""Scorecards of scores of anomaly: what each kind of signal gives, and what else a cut does to background."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.evaluate.anomaly.checks import background_checks
from facsim.evaluate.anomaly.choice import Merit, merits
from facsim.evaluate.anomaly.groups import BACKGROUND, group_names, in_order
from facsim.evaluate.anomaly.predictions import NULL, REFERENCE, VALIDATION, Predictions
from facsim.evaluate.anomaly.records import plain
from facsim.evaluate.anomaly.scores import all_scores
from facsim.metrics.auc import value_auc
from facsim.metrics.auc_difference import auc_difference
from facsim.metrics.fidelity import SHARES, agreement
from facsim.metrics.intervals import LEAST
from facsim.metrics.roc import RocBand, RocCurve, roc_band, roc_curve
from facsim.metrics.score import Score
from facsim.metrics.signal_groups import GroupResult, by_group
from facsim.metrics.working_points import MEASURED
from facsim.physics.pseudo_signals import PSEUDO_SIGNALS

FORMAT = "facsim-anomaly-1"
PROTOCOL = "facsim-anomaly-1"
FEWEST_SIGNAL = 5
FEWEST_BACKGROUND = 20
CURVE_POINTS = 240
IMPROVEMENT_POINTS = 100
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class AnomalyPlan:
    """How to judge; as the section `evaluate.anomaly` of a configuration, with what background is."""

    background: Mapping[str, float] = field(default_factory=dict)
    signals: Sequence[str] = ()
    targets: Sequence[float] = (0.02, 0.1, 1e-2, 1e-3, 1e-4)
    against: Sequence[str] = ()
    spectators: Sequence[str] = ()
    cross_section: float | None = None
    luminosity: float = 2e34
    rates: Sequence[float] = ()
    seed: int = 1


@dataclass(frozen=True)
class Judged:
    """A score that was judged: the scorecard, its values on the test events, and which events these are.

    `first` is the first output there, which need not be the score that was chosen.
    """

    content: dict[str, Any]
    values: FloatArray
    first: FloatArray
    event_id: NDArray[np.int64]
    group: NDArray[np.str_]
    weight: FloatArray

    @property
    def groups(self) -> list[str]:
        """Kinds of signal with enough events."""
        return list(self.content["events"]["signals"])


def judge(name: str, kind: str, table: Predictions, plan: AnomalyPlan) -> Judged:
    """The scorecard of the predictions `table`, and the score that was chosen.

    Of a predictor the score is chosen among its outputs by changed background, without a look at signal, and the score
    that would have been best is told; scores without a sign are chosen only where training has not decided the sign. A
    baseline's is its first output. Test events are those of both truth samples.

    Args:
        name, kind: of the sample, `surrogate` or `baseline`.

    Raises:
        FacsimError: too few background events, conditions that the events have not.
    """
    group = group_names(table.schema, table.cond, plan.background, plan.signals)
    background = group == BACKGROUND
    calibration, test = background & table.of(VALIDATION), table.of(REFERENCE, NULL)
    _check_sizes(int(calibration.sum()), int((background & test).sum()))
    scores = all_scores(
        table.outputs, table.names, table.outputs[calibration], table.weight[calibration], seed=plan.seed
    )
    changed = {name: table.of(name) for name in PSEUDO_SIGNALS}
    only = kind == "baseline"
    ranked = [Merit(table.names[0], {})] if only else merits(scores, calibration, changed, table.weight)
    chosen = next(merit.name for merit in ranked if merit.name in table.names or not table.one_sided)
    of_signal = [each for each in in_order(group[test]) if (group[test] == each).sum() >= FEWEST_SIGNAL]
    context = _Context(table, plan, group, of_signal, test & background)
    results = {merit.name: context.results(scores[merit.name]) for merit in ranked}
    content = {
        "format": FORMAT,
        "name": name,
        "kind": kind,
        "seed": plan.seed,
        "events": {
            BACKGROUND: int(context.background.sum()),
            "signals": {each: len(context.rows(each)) for each in of_signal},
            VALIDATION: int(calibration.sum()),
        },
        "chosen": chosen,
        "oracle": _oracle(results),
        "choice": [_ranked(merit, results[merit.name]) for merit in ranked],
        "scores": [row.to_dict() for row in context.rows_of_scorecard(scores[chosen], results[chosen])],
        "groups": [plain(_short(result)) for result in results[chosen]],
        "roc": context.curves(scores[chosen]),
        **background_checks(scores[chosen], table, background, plan),
    }
    first = table.outputs[test, 0]
    return Judged(content, scores[chosen][test], first, table.event_id[test], group[test], table.weight[test])


def compare(ours: Judged, theirs: Judged) -> dict[str, Any]:
    """AUC of `ours` less that of `theirs` for each kind of signal, on the same events: value and error.

    Raises:
        FacsimError: other events.
    """
    if not np.array_equal(ours.event_id, theirs.event_id):
        raise FacsimError("two scores can only be compared on the same events: sample both again.")
    both = np.stack([ours.values, theirs.values], 1)
    b, found = ours.group == BACKGROUND, {}
    for group in ours.groups:
        s = ours.group == group
        found[group] = plain(auc_difference(both[b], both[s], ours.weight[b], ours.weight[s]))
    return found


def fidelity(teacher: Judged, student: Judged) -> list[Any]:
    """Agreement on test background, of all and of what the teacher calls most unusual, as far as there are events.

    Of the outputs themselves: a student's score without a sign orders background otherwise than its teacher.
    """
    background = student.group == BACKGROUND
    shares = [share for share in SHARES if share * background.sum() >= FEWEST_BACKGROUND]
    return [plain(one) for one in agreement(teacher.first[background], student.first[background], shares)]


@dataclass(frozen=True)
class _Context:
    """What all scores of one table share."""

    table: Predictions
    plan: AnomalyPlan
    group: NDArray[np.str_]
    signals: list[str]
    background: NDArray[np.bool_]

    def rows(self, signal: str) -> NDArray[np.int64]:
        return np.flatnonzero((self.group == signal) & self.table.of(REFERENCE, NULL))

    def pair(self, score: FloatArray, signal: str) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Background and signal, and their weights."""
        rows, weight = self.rows(signal), self.table.weight
        return score[self.background], score[rows], weight[self.background], weight[rows]

    def results(self, score: FloatArray) -> list[GroupResult]:
        found = []
        for signal in self.signals:
            b, s, u, v = self.pair(score, signal)
            found += by_group(
                b, s, np.full(len(s), signal), u, v, targets=self.plan.targets, within=(1e-4, 1.0), seed=self.plan.seed
            )
        return found

    def rows_of_scorecard(self, score: FloatArray, results: list[GroupResult]) -> list[Score]:
        table, weight = self.table, self.table.weight
        first, second = (self.background & table.of(part) for part in (REFERENCE, NULL))
        null = value_auc(score[first], score[second], weight[first], weight[second])
        n = int(self.background.sum())
        found = []
        for result in results:
            common: dict[str, Any] = {
                "protocol": PROTOCOL,
                "n_reference": n,
                "n_generated": result.events,
                "seed": self.plan.seed,
                "region": str(result.group),
                "better": "higher",
            }
            found.append(
                Score("auc", value=result.auc[0], error=result.auc[1], null=null[0], null_error=null[1], **common)
            )
            for point in result.points:
                status = "ok" if point.status == MEASURED else "underpowered"
                error = 0.5 * (point.signal.high - point.signal.low)
                value = point.signal.value
                found.append(Score(f"efficiency/{point.target:g}", value=value, error=error, status=status, **common))
            best = result.improvement.best
            found.append(Score("significance_improvement", value=best[0], error=best[1], **common))
        return found

    def curves(self, score: FloatArray) -> dict[str, Any]:
        found = {}
        for signal in self.signals:
            sample = self.pair(score, signal)
            effective = sample[2].sum() ** 2 / np.sum(sample[2] ** 2)
            band = roc_band(*sample, seed=self.plan.seed) if effective > 2 * LEAST else None
            found[signal] = {"curve": _thinned(roc_curve(*sample)), "band": _band(band)}
        return found


def _thinned(curve: RocCurve) -> dict[str, Any]:
    """A curve of few points, spread evenly over both efficiencies and the logarithm of the background's."""
    b = curve.background
    kept = _spread(np.log10(np.maximum(b, 1e-6)) + b + curve.signal, CURVE_POINTS)
    columns = {name: getattr(curve, name)[..., kept] for name in ("threshold", "background", "signal")}
    ends = {name: getattr(curve, name)[:, kept] for name in ("background_ends", "signal_ends")}
    return dict(plain({**columns, **ends, "auc": curve.auc, "level": curve.level}))


def _short(result: GroupResult) -> GroupResult:
    """A result whose improvement has few points, spread evenly over the background efficiency and its logarithm."""
    curve = result.improvement
    kept = _spread(np.log10(curve.background) + curve.background, IMPROVEMENT_POINTS)
    columns = {name: getattr(curve, name)[kept] for name in ("background", "value", "error")}
    return replace(result, improvement=replace(curve, **columns))


def _spread(length: FloatArray, most: int) -> NDArray[np.int64]:
    """At most `most` places in `length` (T,), which does not fall, at even steps of it, both ends among them."""
    if len(length) <= most:
        return np.arange(len(length))
    wanted = np.linspace(length[0], length[-1], most)
    return np.unique(np.clip(np.searchsorted(length, wanted), 0, len(length) - 1))


def _band(band: RocBand | None) -> Any:
    return None if band is None else plain(band)


def _ranked(merit: Merit, results: list[GroupResult]) -> dict[str, Any]:
    auc = {str(result.group): plain(result.auc) for result in results}
    return {"name": merit.name, "merit": merit.mean, "changed": plain(merit.auc), "auc": auc}


def _oracle(results: Mapping[str, list[GroupResult]]) -> str | None:
    """The score with the largest mean AUC over kinds of signal: known only to who has seen the signal."""
    means = {name: np.mean([result.auc[0] for result in found]) for name, found in results.items() if found}
    return max(means, key=lambda name: means[name]) if means else None


def _check_sizes(calibration: int, test: int) -> None:
    if min(calibration, test) < FEWEST_BACKGROUND:
        raise FacsimError(
            f"scores of anomaly are judged on at least {FEWEST_BACKGROUND} background events of validation and of both "
            f"test samples together, and there are {calibration} and {test}: see 'prepare.background', take more "
            "events, or larger 'prepare.validation' and 'prepare.test'."
        )
