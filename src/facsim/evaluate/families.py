"""Scores of observable families: the mean over the layers (or rings) in which an observable is defined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.metrics.separation import STRICT, discrimination, separation_power
from facsim.metrics.wasserstein import wasserstein_1d
from facsim.physics.calo import Observations
from facsim.physics.observables import Observable, strict_bins

FloatArray = NDArray[np.float64]
JACKKNIFE_BLOCKS = 20
FEWEST_VALUES = 2


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
        value = separation_power(x, y, edges, protocol, empty_a=no_x, empty_b=no_y, n_bootstrap=2)[0]
        if np.isfinite(value):
            strict = protocol == STRICT
            replicas = _left_out(x, no_x, y, no_y, edges, strict)
            found.append((-1 if index is None else index, value, replicas))
    if not found:
        return None
    values = [value for _, value, _ in found]
    error = _jackknife_error(np.mean([replicas for _, _, replicas in found], axis=0))
    return Family(float(np.mean(values)), error, [index for index, _, _ in found], values)


def _left_out(
    x: FloatArray, no_x: NDArray[Any], y: FloatArray, no_y: NDArray[Any], edges: FloatArray, strict: bool
) -> FloatArray:
    """Plug-in separation power without each block of showers in turn, (2 x blocks,): first of `x`, then of `y`."""
    sides = []
    for values, empty in ((x, no_x), (y, no_y)):
        place = np.searchsorted(edges, values, side="right")
        place[values == edges[-1]] -= 1
        if strict:
            place = np.where(empty, len(edges) + 1, place)
        size = len(edges) + 2
        block = np.arange(len(values)) % JACKKNIFE_BLOCKS
        counts = np.bincount(block * size + place, minlength=JACKKNIFE_BLOCKS * size).reshape(JACKKNIFE_BLOCKS, size)
        sides.append(counts if strict else counts[:, 1 : len(edges)])
    whole = [counts.sum(axis=0) for counts in sides]
    out = []
    for k, counts in enumerate(sides):
        reduced, other = _normalised(whole[k] - counts), _normalised(whole[1 - k])
        out.append(discrimination(reduced, other[None, :]))
    return np.concatenate(out)


def _normalised(counts: NDArray[Any]) -> FloatArray:
    return np.asarray(counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1), dtype=np.float64)


def _jackknife_error(replicas: FloatArray) -> float:
    """Error from leave-one-block-out values of the two samples, one after the other."""
    variance = 0.0
    for part in np.split(replicas, 2):
        variance += (len(part) - 1) / len(part) * float(np.sum((part - part.mean()) ** 2))
    return float(np.sqrt(variance))


def wasserstein(observable: Observable, a: Observations, b: Observations) -> Family | None:
    """Mean 1-Wasserstein distance in units of the reference's standard deviation, events without the observable left
    out; None where it never varies. Errors of layers are taken as fully correlated, an upper bound.
    """
    found: list[tuple[int, float, float]] = []
    for index in indices(observable, a):
        x, y = (observable.column(s.obs, s.geometry, index)[~observable.absent(s.obs, index)] for s in (a, b))
        if min(len(x), len(y)) < FEWEST_VALUES:
            continue
        value, error = wasserstein_1d(x, y, normalise=True)
        if np.isfinite(value):
            found.append((-1 if index is None else index, value, error))
    if not found:
        return None
    where, values, errors = zip(*found, strict=True)
    return Family(float(np.mean(values)), float(np.mean(errors)), list(where), list(values))
