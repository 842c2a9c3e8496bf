"""Deposits to cells: frames, cells and steps by closed form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from facsim.simulate.detector_files import load_detector
from facsim.simulate.geant4 import (
    Deposits,
    bin_shower,
    direction,
    event_seed,
    particle_frame,
    split_steps,
    world_definition,
)

ANGLES = (st.floats(0, 1.2), st.floats(-np.pi, np.pi))
STRAIGHT = np.array([1000.0, 0.0, 0.0, 0.0, 0.0, 11.0])


@given(*ANGLES)
def test_the_frame_turns_the_particle_onto_the_axis(theta: float, phi: float) -> None:
    frame = particle_frame(theta, phi)
    np.testing.assert_allclose(frame @ direction(theta, phi), [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(frame @ frame.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(frame) == pytest.approx(1)
    assert np.trace(frame) == pytest.approx(1 + 2 * np.cos(theta))  # a rotation by theta and no more


@given(st.floats(-np.pi, np.pi))
def test_straight_on_the_frame_is_the_detector(phi: float) -> None:
    np.testing.assert_allclose(particle_frame(0.0, phi), np.eye(3), atol=1e-15)


@pytest.mark.parametrize("preset", ["par04-w-si", "par04-w-si-ds3", "pbwo4", "pb-lar-ds1"])
def test_every_cell_centre_falls_in_its_cell(preset: str) -> None:
    detector = load_detector(preset)
    geometry, edges = detector.geometry(), detector.readout.z_edges
    z = (0.5 * (edges[1:] + edges[:-1]))[geometry.layer_index]
    points = np.stack([geometry.x, geometry.y, z], axis=1)
    np.testing.assert_array_equal(detector.readout.cell_index(points), np.arange(geometry.n_cells))
    assert detector.readout.n_cells == geometry.n_cells


def test_outside_the_cylinder_is_no_cell() -> None:
    detector = load_detector("par04-w-si")
    depth, radius = detector.depth, 9 * 4.65
    points = np.array(
        [[0.0, 0, -0.1], [0, 0, depth + 0.1], [radius + 0.01, 0, 1], [0, 0, -1e-9], [radius - 0.01, 0, 1]]
    )
    index = detector.readout.cell_index(points)
    assert index[:3].tolist() == [-1, -1, -1]
    assert np.all(index[3:] >= 0)


@given(
    arrays(np.float64, (7, 3), elements=st.floats(-20, 20)),
    arrays(np.float64, (7, 3), elements=st.floats(-20, 20)),
    arrays(np.float64, 7, elements=st.floats(0, 10)),
    st.floats(0.1, 30),
)
@settings(max_examples=50)
def test_cut_steps_keep_energy_centre_and_length(
    start: np.ndarray, end: np.ndarray, energy: np.ndarray, longest: float
) -> None:
    points, parts = split_steps(Deposits(start, end, energy), longest)
    assert parts.sum() == pytest.approx(energy.sum(), abs=1e-9)
    middle = (energy[:, None] * (start + end) / 2).sum(0)
    np.testing.assert_allclose((parts[:, None] * points).sum(0), middle, atol=1e-7)
    wanted = np.maximum(np.ceil(np.linalg.norm(end - start, axis=1) / longest), 1).sum()
    assert len(points) == wanted


def test_a_long_step_is_shared_between_the_cells_it_crosses() -> None:
    detector = load_detector("pbwo4")
    track = Deposits(np.array([[1.0, 0, 0]]), np.array([[1.0, 0, 240.0]]), np.array([240.0]))
    cells = bin_shower(track, detector, STRAIGHT)
    np.testing.assert_allclose(detector.geometry().layer_sum(cells[None])[0], 10.0, rtol=1e-6)


def test_sampling_fraction_and_threshold() -> None:
    detector = load_detector("par04-w-si")
    points = np.array([[1.0, 1, 1], [10, 0, 5], [10, 0, 5]])
    cells = bin_shower(Deposits(points, points, np.array([0.0004, 0.0003, 0.0003])), detector, STRAIGHT)
    assert np.count_nonzero(cells) == 1  # 0.4 keV alone is below the 0.5 keV threshold, 0.6 keV in one cell is not
    assert cells.sum() == pytest.approx(0.0006 / 0.033)


def test_the_cylinder_follows_entry_point_and_direction() -> None:
    detector = load_detector("pbwo4")
    row = np.array([1000.0, 0.5, 2.0, 12.0, -7.0, 11.0])
    along = np.linspace(0.1, 239.9, 200)[:, None] * direction(0.5, 2.0) + np.array([12.0, -7.0, 0.0])
    cells = bin_shower(Deposits(along, along, np.ones(200)), detector, row)
    geometry = detector.geometry()
    assert cells.sum() == pytest.approx(200)
    assert np.all(geometry.ring_index[cells > 0] == 0)


def test_no_deposit_is_an_empty_shower() -> None:
    nothing = Deposits(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0))
    assert not bin_shower(nothing, load_detector("par04-w-si"), STRAIGHT).any()


def test_event_seeds_are_odd_and_differ() -> None:
    seeds = [event_seed(1, i) for i in range(500)] + [event_seed(2, i) for i in range(500)]
    assert all(seed % 2 == 1 and 0 < seed < 2**128 for seed in seeds)
    assert len({seed // 2 for seed in seeds}) == 1000


def test_the_world_holds_the_layers_where_they_belong() -> None:
    world = world_definition(load_detector("par04-w-si"))["World"]
    active = [volume for name, volume in world.items() if name.startswith("L") and "role" in volume]
    assert len(active) == 90
    assert {volume["material"] for volume in active} == {"G4_Si"}
    assert active[0]["position"][2] == pytest.approx(0.155)
    assert active[-1]["position"][2] + active[-1]["box"][2] / 2 == pytest.approx(15.3)
    assert all(size > inner for size, inner in zip(world["box"], (100, 100, 2 * 15.3), strict=True))
