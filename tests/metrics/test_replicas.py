"""Bootstrap replicas against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from facsim.metrics.replicas import core_width, median, replica_weights, spread, weighted_mean, weighted_quantiles

RNG = np.random.default_rng(1)


def test_the_first_replica_is_the_sample_itself() -> None:
    weights = replica_weights(50, 200, RNG)
    assert weights.shape == (201, 50)
    np.testing.assert_array_equal(weights[0], 1)
    assert weights[1:].mean() == pytest.approx(1, abs=0.05)


def test_error_of_a_mean_and_of_a_difference_of_the_same_events() -> None:
    n = 4000
    x = RNG.standard_normal(n)
    weights = replica_weights(n, 400, RNG)
    assert spread(weighted_mean(x, weights)) == pytest.approx(1 / np.sqrt(n), rel=0.15)
    other = x + 0.1 * RNG.standard_normal(n)
    assert spread(weighted_mean(other, weights) - weighted_mean(x, weights)) == pytest.approx(
        0.1 / np.sqrt(n), rel=0.15
    )


def test_a_gaussian() -> None:
    x = 3 + 2 * RNG.standard_normal(20_000)
    weights = replica_weights(len(x), 100, RNG)
    assert core_width(x, weights)[0] == pytest.approx(2, rel=0.03)
    assert median(x, weights)[0] == pytest.approx(3, abs=0.06)
    # the median's error is sqrt(pi / 2) times the mean's
    assert spread(median(x, weights)) == pytest.approx(np.sqrt(np.pi / 2) * 2 / np.sqrt(len(x)), rel=0.25)


def test_weights_are_repetitions() -> None:
    weights = np.array([[2.0, 0, 1], [1, 1, 1]])
    assert weighted_mean(np.array([1.0, 5, 4]), weights).tolist() == [2.0, pytest.approx(10 / 3)]
    assert weighted_quantiles(np.array([4.0, 1, 3]), weights[1:], (0.5,))[0, 0] == 3


def test_nothing_in_nothing_out() -> None:
    none = np.zeros((3, 0))
    assert np.isnan(weighted_mean(np.zeros(0), none)).all()
    assert np.isnan(core_width(np.zeros(0), none)).all()
    assert np.isnan(spread(np.array([1.0, 2.0])))
