"""Scores of observable families: the mean over the layers (or rings) in which an observable is defined."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.metrics.protocols import STRICT
from facsim.metrics.triangular import discrimination, separation_of_counts
from facsim.metrics.wasserstein import wasserstein_1d
from facsim.physics.calo import Observations
from facsim.physics.observables import Observable, strict_bins

FloatArray = NDArray[np.float64]
JACKKNIFE_BLOCKS = 20
FEWEST_VALUES = 2
WASSERSTEIN_BINS = 200
LEAST_SPREAD = 0.05
ROUNDING = 1e-6


@dataclass(frozen=True)
class Family:
    """One score of a family: `value` and `error` of the mean, and the value of each layer or ring at `indices`."""

    value: float
    error: float
    indices: list[int]
    values: list[float]


def indices(observable: Observable, sample: Observations) -> list[int | None]:
    """Layers or rings of `observable`; [None] for one value a shower."""
    if observable.per == "shower":
        return [None]
    if observable.per == "layer":
        return list(observable.layers(sample.geometry))
    return list(range(sample.obs["e_ring"].shape[1]))


def separation(observable: Observable, a: Observations, b: Observations, protocol: str) -> Family | None:
    """Mean separation power; None where `protocol` has no bins for the observable.

    The error is a jackknife over 20 blocks of showers of the mean itself, so that it knows how layers are correlated.
    """
    found: list[tuple[int, float, FloatArray]] = []
    for index in indices(observable, a):
        x, y = (observable.column(s.obs, s.geometry, index) for s in (a, b))
        no_x, no_y = (observable.absent(s.obs, index) for s in (a, b))
        if protocol == STRICT:
            edges: FloatArray | None = strict_bins(x[~no_x])
        else:
            edges = observable.challenge_bins(a.geometry, index, x)
        if edges is None:
            continue
        inner = slice(None) if protocol == STRICT else slice(1, len(edges))
        counts = [_block_counts(v, no, edges, protocol == STRICT)[:, inner] for v, no in ((x, no_x), (y, no_y))]
        value = separation_of_counts(counts[0].sum(axis=0), counts[1].sum(axis=0), protocol)
        if np.isfinite(value):
            found.append((-1 if index is None else index, value, _left_out(counts, discrimination)))
    return _family(found)


def wasserstein(observable: Observable, a: Observations, b: Observations) -> Family | None:
    """Mean 1-Wasserstein distance in units of the reference's standard deviation, events without the observable left
    out; None where it never varies. Where the reference hardly varies the unit is a twentieth of the spread of both
    samples together, so that one layer cannot decide the mean. The error is a jackknife over 20 blocks of showers of
    the mean, with the distance taken on 200 bins.
    """
    found: list[tuple[int, float, FloatArray]] = []
    for index in indices(observable, a):
        x, y = (observable.column(s.obs, s.geometry, index)[~observable.absent(s.obs, index)] for s in (a, b))
        if min(len(x), len(y)) < FEWEST_VALUES:
            continue
        pooled = np.sort(np.concatenate([x, y]))
        unit = max(float(np.std(x)), LEAST_SPREAD * float(np.std(pooled)))
        if unit <= ROUNDING * max(abs(float(pooled[0])), abs(float(pooled[-1]))):
            continue
        value = wasserstein_1d(x, y)[0] / unit
        edges = np.unique(pooled[np.linspace(0, len(pooled) - 1, WASSERSTEIN_BINS + 1).round().astype(int)])
        if len(edges) < 2:
            continue
        counts = [_block_counts(v, np.zeros(len(v), dtype=bool), edges, False)[:, 1 : len(edges)] for v in (x, y)]
        steps = np.diff(edges) / unit

        def distance(p: FloatArray, q: FloatArray, steps: FloatArray = steps) -> FloatArray:
            gap = np.cumsum(p - q, axis=-1)
            return np.asarray(np.abs(gap - 0.5 * (p - q)) @ steps)

        found.append((-1 if index is None else index, value, _left_out(counts, distance)))
    return _family(found)


def _family(found: list[tuple[int, float, FloatArray]]) -> Family | None:
    if not found:
        return None
    values = [value for _, value, _ in found]
    error = _jackknife_error(np.mean([replicas for _, _, replicas in found], axis=0))
    return Family(float(np.mean(values)), error, [index for index, _, _ in found], values)


def _block_counts(
    values: FloatArray, absent: NDArray[np.bool_], edges: FloatArray, separate: bool
) -> NDArray[np.int64]:
    """Counts [underflow, bins, overflow, absent] in blocks of showers; absent ones apart only where `separate`."""
    place = np.searchsorted(edges, values, side="right")
    place[values == edges[-1]] -= 1
    if separate:
        place = np.where(absent, len(edges) + 1, place)
    size = len(edges) + 2
    block = np.arange(len(values)) % JACKKNIFE_BLOCKS
    return np.bincount(block * size + place, minlength=JACKKNIFE_BLOCKS * size).reshape(JACKKNIFE_BLOCKS, size)


def _left_out(counts: list[NDArray[np.int64]], statistic: Callable[[FloatArray, FloatArray], FloatArray]) -> FloatArray:
    """`statistic` of normalised histograms without each block of showers in turn: first of sample 0, then of 1."""
    whole = [sample.sum(axis=0) for sample in counts]
    without = [_normalised(total - sample) for total, sample in zip(whole, counts, strict=True)]
    first, second = (_normalised(total)[None, :] for total in whole)
    return np.concatenate([statistic(without[0], second), statistic(first, without[1])])


def _normalised(counts: NDArray[Any]) -> FloatArray:
    return np.asarray(counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1), dtype=np.float64)


def _jackknife_error(replicas: FloatArray) -> float:
    """Error from leave-one-block-out values of the two samples, one after the other."""
    variance = 0.0
    for part in np.split(replicas, 2):
        variance += (len(part) - 1) / len(part) * float(np.sum((part - part.mean()) ** 2))
    return float(np.sqrt(variance))
