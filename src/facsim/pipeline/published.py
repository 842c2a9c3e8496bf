"""Weights that others have published, as a trained model of facsim's: a folder that a run can start from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from facsim.core.errors import FacsimError
from facsim.data import open_events
from facsim.models.checkpoint import count_parameters, save_model
from facsim.models.published_mpgan import import_mpgan
from facsim.models.trained import FOLDER, is_run

JETS = 20_000
"""Jets of the data at most of which the number of particles is taken."""


def import_weights(model: str, weights: Path, kind: str, data: Path, out: Path) -> dict[str, Any]:
    """The weights of a published `model` as a trained model in the folder `out`; arguments as of `api.import_weights`.

    Raises:
        FacsimError: an unknown model, other files than expected, or a folder that holds a model already.
    """
    if model != "mpgan":
        raise FacsimError(f"there is no import of '{model}': expected 'mpgan'.")
    if is_run(out):
        raise FacsimError(f"'{out}' holds a model already: give another folder with --out.")
    source = open_events(data)
    if source.schema.representation != "cloud" or not len(source):
        raise FacsimError(f"'{data}' holds no jets: give true jets, whose numbers of particles are taken.")
    mask = source.read(0, min(len(source), JETS)).mask
    if mask is None:
        raise FacsimError(f"'{data}' does not say which particles are real: give jets with a mask.")
    found = import_mpgan(weights, kind, source.schema, torch.as_tensor(mask).sum(1))
    save_model(found, "single-stage", out / FOLDER)
    return {"model": str(out), "published": model, "jets": kind, "numbers": count_parameters(found)}
