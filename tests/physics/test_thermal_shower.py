"""Thermal showers: the distribution of momenta, and energy and momentum that add up."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.physics.thermal_shower import density, thermal_momenta, thermal_shower


def moments(ratio):
    """Mean and variance of |p| by numerical integrals, over a range of its own."""
    p = np.linspace(0, 40 / ratio + 10 / np.sqrt(ratio), 200_001)
    weight = density(p, ratio)
    mean = (p * weight).sum() / weight.sum()
    return mean, ((p - mean) ** 2 * weight).sum() / weight.sum()


@pytest.mark.parametrize("ratio", [0.2, 1.0, 5.0])
def test_momenta_follow_the_density(ratio):
    n = 200_000
    p = thermal_momenta(n, ratio, generator(1, "thermal"))
    mean, variance = moments(ratio)
    assert abs(p.mean() - mean) < 4 * np.sqrt(variance / n)
    assert p.var() == pytest.approx(variance, rel=0.02)
    edges = np.quantile(p, np.linspace(0, 1, 21))
    fine = np.linspace(0, edges[-1], 400_001)
    below = np.cumsum(density(fine, ratio))
    share = np.diff(np.interp(edges[1:-1], fine, below / below[-1]))
    assert share == pytest.approx(0.05, abs=4 * np.sqrt(0.05 / n))


@pytest.mark.parametrize("ratio", [0.5, 1.0, 3.0])
def test_the_density_is_that_of_boltzmann(ratio):
    p = np.linspace(0.01, 8, 50)
    boltzmann = p**2 * np.exp(-ratio * (np.sqrt(1 + p**2) - 1))
    assert density(p, ratio) == pytest.approx(boltzmann, rel=1e-12)


def test_the_mean_energy_of_a_relativistic_gas():
    # of massless particles it is 3 T
    p = thermal_momenta(100_000, 1e-3, generator(2, "hot"))
    assert 1e-3 * p.mean() == pytest.approx(3.0, abs=0.03)


@given(
    seed=st.integers(0, 2**31),
    masses=st.lists(st.floats(20, 2000), min_size=1, max_size=4),
    meson=st.floats(0.5, 5),
    temperature=st.floats(0.3, 5),
)
@settings(max_examples=60, deadline=None)
def test_energy_and_momentum_are_those_of_the_mediator(seed, masses, meson, temperature):
    masses = np.array(masses)
    shower = thermal_shower(masses, meson, temperature, generator(seed, "shower"))
    total = np.stack([np.bincount(shower.event, part, len(masses)) for part in shower.momentum.T], axis=1)
    assert np.abs(total[:, 0] / masses - 1).max() < 1e-9
    assert np.abs(total[:, 1:] / masses[:, None]).max() < 1e-9
    square = shower.momentum[:, 0] ** 2 - (shower.momentum[:, 1:] ** 2).sum(axis=1)
    assert np.abs(square - meson**2).max() < 1e-9 * masses.max() ** 2
    assert np.bincount(shower.event).min() >= 2


def test_showers_are_isotropic_and_as_many_particles_as_energy_allows():
    masses = np.full(300, 400.0)
    shower = thermal_shower(masses, 2.0, 2.0, generator(3, "isotropic"))
    cosine = shower.momentum[:, 3] / np.linalg.norm(shower.momentum[:, 1:], axis=1)
    n = len(cosine)
    assert abs(cosine.mean()) < 4 / np.sqrt(3 * n)
    assert (cosine**2).mean() == pytest.approx(1 / 3, abs=4 * np.sqrt(4 / 45 / n))
    p = np.linspace(0, 60, 100_001)
    weight = density(p, 1.0)
    energy = 2.0 * (np.sqrt(1 + p**2) * weight).sum() / weight.sum()
    assert n / 300 == pytest.approx(400 / energy, rel=0.02)


@pytest.mark.parametrize(("mass", "meson", "temperature"), [(3.9, 2.0, 2.0), (125.0, 2.0, 0.0), (125.0, 0.0, 1.0)])
def test_what_cannot_be_a_shower(mass, meson, temperature):
    with pytest.raises(FacsimError, match="a thermal shower needs mediators above"):
        thermal_shower(np.array([200.0, mass]), meson, temperature, generator(1))
