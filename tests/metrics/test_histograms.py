"""KS and chi squared with weights: SciPy's values, uniform p-values, sWeights-like negative weights."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2_contingency, ks_2samp, kstest

from facsim.core.errors import FacsimError
from facsim.metrics.histograms import chi2_test, ks_test


def test_ks_is_scipys_without_weights() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=400), rng.normal(0.1, 1, 300).round(1)
    expected = ks_2samp(x, y, method="asymp")
    found = ks_test(x, y)
    assert found.statistic == pytest.approx(expected.statistic)
    n = 400 * 300 / 700
    assert found.p_value == pytest.approx(ks_2samp(x, y, method="asymp").pvalue, rel=0.3)
    assert 0.5 / np.sqrt(n) < found.error * 2 < 3 / np.sqrt(n)


def test_integer_weights_are_repeated_events() -> None:
    rng = np.random.default_rng(2)
    x, y, w = rng.normal(size=50), rng.normal(size=60), rng.integers(1, 4, 60)
    assert ks_test(x, y, None, w).statistic == pytest.approx(ks_test(x, np.repeat(y, w)).statistic)


def test_p_values_are_uniform_also_with_negative_weights() -> None:
    rng = np.random.default_rng(3)
    plain, signed, chi = [], [], []
    bins = np.linspace(-2.5, 2.5, 21)
    for _ in range(300):
        x, y = rng.normal(size=1000), rng.normal(size=1000)
        w = rng.choice([-0.3, 1.0], 1000, p=[0.2, 0.8])
        plain.append(ks_test(x, y).p_value)
        signed.append(ks_test(x, y, None, w).p_value)
        chi.append(chi2_test(x, y, bins, None, w).p_value)
    assert kstest(plain, "uniform").pvalue > 0.01
    assert kstest(signed, "uniform").pvalue > 0.01
    assert kstest(chi, "uniform").pvalue > 0.01


def test_chi2_of_counts_is_that_of_the_contingency_table() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=5000), rng.normal(0.05, 1.0, 5000)
    bins = np.linspace(-2, 2, 11)
    table = [np.histogram(s, np.concatenate([[-np.inf], bins, [np.inf]]))[0] for s in (x, y)]
    expected = chi2_contingency(table, correction=False)
    found = chi2_test(x, y, bins)
    assert found.degrees == expected.dof == 11
    assert found.statistic == pytest.approx(expected.statistic, rel=0.02)


def test_overflow_is_seen_and_the_last_edge_belongs_to_the_last_bin() -> None:
    x = np.linspace(0, 1, 500)
    moved = np.where(x > 0.9, 5.0, x)
    assert chi2_test(x, moved, np.linspace(0, 1, 3)).p_value < 1e-6
    assert chi2_test(np.ones(50), np.ones(60), np.array([0.0, 1.0])).degrees == 0
    assert chi2_test(np.ones(50), np.ones(60), np.array([0.0, 1.0])).p_value == 1.0


@pytest.mark.parametrize(
    ("weights", "bins", "sentence"),
    [
        (np.ones(3), np.array([0.0, 1.0]), "must be 9 finite numbers"),
        (np.full(9, -1.0), np.array([0.0, 1.0]), "positive sum"),
        (None, np.array([1.0, 0.0]), "increasing bin edges"),
    ],
)
def test_bad_input_is_told(weights: np.ndarray | None, bins: np.ndarray, sentence: str) -> None:
    with pytest.raises(FacsimError, match=sentence):
        chi2_test(np.linspace(0, 1, 9), np.linspace(0, 1, 9), bins, weights)


def test_chi2_of_unequal_samples_is_that_of_the_contingency_table() -> None:
    rng = np.random.default_rng(1)
    x, y, bins = rng.normal(size=60), rng.normal(size=900), np.linspace(-2, 2, 11)
    edges = np.concatenate([[-np.inf], bins, [np.inf]])
    table = np.stack([np.histogram(values, edges)[0] for values in (x, y)])
    expected = chi2_contingency(table, correction=False)
    assert chi2_test(x, y, bins).statistic == pytest.approx(expected.statistic)
    assert chi2_test(x, y, bins).p_value == pytest.approx(expected.pvalue)


def test_chi2_raises_no_false_alarm_for_samples_of_very_different_sizes() -> None:
    rng, bins = np.random.default_rng(1), np.linspace(-2, 2, 11)
    p = [
        chi2_test(rng.normal(size=3000), rng.normal(size=200), bins, None, rng.exponential(size=200)).p_value
        for _ in range(300)
    ]
    assert np.mean(np.array(p) < 0.05) < 0.09
    assert kstest(p, "uniform").pvalue > 0.01
