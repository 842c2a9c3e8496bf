"""Geometries and units against the numbers of the CaloChallenge's paper and files."""

from __future__ import annotations

import math

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.physics.geometries import GEOMETRIES, find_geometry
from facsim.physics.units import BASE, to_base

EXPECTED = {
    "ds1-photons": ("photon", 368, {0: (8, 1), 1: (16, 10), 2: (19, 10), 3: (5, 1), 12: (5, 1)}, 1.0),
    "ds1-pions": (
        "pion",
        533,
        {0: (8, 1), 1: (10, 10), 2: (10, 10), 3: (5, 1), 12: (15, 10), 13: (16, 10), 14: (10, 1)},
        1.0,
    ),
    "ds2-electrons": ("electron", 6480, dict.fromkeys(range(45), (9, 16)), 0.0151515),
    "ds3-electrons": ("electron", 40500, dict.fromkeys(range(45), (18, 50)), 0.0151515),
}


def test_there_are_the_four() -> None:
    assert set(GEOMETRIES) == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_published_numbers(name: str) -> None:
    particle, cells, layers, threshold = EXPECTED[name]
    geometry = GEOMETRIES[name]
    assert (geometry.name, geometry.particle, geometry.n_cells) == (name, particle, cells)
    assert {la.id: (la.n_r, la.n_alpha) for la in geometry.layers} == layers
    assert geometry.threshold == pytest.approx(threshold, rel=1e-4)
    assert find_geometry(name) is geometry
    assert find_geometry(cells) is geometry


@pytest.mark.parametrize(("name", "dr"), [("ds2-electrons", 4.65), ("ds3-electrons", 2.325)])
def test_regular_sets_reach_41_85_mm(name: str, dr: float) -> None:
    edges = np.array(GEOMETRIES[name].layers[0].r_edges)
    np.testing.assert_allclose(np.diff(edges), dr, rtol=1e-9)
    assert edges[-1] == 41.85


def test_unknown_geometry_lists_the_known() -> None:
    with pytest.raises(FacsimError, match=r"no built-in geometry with 6481 cells; there are ds1-photons \(368 cells\)"):
        find_geometry(6481)
    with pytest.raises(FacsimError, match="no built-in geometry 'ds4'"):
        find_geometry("ds4")


@pytest.mark.parametrize(
    ("unit", "expected"),
    [("GeV", (1000.0, "MeV")), ("keV", (0.001, "MeV")), ("cm", (10.0, "mm")), ("deg", (math.pi / 180, "rad"))],
)
def test_units(unit: str, expected: tuple[float, str]) -> None:
    assert to_base(unit) == expected


def test_facsim_units_are_their_own_and_the_empty_unit_stays() -> None:
    assert all(to_base(base) == (1.0, base) for base in BASE)
    assert to_base("") == (1.0, "")


def test_unknown_unit_lists_the_known() -> None:
    with pytest.raises(FacsimError, match=r"unknown unit 'gev': expected one of \['eV', 'keV', 'MeV'"):
        to_base("gev")
