"""Which of several models truth looks most like: the multiclass log-posterior, two ways.

With every model equally likely beforehand, P(k|x) = p_k(x) / sum_j p_j(x); a model's score is the mean of log P(k|x)
over truth events, and chance is -ln N for N models (arXiv 2410.21611).

* `facsim.evaluate.multiclass`: one classifier of N classes learns P from the N samples, truth excluded. A new model
  needs all old samples and a new training.
* `truth_ratio` and `log_posterior`: a classifier of truth against model k gives r_k(x) = log p_k(x) / p_truth(x) on a
  fixed truth sample, each event judged by networks that did not train on it. p_truth cancels:
  log P(k|x) = r_k(x) - log sum_j exp r_j(x). A new model needs only its own sample and the truth; the values r_k of
  the others are a small file each. The mean of r_k alone is -KL(truth || k): a score that knows no competitors.

Both estimate the same number. They differ where a model is so far from truth that a classifier is always right: ratios
then end at about the logarithm of the training size, and so does the score of that model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from facsim.core.errors import FacsimError
from facsim.evaluate.truth_ratio import TruthRatio
from facsim.metrics.score import Score

FloatArray = NDArray[np.float64]
PROTOCOL = "facsim-incremental-1"
OVERLAP = 1.5
"""Factor on the error over events for training sets that overlap, as in the classifier tests with five folds."""


@dataclass(frozen=True)
class LogPosterior:
    """Scores of K models.

    Attributes:
        names: of the models. value: mean log P(k|x) over truth, (K,), and `error`: of truth's events and of trainings.
        runs: the same for each seed's networks alone, (S, K).
        cross: mean log P(k|x) (columns) over events of model j that were not trained on (rows), (K, K), mean of the
            seeds; None where it is not known.
        protocol: name and version. seed: of the trainings. n_truth: truth events.
    """

    names: tuple[str, ...]
    value: FloatArray
    error: FloatArray
    runs: FloatArray
    cross: FloatArray | None
    protocol: str
    seed: int
    n_truth: int

    @property
    def chance(self) -> float:
        """-ln K: the score of K models that nothing tells apart."""
        return -math.log(len(self.names))

    def scores(self) -> dict[str, Score]:
        """A `Score` for each model."""
        found = zip(self.names, self.value, self.error, strict=True)
        return {name: self._score(float(value), float(error)) for name, value, error in found}

    def _score(self, value: float, error: float) -> Score:
        note = f"{len(self.names)} models, chance {self.chance:.4f}."
        sizes: dict[str, Any] = {"n_reference": self.n_truth, "seed": self.seed}
        return Score("log_posterior", self.protocol, value, error, better="higher", note=note, **sizes)


def log_posterior(ratios: Sequence[TruthRatio]) -> LogPosterior:
    """The scores of models from their ratios to one truth sample: the incremental definition.

    The value uses the mean of the seeds' ratios, `runs` each seed's alone.

    Raises:
        FacsimError: fewer than two models, two of one name, or ratios on different truth samples.
    """
    names = tuple(ratio.name for ratio in ratios)
    if len(names) < 2 or len(set(names)) < len(names):
        raise FacsimError(f"a log-posterior needs at least two models of different names, not {names}.")
    if len({ratio.truth for ratio in ratios}) > 1:
        raise FacsimError("the ratios are on different truth samples: compute all of them on the same events.")
    seeds = min(len(ratio.runs) for ratio in ratios)
    weight, groups = ratios[0].weight, ratios[0].groups
    of_events = _normalised([ratio.log_ratio for ratio in ratios])
    runs = np.array([_mean(_normalised([ratio.runs[s] for ratio in ratios]), weight) for s in range(seeds)])
    error = np.hypot(OVERLAP * error_of_mean(of_events, weight, groups), spread(runs))
    return LogPosterior(names, _mean(of_events, weight), error, runs, None, PROTOCOL, ratios[0].seed, len(weight))


def _normalised(ratios: Sequence[NDArray[np.float32]]) -> FloatArray:
    """log P(k|x) of each event from K ratios (N,): (N, K)."""
    r = np.stack(ratios, axis=1).astype(np.float64)
    return np.asarray(r - logsumexp(r, axis=1, keepdims=True))


def _mean(log_p: FloatArray, weight: FloatArray) -> FloatArray:
    return np.asarray(np.average(log_p, axis=0, weights=weight))


def error_of_mean(log_p: FloatArray, weight: FloatArray, groups: NDArray[np.int64]) -> FloatArray:
    """Standard error over groups of the weighted mean, (K,)."""
    moved = (weight / weight.sum())[:, None] * (log_p - _mean(log_p, weight))
    sums = np.zeros((int(groups.max()) + 1, log_p.shape[1]))
    np.add.at(sums, groups, moved)
    return np.asarray(np.sqrt(np.sum(sums**2, axis=0) * len(sums) / (len(sums) - 1)))


def spread(runs: FloatArray) -> FloatArray:
    """Standard deviation of the runs, 0 where there is one. They share events, so their mean is hardly better."""
    return np.asarray(runs.std(axis=0, ddof=1)) if len(runs) > 1 else np.zeros(runs.shape[1])
