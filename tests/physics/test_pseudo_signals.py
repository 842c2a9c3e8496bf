"""Changed background: what each change keeps and what it breaks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from facsim.physics.pseudo_signals import PSEUDO_SIGNALS, blended, exchanged, scattered, thinned


def images(n: int, cells: int, channels: int, seed: int = 1) -> NDArray[np.float64]:
    """Events (n, cells, channels) with a fifth of the cells hit."""
    rng = np.random.default_rng(seed)
    return rng.exponential(size=(n, cells, channels)) * (rng.random((n, cells, 1)) < 0.2)


SIZES = given(n=st.integers(2, 9), cells=st.integers(2, 30), channels=st.integers(1, 3), seed=st.integers(0, 2**31))


@pytest.mark.parametrize("name", sorted(PSEUDO_SIGNALS))
@SIZES
def test_images_keep_their_shape_and_nothing_is_below_zero(
    name: str, n: int, cells: int, channels: int, seed: int
) -> None:
    x = images(n, cells, channels, seed)
    before = x.copy()
    made = PSEUDO_SIGNALS[name](x, np.random.default_rng(seed))
    assert made.shape == x.shape
    assert np.array_equal(x, before)
    assert (made >= 0).all()
    assert np.array_equal(made, PSEUDO_SIGNALS[name](x, np.random.default_rng(seed)))


@SIZES
def test_blended_events_keep_the_mean_energy_of_each_cell(n: int, cells: int, channels: int, seed: int) -> None:
    x = images(n, cells, channels, seed)
    made = blended(x, np.random.default_rng(seed))
    assert made.mean(0) == pytest.approx(x.mean(0))
    assert np.array_equal((made > 0)[1], (x[0] > 0) | (x[1] > 0))


def test_thinned_events_keep_whole_cells_and_the_expected_energy() -> None:
    x = images(4000, 30, 2)
    made = thinned(x, np.random.default_rng(2))
    kept = (made > 0).any(2)
    assert np.array_equal(made[kept], 2 * x[kept])
    pulls = (made.sum((1, 2)) - x.sum((1, 2))) / np.sqrt(np.sum(x.sum(2) ** 2, axis=1)).clip(1e-9)
    assert abs(pulls.mean()) < 4 / np.sqrt(len(x))
    share = kept.sum() / (x > 0).any(2).sum()
    assert share == pytest.approx(0.5, abs=0.02)


@SIZES
def test_scattered_events_have_the_same_cells_elsewhere(n: int, cells: int, channels: int, seed: int) -> None:
    x = images(n, cells, channels, seed)
    made = scattered(x, np.random.default_rng(seed))
    for before, after in zip(x, made, strict=True):
        assert sorted(map(tuple, before)) == sorted(map(tuple, after))


def test_scattered_cells_go_everywhere_alike() -> None:
    x = np.zeros((8000, 16, 1))
    x[:, 3] = 1.0
    found = scattered(x, np.random.default_rng(1))[..., 0].sum(0)
    assert found == pytest.approx(500, abs=5 * np.sqrt(500))


@SIZES
def test_exchanged_events_keep_each_channel(n: int, cells: int, channels: int, seed: int) -> None:
    x = images(n, cells, channels, seed)
    made = exchanged(x, np.random.default_rng(seed))
    if channels == 1:
        half = cells // 2
        assert np.array_equal(made[1, :half], x[1, :half])
        assert np.array_equal(made[1, half:], x[0, half:])
    else:
        assert np.array_equal(made[..., 0], x[..., 0])
        assert np.array_equal(made[..., 1:], np.roll(x[..., 1:], 1, axis=0))
