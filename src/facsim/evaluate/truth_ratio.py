"""log p_model / p_truth on a fixed truth sample: what remains of a model for the incremental log-posterior."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.store import atomic_path
from facsim.evaluate.c2st import Data
from facsim.evaluate.crossfit import Plan, Progress, cross_fit
from facsim.evaluate.labelled import Sample, as_sample
from facsim.metrics.folds import group_numbers

FloatArray = NDArray[np.float64]
PROTOCOL = "facsim-truth-ratio-1"
ARRAYS = ("log_ratio", "runs", "weight", "groups")
WORDS = ("name", "truth", "seed", "n_model", "protocol")


@dataclass(frozen=True)
class TruthRatio:
    """Ratios of one model.

    Attributes:
        name: of the model.
        log_ratio: log p_model / p_truth of each truth event, out of fold, (N,). runs: of each seed's networks, (S, N).
        weight, groups: of the truth events, (N,).
        truth: checksum of the truth events. seed: of folds and networks. n_model: events of the model.
        protocol: name and version.
    """

    name: str
    log_ratio: NDArray[np.float32]
    runs: NDArray[np.float32]
    weight: FloatArray
    groups: NDArray[np.int64]
    truth: str
    seed: int
    n_model: int
    protocol: str = PROTOCOL

    @property
    def normalisation(self) -> float:
        """Mean of p_model / p_truth over truth: 1 where truth reaches all of the model and the ratio is right."""
        return float(np.average(np.exp(self.log_ratio.astype(np.float64)), weights=self.weight))

    @property
    def divergence(self) -> float:
        """Kullback-Leibler divergence of truth from the model, nats: minus the mean log-ratio."""
        return -float(np.average(self.log_ratio.astype(np.float64), weights=self.weight))

    def save(self, path: Path) -> None:
        """Write a compressed NumPy archive, four bytes an event and seed."""
        words: dict[str, Any] = {name: np.array(getattr(self, name)) for name in WORDS}
        with atomic_path(path) as temporary, temporary.open("wb") as handle:
            np.savez_compressed(handle, **words | {name: getattr(self, name) for name in ARRAYS})

    @classmethod
    def load(cls, path: Path) -> TruthRatio:
        """Read what `save` wrote; no code is executed.

        Raises:
            FacsimError: the file is missing, damaged or of another protocol.
        """
        try:
            with path.open("rb") as handle, np.load(handle, allow_pickle=False) as file:
                found = {name: file[name] for name in file.files}
                words = {name: found[name].item() for name in WORDS}
                ratio = cls(**{name: found[name] for name in ARRAYS}, **words)
        except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile) as error:
            raise FacsimError(f"'{path}' holds no ratios of a model ({type(error).__name__}).") from None
        if ratio.protocol != PROTOCOL:
            raise FacsimError(f"'{path}' is of protocol '{ratio.protocol}', not '{PROTOCOL}': compute it anew.")
        return ratio


def truth_ratio(
    truth: Data,
    model: Data,
    name: str,
    *,
    plan: Plan | None = None,
    conditions: int = 0,
    seed: int = 0,
    progress: Progress | None = None,
) -> TruthRatio:
    """Ratios of `model` to `truth` on every truth event, by networks that did not train on it.

    Use one truth sample, `seed` and `plan` for all models that will be compared.

    Raises:
        FacsimError: samples that do not fit or that a classifier cannot use.
    """
    reference, other = as_sample(truth, conditions), as_sample(model, conditions)
    fit = cross_fit((reference, other), plan or Plan(), seed, PROTOCOL, progress)
    n = len(reference)
    log_ratio, runs = ((p[..., :n, 1] - p[..., :n, 0]).astype(np.float32) for p in (fit.log_p, fit.runs))
    groups = group_numbers(reference.groups, n, "reference", 2)
    return TruthRatio(name, log_ratio, runs, fit.weight[:n], groups, checksum(reference), seed, len(other))


def checksum(sample: Sample) -> str:
    """SHA-256 of the events in float32, with conditions, mask, weights and groups."""
    digest = hashlib.sha256()
    for name, array in sorted(sample.arrays().items()):
        digest.update(name.encode())
        digest.update(str(array.shape).encode())
        digest.update(np.ascontiguousarray(array, dtype="<f4").tobytes())
    return digest.hexdigest()
