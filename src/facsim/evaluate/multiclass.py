"""The multiclass log-posterior by one classifier of all models: the definition of the CaloChallenge.

`facsim.evaluate.log_posterior` says what the number is, and has the variant that needs no old samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.rng import generator, integer_seed
from facsim.evaluate.c2st import Data
from facsim.evaluate.crossfit import FEWEST_EVENTS, Plan, calibrated, new_network, prepared
from facsim.evaluate.labelled import Sample, as_sample, checked, class_weights, join
from facsim.evaluate.log_posterior import LogPosterior, error_of_mean, spread
from facsim.evaluate.preparation import PREPARATIONS
from facsim.metrics.folds import group_folds, group_numbers
from facsim.train.classifier import class_outputs, fit_classifier

FloatArray = NDArray[np.float64]
PROTOCOL = "facsim-multiclass-1"
PARTS = 5


def multiclass_log_posterior(
    truth: Data, models: Mapping[str, Data], *, plan: Plan | None = None, conditions: int = 0, seed: int = 0
) -> LogPosterior:
    """One classifier of all models, judged on truth.

    Of each model's events three fifths train, a fifth stops and calibrates the training, and a fifth gives the matrix
    `cross`; `plan.folds` and `plan.validation` are not used. The challenge's own network and schedule are
    `Plan("plain", settings=ClassifierSettings(50, 1000, 2e-4, 0.0, None, "accuracy", decay=False), seeds=10)`; its
    script is not public, so that more cannot be copied.

    Args:
        truth: events that only judge. models: name to sample. plan: network and training; `seeds` of them.
        conditions: leading columns of plain tables known before simulation. seed: of everything.

    Raises:
        FacsimError: fewer than two models, or samples that a classifier cannot use.
    """
    used, judge = plan or Plan(), checked(as_sample(truth, conditions), "reference", FEWEST_EVENTS)
    if len(models) < 2:
        raise FacsimError(f"a log-posterior needs at least two models, not {len(models)}.")
    samples = [checked(as_sample(data, conditions), f"'{name}'", FEWEST_EVENTS) for name, data in models.items()]
    join([judge, *samples])  # says what does not fit
    found = [_run(judge, samples, used, seed, number) for number in range(used.seeds)]
    weight = np.ones(len(judge)) if judge.weight is None else np.asarray(judge.weight, dtype=np.float64)
    of_truth = np.stack([log_p for log_p, _ in found])
    runs = np.array([np.average(one, axis=0, weights=weight) for one in of_truth])
    groups = group_numbers(judge.groups, len(judge), "reference", 2)
    error = np.hypot(error_of_mean(of_truth.mean(axis=0), weight, groups), spread(runs))
    cross = np.mean([matrix for _, matrix in found], axis=0)
    return LogPosterior(tuple(models), runs.mean(axis=0), error, runs, cross, PROTOCOL, seed, len(judge))


def _run(judge: Sample, samples: Sequence[Sample], plan: Plan, seed: int, number: int) -> tuple[FloatArray, FloatArray]:
    """log P of truth events, (N, K), and the cross matrix, (K, K), of one training."""
    rng, own_seed = generator(seed, PROTOCOL, "parts", number), integer_seed(seed, PROTOCOL, number)
    ids = [group_numbers(s.groups, len(s), "generated", PARTS) for s in samples]
    part = np.concatenate([group_folds(own, rng, PARTS) for own in ids])
    label = np.repeat(np.arange(len(samples)), [len(s) for s in samples])
    weight, pooled = class_weights(samples), join(samples)
    train, held, rest = (np.flatnonzero(chosen) for chosen in (part > 1, part == 1, part == 0))
    preparation = PREPARATIONS[plan.network](pooled[train])  # type: ignore[call-arg]
    events = prepared(preparation, pooled, label, weight)
    of_held, of_rest = events[torch.as_tensor(held)], events[torch.as_tensor(rest)]
    network = new_network(preparation, len(samples), plan, own_seed)
    fit_classifier(network, events[torch.as_tensor(train)], of_held, plan.settings, own_seed)
    of_truth = prepared(preparation, judge, np.zeros(len(judge), dtype=np.int64), np.ones(len(judge)))
    outputs = class_outputs(network, of_held)
    log_p, log_p_rest = (
        calibrated(outputs, class_outputs(network, each), label[held], weight[held], plan.calibration)
        for each in (of_truth, of_rest)
    )
    kinds = [(label[rest] == k, weight[rest]) for k in range(len(samples))]
    return log_p, np.array([np.average(log_p_rest[own], axis=0, weights=w[own]) for own, w in kinds])
