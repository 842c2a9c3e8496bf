"""The surrogate of a run as a sampler that knows where it was trained."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from facsim.core.errors import FacsimError
from facsim.core.events import Events
from facsim.core.rng import generator
from facsim.core.store import read_json
from facsim.metrics.domain import Action, ConditionDomain
from facsim.models.checkpoint import load_model
from facsim.models.sampling import TorchSampler, generated_events

FOLDER = "models/surrogate"
CARD = "card.json"
MOST_NAMES = 12


def is_run(folder: Path) -> bool:
    """Whether a trained surrogate lies in `folder`, a run directory."""
    return (folder / FOLDER / "model.json").is_file()


class TrainedSampler(TorchSampler):
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

    def __init__(self, run: str | Path, device: str = "cpu", **changes: object) -> None:
        folder = Path(run)
        super().__init__(load_model(folder / FOLDER, **changes), device, folder.name)
        self.schema = self.model.schema
        card = read_json(folder / CARD) if (folder / CARD).is_file() else {}
        found = card.get("domain") if isinstance(card, dict) else None
        self.domain = None if found is None else ConditionDomain.from_dict(found)

    def events(self, cond: ArrayLike, seed: int = 1, outside: Action = "warn") -> Events:
        """Events at the conditions (N, K), in the units of the schema; clouds have a mask.

        Args:
            cond: conditions. seed: of the noise.
            outside: what to do where conditions lie outside of the training domain: `warn` (a Python warning), `flag`
                (the events' `target` (N,) is true there), `refuse`, or `ignore`.

        Raises:
            FacsimError: conditions that are none, some outside that shall be refused, or a run without a card.
        """
        values = np.asarray(cond, dtype=np.float64)
        n_cond = len(self.schema.conditions)
        if values.ndim != 2 or values.shape[1] != n_cond or not np.isfinite(values).all():
            names = [feature.name for feature in self.schema.conditions]
            raise FacsimError(
                f"'{self.name}' takes finite conditions (N, {n_cond}): {_short(names)}, not {values.shape}."
            )
        flags = np.zeros(len(values), dtype=bool)
        if outside != "ignore":
            if self.domain is None:
                raise FacsimError(
                    f"the run '{self.name}' has no card with its training domain: do its stage 'export', or choose "
                    "outside='ignore'."
                )
            flags, text = self.domain.guard(self.schema.scalars(values), outside, f"run '{self.name}'")
            if text and outside == "warn":
                warnings.warn(text, stacklevel=2)
        events = generated_events(self.schema, self.sample(values, generator(seed, "trained", self.name)), values)
        return replace(events, target=flags) if outside == "flag" else events


def _short(names: list[str]) -> str:
    """The names as a list, those in the middle of a long one left out."""
    return str(names) if len(names) <= MOST_NAMES else f"{names[:3]} ... {names[-1]!r}".replace("] ...", ", ...")
