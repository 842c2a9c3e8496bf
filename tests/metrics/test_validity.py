"""Impossible events by name, and copies of training events."""

from __future__ import annotations

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.metrics.copies import copied_fraction
from facsim.metrics.validity import validity


def truth(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.normal(size=n), rng.exponential(size=n), rng.normal(size=n)])


def test_truth_is_valid() -> None:
    found = validity(truth(2000, 1), truth(2000, 2), truth(2000, 3))
    assert found.ok
    assert "2000 events: 0 not finite" in str(found)
    assert found.copies_of_training is not None
    assert found.copies_of_training.value == pytest.approx(0.01, abs=0.01)


def test_every_kind_of_bad_event_is_named() -> None:
    bad = truth(500, 2)
    bad[3, 0], bad[4, 2] = np.nan, np.inf
    bad[7, 1] = -0.1
    bad[11, 0] = 40.0
    bad[499] = bad[20]
    found = validity(truth(2000, 1), bad)
    assert found.not_finite.tolist() == [3, 4]
    assert found.negative.tolist() == [7]
    assert found.outliers.events.tolist() == [11]
    assert found.duplicates.tolist() == [499]
    assert not found.ok


def test_copies_with_a_little_noise_are_seen_and_smooth_events_are_not() -> None:
    x, training = truth(2000, 1), truth(1000, 3)
    noisy = training[:800] + 1e-3 * np.random.default_rng(4).normal(size=(800, 3))
    copied, null = copied_fraction(x, noisy, training)
    assert copied.value > 0.9
    assert null.value == pytest.approx(0.01, abs=0.002)
    smooth = 0.3 * truth(800, 5)
    assert copied_fraction(x, smooth, training)[0].value < 0.05
    assert not validity(x, noisy, training).ok


def test_half_copies_are_half_found() -> None:
    mixed = np.concatenate([truth(500, 6), truth(1000, 3)[:500]])
    value, error = copied_fraction(truth(2000, 1), mixed, truth(1000, 3))[0]
    assert value == pytest.approx(0.5, abs=4 * error + 0.01)


def test_too_little_is_refused() -> None:
    with pytest.raises(FacsimError, match="200 events of truth"):
        copied_fraction(truth(100, 1), truth(100, 2), truth(300, 3))
    with pytest.raises(FacsimError, match="finite reference"):
        validity(np.full((9, 2), np.nan), np.ones((9, 2)))
    with pytest.raises(FacsimError, match="shapes"):
        validity(np.ones((9, 2)), np.ones((9, 3)))
