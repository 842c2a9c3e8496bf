"""Observables of clouds: closed forms, and what must not change them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facsim.physics.cloud_observables import CLOUD_OBSERVABLES, cloud_table


def named(points: np.ndarray, mask: np.ndarray, incident: np.ndarray) -> dict[str, np.ndarray]:
    return dict(zip(CLOUD_OBSERVABLES, cloud_table(points, mask, incident).T, strict=True))


def random_clouds(seed: int, n: int = 4, points: int = 9) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    mask = np.arange(points) < rng.integers(0, points + 1, (n, 1))
    x = np.concatenate([rng.normal(0, 9, (n, points, 3)), rng.exponential(2, (n, points, 1))], axis=2)
    return x, mask, rng.uniform(10, 20, n)


def test_two_points() -> None:
    points = np.array([[[3.0, 0.0, 1.0, 3.0], [-1.0, 4.0, 5.0, 1.0], [9.0, 9.0, 9.0, 9.0]]])
    found = named(points, np.array([[True, True, False]]), np.array([8.0]))
    far = np.sqrt(17)
    expected = {
        "e_ratio": 0.5,
        "hits": 2,
        "ec_x": 2,
        "ec_y": 1,
        "ec_z": 2,
        "width_x": np.sqrt(3),
        "width_y": np.sqrt(3),
        "width_z": np.sqrt(3),
        "ec_r": (9 + far) / 4,
        "width_r": np.sqrt(3) / 4 * (far - 3),
        "r_50": 3,
        "r_90": far,
        "z_10": 1,
        "z_50": 1,
        "z_90": 5,
        "e_max_share": 0.75,
        "log_e_mean": np.log10(3) / 2,
        "log_e_width": np.log10(3) / 2,
    }
    assert {name: values[0] for name, values in found.items()} == pytest.approx(expected)


def test_a_shower_without_energy_is_zero_everywhere() -> None:
    assert np.all(cloud_table(np.ones((2, 5, 4)), np.zeros((2, 5), bool), np.ones(2)) == 0)
    assert cloud_table(np.ones((2, 0, 4)), np.zeros((2, 0), bool), np.ones(2)).shape == (2, len(CLOUD_OBSERVABLES))


@given(st.integers(0, 50))
def test_order_and_padding_do_not_matter(seed: int) -> None:
    points, mask, incident = random_clouds(seed)
    order = np.random.default_rng(seed).permutation(points.shape[1])
    shuffled = cloud_table(points[:, order], mask[:, order], incident)
    np.testing.assert_allclose(shuffled, cloud_table(points, mask, incident), rtol=1e-9, atol=1e-9)


@given(st.integers(0, 50), st.floats(-50, 50), st.floats(0.1, 10))
def test_moving_and_scaling(seed: int, shift: float, factor: float) -> None:
    points, mask, incident = random_clouds(seed)
    moved = points * (1, 1, 1, factor) + (0, 0, shift, 0)
    before, after = named(points, mask, incident), named(moved, mask, incident)
    lit = before["hits"] > 0
    np.testing.assert_allclose(after["ec_z"][lit], before["ec_z"][lit] + shift, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(after["z_50"][lit], before["z_50"][lit] + shift, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(after["e_ratio"], factor * before["e_ratio"], rtol=1e-9)
    np.testing.assert_allclose(after["log_e_mean"][lit], before["log_e_mean"][lit] + np.log10(factor), atol=1e-9)
    for name in ("hits", "width_x", "width_z", "r_90", "e_max_share", "log_e_width"):
        np.testing.assert_allclose(after[name], before[name], rtol=1e-6, atol=1e-6)
