"""A trained model with its card as a sampler that knows where it was trained."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facsim.core.errors import FacsimError
from facsim.core.events import Events
from facsim.core.guard import check_format, read_json_guarded
from facsim.core.rng import generator
from facsim.core.schema import Schema
from facsim.metrics.domain import Action, ConditionDomain
from facsim.models.base import EventModel
from facsim.models.checkpoint import load_model
from facsim.models.sampling import TorchSampler, generated_events

FOLDER = "models/surrogate"
CARD = "card.json"
COMPRESSED = "compress.json"
"""In the folder of a compressed model, which is laid out like a run directory."""
CARD_FORMAT, NEWEST_CARD = "facsim-card", 1
MOST_NAMES = 12


def is_run(folder: Path) -> bool:
    """Whether a trained surrogate lies in `folder`, a run directory."""
    return (folder / FOLDER / "model.json").is_file()


def read_card(path: Path) -> dict[str, Any]:
    """The card in a file that may come from anyone.

    Raises:
        FacsimError: there is none, it is of a newer facsim, or no JSON.
    """
    card = read_json_guarded(path)
    check_format(card.get("format"), CARD_FORMAT, NEWEST_CARD, str(path))
    return card


class CardSampler(TorchSampler):
    """A trained model at conditions of one's own, guarded by the training domain in its card.

    Args:
        model: the model. card: its card, which may be empty.
        device: torch device name. name: of the model. what: the model in messages.
    """

    branch: str
    """Of the random numbers."""

    def __init__(self, model: EventModel, card: Mapping[str, Any], device: str, name: str, what: str) -> None:
        super().__init__(model, device, name)
        self.schema, self.card, self.what = model.schema, dict(card), what
        self.domain = _domain(self.card, self.schema, what)

    def events(self, cond: ArrayLike, seed: int = 1, outside: Action = "warn") -> Events:
        """Events at the conditions (N, K) or, of one, (N,), in the units of the schema; clouds have a mask.

        Args:
            cond: conditions, MeV for incident energies. seed: of the noise.
            outside: what to do where conditions lie outside of the training domain: `warn` (a Python warning), `flag`
                (the events' `target` (N,) is true there), `refuse`, or `ignore`.

        Raises:
            FacsimError: conditions that are none, some outside that shall be refused, or a card without the domain.
        """
        values = self._conditions(cond)
        flags = np.zeros(len(values), dtype=bool)
        if outside != "ignore":
            if self.domain is None:
                raise FacsimError(f"{self._no_domain()}, or choose outside='ignore'.")
            flags, text = self.domain.guard(self.schema.scalars(values), outside, self.what)
            if text and outside == "warn":
                warnings.warn(text, stacklevel=2)
        events = generated_events(self.schema, self.sample(values, generator(seed, self.branch, self.name)), values)
        return replace(events, target=flags) if outside == "flag" else events

    def _conditions(self, cond: ArrayLike) -> NDArray[np.float64]:
        values, n_cond = np.asarray(cond, dtype=np.float64), len(self.schema.conditions)
        values = values[:, None] if values.ndim == 1 and n_cond == 1 else values
        names = [feature.name for feature in self.schema.conditions]
        if values.ndim != 2 or values.shape[1] != n_cond or not np.isfinite(values).all():
            one = " or (N,)" if n_cond == 1 else ""
            raise FacsimError(
                f"'{self.name}' takes finite conditions (N, {n_cond}){one}: {_short(names)}, not {np.shape(cond)}."
            )
        if "incident_energy" in names and (values[:, names.index("incident_energy")] <= 0).any():
            raise FacsimError(f"the conditions of '{self.name}' must hold positive incident energies, in MeV.")
        return values

    def _no_domain(self) -> str:
        return f"the card of the {self.what} says nothing of a training domain: save it from a run anew"


class TrainedSampler(CardSampler):
    """The surrogate of a run directory, at conditions of one's own.

    Args:
        run: the directory; its stage `export` has left the card with the domain of training.
        device: torch device name. changes: options to override, such as `steps`.

    Example:
        >>> facsim.load(Path("runs/rich")).events([[20_000.0, 3.2, 150.0]], outside="refuse").x.shape
        (1, 5)

    Raises:
        FacsimError: there is no trained model.
    """

    branch = "trained"

    def __init__(self, run: str | Path, device: str = "cpu", **changes: object) -> None:
        folder = Path(run)
        card = read_card(folder / CARD) if (folder / CARD).is_file() else {}
        super().__init__(load_model(folder / FOLDER, **changes), card, device, folder.name, f"run '{folder.name}'")

    def _no_domain(self) -> str:
        return f"the run '{self.name}' has no card with its training domain: do its stage 'export'"


def _domain(card: Mapping[str, Any], schema: Schema, what: str) -> ConditionDomain | None:
    """The training domain in a card, or at least its ranges; None where it has neither."""
    found, ranges = card.get("domain"), card.get("training_range")
    try:
        if found is not None:
            return ConditionDomain.from_dict(found)
        return None if ranges is None else ConditionDomain.of_ranges(ranges[: len(schema.scalar_conditions)])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FacsimError(f"the training domain in the card of the {what} is none ({error!r}).") from None


def _short(names: list[str]) -> str:
    """The names as a list, those in the middle of a long one left out."""
    return str(names) if len(names) <= MOST_NAMES else f"{names[:3]} ... {names[-1]!r}".replace("] ...", ", ...")
