"""What an HDF5 file holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py


def arrays_of(path: Path) -> dict[str, Any]:
    """All arrays in the file `path`, by name."""
    with h5py.File(path) as handle:
        found: dict[str, Any] = {}
        handle.visititems(lambda name, item: found.update({name: item[:]}) if hasattr(item, "shape") else None)
    return found
