"""How far a condition may lie beyond those of training: one tolerance, in Python, C and C++."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

TOLERANCE = 0.01
"""Share of a bound by which a condition may lie beyond it: a random sample hardly has its bounds in it."""


def bounds(low: ArrayLike, high: ArrayLike) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Least and greatest values that count as inside of the training ranges from `low` to `high`.

    They are compared in single precision, in which a model gets its conditions (`single`).
    """
    low, high = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    return single(low - TOLERANCE * np.abs(low)), single(high + TOLERANCE * np.abs(high))


def single(values: ArrayLike) -> NDArray[np.float32]:
    """The values in single precision; what is too large for it becomes infinite."""
    with np.errstate(over="ignore"):
        return np.asarray(values).astype(np.float32)
