"""Drift between runs: calibrated where nothing drifts, corrected for the number of runs, and seen in bulk and tail."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import fisher_exact, ks_2samp, kstest

from facsim.core.errors import FacsimError
from facsim.metrics.drift import equal_fractions, monitor
from facsim.metrics.histograms import ks_test


def test_p_values_are_calibrated_where_nothing_drifts() -> None:
    """Also for whole numbers, whose equal scores the asymptotic Kolmogorov-Smirnov test takes for agreement."""
    distance, rate, asymptotic = [], [], []
    for k in range(200):
        rng = np.random.default_rng(k)
        scores = [rng.poisson(1.0, n).astype(float) for n in (600, 300)]
        (found,) = monitor(scores[0], {"a": scores[1]}, 2.0, permutations=99, seed=k)
        distance.append(found.p_distance)
        rate.append(found.p_rate)
        asymptotic.append(ks_test(*scores).p_value)
    for level in (0.05, 0.2, 0.5):
        assert np.mean(np.array(distance) <= level) == pytest.approx(level, abs=4 * np.sqrt(level * (1 - level) / 200))
        assert np.mean(np.array(rate) <= level) < level + 3 * np.sqrt(level / 200)
    assert np.mean(np.array(rate) <= 0.2) > 0.1
    assert np.mean(np.array(asymptotic) <= 0.2) < 0.12


def test_the_chance_of_any_false_alarm_stays_below_the_level() -> None:
    alarms, single = [], []
    for k in range(100):
        rng = np.random.default_rng(k)
        runs = {str(j): rng.normal(size=100) for j in range(12)}
        found = monitor(rng.normal(size=300), runs, 1.0, permutations=49, seed=k)
        alarms.append([min(run.p_holm for run in found) <= 0.1, min(run.p_online for run in found) <= 0.1])
        single.append(min(run.p_run for run in found) <= 0.1)
    assert np.all(np.mean(alarms, axis=0) < 0.2)
    assert np.mean(single) > 0.4


def test_many_runs_still_raise_an_alarm_with_few_permutations() -> None:
    rng = np.random.default_rng(5)
    runs = {str(k): rng.normal(size=100) for k in range(49)} | {"moved": rng.normal(2, 1, 100)}
    found = monitor(rng.normal(size=300), runs, 9.0, permutations=19)
    assert found[-1].p_holm < 1e-6
    assert min(run.p_holm for run in found[:-1]) > 0.1


def test_bulk_and_tail() -> None:
    rng = np.random.default_rng(1)
    reference, quiet, moved = rng.normal(size=20_000), rng.normal(size=4000), rng.normal(0.2, 1, 4000)
    noisy = rng.normal(size=4000)
    noisy[:20] = 5.0
    found = {run.run: run for run in monitor(reference, {"quiet": quiet, "moved": moved, "noisy": noisy}, 3.0)}
    assert found["quiet"].p_holm > 0.1
    assert found["moved"].p_distance < 1e-6
    assert found["noisy"].p_distance > 0.05
    assert found["noisy"].p_rate < 1e-3
    assert found["noisy"].p_holm < 0.01
    assert found["noisy"].rate.value == pytest.approx(np.mean(noisy > 3))
    assert found["moved"].distance == pytest.approx(ks_2samp(reference, moved).statistic)


def test_what_is_said_online_does_not_change_when_runs_follow() -> None:
    rng = np.random.default_rng(2)
    reference, runs = rng.normal(size=300), {str(k): rng.normal(size=100) for k in range(5)}
    early = monitor(reference, dict(list(runs.items())[:3]), 1.0, permutations=49)
    late = monitor(reference, runs, 1.0, permutations=49)
    assert [run.p_online for run in late[:3]] == [run.p_online for run in early]
    assert all(run.p_holm >= run.p_run for run in late)


@given(st.integers(1, 60), st.integers(1, 60), st.floats(0, 1), st.floats(0, 1))
def test_equal_fractions_against_fishers_one_sided_tests(n: int, m: int, a: float, b: float) -> None:
    k, j = round(a * n), round(b * m)
    sides = [fisher_exact([[k, n - k], [j, m - j]], alternative=side).pvalue for side in ("less", "greater")]
    assert equal_fractions(k, n, j, m) == pytest.approx(min(1.0, 2 * min(sides)), rel=1e-6)


def test_many_events_have_the_asymptotic_p_value() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=15_000), rng.normal(size=15_000)
    (found,) = monitor(x, {"a": y}, 0.0)
    assert found.p_distance == ks_test(x, y).p_value
    assert kstest(np.concatenate([x, y]), "norm").pvalue > 1e-3


def test_broken_input() -> None:
    x = np.arange(5.0)
    with pytest.raises(FacsimError, match="needs runs"):
        monitor(x, {}, 0.0)
    with pytest.raises(FacsimError, match="run b"):
        monitor(x, {"a": x, "b": x[:0]}, 0.0)
    with pytest.raises(FacsimError, match="0 <= passed"):
        equal_fractions(3, 2, 0, 1)
