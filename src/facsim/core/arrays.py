"""One code for numpy arrays and torch tensors.

torch is never imported: its functions are reached through the module of the tensors that come in.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = Any
"""A numpy array or a torch tensor; results are of the kind that came in."""


def namespace(array: Array) -> ModuleType:
    """The module, numpy or torch, whose functions take this array."""
    name = type(array).__module__.partition(".")[0]
    return sys.modules["torch"] if name == "torch" else np


def as_type(array: Array, dtype: Any) -> Array:
    """The array in another number type; gradients pass."""
    return array.to(dtype) if namespace(array) is not np else array.astype(dtype)


def to_numpy(array: Array) -> NDArray[Any]:
    """The array in the host's memory, without gradients."""
    return np.asarray(array.detach().cpu() if hasattr(array, "detach") else array)


def like(values: NDArray[Any], array: Array) -> Array:
    """Numbers of the host as the kind, number type and device of `array`."""
    if namespace(array) is np:
        return np.asarray(values, dtype=array.dtype)
    return namespace(array).as_tensor(values, dtype=array.dtype, device=array.device)


def rows(array: Array, index: NDArray[Any]) -> Array:
    """The rows that a host's index or mask chooses."""
    xp = namespace(array)
    return array[index] if xp is np else array[xp.as_tensor(np.asarray(index), device=array.device)]


def quantiles(array: Array, at: tuple[float, ...]) -> list[Array]:
    """Quantiles of each column of (N, D), with linear interpolation, one (D,) each."""
    if namespace(array) is np:
        return list(np.quantile(array, at, axis=0))
    ordered = namespace(array).sort(array, 0).values
    found = []
    for level in at:
        place = level * (len(array) - 1)
        low = min(int(place), max(len(array) - 2, 0))
        high = min(low + 1, len(array) - 1)
        found.append(ordered[low] + (place - low) * (ordered[high] - ordered[low]))
    return found
