"""The energy distance: closed forms, no floor, covering errors, every kind of difference."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import energy_distance as scipy_energy

from facsim.core.errors import FacsimError
from facsim.metrics.energy import energy_distance


def test_one_dimension_agrees_with_scipy_up_to_the_bias() -> None:
    """SciPy's is the square root of the biased estimate: it counts each event's zero distance to itself."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=300), rng.normal(0.8, 1.4, 250)
    inside = [np.abs(s[:, None] - s).sum() / len(s) ** 2 for s in (x, y)]
    biased = scipy_energy(x, y) ** 2
    unbiased = biased - inside[0] / (len(x) - 1) - inside[1] / (len(y) - 1)
    assert energy_distance(x[:, None], y[:, None], scale=False)[0] == pytest.approx(unbiased, rel=1e-5)


def test_two_points_in_closed_form() -> None:
    x, y = np.repeat([[0.0, 0.0]], 8, axis=0), np.repeat([[3.0, 4.0]], 6, axis=0)
    value, error = energy_distance(x, y, scale=False)
    assert value == pytest.approx(10.0)
    assert error == pytest.approx(0.0, abs=1e-9)


def test_truth_against_truth_is_centred_on_zero_with_covering_errors() -> None:
    rng = np.random.default_rng(7)
    pulls = []
    values = []
    for _ in range(60):
        value, error = energy_distance(rng.normal(size=(150, 3)), rng.normal(size=(150, 3)))
        values.append(value)
        pulls.append(value / error)
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(60)
    assert 0.4 < np.std(pulls) < 1.3


def test_sees_what_means_and_covariances_do_not() -> None:
    rng = np.random.default_rng(4)
    truth = rng.normal(size=(1500, 1))
    split = 0.9 * rng.choice([-1.0, 1.0], (1500, 1)) + np.sqrt(1 - 0.81) * rng.normal(size=(1500, 1))
    value, error = energy_distance(truth, split)
    assert value > 6 * error


def test_bad_samples_are_told() -> None:
    with pytest.raises(FacsimError, match="four events in each sample"):
        energy_distance(np.zeros((3, 2)), np.zeros((9, 2)))
