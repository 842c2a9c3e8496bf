"""Where truth and its cheap substitutes come from: Geant4 in worker processes, parametrisations, libraries.

`SIMULATORS` names the truth simulators; what each entry names is imported on first use, so that importing this
package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from facsim.core.errors import FacsimError

SIMULATORS: dict[str, str] = {
    "geant4": "facsim.simulate.showers:simulate_showers",
}


def find_simulator(name: str) -> Any:
    """The function of the simulator `name`.

    Raises:
        FacsimError: there is no such simulator.
    """
    if name not in SIMULATORS:
        raise FacsimError(f"unknown simulator '{name}': expected one of {sorted(SIMULATORS)}.")
    module, attribute = SIMULATORS[name].split(":")
    return getattr(import_module(module), attribute)
