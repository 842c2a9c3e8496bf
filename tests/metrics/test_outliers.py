"""Fraction of generated events far outside the reference."""

from __future__ import annotations

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.metrics import fpd, outliers
from facsim.metrics.outliers import outlier_fraction
from facsim.physics.jets import efps


def test_counts_events_beyond_half_a_range() -> None:
    x = np.linspace(0, 1, 11)[:, None] * np.ones((1, 2))
    y = np.full((4, 2), 0.5)
    y[1, 0], y[2, 1], y[3] = 1.4, 1.6, (-0.6, 9.0)
    assert outlier_fraction(x, y) == 0.5
    assert outlier_fraction(x, x) == 0.0


def test_names_the_events_the_farthest_first() -> None:
    x = np.linspace(0, 1, 11)[:, None] * np.ones((1, 2))
    y = np.full((5, 2), 0.5)
    y[1, 0], y[4, 1] = 3.0, -7.0
    found = outliers(x, y)
    assert found.events.tolist() == [4, 1]
    assert found.features.tolist() == [1, 0]
    assert found.distances == pytest.approx([7.0, 2.0])


def jets(n: int, rng: np.random.Generator) -> np.ndarray:
    angles = 0.1 * rng.normal(size=(n, 30, 2))
    pt = rng.exponential(size=(n, 30))
    return np.concatenate([angles, (pt / pt.sum(axis=1, keepdims=True))[..., None]], axis=2)


@pytest.mark.slow
def test_five_bad_jets_of_fifty_thousand_are_named_and_hardly_move_the_strict_fpd() -> None:
    """Angles times 3 in 1 jet of 10 000: jetnet's FPD, and the strict one without its limit, are lost."""
    rng = np.random.default_rng(1)
    reference, good = efps(jets(50_000, rng)), jets(50_000, rng)
    bad = good.copy()
    chosen = np.sort(rng.choice(50_000, 5, replace=False))
    bad[chosen, :, :2] *= 3
    clean, spoilt = fpd(reference, efps(good), permutations=0), fpd(reference, efps(bad), permutations=0)
    assert abs(spoilt.value - clean.value) < 3 * spoilt.error
    assert abs(spoilt.details["raw"] - clean.details["raw"]) > 30 * clean.details["raw_error"]
    assert sorted(outliers(reference, efps(bad)).events) == chosen.tolist()


def test_broken_input_is_refused() -> None:
    with pytest.raises(FacsimError, match="shapes"):
        outlier_fraction(np.ones((3, 2)), np.ones((3, 1)))
