"""1-Wasserstein distance: closed forms, scipy as an independent implementation, invariances, errors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from facsim.core.errors import FacsimError
from facsim.metrics.wasserstein import wasserstein_1d

NUMBERS = st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30)


def test_shift_and_scale_in_closed_form() -> None:
    x = np.random.default_rng(0).gamma(2.0, 1.0, 1000)
    assert wasserstein_1d(x, x + 0.75)[0] == pytest.approx(0.75)
    assert wasserstein_1d(x, 3 * x)[0] == pytest.approx(2 * x.mean())
    assert wasserstein_1d(x, x)[0] == 0.0


def test_uniform_against_point() -> None:
    x = (np.arange(1000) + 0.5) / 1000
    assert wasserstein_1d(x, np.array([0.5]))[0] == pytest.approx(0.25)


@settings(max_examples=60, deadline=None)
@given(a=NUMBERS, b=NUMBERS, seed=st.integers(0, 99))
def test_equals_scipy_with_weights(a: list[float], b: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = np.array(a), np.array(b)
    u, v = rng.uniform(0.1, 2.0, len(x)), rng.uniform(0.1, 2.0, len(y))
    assert wasserstein_1d(x, y)[0] == pytest.approx(wasserstein_distance(x, y), rel=1e-9, abs=1e-9)
    assert wasserstein_1d(x, y, u, v)[0] == pytest.approx(wasserstein_distance(x, y, u, v), rel=1e-9, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(a=NUMBERS, b=NUMBERS, scale=st.floats(0.01, 50.0), shift=st.floats(-100, 100))
def test_symmetry_permutation_and_scale(a: list[float], b: list[float], scale: float, shift: float) -> None:
    x, y = np.array(a), np.array(b)
    value, error = wasserstein_1d(x, y)
    assert wasserstein_1d(y, x) == pytest.approx((value, error), rel=1e-9, abs=1e-9)
    assert wasserstein_1d(x[::-1], np.roll(y, 1))[0] == pytest.approx(value, rel=1e-9, abs=1e-9)
    assert wasserstein_1d(scale * x + shift, scale * y + shift)[0] == pytest.approx(scale * value, rel=1e-6, abs=1e-6)


def test_whole_weights_are_repetitions() -> None:
    rng = np.random.default_rng(1)
    x, y, times = rng.normal(size=50), rng.normal(size=60), rng.integers(1, 4, 50)
    repeated = wasserstein_1d(np.repeat(x, times), y)[0]
    assert wasserstein_1d(x, y, times)[0] == pytest.approx(repeated)


def test_normalised_has_no_unit() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(5.0, 2.0, 4000), rng.normal(6.0, 2.0, 4000)
    value, error = wasserstein_1d(x, y)
    relative = wasserstein_1d(x, y, normalise=True)
    assert relative == pytest.approx((value / x.std(), error / x.std()))
    assert relative == pytest.approx(wasserstein_1d(1e3 * x, 1e3 * y, normalise=True))
    assert np.isnan(wasserstein_1d(np.full(5, 0.1), y, normalise=True)[0])


@pytest.mark.parametrize("weighted", [False, True])
def test_error_is_the_spread_of_repeated_samples(weighted: bool) -> None:
    rng = np.random.default_rng(3)
    got = []
    for _ in range(150):
        x, y = rng.normal(size=400), rng.normal(0.4, 1.2, 600)
        weights = rng.exponential(size=600) if weighted else None
        got.append(wasserstein_1d(x, y, None, weights))
    values, errors = np.array(got).T
    assert errors.mean() == pytest.approx(values.std(), rel=0.2)


def test_error_of_a_shift_is_that_of_the_mean() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=1000), rng.normal(10.0, 3.0, 500)
    want = np.hypot(x.std(ddof=1) / np.sqrt(1000), y.std(ddof=1) / np.sqrt(500))
    assert wasserstein_1d(x, y)[1] == pytest.approx(want, rel=1e-6)


def test_broken_input_is_refused() -> None:
    good = np.ones(4)
    with pytest.raises(FacsimError, match="1 values that are not finite"):
        wasserstein_1d(good, np.array([0.0, np.inf]))
    with pytest.raises(FacsimError, match="list of numbers"):
        wasserstein_1d(np.array([]), good)
    for weights in (np.ones(3), -np.ones(4), np.zeros(4)):
        with pytest.raises(FacsimError, match="weights of the reference sample"):
            wasserstein_1d(good, good, weights)
