"""Distance of correlation matrices."""

from __future__ import annotations

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.metrics.correlation import correlation_distance


def pair(rng: np.random.Generator, rho: float, n: int = 1500) -> np.ndarray:
    x = rng.normal(size=(n, 2))
    x[:, 1] = rho * x[:, 0] + np.sqrt(1 - rho**2) * x[:, 1]
    return x


def test_known_correlations() -> None:
    rng = np.random.default_rng(0)
    got = np.array([correlation_distance(pair(rng, 0.8), pair(rng, 0.3)) for _ in range(20)])
    assert got[:, 0].mean() == pytest.approx(0.25, rel=0.05)
    assert got[:, 1].mean() == pytest.approx(got[:, 0].std(), rel=0.5)


def test_null_averages_to_zero() -> None:
    rng = np.random.default_rng(1)
    got = np.array([correlation_distance(rng.normal(size=(300, 6)), rng.normal(size=(300, 6))) for _ in range(60)])
    assert abs(got[:, 0].mean()) < 4 * got[:, 0].std() / np.sqrt(60)
    assert 0.8 < got[:, 1].mean() / got[:, 0].std() < 2.2


def test_blind_to_units_shifts_and_marginal_scale() -> None:
    rng = np.random.default_rng(2)
    x, y = pair(rng, 0.8), pair(rng, 0.5)
    want = correlation_distance(x, y)
    units = np.array([7.0, 1e3])
    assert tuple(correlation_distance(units * x + 3, units * y + 3)) == pytest.approx(tuple(want), rel=1e-6)
    assert correlation_distance(x, units * y - 1)[0] == pytest.approx(want[0], rel=1e-6)


def test_constant_feature_counts_as_uncorrelated() -> None:
    rng = np.random.default_rng(3)
    x = pair(rng, 0.9)
    dead = np.column_stack([x[:, 0], np.full(len(x), 0.3)])
    value, error = correlation_distance(x, dead)
    assert value == pytest.approx(0.81, abs=4 * error)
    other = np.column_stack([pair(rng, 0.9)[:, 0], np.full(len(x), 0.3)])
    assert correlation_distance(dead, other) == (0.0, 0.0)


def test_one_feature_has_no_correlation() -> None:
    with pytest.raises(FacsimError, match="two features"):
        correlation_distance(np.ones((9, 1)), np.ones((9, 1)))
