"""The metrics that a study compares: one line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from facsim.metrics.classifier import classifier_test
from facsim.metrics.correlation import correlation_distance
from facsim.metrics.energy import energy_distance
from facsim.metrics.frechet import fpd
from facsim.metrics.histograms import chi2_test, ks_test
from facsim.metrics.kernel import kpd
from facsim.metrics.neighbours import PRDC, prdc
from facsim.metrics.prd import prd_auc
from facsim.metrics.protocols import JETNET
from facsim.metrics.triangular import separation_power
from facsim.metrics.wasserstein import sliced_wasserstein, wasserstein_1d
from facsim.physics.observables import strict_bins

FloatArray = NDArray[np.float64]
FEWEST_RESAMPLINGS = 2  # errors are not wanted here: a study has its own repeats


@dataclass(frozen=True)
class Sample:
    """Features (N, D) of events, and observables (N,) of them that are compared one by one."""

    features: FloatArray
    observables: Mapping[str, FloatArray] = field(default_factory=dict)


@dataclass(frozen=True)
class Pair:
    """Two samples to compare. `conditions`: how many of the first features are known before simulation."""

    x: FloatArray
    y: FloatArray
    seed: int = 1
    conditions: int = 0

    @cached_property
    def near(self) -> PRDC:
        return prdc(self.x, self.y)

    def by_feature(self, measure: Callable[[FloatArray, FloatArray], float]) -> FloatArray:
        """A measure of two arrays of values for each feature that is no condition, (D,)."""
        return np.array([measure(a, b) for a, b in zip(self.x.T, self.y.T, strict=True)][self.conditions :])


def _w1(a: FloatArray, b: FloatArray) -> float:
    """In standard deviations of `a`; NaN where it is constant."""
    return float(wasserstein_1d(a, b, normalise=True)[0])


def _chi2(a: FloatArray, b: FloatArray) -> float:
    test = chi2_test(a, b, strict_bins(a))
    return test.statistic / max(test.degrees, 1)


def _separation(a: FloatArray, b: FloatArray) -> float:
    return separation_power(a, b, strict_bins(a), n_bootstrap=FEWEST_RESAMPLINGS)[0]


Measure = Callable[[Pair], float]
MEASURES: dict[str, Measure] = {
    "w1": lambda pair: float(np.nanmean(pair.by_feature(_w1))),
    "ks": lambda pair: float(pair.by_feature(lambda a, b: ks_test(a, b).statistic).max()),
    "chi2": lambda pair: float(pair.by_feature(_chi2).mean()),
    "separation": lambda pair: float(pair.by_feature(_separation).mean()),
    "correlation": lambda pair: correlation_distance(pair.x, pair.y, seed=pair.seed)[0],
    "sliced_w1": lambda pair: sliced_wasserstein(pair.x, pair.y, seed=pair.seed)[0],
    "fpd": lambda pair: fpd(pair.x, pair.y, seed=pair.seed)[0],
    "kpd": lambda pair: kpd(pair.x, pair.y, seed=pair.seed)[0],
    "energy": lambda pair: energy_distance(pair.x, pair.y, seed=pair.seed)[0],
    "precision": lambda pair: pair.near.precision,
    "recall": lambda pair: pair.near.recall,
    "density": lambda pair: pair.near.density,
    "coverage": lambda pair: pair.near.coverage,
    "prd_auc": lambda pair: prd_auc(pair.x, pair.y, seed=pair.seed)[0],
    "c2st": lambda pair: classifier_test(pair.x, pair.y, pair.seed, conditions=pair.conditions).auc,
}
"""Name to a function of two samples of features. Of metrics of one feature at a time, `w1`, `chi2` and `separation` are
the mean over the features and `ks` is the largest."""


def _fpd_jetnet(pair: Pair) -> float:
    most = min(len(pair.x), len(pair.y))
    return fpd(pair.x, pair.y, JETNET, min_samples=max(2, most // 3), max_samples=most, seed=pair.seed)[0]


def _kpd_jetnet(pair: Pair) -> float:
    return kpd(pair.x, pair.y, JETNET, batch_size=min(len(pair.x), len(pair.y)), seed=pair.seed)[0]


OTHER_DISTANCES: dict[str, Measure] = {
    "fpd_raw": lambda pair: fpd(pair.x, pair.y, seed=pair.seed, clip=None)[0],
    "kpd_raw": lambda pair: kpd(pair.x, pair.y, seed=pair.seed, clip=None)[0],
    "fpd_jetnet": _fpd_jetnet,
    "kpd_jetnet": _kpd_jetnet,
}
"""The Frechet and kernel distances with extreme events as they are, and as jetnet defines them, at the sizes there are:
slow for hundreds of features."""


def measure_all(
    x: Sample, y: Sample, seed: int, conditions: int = 0, more: Mapping[str, Measure] | None = None
) -> dict[str, float]:
    """Every metric by name, `more` of them, and `w1_<name>` of every observable."""
    pair = Pair(x.features, y.features, seed, conditions)
    found = {f"w1_{name}": wasserstein_1d(values, y.observables[name])[0] for name, values in x.observables.items()}
    return found | {name: float(measure(pair)) for name, measure in {**MEASURES, **(more or {})}.items()}
