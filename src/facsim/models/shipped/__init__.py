"""Trained models that ship with facsim: a folder each with `weights.safetensors`, `model.json` and `card.json`.

Large arrays are kept in half precision and computed with in single; `benchmarks/ship_model.py` makes such a folder
from a run.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import ArrayLike

from facsim.core.errors import FacsimError
from facsim.core.events import Events, make_events
from facsim.core.rng import generator
from facsim.core.store import read_json
from facsim.models.base import EventModel
from facsim.models.checkpoint import load_model
from facsim.models.sampling import TorchSampler
from facsim.models.trained import TrainedSampler, is_run

FOLDER = Path(str(files(__name__)))


def shipped_names() -> list[str]:
    """Names of the shipped models."""
    return sorted(path.parent.name for path in FOLDER.glob("*/model.json"))


def shipped_folder(name: str) -> Path:
    """Where the shipped model `name` is.

    Raises:
        FacsimError: there is no such model.
    """
    if name not in shipped_names():
        raise FacsimError(f"no model '{name}' ships with facsim: expected one of {shipped_names()}.")
    return FOLDER / name


def load_shipped(name: str, **changes: object) -> EventModel:
    """The shipped model `name`, in evaluation mode; `changes` override options such as `candidates`.

    Raises:
        FacsimError: there is no such model or no such option, or its weights are not those of its card.
    """
    folder = shipped_folder(name)
    found = hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
    if found != shipped_card(name)["weights"]["sha256"]:
        raise FacsimError(f"the weights in '{folder}' are not those of its card.json: install facsim again.")
    return load_model(folder, **changes)


def shipped_card(name: str) -> dict[str, Any]:
    """Its card: schema, training ranges and sample, scores as measured, checksum of the weights.

    Raises:
        FacsimError: there is no such model.
    """
    return dict(read_json(shipped_folder(name) / "card.json"))


class ShippedSampler(TorchSampler):
    """A shipped model that draws events at given conditions.

    Args:
        name: of the model, for example `par04`.
        device: torch device name.
        changes: options to override, such as `candidates`.

    Example:
        >>> facsim.load("par04").events([10_000.0, 20_000.0], seed=1).cells.shape
        (2, 6480)

    Raises:
        FacsimError: as `load_shipped`.
    """

    def __init__(self, name: str, device: str = "cpu", **changes: object) -> None:
        super().__init__(load_shipped(name, **changes), device, name)
        self.schema, self.card = self.model.schema, shipped_card(name)

    @property
    def threads(self) -> int:
        """Processor threads that it computes with."""
        return torch.get_num_threads()

    def events(self, cond: ArrayLike, seed: int = 1) -> Events:
        """Events at the conditions (N,) or (N, K), in the units of the schema: MeV for incident energies.

        Conditions may be outside of the training range (`card["training_range"]`); what comes is then extrapolated.

        Raises:
            FacsimError: conditions of another number, not finite, or energies that are not positive.
        """
        values = np.asarray(cond, dtype=np.float64)
        values = values[:, None] if values.ndim == 1 else values
        n_cond = len(self.schema.conditions)
        if values.ndim != 2 or values.shape[1] != n_cond:
            shape = np.shape(cond)
            raise FacsimError(f"'{self.name}' takes conditions of shape (N, {n_cond}) or, of one, (N,), not {shape}.")
        if not np.isfinite(values).all() or (values[:, 0] <= 0).any():
            raise FacsimError(f"the conditions of '{self.name}' must be finite and the energies in MeV positive.")
        return make_events(self.schema, self.sample(values, generator(seed, "shipped", self.name)), values)


@overload
def load(name: str, *, device: str = ..., candidates: int | None = ...) -> ShippedSampler: ...
@overload
def load(name: Path, *, device: str = ..., candidates: int | None = ...) -> TrainedSampler: ...


def load(name: str | Path, *, device: str = "cpu", candidates: int | None = None) -> ShippedSampler | TrainedSampler:
    """A trained model as a sampler: conditions in, events out.

    Args:
        name: of a shipped model, or the directory of a run, whose sampler knows its training domain (`models.trained`).
        device: torch device name.
        candidates: draws of which one is kept, of models that have them: more take longer and come nearer to truth.

    Raises:
        FacsimError: there is no such model, or its files are damaged.
    """
    if is_run(Path(name)):
        return TrainedSampler(name, device, **({} if candidates is None else {"candidates": candidates}))
    name = str(name)
    return ShippedSampler(name, device, **({} if candidates is None else {"candidates": candidates}))
