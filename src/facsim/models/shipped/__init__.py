"""Trained models by name and version: those that ship with facsim, and those of any repository (`facsim.repository`).

What ships lies in this folder, which is a repository: `par04/1.0.0/` and the like. Large arrays are kept in half
precision and computed with in single; `benchmarks/ship_model.py` makes such a folder from a run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, overload

import torch

from facsim.core import plugins
from facsim.core.errors import FacsimError
from facsim.models.base import EventModel, RunModel
from facsim.models.checkpoint import load_trained
from facsim.models.trained import CardSampler, TrainedSampler, is_run, read_card
from facsim.repository.fetch import Fetched, fetch
from facsim.repository.manifest import CARD, Manifest
from facsim.repository.places import SHIPPED, open_place

FOLDER = SHIPPED


def shipped_names() -> list[str]:
    """Names of the models that ship with facsim."""
    return open_place(FOLDER).names()


def shipped_folder(name: str) -> Path:
    """Where the shipped model `name`, or `name@version`, is; its files are as its manifest says.

    Raises:
        FacsimError: there is no such model, or its files are damaged.
    """
    return fetch(name, FOLDER).folder


def load_shipped(name: str, **changes: object) -> EventModel:
    """The shipped model `name`, in evaluation mode; `changes` override options such as `candidates`.

    Raises:
        FacsimError: there is no such model or no such option, or its files are damaged.
    """
    return _generative(load_fetched(fetch(name, FOLDER), **changes), name)


def shipped_card(name: str) -> dict[str, Any]:
    """Its card: schema, training ranges and sample, scores as measured, checksum of the weights.

    Raises:
        FacsimError: there is no such model.
    """
    return read_card(shipped_folder(name) / CARD)


def load_fetched(found: Fetched, **changes: object) -> RunModel:
    """The model of a repository, in evaluation mode; `changes` override options.

    Raises:
        FacsimError: its class is that of a plug-in which is not loaded or has changed, no such option, or files that do
            not belong together.
    """
    check_plugin(found.manifest)
    return load_trained(found.folder, **changes)


def check_plugin(manifest: Manifest) -> None:
    """Refuse a model of a class from outside, unless its user has loaded just that code: facsim does not.

    Raises:
        FacsimError: the class is not known, or its code is another.
    """
    wanted = manifest.plugin
    if wanted is None:
        return
    here = plugins.definition("models", manifest.model)
    key = "sha256" if "sha256" in wanted else "package"
    if here is not None and here.get(key) == wanted.get(key):
        return
    kind = next((word for word in ("file", "class", "package") if word in wanted), "file")
    what = f"{kind} '{wanted.get(kind)}'" + (f" with the SHA-256 {wanted['sha256']}" if "sha256" in wanted else "")
    why = "which is not loaded" if here is None else f"and what is loaded has {here.get(key)}"
    raise FacsimError(
        f"'{manifest.reference}' is of the class '{manifest.model}' that the {what} defines, {why}: look through that "
        "code and load it yourself (facsim.load_plugin, or --plugin of 'facsim models verify'); no code comes with a "
        "model."
    )


def _generative(model: RunModel, name: str) -> EventModel:
    if not isinstance(model, EventModel):
        raise FacsimError(
            f"'{name}' is a predictor, which makes no events: facsim.models.shipped.load_fetched gives its module."
        )
    return model


class ShippedSampler(CardSampler):
    """A model of a repository that draws events at given conditions.

    Conditions outside of the training domain in its card, or where that has none (`par04` 1.0.0) of the training
    ranges, are warned of, as `CardSampler.events` says.

    Args:
        name: of the model, for example `par04` or `calo@1.2.0`.
        device: torch device name.
        repository: folder or URL; None looks among the shipped ones and in FACSIM_MODELS.
        changes: options to override, such as `candidates`.

    Example:
        >>> facsim.load("par04").events([10_000.0, 20_000.0], seed=1).cells.shape
        (2, 6480)

    Raises:
        FacsimError: as `repository.fetch.fetch` and `load_fetched`; or it is a predictor.
    """

    branch = "shipped"

    def __init__(self, name: str, device: str = "cpu", repository: str | Path | None = None, **changes: object) -> None:
        found = fetch(name, repository)
        self.manifest = found.manifest
        model, card = _generative(load_fetched(found, **changes), name), read_card(found.folder / CARD)
        super().__init__(model, card, device, self.manifest.name, f"model '{self.manifest.reference}'")

    @property
    def threads(self) -> int:
        """Processor threads that it computes with."""
        return torch.get_num_threads()


@overload
def load(
    name: str, *, repository: str | Path | None = ..., device: str = ..., candidates: int | None = ...
) -> ShippedSampler: ...
@overload
def load(name: Path, *, repository: None = ..., device: str = ..., candidates: int | None = ...) -> TrainedSampler: ...


def load(
    name: str | Path, *, repository: str | Path | None = None, device: str = "cpu", candidates: int | None = None
) -> ShippedSampler | TrainedSampler:
    """A trained model as a sampler: conditions in, events out.

    Args:
        name: of a model of a repository, `calo` (the newest) or `calo@1.2.0`; or the directory of a run, whose sampler
            knows its training domain (`models.trained`).
        repository: folder or URL of the repository; None looks among the models that ship with facsim, then in the
            folders and URLs of FACSIM_MODELS.
        device: torch device name.
        candidates: draws of which one is kept, of models that have them: more take longer and come nearer to truth.

    Raises:
        FacsimError: there is no such model, or its files are damaged.
    """
    changes = {} if candidates is None else {"candidates": candidates}
    if repository is None and is_run(Path(name)):
        return TrainedSampler(name, device, **changes)
    if repository is None and len(Path(name).parts) > 1:
        raise FacsimError(f"'{name}' is no run directory with a trained surrogate: do its stage 'train' first.")
    return ShippedSampler(str(name), device, repository, **changes)
