"""Classifier two-sample test with networks, protocol `facsim-c2st-net-1` (docs/metrics-classifiers.md).

The protocol fixes: networks and trainings of `Plan()`; five folds of whole groups, two networks for each; classes of
equal weight; inputs prepared on training events without labels; training stopped and outputs calibrated on a fifth of
the training events; AUC of the mean calibrated log-likelihood ratio over pairs within a fold; error from a bootstrap
over groups times 1.5 for the overlap of training sets; a control of truth distorted by 2 %. Negative weights (sWeights)
train by their conditional expectations; the AUC has the exact ones, its error is DeLong's with weights, times 1.5.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.events import Events
from facsim.core.rng import generator
from facsim.evaluate.crossfit import CrossFit, Plan, Progress, cross_fit
from facsim.evaluate.labelled import Sample, as_sample
from facsim.metrics.auc import stratified_auc
from facsim.metrics.auc_bootstrap import WeightedAuc, bootstrap_error
from facsim.metrics.score import Score

FloatArray = NDArray[np.float64]
Data = Sample | Events | NDArray[Any]
PROTOCOL = "facsim-c2st-net-1"
CONTROL = 0.02
SEEN, CLEAR = 2.0, 3.0
SIGNED = "; trained with conditional expectations of the signed weights"


@dataclass(frozen=True)
class NetworkTest:
    """Outcome of one comparison.

    Attributes:
        auc, error: of the mean of the seeds' log-ratios, and its standard error.
        accuracy: mean over classes of the weight on the right side of likelihood ratio 1.
        seed_aucs: AUC of each seed's networks alone, (S,); their spread is the noise of training.
        log_ratio: log p_candidate / p_reference of each event, out of fold, (N,): the reference's events first.
        label, fold, groups, weight: of the same events, see `CrossFit`.
        n_train: events in the smallest training part. epochs: epoch kept, (S, folds).
    """

    auc: float
    error: float
    accuracy: float
    seed_aucs: FloatArray
    log_ratio: FloatArray
    label: NDArray[np.int64]
    fold: NDArray[np.int64]
    groups: NDArray[np.int64]
    weight: FloatArray
    n_train: int
    epochs: NDArray[np.int64]

    def region(self, inside: NDArray[np.bool_], seed: int = 0) -> tuple[float, float]:
        """AUC and error of the same scores among the chosen events, (N,) booleans; NaN without both classes."""
        label, fold, groups = (part[inside] for part in (self.label, self.fold, self.groups))
        folds = int(self.fold.max()) + 1
        return _auc(self.log_ratio[inside], label, fold, groups, self.weight[inside], folds, seed)

    @property
    def signed(self) -> bool:
        """Whether some weights are negative."""
        return bool(self.weight.min() < 0)

    @property
    def seed_spread(self) -> float:
        """Standard deviation of the AUC between seeds; NaN for one seed."""
        return float(np.std(self.seed_aucs, ddof=1)) if len(self.seed_aucs) > 1 else math.nan


@dataclass(frozen=True)
class NetworkScore:
    """A `Score` and the comparisons behind it: with the candidate, with the null and with the control, where made."""

    score: Score
    test: NetworkTest
    null: NetworkTest | None = None
    control: NetworkTest | None = None


def scaled(sample: Sample) -> Sample:
    """The default control: every number of `x` times 1.02; for cells and hits that is the energy scale."""
    return replace(sample, x=np.asarray(sample.x) * (1 + CONTROL))


def network_test(
    reference: Data,
    candidate: Data,
    *,
    network: str = "table",
    null: Data | None = None,
    control: Callable[[Sample], Sample] | None = scaled,
    conditions: int = 0,
    seed: int = 0,
    plan: Plan | None = None,
    device: str = "auto",
    progress: Progress | None = None,
) -> NetworkScore:
    """How well networks tell `candidate` from `reference`: AUC 0.5 when they cannot.

    Args:
        reference: truth. candidate: the sample to judge. Arrays, `Events` or `Sample` (with weights, groups, masks);
            weights may be negative.
        network: `table`, `grid` or `cloud`.
        null: a second truth sample, disjoint from the reference and best as large as the candidate.
        control: makes a known small distortion of the null; where it is not seen the score is `underpowered`. None
            leaves it out. It costs a further comparison, as the null does.
        conditions: how many leading columns of plain tables are known before simulation.
        seed: of folds, weights and order. plan: replaces the protocol's networks and trainings (and `network` and
            `device`); the score's protocol then says `custom`. progress: called with the share done.

    Raises:
        FacsimError: samples that do not fit or that a classifier cannot use; fewer than 50 events or 5 groups a class.
    """
    used = Plan(network=network, device=device) if plan is None else plan
    protocol = PROTOCOL if plan is None else f"{PROTOCOL} custom"
    truth = as_sample(reference, conditions)
    others = {"test": as_sample(candidate, conditions)}
    if null is not None:
        others["null"] = as_sample(null, conditions)
        for name, other in (("reference", truth), ("candidate", others["test"])):
            if np.array_equal(np.asarray(others["null"].x), np.asarray(other.x)):
                raise FacsimError(f"the null is the {name} itself; give truth of its own, disjoint from the reference.")
        if control is not None:
            others["control"] = control(others["null"])
    found = {}
    for number, (name, other) in enumerate(others.items()):
        step = None if progress is None else _step(progress, number, len(others))
        found[name] = compare(truth, other, used, seed, step)
    score = _score(found, protocol, used, (len(truth), len(others["test"])), seed)
    return NetworkScore(score, found["test"], found.get("null"), found.get("control"))


def compare(
    reference: Sample, candidate: Sample, plan: Plan, seed: int, progress: Progress | None = None
) -> NetworkTest:
    """One comparison: networks, out-of-fold log-ratios, AUC and error."""
    fit = cross_fit((reference, candidate), plan, seed, PROTOCOL, progress, signed=True)
    return judged(fit, seed)


def judged(fit: CrossFit, seed: int) -> NetworkTest:
    """AUC of the log-ratios of a fit of two classes."""
    mean, runs = fit.log_p[:, 1] - fit.log_p[:, 0], fit.runs[:, :, 1] - fit.runs[:, :, 0]
    auc, error = _auc(mean, fit.label, fit.fold, fit.groups, fit.weight, int(fit.fold.max()) + 1, seed)
    right = np.where(fit.label == 1, mean > 0, mean <= 0)
    return NetworkTest(
        auc,
        error,
        float(np.average(right, weights=fit.weight)),
        np.array([WeightedAuc(one, fit.label, fit.fold)(fit.weight) for one in runs]),
        mean,
        fit.label,
        fit.fold,
        fit.groups,
        fit.weight,
        fit.n_train,
        fit.epochs,
    )


def _auc(
    log_ratio: FloatArray,
    label: NDArray[np.int64],
    fold: NDArray[np.int64],
    groups: NDArray[np.int64],
    weight: FloatArray,
    folds: int,
    seed: int,
) -> tuple[float, float]:
    """AUC and its error over groups, with the factor for training sets that overlap (Nadeau and Bengio 2003): by a
    bootstrap, and where weights are negative, and replicas of a few events have no AUC, DeLong's."""
    overlap = math.sqrt(1 + folds / (folds - 1))
    if len(weight) and weight.min() < 0:
        pairs = [(part[label == 0], part[label == 1]) for part in (log_ratio, fold, groups, weight)]
        value, error = stratified_auc(*(part for pair in pairs for part in pair))
        return value, overlap * error
    auc = WeightedAuc(log_ratio, label, fold)
    numbers = np.unique(groups, return_inverse=True)[1]
    return auc(weight), overlap * bootstrap_error(auc, weight, numbers, generator(seed, PROTOCOL, "bootstrap"))


def _step(progress: Progress, number: int, total: int) -> Progress:
    return lambda done: progress((number + done) / total)


def _score(found: dict[str, NetworkTest], protocol: str, plan: Plan, sizes: tuple[int, int], seed: int) -> Score:
    test, null, control = found["test"], found.get("null"), found.get("control")
    base = (0.5, 0.0) if null is None else (null.auc, null.error)
    note = f"network '{plan.network}', {plan.seeds} seeds, trained on {test.n_train} events"
    note += f"; spread of the seeds {test.seed_spread:.4f}" if plan.seeds > 1 else ""
    note += SIGNED if test.signed else ""
    status = "ok"
    if control is not None:
        note += f"; control {control.auc:.4f} +- {control.error:.4f}"
        seen = control.auc - base[0] > SEEN * math.hypot(control.error, base[1])
        clear = test.auc - base[0] > CLEAR * math.hypot(test.error, base[1])
        status = "ok" if seen or clear else "underpowered"
    of_null = (math.nan, math.nan) if null is None else base
    return Score(
        "auc", protocol, test.auc, test.error, *of_null, *sizes, seed, status=status, better="lower", note=note + "."
    )
