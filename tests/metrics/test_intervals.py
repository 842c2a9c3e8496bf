"""Intervals of fractions and sums of weights: closed forms, exactness for counts, coverage with weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2

from facsim.core.errors import FacsimError
from facsim.metrics.intervals import Sums, clopper_pearson, fraction_interval, sum_interval


@given(st.integers(1, 400), st.floats(0, 1), st.floats(0.5, 0.99))
def test_counts_have_scipys_exact_interval(n: int, share: float, level: float) -> None:
    k = round(share * n)
    exact = binomtest(k, n).proportion_ci(level, method="exact")
    assert [float(end) for end in clopper_pearson(k, n, level)] == pytest.approx([exact.low, exact.high], abs=1e-9)


@given(st.integers(1, 400), st.floats(0, 1), st.floats(1e-3, 1e3))
def test_equal_weights_are_counts(n: int, share: float, weight: float) -> None:
    k = round(share * n)
    found = fraction_interval(k * weight, k * weight**2, Sums(n * weight, n * weight**2, weight))
    assert np.array(found) == pytest.approx(np.array(clopper_pearson(k, n)), abs=1e-7)


@given(st.integers(0, 300), st.floats(1e-3, 1e3), st.floats(0.5, 0.99))
def test_equal_weights_have_garwoods_interval(k: int, weight: float, level: float) -> None:
    alpha = 0.5 * (1 - level)
    exact = [0.5 * chi2.ppf(alpha, 2 * k) if k else 0.0, 0.5 * chi2.ppf(1 - alpha, 2 * k + 2)]
    found = np.array(sum_interval(k * weight, k * weight**2, weight, level))
    assert found == pytest.approx(np.array(exact) * weight, rel=1e-7)


def test_nothing_seen_has_the_limit_of_three_events() -> None:
    assert float(sum_interval(0.0, 0.0, 5.0, 0.9)[1]) == pytest.approx(-5 * np.log(0.05))
    assert float(clopper_pearson(0, 1000, 0.9)[1]) == pytest.approx(1 - 0.05 ** (1 / 1000))
    assert float(clopper_pearson(7, 7, 0.9)[1]) == 1.0


@pytest.mark.parametrize("share", [0.002, 0.02, 0.3])
def test_weighted_fractions_cover(share: float) -> None:
    """Slices of cross section whose weights differ by a hundred; the interval is cautious, never short of 68 %."""
    rng = np.random.default_rng(1)
    weight = np.repeat([1.0, 0.1, 0.01], 300)
    chance = np.clip(np.repeat([0.3, 1.0, 3.0], 300) * share, 0, 1)
    truth = float(weight @ chance / weight.sum())
    sums = Sums(weight.sum(), np.sum(weight**2), 1.0)
    passed = rng.uniform(size=(3000, 900)) < chance
    low, high = fraction_interval(passed @ weight, passed @ weight**2, sums)
    covered = np.mean((low <= truth) & (truth <= high))
    assert 0.68 < covered < 0.97
    assert np.all((low >= 0) & (high <= 1) & (low <= high))


@pytest.mark.parametrize("expected", [0.3, 3.0, 40.0])
def test_weighted_sums_cover(expected: float) -> None:
    rng = np.random.default_rng(2)
    weights = np.array([5.0, 1.0, 0.2])
    counts = rng.poisson([expected / 5, expected, 5 * expected], (4000, 3))
    low, high = sum_interval(counts @ weights, counts @ weights**2, 5.0, 0.9)
    assert np.mean((low <= 3 * expected) & (3 * expected <= high)) > 0.9
    assert np.mean(high < 3 * expected) < 0.05


def test_broken_input() -> None:
    with pytest.raises(FacsimError, match="0 <= passed <= events"):
        clopper_pearson(4, 3)
    with pytest.raises(FacsimError, match="at least one event"):
        clopper_pearson(0, 0)
    with pytest.raises(FacsimError, match="between 0 and 1"):
        clopper_pearson(1, 3, 1.0)
