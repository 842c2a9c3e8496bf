"""Precision, recall, density and coverage (arXiv 1904.06991, 2002.09797): who lies among the other's neighbours?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.arrays import Array, like, namespace, to_numpy
from facsim.core.errors import FacsimError
from facsim.metrics._samples import FloatArray, check_features, check_weights, scale_robustly
from facsim.metrics.pairs import squared_distances

NEAREST = 5
BLOCK_BYTES = 2**25
GROUP = 32


@dataclass(frozen=True)
class PRDC:
    """Values, and their errors from the events that each is a mean over; the radii's own fluctuation is left out."""

    precision: float
    recall: float
    density: float
    coverage: float
    errors: dict[str, float]


def prdc(
    real: Array,
    gen: Array,
    *,
    real_weights: Array | None = None,
    gen_weights: Array | None = None,
    nearest: int = NEAREST,
    scale: bool = True,
) -> PRDC:
    """Precision, recall, density and coverage with balls of the k-th nearest neighbour.

    precision: the fraction of generated events inside a ball of any real event. recall: the fraction of real events
    inside a ball of any generated one. density: the number of real balls around a generated event, over k, mean.
    coverage: the fraction of real events with a generated event in their ball. A ball reaches to the k-th neighbour of
    its own sample; strictly inside counts, as in the package `prdc`. Weights enter the means, not the balls.

    All pairs are compared in blocks of 32 MB, so memory does not grow with N M, as time does.

    Args:
        real: reference features (N, D), gen: features to judge (M, D); numpy arrays or torch tensors.
        real_weights, gen_weights: event weights, negative ones allowed.
        nearest: k.
        scale: take features in robust units limited to +-8; without it, as they are (as the package does).

    Raises:
        FacsimError: shapes that do not fit, values that are not finite, no more than k events in a sample, weights
            without a positive sum.
    """
    x, y = check_features(real, gen)
    if nearest < 1 or min(len(x), len(y)) <= nearest:
        raise FacsimError(
            f"neighbour metrics need k >= 1 and more than k events, not k = {nearest}, {len(x)}, {len(y)}."
        )
    of_real, of_gen = check_weights("reference", len(x), real_weights), check_weights("generated", len(y), gen_weights)
    if scale:
        x, y = scale_robustly(x, y)
    centre = x.mean(axis=0)
    x, y = x - centre, y - centre
    radius_x, radius_y = (_radii(sample, nearest) for sample in (x, y))
    around, covered, recalled = np.zeros(len(y)), np.zeros(len(x), dtype=bool), np.zeros(len(x), dtype=bool)
    limits_x, limits_y = like(radius_x, x), like(radius_y, y)
    for part, squares in _square_blocks(x, y):
        inside = squares < limits_x[part, None]
        around += to_numpy(inside.sum(axis=0))
        covered[part] = to_numpy(namespace(x).any(inside, 1))
        recalled[part] = to_numpy(namespace(x).any(squares < limits_y, 1))
    found = {
        "precision": _mean(around > 0, of_gen),
        "recall": _mean(recalled, of_real),
        "density": _mean(around / nearest, of_gen),
        "coverage": _mean(covered, of_real),
    }
    return PRDC(**{n: value for n, (value, _) in found.items()}, errors={n: error for n, (_, error) in found.items()})


def _mean(values: NDArray[Any], weights: FloatArray) -> tuple[float, float]:
    """Weighted mean and its error."""
    mean = float(weights @ values / weights.sum())
    return mean, float(np.sqrt(np.sum((weights * (values - mean)) ** 2)) / weights.sum())


def _radii(x: Array, nearest: int) -> FloatArray:
    """Squared distance of each event to its k-th nearest other one, (N,)."""
    radii = np.empty(len(x))
    for part, squares in _square_blocks(x, x):
        squares[np.arange(len(squares)), np.arange(len(x))[part]] = 0.0
        radii[part] = to_numpy(_smallest(squares, nearest))
    return radii


def _smallest(values: Array, k: int) -> Array:
    """The k-th smallest of each row (n, m), counted from 0.

    The k + 1 smallest lie in the k + 1 groups of columns with the smallest minima: only these are sorted, which is
    several times quicker than to partition the rows.
    """
    xp, columns = namespace(values), values.shape[1] // GROUP
    if columns <= k + 1:
        return _sorted(values)[:, k]
    grouped = values[:, : GROUP * columns].reshape(len(values), GROUP, columns)
    minima = xp.amin(grouped, 1)
    if xp is np:
        chosen = np.argpartition(minima, k, axis=1)[:, : k + 1]
    else:
        chosen = minima.topk(k + 1, dim=1, largest=False).indices
    row = like(np.arange(len(values)), values).to(chosen.dtype) if xp is not np else np.arange(len(values))
    few = grouped[row[:, None], :, chosen].reshape(len(values), -1)
    return _sorted(xp.concatenate([few, values[:, GROUP * columns :]], axis=1))[:, k]


def _sorted(values: Array) -> Array:
    return np.sort(values, axis=1) if namespace(values) is np else values.sort(dim=1).values


def _square_blocks(x: Array, y: Array) -> Iterator[tuple[slice, Array]]:
    """Squared distances of some rows of x to all of y at a time."""
    step = max(1, BLOCK_BYTES // (8 * len(y)))
    for first in range(0, len(x), step):
        part = slice(first, min(first + step, len(x)))
        yield part, squared_distances(x[part], y)
