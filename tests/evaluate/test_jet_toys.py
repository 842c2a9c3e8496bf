"""Distortions of jets: closed forms for toy jets whose mass is known, and what must stay as it was."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.evaluate.jet_toys import (
    JET_DISTORTIONS,
    PARTICLE_DISTORTIONS,
    PUBLISHED_JETS,
    distorted,
    drawn,
    relative_mass,
)

N = 4000
MEAN_MASS, MASS_WIDTH = 0.12, 0.02


def two_prongs(n: int, seed: int = 1) -> NDArray[np.float64]:
    """Jets of two particles of pT 1/2 at eta = +-d, and one of padding: E = cosh d, p = pT = 1, so m = sinh d."""
    mass = generator(seed, "prongs").normal(MEAN_MASS, MASS_WIDTH, n)
    jets = np.zeros((n, 3, 3))
    jets[:, 0, 0], jets[:, 1, 0] = np.arcsinh(mass), -np.arcsinh(mass)
    jets[:, :2, 2] = 0.5
    return jets


def test_the_mass_of_the_toy_jets_is_known() -> None:
    mass = relative_mass(two_prongs(N))
    assert mass.mean() == pytest.approx(MEAN_MASS, abs=4 * MASS_WIDTH / np.sqrt(N))
    np.testing.assert_allclose(mass, np.sinh(np.abs(two_prongs(N)[:, 0, 0])), rtol=1e-9)


def test_weights_shift_smear_and_cut_the_masses() -> None:
    pool, n = two_prongs(3 * N), N
    mass = {name: relative_mass(distorted(name, pool, n, generator(2, name))) for name in JET_DISTORTIONS[:3]}
    # 25 bins of 0.008: a shift by 0.012 and a width of 0.25 * 0.12, limited to where there are jets at all
    assert mass["mass shifted"].mean() == pytest.approx(1.1 * MEAN_MASS, abs=0.003)
    assert 1.2 * MASS_WIDTH < mass["mass smeared"].std() < np.hypot(0.25 * MEAN_MASS, MASS_WIDTH)
    assert mass["mass smeared"].mean() == pytest.approx(MEAN_MASS, abs=0.003)
    assert mass["mass tail removed"].max() < 0.17 < relative_mass(pool).max()


@pytest.mark.parametrize(
    ("name", "columns", "mean", "width"),
    [
        ("all smeared", [0, 1, 2], 1.0, 0.25),
        ("eta smeared", [0], 1.0, 0.25),
        ("pT smeared", [2], 1.0, 0.25),
        ("pT shifted", [2], 0.9, 0.1),
    ],
)
def test_particles_are_scaled_one_by_one(name: str, columns: list[int], mean: float, width: float) -> None:
    jets = np.ones((N, 5, 3))
    jets[:, 4] = 0
    before = jets.copy()
    changed = PARTICLE_DISTORTIONS[name](jets, generator(1, name))
    np.testing.assert_array_equal(jets, before)
    np.testing.assert_array_equal(changed[:, 4], 0)
    kept = [column for column in range(3) if column not in columns]
    np.testing.assert_array_equal(changed[:, :, kept], jets[:, :, kept])
    for column in columns:
        values = changed[:, :4, column]
        assert values.mean() == pytest.approx(mean, abs=4 * width / np.sqrt(4 * N))
        assert values.std() == pytest.approx(width, rel=0.05)
        assert abs(np.corrcoef(values[:, 0], values[:, 1])[0, 1]) < 4 / np.sqrt(N)


def test_drawing_by_weight_repeats_as_little_as_possible() -> None:
    weights = generator(3, "weights").uniform(0, 2, 2000)
    times = np.bincount(drawn(weights, 1000, generator(3)), minlength=2000)
    expected = 1000 * weights / weights.sum()
    assert times.sum() == 1000
    assert np.all((times == np.floor(expected)) | (times == np.ceil(expected)))
    many = np.mean([np.bincount(drawn(weights, 1000, generator(i)), minlength=2000) for i in range(300)], axis=0)
    np.testing.assert_allclose(many, expected, atol=5 * 0.5 / np.sqrt(300))


def test_published_numbers_fit_the_distortions() -> None:
    assert {len(row) for row in PUBLISHED_JETS.values()} == {len(JET_DISTORTIONS)}


def test_what_cannot_be_distorted_is_told() -> None:
    with pytest.raises(FacsimError, match="no distortion 'turned' of jets: expected one of mass smeared"):
        distorted("turned", two_prongs(100), 50, generator(1))
    heavy = two_prongs(100)
    heavy[:, :, 0] *= 10
    with pytest.raises(FacsimError, match="all jets have weight 0"):
        distorted("mass tail removed", heavy, 50, generator(1))
