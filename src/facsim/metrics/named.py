"""The metrics by name, for anyone's arrays: reference and candidate in, a `Score` out.

All take `null`, a second truth sample disjoint from the reference and best as large as the candidate: the same metric
between it and the reference is then the score's null, without which a number says little. `seed` makes every random
choice reproducible. Wrong shapes, values that are not finite and samples that are too small are a `FacsimError`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.metrics import frechet, kernel
from facsim.metrics.classifier import PROTOCOL as C2ST
from facsim.metrics.classifier import classifier_test
from facsim.metrics.correlation import correlation_distance
from facsim.metrics.energy import energy_distance as energy_of
from facsim.metrics.histograms import TestResult, chi2_test, ks_test
from facsim.metrics.neighbours import NEAREST
from facsim.metrics.neighbours import prdc as prdc_of
from facsim.metrics.score import Score
from facsim.metrics.triangular import STRICT, separation_power
from facsim.metrics.wasserstein import sliced_wasserstein, wasserstein_1d

Sample = NDArray[Any]
Measure = Callable[[Sample, Sample], tuple[float, float]]


def fpd(
    reference: Sample,
    candidate: Sample,
    *,
    null: Sample | None = None,
    protocol: str = STRICT,
    seed: int = 0,
    **options: Any,
) -> Score:
    """Frechet physics distance of features (N, D) and (M, D); see `metrics.frechet.fpd` for protocols and options."""
    measure = partial(frechet.fpd, protocol=protocol, seed=seed, **options)
    return _score("fpd", protocol, reference, candidate, null, seed, measure)


def kpd(
    reference: Sample,
    candidate: Sample,
    *,
    null: Sample | None = None,
    protocol: str = STRICT,
    seed: int = 0,
    **options: Any,
) -> Score:
    """Kernel physics distance of features (N, D) and (M, D); see `metrics.kernel.kpd` for protocols and options."""
    measure = partial(kernel.kpd, protocol=protocol, seed=seed, **options)
    return _score("kpd", protocol, reference, candidate, null, seed, measure)


def energy_distance(
    reference: Sample, candidate: Sample, *, null: Sample | None = None, seed: int = 0, scale: bool = True
) -> Score:
    """Energy distance of features (N, D) and (M, D); see `metrics.energy`."""
    return _score("energy", STRICT, reference, candidate, null, seed, partial(energy_of, seed=seed, scale=scale))


def sliced_w1(
    reference: Sample, candidate: Sample, *, null: Sample | None = None, seed: int = 0, **options: Any
) -> Score:
    """Sliced Wasserstein distance of features (N, D) and (M, D); see `metrics.wasserstein.sliced_wasserstein`."""
    return _score(
        "sliced_w1", STRICT, reference, candidate, null, seed, partial(sliced_wasserstein, seed=seed, **options)
    )


def correlations(reference: Sample, candidate: Sample, *, null: Sample | None = None, seed: int = 0) -> Score:
    """Distance of the correlation matrices of features (N, D) and (M, D); see `metrics.correlation`."""
    return _score("correlation", STRICT, reference, candidate, null, seed, partial(correlation_distance, seed=seed))


def w1(
    reference: Sample,
    candidate: Sample,
    *,
    null: Sample | None = None,
    reference_weights: Sample | None = None,
    candidate_weights: Sample | None = None,
    normalise: bool = False,
) -> Score:
    """1-Wasserstein distance of values (N,) and (M,), weights not negative; `normalise`: in standard deviations."""
    x = np.asarray(reference)

    def measure(y: Sample, weights: Sample | None = None) -> tuple[float, float]:
        return wasserstein_1d(x, y, reference_weights, weights, normalise=normalise)

    found = None if null is None else measure(np.asarray(null))
    return _made("w1", STRICT, x, candidate, measure(np.asarray(candidate), candidate_weights), found, 0)


def separation(
    reference: Sample,
    candidate: Sample,
    bins: Sample,
    *,
    null: Sample | None = None,
    protocol: str = STRICT,
    seed: int = 0,
) -> Score:
    """Separation power of values (N,) and (M,) in `bins`; see `metrics.triangular.separation_power`."""

    def measure(x: Sample, y: Sample) -> tuple[float, float]:
        return separation_power(x, y, bins, protocol, seed=seed)

    return _score("separation", protocol, reference, candidate, null, seed, measure)


def ks(
    reference: Sample,
    candidate: Sample,
    *,
    null: Sample | None = None,
    reference_weights: Sample | None = None,
    candidate_weights: Sample | None = None,
) -> Score:
    """Kolmogorov-Smirnov distance of values (N,) and (M,), weights of any sign; the p-value is in the note."""
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
    """Chi squared over its degrees of freedom of two histograms, weights of any sign; the p-value is in the note."""
    return _tested("chi2", chi2_test, (bins,), reference, candidate, null, reference_weights, candidate_weights)


def prdc(
    reference: Sample,
    candidate: Sample,
    *,
    null: Sample | None = None,
    nearest: int = NEAREST,
    scale: bool = True,
) -> dict[str, Score]:
    """Precision, recall, density and coverage of features (N, D) and (M, D); see `metrics.neighbours.prdc`.

    The best value is truth's own, not 1.
    """
    found = prdc_of(reference, candidate, nearest=nearest, scale=scale)
    other = None if null is None else prdc_of(reference, null, nearest=nearest, scale=scale)
    scores = {}
    for name in ("precision", "recall", "density", "coverage"):
        own = (getattr(found, name), found.errors[name])
        of_null = None if other is None else (getattr(other, name), other.errors[name])
        scores[name] = _made(name, f"prdc-k{nearest}", reference, candidate, own, of_null, 0, better="null")
    return scores


def c2st(
    reference: Sample,
    candidate: Sample,
    *,
    null: Sample | None = None,
    seed: int = 0,
    conditions: int = 0,
    reference_groups: Sample | None = None,
    candidate_groups: Sample | None = None,
) -> Score:
    """AUC of the pinned classifier two-sample test on features (N, D) and (M, D); see `metrics.classifier`."""

    def measure(y: Sample, groups: Sample | None) -> tuple[float, float]:
        found = classifier_test(reference, y, seed, reference_groups, groups, conditions=conditions)
        return found.auc, found.error

    of_null = None if null is None else measure(null, None)
    return _made("auc", C2ST, reference, candidate, measure(candidate, candidate_groups), of_null, seed)


def _score(
    name: str, protocol: str, reference: Sample, candidate: Sample, null: Sample | None, seed: int, measure: Measure
) -> Score:
    of_null = None if null is None else measure(reference, null)
    return _made(name, protocol, reference, candidate, measure(reference, candidate), of_null, seed)


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

    result = test(reference, candidate, *arguments, reference_weights, candidate_weights)
    of_null = None if null is None else measured(test(reference, null, *arguments, reference_weights, None))
    note = f"p = {result.p_value:.3g}" + (f" with {result.degrees} degrees of freedom." if result.degrees else ".")
    return _made(name, STRICT, reference, candidate, measured(result), of_null, 0, note=note)


def _made(
    name: str,
    protocol: str,
    reference: Sample,
    candidate: Sample,
    found: tuple[float, float],
    null: tuple[float, float] | None,
    seed: int,
    *,
    better: str = "lower",
    note: str = "",
) -> Score:
    of_null = (float("nan"), float("nan")) if null is None else null
    sizes = (len(reference), len(candidate))
    return Score(name, protocol, *found, *of_null, *sizes, seed, better=better, note=note)
