"""Data sets of HDF5 files whose layout is known: found and checked, or refused in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import h5py
import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.events import Array, Labels


def find_data(handle: h5py.File, names: str | Sequence[str], shape: Sequence[int | None]) -> h5py.Dataset:
    """The data set called `names`, or by the first of several names that is there.

    Args:
        handle: the open file.
        names: what it may be called.
        shape: its sizes, None where any will do.

    Raises:
        FacsimError: there is none, it holds no numbers, or it has another shape.
    """
    known = [names] if isinstance(names, str) else list(names)
    name = next((one for one in known if isinstance(handle.get(one), h5py.Dataset)), None)
    if name is None:
        wanted = " or ".join(f"'{one}'" for one in known)
        raise FacsimError(f"'{handle.filename}' lacks the data set {wanted}; it has {sorted(handle)}.")
    data = handle[name]
    if data.dtype.kind not in "fiu":
        raise FacsimError(f"'{name}' in '{handle.filename}' holds {data.dtype}, not numbers.")
    fits = len(data.shape) == len(shape) and all(b in (a, None) for a, b in zip(data.shape, shape, strict=True))
    if not fits:
        text = ", ".join("any" if size is None else str(size) for size in shape)
        raise FacsimError(f"'{name}' in '{handle.filename}' has shape {data.shape}: expected ({text}).")
    return data


def find_column(handle: h5py.File, names: str | Sequence[str], length: int) -> h5py.Dataset:
    """As `find_data`, for one number per event: shape (`length`,) or (`length`, 1)."""
    known = [names] if isinstance(names, str) else list(names)
    flat = any(getattr(handle.get(one), "ndim", 0) == 1 for one in known)
    return find_data(handle, known, (length,) if flat else (length, 1))


def rows(data: h5py.Dataset, start: int, stop: int) -> Array:
    """Rows `start` to `stop` of one number per event, (n,) float64."""
    return np.asarray(data[start:stop], dtype=np.float64).reshape(stop - start)


def numbered(cond: Array) -> Labels:
    """Labels of events that are numbered by their place and depend on no other."""
    ids = np.arange(len(cond), dtype=np.int64)
    return Labels(cond, ids, ids)


def chunk_of(data: h5py.Dataset, most: int = 1024) -> int:
    """Events that the file decompresses together, between 1 and `most`."""
    chunks: Any = data.chunks
    return max(1, min(chunks[0] if chunks else 256, most))
