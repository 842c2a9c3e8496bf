"""The photoabsorption ionisation model against known numbers of argon and the formula of Bethe."""

from __future__ import annotations

import numpy as np
import pytest

from facsim.physics.ionisation import DENSITY, TransferTable, collision_spectrum, energy_edges, transfer_table
from facsim.physics.photoabsorption import ARGON, METHANE, P10, SUM_RULE, cross_section, mixture

EDGES = energy_edges()
ENERGY, WIDTH = np.sqrt(EDGES[1:] * EDGES[:-1]), np.diff(EDGES)


def restricted_bethe(beta_gamma: float, cut: float) -> float:
    """Energy lost in collisions below `cut`, eV/cm (Review of Particle Physics, section Passage of particles)."""
    beta2 = beta_gamma**2 / (1 + beta_gamma**2)
    electrons, excitation = DENSITY * (0.9 * 18 + 0.1 * 10), 180.0
    constant = 2 * np.pi * 2.8179403e-13**2 * 510_998.95 * electrons
    return constant / beta2 * (np.log(2 * 510_998.95 * beta_gamma**2 * cut / excitation**2) - beta2)


@pytest.mark.parametrize(("points", "electrons", "low", "high"), [(ARGON, 18, 0.97, 1.07), (METHANE, 10, 1.0, 1.2)])
def test_sum_rule(points: tuple[tuple[float, float], ...], electrons: int, low: float, high: float) -> None:
    found = np.sum(cross_section(points, ENERGY) * WIDTH) / (SUM_RULE * electrons)
    assert low < found < high


def test_the_mixture_keeps_the_sum_rule() -> None:
    electrons = sum(fraction * n for fraction, _, n in P10)
    assert np.sum(mixture(EDGES) * WIDTH) == pytest.approx(1e-18 * SUM_RULE * electrons)


def test_collisions_of_a_minimum_ionising_particle() -> None:
    """Argon: 23 to 29 collisions per cm."""
    assert 23 < TransferTable(200).collisions(np.array([3.5]))[0] < 29


@pytest.mark.parametrize("beta_gamma", [0.7, 1.5, 3.5])
def test_energy_loss_is_bethes(beta_gamma: float) -> None:
    inside = ENERGY < 10_000
    loss = np.sum((collision_spectrum(beta_gamma) * WIDTH * ENERGY)[inside])
    assert loss == pytest.approx(restricted_bethe(beta_gamma, 10_000), rel=0.06)


def test_relativistic_rise_and_plateau() -> None:
    inside = ENERGY < 10_000
    loss = {b: np.sum((collision_spectrum(b) * WIDTH * ENERGY)[inside]) for b in (3.5, 100.0, 500.0, 1000.0)}
    assert 1.35 < loss[500.0] / loss[3.5] < 1.65
    assert loss[1000.0] / loss[500.0] - 1 < 0.04


def test_the_tail_falls_with_the_square_of_the_energy() -> None:
    spectrum = collision_spectrum(10.0)
    one, ten = (np.interp(e, ENERGY, spectrum) for e in (2e4, 2e5))
    assert one / ten == pytest.approx(100, rel=0.1)


def test_no_collision_takes_more_than_kinematics_allow() -> None:
    most, spectrum = 2 * 510_998.95 * 0.3**2, collision_spectrum(0.3)
    assert spectrum[np.searchsorted(ENERGY, 1.01 * most) :].sum() == 0
    assert spectrum[: np.searchsorted(ENERGY, 0.9 * most)].min() > 0


def test_energies_follow_the_spectrum() -> None:
    table, rng = transfer_table(20_000, None, 139.57e6), np.random.default_rng(1)
    drawn = table.energies(np.full(200_000, np.exp(table.log_speed[24])), rng)
    spectrum = collision_spectrum(float(np.exp(table.log_speed[24]))) * WIDTH
    for cut in (20.0, 30.0, 100.0, 300.0, 3000.0):
        share = spectrum[EDGES[1:] <= cut].sum() / spectrum.sum()
        at = EDGES[1:][EDGES[1:] <= cut][-1]
        assert (drawn <= at).mean() == pytest.approx(share, abs=5 * np.sqrt(share * (1 - share) / 2e5))


def test_the_last_interval_of_a_short_table_is_spread_in_the_logarithm() -> None:
    table, rng = TransferTable(100, 200e3), np.random.default_rng(2)
    drawn = table.energies(np.full(200_000, 3.5), rng)
    assert drawn.max() <= 200e3 * (1 + 1e-12)
    start = np.exp(table.quantiles[:, -2]).max()
    log = np.log(drawn[drawn > start])
    counts = np.histogram(log, 4, (np.log(start), np.log(200e3)))[0]
    assert counts.min() > 0.8 * counts.max()


def test_tables_are_kept() -> None:
    assert transfer_table(500, None, 1e8) is transfer_table(500, None, 1e8)
