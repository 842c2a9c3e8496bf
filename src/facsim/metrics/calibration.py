"""Classifier outputs made into probabilities on events that the classifier was not trained on.

`temperature` is one factor for all outputs and a constant for each class (Guo et al., arXiv 1706.04599; for two classes
Platt's scaling): monotone, so that it cannot change an AUC of two classes. `isotonic` is the best increasing step
function (pool adjacent violators; Zadrozny and Elkan, KDD 2002): it follows any shape but joins events in steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

FloatArray = NDArray[np.float64]
LEAST_SLOPE = 1e-2


@dataclass(frozen=True)
class Temperature:
    """log p = log_softmax(slope * output + shift); `shift` is (K,)."""

    slope: float
    shift: FloatArray

    def log_probabilities(self, outputs: NDArray[Any]) -> FloatArray:
        """Outputs (N, K) to log-probabilities (N, K)."""
        return np.asarray(log_softmax(self.slope * np.asarray(outputs, dtype=np.float64) + self.shift, axis=1))


def fit_temperature(outputs: NDArray[Any], label: NDArray[Any], weight: NDArray[Any]) -> Temperature:
    """Slope (at least 0.01, so that the order stays) and shifts of smallest weighted log-loss.

    Args:
        outputs: of a classifier of K classes, up to a constant an event, (N, K). label: integers, (N,).
        weight: not negative, (N,).
    """
    z = np.asarray(outputs, dtype=np.float64)
    n, k = z.shape
    w = np.asarray(weight, dtype=np.float64) / np.sum(weight)
    truth = np.zeros((n, k))
    truth[np.arange(n), label] = 1.0

    def loss(parameters: FloatArray) -> tuple[float, FloatArray]:
        y = parameters[0] * z + np.concatenate([[0.0], parameters[1:]])
        gap = w[:, None] * (softmax(y, axis=1) - truth)
        value = -float(np.sum(w * log_softmax(y, axis=1)[np.arange(n), label]))
        return value, np.concatenate([[np.sum(gap * z)], gap.sum(axis=0)[1:]])

    start = np.concatenate([[1.0], np.zeros(k - 1)])
    bounds = [(LEAST_SLOPE, 10.0)] + [(-20.0, 20.0)] * (k - 1)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return Temperature(float(found.x[0]), np.concatenate([[0.0], found.x[1:]]))


@dataclass(frozen=True)
class Isotonic:
    """Probability of label 1 at the increasing scores `knots`, constant beyond, linear between."""

    knots: FloatArray
    values: FloatArray

    def probability(self, scores: NDArray[Any]) -> FloatArray:
        """Scores (N,) to probabilities of label 1, (N,)."""
        return np.asarray(np.interp(np.asarray(scores, dtype=np.float64), self.knots, self.values))


def fit_isotonic(scores: NDArray[Any], label: NDArray[Any], weight: NDArray[Any] | None = None) -> Isotonic:
    """The increasing function of the score with the smallest weighted squared error to the label.

    Args:
        scores: (N,). label: 0 or 1, (N,). weight: not negative, (N,); by default 1.
    """
    w = np.ones(len(scores)) if weight is None else np.asarray(weight, dtype=np.float64)
    used = w > 0
    x, place = np.unique(np.asarray(scores, dtype=np.float64)[used], return_inverse=True)
    total = np.bincount(place, weights=w[used])
    mean = np.bincount(place, weights=w[used] * np.asarray(label, dtype=np.float64)[used]) / total
    blocks: list[tuple[float, float, int]] = []  # mean, weight, number of scores
    for value, mass in zip(mean, total, strict=True):
        block = (float(value), float(mass), 1)
        while blocks and blocks[-1][0] >= block[0]:
            before = blocks.pop()
            both = before[1] + block[1]
            block = ((before[0] * before[1] + block[0] * block[1]) / both, both, before[2] + block[2])
        blocks.append(block)
    sizes = np.array([size for _, _, size in blocks])
    last = np.cumsum(sizes) - 1
    ends = np.unique(np.concatenate([last - sizes + 1, last]))  # first and last score of each block
    return Isotonic(x[ends], np.repeat([value for value, _, _ in blocks], sizes)[ends])
