"""Metrics of two samples: plain functions of arrays that know no detector.

The functions named here take the reference first and return a `Score` (value, error, protocol, seed, and with a second
truth sample the null). `METRICS` lists functions behind them that evaluation chooses from by name; they return (value,
error). Explained in docs/metrics.md and docs/metrics/, a page each. To add one: write a function in a module of this
folder and add a line to `METRICS`.

Example:
    >>> from facsim.metrics import fpd
    >>> fpd(reference, candidate, null=more_truth).z
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from facsim.metrics import auc, correlation, energy, frechet, kernel, prd, triangular, wasserstein
from facsim.metrics import efficiency as efficiency_of
from facsim.metrics.named import (
    c2st,
    correlations,
    energy_distance,
    equivalent_size,
    fpd,
    kpd,
    prd_auc,
    prdc,
    sliced_w1,
)
from facsim.metrics.named_values import chi2, efficiency, ks, roc_auc, separation, w1
from facsim.metrics.outliers import Outliers, outliers
from facsim.metrics.score import Estimate, Score
from facsim.metrics.validity import Validity, validity

__all__ = [
    "METRICS",
    "Estimate",
    "Metric",
    "Outliers",
    "Score",
    "Validity",
    "c2st",
    "chi2",
    "correlations",
    "efficiency",
    "energy_distance",
    "equivalent_size",
    "fpd",
    "kpd",
    "ks",
    "outliers",
    "prd_auc",
    "prdc",
    "roc_auc",
    "separation",
    "sliced_w1",
    "validity",
    "w1",
]


@dataclass(frozen=True)
class Metric:
    """An entry of `METRICS`.

    Args:
        name: as in score names.
        function: called with the reference sample, the sample to judge and options; returns (value, error).
        sample: what a sample is: `values` (N,), `features` (N, D), or `spectrum` (blocks, bins + 2).
        protocols: definitions the function knows, the default first.
        better: `lower`, `higher`, or `null` when the best value is what truth scores against truth.
    """

    name: str
    function: Callable[..., tuple[float, float]]
    sample: str
    protocols: tuple[str, ...]
    better: str = "lower"


_BATCHED = ("strict", "jetnet-0.2.5", "calochallenge-2022")
METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("separation", triangular.separation_power, "values", ("strict", "calochallenge-2022")),
        Metric("separation_spectrum", triangular.separation_of_spectra, "spectrum", ("strict", "calochallenge-2022")),
        Metric("w1", wasserstein.wasserstein_1d, "values", ("strict",)),
        Metric("sliced_w1", wasserstein.sliced_wasserstein, "features", ("strict",)),
        Metric("fpd", frechet.fpd, "features", _BATCHED),
        Metric("kpd", kernel.kpd, "features", _BATCHED),
        Metric("energy", energy.energy_distance, "features", ("strict",)),
        Metric("prd_auc", prd.prd_auc, "features", ("strict",), "null"),
        Metric("roc_auc", auc.value_auc, "values", ("strict",), "null"),
        Metric("efficiency", efficiency_of.efficiency_shift, "values", ("strict",), "null"),
        Metric("correlation", correlation.correlation_distance, "features", ("strict",)),
    )
}
"""Name to metric."""
