"""Cherenkov angles, thresholds and likelihoods against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from facsim.physics.rich import (
    MASSES,
    RICH1,
    RICH2,
    SPECIES,
    Hits,
    cherenkov_angle,
    dlls,
    expected_photons,
    inside,
    log_likelihoods,
    threshold,
)


@pytest.mark.parametrize(("radiator", "saturated"), [(RICH1, 52.9), (RICH2, 31.3)])
def test_saturated_angles_are_those_of_the_gases(radiator, saturated) -> None:
    angle = cherenkov_angle(np.array([1e9]), MASSES["pi"], radiator)[0]
    assert angle == pytest.approx(saturated, abs=0.1)
    assert expected_photons(np.array([angle]), radiator)[0] == pytest.approx(radiator.photons, rel=1e-6)


@pytest.mark.parametrize(
    ("species", "radiator", "gev"),
    [
        ("mu", RICH1, 2.0),
        ("pi", RICH1, 2.6),
        ("k", RICH1, 9.3),
        ("p", RICH1, 17.7),
        ("pi", RICH2, 4.5),
        ("k", RICH2, 15.8),
    ],
)
def test_thresholds_are_the_published_ones(species, radiator, gev) -> None:
    found = threshold(species, radiator)
    assert found / 1e3 == pytest.approx(gev, abs=0.15)
    below, above = cherenkov_angle(np.array([found * 0.999, found * 1.001]), MASSES[species], radiator)
    assert below == 0.0
    assert above > 0.0


def test_the_acceptances_are_those_of_the_angles() -> None:
    eta = -np.log(np.tan(np.array([0.020, 0.030, 0.110, 0.130, 0.310]) / 2))
    assert inside(eta, RICH1).tolist() == [False, True, True, True, False]
    assert inside(eta, RICH2).tolist() == [True, True, True, False, False]


def test_the_likelihood_is_the_sum_over_hits() -> None:
    momentum, light, background = np.array([20_000.0]), np.array([0.8]), np.array([10.0])
    angles = np.array([30.0, 50.0, 52.0])
    found = log_likelihoods(Hits(angles, np.zeros(3, dtype=int)), momentum, light, background, RICH1)[0]
    width = np.hypot(1.62, np.hypot(0.35, 1.5 / 20))
    kaon = float(cherenkov_angle(momentum, MASSES["k"], RICH1)[0])
    n = 0.8 * float(expected_photons(np.array([kaon]), RICH1)[0])
    density = 10.0 * 2 * angles / 62.0**2
    ring = n * np.exp(-0.5 * ((angles - kaon) / width) ** 2) / (np.sqrt(2 * np.pi) * width)
    assert found[SPECIES.index("k")] == pytest.approx(np.log1p(ring / density).sum() - n, rel=1e-5)
    assert found[-1] == 0.0


def test_two_hypotheses_without_light_are_exactly_the_same() -> None:
    momentum = np.full(4, 5000.0)  # neither kaon nor proton radiates
    hits = Hits(np.array([20.0, 40.0, 51.0]), np.array([0, 1, 1]))
    found = dlls(log_likelihoods(hits, momentum, np.ones(4), np.ones(4), RICH1))
    assert np.array_equal(found[:, 2], found[:, 3])
    assert np.array_equal(found[:, 3], found[:, 4])
