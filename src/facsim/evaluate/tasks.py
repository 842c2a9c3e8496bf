"""Tables of what is particular to a task: its physics, and the application that puts a surrogate to its place.

What an entry names is imported on first use. Tasks without physics here are calorimeter showers, which have a scorecard
of their own (`scorecard.Judge`).
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from facsim.core.errors import FacsimError

if TYPE_CHECKING:
    from facsim.core.events import Events
    from facsim.evaluate.physics import Physics, TaskPhysics

Sampler = Callable[[NDArray[Any], np.random.Generator], NDArray[Any]]
"""Events `x` at conditions (N, K)."""
Advance = Callable[[float, str], None]
Application = Callable[..., "Physics"]
"""`(truth, sampler, settings, seed, advance)`: the task's truth simulation, the surrogate, the options of the section
`apply` as a mapping, the run's seed, and a function of (fraction done, note)."""

PHYSICS: dict[str, str] = {
    "ecal": "facsim.evaluate.ecal_physics:ECALPhysics",
    "jets": "facsim.evaluate.jets_physics:JetsPhysics",
    "jets-reco": "facsim.evaluate.jets_reco_physics:JetsRecoPhysics",
    "rich": "facsim.evaluate.rich_physics:RichPhysics",
    "tpc": "facsim.evaluate.tpc_physics:TPCPhysics",
}
APPLICATIONS: dict[str, str] = {
    "ecal": "facsim.evaluate.ecal_application:ecal_application",
    "rich": "facsim.evaluate.rich_application:stability",
    "tpc": "facsim.evaluate.tpc_application:apply_tpc",
}
"""Task to its application."""
OPTIONS: dict[str, str] = {
    "ecal": "facsim.evaluate.ecal_application:ECALOptions",
    "rich": "facsim.evaluate.rich_transfer:StabilitySettings",
    "tpc": "facsim.evaluate.tpc_application:TPCApplication",
}
"""Task to the options of its application, the section `apply` of a configuration."""


def find_physics(task: str) -> TaskPhysics | None:
    """The physics of `task`, None where it has none here."""
    return _load(PHYSICS[task])() if task in PHYSICS else None


def recognised(events: Events) -> str | None:
    """The task that `events` are of, by their columns, conditions and read-out; None where they are of none in
    `PHYSICS`."""
    for task in PHYSICS:
        physics = find_physics(task)
        try:
            if physics is not None:
                physics.check(events)
                return task
        except FacsimError:
            continue
    return None


def find_application(task: str) -> Application | None:
    """The application of `task`, None where it has none."""
    found: Application | None = _load(APPLICATIONS[task]) if task in APPLICATIONS else None
    return found


def find_options(task: str) -> type[BaseModel] | None:
    """The class of the options of the application of `task`, None where it has none."""
    found: type[BaseModel] | None = _load(OPTIONS[task]) if task in OPTIONS else None
    return found


def _load(name: str) -> Any:
    module, attribute = name.split(":")
    return getattr(import_module(module), attribute)
