"""One code for numpy arrays and torch tensors.

torch is never imported: its functions are reached through the module of the tensors that come in.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np

Array = Any
"""A numpy array or a torch tensor; results are of the kind that came in."""


def namespace(array: Array) -> ModuleType:
    """The module, numpy or torch, whose functions take this array."""
    name = type(array).__module__.partition(".")[0]
    return sys.modules["torch"] if name == "torch" else np


def as_type(array: Array, dtype: Any) -> Array:
    """The array in another number type; gradients pass."""
    return array.to(dtype) if namespace(array) is not np else array.astype(dtype)
