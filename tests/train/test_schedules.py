"""Learning-rate schedules in closed form."""

from __future__ import annotations

from itertools import pairwise
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facsim.train.schedules import SCHEDULES, one_cycle
from facsim.train.settings import TrainSettings


def test_the_table_holds_what_a_configuration_may_name() -> None:
    assert set(get_args(TrainSettings.model_fields["schedule"].annotation)) == set(SCHEDULES)


def test_learning_rate_rises_then_falls() -> None:
    values = [one_cycle(f, 0.05) for f in np.linspace(0, 1, 101)]
    assert values[5] == pytest.approx(1.0)
    assert values[-1] == pytest.approx(0.0)
    assert all(a >= b for a, b in pairwise(values[5:]))


@pytest.mark.parametrize(
    ("name", "at_tenth", "at_half", "at_end"),
    [("one-cycle", 0.5, 0.5 * (1 + np.cos(np.pi * 0.375)), 0.0), ("cosine", 0.9755, 0.5, 0.0), ("constant", 0.5, 1, 1)],
)
def test_values(name: str, at_tenth: float, at_half: float, at_end: float) -> None:
    found = [SCHEDULES[name](fraction, 0.2) for fraction in (0.1, 0.5, 1.0)]
    assert found == pytest.approx([at_tenth, at_half, at_end], abs=1e-4)


@given(st.sampled_from(sorted(SCHEDULES)), st.floats(0, 1), st.floats(0, 0.99))
def test_factors_are_between_zero_and_one(name: str, fraction: float, warmup: float) -> None:
    assert 0 <= SCHEDULES[name](fraction, warmup) <= 1
