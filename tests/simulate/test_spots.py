"""Spectrum of energy spots and sums of spots."""

from __future__ import annotations

import numpy as np
import pytest

from facsim.simulate.spots import SpotSpectrum


@pytest.fixture(scope="module")
def exponential() -> SpotSpectrum:
    return SpotSpectrum.of(np.random.default_rng(1).exponential(8.0, 200_000))


def test_spectrum_of_an_exponential(exponential: SpotSpectrum) -> None:
    assert exponential.mean == pytest.approx(8.0, rel=0.01)
    # The cut of the highest thousandth takes about three per cent of the variance.
    assert exponential.variance == pytest.approx(1.0, abs=0.05)
    assert exponential.table[512] == pytest.approx(np.log(2.0), rel=0.02)


@pytest.mark.parametrize("count", [1, 5, 30, 31, 400])
def test_sums_have_the_mean_and_variance_of_independent_spots(exponential: SpotSpectrum, count: int) -> None:
    sums = exponential.sums(np.full(20_000, count), np.random.default_rng(2))
    assert sums.mean() == pytest.approx(count, rel=0.03)
    assert sums.var() == pytest.approx(count * exponential.variance, rel=0.05)
    assert np.all(sums >= 0)


def test_no_spot_no_energy(exponential: SpotSpectrum) -> None:
    rng = np.random.default_rng(3)
    assert exponential.sums(np.zeros(0, np.int64), rng).shape == (0,)
    sums = exponential.sums(np.array([0, 2, 0, 50, 0]), rng)
    assert np.array_equal(sums > 0, [False, True, False, True, False])


def test_spots_of_one_energy() -> None:
    spectrum = SpotSpectrum.of(np.full(50, 3.0))
    assert spectrum.mean == pytest.approx(3.0)
    np.testing.assert_allclose(spectrum.sums(np.array([4, 100]), np.random.default_rng(1)), [4, 100], rtol=1e-2)
