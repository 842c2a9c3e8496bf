"""From a measure of two samples to a `Score`, with its null."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from facsim.metrics.score import Estimate, Score

Sample = Any
"""A numpy array or a torch tensor."""

Measure = Callable[[Sample, Sample, Sample | None], tuple[float, float]]
"""(value, error) of reference, sample to judge and the latter's weights."""


def scored(
    name: str,
    protocol: str,
    reference: Sample,
    candidate: Sample,
    null: Sample | None,
    measure: Measure,
    *,
    weights: Sample | None = None,
    seed: int = 0,
    details: Mapping[str, float] | None = None,
) -> Score:
    """Score of `candidate` with `weights`; the null is `measure` of the second truth sample, without weights."""
    of_null = None if null is None else measure(reference, null, None)
    found = measure(reference, candidate, weights)
    return made(name, protocol, reference, candidate, found, of_null, seed, details=details)


def made(
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
    p_value: float | None = None,
    details: Mapping[str, float] | None = None,
) -> Score:
    """Score of numbers that are known."""
    of_null = (math.nan, math.nan) if null is None else null
    if p_value is None:
        p_value = found.p_value if isinstance(found, Estimate) else math.nan
    return Score(
        name,
        protocol,
        *found,
        *of_null,
        len(reference),
        len(candidate),
        seed,
        better=better,
        note=note,
        p_value=p_value,
        details=dict(details or {}),
    )
