"""ECAL truth: closed forms of the parametrisation, symmetry, inclination, cells, effects, and Geant4."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from facsim.core.errors import FacsimError
from facsim.core.sources import MemorySource
from facsim.core.store import StoreReader
from facsim.physics import gflash as gp
from facsim.physics.ecal_observables import asymmetries, barycentre, incidence, shower_frame
from facsim.simulate import find_simulation
from facsim.simulate.ecal import ECALSimulation, shashlik
from facsim.simulate.ecal_readout import ECALEffects, bin_spots, merged, window
from facsim.simulate.ecal_showers import Beam, Sampler, Spots, profile, slab_edges, transverse_axes
from facsim.simulate.geant4 import geant4_available


def answered(n: int, seed: int = 1, **settings: Any) -> tuple[np.ndarray, np.ndarray, ECALSimulation]:
    truth = ECALSimulation(events=1, **settings)
    drawn = truth.generate(n, np.random.default_rng(seed))
    return drawn.x[..., 0].astype(np.float64), drawn.cond, truth


def test_the_medium_is_that_of_the_reference() -> None:
    medium = shashlik()
    assert medium.x0 == pytest.approx(16.4, rel=0.01)
    assert medium.z == pytest.approx(70, rel=0.01)
    assert medium.moliere_radius == pytest.approx(37.5, rel=0.02)
    assert medium.critical_energy == pytest.approx(9.27, rel=0.02)
    assert medium.sampling_frequency == pytest.approx(2.73, rel=0.01)
    assert medium.e_hat == pytest.approx(0.652, rel=0.01)


def test_the_profile_integrates_to_one_and_has_its_maximum_at_t() -> None:
    t_max, alpha = np.array([5.0, 7.5]), np.array([3.0, 4.5])
    shares = profile(slab_edges(400), t_max, alpha)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-9)
    middle = (slab_edges(400)[1:] + slab_edges(400)[:-1]) / 2
    np.testing.assert_allclose(middle[shares.argmax(axis=1)], t_max, atol=0.3)
    np.testing.assert_allclose(shares @ middle, t_max * alpha / (alpha - 1), rtol=2e-3)


@pytest.mark.parametrize(("energy", "reference"), [(2, 6.6), (5, 4.0), (10, 3.0), (20, 2.25), (50, 1.6)])
def test_response_and_resolution_of_electrons(energy: float, reference: float) -> None:
    n = 1500 if energy < 20 else 700
    cells, _, _ = answered(n, particle="e-", energy=energy, slope=0.0, layers=69)
    response = cells.sum(axis=1) / (1e3 * energy)
    width = 100 * response.std() / response.mean()
    assert 0.991 < response.mean() < 0.999
    assert width == pytest.approx(reference, abs=0.15 * reference)


def test_sampling_fluctuations_alone_are_gamma() -> None:
    sampler = Sampler(shashlik(), 396.0, sampling=0.09, constant=0.0)
    n, energy = 4000, 10_000.0
    beam = Beam(np.full(n, energy), np.tile([0.0, 0.0, 1.0], (n, 1)), np.zeros((n, 2)), np.zeros(n, bool))
    slabs, _ = sampler.slabs(beam, np.random.default_rng(2))
    total = slabs.sum(axis=1)
    # A gamma of the mean E and the variance c^2 E, less the little behind the last slab.
    assert total.std() / total.mean() == pytest.approx(0.09 / np.sqrt(10), rel=0.05)
    exact = Sampler(shashlik(), 396.0, sampling=0.0, constant=0.0).slabs(beam, np.random.default_rng(2))[0].sum(axis=1)
    assert exact.max() <= energy


def test_radii_are_those_of_the_closed_form() -> None:
    sampler = Sampler(shashlik(), 700.0, sampling=0.0, constant=0.0)
    n = 60
    beam = Beam(np.full(n, 2e4), np.tile([0.0, 0.0, 1.0], (n, 1)), np.zeros((n, 2)), np.zeros(n, bool))
    spots = sampler.showers(beam, np.random.default_rng(3))
    energy, (tau, _, _) = sampler.slabs(beam, np.random.default_rng(4))
    radii = gp.radial_parameters(beam.energy, tau, sampler.medium)
    radius = np.hypot(spots.x, spots.y)
    for edge in (10.0, 30.0, 80.0):
        inside = (gp.radial_cdf(np.full(1, edge / sampler.medium.moliere_radius), *radii) * energy).sum() / energy.sum()
        assert np.average(radius < edge, weights=spots.energy) == pytest.approx(inside, abs=0.015)


def test_90_per_cent_lie_within_a_moliere_radius() -> None:
    sampler = Sampler(shashlik(), 396.0)
    n = 200
    beam = Beam(np.full(n, 2e4), np.tile([0.0, 0.0, 1.0], (n, 1)), np.zeros((n, 2)), np.ones(n, bool))
    spots = sampler.showers(beam, np.random.default_rng(5))
    radius = np.hypot(spots.x, spots.y)
    order = np.argsort(radius)
    share = np.cumsum(spots.energy[order], dtype=np.float64)
    assert 30 < radius[order][np.searchsorted(share, 0.9 * share[-1])] < 40


def test_axes_are_perpendicular() -> None:
    d = np.random.default_rng(1).normal(size=(20, 3))
    d[:, 2] = np.abs(d[:, 2]) + 1
    d /= np.linalg.norm(d, axis=1)[:, None]
    a, b = transverse_axes(d)
    frame = np.stack([d, a, b], axis=1)
    np.testing.assert_allclose(frame @ frame.swapaxes(1, 2), np.tile(np.eye(3), (20, 1, 1)), atol=1e-12)


def test_photons_start_deeper_than_electrons_by_nine_sevenths() -> None:
    sampler, depths, n = Sampler(shashlik(), 700.0), {}, 3000
    for photon in (False, True):
        beam = Beam(np.full(n, 5e3), np.tile([0.0, 0.0, 1.0], (n, 1)), np.zeros((n, 2)), np.full(n, photon))
        parts = [sampler.showers(beam[slice(k, k + 500)], np.random.default_rng(k)) for k in range(0, n, 500)]
        depths[photon] = np.mean([np.average(part.z, weights=part.energy) for part in parts])
    assert (depths[True] - depths[False]) / sampler.medium.x0 == pytest.approx(9 / 7, abs=0.15)


def test_inclined_showers_go_where_they_point() -> None:
    truth = ECALSimulation(events=1)
    for px, py in ((3.0, 0.0), (0.0, -3.0), (-3.0, 3.0)):
        cond = np.tile([px, py, 20.0, 5.0, -5.0], (400, 1))
        # All over a cell: barycentres are drawn to the middle of the cell that is hit.
        cond[:, 3:] = np.random.default_rng(7).uniform(-10.1, 10.1, (400, 2))
        cells = truth.respond(cond, np.random.default_rng(6))[..., 0].astype(np.float64)
        where = incidence(cond, truth.schema_of())
        frame = shower_frame(where, window("fine", "x"), depth=0.0)
        centres = barycentre(cells, frame)
        centre, error = centres.mean(axis=0), centres.std(axis=0) / len(centres) ** 0.5
        # The mean depth of a shower of 20 GeV is 8 to 10 radiation lengths.
        slope = np.hypot(px, py) / 20
        assert 131 * slope < centre[0] < 164 * slope
        assert abs(centre[1]) < 4 * error[1]


def test_mirrored_particles_have_mirrored_asymmetries() -> None:
    truth = ECALSimulation(events=1, energy=10)
    cond = np.tile([1.5, 1.0, 10.0, 4.0, 2.0], (600, 1))
    flip = np.array([1, -1, 1, 1, -1])
    found = []
    for seed, each in ((1, cond), (2, cond * flip)):
        cells = truth.respond(each, np.random.default_rng(seed))[..., 0].astype(np.float64)
        found.append(asymmetries(cells, shower_frame(incidence(each, truth.schema_of()), window("fine", "x"))))
    means = [each.mean(axis=0) for each in found]
    error = 3.5 * np.hypot(*(each.std(axis=0) / len(each) ** 0.5 for each in found))
    assert abs(means[0][0] - means[1][0]) < error[0]
    assert abs(means[0][1] + means[1][1]) < error[1]


@pytest.mark.parametrize(("cells", "side"), [("fine", 30), ("inner", 15), ("middle", 10), ("outer", 5)])
def test_cells_of_the_zones_are_sums_of_fine_ones(cells: Any, side: int) -> None:
    x, _, truth = answered(3, cells=cells)
    fine, _, _ = answered(3)
    assert x.shape == (3, side * side)
    np.testing.assert_allclose(x.sum(axis=1), fine.sum(axis=1), rtol=1e-5)
    k = 30 // side
    np.testing.assert_allclose(merged(fine, cells)[:, 0], fine.reshape(-1, 30, 30)[:, :k, :k].sum(axis=(1, 2)))
    image = truth.schema_of().geometry
    assert image is not None
    assert (image.n_cells, image.x[0]) == (side * side, pytest.approx(-303 + 10.1 * k))


def test_effects() -> None:
    plain, _, _ = answered(200, energy=10)
    total = plain.sum(axis=1)

    def other(**effects: float) -> np.ndarray:
        return answered(200, energy=10, effects=effects)[0]

    light = other(light=0.05).sum(axis=1)
    assert 0 < np.abs(light / total - 1).max() < 0.05
    # A gap of 0.2 mm around cells of 20.2 mm covers 2 % of the face.
    assert other(crack=0.2).sum() / total.sum() == pytest.approx(0.98, abs=0.006)
    assert other(attenuation=2000.0).sum() / total.sum() == pytest.approx(1.0, abs=0.15)
    changed, lit = other(gain=0.1), plain.sum(axis=0) > 100
    gains = changed[:, lit].sum(axis=0) / plain[:, lit].sum(axis=0)
    np.testing.assert_allclose(changed[:, lit], plain[:, lit] * gains, rtol=1e-4)
    assert 0.05 < np.std(gains) < 0.15
    noisy = other(noise=5.0, threshold=12.0)
    assert set(np.unique(noisy[noisy < 12])) == {0.0}
    assert (noisy > 0).sum() > (plain > 12).sum()


def test_the_events_depend_on_settings_and_seed_alone(tmp_path: Path) -> None:
    truth = ECALSimulation(events=25, chunk=10, particle=["gamma", "e-"], workers=1)
    assert find_simulation("ecal") is ECALSimulation
    report = truth.simulate(tmp_path / "a.h5", 3)
    ECALSimulation(events=25, chunk=10, particle=["gamma", "e-"], workers=2).simulate(tmp_path / "b.h5", 3)
    a, b = (StoreReader(tmp_path / name).read(0, 25) for name in ("a.h5", "b.h5"))
    assert report.events == 25
    np.testing.assert_array_equal(a.x, b.x)
    assert set(a.condition("pdg").tolist()) == {22.0, 11.0}
    slopes = a.cond[:, :2] / a.cond[:, 2:3]
    assert np.abs(slopes).max() <= 0.3
    energy = np.linalg.norm(a.cond[:, :3], axis=1)
    assert (energy.min() >= 1) & (energy.max() <= 100)
    assert len(MemorySource(a)) == 25


@pytest.mark.parametrize(
    ("cond", "message"),
    [
        (np.ones((2, 4)), "expected conditions"),
        ([[0, 0, np.nan, 0, 0]], "must be finite"),
        ([[0, 0, -5, 0, 0]], "fly forward"),
        ([[9, 0, 5, 0, 0]], "fly forward"),
    ],
)
def test_conditions_that_cannot_be(cond: Any, message: str) -> None:
    with pytest.raises(FacsimError, match=message):
        ECALSimulation(events=1).respond(np.asarray(cond, float), np.random.default_rng(1))


def test_no_other_particles() -> None:
    truth, cond = ECALSimulation(events=1, particle=["gamma", "e-"]), np.array([[0, 0, 5.0, 0, 0, 211.0]])
    with pytest.raises(FacsimError, match="photons"):
        truth.respond(cond, np.random.default_rng(1))


def test_no_particle_gives_no_shower() -> None:
    assert ECALSimulation(events=1).respond(np.zeros((0, 5)), np.random.default_rng(1)).shape == (0, 900, 1)


@pytest.mark.slow
@pytest.mark.skipif(not geant4_available(), reason="Geant4 is not installed")
def test_geant4_gives_the_same_task(tmp_path: Path) -> None:
    truth = ECALSimulation(events=24, engine="geant4", energy=3, slope=0.2, workers=1, particle=["gamma", "e-"])
    truth.simulate(tmp_path / "a.h5", 1)
    events = StoreReader(tmp_path / "a.h5").read(0, 24)
    assert not list(tmp_path.glob("*geant4*"))
    np.testing.assert_allclose(np.linalg.norm(events.cond[:, :3], axis=1), 3, rtol=1e-6)
    response = events.cells.sum(axis=1) / 3e3
    assert response.mean() == pytest.approx(1, abs=0.05)
    again = truth.respond(events.cond, np.random.default_rng(1))[..., 0]
    assert again.sum(axis=1).mean() / 3e3 == pytest.approx(1, abs=0.05)
    frame = shower_frame(incidence(events.cond, events.schema), window("fine", "x"), depth=0.0)
    centre = barycentre(events.cells.astype(float), frame)
    slope = np.hypot(events.cond[:, 0], events.cond[:, 1]) / events.cond[:, 2]
    assert 100 < np.sum(centre[:, 0] * slope) / np.sum(slope**2) < 170
    assert (truth.time(events.cond[:3], 1) > 0).all()


@pytest.mark.parametrize(("cells", "width"), [("fine", 20.2), ("inner", 40.4), ("middle", 60.6), ("outer", 121.2)])
def test_cracks_lie_between_the_cells_of_each_size(cells: Any, width: float) -> None:
    place = np.array([-303 + width, -303 + 2 * width, -303 + 0.5 * width, -303 + 1.5 * width], dtype=np.float32)
    off = np.full(4, -303 + 0.3 * width, dtype=np.float32)
    spots = Spots(np.arange(4), np.ones(4, dtype=np.float32), place, off, np.full(4, 100, dtype=np.float32))
    seen = bin_spots(spots, 4, 396.0, cells, ECALEffects(crack=0.2)).sum(axis=1)
    np.testing.assert_array_equal(seen, [0, 0, 1, 1])


def test_effects_of_spots_are_refused_with_geant4() -> None:
    with pytest.raises(ValidationError, match="crack"):
        ECALSimulation(events=1, engine="geant4", effects={"crack": 0.2, "noise": 1.0})
    assert ECALSimulation(events=1, engine="geant4", effects={"noise": 1.0}).effects.noise == 1.0
