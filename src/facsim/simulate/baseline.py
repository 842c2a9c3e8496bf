"""The interface of baselines: fast simulations that are not learned, used beside a surrogate in every scorecard."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.events import Events, EventSource, chunks
from facsim.core.geometry import CylinderGeometry
from facsim.core.schema import Schema
from facsim.core.sources import batch_rows

BLOCKS = 20


@dataclass(frozen=True)
class Sampled:
    """Events of a baseline: `x` as in `Events`, float32, (N, V, 1) MeV for showers; `group_id` (N,) int64, the id of
    the truth event that each was made from, or None where they are independent of truth events; `mask` (N, P) of
    clouds."""

    x: NDArray[np.float32]
    group_id: NDArray[np.int64] | None = None
    mask: NDArray[np.bool_] | None = None


@dataclass(kw_only=True)
class Baseline(ABC):
    """A baseline; subclasses are dataclasses whose fields are the options of `fit`.

    Example:
        >>> baseline = BASELINES["library"].fit(train, seed=1, nearest=20)
        >>> showers = baseline.sample(cond, np.random.default_rng(2)).x
    """

    name: ClassVar[str]
    resamples_truth: ClassVar[bool]
    """Whether showers are copies of truth events: scores must then group by `Sampled.group_id`."""

    @classmethod
    def fit(cls, train: EventSource, seed: int, **options: Any) -> Self:
        """The baseline made ready from the training events, read in chunks.

        Raises:
            FacsimError: unknown option, no events, or a baseline that cannot describe them.
        """
        known = sorted(f.name for f in fields(cls) if f.init)
        unknown = sorted(set(options) - set(known))
        if unknown:
            raise FacsimError(f"baseline '{cls.name}' has no option {unknown}; it has {known}.")
        reason = cls.unfit(train.schema, **options)
        if reason is not None:
            raise FacsimError(reason)
        if len(train) == 0:
            raise FacsimError(f"baseline '{cls.name}' needs training events, and there are none.")
        baseline = cls(**options)
        baseline._fit(train, seed)
        return baseline

    @classmethod
    def unfit(cls, schema: Schema, **options: Any) -> str | None:
        """Why this baseline with these options cannot describe events of `schema`, in one sentence; None if it can."""
        return None

    @abstractmethod
    def _fit(self, train: EventSource, seed: int) -> None:
        """Learn what the baseline takes from the training events."""

    @abstractmethod
    def sample(self, cond: NDArray[Any], rng: np.random.Generator) -> Sampled:
        """Events at the conditions `cond` (N, K), columns as in the training schema; thresholds applied.

        Raises:
            FacsimError: `cond` has another number of columns, or values that cannot be.
        """

    @property
    @abstractmethod
    def memory_bytes(self) -> int:
        """Memory that a sampling process has to hold for this baseline."""


@dataclass(kw_only=True)
class ShowerBaseline(Baseline):
    """A baseline for showers in cells that takes its scale from the incident energy."""

    @classmethod
    def unfit(cls, schema: Schema, **options: Any) -> str | None:
        if schema.geometry is None or schema.representation != "grid":
            return f"baseline '{cls.name}' needs showers in cells, not a {schema.representation}."
        names = [feature.name for feature in schema.conditions]
        if "incident_energy" not in names:
            return f"baseline '{cls.name}' needs the condition 'incident_energy' (MeV); the events have {names}."
        return None


def cylinder(schema: Schema) -> CylinderGeometry:
    """The geometry of showers on a cylinder.

    Raises:
        FacsimError: the events have none, or cells of another kind.
    """
    if not isinstance(schema.geometry, CylinderGeometry):
        raise FacsimError("these events have no cylinder geometry.")
    return schema.geometry


def check_count(baseline: str, option: str, value: object, least: int) -> None:
    """Refuse an option that is not a whole number of at least `least`.

    Raises:
        FacsimError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise FacsimError(f"baseline '{baseline}' needs {option} to be a whole number >= {least}, not {value!r}.")


def spread_batches(source: EventSource, events: int) -> Iterator[Events]:
    """About `events` events of `source` in batches from evenly spread places, all of them if there are no more."""
    total = len(source)
    blocks = min(BLOCKS, max(events, 1))
    length = -(-events // blocks)
    if blocks * length >= total:
        yield from chunks(source, batch_rows(source))
        return
    for block in range(blocks):
        first = block * (total - length) // max(blocks - 1, 1)
        yield from chunks(source, batch_rows(source), first, first + length)


def checked_conditions(cond: NDArray[Any], schema: Schema) -> NDArray[np.float64]:
    """`cond` as float64 (N, K) after checking it against `schema`.

    Raises:
        FacsimError: wrong shape, or an incident energy that is not positive and finite.
    """
    cond = np.asarray(cond, np.float64)
    names = [feature.name for feature in schema.conditions]
    if cond.ndim != 2 or cond.shape[1] != len(names):
        raise FacsimError(f"expected conditions of shape (N, {len(names)}) with columns {names}, not {cond.shape}.")
    energy = cond[:, schema.condition_index("incident_energy")]
    if not np.all(np.isfinite(energy) & (energy > 0)):
        raise FacsimError("incident energies must be positive and finite (MeV).")
    return cond
