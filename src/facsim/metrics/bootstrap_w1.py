"""The 1-Wasserstein distance of values that belong to events (particles of jets), over bootstrap samples of events.

Values are sorted once; a sample of events drawn with replacement is then only a weight for each value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.metrics._samples import FloatArray, check_features

Counts = NDArray[np.int64]
Times = tuple[FloatArray, FloatArray]
"""How often each event of the reference (N,) and of the other sample (M,) was drawn."""


def bootstrap_w1(
    real: NDArray[Any],
    gen: NDArray[Any],
    counts_real: NDArray[Any] | None = None,
    counts_gen: NDArray[Any] | None = None,
    *,
    num_eval_samples: int = 50_000,
    num_batches: int = 5,
    seed: int = 42,
) -> FloatArray:
    """W1 as jetnet 0.2.5 takes it (`w1m`, `w1p`, `w1efp`): between samples of events drawn with replacement.

    jetnet reports mean and standard deviation over the batches. The draws are those that jetnet would make with its
    generator set to `numpy.random.default_rng(seed)`. Truth against truth is not 0 but of order 1/sqrt(samples), and
    the spread of the batches does not cover this.

    Args:
        real: reference values (K, D), gen: values to judge (L, D).
        counts_real, counts_gen: how many values each event has, (N,) and (M,), values in the order of events; None
            where each value is an event.
        num_eval_samples: events drawn from either sample for a batch.
        num_batches: how often.
        seed: of the draws.

    Returns:
        (num_batches, D), in the unit of each column.

    Raises:
        FacsimError: shapes that do not fit, values that are not finite, no batch, or a batch without any value.
    """
    x, y, counts_x, counts_y = _checked(real, gen, counts_real, counts_gen)
    if num_batches < 1 or num_eval_samples < 1:
        raise FacsimError(f"W1 needs at least one batch of one event, not {num_batches} of {num_eval_samples}.")
    n, m = len(counts_x), len(counts_y)
    rng = np.random.default_rng(seed)
    drawn = [(rng.choice(n, size=num_eval_samples), rng.choice(m, size=num_eval_samples)) for _ in range(num_batches)]
    return _distances(x, y, counts_x, counts_y, [(_times(i, n), _times(j, m)) for i, j in drawn])


def grouped_w1(
    real: NDArray[Any],
    gen: NDArray[Any],
    counts_real: NDArray[Any] | None = None,
    counts_gen: NDArray[Any] | None = None,
    *,
    resamples: int = 20,
    seed: int = 0,
) -> tuple[FloatArray, FloatArray]:
    """W1 of all values once (D,), and the same for `resamples` bootstrap samples of whole events (resamples, D).

    The standard deviation of the latter is the error, in which values of one event are not taken for independent.
    Arguments and errors as of `bootstrap_w1`; each sample has as many events as it holds.
    """
    x, y, counts_x, counts_y = _checked(real, gen, counts_real, counts_gen)
    n, m = len(counts_x), len(counts_y)
    rng = generator(seed, "grouped-w1")
    drawn = [(_times(rng.integers(n, size=n), n), _times(rng.integers(m, size=m), m)) for _ in range(resamples)]
    found = _distances(x, y, counts_x, counts_y, [(np.ones(n), np.ones(m)), *drawn])
    return found[0], found[1:]


def _checked(
    real: NDArray[Any], gen: NDArray[Any], counts_real: NDArray[Any] | None, counts_gen: NDArray[Any] | None
) -> tuple[FloatArray, FloatArray, Counts, Counts]:
    x, y = check_features(real, gen)
    counts = []
    for values, given in ((x, counts_real), (y, counts_gen)):
        count = np.ones(len(values), dtype=np.int64) if given is None else np.asarray(given)
        if count.ndim != 1 or count.dtype.kind not in "iu" or np.any(count < 0) or count.sum() != len(values):
            raise FacsimError(f"counts of values are whole numbers, one an event, and sum to the {len(values)} values.")
        counts.append(count.astype(np.int64))
    return x, y, counts[0], counts[1]


def _times(drawn: NDArray[np.int64], size: int) -> FloatArray:
    return np.bincount(drawn, minlength=size).astype(np.float64)


def _distances(x: FloatArray, y: FloatArray, counts_x: Counts, counts_y: Counts, drawn: Sequence[Times]) -> FloatArray:
    """W1 of every column, (samples, D), for events that count so many times."""
    masses = []
    for times_x, times_y in drawn:
        total_x, total_y = times_x @ counts_x, times_y @ counts_y
        if total_x == 0 or total_y == 0:
            raise FacsimError("a batch of W1 holds events without any value; draw more events or drop the empty ones.")
        masses.append(np.concatenate([times_x / total_x, -times_y / total_y]))
    owner = np.repeat(np.arange(len(counts_x) + len(counts_y)), np.concatenate([counts_x, counts_y]))
    found = np.empty((len(drawn), x.shape[1]))
    for column in range(x.shape[1]):
        values = np.concatenate([x[:, column], y[:, column]])
        order = np.argsort(values)
        steps, owners = np.diff(values[order]), owner[order[:-1]]
        for mass, row in zip(masses, found, strict=True):
            gap = np.cumsum(mass[owners])
            row[column] = np.abs(gap, out=gap) @ steps
    return found
