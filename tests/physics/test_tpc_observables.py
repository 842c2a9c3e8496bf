"""Moments of TPC responses in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.physics.tpc_observables import TPC_QUANTITIES, log_amplitudes, shapes, tpc_observables
from facsim.physics.tpc_window import PAD_LOW, TIME_LOW, WINDOW, as_images, is_tpc, tpc_schema, window_origin

NAMES = [quantity.name for quantity in TPC_QUANTITIES]


def one(**cells: float) -> dict[str, float]:
    image = np.zeros((1, 8, 16))
    for place, value in cells.items():
        pad, time = (int(part) for part in place[1:].split("_"))
        image[0, pad, time] = value
    return dict(zip(NAMES, tpc_observables(image)[0], strict=True))


def test_a_single_cell() -> None:
    found = one(c3_7=99.0)
    assert (found["mean_pad"], found["mean_time"]) == (0, 0)
    assert (found["var_pad"], found["var_time"], found["cov"]) == (0, 0, 0)
    assert (found["log_sum"], found["log_max"]) == (2, 2)
    assert (found["hits"], found["pads"], found["times"]) == (1, 1, 1)


def test_two_cells() -> None:
    found = one(c2_6=10.0, c4_10=30.0)
    assert found["mean_pad"] == pytest.approx(PAD_LOW + 2 * 0.25 + 4 * 0.75)
    assert found["mean_time"] == pytest.approx(TIME_LOW + 6 * 0.25 + 10 * 0.75)
    assert found["var_pad"] == pytest.approx(0.25 * 0.75 * 4)
    assert found["var_time"] == pytest.approx(0.25 * 0.75 * 16)
    assert found["cov"] == pytest.approx(0.25 * 0.75 * 8)
    assert (found["hits"], found["pads"], found["times"]) == (2, 2, 2)


def test_an_empty_response_has_finite_quantities() -> None:
    np.testing.assert_array_equal(tpc_observables(np.zeros((2, 128, 1))), 0)
    np.testing.assert_array_equal(shapes(np.zeros((2, 128))), 0)


@given(st.floats(0.1, 1e4))
def test_moments_do_not_depend_on_the_scale(factor: float) -> None:
    image = np.random.default_rng(3).gamma(0.3, 10, (5, 8, 16))
    a, b = tpc_observables(image), tpc_observables(factor * image)
    np.testing.assert_allclose(a[:, :5], b[:, :5], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(shapes(image), shapes(factor * image))


def test_shapes_and_logarithms() -> None:
    image = np.random.default_rng(4).gamma(0.3, 10, (5, 128, 1))
    np.testing.assert_allclose(shapes(image).sum(axis=1), 1)
    np.testing.assert_allclose(10 ** log_amplitudes(image) - 1, image[..., 0])


def test_other_cells_are_refused() -> None:
    with pytest.raises(FacsimError, match="8 x 16 cells"):
        as_images(np.zeros((3, 100)))
    with pytest.raises(FacsimError, match="four conditions"):
        window_origin(np.zeros((3, 2)))


def test_the_window() -> None:
    pad, time = window_origin(np.array([[0, 0, 40.9, 30.2, 23, 1.0]]))
    assert (pad[0], time[0]) == (27, 33)
    assert WINDOW.image == (8, 16)
    np.testing.assert_allclose(WINDOW.centres[0], np.arange(-3, 5))
    np.testing.assert_allclose(WINDOW.centres[1], np.arange(-7, 9))
    assert is_tpc(tpc_schema())
    assert len(tpc_schema(2).conditions) == 2
