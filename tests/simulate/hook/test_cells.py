"""Cells in the files between processes: the same ones, in less room."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facsim.simulate.hook.cells import packed, unpacked


@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_cells_come_back_to_the_bit(share: float, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    cells = np.where(rng.random((20, 6480)) < share, rng.exponential(size=(20, 6480)), 0).astype(np.float32)
    np.savez(tmp_path / "cells.npz", events=np.arange(20), **packed(cells))
    with np.load(tmp_path / "cells.npz") as found:
        back = unpacked(found)
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, cells)
    size = (tmp_path / "cells.npz").stat().st_size
    assert size < 8.1 * np.count_nonzero(cells) + 2000
    assert share == 1 or size < 0.45 * cells.nbytes + 2000
