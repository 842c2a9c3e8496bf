"""Clusters, their calibration and pairs of photons, on showers whose shape is known in closed form."""

from __future__ import annotations

from math import erf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.physics.ecal_calibration import Calibration, Photons, fit_calibration
from facsim.physics.ecal_clusters import find_clusters
from facsim.physics.ecal_event import Hits, Particles, merge_windows, place_windows
from facsim.physics.ecal_map import LHCB
from facsim.physics.ecal_photons import (
    PION_MASS,
    all_pairs,
    boosted,
    match,
    pair_mass,
    pion_gun,
    scattered_points,
    single_photons,
    towards,
    two_photons,
)

DEPTH = 90.0
SIDE = 30
EDGES = (np.arange(SIDE + 1) - SIDE / 2) * LHCB.pitch
ERF = np.vectorize(erf)
ENERGIES = (2e3, 8e4)


def toy_hits(particles: Particles, rng: np.random.Generator | None) -> Hits:
    """Showers of two round Gaussians (11 mm and 30 mm, 70 % in the first) at a depth of DEPTH, 97 % of the energy seen;
    with `rng`, fluctuating by 10 % / sqrt(E)."""
    windows = place_windows(particles.point, SIDE, LHCB)
    middle = windows.local + DEPTH * particles.momentum[:, :2] / particles.momentum[:, 2:]
    cells = np.zeros((len(particles), SIDE, SIDE))
    for weight, sigma in ((0.7, 11.0), (0.3, 30.0)):
        inside = np.diff(0.5 * ERF((EDGES - middle[..., None]) / sigma / np.sqrt(2)), axis=2)
        cells += weight * inside[:, 1, :, None] * inside[:, 0, None, :]
    energy = 0.97 * particles.energy
    if rng is not None:
        width = 0.1 / np.sqrt(energy / 1e3)
        energy = energy * rng.gamma(width**-2, width**2)
    return merge_windows((cells * energy[:, None, None]).reshape(len(particles), -1), windows, particles.event, LHCB)


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    rng = np.random.default_rng(11)
    photons = single_photons(4000, ENERGIES, LHCB, rng)
    clusters = find_clusters(toy_hits(photons, rng), LHCB)
    main = clusters.event  # one cluster each: the toy has no halo
    return fit_calibration(clusters, photons.energy[main], photons.point[main], LHCB)


def hits(*triples: tuple[int, int, float]) -> Hits:
    event, cell, energy = (np.array(column) for column in zip(*sorted(triples), strict=True))
    return Hits(event.astype(np.int64), cell.astype(np.int64), energy.astype(np.float64))


def test_two_apart_are_two_and_a_shared_cell_is_divided_by_energy() -> None:
    middle = int(LHCB.find(np.array([700.0]), np.array([500.0]))[0])
    left, right = middle - 1, middle + 1
    found = find_clusters(hits((0, left, 3000.0), (0, middle, 400.0), (0, right, 1000.0)), LHCB)
    assert found.seed.tolist() == [left, right]
    np.testing.assert_allclose(found.energy.sum(), 4400)
    # E1 = 3000 + 400 E1 / (E1 + E2) and E1 + E2 = 4400
    np.testing.assert_allclose(found.energy, [3300, 1100], rtol=1e-3)
    assert found.cells.tolist() == [2, 2]
    share = 300 / 3300
    expected = LHCB.centres[left, 0] * (1 - share) + LHCB.centres[middle, 0] * share
    np.testing.assert_allclose(found.point[0, 0], expected, rtol=1e-5)


def test_events_do_not_touch_and_equal_neighbours_make_one_cluster() -> None:
    cell = int(LHCB.find(np.array([700.0]), np.array([500.0]))[0])
    found = find_clusters(
        hits((0, cell, 2000.0), (1, cell + 1, 2000.0), (2, cell, 2000.0), (2, cell + 1, 2000.0)), LHCB
    )
    assert found.event.tolist() == [0, 1, 2]
    np.testing.assert_allclose(found.energy, [2000, 2000, 4000])


def test_seeds_need_transverse_energy_and_cells_their_own() -> None:
    cell = LHCB.find(np.array([700.0, 3000.0]), np.array([500.0, 2000.0]))
    inner, outer = (int(one) for one in cell)
    assert len(find_clusters(hits((0, inner, 600.0)), LHCB)) == 0  # 600 MeV x 0.07
    assert len(find_clusters(hits((0, outer, 600.0)), LHCB)) == 1
    assert find_clusters(hits((0, outer, 600.0), (0, outer + 1, 4.9)), LHCB).energy.tolist() == [600.0]
    nothing = find_clusters(Hits(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)), LHCB)
    assert len(nothing) == 0


@settings(max_examples=10)
@given(st.integers(0, 2**31))
def test_no_cell_is_used_twice(seed: int) -> None:
    rng = np.random.default_rng(seed)
    photons = single_photons(40, ENERGIES, LHCB, rng)
    crowded = toy_hits(Particles(photons.event // 20, photons.pdg, photons.momentum, photons.point * 0.3), None)
    found = find_clusters(crowded, LHCB)
    touched = {(e, c) for e, s in zip(found.event, found.seed, strict=True) for c in (s, *LHCB.neighbours[s])}
    inside = np.array([(e, c) in touched for e, c in zip(crowded.event, crowded.cell, strict=True)])
    used = crowded.energy[inside & (crowded.energy >= 5.0)].sum()
    np.testing.assert_allclose(found.energy.sum(), used, rtol=1e-6)


def test_the_depth_is_found(calibration: Calibration) -> None:
    np.testing.assert_allclose(calibration.depth, [DEPTH, 0.0], atol=12)


def test_energies_and_points_are_those_of_the_photons(calibration: Calibration) -> None:
    rng = np.random.default_rng(12)
    photons = single_photons(3000, ENERGIES, LHCB, rng)
    clusters = find_clusters(toy_hits(photons, rng), LHCB)
    found, zone = calibration(clusters), LHCB.zone[clusters.seed]
    pull = (found.energy / photons.energy[found.event] - 1) / (0.1 / np.sqrt(0.97 * photons.energy[found.event] / 1e3))
    apart = found.point - photons.point[found.event]
    for k, largest in enumerate((0.3, 0.6, 6.0)):
        here = zone == k
        assert abs(np.median(pull[here])) < 0.15
        assert 0.9 < np.quantile(np.abs(pull[here]), 0.683) < 1.25
        assert np.abs(np.median(apart[here], axis=0)).max() < largest
    # without the correction the means of cell centres are several times as far away
    raw = clusters.point - photons.point[found.event]
    for k, gain in enumerate((3.0, 4.0, 3.0)):
        here = zone == k
        assert np.median(np.abs(apart[here])) * gain < np.median(np.abs(raw[here]))


def test_pion_photons_add_up_and_are_isotropic_at_rest() -> None:
    rng = np.random.default_rng(3)
    momentum = rng.normal((0, 0, 2e4), 4e3, (2000, 3))
    pair = two_photons(momentum, rng)
    np.testing.assert_allclose(pair.sum(axis=1), momentum, rtol=1e-9)
    energy = np.linalg.norm(pair, axis=2).sum(axis=1)
    np.testing.assert_allclose(energy**2 - np.sum(momentum**2, axis=1), PION_MASS**2, rtol=1e-3)
    asymmetry = np.abs(np.diff(np.linalg.norm(pair, axis=2), axis=1)[:, 0]) / np.linalg.norm(momentum, axis=1)
    np.testing.assert_allclose(asymmetry.mean(), 0.5, atol=0.03)  # flat between 0 and 1
    at_rest = boosted(pair[:, 0], -momentum, PION_MASS)
    np.testing.assert_allclose(np.linalg.norm(at_rest, axis=1), PION_MASS / 2, rtol=1e-6)


def test_pairs_that_are_resolved_have_the_mass_of_the_pion(calibration: Calibration) -> None:
    rng = np.random.default_rng(5)
    pions = pion_gun(1500, (8e3, 8e4), (4000.0, 8e4), LHCB, rng)
    assert np.array_equal(pions.photons.event, np.repeat(np.arange(1500), 2))
    found = calibration(find_clusters(toy_hits(pions.photons, rng), LHCB))
    pair = match(pions.photons, found, LHCB).reshape(-1, 2)
    assert (pair >= 0).all(axis=1).mean() > 0.98
    resolved = (pair >= 0).all(axis=1) & (pair[:, 0] != pair[:, 1])
    mass = pair_mass(found, *pair[resolved].T, LHCB)
    np.testing.assert_allclose(np.median(mass), PION_MASS, rtol=0.04)
    merged = pair[:, 0] == pair[:, 1]
    order = np.argsort(pions.energy)
    assert merged[order[-300:]].mean() > merged[order[:300]].mean() + 0.4


def test_true_photons_have_the_mass_exactly() -> None:
    pions = pion_gun(200, (4e3, 8e4), (500.0, 8e4), LHCB, np.random.default_rng(6))
    photons = pions.photons
    true = Photons(photons.event, photons.energy, photons.point, LHCB.find(*photons.point.T))
    pair = match(photons, true, LHCB).reshape(-1, 2)
    assert np.array_equal(pair.ravel(), np.arange(400))
    np.testing.assert_allclose(pair_mass(true, *pair.T, LHCB), PION_MASS, rtol=1e-6)


def test_matching_takes_the_nearest_of_the_same_event_within_reach() -> None:
    point = np.array([[700.0, 500.0], [700.0, 500.0], [2000.0, 500.0]])
    particles = Particles(np.array([0, 1, 1]), np.full(3, 22), towards(point, np.full(3, 1e4), LHCB), point)
    candidates = np.array([[690.0, 500.0], [702.0, 500.0], [2300.0, 500.0]])
    found = Photons(np.array([0, 1, 1]), np.full(3, 1e4), candidates, LHCB.find(*candidates.T))
    assert match(particles, found, LHCB).tolist() == [0, 1, -1]
    assert [pairs.tolist() for pairs in all_pairs(found, 100.0, LHCB)] == [[1], [2]]


def test_points_are_scattered_over_all_zones() -> None:
    zone = LHCB.zone[LHCB.find(*scattered_points(3000, LHCB, np.random.default_rng(1)).T)]
    np.testing.assert_allclose(np.bincount(zone), 1000, atol=130)


def test_too_few_photons_are_told() -> None:
    photons = single_photons(100, ENERGIES, LHCB, np.random.default_rng(1))
    clusters = find_clusters(toy_hits(photons, None), LHCB)
    with pytest.raises(FacsimError, match=r"needs 60 photons in each zone, and there are \d+ in the \w+ zone"):
        fit_calibration(clusters, photons.energy[clusters.event], photons.point[clusters.event], LHCB)


def test_pions_whose_photons_cannot_have_the_energies_are_refused() -> None:
    with pytest.raises(FacsimError, match="go together"):
        pion_gun(10, (6e3, 8e4), (2000.0, 2500.0), LHCB, np.random.default_rng(1))
