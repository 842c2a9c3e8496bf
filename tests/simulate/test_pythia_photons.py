"""Photons of Pythia's collisions at the calorimeter: acceptance, pions, seeds."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from facsim.core.errors import FacsimError, MissingExtraError
from facsim.physics.ecal_map import LHCB
from facsim.physics.ecal_photons import PION_MASS
from facsim.simulate.pythia_photons import pythia_photons

RANGE = (1e3, 5e4)


def test_unknown_collisions_none_and_a_missing_package_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FacsimError, match="no collisions 'tau': expected one of minimum-bias, charm, beauty"):
        pythia_photons(3, LHCB, RANGE, "tau")
    with pytest.raises(FacsimError, match="at least one collision has to be simulated, not 0"):
        pythia_photons(0, LHCB, RANGE)
    monkeypatch.setitem(sys.modules, "pythia8mc", None)
    with pytest.raises(MissingExtraError, match="'pythia8mc', which is not installed"):
        pythia_photons(1, LHCB, RANGE)


def test_what_reaches_the_calorimeter() -> None:
    pytest.importorskip("pythia8mc")
    told: list[float] = []
    particles, pion = pythia_photons(60, LHCB, RANGE, seed=4, slope=0.35, progress=told.append)
    assert told == [50 / 60, 1.0]
    assert np.all(np.diff(particles.event) >= 0)
    assert particles.event.max() > 50
    assert set(np.abs(particles.pdg).tolist()) <= {11, 22}
    assert np.all(LHCB.find(*particles.point.T) >= 0)
    assert np.all((particles.energy >= RANGE[0]) & (particles.energy <= RANGE[1]))
    assert np.abs(particles.momentum[:, :2] / particles.momentum[:, 2:]).max() <= 0.35
    # photons of one pion have its mass
    number, first, count = np.unique(pion, return_index=True, return_counts=True)
    whole = first[(number >= 0) & (count == 2)]
    photons = np.stack([particles.momentum[whole], particles.momentum[whole + 1]], axis=1)
    both = (particles.pdg[whole] == 22) & (particles.pdg[whole + 1] == 22)
    assert both.sum() > 50
    energy = np.linalg.norm(photons, axis=2).sum(axis=1)
    mass = np.sqrt(energy**2 - np.sum(photons.sum(axis=1) ** 2, axis=1))[both]
    np.testing.assert_allclose(mass, PION_MASS, rtol=1e-3)
    again, same = pythia_photons(60, LHCB, RANGE, seed=4, slope=0.35)
    assert np.array_equal(again.momentum, particles.momentum)
    assert np.array_equal(same, pion)
    assert len(pythia_photons(60, LHCB, RANGE, seed=5, slope=0.35)[0]) != len(particles)
