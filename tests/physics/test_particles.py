"""Flat particles and charges by PDG number."""

from __future__ import annotations

import numpy as np
import pytest

from facsim.physics.particles import Particles, charges, merged


def test_charges_of_well_known_particles() -> None:
    known = {
        1: -1 / 3, 2: 2 / 3, 11: -1, -13: 1, 12: 0, 22: 0, 24: 1, 211: 1, -211: -1, 111: 0, 321: 1, 130: 0, 310: 0,
        411: 1, 421: 0, 521: 1, 511: 0, 2212: 1, -2212: -1, 2112: 0, 3122: 0, 3112: -1, 3334: -1, 2224: 2,
        1000020040: 2, -1000010020: -1, 2103: 1 / 3,
        1000024: 0, 2000011: 0, 9900012: 0, 9000211: 1, 100211: 1, 990: 0,
    }  # fmt: skip
    np.testing.assert_allclose(charges(np.array(list(known))), list(known.values()))
    assert charges(np.array([[211, 22]])).shape == (1, 2)


def test_charges_are_those_of_pythias_table() -> None:
    table = pytest.importorskip("pythia8mc").Pythia("", False).particleData
    number, found = 1, []
    while number := table.nextId(number):
        found.append(number)
    hadrons = [pdg for pdg in found if 100 <= pdg < 1_000_000 and table.isHadron(pdg)]
    assert len(hadrons) > 200
    np.testing.assert_allclose(charges(np.array(hadrons)), [table.charge(pdg) for pdg in hadrons])


def test_events_are_merged_by_event() -> None:
    one = Particles(3, np.array([0, 2]), np.array([22, 211]), np.array([[3.0, 4, 0, 5], [0, 1, 1, 2]]))
    two = Particles(3, np.array([0, 1]), np.array([11, 13]), np.ones((2, 4)))
    both = merged(3, [one, two])
    np.testing.assert_array_equal(both.event, [0, 0, 1, 2])
    np.testing.assert_array_equal(both.pdg, [22, 11, 13, 211])
    np.testing.assert_array_equal(both.starts, [0, 2, 3, 4])
    np.testing.assert_allclose((one.pt[0], one.eta[1], one.phi[1]), (5.0, np.arcsinh(1), np.pi / 2))
    assert len(both[both.charge != 0]) == 3
