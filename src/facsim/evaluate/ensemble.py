"""What several trainings of one surrogate agree on: predictions of efficiencies with the uncertainty of the model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.metrics._samples import FloatArray
from facsim.models.checkpoint import load_model
from facsim.models.sampling import TorchSampler

FOLDERS = ("", "models/surrogate")


class Prediction(NamedTuple):
    """An efficiency in each bin (B,): mean of the members, uncertainty of the model, statistical error, and both."""

    value: FloatArray
    model: FloatArray
    statistical: FloatArray
    error: FloatArray


class SurrogateEnsemble:
    """Surrogates that differ in the seed of their training, one run each, with the interface of one sampler.

    Args:
        members: at least two samplers of the same events.

    Raises:
        FacsimError: fewer than two, or of different events.
    """

    resamples_truth = False

    def __init__(self, members: Sequence[TorchSampler]) -> None:
        if len(members) < 2:
            raise FacsimError(f"an ensemble needs at least two members, not {len(members)}: train with other seeds.")
        schemas = {(member.model.schema.features, member.model.schema.conditions) for member in members}
        if len(schemas) > 1:
            raise FacsimError("the members of an ensemble must have the same features and conditions.")
        self.members, self.name = list(members), "ensemble"

    @classmethod
    def load(cls, folders: Sequence[str | Path], device: str = "cpu") -> SurrogateEnsemble:
        """The surrogates of run directories, or of folders of models.

        Raises:
            FacsimError: a folder without a trained model, or too few of them.
        """
        return cls([TorchSampler(load_model(_model_folder(Path(folder))), device) for folder in folders])

    def sample(self, cond: NDArray[Any], rng: np.random.Generator) -> NDArray[np.float32]:
        """Events at the conditions (N, K), each by a member drawn at random: the predictive distribution."""
        which = rng.integers(len(self.members), size=len(cond))
        events = self.members[0].sample(cond[:0], rng)
        out = np.empty((len(cond), *events.shape[1:]), dtype=np.float32)
        for number, member in enumerate(self.members):
            rows = np.flatnonzero(which == number)
            out[rows] = member.sample(cond[rows], rng)
        return out


def _model_folder(folder: Path) -> Path:
    found = next((folder / part for part in FOLDERS if (folder / part / "model.json").is_file()), None)
    if found is None:
        raise FacsimError(f"'{folder}' holds no trained model: expected a run directory whose stage 'train' is done.")
    return found


def ensemble_prediction(values: FloatArray, errors: FloatArray) -> Prediction:
    """Mean of the members' efficiencies and its uncertainty.

    The variance between members is that of training, plus that of their samples, which is known and is taken off. What
    a single training may be off by is of that size; the mean of the members is used, and the part of its error that all
    members have in common cannot be seen between them, so the spread is not divided by their number.

    Args:
        values, errors: of each member and bin, (M, B); errors are statistical.

    Raises:
        FacsimError: fewer than two members.
    """
    if values.ndim != 2 or len(values) < 2 or values.shape != errors.shape:
        raise FacsimError(f"a prediction needs values and errors of two members at least, not {values.shape}.")
    noise = np.mean(errors**2, axis=0)
    model = np.sqrt(np.maximum(values.var(axis=0, ddof=1) - noise, 0.0))
    statistical = np.sqrt(noise / len(values))
    return Prediction(values.mean(axis=0), model, statistical, np.hypot(model, statistical))
