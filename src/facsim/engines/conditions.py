"""Conditions that the workers of a job take in turn, in a file that all of them map into memory."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.store import atomic_path

NAME = "conditions.npy"
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Given:
    """Conditions (M, K) in the units of a model's schema, and the weights (M,) of the events they are of, if any."""

    cond: FloatArray
    weight: FloatArray | None

    @property
    def digest(self) -> str:
        """Checksum of the numbers."""
        return hashlib.sha256(_array(self).tobytes()).hexdigest()


def write_given(path: Path, given: Given) -> None:
    """Write conditions and weights for `read_given`.

    Raises:
        FacsimError: the disk is full.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(_content(given))


def holds(path: Path, given: Given) -> bool:
    """Whether the file `path` is what `write_given` writes of `given`."""
    try:
        return path.read_bytes() == _content(given)
    except OSError:
        return False


def read_given(path: Path, first: int, stop: int) -> tuple[FloatArray, FloatArray | None]:
    """Conditions (n, K) and weights (n,) of events `first` to `stop`: the rows in turn, from the first after the last.

    Raises:
        FacsimError: the file is missing or damaged.
    """
    try:
        table = np.load(path, mmap_mode="r")
        weighted = bool(table[0, -1] == 1.0)
        rows = np.asarray(table[np.arange(first, stop) % (len(table) - 1) + 1])
    except (OSError, ValueError, IndexError, ZeroDivisionError) as error:
        raise FacsimError(f"'{path}' cannot be read ({error}): delete it and give the same command again.") from None
    return rows[:, :-1], rows[:, -1] if weighted else None


def _content(given: Given) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, _array(given))
    return buffer.getvalue()


def _array(given: Given) -> FloatArray:
    """Rows of conditions and weight; the first row says by its last number whether there are weights."""
    weight = np.ones(len(given.cond)) if given.weight is None else given.weight
    head = np.zeros((1, given.cond.shape[1] + 1))
    head[0, -1] = float(given.weight is not None)
    return np.concatenate([head, np.column_stack([given.cond, weight])]).astype(np.float64)
