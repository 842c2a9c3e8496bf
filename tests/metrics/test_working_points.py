"""Signal efficiency at fixed background: closed forms, errors against repeated samples, limits, ties and weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from facsim.core.errors import FacsimError
from facsim.metrics.working_points import working_points


def test_two_gaussians_at_fixed_background() -> None:
    rng = np.random.default_rng(1)
    points = working_points(rng.normal(size=400_000), rng.normal(2, 1, 50_000))
    for point in points:
        truth = norm.sf(norm.isf(point.target) - 2)
        assert point.status == "measured"
        assert abs(point.signal.value - truth) < 4 * point.signal.error
        assert point.threshold.low <= point.threshold.value <= point.threshold.high
        assert abs(point.threshold.value - norm.isf(point.target)) < 4 * point.threshold.error
    assert points[-1].signal.error > 2 * points[-1].statistical.error


@pytest.mark.parametrize("weighted", [False, True])
def test_errors_are_the_scatter_of_repeated_samples(weighted: bool) -> None:
    """Binomial errors of the signal alone would be half of it: the threshold moves."""
    rng = np.random.default_rng(2)
    found = []
    for _ in range(250):
        x, y = rng.normal(size=1500), rng.normal(1.5, 1, 2000)
        weights = np.where(rng.uniform(size=1500) < 0.5, 0.2, 1.0) if weighted else None
        (point,) = working_points(x, y, weights, targets=[0.02])
        found.append((point.signal.value, point.signal.error, point.statistical.error))
    value, error, alone = np.array(found).T
    assert error.mean() == pytest.approx(value.std(ddof=1), rel=0.25)
    assert alone.mean() < 0.65 * value.std(ddof=1)


def test_too_few_background_events_give_limits_that_hold() -> None:
    rng = np.random.default_rng(3)
    inside, truth = [], norm.sf(norm.isf(4e-3) - 2)
    for _ in range(200):
        (point,) = working_points(rng.normal(size=1500), rng.normal(2, 1, 300), targets=[4e-3])
        assert point.status == "limit"
        assert np.isnan(point.signal.value)
        inside.append(point.signal.low <= truth <= point.signal.high)
    assert np.mean(inside) >= 0.93
    (none,) = working_points(rng.normal(size=1500), rng.normal(2, 1, 300), targets=[1e-4])
    assert none.signal.low == 0
    assert np.isnan(none.threshold.value)
    assert 0.05 < none.signal.high < 0.6
    assert none.events < 10


def test_the_threshold_of_a_limit_keeps_its_promise() -> None:
    rng = np.random.default_rng(4)
    kept = []
    for _ in range(300):
        (point,) = working_points(rng.normal(size=1500), np.zeros(5), targets=[4e-3])
        kept.append(norm.sf(point.threshold.value) <= 4e-3)
    assert np.mean(kept) >= 0.95


def test_equal_scores_keep_less_and_say_so() -> None:
    background = np.repeat([0.0, 1.0, 2.0], [900, 80, 20])
    signal = np.repeat([1.0, 2.0], 50)
    at_5, at_2 = working_points(background, signal, targets=[0.05, 0.02])
    assert (at_5.tied, at_2.tied) == (True, False)
    assert at_5.background.value == at_2.background.value == 0.02
    assert at_5.signal.value == 0.5
    assert at_5.looser == pytest.approx((0.1, 1.0))
    assert at_5.threshold.value == 1.0


@given(st.lists(st.integers(0, 5).map(float), min_size=20, max_size=80), st.floats(0.05, 0.9))
def test_never_more_background_than_wanted(scores: list[float], target: float) -> None:
    background, signal = np.array(scores), np.arange(7.0)
    (point,) = working_points(background, signal, targets=[target], least=0)
    assert np.mean(background > point.threshold.value) == pytest.approx(point.background.value)
    assert point.background.value <= target * (1 + 1e-9)
    assert point.looser[0] > target * (1 - 1e-9)
    assert point.signal.low <= point.signal.value <= point.signal.high
    assert point.signal.value == pytest.approx(np.mean(signal > point.threshold.value))


def test_weights_of_cross_sections_count_as_effective_events() -> None:
    """Nine heavy events above the threshold are nine events, however many light ones lie there too."""
    x = np.concatenate([np.linspace(0, 1, 991), np.linspace(2, 3, 9), np.linspace(2, 3, 5000)])
    weights = np.concatenate([np.ones(1000), np.full(5000, 1e-6)])
    (point,) = working_points(x, x, weights, targets=[0.01])
    assert point.status == "limit"
    assert point.events == pytest.approx(9, abs=0.2)


def test_broken_input() -> None:
    with pytest.raises(FacsimError, match="between 0 and 1"):
        working_points(np.zeros(3), np.zeros(3), targets=[0.0])
    with pytest.raises(FacsimError, match="background sample must be"):
        working_points(np.zeros(0), np.zeros(3))
