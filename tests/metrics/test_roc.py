"""ROC curves: closed form of two Gaussians, equal scores, weights, and coverage of the band."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from facsim.core.errors import FacsimError
from facsim.metrics.auc import value_auc
from facsim.metrics.roc import roc_band, roc_curve

SCORES = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=30)


@given(SCORES, SCORES)
def test_the_area_under_the_points_is_the_auc(background: list[float], signal: list[float]) -> None:
    """Straight lines between the points, over equal scores too, are the AUC's half."""
    x, y = np.array(background), np.array(signal)
    curve = roc_curve(x, y)
    area = np.trapezoid(curve.signal, curve.background)
    assert area == pytest.approx(value_auc(x, y).value)
    assert (curve.background[0], curve.signal[0], curve.background[-1], curve.signal[-1]) == (0, 0, 1, 1)
    assert np.all(np.diff(curve.threshold) < 0)
    assert np.all(np.diff(curve.background) >= 0)
    for value, (low, high) in ((curve.background, curve.background_ends), (curve.signal, curve.signal_ends)):
        assert np.all((low <= value) & (value <= high))


@given(SCORES, SCORES)
def test_a_rising_function_of_the_score_changes_no_point(background: list[float], signal: list[float]) -> None:
    x, y = np.array(background), np.array(signal)
    plain, other = roc_curve(x, y), roc_curve(np.exp(x), np.exp(y))
    assert other.signal == pytest.approx(plain.signal)
    assert other.background == pytest.approx(plain.background)
    assert np.array_equal(np.exp(plain.threshold[:-1]), other.threshold[:-1])


def test_whole_weights_are_repeated_events() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=40), rng.normal(1, 1, 30)
    times = rng.integers(1, 4, 40)
    weighted, repeated = roc_curve(x, y, times.astype(float)), roc_curve(np.repeat(x, times), y)
    assert weighted.background == pytest.approx(repeated.background)
    assert weighted.auc.value == pytest.approx(repeated.auc.value)
    assert np.all(weighted.background_ends[1] - weighted.background_ends[0] > 0)


def test_the_band_holds_the_whole_curve_of_two_gaussians() -> None:
    covered = []
    for k in range(60):
        rng = np.random.default_rng(k)
        band = roc_band(rng.normal(size=800), rng.normal(1.2, 1, 300), replicas=100, level=0.9, seed=k)
        truth = norm.sf(norm.isf(band.background) - 1.2)
        covered.append(np.all((band.low - 1e-9 <= truth) & (truth <= band.high + 1e-9)))
    assert 0.8 < np.mean(covered) <= 1.0


def test_the_band_narrows_with_events_and_follows_the_curve() -> None:
    rng = np.random.default_rng(2)
    at = [0.05, 0.2, 0.5]
    widths = []
    for n in (500, 8000):
        x, y = rng.normal(size=n), rng.normal(1, 1, n)
        band = roc_band(x, y, at=at, replicas=60)
        assert band.signal == pytest.approx([np.mean(y > np.quantile(x, 1 - b)) for b in at], abs=2e-3)
        widths.append(np.mean(band.high - band.low))
    assert widths[1] == pytest.approx(widths[0] / 4, rel=0.35)


def test_broken_input() -> None:
    x = np.arange(30.0)
    with pytest.raises(FacsimError, match="lie between"):
        roc_band(x, x, at=[1e-3])
    with pytest.raises(FacsimError, match="more than 10 effective background events"):
        roc_band(x[:5], x)
    with pytest.raises(FacsimError, match="20 replicas"):
        roc_band(x, x, replicas=2)
    with pytest.raises(FacsimError, match="must not be negative"):
        roc_curve(x, x, -np.eye(30)[0] + 1.0 - 2 * np.eye(30)[1])
    with pytest.raises(FacsimError, match="not finite"):
        roc_curve(np.append(x, np.nan), x)
