"""Images of events: energies are kept, and lie where the particles went."""

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.core.rng import generator
from facsim.physics.dark_detector import DARK_DETECTOR
from facsim.physics.dark_schema import raster
from facsim.physics.detector import respond
from facsim.physics.detector_cells import cells_of
from facsim.physics.detector_images import CHANNELS, Raster, images
from facsim.physics.detector_settings import Detector, Tracker
from facsim.physics.particles import Particles


def test_images_keep_energies_and_events():
    rng = generator(1, "images")
    n = 500
    eta, phi, pt = rng.uniform(-2.4, 2.4, n), rng.uniform(-np.pi, np.pi, n), rng.uniform(1, 30, n)
    momentum = np.stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), pt * np.cosh(eta)], axis=1)
    sent = Particles(5, np.sort(np.arange(n) % 5), rng.choice([211, 22, 130], n), momentum)
    detector = Detector()
    seen = respond(sent, detector, rng)
    image = images(seen, detector, Raster(largest_eta=3.0, sectors=72, rows=58))
    assert image.shape == (5, 72, 58, len(CHANNELS))
    tracks = np.bincount(seen.tracks.event, seen.tracks.pt, 5)
    assert image[..., 0].sum(axis=(1, 2)) == pytest.approx(tracks, rel=1e-5)
    by_event = np.bincount(seen.hcal.event, minlength=5)
    assert (image[..., 2] > 0).sum() <= len(seen.hcal)
    assert ((image[..., 2] > 0).sum(axis=(1, 2)) > 0.3 * by_event).all()


def test_a_photon_is_in_its_pixel():
    pt, eta, phi = 20.0, 1.0, 0.5
    momentum = np.array([[pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), pt * np.cosh(eta)]])
    detector = Detector(Tracker())
    seen = respond(Particles(1, np.array([0]), np.array([22]), momentum), detector, generator(2, "photon"))
    image = images(seen, detector, Raster(rows=20, sectors=36))[0]
    sector, row, channel = np.argwhere(image)[0]
    assert (image > 0).sum() == 1
    assert CHANNELS[channel] == "ecal"
    assert row == int((eta + 2.5) / 5.0 * 20)
    assert sector == int((phi + np.pi) / (2 * np.pi) * 36)
    assert image.sum() == pytest.approx(pt, rel=0.1)


def shot(n, seed, pdg=(211, 22, 130), events=4):
    rng = generator(seed, "shot")
    eta, phi, pt = rng.uniform(-2.9, 2.9, n), rng.uniform(-np.pi, np.pi, n), rng.uniform(1, 60, n)
    momentum = np.stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), 1.01 * pt * np.cosh(eta)], axis=1)
    return Particles(events, np.sort(np.arange(n) % events), rng.choice(pdg, n), momentum)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_down_sampling_keeps_sums_and_is_that_of_five_by_five_pixels(seed):
    seen = respond(shot(800, seed), DARK_DETECTOR, generator(seed, "detector"))
    fine, coarse = (images(seen, DARK_DETECTOR, raster(down)) for down in (1, 5))
    assert fine.shape == (4, 360, 286, 3)
    assert coarse.shape == (4, 72, 58, 3)
    # two columns of zeros at either end make 290 of 286
    padded = np.pad(fine, ((0, 0), (0, 0), (2, 2), (0, 0)))
    assert padded.reshape(4, 72, 5, 58, 5, 3).sum(axis=(2, 4)) == pytest.approx(coarse, rel=1e-5, abs=1e-5)
    assert coarse.sum(axis=(1, 2)) == pytest.approx(fine.sum(axis=(1, 2)), rel=1e-5)


def test_an_hcal_cell_is_spread_over_its_pixels():
    seen = respond(shot(1, 5, (130,), 1), DARK_DETECTOR, generator(5, "detector"))
    fine = images(seen, DARK_DETECTOR, raster(1))[0, ..., 2]
    assert (fine > 0).sum() == 25
    assert np.ptp(fine[fine > 0]) < 1e-6
    rows, columns = np.nonzero(fine)
    assert np.ptp(rows) == np.ptp(columns) == 4
    eta, _ = cells_of(DARK_DETECTOR.hcal).position(seen.hcal.cell)
    assert fine.sum() == pytest.approx(seen.hcal.energy[0] / np.cosh(eta[0]), rel=1e-5)


def test_outer_tracks_lie_where_charged_particles_meet_the_calorimeters():
    sent = shot(400, 7, (211,))
    seen = respond(sent, DARK_DETECTOR, generator(7, "detector"))
    assert np.array_equal(seen.tracks.event, sent.event[seen.source])
    at_origin = images(seen, DARK_DETECTOR, Raster(largest_eta=2.49, sectors=72, rows=58))[..., 0]
    outer = images(seen, DARK_DETECTOR, Raster(largest_eta=2.49, sectors=72, rows=58, outer=True))[..., 0]
    hit = images(seen, DARK_DETECTOR, Raster(largest_eta=2.49, sectors=72, rows=58))[..., 2] > 0
    # the field moves tracks to the cells that their particles hit
    assert (outer[hit] > 0).mean() > 0.65
    assert (outer[hit] > 0).mean() > (at_origin[hit] > 0).mean() + 0.2


def test_tracks_may_be_left_out():
    seen = respond(shot(400, 8), DARK_DETECTOR, generator(8, "detector"))
    chosen = seen.tracks.event == 1
    image = images(seen, DARK_DETECTOR, raster(5), chosen)
    assert (image[..., 0].sum(axis=(1, 2)) > 0).tolist() == [False, True, False, False]
    assert (image[..., 1].sum(axis=(1, 2)) > 0).all()


def test_edges_of_pixels():
    phi, eta = raster(5).edges()
    assert phi[[0, -1]] == pytest.approx([-np.pi, np.pi])
    assert eta[[0, -1]] == pytest.approx([-29 * 5 * 0.01745, 29 * 5 * 0.01745])
    phi, eta = raster(1).edges()
    assert len(eta) == 287
    assert eta[[0, -1]] == pytest.approx([-143 * 0.01745, 143 * 0.01745])


def test_an_image_needs_pixels():
    with pytest.raises(FacsimError, match="an image needs pixels"):
        Raster(down=0)
