"""Images of events: energies are kept, and lie where the particles went."""

import numpy as np
import pytest

from facsim.core.rng import generator
from facsim.physics.detector import respond
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
