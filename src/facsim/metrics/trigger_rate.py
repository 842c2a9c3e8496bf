"""Rates of triggers: cross-section weighted background turned to Hz, and thresholds for a wanted rate.

An event of a sample of `generated` events with cross section sigma stands for sigma L / generated in Hz, L the
instantaneous luminosity; an event of zero-bias data for the rate of crossings over the number of events. The functions
take these weights, so that samples of different processes and slices are joined by concatenation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.metrics._samples import FloatArray, check_weights
from facsim.metrics._tail import Tail, loosest_within, thinned
from facsim.metrics.intervals import LEAST, SIGMA, Interval, interval, sum_interval
from facsim.metrics.working_points import LIMIT, MEASURED, NONE, ONLY_LIMIT, allowed_cuts

PICOBARN = 1e-36
"""In cm^2."""


@dataclass(frozen=True)
class RateThreshold:
    """The threshold of a score for a rate.

    Attributes:
        wanted: rate, Hz. status: `measured`, or `limit` where fewer than the stated number of events lie above.
        threshold: events above it pass, and the range that the statistics allow (one standard deviation); of a limit,
            the threshold whose rate is below `wanted` at 97.5 % confidence, NaN when the sample is too small for one.
        rate: at the threshold, Hz, with its interval; of a limit at 95 % confidence, NaN without a threshold.
        events: effective number of events above the loosest threshold that keeps `wanted` or less.
        smallest: largest rate (Hz, 95 % confidence) that nothing above the largest score still allows.
    """

    wanted: float
    status: str
    threshold: Interval
    rate: Interval
    events: float
    smallest: float


@dataclass(frozen=True)
class Menu:
    """Rates in Hz of several triggers that share events: of each, of each alone without the others, and of all."""

    each: list[Interval]
    alone: list[Interval]
    total: Interval


def event_rate(cross_section: float, generated: float, luminosity: float) -> float:
    """Hz that one event stands for.

    Args:
        cross_section: pb, filter efficiency included.
        generated: number of generated events (sum of generator weights), those that failed a filter after it included.
        luminosity: cm^-2 s^-1.

    Raises:
        FacsimError: a number that is not above 0.
    """
    if not (cross_section > 0 and generated > 0 and luminosity > 0):
        raise FacsimError(
            f"a rate needs a cross section, a number of events and a luminosity above 0, not {cross_section:g}, "
            f"{generated:g} and {luminosity:g}."
        )
    return cross_section * PICOBARN * luminosity / generated


def rate_above(scores: NDArray[Any], hertz: NDArray[Any], threshold: float, level: float = SIGMA) -> Interval:
    """Rate of events above a threshold, Hz, with the interval of Fay and Feuer: a limit also where none is seen.

    Args:
        scores: (N,). hertz: what each event stands for, not negative, (N,). level: of the interval.

    Raises:
        FacsimError: scores that are not finite, weights that do not fit or are negative, or no level.
    """
    return Tail("background", scores, hertz).sum_at(threshold, level)


def threshold_for_rate(
    scores: NDArray[Any], hertz: NDArray[Any], wanted: float, *, least: float = LEAST
) -> RateThreshold:
    """The loosest threshold whose measured rate does not exceed `wanted`.

    Args:
        scores: (N,). hertz: what each event stands for, not negative, (N,).
        wanted: rate, Hz. least: effective events above the threshold below which there are limits only.

    Raises:
        FacsimError: a rate that is not above 0, and as `rate_above`.
    """
    if not wanted > 0:
        raise FacsimError(f"a trigger needs a rate above 0 Hz, not {wanted:g}.")
    tail = Tail("background", scores, hertz)
    cuts = tail.cuts()
    place = loosest_within(tail.above(cuts)[0], wanted)
    cut, events = float(cuts[place]), float(tail.effective(cuts[place]))
    smallest = float(sum_interval(0.0, 0.0, tail.sums.largest, 2 * LIMIT - 1)[1])
    cuts = thinned(cuts)
    if events >= least:
        low, high = allowed_cuts(cuts, tail.sum_ends(cuts), wanted, cut)
        return RateThreshold(wanted, MEASURED, interval(cut, low, high), tail.sum_at(cut), events, smallest)
    surely = np.flatnonzero(tail.sum_ends(cuts, LIMIT)[1] <= wanted)
    if not len(surely):
        return RateThreshold(wanted, ONLY_LIMIT, NONE, NONE, events, smallest)
    cut = float(cuts[surely[-1]])
    return RateThreshold(wanted, ONLY_LIMIT, interval(cut, cut, np.inf), tail.sum_at(cut, LIMIT), events, smallest)


def trigger_menu(passed: NDArray[Any], hertz: NDArray[Any], level: float = SIGMA) -> Menu:
    """Rates of several triggers on the same events.

    Args:
        passed: whether each event passes each trigger, (N, T). hertz: what each event stands for, (N,).
        level: of the intervals.

    Raises:
        FacsimError: another shape, or weights that do not fit or are negative.
    """
    fired = np.asarray(passed, dtype=bool)
    if fired.ndim != 2 or not fired.size:
        raise FacsimError(f"a trigger menu needs what passes as (events, triggers), not an array of {fired.shape}.")
    w = check_weights("background", len(fired), hertz, negative=False)
    count = fired.sum(axis=1)
    alone = fired & (count == 1)[:, None]
    parts = [*fired.T, *alone.T, count > 0]
    rates = [_rate(part, w, level) for part in parts]
    n = fired.shape[1]
    return Menu(rates[:n], rates[n:-1], rates[-1])


def _rate(passed: NDArray[np.bool_], hertz: FloatArray, level: float) -> Interval:
    first, second = float(hertz[passed].sum()), float(np.sum(hertz[passed] ** 2))
    return interval(first, *sum_interval(first, second, float(hertz.max()), level))
