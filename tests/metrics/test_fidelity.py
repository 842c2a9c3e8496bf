"""Agreement of a student with its teacher, where it is known in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.metrics.fidelity import SHARES, agreement, selected


def test_any_rising_function_of_the_teacher_agrees_with_it() -> None:
    teacher = np.random.default_rng(1).normal(size=20_000)
    for one in agreement(teacher, np.exp(3 * teacher), replicas=3):
        assert (one.spearman.value, one.kendall.value, one.overlap.value) == pytest.approx((1, 1, 1))
        assert one.events == round(one.share * 20_000)
        assert one.overlap.error == 0


def test_a_tail_in_reverse_is_seen_in_the_tail_alone() -> None:
    teacher = np.arange(10_000.0)
    student = teacher.copy()
    student[-100:] = teacher[-100:][::-1]
    whole, tail, further = agreement(teacher, student, (1.0, 0.01, 0.005), replicas=5)
    assert whole.spearman.value == pytest.approx(1, abs=1e-4)
    assert (tail.spearman.value, tail.kendall.value, tail.overlap.value) == pytest.approx((-1, -1, 1))
    assert further.overlap.value == 0


def test_half_of_the_tail_exchanged_is_an_overlap_of_a_half() -> None:
    teacher = np.arange(1000.0)
    student = teacher.copy()
    student[-50:], student[:50] = teacher[:50], teacher[-50:]
    (one,) = agreement(teacher, student, (0.1,), replicas=100)
    assert one.overlap.value == 0.5
    assert one.overlap.error == pytest.approx(0.05, abs=0.02)


def test_correlated_normal_scores_and_the_size_of_the_errors() -> None:
    rho, values, errors = 0.8, [], []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        teacher = rng.normal(size=1000)
        student = rho * teacher + math.sqrt(1 - rho**2) * rng.normal(size=1000)
        (one,) = agreement(teacher, student, (1.0,), replicas=50, seed=seed)
        values.append((one.spearman.value, one.kendall.value))
        errors.append((one.spearman.error, one.kendall.error))
    expected = (6 / math.pi * math.asin(rho / 2), 2 / math.pi * math.asin(rho))
    assert np.mean(values, axis=0) == pytest.approx(expected, abs=0.01)
    assert np.mean(errors, axis=0) == pytest.approx(np.std(values, axis=0), rel=0.4)


def test_independent_scores_overlap_by_chance() -> None:
    rng = np.random.default_rng(2)
    for one in agreement(rng.normal(size=50_000), rng.normal(size=50_000), (0.1, 0.02), replicas=20):
        assert one.overlap.value == pytest.approx(one.share, abs=5 * one.overlap.error)
        assert one.spearman.value == pytest.approx(0, abs=5 * one.spearman.error)


def test_equal_scores_fail_together_and_few_events_say_nothing() -> None:
    assert selected(np.array([1.0, 1.0, 2.0, 3.0, 3.0]), 0.2).sum() == 0
    assert selected(np.arange(10.0), 0.2, np.array([7.0, 7.5])).tolist() == [False, True]
    teacher = np.arange(1000.0)
    constant, few = agreement(teacher, np.zeros(1000), (0.1, 0.001), replicas=3)
    assert math.isnan(constant.spearman.value)
    assert constant.overlap.value == 0
    assert few.events == 1
    assert math.isnan(few.overlap.value)
    first, second = (agreement(teacher, teacher % 7, SHARES[:2], replicas=20, seed=4) for _ in range(2))
    assert first == second


def test_bad_input_is_refused() -> None:
    with pytest.raises(FacsimError, match="not of the same"):
        agreement(np.zeros(3), np.zeros(4))
    with pytest.raises(FacsimError, match="share of background"):
        agreement(np.zeros(3), np.zeros(3), (0.0,))
    with pytest.raises(FacsimError, match="finite"):
        agreement(np.array([0.0, np.nan]), np.zeros(2))
