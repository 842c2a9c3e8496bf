"""Signal efficiency at fixed background efficiencies, with the error of the threshold, and limits where counts run out.

The threshold is the loosest that keeps no more of the background sample than wanted. It is known only as well as the
background is: thresholds whose own interval of the background efficiency holds the wanted one are as good, and what the
signal efficiency does between them is the threshold's part of its error. No density is estimated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.metrics._samples import FloatArray
from facsim.metrics._tail import SAME, Tail, loosest_within, thinned
from facsim.metrics.intervals import LEAST, Interval, interval

TARGETS = (1e-1, 1e-2, 1e-3, 1e-4)
LIMIT = 0.95
MEASURED, ONLY_LIMIT = "measured", "limit"
NONE = Interval(np.nan, np.nan, np.nan)


@dataclass(frozen=True)
class WorkingPoint:
    """Efficiencies at one wanted background efficiency.

    Attributes:
        target: the wanted background efficiency.
        status: `measured`, or `limit` where fewer than the stated number of background events lie above the threshold.
        threshold: events above it pass, and the range that the background's statistics allow; of a limit, the threshold
            that keeps no more than `target` at 97.5 % confidence, NaN when there is none.
        background: efficiency at the threshold and its interval.
        signal: efficiency with the errors of signal and threshold; of a limit, NaN between limits at 95 % confidence.
        statistical: signal efficiency at this very threshold, with its own interval alone.
        events: effective number of background events above the threshold.
        tied: whether equal scores at the threshold keep the background efficiency below the target.
        looser: background and signal efficiency at the next looser threshold: with ties, the other end of the bracket.
    """

    target: float
    status: str
    threshold: Interval
    background: Interval
    signal: Interval
    statistical: Interval
    events: float
    tied: bool
    looser: tuple[float, float]


def working_points(
    background: NDArray[Any],
    signal: NDArray[Any],
    background_weights: NDArray[Any] | None = None,
    signal_weights: NDArray[Any] | None = None,
    *,
    targets: Sequence[float] = TARGETS,
    least: float = LEAST,
) -> list[WorkingPoint]:
    """Signal efficiency at each of `targets`; intervals are of one standard deviation.

    Args:
        background: scores (N,), that no predictor was trained on. signal: scores (M,).
        background_weights, signal_weights: not negative, such as cross sections; by default 1.
        targets: background efficiencies between 0 and 1.
        least: effective background events above the threshold below which there are limits only.

    Raises:
        FacsimError: targets outside of 0 to 1, and as `roc.roc_curve`.
    """
    if not all(0 < target < 1 for target in targets):
        raise FacsimError(f"background efficiencies lie between 0 and 1, not {list(targets)}.")
    of_b, of_s = Tail("background", background, background_weights), Tail("signal", signal, signal_weights)
    steps = Steps(of_b)
    return [_point(of_b, of_s, steps, float(target), least) for target in targets]


class Steps:
    """The thresholds of a background sample, from the tightest, and intervals of what passes at some of them."""

    def __init__(self, background: Tail) -> None:
        self.cuts = background.cuts()
        self.fraction = background.fraction(self.cuts)
        self.some = thinned(self.cuts)
        self.ends = background.fraction_ends(self.some)
        self.limits = background.fraction_ends(self.some, LIMIT)  # either end alone holds at 97.5 %


def allowed_cuts(
    cuts: FloatArray, ends: tuple[FloatArray, FloatArray], target: float, chosen: float
) -> tuple[float, float]:
    """Loosest and tightest of falling `cuts` whose interval (`ends`) holds `target`, and `chosen` in any case."""
    holds = cuts[(ends[0] <= target) & (ends[1] >= target) & np.isfinite(cuts)]
    kept = [chosen, *holds[:1], *holds[-1:]]
    return float(min(kept)), float(max(kept))


def _point(of_b: Tail, of_s: Tail, steps: Steps, target: float, least: float) -> WorkingPoint:
    place = loosest_within(steps.fraction, target)
    after = min(place + 1, len(steps.cuts) - 1)
    cut, looser = float(steps.cuts[place]), float(steps.cuts[after])
    block = int(of_b.count(looser) - of_b.count(cut))
    tied = block > 1 and float(steps.fraction[place]) < target * (1 - SAME)
    loose = (float(steps.fraction[after]), float(of_s.fraction(looser)))
    events = float(of_b.effective(cut))
    if events < least:
        return _limit(of_b, of_s, steps, WorkingPoint(target, ONLY_LIMIT, NONE, NONE, NONE, NONE, events, tied, loose))
    low, high = allowed_cuts(steps.some, steps.ends, target, cut)
    statistical = of_s.fraction_at(cut)
    more, fewer = float(of_s.fraction(low)), float(of_s.fraction(high))
    value = statistical.value
    signal = interval(
        value,
        max(0.0, value - np.hypot(value - statistical.low, value - fewer)),
        min(1.0, value + np.hypot(statistical.high - value, more - value)),
    )
    threshold = interval(cut, low, high)
    return WorkingPoint(target, MEASURED, threshold, of_b.fraction_at(cut), signal, statistical, events, tied, loose)


def _limit(of_b: Tail, of_s: Tail, steps: Steps, empty: WorkingPoint) -> WorkingPoint:
    """Limits by monotony: a threshold that surely keeps more background keeps more signal too, and the reverse."""
    surely_more = np.flatnonzero(steps.limits[0] >= empty.target)
    surely_less = np.flatnonzero(steps.limits[1] <= empty.target)
    high = float(of_s.fraction_ends(steps.some[surely_more[0]], LIMIT)[1]) if len(surely_more) else 1.0
    if not len(surely_less):
        return replace(empty, signal=interval(np.nan, 0.0, high))
    cut = float(steps.some[surely_less[-1]])
    at_cut = of_s.fraction_at(cut, LIMIT)
    return replace(
        empty,
        threshold=interval(cut, cut, np.inf),
        background=of_b.fraction_at(cut, LIMIT),
        signal=interval(np.nan, at_cut.low, high),
        statistical=of_s.fraction_at(cut),
    )
