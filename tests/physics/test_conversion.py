"""Conversion of photons: closed forms of the free path and of the sharing of energy."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from facsim.physics.conversion import (
    ELECTRON_MASS,
    MEAN_FREE_PATH,
    conversion_depth,
    length_at,
    pair_energies,
    pair_fraction,
)

EVEN = (np.arange(100_000) + 0.5) / 100_000


def test_depth_is_exponential_with_nine_sevenths_of_a_radiation_length() -> None:
    depth = conversion_depth(EVEN)
    assert abs(depth.mean() - 9 / 7) < 1e-4
    for t in (0.1, 1.0, 3.0):
        assert abs(np.mean(depth > t) - np.exp(-7 * t / 9)) < 2e-5
    assert conversion_depth(0.0) == 0.0


@given(st.floats(0, 1))
def test_fraction_inverts_its_cumulative_distribution(u: float) -> None:
    x = float(pair_fraction(u))
    assert 0 <= x <= 1
    assert abs(9 / 7 * (x - 2 / 3 * x**2 + 4 / 9 * x**3) - u) < 1e-12


def test_fraction_is_symmetric_and_has_the_moments_of_the_density() -> None:
    x = pair_fraction(EVEN)
    np.testing.assert_allclose(x + pair_fraction(1 - EVEN), 1.0, atol=1e-12)
    variance = 9 / 7 * (2 / 3 / 12 + 4 / 3 / 80)  # of 9/7 (2/3 + 4/3 y^2) over y from -1/2 to 1/2
    assert abs(x.var() - variance) < 1e-6
    assert MEAN_FREE_PATH == 9 / 7


@given(st.floats(10, 1e6), st.floats(0, 1))
def test_a_pair_has_the_energy_of_its_photon_less_two_masses(photon: float, u: float) -> None:
    pair = pair_energies([photon], [u])
    assert pair.shape == (1, 2)
    assert (pair >= 0).all()
    np.testing.assert_allclose(pair.sum(), photon - 2 * ELECTRON_MASS, rtol=1e-12)


def test_length_in_a_stack_is_that_of_its_slabs() -> None:
    thickness, x0 = [2.0, 1.0, 2.0], [4.0, 100.0, 4.0]
    depths = [0.0, 0.25, 0.5, 0.505, 0.51, 1.01, 1.02]
    np.testing.assert_allclose(length_at(depths, thickness, x0), [0.0, 1.0, 2.0, 2.5, 3.0, 5.0, np.inf])
