"""Units of files turned into facsim's: MeV, mm, ns, rad."""

from __future__ import annotations

import math
from collections.abc import Mapping

from facsim.core.errors import FacsimError

BASE: Mapping[str, Mapping[str, float]] = {
    "MeV": {"eV": 1e-6, "keV": 1e-3, "MeV": 1.0, "GeV": 1e3, "TeV": 1e6},
    "mm": {"um": 1e-3, "mm": 1.0, "cm": 10.0, "m": 1e3},
    "ns": {"ps": 1e-3, "ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9},
    "rad": {"mrad": 1e-3, "rad": 1.0, "deg": math.pi / 180.0},
}
"""For each of facsim's units, the units of the same kind and how many of facsim's each one is."""


def to_base(unit: str) -> tuple[float, str]:
    """Factor and name of facsim's unit for `unit`: `("GeV") -> (1000.0, "MeV")`; "" has none and stays as it is.

    Raises:
        FacsimError: an unknown unit.
    """
    if not unit:
        return 1.0, ""
    for base, factors in BASE.items():
        if unit in factors:
            return factors[unit], base
    known = [name for factors in BASE.values() for name in factors]
    raise FacsimError(f"unknown unit '{unit}': expected one of {known}, or nothing for a pure number.")
