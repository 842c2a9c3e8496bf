"""Profiles and their errors on samples whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from facsim.evaluate.profiles import bin_edges, compare, profile


def sample(n: int, seed: int, shift: float = 0.0, width: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 10, n)
    return x, 5 + x + shift + width * rng.normal(size=n)


def test_mean_and_width_of_a_line() -> None:
    x, y = sample(40_000, 1)
    edges = np.linspace(0, 10, 11)
    found = profile(x, y - x, edges)
    assert found.count.sum() == 40_000
    assert (np.abs(found.mean - 5) < 5 * found.mean_error).all()
    assert (np.abs(found.width - 1) < 5 * found.width_error).all()
    np.testing.assert_allclose(found.mean_error, 1 / np.sqrt(found.count), rtol=0.1)
    np.testing.assert_allclose(found.width_error, 1 / np.sqrt(2 * found.count), rtol=0.15)


def test_equal_samples_have_a_chi2_of_one_a_term() -> None:
    edges = np.linspace(0, 10, 11)
    chi2 = []
    for seed in range(40):
        pair = [profile(*sample(2000, 100 + 2 * seed + k), edges) for k in (0, 1)]
        found = compare(*pair, 1.0)
        assert found is not None
        assert found.bins == 20
        chi2.append(found.chi2)
    assert np.mean(chi2) == pytest.approx(20, abs=5 * np.sqrt(40 / 40))


def test_a_shift_and_a_width_are_seen() -> None:
    edges = np.linspace(0, 10, 6)
    found = compare(profile(*sample(50_000, 1), edges), profile(*sample(50_000, 2, 0.3, 1.1), edges), 10.0)
    assert found is not None
    value, error = found.mean
    assert value == pytest.approx(0.03, abs=5 * error)
    # Bins of two units add 2^2 / 12 to the variance.
    assert found.width[0] == pytest.approx(np.sqrt((1.21 + 1 / 3) / (1 + 1 / 3)) - 1, abs=0.02)
    assert found.chi2 > 500


def test_bins_with_few_events_are_left_out() -> None:
    edges = np.array([0.0, 9.99, 10.0])
    pair = [profile(*sample(1000, k), edges) for k in (1, 2)]
    found = compare(*pair, 1.0)
    assert found is not None
    assert found.bins == 2
    assert compare(*(profile(*sample(10, k), edges) for k in (1, 2)), 1.0) is None


def test_bin_edges() -> None:
    assert bin_edges(np.full(100, 3.0)) is None
    edges = bin_edges(np.arange(1000.0), 4)
    assert edges is not None
    np.testing.assert_allclose(np.histogram(np.arange(1000.0), edges)[0], 250, atol=1)
