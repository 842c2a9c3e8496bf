"""Two-sample tests with any statistic: null distributions, p-values, power, and many tests at once.

A statistic is a function of two feature arrays that returns a number, larger for samples that differ more, for example
`lambda x, y: kpd(x, y)[0]`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.metrics._samples import FloatArray, check_features
from facsim.metrics.histograms import TestResult, ks_test

Statistic = Callable[[NDArray[Any], NDArray[Any]], float]
Distortion = Callable[[NDArray[Any], np.random.Generator], NDArray[Any]]


@dataclass(frozen=True)
class NullTest:
    """A statistic against its null distribution.

    Attributes:
        statistic: of the two samples.
        null: the statistic under the hypothesis that they are of one distribution, (n,).
    """

    statistic: float
    null: FloatArray

    @property
    def p_value(self) -> float:
        """(1 + number of null values that are as large) / (1 + n): never zero, exact for permutations."""
        return float((1 + np.count_nonzero(self.null >= self.statistic)) / (1 + len(self.null)))

    @property
    def z(self) -> float:
        """(statistic - mean of the null) / its standard deviation; NaN when that is zero."""
        spread = float(np.std(self.null, ddof=1))
        return (self.statistic - float(self.null.mean())) / spread if spread > 0 else float("nan")

    @property
    def significance(self) -> float:
        """The p-value in one-sided standard deviations of a normal distribution."""
        return float(norm.isf(self.p_value))


def permutation_test(
    statistic: Statistic,
    a: NDArray[Any],
    b: NDArray[Any],
    *,
    permutations: int = 200,
    groups: NDArray[Any] | None = None,
    seed: int = 0,
) -> NullTest:
    """Test by permuting which events belong to which sample.

    Args:
        statistic: see above.
        a: reference (N, D), b: sample to judge (M, D).
        permutations: drawn at random.
        groups: of the events of a and b one after the other (N + M,): events of one group change sides together, so
            groups must lie within one sample (for pairs across samples, their exchange is another test). Samples of
            the permutations then have only about N and M events.
        seed: of the permutations.

    Raises:
        FacsimError: no permutation, or another number of groups than of events.
    """
    if permutations < 1:
        raise FacsimError(f"a permutation test needs at least one permutation, not {permutations}.")
    pooled, n = np.concatenate([a, b]), len(a)
    number = np.arange(len(pooled))
    if groups is not None:
        if len(groups) != len(pooled):
            raise FacsimError(f"there are {len(groups)} groups for {len(pooled)} events.")
        number = np.unique(np.asarray(groups), return_inverse=True)[1]
    share = n / len(pooled)
    rng = generator(seed, "permutations")
    null = np.empty(permutations)
    for k in range(permutations):
        if groups is None:
            order = rng.permutation(len(pooled))
            null[k] = statistic(pooled[order[:n]], pooled[order[n:]])
        else:
            first = rng.permutation(int(number.max()) + 1)[number] < share * (number.max() + 1)
            null[k] = statistic(pooled[first], pooled[~first])
    return NullTest(statistic(np.asarray(a), np.asarray(b)), null)


def split_null(
    statistic: Statistic, truth: NDArray[Any], size: int, *, pairs: int | None = None, seed: int = 0
) -> FloatArray:
    """The statistic between disjoint truth samples of `size` events each, (pairs,): by default as many as there are.

    Raises:
        FacsimError: fewer than 2 `size` truth events for each pair.
    """
    most = len(truth) // (2 * size) if size > 0 else 0
    wanted = most if pairs is None else pairs
    if wanted < 1 or wanted > most:
        raise FacsimError(
            f"{wanted} pairs of {size} disjoint events need {2 * wanted * size} truth events, not {len(truth)}."
        )
    order = generator(seed, "splits").permutation(len(truth))
    parts = [truth[order[k * size : (k + 1) * size]] for k in range(2 * wanted)]
    return np.array([statistic(first, second) for first, second in zip(parts[::2], parts[1::2], strict=True)])


def power(
    statistic: Statistic,
    truth: NDArray[Any],
    distortion: Distortion,
    size: int,
    *,
    level: float = 0.05,
    trials: int = 50,
    seed: int = 0,
) -> float:
    """How often a test of `size` against `size` events at `level` sees a distortion of known size.

    In each trial two disjoint truth samples are drawn, and two more of which one is distorted; the threshold is the
    1 - `level` quantile of the truth-against-truth values.

    Args:
        distortion: function of (events, generator) that returns distorted events.

    Raises:
        FacsimError: fewer than 2 `size` truth events, no trial, or a level outside (0, 1).
    """
    if 2 * size > len(truth) or size < 1 or trials < 1 or not 0 < level < 1:
        raise FacsimError(
            f"the power needs two disjoint samples ({size} events each, there are {len(truth)}), at least one trial "
            f"and a level between 0 and 1, not {trials} and {level}."
        )
    rng = generator(seed, "power")
    values = np.empty((trials, 2))
    for row in values:
        for k in range(2):
            order = rng.permutation(len(truth))
            first, second = truth[order[:size]], truth[order[size : 2 * size]]
            row[k] = statistic(first, distortion(second, rng) if k else second)
    return float(np.mean(values[:, 1] > np.quantile(values[:, 0], 1 - level)))


@dataclass(frozen=True)
class ObservableTest:
    """The test of one observable among many: the p-value alone, and corrected for their number."""

    name: str
    statistic: float
    p_value: float
    p_holm: float
    p_false_discovery: float


def compare_observables(
    reference: NDArray[Any],
    candidate: NDArray[Any],
    names: Sequence[str] | None = None,
    *,
    test: Callable[..., TestResult] = ks_test,
    reference_weights: NDArray[Any] | None = None,
    candidate_weights: NDArray[Any] | None = None,
) -> list[ObservableTest]:
    """Test each column of two samples (N, D) and (M, D), smallest p-value first.

    Args:
        names: of the columns, by default their numbers.
        test: of values and weights, as `histograms.ks_test`.
        reference_weights, candidate_weights: event weights.

    Raises:
        FacsimError: shapes that do not fit, values that are not finite, or another number of names than columns.
    """
    x, y = check_features(np.asarray(reference), np.asarray(candidate))
    named = [str(k) for k in range(x.shape[1])] if names is None else list(names)
    if len(named) != x.shape[1]:
        raise FacsimError(f"there are {len(named)} names for {x.shape[1]} columns.")
    results = [test(a, b, reference_weights, candidate_weights) for a, b in zip(x.T, y.T, strict=True)]
    p = [result.p_value for result in results]
    rows = zip(named, results, holm(p), benjamini_hochberg(p), strict=True)
    found = [ObservableTest(name, r.statistic, r.p_value, float(h), float(b)) for name, r, h, b in rows]
    return sorted(found, key=lambda each: each.p_value)


def holm(p_values: Sequence[float] | NDArray[Any]) -> FloatArray:
    """p-values corrected for their number (Holm, Scand. J. Statist. 6 (1979) 65): the chance of any false alarm."""
    p, order = _ordered(p_values)
    corrected = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    return _back(np.minimum(corrected, 1.0), order)


def benjamini_hochberg(p_values: Sequence[float] | NDArray[Any]) -> FloatArray:
    """p-values corrected to the false discovery rate (Benjamini and Hochberg, J. R. Stat. Soc. B 57 (1995) 289)."""
    p, order = _ordered(p_values)
    scaled = p[order] * len(p) / (1 + np.arange(len(p)))
    return _back(np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0), order)


def _ordered(p_values: Sequence[float] | NDArray[Any]) -> tuple[FloatArray, NDArray[np.int64]]:
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or not len(p) or not np.all((p >= 0) & (p <= 1)):
        raise FacsimError("p-values must be a list of numbers between 0 and 1.")
    return p, np.argsort(p, kind="stable")


def _back(values: FloatArray, order: NDArray[np.int64]) -> FloatArray:
    found = np.empty(len(values))
    found[order] = values
    return found
