"""ROC curve of an anomaly score with pointwise intervals, and a band that holds the whole curve.

Signal lies above background. A threshold is exact: events with a score equal to it fail together, so that a curve of
discrete scores has few points. Between points the band follows straight lines, the average over a random choice among
equal scores, as the AUC does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.metrics._samples import FloatArray, check_values, check_weights
from facsim.metrics._tail import Tail, thinned
from facsim.metrics.auc import value_auc
from facsim.metrics.intervals import LEAST, SIGMA, check_level
from facsim.metrics.score import Estimate

POINTS = 60


@dataclass(frozen=True)
class RocCurve:
    """Efficiencies at every threshold that differs (of more than 50 000 a part), from none that passes to all.

    Attributes:
        threshold: (T,), events above it pass; the last is -infinity.
        background, signal: weighted efficiencies, (T,).
        background_ends, signal_ends: their intervals at `level`, low and high, (2, T): each point for itself.
        auc: P(signal above background) + P(equal) / 2 and its error.
        level: confidence level of the intervals.
    """

    threshold: FloatArray
    background: FloatArray
    signal: FloatArray
    background_ends: FloatArray
    signal_ends: FloatArray
    auc: Estimate
    level: float


@dataclass(frozen=True)
class RocBand:
    """Signal efficiency (P,) at fixed background efficiencies (P,), and a band (P,) that holds the true curve at all of
    them together with probability `level`; the fluctuation of the thresholds is in it."""

    background: FloatArray
    signal: FloatArray
    low: FloatArray
    high: FloatArray
    level: float


def roc_curve(
    background: NDArray[Any],
    signal: NDArray[Any],
    background_weights: NDArray[Any] | None = None,
    signal_weights: NDArray[Any] | None = None,
    *,
    level: float = SIGMA,
) -> RocCurve:
    """ROC curve with the interval of Clopper and Pearson at each threshold (`metrics.intervals` with weights).

    Args:
        background: scores (N,). signal: scores (M,).
        background_weights, signal_weights: not negative; by default 1.
        level: of the intervals.

    Raises:
        FacsimError: empty samples, scores that are not finite, weights that do not fit or are negative, or no level.
    """
    check_level(level)
    of_b, of_s = Tail("background", background, background_weights), Tail("signal", signal, signal_weights)
    cuts = thinned(np.append(np.union1d(of_b.scores, of_s.scores)[::-1], -np.inf))
    return RocCurve(
        cuts,
        of_b.fraction(cuts),
        of_s.fraction(cuts),
        np.stack(of_b.fraction_ends(cuts, level)),
        np.stack(of_s.fraction_ends(cuts, level)),
        value_auc(background, signal, background_weights, signal_weights),
        level,
    )


def roc_band(
    background: NDArray[Any],
    signal: NDArray[Any],
    background_weights: NDArray[Any] | None = None,
    signal_weights: NDArray[Any] | None = None,
    *,
    at: ArrayLike | None = None,
    least: float = LEAST,
    level: float = 0.95,
    replicas: int = 400,
    seed: int = 0,
) -> RocBand:
    """Simultaneous band of the ROC curve from a Poisson bootstrap of both samples.

    In g = asin(sqrt(signal efficiency)), whose binomial error is 1 / (2 sqrt(M)) everywhere, the band is g +- c s: s is
    the bootstrap's standard deviation at each background efficiency, the binomial one at least, and c the `level`
    quantile of the largest |g* - g| / s of a replica.

    Args:
        background, signal, background_weights, signal_weights: as of `roc_curve`.
        at: background efficiencies; by default 60 from that which `least` effective events are to 1, equal steps of
            the logarithm.
        least: smaller ones are refused.
        level: of the band. replicas: of the bootstrap. seed: of its weights.

    Raises:
        FacsimError: as `roc_curve`; efficiencies of fewer than `least` events; fewer than 20 replicas.
    """
    check_level(level)
    if replicas < 20:
        raise FacsimError(f"a band needs at least 20 replicas, not {replicas}.")
    x, y = check_values("background", background), check_values("signal", signal)
    u = check_weights("background", len(x), background_weights, negative=False)
    v = check_weights("signal", len(y), signal_weights, negative=False)
    points = _points(float(u.sum() ** 2 / np.sum(u**2)), at, least)
    curve = _Curve(x, y, u, v)
    rng = generator(seed, "roc band")
    nominal = _angle(curve(points, np.ones(len(x)), np.ones(len(y))))
    drawn = (curve(points, rng.poisson(1.0, len(x)), rng.poisson(1.0, len(y))) for _ in range(replicas))
    found = np.array([_angle(replica) for replica in drawn])
    sigma = np.maximum(found.std(axis=0, ddof=1), 0.5 * np.sqrt(np.sum(v**2)) / v.sum())
    reach = float(np.quantile(np.max(np.abs(found - nominal) / sigma, axis=1), level))
    ends = [np.sin(np.clip(nominal + sign * reach * sigma, 0.0, 0.5 * np.pi)) ** 2 for sign in (-1, 1)]
    return RocBand(points, np.sin(nominal) ** 2, ends[0], ends[1], level)


class _Curve:
    """Signal efficiency at background efficiencies as a function of the events' multiplicities; sorted once."""

    def __init__(self, x: FloatArray, y: FloatArray, u: FloatArray, v: FloatArray) -> None:
        scores = np.concatenate([x, y])
        self._order = np.argsort(-scores, kind="stable")
        self._weight = np.concatenate([u, v])
        self._of_signal = (np.arange(len(scores)) >= len(x))[self._order]
        self._last = np.append(np.diff(scores[self._order]) < 0, True)

    def __call__(self, at: FloatArray, times_x: NDArray[Any], times_y: NDArray[Any]) -> FloatArray:
        w = (self._weight * np.concatenate([times_x, times_y]))[self._order]
        sums = [np.cumsum(np.where(self._of_signal == of_s, w, 0.0))[self._last] for of_s in (False, True)]
        b, s = (np.append(0.0, part / max(part[-1], 1e-300)) for part in sums)
        return np.asarray(np.interp(at, b, s))


def _angle(efficiency: FloatArray) -> FloatArray:
    return np.arcsin(np.sqrt(np.clip(efficiency, 0.0, 1.0)))


def _points(events: float, at: ArrayLike | None, least: float) -> FloatArray:
    smallest = least / events
    if at is None:
        if not 0 < smallest < 1:
            raise FacsimError(f"a ROC band needs more than {least:g} effective background events, not {events:.1f}.")
        return np.geomspace(smallest, 1.0, POINTS)
    points = np.asarray(at, dtype=np.float64)
    if points.ndim != 1 or not len(points) or not np.all((points >= smallest * (1 - 1e-9)) & (points <= 1)):
        raise FacsimError(
            f"background efficiencies of a band lie between {smallest:.3g}, that of {least:g} of {events:.1f} "
            "effective events, and 1."
        )
    return points
