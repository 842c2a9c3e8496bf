"""Cross-fitted class probabilities: every event is judged by networks that saw neither it nor its group."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.rng import generator, integer_seed
from facsim.evaluate.labelled import Sample, checked, class_weights, join
from facsim.evaluate.preparation import PREPARATIONS, Preparation
from facsim.metrics.calibration import fit_isotonic, fit_temperature
from facsim.metrics.classifier import uniform_ranks, with_components
from facsim.metrics.folds import group_folds, group_numbers
from facsim.metrics.signed_weights import expected_weights
from facsim.models.nets.classifiers import NETWORKS, ClassifierNetwork
from facsim.train.classifier import ClassifierSettings, Labelled, class_outputs, fit_classifier
from facsim.train.device import choose_device

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Progress = Callable[[float], None]
CALIBRATIONS = ("temperature", "isotonic")
FEWEST_EVENTS = 50
MOST_COLUMNS = 400


@dataclass(frozen=True)
class Plan:
    """How classes are told apart.

    Args:
        network: `table`, `grid`, `cloud` (a ragged grid gets the network for layers) or `plain`.
        options: of the network, e.g. {"width": 64}.
        settings: of the training.
        folds: parts that are left out in turn. seeds: networks that judge each event.
        validation: share of the training events that stop the training and calibrate the outputs.
        calibration: `temperature` or, with two classes, `isotonic`.
        device: `auto`, `cpu`, `cuda`, ...
    """

    network: str = "table"
    options: Mapping[str, Any] = field(default_factory=dict)
    settings: ClassifierSettings = field(default_factory=ClassifierSettings)
    folds: int = 5
    seeds: int = 2
    validation: float = 0.2
    calibration: str = "temperature"
    device: str = "auto"

    def __post_init__(self) -> None:
        for what, value, known in (
            ("network", self.network, tuple(PREPARATIONS)),
            ("calibration", self.calibration, CALIBRATIONS),
        ):
            if value not in known:
                raise FacsimError(f"unknown {what} '{value}' of a classifier test: expected one of {known}.")
        if self.folds < 2 or self.seeds < 1 or not 0 < self.validation <= 0.5:
            raise FacsimError(
                f"a classifier test needs at least 2 folds, 1 seed and a validation share in (0, 0.5], not "
                f"{self.folds}, {self.seeds} and {self.validation}."
            )


@dataclass(frozen=True)
class CrossFit:
    """What the networks said of the joined samples, N events in all.

    Attributes:
        log_p: log-probability of each class when all are equally frequent, of the mean of the seeds, (N, K). Each seed
            is calibrated on its inner validation parts, the mean then on the out-of-fold values of the other folds:
            more events than any validation part has.
        runs: of each seed's networks alone, (S, N, K).
        label, fold, groups: class, fold and group (different between classes) of each event, (N,).
        weight: each class adds up to N / K, (N,); of any sign where the samples' are.
        n_train: events in the smallest training part, the inner validation part left out.
        epochs: epoch kept by each training, (S, folds).
    """

    log_p: FloatArray
    runs: FloatArray
    label: IntArray
    fold: IntArray
    groups: IntArray
    weight: FloatArray
    n_train: int
    epochs: IntArray


def cross_fit(
    samples: Sequence[Sample],
    plan: Plan,
    seed: int,
    name: str,
    progress: Progress | None = None,
    *,
    signed: bool = False,
) -> CrossFit:
    """Train and apply the networks of `plan`.

    Negative weights (sWeights) leave the loss without a lower bound: networks are then trained, stopped and calibrated
    with conditional expectations of the weights (`metrics.signed_weights`).

    Args:
        samples: one for each class, truth first. plan: how. seed: of folds, weights and order.
        name: branch of the seed, the protocol. progress: called with the share done.
        signed: whether negative weights are taken; what judges the events must know of them.

    Raises:
        FacsimError: samples that a classifier cannot use, or a plan that does not fit them.
    """
    for number, sample in enumerate(samples):
        checked(sample, "reference" if number == 0 else "generated", FEWEST_EVENTS, signed=signed)
    pooled, rng = join(samples), generator(seed, name, "folds")
    ids = [
        group_numbers(s.groups, len(s), "reference" if k == 0 else "generated", plan.folds)
        for k, s in enumerate(samples)
    ]
    fold = np.concatenate([group_folds(own, rng, plan.folds) for own in ids])
    label = np.repeat(np.arange(len(samples)), [len(s) for s in samples])
    groups = _apart(ids)
    weight = class_weights(samples)
    trained = np.tile(weight, (plan.folds, 1))
    if weight.min() < 0:
        trained = _expected(pooled, label, weight, fold, generator(seed, name, "weights"))
    runs = np.empty((plan.seeds, len(label), len(samples)))
    epochs = np.zeros((plan.seeds, plan.folds), dtype=np.int64)
    n_train = len(label)
    for k in range(plan.folds):
        outside, inside = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        part = _Part(pooled, label, trained[k], plan, outside)
        for s in range(plan.seeds):
            inner = _validation(groups[outside], label[outside], plan.validation, generator(seed, name, "inner", k, s))
            n_train = min(n_train, int((~inner).sum()))
            runs[s, inside], epochs[s, k] = part.judge(inner, inside, integer_seed(seed, name, "network", k, s))
            if progress is not None:
                progress((k * plan.seeds + s + 1) / (plan.folds * plan.seeds))
    log_p = _recalibrated(runs.mean(axis=0), label, fold, trained)
    return CrossFit(log_p, runs, label, fold, groups, weight, n_train, epochs)


def _expected(
    pooled: Sample, label: IntArray, weight: FloatArray, fold: IntArray, rng: np.random.Generator
) -> FloatArray:
    """What the networks of each fold are trained with in place of weights of any sign: each class adds up to N / K,
    (folds, N)."""
    found = expected_weights(uniform_ranks(_columns(pooled)), label, weight, fold, rng)
    total = np.stack([np.bincount(label, one) for one in found])
    found *= (len(label) / total.shape[1] / np.maximum(total, 1e-12))[:, label]
    return found


def _columns(sample: Sample) -> FloatArray:
    """What weights are expected of: conditions, and the columns of a table with their principal components; of cells
    and points the sums over events where there are too many columns, (N, D)."""
    x = np.asarray(sample.x, dtype=np.float64).reshape(*sample.x.shape[:2], -1)
    if sample.mask is not None:
        real = np.asarray(sample.mask, dtype=bool)
        x = np.where(real[..., None], x, 0.0)
        x = np.concatenate([real.sum(axis=1)[:, None], x.sum(axis=1), (x**2).sum(axis=1), x.max(axis=1)], axis=1)
    flat = x.reshape(len(x), -1)
    if flat.shape[1] > MOST_COLUMNS:
        parts = np.array_split(flat, MOST_COLUMNS // 2, axis=1)
        flat = np.column_stack([flat.sum(axis=1), *(part.sum(axis=1) for part in parts)])
    cond = np.zeros((len(x), 0)) if sample.cond is None else np.asarray(sample.cond, dtype=np.float64)
    return np.hstack([cond, with_components(flat)])


def _recalibrated(log_p: FloatArray, label: IntArray, fold: IntArray, weight: FloatArray) -> FloatArray:
    """Each fold's values calibrated by a temperature from the other folds' values; weights are (folds, N)."""
    out = np.empty_like(log_p)
    for k in np.unique(fold):
        other, own = fold != k, fold == k
        out[own] = fit_temperature(log_p[other], label[other], weight[k][other]).log_probabilities(log_p[own])
    return out


class _Part:
    """Everything prepared with numbers from the training events `outside` of a fold."""

    def __init__(self, pooled: Sample, label: IntArray, weight: FloatArray, plan: Plan, outside: IntArray) -> None:
        self.plan, self.outside, self.label, self.weight = plan, outside, label, weight
        self.classes = int(label.max()) + 1
        preparation = PREPARATIONS[plan.network](pooled[outside])  # type: ignore[call-arg]
        self.preparation: Preparation = preparation
        self.events = prepared(preparation, pooled, label, weight)

    def judge(self, inner: NDArray[np.bool_], inside: IntArray, seed: int) -> tuple[FloatArray, int]:
        """Calibrated log-probabilities (n, K) of the events `inside`, and the epoch kept."""
        train, validation = self.outside[~inner], self.outside[inner]
        network = new_network(self.preparation, self.classes, self.plan, seed)
        of_train, of_validation = self.events[torch.as_tensor(train)], self.events[torch.as_tensor(validation)]
        found = fit_classifier(network, of_train, of_validation, self.plan.settings, seed)
        held, judged = (class_outputs(network, each) for each in (of_validation, self.events[torch.as_tensor(inside)]))
        label, weight = self.label[validation], self.weight[validation]
        return calibrated(held, judged, label, weight, self.plan.calibration), found.best


def prepared(preparation: Preparation, sample: Sample, label: IntArray, weight: FloatArray) -> Labelled:
    """Tensors on the CPU."""
    x, context = preparation(sample)
    mask = None if sample.mask is None else torch.as_tensor(np.asarray(sample.mask, dtype=bool))
    kind = torch.as_tensor(x).dtype
    return Labelled(
        torch.as_tensor(x),
        torch.as_tensor(context).to(kind),
        mask,
        torch.as_tensor(label),
        torch.as_tensor(weight).to(kind),
    )


def new_network(preparation: Preparation, outputs: int, plan: Plan, seed: int) -> ClassifierNetwork:
    """A fresh network on the plan's device.

    Raises:
        FacsimError: it has no such option, or there is no such device.
    """
    kind = NETWORKS[preparation.network]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            network = kind(preparation.inputs, outputs, **plan.options)
        except TypeError as error:
            raise FacsimError(f"the network '{preparation.network}' cannot be built: {error}.") from None
    return network.to(choose_device(plan.device))


def calibrated(
    held: FloatArray, judged: FloatArray, label: IntArray, weight: FloatArray, calibration: str
) -> FloatArray:
    """Log-probabilities (n, K) of `judged` outputs (n, K), calibrated on the outputs `held` of known label."""
    if calibration == "temperature":
        return fit_temperature(held, label, weight).log_probabilities(judged)
    if held.shape[1] != 2:
        raise FacsimError("isotonic calibration needs two classes; use calibration='temperature'.")
    fitted = fit_isotonic(held[:, 1] - held[:, 0], label, weight)
    edge = 0.5 / len(held)
    p = np.clip(fitted.probability(judged[:, 1] - judged[:, 0]), edge, 1 - edge)
    return np.log(np.column_stack([1 - p, p]))


def _validation(groups: IntArray, label: IntArray, share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which training events form the inner validation part: whole groups, each class alike."""
    parts = max(2, round(1 / share))
    inner = np.zeros(len(label), dtype=bool)
    for number in np.unique(label):
        own = label == number
        inner[own] = group_folds(np.unique(groups[own], return_inverse=True)[1], rng, parts) == 0
    return inner


def _apart(ids: Sequence[IntArray]) -> IntArray:
    first, parts = 0, []
    for own in ids:
        parts.append(own + first)
        first += int(own.max()) + 1
    return np.concatenate(parts)
