"""Conditions of a farm's events: those of a file or of the run's truth, in a file that all workers read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.config import load_config
from facsim.core.errors import FacsimError
from facsim.core.events import EventSource, chunks
from facsim.core.schema import Schema
from facsim.core.sources import batch_rows, read_labels
from facsim.core.store import atomic_path
from facsim.data import open_events
from facsim.models.sampling import TorchSampler
from facsim.models.shipped import ShippedSampler
from facsim.pipeline.shipped import MEV, ROUNDING, Energy
from facsim.pipeline.truth import open_splits
from facsim.run import Run, saved_config

CONDITIONS = "conditions.npy"
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Given:
    """Conditions (M, K) in the units of the model's schema, and the weights (M,) of their events, if any."""

    cond: FloatArray
    weight: FloatArray | None

    @property
    def digest(self) -> str:
        """Checksum of the numbers."""
        return hashlib.sha256(_array(self).tobytes()).hexdigest()


def given_of(
    place: Path, sampler: TorchSampler, conditions: str | Path | None, mapping: str | Path | None, energy: Energy
) -> Given | None:
    """Conditions of a file, or of the truth sample B of the run in `place`; None where a shipped model draws them.

    Raises:
        FacsimError: energies for a run or beside a file, a run without truth, or conditions that do not fit the model.
    """
    shipped, schema = isinstance(sampler, ShippedSampler), sampler.model.schema
    if energy is not None and (conditions is not None or not shipped):
        raise FacsimError("--energy is for shipped models, without --conditions: a run takes conditions from a file.")
    if conditions is not None:
        source = open_events(conditions, mapping=mapping, whole_table=True)
        return _checked(_columns(source, schema, str(conditions)), str(conditions))
    if shipped:
        return None
    run = Run(place, load_config(saved_config(place)))
    labels = read_labels(open_splits(run)["null"])
    if labels.cond.shape[1] != len(schema.conditions):
        raise FacsimError(f"the truth of '{place}' has other conditions than its model was trained with.")
    return _checked(Given(labels.cond.astype(np.float64), labels.weight), str(place))


def check_energies(cond: FloatArray, trained: Mapping[str, Any], name: str, force: bool) -> None:
    """Refuse energies outside of the training range of a shipped model, unless forced.

    Raises:
        FacsimError: some are, or are not positive.
    """
    low, high = float(cond[:, 0].min()), float(cond[:, 0].max())
    inside = low >= (1 - ROUNDING) * trained["min"] and high <= (1 + ROUNDING) * trained["max"]
    if low <= 0 or (not inside and not force):
        raise FacsimError(
            f"'{name}' was trained from {trained['min'] / MEV:.3g} to {trained['max'] / MEV:.3g} GeV, and the file has "
            f"{low / MEV:.4g} to {high / MEV:.4g} GeV: choose energies within, or add --force to extrapolate."
        )


def write_given(path: Path, given: Given) -> None:
    """Write conditions, and weights as a last column, for `read_given`."""
    with atomic_path(path) as temporary, temporary.open("wb") as handle:
        np.save(handle, _array(given))


def read_given(path: Path, events: NDArray[np.int64]) -> tuple[FloatArray, FloatArray | None]:
    """Conditions and weights of the numbered `events`, from the first row again after the last.

    Raises:
        FacsimError: the file is missing or damaged.
    """
    try:
        table = np.load(path, mmap_mode="r")
        weighted = bool(table[0, -1] == 1.0)
        rows = np.asarray(table[events % (len(table) - 1) + 1])
    except (OSError, ValueError, IndexError) as error:
        raise FacsimError(f"'{path}' cannot be read ({error}): delete it and give the same command again.") from None
    return rows[:, :-1], rows[:, -1] if weighted else None


def _array(given: Given) -> FloatArray:
    """Rows of conditions and weight; the first says by its last number whether there are weights."""
    weight = np.ones(len(given.cond)) if given.weight is None else given.weight
    head = np.zeros((1, given.cond.shape[1] + 1))
    head[0, -1] = float(given.weight is not None)
    return np.concatenate([head, np.column_stack([given.cond, weight])]).astype(np.float64)


def _columns(source: EventSource, schema: Schema, name: str) -> Given:
    """The columns of `source` that are conditions of `schema`: among its conditions, or its features."""
    wanted = schema.conditions
    there = {f.name: f.unit for f in (*source.schema.features, *source.schema.conditions)}
    lacking = [f.name for f in wanted if f.name not in there]
    if lacking:
        raise FacsimError(f"'{name}' has no columns {lacking} for the model's conditions; it has {list(there)}.")
    other = [f for f in wanted if f.unit and there[f.name] and there[f.name] != f.unit]
    if other:
        found = there[other[0].name]
        raise FacsimError(f"'{name}' gives {other[0].name} in {found}, and the model takes {other[0].unit}.")
    names = [f.name for f in source.schema.conditions]
    if all(f.name in names for f in wanted):
        labels = read_labels(source)
        return Given(labels.cond[:, [names.index(f.name) for f in wanted]].astype(np.float64), labels.weight)
    parts, weights = [], []
    for batch in chunks(source, batch_rows(source)):
        table = np.column_stack([batch.x, batch.cond])
        columns = [list(there).index(f.name) for f in wanted]
        parts.append(table[:, columns].astype(np.float64))
        weights.append(batch.weight)
    joined = None if any(w is None for w in weights) else np.concatenate([w for w in weights if w is not None])
    return Given(np.concatenate(parts), joined)


def _checked(given: Given, name: str) -> Given:
    if not len(given.cond) or not np.isfinite(given.cond).all():
        raise FacsimError(f"'{name}' has no conditions, or some that are not finite numbers.")
    return given
