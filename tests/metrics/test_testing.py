"""Permutation tests, splits of truth, power, corrections for many tests."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, kstest

from facsim.core.errors import FacsimError
from facsim.metrics.testing import benjamini_hochberg, compare_observables, holm, permutation_test, power, split_null


def gap(x: np.ndarray, y: np.ndarray) -> float:
    return float(abs(x.mean() - y.mean()))


def test_permutation_p_values_are_uniform_for_alike_and_small_for_different_samples() -> None:
    rng = np.random.default_rng(1)
    p = [
        permutation_test(gap, rng.normal(size=(40, 1)), rng.normal(size=(30, 1)), permutations=99, seed=k).p_value
        for k in range(200)
    ]
    assert kstest(p, "uniform").pvalue > 0.01
    found = permutation_test(gap, rng.normal(size=(80, 1)), rng.normal(1.5, 1, size=(80, 1)), permutations=99)
    assert found.p_value == pytest.approx(0.01)
    assert found.z > 5
    assert found.significance == pytest.approx(2.33, abs=0.01)


def test_groups_change_sides_together() -> None:
    """Ten copies of each event: ignoring that would make a chance difference of 30 events look certain."""
    rng = np.random.default_rng(2)
    small, large = [], []
    for k in range(40):
        x, y = np.repeat(rng.normal(size=(30, 1)), 10, axis=0), np.repeat(rng.normal(size=(30, 1)), 10, axis=0)
        groups = np.repeat(np.arange(60), 10)
        small.append(permutation_test(gap, x, y, permutations=99, groups=groups, seed=k).p_value)
        large.append(permutation_test(gap, x, y, permutations=99, seed=k).p_value)
    assert np.mean(np.array(small) < 0.05) < 0.2
    assert np.mean(np.array(large) < 0.05) > 0.3


def test_splits_are_disjoint_and_as_many_as_there_are() -> None:
    truth = np.arange(100.0)[:, None]
    seen: list[float] = []
    values = split_null(lambda x, y: seen.extend([*x[:, 0], *y[:, 0]]) or gap(x, y), truth, 12)
    assert len(values) == 4
    assert len(set(seen)) == len(seen) == 96
    with pytest.raises(FacsimError, match="5 pairs of 12 disjoint events need 120 truth events, not 100"):
        split_null(gap, truth, 12, pairs=5)


def test_power_grows_with_the_distortion_and_keeps_its_level() -> None:
    truth = np.random.default_rng(3).normal(size=(4000, 1))
    found = [power(gap, truth, lambda x, rng, by=by: x + by, 100, trials=80) for by in (0.0, 0.3, 1.0)]
    assert found[0] < 0.2
    assert found[0] < found[1] < found[2] == 1.0


def test_corrections_in_closed_form() -> None:
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06])
    np.testing.assert_allclose(benjamini_hochberg([0.01, 0.04, 0.03]), [0.03, 0.04, 0.04])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_corrections_never_lower_a_p_value(p: list[float]) -> None:
    assert np.all(holm(p) >= np.array(p) - 1e-12)
    np.testing.assert_allclose(benjamini_hochberg(p), false_discovery_control(p), atol=1e-12)
    assert np.all(holm(p) >= benjamini_hochberg(p) - 1e-12)


def test_bad_input_is_told() -> None:
    with pytest.raises(FacsimError, match="between 0 and 1"):
        holm([0.1, 1.2])
    with pytest.raises(FacsimError, match="at least one permutation"):
        permutation_test(gap, np.ones((3, 1)), np.ones((3, 1)), permutations=0)


def test_many_observables_are_corrected_for_their_number() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2000, 20)), rng.normal(size=(2000, 20))
    y[:, 7] += 0.3
    found = compare_observables(x, y, [f"o{k}" for k in range(20)])
    assert found[0].name == "o7"
    assert found[0].p_holm < 1e-6
    assert found[1].p_holm > 0.05
    assert all(each.p_value <= each.p_false_discovery <= each.p_holm for each in found)
    with pytest.raises(FacsimError, match="3 names for 20 columns"):
        compare_observables(x, y, ["a", "b", "c"])
