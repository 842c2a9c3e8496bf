"""The difference of two AUCs on the same events: what it is of, and whether its error is right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.metrics.auc import stratified_auc, value_auc
from facsim.metrics.auc_difference import auc_difference


def toys(n: int, m: int, seed: int, shift: tuple[float, float] = (1.0, 0.7)) -> tuple[NDArray[np.float64], ...]:
    """Two scores with a common part, of background (n, 2) and of signal (m, 2), which lies `shift` above."""
    rng = np.random.default_rng(seed)
    both = [rng.normal(size=(size, 1)) + 0.6 * rng.normal(size=(size, 2)) for size in (n, m)]
    return both[0], both[1] + np.array(shift)


def test_a_score_less_itself_is_exactly_nothing() -> None:
    background, signal = toys(60, 40, 1)
    same = background[:, [0, 0]], signal[:, [0, 0]]
    assert auc_difference(*same) == (0.0, 0.0)
    moved = np.stack([background[:, 0], 3 * background[:, 0] + 1], 1), np.stack([signal[:, 0], 3 * signal[:, 0] + 1], 1)
    assert auc_difference(*moved) == (0.0, 0.0)


@given(seed=st.integers(0, 2**31), n=st.integers(2, 12), m=st.integers(2, 12), steps=st.integers(1, 5))
def test_the_value_is_a_count_of_weighted_pairs(seed: int, n: int, m: int, steps: int) -> None:
    rng = np.random.default_rng(seed)
    b, s = rng.integers(0, steps + 1, (n, 2)).astype(float), rng.integers(0, steps + 1, (m, 2)).astype(float)
    u, v = rng.uniform(0.1, 2, n), rng.uniform(0.1, 2, m)
    wins = (s[None] > b[:, None]) + 0.5 * (s[None] == b[:, None])
    areas = np.einsum("i,j,ijk->k", u, v, wins) / (u.sum() * v.sum())
    found = auc_difference(b, s, u, v)
    assert found.value == pytest.approx(areas[0] - areas[1], abs=1e-12)
    swapped = auc_difference(b[:, ::-1], s[:, ::-1], u, v)
    assert swapped == pytest.approx((-found.value, found.error), abs=1e-12)


def test_the_error_is_the_spread_of_repetitions_and_less_than_that_of_two_areas() -> None:
    repeated = np.array([auc_difference(*toys(150, 100, seed)) for seed in range(600)])
    value, error = repeated.T
    spread = value.std(ddof=1)
    assert np.sqrt(np.mean(error**2)) == pytest.approx(spread, rel=0.1)  # 4 standard errors of the spread are 12 %
    background, signal = toys(150, 100, 0)
    apart = np.hypot(*[value_auc(background[:, k], signal[:, k]).error for k in (0, 1)])
    assert error[0] < 0.6 * apart


def test_the_error_with_weights_is_that_of_a_bootstrap() -> None:
    background, signal = toys(200, 150, 7)
    rng = np.random.default_rng(8)
    u, v = rng.exponential(size=200), rng.exponential(size=150)
    found = auc_difference(background, signal, u, v)
    drawn = []
    for _ in range(600):
        i, j = rng.integers(0, 200, 200), rng.integers(0, 150, 150)
        areas = [stratified_auc(background[i, k], signal[j, k], weights_a=u[i], weights_b=v[j])[0] for k in (0, 1)]
        drawn.append(areas[0] - areas[1])
    assert found.error == pytest.approx(np.std(drawn), rel=0.15)


def test_against_a_score_of_no_worth_the_error_is_that_of_both_samples() -> None:
    """With a constant second score the difference is the first AUC less one half."""
    background, signal = toys(80, 50, 3)
    background[:, 1], signal[:, 1] = 0.0, 0.0
    area = value_auc(background[:, 0], signal[:, 0])
    assert auc_difference(background, signal) == pytest.approx((area.value - 0.5, area.error), rel=1e-9)


@pytest.mark.parametrize(
    ("background", "signal", "weights", "message"),
    [
        (np.zeros(5), np.zeros((5, 2)), None, r"two scores of each event, not arrays of \(5,\), \(5, 2\)"),
        (np.zeros((5, 2)), np.zeros((5, 3)), None, r"two scores of each event"),
        (np.zeros((0, 2)), np.zeros((5, 2)), None, "background"),
        (np.full((5, 2), np.nan), np.zeros((5, 2)), None, "background.*finite"),
        (np.zeros((5, 2)), np.full((5, 2), np.inf), None, "signal.*finite"),
        (np.zeros((5, 2)), np.zeros((5, 2)), np.ones(4), "background"),
        (np.zeros((5, 2)), np.zeros((5, 2)), np.array([1, 1, 1, 1, -1.0]), "background.*negative"),
        (np.zeros((5, 2)), np.zeros((5, 2)), np.zeros(5), "background"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    background: NDArray[np.float64], signal: NDArray[np.float64], weights: NDArray[np.float64] | None, message: str
) -> None:
    with pytest.raises(FacsimError, match=message):
        auc_difference(background, signal, weights)
