"""The cell map of the calorimeter: the known numbers of cells, look-up, neighbours, area."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.physics.ecal_map import LHCB, CellMap, Zone


def test_lhcb_has_its_6016_cells_in_three_zones() -> None:
    assert np.bincount(LHCB.zone).tolist() == [1536, 1792, 2688]
    assert LHCB.n_cells == 6016
    np.testing.assert_allclose(np.unique(LHCB.size), [40.4, 60.6, 121.2])
    np.testing.assert_allclose(LHCB.half_size, (3878.4, 3151.2))


def test_cells_cover_the_face_but_the_hole() -> None:
    width, height = LHCB.half_size
    hole = 4 * 16 * 12 * 20.2**2
    np.testing.assert_allclose(np.sum(LHCB.size**2), 4 * width * height - hole)
    assert LHCB.find(np.array([0.0, 322.0, -3879.0, 0.0]), np.array([0.0, 241.0, 0.0, 3152.0])).tolist() == [-1] * 4
    assert np.all(LHCB.find(np.array([324.0, 0.0]), np.array([0.0, 243.0])) >= 0)


def test_every_cell_is_found_at_its_centre_and_the_map_is_symmetric() -> None:
    x, y = LHCB.centres.T
    assert np.array_equal(LHCB.find(x, y), np.arange(LHCB.n_cells))
    for sx, sy in ((-1, 1), (1, -1), (-1, -1)):
        mirrored = LHCB.find(sx * x, sy * y)
        np.testing.assert_allclose(LHCB.centres[mirrored], np.stack([sx * x, sy * y], axis=1), atol=1e-9)
        assert np.array_equal(LHCB.zone[mirrored], LHCB.zone)


@given(st.floats(-3878, 3878), st.floats(-3151, 3151))
def test_a_point_lies_inside_of_its_cell(x: float, y: float) -> None:
    cell = int(LHCB.find(np.array([x]), np.array([y]))[0])
    if cell < 0:
        assert abs(x) <= 16 * 20.2
        assert abs(y) <= 12 * 20.2
    else:
        assert np.all(np.abs(LHCB.centres[cell] - (x, y)) <= LHCB.size[cell] / 2 + 1e-9)


def test_neighbours_touch_and_are_mutual() -> None:
    cell, place = np.nonzero(LHCB.neighbours >= 0)
    other = LHCB.neighbours[cell, place]
    reach = (LHCB.size[cell] + LHCB.size[other]) / 2
    distance = np.abs(LHCB.centres[cell] - LHCB.centres[other]).max(axis=1)
    np.testing.assert_allclose(distance, reach)  # the squares share a side or corner
    pairs = set(zip(cell.tolist(), other.tolist(), strict=True))
    assert pairs == {(b, a) for a, b in pairs}


def test_neighbours_count_eight_inside_a_zone_and_more_at_its_border() -> None:
    count = (LHCB.neighbours >= 0).sum(axis=1)
    inside = LHCB.find(np.array([2500.0, 1500.0, 700.0]), np.array([2500.0, 900.0, 500.0]))
    assert LHCB.zone[inside].tolist() == [2, 1, 0]
    assert count[inside].tolist() == [8, 8, 8]
    # an outer cell that ends at the middle zone has two middle cells at that side, and one more at each corner
    border = LHCB.find(np.array([96 * 20.2 + 1]), np.array([60.0]))
    assert count[border].tolist() == [5 + 4]
    corner = LHCB.find(np.array([3878.0]), np.array([3151.0]))
    assert count[corner].tolist() == [3]


def test_painting_keeps_the_energy() -> None:
    rng = np.random.default_rng(1)
    cell, energy = rng.integers(0, LHCB.n_cells, 500), rng.exponential(100, 500)
    np.testing.assert_allclose(LHCB.paint(cell, energy).sum(), energy.sum())


def test_broken_maps_and_points_are_told() -> None:
    with pytest.raises(FacsimError, match="zone 'odd' of half size \\(5, 4\\) must hold whole cells of 2 about"):
        CellMap((Zone("odd", 2, (5, 4)),), (2, 2), 20.2, 1.0)
    with pytest.raises(FacsimError, match="must be finite"):
        LHCB.find(np.array([np.nan]), np.array([0.0]))
