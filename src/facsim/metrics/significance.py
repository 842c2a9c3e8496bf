"""Significance improvement of a selection, signal efficiency / sqrt(background efficiency), and where it is largest.

Where background dominates, a selection multiplies S / sqrt(B) by it (Gallicchio et al., arXiv 1010.3698). The largest
value of a measured curve is too large, since it is the one that fluctuated upwards: the threshold is chosen on one half
of the events and judged on the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.metrics._samples import FloatArray, check_values, check_weights
from facsim.metrics._tail import Tail, thinned
from facsim.metrics.intervals import LEAST
from facsim.metrics.score import Estimate
from facsim.metrics.working_points import MEASURED, WorkingPoint


@dataclass(frozen=True)
class Improvement:
    """Significance improvement at each threshold that differs in background, within a range of background efficiency.

    Attributes:
        background: efficiencies (T,), increasing. value: improvement (T,). error: of both samples (T,).
        largest: the largest of `value`: biased upwards.
        best: improvement at a threshold chosen on one half of the events and judged on the other, mean of both ways;
            NaN where the range holds no threshold of a half with enough events.
        chosen: background efficiencies at the thresholds of both ways.
    """

    background: FloatArray
    value: FloatArray
    error: FloatArray
    largest: float
    best: Estimate
    chosen: tuple[float, float]


def improvement_at(point: WorkingPoint) -> Estimate:
    """Signal efficiency / sqrt(target), with the error of the signal efficiency; NaN of a limit."""
    if point.status != MEASURED:
        return Estimate((np.nan, np.nan))
    return Estimate((point.signal.value / point.target**0.5, point.signal.error / point.target**0.5))


def significance_improvement(
    background: NDArray[Any],
    signal: NDArray[Any],
    background_weights: NDArray[Any] | None = None,
    signal_weights: NDArray[Any] | None = None,
    *,
    within: tuple[float, float] = (0.0, 1.0),
    least: float = LEAST,
    seed: int = 0,
) -> Improvement:
    """Significance improvement as a function of the background efficiency, and its best value.

    Args:
        background: scores (N,). signal: scores (M,).
        background_weights, signal_weights: not negative; by default 1.
        within: range of background efficiency, both ends included.
        least: effective background events above a threshold, in a half as well, below which it is left out.
        seed: of the halves.

    Raises:
        FacsimError: a range that is none, fewer than two events of a sample, and as `roc.roc_curve`.
    """
    if not 0 <= within[0] < within[1] <= 1:
        raise FacsimError(f"a range of background efficiencies lies between 0 and 1, not {within}.")
    samples = []
    for name, scores, weights in (("background", background, background_weights), ("signal", signal, signal_weights)):
        x = check_values(name, scores)
        if len(x) < 2:
            raise FacsimError(f"the {name} has one event: its halves need two at least.")
        samples.append((name, x, check_weights(name, len(x), weights, negative=False)))
    _, share, value, error = _curve(Tail(*samples[0]), Tail(*samples[1]), within, least)
    best, chosen = _cross_chosen(samples, within, least, generator(seed, "improvement"))
    return Improvement(share, value, error, float(value.max()) if len(value) else np.nan, best, chosen)


def _curve(
    of_b: Tail, of_s: Tail, within: tuple[float, float], least: float
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Thresholds, background efficiencies, improvements and errors."""
    cuts = thinned(of_b.cuts())
    share = of_b.fraction(cuts)
    used = (of_b.effective(cuts) >= least) & (share >= within[0]) & (share <= within[1])
    cuts, share = cuts[used], share[used]
    value, error = _improvement(of_b, of_s, cuts)
    return cuts, share, value, error


def _improvement(of_b: Tail, of_s: Tail, cuts: FloatArray) -> tuple[FloatArray, FloatArray]:
    share, kept = of_b.fraction(cuts), of_s.fraction(cuts)
    safe = np.where(share > 0, share, np.nan)
    of_share, of_kept = (0.5 * (high - low) for low, high in (of_b.fraction_ends(cuts), of_s.fraction_ends(cuts)))
    return kept / np.sqrt(safe), np.hypot(of_kept / np.sqrt(safe), 0.5 * kept * of_share / safe**1.5)


def _cross_chosen(
    samples: list[tuple[str, FloatArray, FloatArray]],
    within: tuple[float, float],
    least: float,
    rng: np.random.Generator,
) -> tuple[Estimate, tuple[float, float]]:
    """The improvement at thresholds of the other half, mean of both, and the background efficiencies there."""
    of_b, of_s = (_halves(sample, rng) for sample in samples)
    found, chosen = [], []
    for ours, other in ((0, 1), (1, 0)):
        cuts, _, value, _ = _curve(of_b[ours], of_s[ours], within, least)
        cut = cuts[[int(np.argmax(value))]] if len(value) else np.array([np.inf])
        found.append([float(part[0]) for part in _improvement(of_b[other], of_s[other], cut)])
        chosen.append(float(of_b[other].fraction(cut)[0]))
    value, error = np.array(found).T
    best = Estimate((float(value.mean()), float(0.5 * np.hypot(*error))))
    return best, (chosen[0], chosen[1])


def _halves(sample: tuple[str, FloatArray, FloatArray], rng: np.random.Generator) -> tuple[Tail, Tail]:
    name, x, w = sample
    order = rng.permutation(len(x))
    first, second = order[: len(x) // 2], order[len(x) // 2 :]
    return Tail(name, x[first], w[first]), Tail(name, x[second], w[second])
