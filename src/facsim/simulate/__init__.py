"""Where truth and its cheap substitutes come from: Geant4 in worker processes, digitisers, parametrisations, libraries.

`SIMULATIONS` names the truth simulation of each task; what an entry names is imported on first use, so that importing
this package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from facsim.core.errors import FacsimError

SIMULATIONS: dict[str, str] = {
    "calorimeter": "facsim.simulate.showers:ShowerSimulation",
    "rich": "facsim.simulate.rich:RichSimulation",
    "tpc": "facsim.simulate.tpc:TPCSimulation",
    "ecal": "facsim.simulate.ecal:ECALSimulation",
    "jets": "facsim.simulate.jets:JetSimulation",
    "jets-reco": "facsim.simulate.jets_reco:JetRecoSimulation",
    "dark-showers": "facsim.simulate.dark_showers:DarkShowerSimulation",
}
"""Task to the class of its settings (`truth.TruthSimulation`), the section `simulate` of a configuration."""


def find_simulation(task: str) -> Any:
    """The class of the settings of the truth simulation of `task`.

    Raises:
        FacsimError: there is no such task.
    """
    if task not in SIMULATIONS:
        raise FacsimError(f"unknown task '{task}': expected one of {sorted(SIMULATIONS)}.")
    module, attribute = SIMULATIONS[task].split(":")
    return getattr(import_module(module), attribute)
