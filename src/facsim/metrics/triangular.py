"""Separation power (triangular discrimination, arXiv 2009.03796 eq. 15) of two binned samples.

S = 1/2 sum_b (h1_b - h2_b)^2 / (h1_b + h2_b), with sum_b h_b = 1 for each sample: 0 for alike, 1 for disjoint.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from facsim.core.arrays import to_numpy
from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.metrics._samples import FloatArray, as_numbers, check_values, check_weights
from facsim.metrics.protocols import CHALLENGE, STRICT

UNEQUAL = 1.5
FEWEST_EXPECTED = 5


def separation_power(
    a: NDArray[Any],
    b: NDArray[Any],
    bins: NDArray[Any],
    protocol: str = STRICT,
    *,
    empty_a: NDArray[Any] | None = None,
    empty_b: NDArray[Any] | None = None,
    weights_a: NDArray[Any] | None = None,
    weights_b: NDArray[Any] | None = None,
    seed: int = 0,
    n_bootstrap: int = 200,
) -> tuple[float, float]:
    """Separation power of two samples of one observable, and its bootstrap error.

    `calochallenge-2022` normalises each histogram inside the range of the bins, so that what lies outside is not
    seen at all (the challenge's own definition, kept to the digit). `strict` counts everything: underflow and
    overflow are bins, events without the observable (a layer without energy) are a bin of their own, and the
    expected contribution of counting noise is subtracted, so that samples of one distribution average to 0.

    Args:
        a: reference values (N,), b: values to judge (M,).
        bins: bin edges, increasing.
        protocol: `calochallenge-2022` or `strict`.
        empty_a, empty_b: boolean masks of events without the observable; `strict` puts them in their own bin, the
            challenge's protocol ignores the masks and uses the values as they are.
        weights_a, weights_b: event weights, negative ones allowed as long as each bin keeps a sum that is not negative
            (`strict` only).
        seed: seed of the bootstrap.
        n_bootstrap: resamplings of the two histograms.

    Returns:
        Value and error; (nan, nan) when the protocol finds no event inside the bins.

    Raises:
        FacsimError: values that are not finite, edges that do not increase, unknown protocol, weights that do not fit.
    """
    a, b, edges = as_numbers("reference", a), as_numbers("generated", b), np.asarray(to_numpy(bins), dtype=np.float64)
    if edges.ndim != 1 or len(edges) < 2 or not np.all(np.diff(edges) > 0):
        raise FacsimError(
            "separation power needs at least two increasing bin edges, e.g. numpy.linspace(low, high, 31)."
        )
    if weights_a is not None or weights_b is not None:
        if protocol != STRICT:
            raise FacsimError(f"the protocol '{protocol}' of the separation power knows no weights; use '{STRICT}'.")
        sums = [
            _weighted("reference", a, edges, empty_a, weights_a),
            _weighted("generated", b, edges, empty_b, weights_b),
        ]
        return _from_weighted(sums[0], sums[1], seed, n_bootstrap)
    counts = [_counts("reference", a, edges, protocol, empty_a), _counts("generated", b, edges, protocol, empty_b)]
    return _from_counts(counts[0], counts[1], protocol, seed, n_bootstrap)


def _counts(
    name: str, values: NDArray[Any], edges: FloatArray, protocol: str, empty: NDArray[Any] | None
) -> NDArray[np.int64]:
    if protocol == CHALLENGE:
        return np.histogram(check_values(name, values), edges)[0]
    if protocol != STRICT:
        raise FacsimError(f"unknown protocol '{protocol}' of the separation power: use '{CHALLENGE}' or '{STRICT}'.")
    if len(values) == 0:
        raise FacsimError(f"the {name} sample of the separation power holds no event.")
    without = np.zeros(len(values), dtype=bool) if empty is None else np.asarray(empty, dtype=bool)
    present = np.asarray(values)[~without]
    if len(present) == 0:
        return np.concatenate([np.zeros(len(edges) + 1, dtype=np.int64), [np.count_nonzero(without)]])
    everything = np.concatenate([[-np.inf], edges, [np.inf]])
    inside = np.histogram(check_values(name, present), everything)[0]
    at_end = np.count_nonzero(present == edges[-1])
    inside[-1] -= at_end
    inside[-2] += at_end
    return np.concatenate([inside, [np.count_nonzero(without)]])


def _weighted(
    name: str, values: NDArray[Any], edges: FloatArray, empty: NDArray[Any] | None, weights: NDArray[Any] | None
) -> FloatArray:
    """Entries, shares of the sum of weights and their variances in `strict`'s bins, (3, bins + 3)."""
    without = np.zeros(len(values), dtype=bool) if empty is None else np.asarray(empty, dtype=bool)
    x = check_values(name, np.where(without, 0.0, values))
    w = check_weights(name, len(x), weights)
    place = np.searchsorted(edges, x, side="right")
    place[x == edges[-1]] -= 1
    place[without] = len(edges) + 1
    entries, content, square = (np.bincount(place, w**power, len(edges) + 2) for power in (0, 1, 2))
    if np.any(content < 0):
        raise FacsimError(f"the weights of the {name} sample sum to less than 0 in a bin; take wider bins.")
    return np.stack([entries, content / w.sum(), square / w.sum() ** 2])


def _from_weighted(a: FloatArray, b: FloatArray, seed: int, n_bootstrap: int) -> tuple[float, float]:
    """As `_from_counts`, for sums of weights."""
    rng = generator(seed, "separation power")
    boot = []
    for _, share, variance in (a, b):
        # A bin is as uncertain as one of so many entries of equal weight.
        unit = np.divide(variance, share, out=np.zeros_like(share), where=share > 0)
        entries = np.divide(share, unit, out=np.zeros_like(share), where=unit > 0)
        boot.append(rng.poisson(entries, (n_bootstrap, len(share))) * unit)
    resampled = discrimination(_normalised(boot[0]), _normalised(boot[1]))
    total = np.maximum(a[1] + b[1], 1e-300)
    noise = float(np.sum(((a[2] + b[2]) / (2 * total)) ** 2))
    shared = (a[1] > 0) & (b[1] > 0)
    (n_a, h_a, var_a), (n_b, h_b, var_b) = a[:, shared], b[:, shared]
    bias = 2 * (h_b**2 * var_a + h_a**2 * var_b) / (h_a + h_b) ** 3 * (n_a + n_b) / (n_a + n_b - 1)
    value = float(discrimination(a[1], b[1])) - float(bias.sum())
    return value, float(np.sqrt(max(float(np.var(resampled, ddof=1)) - 4 * noise, 2 * noise)))


def separation_of_spectra(
    a: NDArray[Any], b: NDArray[Any], protocol: str = STRICT, *, seed: int = 0, n_bootstrap: int = 200
) -> tuple[float, float]:
    """Separation power of two pooled spectra whose entries are not independent (cells of the same showers).

    Args:
        a, b: counts [underflow, bins, overflow] in blocks of events, shapes (blocks, n_bins + 2): as
            `physics.calo.Observations.cell_blocks`. Error and noise term come from resampling blocks.
        protocol: `calochallenge-2022` drops underflow and overflow, `strict` keeps them.

    Returns:
        Value and error; (nan, nan) when a spectrum is empty.

    Raises:
        FacsimError: shapes that do not fit or unknown protocol.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1] or first.shape[1] < 3:
        raise FacsimError(f"spectra need shapes (blocks, bins + 2), alike, not {first.shape} and {second.shape}.")
    if protocol not in (CHALLENGE, STRICT):
        raise FacsimError(f"unknown protocol '{protocol}' of the separation power: use '{CHALLENGE}' or '{STRICT}'.")
    if protocol == CHALLENGE:
        first, second = first[:, 1:-1], second[:, 1:-1]
    if first.sum() == 0 or second.sum() == 0:
        return float("nan"), float("nan")
    rng = generator(seed, "separation of spectra")
    draws = [_block_draws(sample, rng, n_bootstrap) for sample in (first, second)]
    resampled = discrimination(_normalised(draws[0]), _normalised(draws[1]))
    value = float(discrimination(_normalised(first.sum(axis=0)), _normalised(second.sum(axis=0))))
    if protocol == STRICT:
        value -= float(np.mean(resampled)) - value
    return value, float(np.std(resampled, ddof=1))


def _block_draws(blocks: FloatArray, rng: np.random.Generator, n: int) -> FloatArray:
    filled = blocks[blocks.sum(axis=1) > 0]
    weights = rng.multinomial(len(filled), np.full(len(filled), 1 / len(filled)), size=n)
    return np.asarray(weights @ filled, dtype=np.float64)


def discrimination(h1: FloatArray, h2: FloatArray) -> FloatArray:
    """1/2 sum (h1 - h2)^2 / (h1 + h2 + 1e-16) over the last axis of normalised histograms."""
    return np.asarray(0.5 * ((h1 - h2) ** 2 / (h1 + h2 + 1e-16)).sum(axis=-1))


def _normalised(counts: NDArray[Any]) -> FloatArray:
    return np.asarray(counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1e-300), dtype=np.float64)


def separation_of_counts(a: NDArray[np.int64], b: NDArray[np.int64], protocol: str = STRICT) -> float:
    """Separation power of two histograms of independent entries, (bins,) each; nan when one is empty.

    What is a bin is the caller's choice; `strict` subtracts the expected contribution of counting noise.
    """
    if not a.sum() or not b.sum():
        return float("nan")
    value = float(discrimination(_normalised(a), _normalised(b)))
    return value - _noise_bias(a, b) if protocol == STRICT else value


def _from_counts(
    a: NDArray[np.int64], b: NDArray[np.int64], protocol: str, seed: int, n_bootstrap: int
) -> tuple[float, float]:
    n_a, n_b = int(a.sum()), int(b.sum())
    if n_a == 0 or n_b == 0:
        return float("nan"), float("nan")
    h_a, h_b = _normalised(a), _normalised(b)
    rng = generator(seed, "separation power")
    boot = discrimination(rng.multinomial(n_a, h_a, n_bootstrap) / n_a, rng.multinomial(n_b, h_b, n_bootstrap) / n_b)
    total = np.maximum(h_a + h_b, 1e-300)
    noise = float(np.sum(((h_a / n_a + h_b / n_b) / (2 * total)) ** 2))
    # The bootstrap adds its own noise to that of the sample; near S = 0, where S is quadratic in the difference,
    # that makes its variance too large by 4 noise. The variance of truth against truth is 2 noise.
    error = float(np.sqrt(max(float(np.var(boot, ddof=1)) - 4 * noise, 2 * noise)))
    return separation_of_counts(a, b, protocol), error


def _noise_bias(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
    """Expected S from counting noise alone, to second order: 2 sum h_a h_b (h_b / N_a + h_a / N_b) / (h_a + h_b)^3.

    The factor T / (T - 1), T the entries of a bin, makes it exact for equal sample sizes and distributions in bins
    of two entries or more; disjoint bins have none. With sizes that differ, bins of less than 5 expected entries in the
    smaller sample take the expectation at given T instead, exact for equal distributions.
    """
    n_a, n_b = int(a.sum()), int(b.sum())
    share = n_a / (n_a + n_b)
    entries = a + b
    few = entries * min(share, 1 - share) < FEWEST_EXPECTED if max(n_a, n_b) > UNEQUAL * min(n_a, n_b) else entries < 0
    bias = sum(
        count * _expected(int(t), n_a, n_b)
        for t, count in zip(*np.unique(entries[few], return_counts=True), strict=True)
    )
    shared = (a > 0) & (b > 0) & ~few
    h_a, h_b, entries = a[shared] / n_a, b[shared] / n_b, entries[shared]
    terms = 2 * h_a * h_b * (h_b / n_a + h_a / n_b) / (h_a + h_b) ** 3
    return float(bias + np.sum(terms * entries / (entries - 1)))


def _expected(entries: int, n_a: int, n_b: int) -> float:
    """Mean contribution of a bin of so many entries that fall to either sample by chance."""
    k = np.arange(entries + 1)
    h_a, h_b = k / n_a, (entries - k) / n_b
    chance = binom.pmf(k, entries, n_a / (n_a + n_b))
    return float(np.sum(chance * 0.5 * (h_a - h_b) ** 2 / np.maximum(h_a + h_b, 1e-300)))
