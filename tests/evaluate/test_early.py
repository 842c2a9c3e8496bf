"""Scores for early stopping: truth scores best, and a worse model worse."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.core.events import Events, make_events
from facsim.core.rng import generator
from facsim.core.schema import Feature, Schema
from facsim.data import open_events
from facsim.evaluate.early import EARLY_SCORES, EarlyScore
from facsim.simulate.sample import sample_path
from facsim.train.settings import EarlyStopping

TABLE = Schema("table", (Feature("a", ""), Feature("b", "")), (Feature("c", ""),))


def gaussian(seed: int, shift: float = 0.0, n: int = 400) -> Events:
    rng = generator(seed, "early")
    return make_events(TABLE, rng.normal(shift, 1.0, (n, 2)), rng.uniform(size=(n, 1)))


def test_the_table_holds_what_a_configuration_may_name() -> None:
    assert set(get_args(EarlyStopping.model_fields["score"].annotation)) == set(EARLY_SCORES)
    with pytest.raises(FacsimError, match="there is no score 'fid' for early stopping: expected one of"):
        EarlyScore("fid", gaussian(1), 1)


@pytest.mark.parametrize("name", sorted(EARLY_SCORES))
def test_worse_samples_score_worse(name: str) -> None:
    score = EarlyScore(name, gaussian(1), 3)
    values = [score(gaussian(2, shift)) for shift in (0.0, 0.3, 1.0)]
    assert values == sorted(values)
    assert values[2] > 1.2 * values[0] + 0.01
    assert score(gaussian(2, 0.3)) == values[1]


def test_known_shift() -> None:
    x, y = gaussian(1, n=20_000), gaussian(2, 0.5, n=20_000)
    # two columns shifted by half a standard deviation each, and a condition that is not
    assert EarlyScore("w1", x, 1)(y) == pytest.approx(1 / 3, abs=0.02)


@pytest.mark.parametrize("name", ["separation", "w1"])
def test_showers_are_told_from_scaled_showers(name: str) -> None:
    showers = open_events(sample_path()).read(0, 400)
    score = EarlyScore(name, showers[:200], 1)
    other = showers[200:]
    assert score(replace(other, x=other.x * np.float32(1.3))) > 1.2 * abs(score(other))


def test_fpd_needs_twice_as_many_events_as_features() -> None:
    with pytest.raises(FacsimError, match=r"FPD of \d+ features means something from \d+ events, and there are 100"):
        EarlyScore("fpd", open_events(sample_path()).read(0, 100), 1)


def test_clouds_have_no_score() -> None:
    clouds = make_events(Schema("cloud", (Feature("a", ""),), ()), np.zeros((2, 3, 1)), np.zeros((2, 0)))
    with pytest.raises(FacsimError, match=r"leave out train\.early_stopping"):
        EarlyScore("fpd", clouds, 1)
