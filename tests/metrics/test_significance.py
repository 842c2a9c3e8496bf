"""Significance improvement: closed form, error, an unbiased best value, groups of signal."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from facsim.core.errors import FacsimError
from facsim.metrics.signal_groups import by_group
from facsim.metrics.significance import improvement_at, significance_improvement
from facsim.metrics.working_points import working_points


def test_two_gaussians() -> None:
    rng = np.random.default_rng(1)
    found = significance_improvement(rng.normal(size=50_000), rng.normal(2, 1, 20_000), within=(1e-3, 0.5))
    truth = norm.sf(norm.isf(found.background) - 2) / np.sqrt(found.background)
    pulls = (found.value - truth) / found.error
    assert np.abs(pulls).max() < 4.5
    assert (found.background[0], found.background[-1]) == pytest.approx((1e-3, 0.5))
    grid = np.geomspace(1e-3, 0.5, 2000)
    best = np.max(norm.sf(norm.isf(grid) - 2) / np.sqrt(grid))
    assert abs(found.best.value - best) < 4 * found.best.error
    assert all(1e-3 <= chosen <= 0.05 for chosen in found.chosen)


def test_the_largest_value_fools_itself_and_the_best_does_not() -> None:
    """A score whose improvement is 1 at every background: signal efficiency = sqrt(background efficiency)."""
    rng = np.random.default_rng(2)
    found = [
        significance_improvement(-rng.uniform(size=1000), -(rng.uniform(size=300) ** 2), seed=k) for k in range(80)
    ]
    best = np.array([one.best for one in found])
    assert np.mean([one.largest for one in found]) > 1.15
    assert best[:, 0].mean() == pytest.approx(1.0, abs=0.08)
    assert best[:, 1].mean() == pytest.approx(best[:, 0].std(ddof=1), rel=0.5)


def test_errors_are_the_scatter_of_repeated_samples() -> None:
    rng = np.random.default_rng(3)
    found = []
    for _ in range(200):
        (point,) = working_points(rng.normal(size=2000), rng.normal(2, 1, 500), targets=[0.02])
        found.append(improvement_at(point))
    value, error = np.array(found).T
    assert value.mean() == pytest.approx(norm.sf(norm.isf(0.02) - 2) / np.sqrt(0.02), rel=0.02)
    assert error.mean() == pytest.approx(value.std(ddof=1), rel=0.25)


@given(st.integers(0, 10_000), st.floats(0.1, 10))
def test_the_scale_of_weights_does_not_matter(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    x, y, w = rng.normal(size=60), rng.normal(1, 1, 50), rng.uniform(0.5, 1, 60)
    plain, scaled = significance_improvement(x, y, w), significance_improvement(x, y, scale * w)
    assert scaled.value == pytest.approx(plain.value)
    assert scaled.best == pytest.approx(plain.best)


def test_too_few_events_have_no_improvement() -> None:
    found = significance_improvement(np.arange(12.0), np.arange(12.0))
    assert np.isnan(found.best.value)
    assert len(found.value) == 3
    empty = significance_improvement(np.arange(9.0), np.arange(9.0))
    assert np.isnan(empty.largest)
    (limit,) = working_points(np.arange(9.0), np.arange(9.0), targets=[0.1])
    assert np.isnan(improvement_at(limit)).all()


def test_groups_are_the_functions_of_their_events() -> None:
    rng = np.random.default_rng(4)
    background = rng.normal(size=3000)
    signal, mass = np.concatenate([rng.normal(1, 1, 200), rng.normal(3, 1, 300)]), np.repeat([400, 125], [200, 300])
    found = by_group(background, signal, mass, targets=[0.1, 0.01])
    assert [(one.group, one.events) for one in found] == [(125, 300), (400, 200)]
    assert found[1].points == working_points(background, signal[:200], targets=[0.1, 0.01])
    assert found[1].improvement.best == significance_improvement(background, signal[:200]).best
    assert found[0].auc.value > found[1].auc.value
    named = by_group(background, signal, np.where(mass == 125, "suep", "svj"), targets=[0.1])
    assert [one.group for one in named] == ["suep", "svj"]


def test_broken_input() -> None:
    x = np.arange(5.0)
    with pytest.raises(FacsimError, match="range of background"):
        significance_improvement(x, x, within=(0.5, 0.1))
    with pytest.raises(FacsimError, match="one event"):
        significance_improvement(x, x[:1])
    with pytest.raises(FacsimError, match="3 groups for 5"):
        by_group(x, x, [1, 2, 3])
