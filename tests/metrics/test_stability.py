"""Flatness of an efficiency and sculpting of a shape: calibrated where nothing is, seen where something is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, kstest

from facsim.core.errors import FacsimError
from facsim.metrics.sculpting import jensen_shannon, sculpting
from facsim.metrics.stability import efficiency_stability

EDGES = [0, 10, 20, 30, 40, 50]
SHAPES = st.lists(st.floats(0, 10), min_size=3, max_size=3).filter(lambda p: sum(p) > 1e-3)


def test_without_weights_chi2_is_that_of_a_contingency_table() -> None:
    rng = np.random.default_rng(1)
    scores, vertices = rng.normal(size=3000), rng.integers(0, 50, 3000)
    found = efficiency_stability(scores, 1.0, vertices, EDGES, permutations=300)
    table = np.array([
        [np.sum((scores > 1)[(vertices // 10) == k] == flag) for flag in (True, False)] for k in range(5)
    ])  # fmt: skip
    exact = chi2_contingency(table, correction=False)
    assert found.chi2 == pytest.approx(exact.statistic)
    assert found.degrees == exact.dof == 4
    assert found.p_value == pytest.approx(exact.pvalue, abs=0.1)
    assert found.value == pytest.approx(table[:, 0] / table.sum(axis=1))
    assert found.overall == pytest.approx(np.mean(scores > 1))
    assert np.all((found.low < found.value) & (found.value < found.high))


@pytest.mark.parametrize("weighted", [False, True])
def test_p_values_are_uniform_where_it_is_flat(weighted: bool) -> None:
    """With 20 events of 1000 above the threshold, four a bin, where a chi squared distribution would not do."""
    p = []
    for k in range(150):
        rng = np.random.default_rng(k)
        weights = rng.choice([0.1, 1.0], 1000) if weighted else None
        found = efficiency_stability(
            rng.normal(size=1000), 2.05, rng.uniform(0, 50, 1000), EDGES, weights, permutations=99, seed=k
        )
        p.append((found.p_value, found.p_slope))
    for column in np.array(p).T:
        assert kstest(column, "uniform").pvalue > 1e-3
        assert np.mean(column <= 0.05) < 0.12


def test_a_rise_with_pile_up_is_seen_and_measured() -> None:
    rng = np.random.default_rng(2)
    vertices = rng.uniform(0, 50, 20_000)
    scores = (rng.uniform(size=20_000) < 0.02 * (1 + 0.02 * (vertices - 25))).astype(float)
    found = efficiency_stability(scores, 0.5, vertices, EDGES)
    assert max(found.p_value, found.p_slope) == pytest.approx(0.001)
    assert abs(found.slope.value - 0.02) < 3.5 * found.slope.error
    assert found.slope.error == pytest.approx(np.sqrt(0.98 / 0.02 / 20_000) / (50 / np.sqrt(12)), rel=0.2)


def test_empty_bins_and_a_threshold_that_nothing_passes() -> None:
    found = efficiency_stability(np.zeros(8), 1.0, np.repeat([5, 25], 4), [0, 10, 20, 30], permutations=20)
    assert np.isnan(found.value[1])
    assert (found.chi2, found.degrees, found.p_value) == (0.0, 1, 1.0)
    assert found.high[0] == pytest.approx(1 - (0.5 * (1 - 0.6826894921370859)) ** 0.25)
    assert np.isnan(found.slope).all()


@given(SHAPES, SHAPES)
def test_the_divergence_is_a_symmetric_distance_of_shapes(p: list[float], q: list[float]) -> None:
    found = jensen_shannon(p, q)
    assert 0 <= found <= 1 + 1e-12
    assert found == pytest.approx(jensen_shannon(q, p))
    assert found == pytest.approx(jensen_shannon(7 * np.array(p), q), abs=1e-12)
    assert jensen_shannon(p, p) == pytest.approx(0, abs=1e-12)


def test_the_divergence_in_closed_form() -> None:
    assert jensen_shannon([1, 0], [0, 3]) == pytest.approx(1.0)
    assert jensen_shannon([1, 1], [1, 0]) == pytest.approx(0.5 * (0.5 * np.log2(2 / 3) + 0.5 + np.log2(4 / 3)))


def test_a_cut_without_memory_sculpts_nothing() -> None:
    p, excess = [], []
    for k in range(120):
        rng = np.random.default_rng(k)
        weights = rng.exponential(size=800)
        found = sculpting(rng.normal(size=800), 1.5, rng.exponential(size=800), weights, permutations=99, seed=k)
        p.append(found.test.p_value)
        excess.append(found.excess)
        assert found.divergence > 0
    assert kstest(p, "uniform").pvalue > 1e-3
    assert np.mean(excess) == pytest.approx(0, abs=4 * np.std(excess) / np.sqrt(120))


@pytest.mark.parametrize("against", ["before", "failed"])
def test_a_score_that_knows_the_mass_sculpts_it(against: str) -> None:
    rng = np.random.default_rng(3)
    mass = rng.exponential(100, 5000)
    scores = mass / 100 + rng.normal(size=5000)
    found = sculpting(scores, 2.0, mass, edges=np.linspace(0, 500, 11), against=against)
    assert found.test.p_value == pytest.approx(0.001)
    assert found.excess > 0.1
    passed = scores > 2
    other = np.ones(5000, dtype=bool) if against == "before" else ~passed
    contents = [np.histogram(np.minimum(mass[chosen], 499), np.linspace(0, 500, 11))[0] for chosen in (other, passed)]
    assert found.divergence == pytest.approx(jensen_shannon(*contents))
    assert found.after == pytest.approx(contents[1] / contents[1].sum())
    assert found.errors == pytest.approx(np.sqrt(found.after * (1 - found.after) / passed.sum()))


def test_broken_input() -> None:
    x = np.arange(10.0)
    with pytest.raises(FacsimError, match="two bins"):
        efficiency_stability(x, 1.0, x, [0, 100])
    with pytest.raises(FacsimError, match="as many values"):
        efficiency_stability(x, 1.0, x[:3], [0, 5, 10])
    with pytest.raises(FacsimError, match="no shapes to compare"):
        sculpting(x, 99.0, x)
    with pytest.raises(FacsimError, match="increasing edges"):
        sculpting(x, 5.0, x, edges=[0, 0, 1])
    with pytest.raises(FacsimError, match="neither empty"):
        jensen_shannon([0, 0], [1, 0])
