"""How many truth events a sample is worth."""

from __future__ import annotations

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.metrics import equivalent_size
from facsim.metrics.equivalent import equivalent_size as size_of


@pytest.mark.parametrize("n", [60, 200, 600])
def test_truth_is_worth_its_own_number(n: int) -> None:
    rng = np.random.default_rng(n)
    found = [size_of(rng.normal(size=(4000, 5)), rng.normal(size=(n, 5)), seed=k)[0] for k in range(12)]
    assert np.exp(np.mean(np.log(found))) == pytest.approx(n, rel=0.2)


def test_bias_bounds_the_worth_however_many_events() -> None:
    """A shift d of the mean costs as much as D / n of noise in the mean and D / 4 n (1 + ...) in the covariance."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(8000, 4))
    sizes = [size_of(x, rng.normal(0.1, 1.0, (n, 4)), seed=1)[0] for n in (2000, 8000, 20_000)]
    assert max(sizes) < 600
    assert sizes[2] == pytest.approx(sizes[1], rel=0.3)


def test_error_covers() -> None:
    rng = np.random.default_rng(2)
    found = np.array([size_of(rng.normal(size=(2000, 4)), rng.normal(size=(100, 4)), seed=k)[:2] for k in range(30)])
    assert 0.5 < np.mean(found[:, 1] / found[:, 0]) / np.std(np.log(found[:, 0])) < 2.0


def test_capped_by_the_truth_there_is() -> None:
    rng = np.random.default_rng(3)
    score = equivalent_size(rng.normal(size=(400, 3)), rng.normal(size=(5000, 3)))
    assert (score.status, score.value, score.details["cap"]) == ("capped", 200.0, 200.0)


def test_too_few_truth_events_are_refused() -> None:
    rng = np.random.default_rng(4)
    with pytest.raises(FacsimError, match="64 truth events"):
        size_of(rng.normal(size=(50, 3)), rng.normal(size=(50, 3)))
