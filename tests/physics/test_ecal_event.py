"""Windows of showers on the calorimeter's map: places, borders of zones, overlaps, flight to the face."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.physics.ecal_event import MAGNET_KICK, Particles, accepted, at_face, merge_windows, place_windows, summed
from facsim.physics.ecal_map import LHCB

SIDE = 30
points = st.tuples(st.floats(-3800, 3800), st.floats(-3100, 3100))


def centres_of(windows_row: int, windows_column: int) -> tuple[np.ndarray, np.ndarray]:
    """x and y of the fine cells of a window, from the definition of the fine grid alone."""
    rows, columns = LHCB.table.shape
    y = (windows_row + np.arange(SIDE) + 0.5 - rows / 2) * LHCB.pitch
    x = (windows_column + np.arange(SIDE) + 0.5 - columns / 2) * LHCB.pitch
    return np.tile(x, SIDE), np.repeat(y, SIDE)


@given(points, st.sampled_from([29, 30]))
def test_a_window_is_about_its_point(point: tuple[float, float], size: int) -> None:
    windows = place_windows(np.array([point]), size, LHCB)
    assert np.all(np.abs(windows.local) <= LHCB.pitch / 2 + 1e-9)
    rows, columns = LHCB.table.shape
    middle = np.array([windows.column[0] + size / 2 - columns / 2, windows.row[0] + size / 2 - rows / 2]) * LHCB.pitch
    np.testing.assert_allclose(middle + windows.local[0], point, atol=1e-8)


@given(points, st.integers(0, 2**31))
def test_each_fine_cell_goes_to_the_cell_it_lies_in(point: tuple[float, float], seed: int) -> None:
    energy = np.random.default_rng(seed).exponential(5.0, (1, SIDE * SIDE))
    windows = place_windows(np.array([point]), SIDE, LHCB)
    hits = merge_windows(energy, windows, np.array([7]), LHCB)
    cell = LHCB.find(*centres_of(int(windows.row[0]), int(windows.column[0])))
    expected = np.bincount(cell[cell >= 0], weights=energy[0, cell >= 0], minlength=LHCB.n_cells)
    assert set(hits.event.tolist()) <= {7}
    np.testing.assert_allclose(np.bincount(hits.cell, hits.energy, LHCB.n_cells), expected, atol=1e-9)


def test_a_window_over_a_border_of_zones_fills_cells_of_both() -> None:
    point = np.array([[48 * 20.2, 0.0]])
    hits = merge_windows(np.ones((1, SIDE**2)), place_windows(point, SIDE, LHCB), np.zeros(1, dtype=np.int64), LHCB)
    assert sorted(np.unique(LHCB.zone[hits.cell]).tolist()) == [0, 1]
    np.testing.assert_allclose(hits.energy.sum(), SIDE**2)
    whole = hits.energy[LHCB.zone[hits.cell] == 0]
    assert whole.max() == 4  # an inner cell is made of 2 x 2 fine cells


def test_overlaps_add_up_and_events_stay_apart() -> None:
    point = np.array([[1000.0, 900.0], [1030.0, 905.0], [1000.0, 900.0]])
    energy = np.random.default_rng(3).exponential(5.0, (3, SIDE**2))
    windows, event = place_windows(point, SIDE, LHCB), np.array([0, 0, 4])
    hits = merge_windows(energy, windows, event, LHCB)
    np.testing.assert_allclose(hits.of(0).energy.sum(), energy[:2].sum())
    np.testing.assert_allclose(hits.of(4).energy.sum(), energy[2].sum())
    assert np.all(np.diff(hits.event * LHCB.n_cells + hits.cell) > 0)
    parts = [
        merge_windows(energy[k : k + 1], place_windows(point[k : k + 1], SIDE, LHCB), event[k : k + 1], LHCB)
        for k in range(3)
    ]
    joined = summed(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("event", "cell", "energy")), LHCB
    )
    np.testing.assert_allclose(joined.energy, hits.energy)
    assert len(hits.above(5.0)) == np.count_nonzero(hits.energy >= 5.0)


def test_photons_fly_straight_and_electrons_are_bent() -> None:
    momentum = np.array([[300.0, -200.0, 10_000.0]] * 3)
    there = at_face(np.arange(3), np.array([22, 11, -11]), momentum, np.zeros((3, 3)), LHCB)
    np.testing.assert_allclose(there.point[0], [0.03 * LHCB.z, -0.02 * LHCB.z])
    np.testing.assert_allclose(there.energy, np.linalg.norm(momentum, axis=1))
    np.testing.assert_allclose(there.momentum[1:, 0], 300 + np.array([-1, 1]) * MAGNET_KICK)
    np.testing.assert_allclose(there.point[1:, 0] - there.point[0, 0], [-883, 893], atol=12)


def test_only_what_hits_a_cell_in_the_range_is_accepted() -> None:
    momentum = np.array([[0.0, 0.0, 5000.0]] * 3 + [[0.0, 0.0, 100.0], [2500.0, 0.0, 5000.0]])
    point = np.array([[0.0, 0.0], [500.0, 0.0], [9999.0, 0.0], [500.0, 0.0], [500.0, 0.0]])
    particles = Particles(np.arange(5), np.full(5, 22), momentum, point)
    assert accepted(particles, LHCB, (1000.0, 1e5), 0.3).tolist() == [False, True, False, False, False]


def test_broken_input_is_told() -> None:
    one = np.zeros(1, dtype=np.int64)
    with pytest.raises(FacsimError, match="must fly towards the calorimeter"):
        at_face(one, one, np.array([[0.0, 0.0, -1.0]]), np.zeros((1, 3)), LHCB)
    with pytest.raises(FacsimError, match="must be finite"):
        at_face(one, one, np.array([[0.0, np.nan, 1.0]]), np.zeros((1, 3)), LHCB)
    windows = place_windows(np.array([[500.0, 500.0]]), SIDE, LHCB)
    with pytest.raises(FacsimError, match="must be square, row by row, and has 899 cells"):
        merge_windows(np.ones((1, 899)), windows, one, LHCB)
    with pytest.raises(FacsimError, match="must be finite"):
        merge_windows(np.full((1, 900), np.inf), windows, one, LHCB)
