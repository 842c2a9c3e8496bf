"""The pad plane and the drift of the MPD TPC."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.physics import tpc


def test_the_pad_plane_is_the_published_one() -> None:
    pads = tpc.pads_of_row(np.arange(53))
    assert (tpc.ROWS, tpc.PADS_PER_SECTOR) == (53, 3968)
    assert tpc.PADS_PER_SECTOR * tpc.SECTORS * tpc.SIDES == 95_232
    assert (pads.min(), pads.max(), pads[0], pads[52]) == (38, 120, 38, 120)
    assert (np.diff(pads) >= 0).all()
    edges = tpc.row_edges()
    np.testing.assert_allclose(edges[[0, 27, 53]], [40.9, 73.3, 120.1])
    assert tpc.BUCKETS == 310
    np.testing.assert_allclose(tpc.DRIFT_LENGTH / tpc.BUCKET_LENGTH, 309.09, atol=0.01)


def test_rows_fit_into_the_sector() -> None:
    rows = np.arange(tpc.ROWS)
    half = 0.5 * tpc.PAD_WIDTH * tpc.pads_of_row(rows)
    room = np.tan(np.pi / 12) * tpc.row_edges()[:-1] - tpc.DEAD_EDGE
    assert (half <= room + 1e-9).all()
    assert (half + tpc.PAD_WIDTH > room).all()


def test_rows_have_their_heights() -> None:
    np.testing.assert_array_equal(tpc.row_type([0, 26, 27, 52]), [0, 0, 1, 1])
    np.testing.assert_array_equal(tpc.pad_height([0, 1]), [1.2, 1.8])
    np.testing.assert_allclose(tpc.row_height(np.arange(53)), np.diff(tpc.row_edges()))
    np.testing.assert_array_equal(tpc.first_pad([0, 1, 52]), [0, 38, 3968 - 120])


def test_row_at_is_the_inverse_of_row_centre() -> None:
    rows = np.arange(tpc.ROWS)
    np.testing.assert_array_equal(tpc.row_at(tpc.row_centre(rows)), rows)
    np.testing.assert_array_equal(tpc.row_at([40.8, 40.9, 120.05, 120.1]), [-1, 0, 52, -1])


@pytest.mark.parametrize("row", [-1, 53, 2.5, np.nan, np.inf])
def test_a_row_that_does_not_exist(row: float) -> None:
    with pytest.raises(FacsimError, match=r"there is no pad row .* numbered 0 to 52"):
        tpc.pads_of_row([3, row])


def test_a_row_type_that_does_not_exist() -> None:
    with pytest.raises(FacsimError, match="pad row types are 0"):
        tpc.pad_height([0, 2])


@given(st.integers(0, 52), st.floats(-30, 30))
def test_pad_coordinates(row: int, x: float) -> None:
    np.testing.assert_allclose(tpc.x_of_pad(tpc.pad_coordinate(x, row), row), x, atol=1e-9)


def test_an_integer_pad_coordinate_is_the_middle_of_a_pad() -> None:
    n = tpc.pads_of_row(10)
    assert tpc.x_of_pad(0, 10) == pytest.approx(-(n / 2 - 0.5) * 0.5)
    assert tpc.pad_coordinate(0.0, 10) == pytest.approx(n / 2 - 0.5)


def test_drift() -> None:
    z = np.array([0.0, -85.0, 169.9])
    np.testing.assert_allclose(tpc.drift_cm(tpc.drift_buckets(z)), 170 - np.abs(z))
    assert tpc.drift_cm(-3.0) == 0


@given(st.floats(-3.1, 3.1), st.floats(1, 120))
def test_sectors(phi: float, r: float) -> None:
    x, y = r * np.cos(phi), r * np.sin(phi)
    sector = tpc.sector_of(x, y)
    across, along = tpc.to_sector(x, y, sector)
    assert np.hypot(across, along) == pytest.approx(r)
    assert along > 0
    assert abs(np.arctan2(across, along)) <= np.pi / 12 + 1e-9
    assert np.arctan2(across, along) == pytest.approx(
        (phi - sector * np.pi / 6 + np.pi) % (2 * np.pi) - np.pi, abs=1e-9
    )


def test_beta_gamma() -> None:
    assert tpc.beta_gamma(0.5, 60.0, 0.5) == pytest.approx(2.0)
    assert np.isfinite(tpc.beta_gamma(0.5, 90.0, 0.5))
