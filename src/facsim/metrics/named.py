"""The metrics of features by name, for anyone's arrays: reference (N, D) and candidate (M, D) in, a `Score` out.

All take `null`, a second truth sample disjoint from the reference and best as large as the candidate: the same metric
between it and the reference is then the score's null, without which a number says little. `seed` makes every random
choice reproducible. `reference_weights`, `candidate_weights` are event weights. Samples are numpy arrays or torch
tensors; these are computed with on their device, but for `prd_auc` and `c2st`. Wrong shapes, values that are not finite
and samples that are too small are a `FacsimError`. Metrics of one observable are in `metrics.named_values`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from facsim.core.arrays import to_numpy
from facsim.metrics import frechet, kernel
from facsim.metrics._samples import check_different, check_features, count_limited, scale_robustly
from facsim.metrics._scored import Sample, check_null, made, scored
from facsim.metrics.classifier import PROTOCOL as C2ST
from facsim.metrics.classifier import classifier_test
from facsim.metrics.correlation import correlation_distance
from facsim.metrics.energy import energy_distance as energy_of
from facsim.metrics.equivalent import Distance, plain_frechet
from facsim.metrics.equivalent import equivalent_size as equivalent_size_of
from facsim.metrics.neighbours import NEAREST
from facsim.metrics.neighbours import prdc as prdc_of
from facsim.metrics.prd import prd_auc as prd_auc_of
from facsim.metrics.protocols import STRICT
from facsim.metrics.score import Score
from facsim.metrics.wasserstein import sliced_wasserstein

PERMUTATIONS = 199
SUSPICIOUS_SIGMAS = 4.0


def fpd(
    reference: Sample,
    candidate: Sample,
    *,
    null: Sample | None = None,
    reference_weights: Sample | None = None,
    candidate_weights: Sample | None = None,
    protocol: str = STRICT,
    seed: int = 0,
    permutations: int = PERMUTATIONS,
    **options: Any,
) -> Score:
    """Frechet physics distance; see `metrics.frechet.fpd` for protocols and options.

    `strict` says in `details` what the value is without the limit of +-8 units (`raw`, `raw_error`), and how many
    events of the candidate it touches (`limited`).
    """
    given = {"reference_weights": reference_weights, "candidate_weights": candidate_weights}
    return _physics_distance(
        "fpd", frechet.fpd, reference, candidate, null, given, protocol, seed, permutations, options
    )


def kpd(
    reference: Sample,
    candidate: Sample,
    *,
    null: Sample | None = None,
    reference_weights: Sample | None = None,
    candidate_weights: Sample | None = None,
    protocol: str = STRICT,
    seed: int = 0,
    permutations: int = PERMUTATIONS,
    **options: Any,
) -> Score:
    """Kernel physics distance; see `metrics.kernel.kpd` for protocols and options, `fpd` for the `details`."""
    given = {"reference_weights": reference_weights, "candidate_weights": candidate_weights}
    return _physics_distance(
        "kpd", kernel.kpd, reference, candidate, null, given, protocol, seed, permutations, options
    )


def energy_distance(
    reference: Sample,
    candidate: Sample,
    *,
    null: Sample | None = None,
    reference_weights: Sample | None = None,
    candidate_weights: Sample | None = None,
    scale: bool = True,
    seed: int = 0,
    permutations: int = PERMUTATIONS,
) -> Score:
    """Energy distance; see `metrics.energy`."""

    def measure(x: Sample, y: Sample, weights: Sample | None) -> tuple[float, float]:
        return energy_of(
            x,
            y,
            real_weights=reference_weights,
            gen_weights=weights,
            scale=scale,
            seed=seed,
            permutations=permutations,
        )

    return scored("energy", STRICT, reference, candidate, null, measure, weights=candidate_weights, seed=seed)


def sliced_w1(
    reference: Sample,
    candidate: Sample,
    *,
    null: Sample | None = None,
    reference_weights: Sample | None = None,
    candidate_weights: Sample | None = None,
    seed: int = 0,
    **options: Any,
) -> Score:
    """Sliced Wasserstein distance, weights not negative; see `metrics.wasserstein.sliced_wasserstein`."""

    def measure(x: Sample, y: Sample, weights: Sample | None) -> tuple[float, float]:
        return sliced_wasserstein(x, y, real_weights=reference_weights, gen_weights=weights, seed=seed, **options)

    return scored("sliced_w1", STRICT, reference, candidate, null, measure, weights=candidate_weights, seed=seed)


def correlations(
    reference: Sample,
    candidate: Sample,
    *,
    null: Sample | None = None,
    reference_weights: Sample | None = None,
    candidate_weights: Sample | None = None,
    seed: int = 0,
    permutations: int = PERMUTATIONS,
) -> Score:
    """Distance of the correlation matrices; see `metrics.correlation`."""

    def measure(x: Sample, y: Sample, weights: Sample | None) -> tuple[float, float]:
        return correlation_distance(
            x, y, real_weights=reference_weights, gen_weights=weights, seed=seed, permutations=permutations
        )

    return scored("correlation", STRICT, reference, candidate, null, measure, weights=candidate_weights, seed=seed)


def prdc(
    reference: Sample,
    candidate: Sample,
    *,
    null: Sample | None = None,
    reference_weights: Sample | None = None,
    candidate_weights: Sample | None = None,
    nearest: int = NEAREST,
    scale: bool = True,
) -> dict[str, Score]:
    """Precision, recall, density and coverage by name; see `metrics.neighbours.prdc`.

    The best value is truth's own, not 1.
    """
    check_null(reference, candidate, null)
    measure = partial(prdc_of, reference, real_weights=reference_weights, nearest=nearest, scale=scale)
    found = measure(candidate, gen_weights=candidate_weights)
    other = None if null is None else measure(null)
    scores = {}
    for name in ("precision", "recall", "density", "coverage"):
        own = (getattr(found, name), found.errors[name])
        of_null = None if other is None else (getattr(other, name), other.errors[name])
        scores[name] = made(name, f"prdc-k{nearest}", reference, candidate, own, of_null, 0, better="null")
    return scores


def prd_auc(
    reference: Sample,
    candidate: Sample,
    *,
    null: Sample | None = None,
    reference_weights: Sample | None = None,
    candidate_weights: Sample | None = None,
    seed: int = 0,
    **options: Any,
) -> Score:
    """Area under the precision-recall curve of clusters; see `metrics.prd`. The best value is truth's own, not 1."""

    def measure(y: Sample, weights: Sample | None) -> tuple[float, float]:
        return prd_auc_of(reference, y, real_weights=reference_weights, gen_weights=weights, seed=seed, **options)

    check_null(reference, candidate, null)
    of_null = None if null is None else measure(null, None)
    found = measure(candidate, candidate_weights)
    return made("prd_auc", STRICT, reference, candidate, found, of_null, seed, better="null")


def equivalent_size(
    reference: Sample,
    candidate: Sample,
    distance: Distance = plain_frechet,
    *,
    scale: bool = True,
    seed: int = 0,
) -> Score:
    """Number of truth events that the candidate is worth; see `metrics.equivalent`. `details`: the `cap` of the number.

    The status is `capped` where truth events are too few to tell the candidate from truth.
    """
    size, error, cap = equivalent_size_of(reference, candidate, distance, scale=scale, seed=seed)
    status = "capped" if size >= cap else "ok"
    sizes = (len(reference), len(candidate))
    nothing = (math.nan, math.nan)
    details = {"cap": cap}
    return Score(
        "equivalent_size", STRICT, size, error, *nothing, *sizes, seed, status=status, better="higher", details=details
    )


def c2st(
    reference: Sample,
    candidate: Sample,
    *,
    null: Sample | None = None,
    seed: int = 0,
    conditions: int = 0,
    reference_weights: Sample | None = None,
    candidate_weights: Sample | None = None,
    reference_groups: Sample | None = None,
    candidate_groups: Sample | None = None,
) -> Score:
    """AUC of the pinned classifier two-sample test; see `metrics.classifier`. Computed on the host.

    Networks for tables, grids and clouds are in `facsim.evaluate.c2st`. Well below 0.5 the status is `suspicious`: the
    samples share events, and folds give their twins away.
    """
    check_different(*check_features(reference, candidate))
    check_null(reference, candidate, null)

    def measure(y: Sample, groups: Sample | None, weights: Sample | None) -> tuple[float, float]:
        found = classifier_test(
            to_numpy(reference),
            to_numpy(y),
            seed,
            reference_groups,
            groups,
            conditions=conditions,
            weights_a=reference_weights,
            weights_b=weights,
        )
        return found.auc, found.error

    of_null = None if null is None else measure(null, None, None)
    found = measure(candidate, candidate_groups, candidate_weights)
    score = made("auc", C2ST, reference, candidate, found, of_null, seed)
    if score.status != "ok" or found[0] > 0.5 - SUSPICIOUS_SIGMAS * found[1]:
        return score
    return replace(score, status="suspicious", note="below 0.5: do the samples share events?")


def _physics_distance(
    name: str,
    function: Callable[..., tuple[float, float]],
    reference: Sample,
    candidate: Sample,
    null: Sample | None,
    weights: dict[str, Sample | None],
    protocol: str,
    seed: int,
    permutations: int,
    options: dict[str, Any],
) -> Score:
    """FPD or KPD, and under `strict` the raw value beside the limited one."""
    strict = protocol == STRICT

    def measure(x: Sample, y: Sample, of_y: Sample | None) -> tuple[float, float]:
        given = {"permutations": permutations} if strict else {}
        pair = {"real_weights": weights["reference_weights"], "gen_weights": of_y}
        found: tuple[float, float] = function(x, y, protocol, seed=seed, **pair, **given, **options)
        return found

    details: dict[str, float] = {}
    of_candidate = weights["candidate_weights"]
    if strict and "clip" not in options:
        raw = function(
            reference,
            candidate,
            protocol,
            real_weights=weights["reference_weights"],
            gen_weights=of_candidate,
            seed=seed,
            clip=None,
        )
        limited = count_limited(scale_robustly(*check_features(reference, candidate), clip=None)[1])
        details = {"raw": raw[0], "raw_error": raw[1], "limited": float(limited)}
    return scored(name, protocol, reference, candidate, null, measure, weights=of_candidate, seed=seed, details=details)
