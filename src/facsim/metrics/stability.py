"""Is the efficiency of a selection flat in another quantity, such as the number of vertices?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.metrics._samples import FloatArray, check_values, check_weights
from facsim.metrics.efficiency_ratio import bin_numbers
from facsim.metrics.intervals import SIGMA, Sums, fraction_interval
from facsim.metrics.score import Estimate


@dataclass(frozen=True)
class Stability:
    """Efficiency at one threshold in bins of another quantity, and tests that it is flat.

    Attributes:
        edges: of the bins, (B + 1,).
        value, low, high: efficiency of each bin and its interval, NaN where a bin is empty, (B,).
        events: effective number of events of each bin, (B,).
        overall: efficiency of all bins together.
        chi2: sum over bins of (value - overall)^2 / (overall (1 - overall) / events). degrees: filled bins less one.
        p_value: that chance alone makes chi2 as large, by permutations: exact also for few events.
        slope: weighted least-squares change of the efficiency per unit of the quantity, relative to the overall one,
            and its error.
        p_slope: two-sided p-value of the slope by the same permutations; sees a steady rise before chi2 does.
    """

    edges: FloatArray
    value: FloatArray
    low: FloatArray
    high: FloatArray
    events: FloatArray
    overall: float
    chi2: float
    degrees: int
    p_value: float
    slope: Estimate
    p_slope: float


def efficiency_stability(
    scores: NDArray[Any],
    threshold: float,
    by: NDArray[Any],
    edges: ArrayLike,
    weights: NDArray[Any] | None = None,
    *,
    permutations: int = 999,
    seed: int = 0,
) -> Stability:
    """Efficiency of `scores > threshold` in bins of `by`, e.g. background against the number of vertices.

    Args:
        scores: (N,). threshold: fixed beforehand, not chosen on these events.
        by: quantity of each event, (N,); events outside of all bins are left out.
        edges: B + 1 increasing edges; a value on an edge belongs to the bin above.
        weights: not negative; an event keeps its weight in the permutations.
        permutations: of `by` among the events. seed: of them.

    Raises:
        FacsimError: arrays that do not fit, edges that do not increase, fewer than two filled bins, no permutation.
    """
    x, at = check_values("scored", scores), check_values("binned", by)
    w = check_weights("scored", len(x), weights, negative=False)
    if len(at) != len(x) or permutations < 1:
        raise FacsimError(f"{len(x)} scores need as many values to bin ({len(at)}) and permutations ({permutations}).")
    bounds = np.asarray(edges, dtype=np.float64)
    w, place, at, passed = _used(w, bin_numbers(at, bounds), at, w * (x > threshold))
    bins = len(bounds) - 1
    low, high, total, events = _binned(passed, w, place, bins)
    overall, chi2, slope = float(passed.sum() / w.sum()), _chi2(passed, w, place, bins), _slope(passed, w, at)
    rng, more = generator(seed, "stability"), np.zeros(2)
    for _ in range(permutations):
        order = rng.permutation(len(w))
        found = _chi2(passed, w, place[order], bins), abs(_slope(passed, w, at[order]))
        more += np.array(found) >= np.array([chi2, abs(slope)]) * (1 - 1e-9)
    p = (1 + more) / (1 + permutations)
    value = np.bincount(place, passed, bins) / np.where(total > 0, total, np.nan)
    unit = overall or np.nan
    relative = Estimate((slope / unit, _slope_error(passed, w, at) / unit))
    degrees = int(np.sum(total > 0)) - 1
    return Stability(bounds, value, low, high, events, overall, chi2, degrees, float(p[0]), relative, float(p[1]))


def _used(
    w: FloatArray, place: NDArray[np.int64], at: FloatArray, passed: FloatArray
) -> tuple[FloatArray, NDArray[np.int64], FloatArray, FloatArray]:
    """The events that lie in a bin and count."""
    used = (place >= 0) & (w > 0)
    if len(np.unique(place[used])) < 2:
        raise FacsimError("a test of flatness needs events in at least two bins.")
    return w[used], place[used], at[used], passed[used]


def _binned(
    passed: FloatArray, w: FloatArray, place: NDArray[np.int64], bins: int
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Of each bin: both ends of the interval, sum of weights, and effective events, (B,) each."""
    first, second = np.bincount(place, passed, bins), np.bincount(place, passed**2, bins)
    total, squares = (np.bincount(place, part, bins).astype(np.float64) for part in (w, w**2))
    ends = np.full((2, bins), np.nan)
    for k in np.flatnonzero(total > 0):
        sums = Sums(float(total[k]), float(squares[k]), float(w[place == k].max()))
        ends[:, k] = [float(end) for end in fraction_interval(first[k], second[k], sums, SIGMA)]
    return ends[0], ends[1], total, np.where(total > 0, total**2 / np.where(squares > 0, squares, 1.0), 0.0)


def _chi2(passed: FloatArray, w: FloatArray, place: NDArray[np.int64], bins: int) -> float:
    total, squares, good = (np.bincount(place, part, bins) for part in (w, w**2, passed))
    overall = good.sum() / total.sum()
    filled = total > 0
    if not 0 < overall < 1:
        return 0.0
    pulls = (good[filled] - overall * total[filled]) ** 2 / squares[filled]
    return float(pulls.sum() / (overall * (1 - overall)))


def _slope(passed: FloatArray, w: FloatArray, at: FloatArray) -> float:
    """Of the line through (at, passes or not), weighted least squares."""
    centred = at - (w @ at) / w.sum()
    return float(centred @ passed / (w @ centred**2)) if np.any(centred) else 0.0


def _slope_error(passed: FloatArray, w: FloatArray, at: FloatArray) -> float:
    centred = at - (w @ at) / w.sum()
    spread = float(w @ centred**2)
    if not spread > 0:
        return float("nan")
    left = passed - w * (passed.sum() / w.sum() + _slope(passed, w, at) * centred)
    return float(np.sqrt(np.sum((centred * left) ** 2)) / spread)
