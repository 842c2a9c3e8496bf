"""Showers placed into an event's read-out: energy kept, nothing moved that need not, moved ones where they belong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facsim.simulate.detector_files import load_detector
from facsim.simulate.geant4 import direction, particle_frame
from facsim.simulate.hook.placement import Placement, frames
from facsim.simulate.hook.records import Records, make_records

DETECTOR = load_detector("par04-w-si")
GEOMETRY = DETECTOR.geometry()
PLACEMENT = Placement(DETECTOR.readout, GEOMETRY)
DEPTH = DETECTOR.readout.depth


def start(n: int, position: Any = (0.0, 0.0, 0.0), along: Any = (0.0, 0.0, 1.0)) -> Records:
    return make_records(np.zeros(n), np.full(n, 11), np.full(n, 1e4), [position] * n, [along] * n)


def showers(n: int, seed: int = 1) -> np.ndarray[Any, np.dtype[np.float32]]:
    rng = np.random.default_rng(seed)
    return np.where(rng.random((n, GEOMETRY.n_cells)) < 0.1, rng.exponential(1.0, (n, GEOMETRY.n_cells)), 0.0).astype(
        np.float32
    )


def placed(cells: Any, where: Records, events: int = 1, event: Any = None) -> Any:
    into = np.zeros((events, GEOMETRY.n_cells), dtype=np.float32)
    rows = np.zeros(len(cells), dtype=np.int64) if event is None else np.asarray(event)
    PLACEMENT.add(into, rows, cells, where, np.random.default_rng(5))
    return into


@given(st.integers(0, 10_000))
def test_what_is_not_moved_stays_as_it_is(seed: int) -> None:
    cells = showers(1, seed)
    np.testing.assert_array_equal(placed(cells, start(1)), cells)


def test_layers_that_differ_stay_as_they_are_too() -> None:
    detector = load_detector("pb-lar-ds1")
    geometry = detector.geometry()
    cells = np.random.default_rng(1).random((3, geometry.n_cells)).astype(np.float32)
    into = np.zeros_like(cells)
    Placement(detector.readout, geometry).add(into, np.arange(3), cells, start(3), np.random.default_rng(1))
    np.testing.assert_array_equal(into, cells)


def test_showers_add_up_in_their_events() -> None:
    cells = showers(3)
    found = placed(cells, start(3), events=2, event=[1, 0, 1])
    np.testing.assert_allclose(found, [cells[1], cells[0] + cells[2]], rtol=1e-6)


def test_whole_layers_move_exactly_and_what_leaves_the_read_out_is_lost() -> None:
    cells = showers(1)
    moved = placed(cells, start(1, (0, 0, 2 * DEPTH)))
    layers = GEOMETRY.layer_sum(cells)[0]
    np.testing.assert_allclose(GEOMETRY.layer_sum(moved)[0], [0, 0, *layers[:-2]], rtol=1e-5)
    assert moved.sum() == pytest.approx(layers[:-2].sum(), rel=1e-5)


def test_parts_of_a_layer_move_right_on_average_and_keep_energies_of_cells() -> None:
    n = 4000
    cells = np.zeros((n, GEOMETRY.n_cells), dtype=np.float32)
    cells[:, GEOMETRY.offsets[10]] = 7.0
    found = placed(cells, start(n, (0, 0, 1.3 * DEPTH)), events=n, event=np.arange(n))
    layer = GEOMETRY.layer_index[found.argmax(axis=1)]
    assert set(layer) == {11, 12}
    assert layer.mean() == pytest.approx(11.3, abs=4 * 0.46 / np.sqrt(n))
    assert set(found[found > 0]) == {7.0}


@given(st.floats(-8, 8), st.floats(-8, 8))
def test_a_shower_off_the_axis_keeps_its_energy_and_its_centre_moves_along(x: float, y: float) -> None:
    inner = np.where(GEOMETRY.r < 20, showers(1, 3), 0.0).astype(np.float32)
    found = placed(inner, start(1, (x, y, 0.0)))
    assert found.sum() == pytest.approx(inner.sum(), rel=1e-5)
    centre = [(found @ one / found.sum() - inner @ one / inner.sum())[0] for one in (GEOMETRY.x, GEOMETRY.y)]
    np.testing.assert_allclose(centre, [x, y], atol=0.8)  # a few hundred cells of 4.65 mm


def test_a_tilted_shower_leans_as_its_particle() -> None:
    theta, phi = 0.08, 0.7
    inner = np.where(GEOMETRY.r < 15, showers(40, 4), 0.0).astype(np.float32)
    found = placed(inner, start(40, along=direction(theta, phi)))[0]
    z = (GEOMETRY.layer_index + 0.5) * DEPTH
    for one, lean in ((GEOMETRY.x, np.cos(phi)), (GEOMETRY.y, np.sin(phi))):
        slope = np.polyfit(z, one, 1, w=np.sqrt(found))[0]
        assert slope == pytest.approx(np.tan(theta) * lean, abs=0.01)


@given(st.floats(0, 1.2), st.floats(-3.1, 3.1))
def test_frames_are_those_of_full_simulation(theta: float, phi: float) -> None:
    along = direction(theta, phi)
    found = frames(along[None])[0]
    np.testing.assert_allclose(found, particle_frame(theta, phi).T, atol=1e-12)
    np.testing.assert_allclose(found @ [0, 0, 1], along, atol=1e-12)
