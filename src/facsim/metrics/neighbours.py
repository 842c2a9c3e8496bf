"""Precision, recall, density and coverage (arXiv 1904.06991, 2002.09797): who lies among the other's neighbours?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.metrics._samples import FloatArray, check_features, scale_robustly

NEAREST = 5
BLOCK_BYTES = 2**27


@dataclass(frozen=True)
class PRDC:
    """Values, and their errors from the events that each is a mean over; the radii's own fluctuation is left out."""

    precision: float
    recall: float
    density: float
    coverage: float
    errors: dict[str, float]


def prdc(real: NDArray[Any], gen: NDArray[Any], *, nearest: int = NEAREST, scale: bool = True) -> PRDC:
    """Precision, recall, density and coverage with balls of the k-th nearest neighbour.

    precision: the fraction of generated events inside a ball of any real event. recall: the fraction of real events
    inside a ball of any generated one. density: the number of real balls around a generated event, over k, mean.
    coverage: the fraction of real events with a generated event in their ball. A ball reaches to the k-th neighbour of
    its own sample; strictly inside counts, as in the package `prdc`.

    All pairs are compared in blocks of 128 MB, so memory does not grow with N M, as time does.

    Args:
        real: reference features (N, D), gen: features to judge (M, D).
        nearest: k.
        scale: take features in robust units limited to +-8; without it, as they are (as the package does).

    Raises:
        FacsimError: shapes that do not fit, values that are not finite, no more than k events in a sample.
    """
    x, y = check_features(real, gen)
    if nearest < 1 or min(len(x), len(y)) <= nearest:
        raise FacsimError(
            f"neighbour metrics need k >= 1 and more than k events, not k = {nearest}, {len(x)}, {len(y)}."
        )
    if scale:
        x, y = scale_robustly(x, y)
    centre = x.mean(axis=0)
    x, y = x - centre, y - centre
    radius_x, radius_y = (_radii(sample, nearest) for sample in (x, y))
    around = np.zeros(len(y))
    covered, recalled = np.zeros(len(x), dtype=bool), np.zeros(len(x), dtype=bool)
    for rows, squares in _square_blocks(x, y):
        inside = squares < radius_x[rows, None]
        around += inside.sum(axis=0)
        covered[rows] = inside.any(axis=1)
        recalled[rows] = (squares < radius_y).any(axis=1)
    events = {"precision": around > 0, "recall": recalled, "density": around / nearest, "coverage": covered}
    errors = {name: float(np.std(values) / np.sqrt(len(values))) for name, values in events.items()}
    return PRDC(**{name: float(np.mean(values)) for name, values in events.items()}, errors=errors)


def _radii(x: FloatArray, nearest: int) -> FloatArray:
    """Squared distance of each event to its k-th nearest other one, (N,)."""
    radii = np.empty(len(x))
    for rows, squares in _square_blocks(x, x):
        squares[np.arange(len(squares)), np.arange(len(x))[rows]] = 0.0
        radii[rows] = np.partition(squares, nearest, axis=1)[:, nearest]
    return radii


def _square_blocks(x: FloatArray, y: FloatArray) -> Iterator[tuple[slice, FloatArray]]:
    """Squared distances of some rows of x to all of y at a time."""
    step = max(1, BLOCK_BYTES // (8 * len(y)))
    norm_x, norm_y = np.einsum("ij,ij->i", x, x), np.einsum("ij,ij->i", y, y)
    for first in range(0, len(x), step):
        rows = slice(first, min(first + step, len(x)))
        squares = x[rows] @ (-2.0 * y.T)
        squares += norm_x[rows, None]
        squares += norm_y
        yield rows, np.maximum(squares, 0.0, out=squares)
