"""The parametric detector against closed forms: bending, efficiencies, resolutions, energies of an ideal detector."""

from dataclasses import replace

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.physics.detector import at_calorimeters, respond
from facsim.physics.detector_cells import Deposits, cells_of, clusters, deposit, lognormal
from facsim.physics.detector_settings import CMS_ECAL, Calorimeter, Detector, Efficiency, Region, Tracker
from facsim.physics.particles import Particles

ALWAYS = Efficiency((9.0,), (0.0,), ((1.0,),))
NEVER = Efficiency((9.0,), (0.0,), ((0.0,),))
CELLS = (Region(5.0, 200, 256, 0.0, 0.0, 0.0, 0.0),)
PERFECT = Tracker(
    hadrons=ALWAYS, electrons=ALWAYS, muons=ALWAYS, edges=(9.0,), constant=(0.0,), slope=(0.0,), angle=0.0, turns=1e9
)
IDEAL = Detector(PERFECT, Calorimeter(CELLS), Calorimeter(CELLS), compensation=1.0, crossing=0.0, merge=False)


def particles(pdg, pt, eta, phi, event=None, mass=0.0):
    pdg, pt, eta, phi = np.broadcast_arrays(pdg, *(np.asarray(v, dtype=float) for v in (pt, eta, phi)))
    pdg, pt, eta, phi = (np.atleast_1d(v) for v in (pdg, pt, eta, phi))
    px, py, pz = pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)
    momentum = np.stack([px, py, pz, np.sqrt((pt * np.cosh(eta)) ** 2 + mass**2)], axis=1)
    event = np.arange(len(pt)) if event is None else np.asarray(event)
    return Particles(int(event.max(initial=0)) + 1, event, pdg.astype(np.int64), momentum)


def test_a_track_that_turns_by_60_degrees_reaches_the_side_30_degrees_away():
    """Its radius equals that of the cylinder, so pT = 0.3 B r; on the way it climbs by the arc, pi / 3 radii."""
    tracker = Tracker(field=4.0, radius=1.5, half_length=9.0)
    pt = 0.299792458 * 4.0 * 1.5
    one = np.ones(3)
    eta, phi = at_calorimeters(pt * one, 0.5 * one, 0.2 * one, np.array([1.0, -1.0, 0.0]), tracker)
    assert phi == pytest.approx([0.2 - np.pi / 6, 0.2 + np.pi / 6, 0.2])
    assert np.sinh(eta) == pytest.approx(np.sinh(0.5) * np.array([np.pi / 3, np.pi / 3, 1.0]))


def test_a_track_that_never_reaches_the_side_meets_the_end_or_comes_to_rest():
    tracker = Tracker(field=4.0, radius=1.5, half_length=3.0)
    least = 0.299792458 * 4.0 * 1.5 / 2
    pt, slope = 0.99 * least, np.array([3.0, 0.1])
    eta, phi = at_calorimeters(np.full(2, pt), np.arcsinh(slope), np.zeros(2), np.ones(2), tracker)
    radius = pt / (0.299792458 * 4.0)
    turn = 3.0 / (radius * slope[0])
    across = 2 * radius * np.sin(turn / 2)
    assert np.sinh(eta[0]) == pytest.approx(3.0 / across)
    assert phi[0] == pytest.approx(-turn / 2)
    assert np.isnan([eta[1], phi[1]]).all()
    reaching = at_calorimeters(np.array([1.01 * least]), np.array([0.1]), np.zeros(1), np.ones(1), tracker)
    assert np.isfinite(reaching).all()


def test_an_ideal_detector_keeps_energy_and_kinds():
    rng = generator(1, "ideal")
    n = 4000
    pdg = rng.choice([211, -211, 22, 130, 2112, 11, -13], n)
    sent = particles(pdg, rng.uniform(1, 50, n), rng.uniform(-4.5, 4.5, n), rng.uniform(-3, 3, n), np.arange(n))
    seen = respond(sent, IDEAL, generator(2, "ideal")).particles
    assert seen.momentum[:, 3].sum() == pytest.approx(sent.momentum[:, 3].sum(), rel=1e-3)
    for code in (11, -13, 211, -211):
        assert (seen.pdg == code).sum() == (pdg == code).sum()
    charged = np.abs(seen.pdg) == 211
    of_tracks = np.isin(pdg, (211, -211))
    assert seen.momentum[charged][:, :3] == pytest.approx(sent.momentum[of_tracks][:, :3], rel=1e-6)


def test_without_tracks_nothing_is_lost_either():
    rng = generator(3, "calorimeter")
    n = 3000
    sent = particles(211, rng.uniform(2, 50, n), rng.uniform(-2, 2, n), rng.uniform(-3, 3, n), np.arange(n) % 50)
    sent = Particles(50, np.sort(sent.event), sent.pdg, sent.momentum)
    blind = Detector(Tracker(hadrons=NEVER), IDEAL.ecal, IDEAL.hcal, compensation=1.0)
    seen = respond(sent, blind, rng)
    assert set(np.unique(seen.particles.pdg)) == {22, 130}
    assert seen.particles.momentum[:, 3].sum() == pytest.approx(sent.momentum[:, 3].sum())
    assert len(seen.tracks) == 0


def test_efficiency_and_resolution_of_tracks_are_those_asked_for():
    n = 40_000
    tracker = Tracker(
        hadrons=Efficiency((1.0, 2.0), (1.0,), ((0.9,), (0.6,))), edges=(9.0,), constant=(0.03,), slope=(1e-3,)
    )
    sent = particles(211, np.full(n, 40.0), np.where(np.arange(n) % 2, 0.5, -1.5), 0.0)
    tracks = respond(sent, Detector(tracker), generator(4, "tracks")).tracks
    central = np.abs(tracks.eta) < 1
    assert central.sum() == pytest.approx(0.9 * n / 2, abs=5 * np.sqrt(0.09 * n / 2))
    assert (~central).sum() == pytest.approx(0.6 * n / 2, abs=5 * np.sqrt(0.24 * n / 2))
    assert tracks.pt.mean() == pytest.approx(40.0, rel=2e-3)
    assert tracks.pt.std() / 40.0 == pytest.approx(0.05, rel=0.03)
    assert (tracks.eta[central] - 0.5).std() == pytest.approx(tracker.angle, rel=0.05)


@pytest.mark.parametrize("energy", [5.0, 50.0])
def test_photons_have_the_resolution_of_the_ecal_and_stay_in_their_cell(energy):
    n, eta = 20_000, 0.4
    sent = particles(22, np.full(n, energy / np.cosh(eta)), eta, 1.0)
    seen = respond(sent, Detector(), generator(5, "photons")).particles
    sigma = np.sqrt(0.028**2 * energy + (0.003 * energy) ** 2 + 0.12**2)
    assert (seen.pdg == 22).all()
    assert seen.momentum[:, 3].mean() == pytest.approx(energy, abs=5 * sigma / np.sqrt(n))
    assert seen.momentum[:, 3].std() == pytest.approx(sigma, rel=0.03)
    assert np.abs(seen.eta - eta).max() < 1.479 / 85
    assert seen.eta.std() == pytest.approx(1.479 / 85 / np.sqrt(12), rel=0.03)


def test_a_photon_on_a_track_is_seen_by_its_excess():
    """Pion and photon in the same cell, no fluctuations: the excess over the track is the photon."""
    sent = particles([211, 22], [20.0, 7.0], 0.31, 0.2, [0, 0], mass=0.0)
    still = Detector(PERFECT, IDEAL.ecal, IDEAL.hcal, compensation=1.0, showering=0.0, crossing=0.0)
    straight = Detector(Tracker(**{**vars(PERFECT), "field": 0.0}), *list(vars(still).values())[1:])
    seen = respond(sent, straight, generator(6, "excess")).particles
    assert sorted(seen.pdg.tolist()) == [22, 211]
    assert seen.momentum[seen.pdg == 22, 3] == pytest.approx(7.0 * np.cosh(0.31), rel=1e-3)
    deep = respond(particles([211, 130], [20.0, 7.0], 0.31, 0.2, [0, 0]), straight, generator(6, "excess")).particles
    assert deep.momentum[deep.pdg == 130, 3] == pytest.approx(7.0 * np.cosh(0.31), rel=1e-3)


def test_response_to_hadrons_follows_the_power_law():
    detector = Detector()
    n, energy = 20_000, 100.0
    sent = particles(130, np.full(n, energy), 0.0001, np.linspace(-3, 3, n))
    seen = respond(sent, detector, generator(7, "hadrons"))
    total = seen.ecal.energy.sum() + seen.hcal.energy.sum()
    expected = 1 - (1 - detector.compensation) * energy**-0.15
    assert total / (n * energy) == pytest.approx(expected, rel=0.01)


def test_cells_cover_the_sphere_once_and_give_their_centres_back():
    cells = cells_of(CMS_ECAL)
    number = np.arange(cells.count)
    eta, phi = cells.position(number)
    assert (cells.number(eta, phi) == number).all()
    drawn = cells.position(number, generator(8, "cells"))
    assert (cells.number(*drawn) == number).all()
    assert (cells.number(np.array([-5.3, 5.3, np.nan]), np.zeros(3)) == -1).all()
    assert eta.min() < -5
    assert np.abs(np.sort(eta) + np.sort(eta)[::-1]).max() < 1e-9


def test_thresholds_and_significance_hide_cells():
    grid = Calorimeter((Region(1.0, 2, 4, 1.0, 0.0, 0.0, 0.5),), significance=2.0)
    event, cell = np.array([0, 0, 0, 1, 1]), np.array([3, 3, 5, 3, 6])
    read = deposit(grid, event, cell, np.array([2.5, 2.0, 3.9, 0.4, 9.0]))
    # 2 sigma = 2 sqrt(E) passes from 4 GeV on; 0.4 GeV is below the threshold
    assert read.event.tolist() == [0, 1]
    assert read.cell.tolist() == [3, 6]
    assert read.energy.tolist() == [4.5, 9.0]


def test_touching_cells_go_to_their_maximum_across_phi_and_not_across_events():
    grid = Calorimeter((Region(1.0, 2, 8, 0.0, 0.0, 0.0, 0.0),))
    count = cells_of(grid).count
    key = np.array([0, 1, 4, 7, count + 0])
    head = clusters(grid, Deposits(key, np.array([5.0, 2.0, 3.0, 6.0, 1.0]), count))
    assert head.tolist() == [3, 3, 2, 3, 4]
    equal = clusters(grid, Deposits(np.array([0, 1, 2]), np.ones(3), count))
    assert equal.tolist() == [0, 0, 0]


def test_rings_on_both_sides_do_not_touch():
    """Beyond the first region, cells next to the middle of the numbering lie at opposite ends of the detector."""
    ring = Region(2.0, 4, 8, 0.0, 0.0, 0.0, 0.0)
    detector = Calorimeter((Region(1.0, 4, 8, 0.0, 0.0, 0.0, 0.0), ring))
    cells = cells_of(detector)
    for eta, expected in ((1.01, [0, 1]), (0.01, [1, 1])):
        cell = cells.number(np.array([-eta, eta]), np.array([0.1, 0.1]))
        assert clusters(detector, Deposits(cell, np.array([5.0, 9.0]), cells.count)).tolist() == expected


def test_lognormal_keeps_mean_and_width_and_zero():
    drawn = lognormal(np.full(200_000, 2.0), np.full(200_000, 1.5), generator(9, "lognormal"))
    assert drawn.mean() == pytest.approx(2.0, rel=0.01)
    assert drawn.std() == pytest.approx(1.5, rel=0.03)
    assert drawn.min() > 0
    assert lognormal(np.zeros(2), np.ones(2), generator(1)).tolist() == [0.0, 0.0]


def test_events_without_particles_and_unseen_ones():
    sent = particles([12, 1_000_022, 22], [50.0, 50.0, 5.0], 0.3, 0.0, [0, 0, 2])
    seen = respond(sent, Detector(), generator(10, "few"))
    assert seen.particles.events == 3
    assert set(seen.particles.event) == {2}
    nothing = Particles(4, np.empty(0, int), np.empty(0, int), np.empty((0, 4)))
    assert len(respond(nothing, Detector(), generator(10, "few")).particles) == 0


def test_momenta_that_are_not_finite_are_refused():
    sent = particles(22, [5.0, np.nan], 0.3, 0.0)
    with pytest.raises(FacsimError, match="particle 1 has the momentum"):
        respond(sent, Detector(), generator(1))


def test_parts_that_cannot_be():
    ring = CELLS[0]
    for regions, message in (((), "increase"), ((ring, ring), "increase"), ((replace(ring, cells=0),), "one cell")):
        with pytest.raises(FacsimError, match=message):
            Calorimeter(regions)
    with pytest.raises(FacsimError, match=r"has \[1, 3, 3\]"):
        Tracker(edges=(1.0,))
    with pytest.raises(FacsimError, match="positive radius"):
        Tracker(radius=0.0)


@pytest.mark.parametrize(
    ("eta", "pt", "value", "message"),
    [
        ((1.0,), (1.0, 2.0), ((0.5,),), "needs 1 rows of 2 values"),
        ((2.0, 1.0), (1.0,), ((0.5,), (0.5,)), "must increase"),
        ((1.0,), (1.0,), ((1.5,),), "between 0 and 1"),
    ],
)
def test_efficiencies_that_cannot_be(eta, pt, value, message):
    with pytest.raises(FacsimError, match=message):
        Efficiency(eta, pt, value)
