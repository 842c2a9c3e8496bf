"""The CaloChallenge's classifier, protocol `calochallenge-2022` (arXiv 2410.21611, section 4; its evaluate.py).

Reproduced with what it leaves out: nothing is standardised, groups and weights are unknown, and the part on which the
best epoch is chosen by accuracy also fits the isotonic calibration. The published error is the standard deviation of
ten trainings, each with its own division of the events; it knows nothing of the size of the test part.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit

from facsim.core.errors import FacsimError
from facsim.core.geometry import Geometry
from facsim.core.rng import generator, integer_seed
from facsim.evaluate.crossfit import Progress
from facsim.evaluate.labelled import Sample, checked, join
from facsim.metrics.auc import stratified_auc
from facsim.metrics.calibration import fit_isotonic
from facsim.metrics.score import Score
from facsim.models.nets.classifiers import NETWORKS, ClassifierNetwork, Inputs
from facsim.train.classifier import ClassifierSettings, Labelled, class_outputs, fit_classifier
from facsim.train.device import choose_device

FloatArray = NDArray[np.float64]
PROTOCOL = "calochallenge-2022"
FEWEST_EVENTS = 50
LEAST = 1e-6
"""Calibrated probabilities are kept this far from 0 and 1."""


@dataclass(frozen=True)
class ChallengeSettings:
    """The challenge's numbers; smaller ones are for trials and make another protocol's number.

    Args:
        width, depth: hidden layers of the DNN. planes: channels of the stages of the residual network.
        lr, batch_size, epochs: of Adam. repeats: trainings.
        train, test: shares of each class for training and for choosing and calibrating; the rest gives the result.
        double: float64, as the challenge, or float32.
    """

    width: int = 2048
    depth: int = 3
    planes: tuple[int, ...] = (32, 64, 64, 128)
    lr: float = 2e-4
    batch_size: int = 1000
    epochs: int = 50
    repeats: int = 10
    train: float = 0.6
    test: float = 0.2
    double: bool = True

    def __post_init__(self) -> None:
        if self.repeats < 1 or min(self.train, self.test) <= 0 or self.train + self.test >= 1:
            raise FacsimError("the challenge's classifier needs a training, and shares of all three parts.")


@dataclass(frozen=True)
class ChallengeTest:
    """`score` (AUC after calibration: mean and spread of the trainings), and each training's numbers, (repeats,).

    `jsd` is (ln 2 - binary cross-entropy) / ln 2 of the calibrated probabilities, an estimate of the Jensen-Shannon
    divergence in bits; `raw_auc` is the AUC before calibration, whose steps can lower it slightly.
    """

    score: Score
    auc: FloatArray
    raw_auc: FloatArray
    jsd: FloatArray


def low_level(cells: NDArray[Any], e_inc: NDArray[Any]) -> FloatArray:
    """[log10 E_inc, E_cell / E_inc]: cells (N, V) and e_inc (N,) in one unit, MeV in the challenge, to (N, 1 + V)."""
    energy = np.asarray(e_inc, dtype=np.float64)[:, None]
    return np.hstack([np.log10(energy), np.asarray(cells, dtype=np.float64) / energy])


def low_level_normed(cells: NDArray[Any], e_inc: NDArray[Any], geometry: Geometry) -> FloatArray:
    """[log10 E_inc, E_cell / E_layer, log10(E_layer + 1e-8)]: (N, V) and (N,) in MeV to (N, 1 + V + L)."""
    values = np.asarray(cells, dtype=np.float64)
    sums = geometry.layer_sum(values)
    shares = values / (sums[:, geometry.layer_index] + 1e-16)
    return np.hstack([np.log10(np.asarray(e_inc, dtype=np.float64))[:, None], shares, np.log10(sums + 1e-8)])


def challenge_test(
    reference: NDArray[Any],
    candidate: NDArray[Any],
    *,
    settings: ChallengeSettings | None = None,
    layers: tuple[int, int, int] | None = None,
    seed: int = 0,
    device: str = "auto",
    progress: Progress | None = None,
) -> ChallengeTest:
    """The challenge's AUC of features (N, D) and (M, D), taken as they are.

    Features: `low_level`, `low_level_normed`, or `facsim.physics.calo.high_level_features`. The full settings are
    meant for a GPU. With `layers`, the numbers (L, A, R) of layers, sectors and rings, `low_level` is judged by the
    three-dimensional residual network of data sets 2 and 3, otherwise features are judged by the DNN.

    Raises:
        FacsimError: no tables of one width, values that are not finite, fewer than 50 events a sample.
    """
    used = ChallengeSettings() if settings is None else settings
    truth, other = Sample(np.asarray(reference)), Sample(np.asarray(candidate))
    if truth.x.ndim != 2:
        raise FacsimError(f"the challenge's classifier needs features (N, D), not {truth.x.shape}.")
    if layers is not None and truth.x.shape[1] != 1 + math.prod(layers):
        raise FacsimError(
            f"the residual network needs one column for the energy and one for each cell of 'layers' (L, A, R), not "
            f"{truth.x.shape[1]} columns and the layers {layers}."
        )
    checked(truth, "reference", FEWEST_EVENTS)
    checked(other, "generated", FEWEST_EVENTS)
    x = join([truth, other]).x
    label = np.repeat([1, 0], [len(truth), len(other)])
    found = []
    for repeat in range(used.repeats):
        found.append(_once(x, label, used, layers, integer_seed(seed, PROTOCOL, repeat), device))
        if progress is not None:
            progress((repeat + 1) / used.repeats)
    auc, raw, jsd, error = np.array(found).T
    spread = float(np.std(auc, ddof=1)) if used.repeats > 1 else float(error[0])
    protocol = PROTOCOL if used == ChallengeSettings() else f"{PROTOCOL} custom"
    name, kind = (
        ("auc", f"DNN {used.depth} x {used.width}") if layers is None else ("auc_resnet", f"ResNet of {used.planes}")
    )
    facts: dict[str, Any] = {"n_reference": len(truth), "n_generated": len(other), "seed": seed}
    facts["note"] = f"{used.repeats} trainings, {kind}; JSD {jsd.mean():.4f}."
    score = Score(name, protocol, float(auc.mean()), spread, better="lower", **facts)
    return ChallengeTest(score, auc, raw, jsd)


def _network(used: ChallengeSettings, layers: tuple[int, int, int] | None, columns: int) -> ClassifierNetwork:
    if layers is None:
        return NETWORKS["plain"](Inputs((columns,)), 1, width=used.width, depth=used.depth)
    return NETWORKS["resnet-3d"](Inputs(layers, 1), 1, planes=used.planes)


def _once(
    x: NDArray[Any],
    label: NDArray[np.int64],
    used: ChallengeSettings,
    layers: tuple[int, int, int] | None,
    seed: int,
    device: str,
) -> list[float]:
    """AUC, AUC before calibration, JSD and DeLong's error of one training."""
    kind = torch.float64 if used.double else torch.float32
    parts = _parts(label, used, seed)
    values, context = torch.as_tensor(x).to(kind), torch.zeros(len(x), 0, dtype=kind)
    if layers is not None:
        values, context = values[:, 1:].reshape(-1, *layers), values[:, :1]
    events = Labelled(values, context, None, torch.as_tensor(label), torch.ones(len(x), dtype=kind))
    settings = ClassifierSettings(used.epochs, used.batch_size, used.lr, 0.0, None, "accuracy", decay=False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _network(used, layers, x.shape[1])
    network.to(choose_device(device), kind)
    train, test, val = (events[torch.as_tensor(part)] for part in parts)
    fit_classifier(network, train, test, settings, seed)
    of_test, of_val = (expit(class_outputs(network, part)[:, 1]) for part in (test, val))
    p = np.clip(fit_isotonic(of_test, label[parts[1]]).probability(of_val), LEAST, 1 - LEAST)
    truth = label[parts[2]] == 1
    auc, error = stratified_auc(p[~truth], p[truth])
    jsd = (math.log(2) + np.log(np.where(truth, p, 1 - p)).mean()) / math.log(2)
    return [auc, stratified_auc(of_val[~truth], of_val[truth])[0], float(jsd), error]


def _parts(label: NDArray[np.int64], used: ChallengeSettings, seed: int) -> list[NDArray[np.int64]]:
    """Events of the training, test and val part, each class divided alike."""
    rng, parts = generator(seed, "parts"), []
    for number in (0, 1):
        own = rng.permutation(np.flatnonzero(label == number))
        ends = np.round(np.array([used.train, used.train + used.test]) * len(own)).astype(int)
        parts.append(np.split(own, ends))
    return [np.concatenate(pair) for pair in zip(*parts, strict=True)]
