"""Efficiencies of selections on one observable, with weights of any sign.

Of tracks of the wanted species this is the efficiency of a cut, of another species the misidentification.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facsim.core.errors import FacsimError
from facsim.metrics._samples import FloatArray, as_numbers, check_values, check_weights
from facsim.metrics.score import Estimate


class BinnedEfficiency(NamedTuple):
    """Efficiency, its error and the effective number of events, (sum w)^2 / sum w^2, of each bin: (B,) each; efficiency
    and error are NaN where the weights of a bin have no positive sum."""

    value: FloatArray
    error: FloatArray
    events: FloatArray


def efficiencies(
    values: NDArray[Any], cuts: ArrayLike, weights: NDArray[Any] | None = None
) -> tuple[FloatArray, FloatArray]:
    """Weighted fractions of events above each of `cuts`, (C,), and their errors (C,).

    With e = sum of w over those that pass / sum w, the variance is ((1 - e)^2 sum of w^2 over those that pass + e^2 sum
    of w^2 over the others) / (sum w)^2: e (1 - e) / N without weights. With weights of both signs a fraction may lie
    outside of 0 to 1.

    Args:
        values: (N,). cuts: any order; a value equal to a cut does not pass. weights: of any sign.

    Raises:
        FacsimError: no values, values that are not finite, weights that do not fit or have no positive sum.
    """
    x = check_values("values", values)
    w = check_weights("values", len(x), weights)
    order = np.argsort(x, kind="stable")
    place = np.searchsorted(x[order], np.asarray(cuts, dtype=np.float64), side="right")
    first, second = (np.concatenate([[0.0], np.cumsum(power[order])]) for power in (w, w**2))
    passed, squares = first[-1] - first[place], second[-1] - second[place]
    fraction = passed / first[-1]
    variance = (1 - fraction) ** 2 * squares + fraction**2 * second[place]
    return fraction, np.sqrt(np.maximum(variance, 0.0)) / first[-1]


def efficiency(values: NDArray[Any], cut: float, weights: NDArray[Any] | None = None) -> Estimate:
    """Weighted fraction of `values` (N,) above `cut` and its error; see `efficiencies`."""
    value, error = efficiencies(values, [cut], weights)
    return Estimate((float(value[0]), float(error[0])))


def binned_efficiency(
    passed: NDArray[Any], by: NDArray[Any], edges: ArrayLike, weights: NDArray[Any] | None = None
) -> BinnedEfficiency:
    """Efficiency in bins of another quantity, such as the momentum.

    Args:
        passed: whether each event passes, (N,).
        by: what the bins are of, (N,); events outside of all bins are left out.
        edges: B + 1 increasing edges; a value on an edge belongs to the bin above.
        weights: of any sign.

    Raises:
        FacsimError: edges that do not increase, or arrays that do not fit.
    """
    bounds = np.asarray(edges, dtype=np.float64)
    if bounds.ndim != 1 or len(bounds) < 2 or not np.all(np.diff(bounds) > 0):
        raise FacsimError("an efficiency in bins needs at least two increasing edges.")
    x, chosen = as_numbers("binned", by), np.asarray(passed, dtype=bool)
    w = np.ones(len(x)) if weights is None else as_numbers("weights", weights)
    if not x.shape == chosen.shape == w.shape or x.ndim != 1:
        raise FacsimError(f"an efficiency needs arrays of one length, not {chosen.shape}, {x.shape} and {w.shape}.")
    place, n = np.searchsorted(bounds, x, side="right"), len(bounds) + 1
    total, squares, good, good_squares = (
        np.bincount(place, power, n)[1:-1] for power in (w, w**2, w * chosen, w**2 * chosen)
    )
    usable = total > 0
    safe = np.where(usable, total, 1.0)
    value = good / safe
    variance = (1 - value) ** 2 * good_squares + value**2 * (squares - good_squares)
    error = np.sqrt(np.maximum(variance, 0.0)) / safe
    events = np.where(usable, safe**2 / np.where(squares > 0, squares, 1.0), 0.0)
    return BinnedEfficiency(np.where(usable, value, np.nan), np.where(usable, error, np.nan), events)


def efficiency_shift(
    a: NDArray[Any],
    b: NDArray[Any],
    weights_a: NDArray[Any] | None = None,
    weights_b: NDArray[Any] | None = None,
    *,
    cut: float | None = None,
) -> Estimate:
    """Efficiency of a cut in sample `b` less that in the reference `a`, and its error.

    Args:
        a: reference values (N,), b: values to judge (M,).
        weights_a, weights_b: event weights of any sign.
        cut: events above it pass; by default the reference's median, without weights.

    Raises:
        FacsimError: as `efficiencies`, or a cut that is not finite.
    """
    x, y = check_values("reference", a), check_values("generated", b)
    u, v = check_weights("reference", len(x), weights_a), check_weights("generated", len(y), weights_b)
    at = float(np.median(x)) if cut is None else float(cut)
    if not np.isfinite(at):
        raise FacsimError(f"a selection needs a finite cut, not {at}.")
    of_a, of_b = efficiency(x, at, u), efficiency(y, at, v)
    return Estimate((of_b.value - of_a.value, float(np.hypot(of_a.error, of_b.error))))
