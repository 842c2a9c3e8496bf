"""From a measure of two samples to a `Score`, with its null."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from facsim.core.arrays import to_numpy
from facsim.core.errors import FacsimError
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
    check_null(reference, candidate, null)
    of_null = None if null is None else measure(reference, null, None)
    found = measure(reference, candidate, weights)
    return made(name, protocol, reference, candidate, found, of_null, seed, details=details)


def check_null(reference: Sample, candidate: Sample, null: Sample | None) -> None:
    """Refuse the candidate or the reference as the null: z would be 0, or compare with nothing.

    Raises:
        FacsimError: the null holds the same numbers in the same order as one of them.
    """
    for name, other in (("reference", reference), ("candidate", candidate)):
        if null is not None and np.array_equal(to_numpy(null), to_numpy(other)):
            raise FacsimError(f"the null is the {name} itself; give truth of its own, disjoint from the reference.")


def shared_events(reference: Sample, candidate: Sample) -> int:
    """Events of the candidate (M, D) that are events of the reference (N, D) to the last bit.

    0 where the reference itself repeats events, as discrete features do: then it says nothing.
    """
    x, y = (np.ascontiguousarray(to_numpy(sample)) for sample in (reference, candidate))
    if x.ndim != 2 or y.ndim != 2 or x.dtype != y.dtype:
        return 0
    ours, theirs = ({row.tobytes() for row in x}, [row.tobytes() for row in y])
    return sum(row in ours for row in theirs) if len(ours) == len(x) else 0


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
    """Score of numbers that are known; `suspicious` where candidate and reference share events."""
    of_null = (math.nan, math.nan) if null is None else null
    if p_value is None:
        p_value = found.p_value if isinstance(found, Estimate) else math.nan
    shared, status = shared_events(reference, candidate), "ok"
    if shared:
        status, note = "suspicious", f"{shared} of {len(candidate)} events are events of the reference. {note}".strip()
    return Score(
        name,
        protocol,
        *found,
        *of_null,
        len(reference),
        len(candidate),
        seed,
        status=status,
        better=better,
        note=note,
        p_value=p_value,
        details=dict(details or {}),
    )
