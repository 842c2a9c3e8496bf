"""Ratio of the efficiencies of one selection in two samples, with weights of any sign, in bins."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facsim.core.errors import FacsimError
from facsim.metrics._samples import FloatArray, check_weights


class EfficiencyRatio(NamedTuple):
    """Of each bin (B,): ratio of the efficiencies b / a and its error, both efficiencies and their errors, and the
    effective number of events, (sum w)^2 / sum w^2, of the sample that has fewer. NaN where weights of a bin have no
    positive sum, or nothing passes in `a`."""

    value: FloatArray
    error: FloatArray
    reference: FloatArray
    reference_error: FloatArray
    generated: FloatArray
    generated_error: FloatArray
    events: FloatArray


class _Sample(NamedTuple):
    """Efficiency, error and effective events of each bin (B,), each event's influence on its bin's (N,), and bins
    where none passes or all do (B,)."""

    value: FloatArray
    error: FloatArray
    events: FloatArray
    influence: FloatArray
    flat: NDArray[np.bool_]


def efficiency_ratio(
    passed_a: NDArray[Any],
    passed_b: NDArray[Any],
    bin_a: NDArray[Any],
    bin_b: NDArray[Any],
    bins: int,
    weights_a: NDArray[Any] | None = None,
    weights_b: NDArray[Any] | None = None,
    *,
    paired: bool = False,
) -> EfficiencyRatio:
    """Ratios e_b / e_a of weighted fractions of events that pass, and their errors by propagation.

    An event changes its bin's e by w (1[passes] - e) / sum w; the sum of squares of these is the variance of e. Where
    events pass in all or none of a bin that sum vanishes: an error is 1 / (n + 2) at least, n the effective events.

    Args:
        passed_a, passed_b: whether each event passes, (N,) and (M,): truth, and what is compared with it.
        bin_a, bin_b: number of each event's bin, from 0; negative ones are left out.
        bins: B.
        weights_a, weights_b: of any sign.
        paired: event k of both samples is of one condition and weight; what both share then leaves the error.

    Raises:
        FacsimError: arrays that do not fit, or pairs that are none.
    """
    a, b = (
        _sample(passed_a, bin_a, bins, weights_a, "reference"),
        _sample(passed_b, bin_b, bins, weights_b, "generated"),
    )
    if paired and not (np.shape(passed_a) == np.shape(passed_b) and np.array_equal(bin_a, bin_b)):
        raise FacsimError("events in pairs need samples of one length and the same bins.")
    usable = a.value > 0
    safe = np.where(usable, a.value, 1.0)
    ratio = b.value / safe
    relative = np.hypot(ratio * a.error, b.error) / safe
    if paired:
        place, inside = np.maximum(bin_a, 0), np.asarray(bin_a) >= 0
        both = np.where(inside, b.influence - np.nan_to_num(ratio)[place] * a.influence, 0.0) / safe[place]
        least = np.where(a.flat | b.flat, relative, 0.0)
        shared = np.sqrt(np.bincount(place, both**2, bins)[:bins])
        relative = np.where(np.isfinite(relative), np.maximum(shared, least), np.nan)
    value = np.where(usable, ratio, np.nan)
    events = np.minimum(a.events, b.events)
    return EfficiencyRatio(value, np.where(usable, relative, np.nan), a.value, a.error, b.value, b.error, events)


def bin_numbers(values: NDArray[Any], edges: ArrayLike) -> NDArray[np.int64]:
    """Number of the bin of each value, (N,), from 0; -1 outside; a value on an edge belongs to the bin above.

    Raises:
        FacsimError: edges that do not increase.
    """
    bounds = np.asarray(edges, dtype=np.float64)
    if bounds.ndim != 1 or len(bounds) < 2 or not np.all(np.diff(bounds) > 0):
        raise FacsimError("an efficiency in bins needs at least two increasing edges.")
    place = np.searchsorted(bounds, values, side="right") - 1
    return np.where(place < len(bounds) - 1, place, -1).astype(np.int64)


def _sample(passed: NDArray[Any], number: NDArray[Any], bins: int, weights: NDArray[Any] | None, name: str) -> _Sample:
    chosen, place = np.asarray(passed, dtype=np.float64), np.asarray(number)
    if chosen.ndim != 1 or chosen.shape != place.shape:
        raise FacsimError(f"the {name} sample needs a list of what passes and as many bins, not {chosen.shape}.")
    w = np.ones(len(chosen)) if weights is None else check_weights(name, len(chosen), weights)
    inside = place >= 0
    at, w = np.where(inside, place, 0), np.where(inside, w, 0.0)
    total, squares, good = (np.bincount(at, power, bins)[:bins] for power in (w, w**2, w * chosen))
    usable = total > 0
    safe = np.where(usable, total, 1.0)
    value = good / safe
    influence = w * (chosen - value[at]) / safe[at]
    events = np.where(usable, safe**2 / np.where(squares > 0, squares, 1.0), 0.0)
    variance = np.bincount(at, influence**2, bins)[:bins]
    flat = variance < 1e-18
    error = np.where(flat, 1 / (events + 2), np.sqrt(variance))
    return _Sample(np.where(usable, value, np.nan), np.where(usable, error, np.nan), events, influence, flat)
