"""Cells of events in files between processes: those with energy only, a fifth of a read-out or less."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def packed(cells: NDArray[np.float32]) -> dict[str, Any]:
    """Arrays that hold `cells` (n, V): `shape`, flat places `at` and `values` of those that are not zero."""
    at = np.flatnonzero(cells)
    small = np.uint32 if cells.size <= 1 << 32 else np.uint64
    return {"shape": np.array(cells.shape), "at": at.astype(small), "values": cells.ravel()[at]}


def unpacked(arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
    """The cells (n, V) that `packed` was given."""
    cells = np.zeros(tuple(arrays["shape"]), dtype=np.float32)
    cells.ravel()[arrays["at"]] = arrays["values"]
    return cells
