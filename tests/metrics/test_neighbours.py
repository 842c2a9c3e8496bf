"""Precision, recall, density, coverage against a direct evaluation of their definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from facsim.core.errors import FacsimError
from facsim.metrics import neighbours
from facsim.metrics.neighbours import prdc


def directly(x: np.ndarray, y: np.ndarray, k: int) -> dict[str, float]:
    """The definitions of arXiv 2002.09797 on full distance matrices."""

    def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.sqrt(((a[:, None] - b[None]) ** 2).sum(axis=-1))

    radius_x, radius_y = (np.sort(distances(s, s), axis=1)[:, k] for s in (x, y))
    cross = distances(x, y)
    return {
        "precision": float((cross < radius_x[:, None]).any(axis=0).mean()),
        "recall": float((cross < radius_y[None]).any(axis=1).mean()),
        "density": float((cross < radius_x[:, None]).sum(axis=0).mean() / k),
        "coverage": float((cross.min(axis=1) < radius_x).mean()),
    }


@settings(max_examples=25)
@given(seed=st.integers(0, 1000), n=st.integers(7, 40), m=st.integers(7, 40), k=st.integers(1, 6))
def test_equals_the_definitions(seed: int, n: int, m: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, 3)), rng.normal(0.3, 1.3, size=(m, 3))
    found = prdc(x, y, nearest=k, scale=False)
    for name, value in directly(x, y, k).items():
        assert getattr(found, name) == pytest.approx(value), name


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(301, 4)), rng.normal(size=(207, 4))
    whole = prdc(x, y)
    monkeypatch.setattr(neighbours, "BLOCK_BYTES", 8 * 301 * 7)
    assert prdc(x, y) == whole


def test_sees_lost_modes_and_junk() -> None:
    rng = np.random.default_rng(3)
    truth = np.concatenate([rng.normal(-4, 1, (600, 2)), rng.normal(4, 1, (600, 2))])
    one_mode = rng.normal(-4, 1, (1200, 2))
    half = prdc(truth, one_mode)
    assert half.precision > 0.9
    assert half.recall < 0.6
    assert half.coverage < 0.6
    junk = prdc(truth, rng.uniform(-40, 40, (1200, 2)))
    assert junk.precision < 0.2
    assert 0 < junk.errors["precision"] < 0.02


def test_too_few_events_are_refused() -> None:
    with pytest.raises(FacsimError, match="more than k events, not k = 5, 5, 9"):
        prdc(np.zeros((5, 2)), np.zeros((9, 2)))
    with pytest.raises(FacsimError, match="not finite"):
        prdc(np.full((9, 2), np.nan), np.zeros((9, 2)))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), rows=st.integers(1, 4), columns=st.integers(6, 700), k=st.integers(0, 5))
def test_the_kth_smallest_of_groups_is_that_of_the_row(seed: int, rows: int, columns: int, k: int) -> None:
    values = np.random.default_rng(seed).integers(0, 50, (rows, columns)).astype(float)
    want = np.sort(values, axis=1)[:, k]
    np.testing.assert_array_equal(neighbours._smallest(values, k), want)
    np.testing.assert_array_equal(neighbours._smallest(torch.from_numpy(values), k).numpy(), want)
