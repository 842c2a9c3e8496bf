"""The metrics of one observable by name: values (N,) and (M,) in, a `Score` out. See `metrics.named`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from facsim.metrics._scored import Sample, check_null, made, scored
from facsim.metrics.auc import value_auc
from facsim.metrics.efficiency import efficiency_shift
from facsim.metrics.histograms import TestResult, chi2_test, ks_test
from facsim.metrics.protocols import STRICT
from facsim.metrics.score import Score
from facsim.metrics.triangular import separation_power
from facsim.metrics.wasserstein import wasserstein_1d


def w1(
    reference: Sample,
    candidate: Sample,
    *,
    null: Sample | None = None,
    reference_weights: Sample | None = None,
    candidate_weights: Sample | None = None,
    normalise: bool = False,
) -> Score:
    """1-Wasserstein distance, weights not negative; `normalise`: in the reference's standard deviations."""

    def measure(x: Sample, y: Sample, weights: Sample | None) -> tuple[float, float]:
        return wasserstein_1d(x, y, reference_weights, weights, normalise=normalise)

    return scored("w1", STRICT, reference, candidate, null, measure, weights=candidate_weights)


def separation(
    reference: Sample,
    candidate: Sample,
    bins: Sample,
    *,
    null: Sample | None = None,
    reference_weights: Sample | None = None,
    candidate_weights: Sample | None = None,
    protocol: str = STRICT,
    seed: int = 0,
) -> Score:
    """Separation power in `bins`; see `metrics.triangular.separation_power`."""

    def measure(x: Sample, y: Sample, weights: Sample | None) -> tuple[float, float]:
        return separation_power(x, y, bins, protocol, weights_a=reference_weights, weights_b=weights, seed=seed)

    return scored("separation", protocol, reference, candidate, null, measure, weights=candidate_weights, seed=seed)


def ks(
    reference: Sample,
    candidate: Sample,
    *,
    null: Sample | None = None,
    reference_weights: Sample | None = None,
    candidate_weights: Sample | None = None,
) -> Score:
    """Kolmogorov-Smirnov distance, weights of any sign."""
    return _tested("ks", ks_test, (), reference, candidate, null, reference_weights, candidate_weights)


def chi2(
    reference: Sample,
    candidate: Sample,
    bins: Sample,
    *,
    null: Sample | None = None,
    reference_weights: Sample | None = None,
    candidate_weights: Sample | None = None,
) -> Score:
    """Chi squared over its degrees of freedom of two histograms, weights of any sign."""
    return _tested("chi2", chi2_test, (bins,), reference, candidate, null, reference_weights, candidate_weights)


def roc_auc(
    reference: Sample,
    candidate: Sample,
    *,
    null: Sample | None = None,
    reference_weights: Sample | None = None,
    candidate_weights: Sample | None = None,
) -> Score:
    """Area under the ROC curve of the values themselves, weights of any sign; see `metrics.auc`."""
    return _signed("roc_auc", value_auc, reference, candidate, null, reference_weights, candidate_weights)


def efficiency(
    reference: Sample,
    candidate: Sample,
    *,
    cut: float | None = None,
    null: Sample | None = None,
    reference_weights: Sample | None = None,
    candidate_weights: Sample | None = None,
) -> Score:
    """Efficiency of the cut `values > cut` in the candidate less that in the reference, weights of any sign.

    Without a cut it is the reference's median; see `metrics.efficiency`.
    """
    measure = partial(efficiency_shift, cut=cut)
    return _signed("efficiency", measure, reference, candidate, null, reference_weights, candidate_weights)


def _signed(
    name: str,
    function: Callable[..., tuple[float, float]],
    reference: Sample,
    candidate: Sample,
    null: Sample | None,
    reference_weights: Sample | None,
    candidate_weights: Sample | None,
) -> Score:
    """Score of a quantity that truth gives neither the least nor the largest of."""
    check_null(reference, candidate, null)
    found = function(reference, candidate, reference_weights, candidate_weights)
    of_null = None if null is None else function(reference, null, reference_weights, None)
    return made(name, STRICT, reference, candidate, found, of_null, 0, better="null")


def _tested(
    name: str,
    test: Callable[..., TestResult],
    arguments: tuple[Any, ...],
    reference: Sample,
    candidate: Sample,
    null: Sample | None,
    reference_weights: Sample | None,
    candidate_weights: Sample | None,
) -> Score:
    def measured(result: TestResult) -> tuple[float, float]:
        unit = max(result.degrees, 1)
        return result.statistic / unit, result.error / unit

    check_null(reference, candidate, null)
    result = test(reference, candidate, *arguments, reference_weights, candidate_weights)
    of_null = None if null is None else measured(test(reference, null, *arguments, reference_weights, None))
    note = f"p = {result.p_value:.3g}" + (f" with {result.degrees} degrees of freedom." if result.degrees else ".")
    found = measured(result)
    details = {name: result.statistic, "degrees": float(result.degrees)} if result.degrees else {}
    return made(
        name, STRICT, reference, candidate, found, of_null, 0, note=note, p_value=result.p_value, details=details
    )
