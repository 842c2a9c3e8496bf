"""Does a cut on a score change the shape of a spectator, such as a mass or HT? Jensen-Shannon divergence and its null.

The divergence of two histograms is between 0 and 1 (bits), and above 0 by chance alone. ATLAS gives 1 / JSD of the mass
of background that passes and that fails (ATL-PHYS-PUB-2018-014): `against="failed"`. The null is the same number when
as many events pass at random.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import xlogy

from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.metrics._samples import FloatArray, check_values, check_weights
from facsim.metrics.testing import NullTest

BINS = 20
BEFORE, FAILED = "before", "failed"


@dataclass(frozen=True)
class Sculpting:
    """Shape of a spectator with and without a cut.

    Attributes:
        edges: of the bins, (B + 1,); what lies beyond joins the outer bins.
        before, after: shares of the weight of what is compared with and of what passes, (B,).
        errors: of `after`, (B,).
        test: the divergence with its null; `test.p_value`.
        passed: number of events that pass.
    """

    edges: FloatArray
    before: FloatArray
    after: FloatArray
    errors: FloatArray
    test: NullTest
    passed: int

    @property
    def divergence(self) -> float:
        """Jensen-Shannon divergence, bits."""
        return self.test.statistic

    @property
    def excess(self) -> float:
        """The divergence less the mean of its null: 0 on average where the cut changes nothing."""
        return self.test.statistic - float(self.test.null.mean())


def jensen_shannon(p: ArrayLike, q: ArrayLike) -> float:
    """Jensen-Shannon divergence of two histograms, bits: 0 for equal shapes, 1 for disjoint ones.

    Raises:
        FacsimError: other shapes, negative contents, or a histogram that is empty.
    """
    a, b = np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1 or not (np.all(a >= 0) and np.all(b >= 0) and a.sum() > 0 and b.sum() > 0):
        raise FacsimError("a Jensen-Shannon divergence needs two histograms of the same bins, neither empty.")
    a, b = a / a.sum(), b / b.sum()
    middle = 0.5 * (a + b)
    bits = 0.5 * (xlogy(a, a) + xlogy(b, b)) - xlogy(middle, middle)
    return max(0.0, float(bits.sum()) / float(np.log(2)))


def sculpting(
    scores: NDArray[Any],
    threshold: float,
    spectator: NDArray[Any],
    weights: NDArray[Any] | None = None,
    *,
    edges: ArrayLike | None = None,
    against: str = BEFORE,
    permutations: int = 999,
    seed: int = 0,
) -> Sculpting:
    """Divergence between the spectator of events with `scores > threshold` and of all, or of those that fail.

    Args:
        scores: of background, (N,). threshold: fixed beforehand. spectator: (N,).
        weights: not negative; an event keeps its weight and its spectator in the null.
        edges: of the bins; by default 20 that hold equally many events.
        against: `before` (all events) or `failed`.
        permutations: of which events pass. seed: of them.

    Raises:
        FacsimError: arrays that do not fit, edges that do not increase, all or no events pass, or no permutation.
    """
    x, y = check_values("scored", scores), check_values("spectator", spectator)
    w = check_weights("scored", len(x), weights, negative=False)
    if len(x) != len(y) or permutations < 1 or against not in (BEFORE, FAILED):
        raise FacsimError(
            f"sculpting needs as many spectators ({len(y)}) as scores ({len(x)}), permutations ({permutations}), and "
            f"'{BEFORE}' or '{FAILED}', not '{against}'."
        )
    passed = x > threshold
    if not 0 < float(w[passed].sum()) < float(w.sum()):
        raise FacsimError(f"{passed.sum()} of {len(x)} events pass the threshold {threshold:g}: no shapes to compare.")
    bounds = _edges(y, edges)
    place = np.clip(np.searchsorted(bounds, y, side="right") - 1, 0, len(bounds) - 2)

    def shapes(chosen: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
        rest, after = (np.bincount(place, w * part, len(bounds) - 1).astype(float) for part in (~chosen, chosen))
        return rest + after if against == BEFORE else rest, after

    rng = generator(seed, "sculpting")
    null = np.array([_divergence(*shapes(rng.permutation(passed))) for _ in range(permutations)])
    before, after = shapes(passed)
    errors = _errors(after, np.bincount(place, w**2 * passed, len(bounds) - 1))
    test = NullTest(_divergence(before, after), null)
    return Sculpting(bounds, before / before.sum(), after / after.sum(), errors, test, int(passed.sum()))


def _errors(contents: FloatArray, squares: NDArray[Any]) -> FloatArray:
    """Of the shares of the contents."""
    share = contents / contents.sum()
    return np.asarray(np.sqrt((1 - 2 * share) * squares + share**2 * squares.sum()) / contents.sum())


def _divergence(before: FloatArray, after: FloatArray) -> float:
    """0 where weights leave one of the two empty, as a random choice among few events may."""
    return jensen_shannon(before, after) if before.sum() > 0 and after.sum() > 0 else 0.0


def _edges(values: FloatArray, edges: ArrayLike | None) -> FloatArray:
    bounds = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1))) if edges is None else np.asarray(edges, float)
    if bounds.ndim != 1 or len(bounds) < 3 or not np.all(np.diff(bounds) > 0):
        raise FacsimError("a shape needs at least two bins with increasing edges.")
    return bounds
