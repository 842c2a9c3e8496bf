"""The surrogate that takes particles over from Geant4: loaded, and known to belong to the calorimeter."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.geometry import CylinderGeometry
from facsim.core.rng import generator
from facsim.core.store import read_json
from facsim.models.sampling import TorchSampler
from facsim.models.shipped import load, shipped_names
from facsim.models.trained import CARD, is_run
from facsim.simulate.detector import Detector
from facsim.simulate.hook.guard import Guard
from facsim.simulate.hook.pairs import shiftable

ENERGY = "incident_energy"
NAMES = {"name", "description"}
"""All that two calorimeters may differ in and be the same to a surrogate."""


@dataclass(frozen=True)
class HookModel:
    """A surrogate of electrons for a calorimeter.

    Attributes:
        name: as asked for. sampler: energies (MeV) in, cells (MeV) out. geometry: of the cells. guard: where it may be
        used. candidates: draws of which one is kept, where the model has them.
    """

    name: str
    sampler: TorchSampler
    geometry: CylinderGeometry
    guard: Guard
    candidates: int | None

    def warm_up(self) -> None:
        """Sample once, because the first batch sets torch up."""
        self.sampler.sample(np.full((8, 1), self.guard.low), generator(0, "warm-up"))


def hook_model(name: str, detector: Detector, candidates: int | None = None) -> HookModel:
    """The shipped model, or the run directory, `name` as the surrogate of electrons in `detector`.

    Raises:
        FacsimError: there is no such model, or it is of other conditions, particles, cells, or another calorimeter.
    """
    run = is_run(Path(name))
    if not run and name not in shipped_names():
        raise FacsimError(
            f"'{name}' is neither a model that ships with facsim, {shipped_names()}, nor a run directory with a "
            "trained surrogate."
        )
    sampler = load(Path(name) if run else name, candidates=candidates)
    card = _card(Path(name)) if run else sampler.card
    schema, truth = sampler.schema, card.get("provenance", {}).get("truth", {}).get("settings", {})
    conditions = [condition.name for condition in schema.conditions]
    if conditions != [ENERGY]:
        raise FacsimError(f"a surrogate here has the one condition '{ENERGY}', and '{name}' has {conditions}.")
    particles = truth.get("particle", ["e-"])
    if not {*particles} <= {"e-", "e+"}:
        raise FacsimError(f"a surrogate here makes showers of electrons, and '{name}' was trained on {particles}.")
    geometry = detector.geometry()
    if schema.geometry is None or not schema.geometry.same_cells(geometry):
        raise FacsimError(
            f"the read-out of '{name}' is not that of the calorimeter '{detector.name}', {geometry.n_layers} layers "
            f"and {geometry.n_cells} cells: choose the detector that it was trained on with --detector."
        )
    _same_calorimeter(name, truth.get("detector"), detector)
    trained = card["training_range"][0]
    guard = Guard(float(trained["min"]), float(trained["max"]), shiftable(detector))
    return HookModel(name, sampler, geometry, guard, getattr(sampler.model.options, "candidates", None))


def _card(folder: Path) -> dict[str, Any]:
    """Card of a run.

    Raises:
        FacsimError: it has none.
    """
    if not (folder / CARD).is_file():
        raise FacsimError(f"'{folder}' has no {CARD}, which says where its surrogate may be used: do its stage export.")
    return dict(read_json(folder / CARD))


def _same_calorimeter(name: str, known: dict[str, Any] | None, detector: Detector) -> None:
    """Refuse a model whose training showers are of another calorimeter, where they say.

    Raises:
        FacsimError: it is another.
    """
    if not known:
        return
    own = detector.model_dump(mode="json")
    for key in [key for key in own if key not in NAMES]:
        if known.get(key) != own[key]:
            raise FacsimError(
                f"'{name}' was trained on the calorimeter '{known.get('name')}', whose {key} is not that of "
                f"'{detector.name}': choose its own with --detector."
            )
