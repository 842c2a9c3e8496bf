"""Particles that were caught: one record each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

RECORD = np.dtype(
    [("event", "<i8"), ("pid", "<i4"), ("energy", "<f8"), ("position", "<f8", (3,)), ("direction", "<f8", (3,))]
)
"""Event, PDG code, kinetic energy (MeV), position (mm, the calorimeter's face at z = 0), unit vector of direction."""
Records = NDArray[Any]


def make_records(
    event: ArrayLike, pid: ArrayLike, energy: ArrayLike, position: ArrayLike, direction: ArrayLike
) -> Records:
    """Records (N,) of the columns (N,) and, position and direction, (N, 3)."""
    made = np.zeros(len(np.atleast_1d(np.asarray(event))), dtype=RECORD)
    columns = (event, pid, energy, position, direction)
    for name, values in zip(("event", "pid", "energy", "position", "direction"), columns, strict=True):
        made[name] = values
    return made
