"""Helices and their crossings of pad rows, against circles drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest

from facsim.core.errors import FacsimError
from facsim.physics import tpc
from facsim.physics.helix import Helices, arc_of_chord, conditions_of, curvature_of, row_crossings

PION = tpc.MASSES["pion"]


def tracks(n: int = 40, seed: int = 1, **fixed: float) -> Helices:
    rng = np.random.default_rng(seed)
    values = {
        "pt": rng.uniform(0.15, 2.5, n),
        "phi": rng.uniform(-np.pi, np.pi, n),
        "tan_lambda": rng.uniform(-1, 1, n),
        "charge": rng.choice([-1.0, 1.0], n),
        "x": np.zeros(n),
        "y": np.zeros(n),
        "z": rng.normal(0, 5, n),
        "mass": np.full(n, PION),
    }
    values.update({name: np.full(n, value) for name, value in fixed.items()})
    return Helices(np.zeros(n, dtype=np.int64), **values)


def places(found, axis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x and y in the detector of crossings."""
    y = tpc.row_centre(found.row)
    return y * np.cos(axis) - found.x * np.sin(axis), y * np.sin(axis) + found.x * np.cos(axis)


def test_radius_is_momentum_over_field() -> None:
    assert 1 / abs(curvature_of(np.array([1.0]), np.array([1.0]))[0]) == pytest.approx(100 / (0.299792458 * 0.5))


def test_crossings_lie_on_the_circle_at_the_height_of_the_path() -> None:
    drawn = tracks()
    found = row_crossings(drawn)
    x, y = places(found, np.radians(30.0) * found.sector)
    t = found.track
    radius = 1 / drawn.curvature
    centre = -radius * np.sin(drawn.phi), radius * np.cos(drawn.phi)
    np.testing.assert_allclose(np.hypot(x - centre[0][t], y - centre[1][t]), np.abs(radius)[t], rtol=1e-9)
    # the angle turned is that between the two radii, the height that of the arc
    a = np.arctan2(y - centre[1][t], x - centre[0][t]) - np.arctan2(-centre[1][t], -centre[0][t])
    arc = (np.sign(radius[t]) * a % (2 * np.pi)) * np.abs(radius)[t]
    np.testing.assert_allclose(found.path, arc, rtol=1e-7)
    np.testing.assert_allclose(found.z, drawn.z[t] + arc * drawn.tan_lambda[t], rtol=1e-7)
    assert (np.abs(found.x) <= np.tan(np.pi / 12) * tpc.row_centre(found.row) + 1e-9).all()
    np.testing.assert_array_equal(found.side, found.z < 0)


def test_every_row_is_crossed_once_by_a_stiff_track_and_nothing_beyond_the_drift_volume() -> None:
    found = row_crossings(tracks(60, pt=2.0, tan_lambda=0.3, z=0.0))
    np.testing.assert_array_equal(np.bincount(found.track), 53)
    assert len(row_crossings(tracks(5, tan_lambda=0.0, z=171.0))) == 0


def test_a_straight_track_is_a_line() -> None:
    drawn = tracks(30, pt=1e7)
    found = row_crossings(drawn)
    t = found.track
    psi = drawn.phi[t] - np.radians(30.0) * found.sector
    np.testing.assert_allclose(found.x, tpc.row_centre(found.row) * np.tan(psi), atol=1e-4)
    np.testing.assert_allclose(np.tan(np.radians(found.crossing)), np.tan(psi), atol=1e-5)
    np.testing.assert_allclose(found.path, tpc.row_centre(found.row) / np.cos(psi), rtol=1e-6)


def test_angles_are_the_derivatives_of_the_place() -> None:
    found = row_crossings(tracks(20, pt=0.4))
    same = (np.diff(found.track) == 0) & (np.diff(found.sector) == 0) & (np.diff(found.row) == 1)
    first = np.flatnonzero(same & (found.row[:-1] < 26))
    dy = tpc.row_centre(found.row[first + 1]) - tpc.row_centre(found.row[first])
    tangents = np.tan(np.radians(found.crossing))
    mean = 0.5 * (tangents[first] + tangents[first + 1])
    np.testing.assert_allclose((found.x[first + 1] - found.x[first]) / dy, mean, atol=1e-4)
    # drift falls along the track by tan(dip) / cos(crossing) for each cm of y
    drift = -np.diff(found.drift)[first] * tpc.BUCKET_LENGTH
    angle, dip = np.radians(found.crossing), np.radians(found.dip)
    slope = np.tan(dip) / np.cos(angle)
    np.testing.assert_allclose(drift / dy, 0.5 * (slope[first] + slope[first + 1]), atol=1e-3)


def test_positive_particles_turn_clockwise() -> None:
    found = row_crossings(tracks(1, pt=0.3, phi=0.0, charge=1.0, tan_lambda=0.0))
    assert found.x[0] < 0
    assert (np.diff(found.crossing[found.sector == found.sector[0]]) < 0).all()


def test_a_looper_comes_back() -> None:
    slow = tracks(1, pt=0.08, phi=0.1, tan_lambda=0.05, z=1.0)
    whole, half = row_crossings(slow), row_crossings(slow, 0.5)
    assert len(whole) == 2 * len(half)
    diameter = 2 / abs(slow.curvature[0])
    assert np.hypot(*places(whole, np.radians(30.0) * whole.sector)).max() < diameter
    outwards, inwards = whole.path < np.pi * diameter / 2, whole.path > np.pi * diameter / 2
    assert (whole.dip[outwards] > 0).all()
    assert (whole.dip[inwards] < 0).all()


def test_a_displaced_origin() -> None:
    found = row_crossings(tracks(1, pt=5.0, phi=0.0, x=80.0, tan_lambda=0.0))
    assert tpc.row_centre(found.row).min() > 80.0


def test_conditions_take_other_particles_at_their_beta_gamma() -> None:
    drawn = tracks(5)
    kaons = tracks(5, mass=tpc.MASSES["kaon"])
    found = row_crossings(drawn)
    pions, others = conditions_of(drawn, found), conditions_of(kaons, found)
    np.testing.assert_array_equal(pions[:, :5], others[:, :5])
    np.testing.assert_allclose(pions[:, 5] / others[:, 5], tpc.MASSES["kaon"] / PION)
    np.testing.assert_allclose(pions[:, 5], drawn.pt[found.track])


def test_arcs() -> None:
    np.testing.assert_allclose(arc_of_chord(np.array([2.0, 2.0]), np.array([1.0, 0.0])), [np.pi, 2.0])


def test_none() -> None:
    assert len(row_crossings(tracks(3)[:0])) == 0


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("pt", np.nan, "'pt' of track 0 is nan"),
        ("pt", 0.0, "above 0 GeV"),
        ("charge", 0.0, "charge 1 or -1"),
        ("phi", np.inf, "not a finite number"),
    ],
)
def test_tracks_that_cannot_be(name: str, value: float, said: str) -> None:
    with pytest.raises(FacsimError, match=said):
        tracks(3, **{name: value})


def test_wrong_shapes_and_turns() -> None:
    with pytest.raises(FacsimError, match="shape"):
        Helices(np.zeros(2, dtype=np.int64), *(np.ones(3) for _ in range(8)))
    with pytest.raises(FacsimError, match="one turn"):
        row_crossings(tracks(1), 0.0)
