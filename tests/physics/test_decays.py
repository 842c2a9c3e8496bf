"""Decays conserve four-momentum and are isotropic."""

from __future__ import annotations

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.physics.decays import (
    break_up,
    four_momentum,
    invariant_mass,
    momentum_of,
    pair_masses,
    pseudorapidity,
    two_body,
)


def mothers(n: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    return four_momentum(rng.gamma(2, 2000, n), rng.normal(3, 1, n), rng.uniform(-3, 3, n), 1864.8)


def test_kinematics_come_back() -> None:
    p = four_momentum(np.array([1000.0]), np.array([3.0]), np.array([0.5]), 139.57)
    assert invariant_mass(p)[0] == pytest.approx(139.57, rel=1e-4)
    assert pseudorapidity(p)[0] == pytest.approx(3.0)
    assert momentum_of(p)[0] == pytest.approx(1000 * np.cosh(3.0))


def test_daughters_add_up_to_their_mother() -> None:
    mother = mothers(500)
    first, second = two_body(mother, 493.677, 139.57, np.random.default_rng(2))
    assert first + second == pytest.approx(mother, rel=1e-9, abs=1e-6)
    assert invariant_mass(first) == pytest.approx(np.full(500, 493.677), rel=1e-3)
    assert invariant_mass(second) == pytest.approx(np.full(500, 139.57), rel=1e-2)


def test_at_rest_the_decay_is_isotropic_and_has_the_break_up_momentum() -> None:
    mother = np.tile([1864.8, 0.0, 0.0, 0.0], (20_000, 1))
    first, _ = two_body(mother, 493.677, 139.57, np.random.default_rng(3))
    assert momentum_of(first) == pytest.approx(np.full(len(first), 861.0), abs=0.5)
    cosine = first[:, 1:] / momentum_of(first)[:, None]
    assert cosine.mean(axis=0) == pytest.approx(np.zeros(3), abs=0.02)
    assert (cosine**2).mean(axis=0) == pytest.approx(np.full(3, 1 / 3), abs=0.01)


def test_pairs_stay_inside_of_phase_space() -> None:
    found = pair_masses(5279.5, 893.0, 105.66, 105.66, 5000, np.random.default_rng(4))
    assert found.min() >= 211.3
    assert found.max() <= 5279.5 - 893.0
    density = break_up(np.full(3, 5279.5), np.array([500.0, 2500.0, 4300.0]), 893.0)
    assert density[0] > density[1] > density[2]


def test_a_mother_that_is_too_light_is_refused() -> None:
    with pytest.raises(FacsimError, match="heavier"):
        two_body(mothers(3), 1500.0, 500.0, np.random.default_rng(5))
