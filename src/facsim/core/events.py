"""A batch of physics examples, and the interface of everything events can be read from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.schema import Schema

Array = NDArray[Any]


@dataclass(frozen=True)
class Events:
    """A batch of events.

    Shapes: `x` is (N, F) for a table, (N, V, C) for a grid, (N, P, F) for a padded cloud; `cond` is
    (N, K); `weight`, `event_id` and `group_id` are (N,); `mask` is (N, P), true where a point is real;
    `target` is (N, ...). Units are in the schema.

    Raises:
        FacsimError: arrays disagree on the number of events.
    """

    schema: Schema
    x: Array
    cond: Array
    event_id: Array
    group_id: Array
    weight: Array | None = None
    mask: Array | None = None
    target: Array | None = None

    def __post_init__(self) -> None:
        for name, array in self._arrays().items():
            if len(array) != len(self.x):
                raise FacsimError(f"'{name}' has {len(array)} entries for {len(self.x)} events.")

    def _arrays(self) -> dict[str, Array]:
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "schema"}
        return {name: value for name, value in values.items() if value is not None}

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: slice | Array) -> Events:
        parts: dict[str, Any] = {name: array[index] for name, array in self._arrays().items()}
        return replace(self, **parts)

    @property
    def cells(self) -> Array:
        """The single channel of a grid: shape (N, V)."""
        if self.schema.representation != "grid" or self.x.shape[-1] != 1:
            raise FacsimError(f"expected a grid with one channel, not {self.schema.representation} {self.x.shape}.")
        return self.x[..., 0]

    def condition(self, name: str) -> Array:
        """Column `name` of the conditions, shape (N,)."""
        return self.cond[:, self.schema.condition_index(name)]


def make_events(
    schema: Schema, x: Array, cond: Array, first_id: int = 0, group_id: Array | None = None, **extra: Array | None
) -> Events:
    """Events numbered from `first_id`; each is its own group unless `group_id` says otherwise."""
    event_id = np.arange(first_id, first_id + len(x), dtype=np.int64)
    return Events(schema, x, cond, event_id, event_id if group_id is None else group_id, **extra)


def padded(events: Events, points: int | None) -> Events:
    """Clouds with their points and mask filled up to `points`; other events, and with None clouds too, as they are."""
    missing = 0 if points is None or events.schema.representation != "cloud" else points - events.x.shape[1]
    if missing <= 0:
        return events
    mask = np.ones(events.x.shape[:2], dtype=bool) if events.mask is None else events.mask
    x = np.pad(events.x, ((0, 0), (0, missing), (0, 0)))
    return replace(events, x=x, mask=np.pad(mask, ((0, 0), (0, missing))))


def concatenate(batches: Sequence[Events]) -> Events:
    """Join batches of one schema.

    Raises:
        FacsimError: there are none, or some have arrays (weights, targets) that others lack.
    """
    if not batches:
        raise FacsimError("there are no events to join.")
    first = batches[0]
    if any(b._arrays().keys() != first._arrays().keys() for b in batches):
        raise FacsimError("events with weights, masks or targets cannot be joined with events that have none.")
    parts: dict[str, Any] = {n: np.concatenate([getattr(b, n) for b in batches]) for n in first._arrays()}
    return replace(first, **parts)


@dataclass(frozen=True)
class Labels:
    """All that is known of events but the events themselves: small enough to hold for a whole file.

    `cond` is (N, K), `event_id` and `group_id` are (N,), `weight` is (N,) or None.
    """

    cond: Array
    event_id: Array
    group_id: Array
    weight: Array | None = None

    def __len__(self) -> int:
        return len(self.cond)

    def __getitem__(self, index: slice | Array) -> Labels:
        weight = None if self.weight is None else self.weight[index]
        return Labels(self.cond[index], self.event_id[index], self.group_id[index], weight)


class EventSource(Protocol):
    """Events in a file or in memory that may be larger than memory; reading is by range."""

    @property
    def schema(self) -> Schema: ...

    def __len__(self) -> int: ...

    def read(self, start: int, stop: int) -> Events:
        """Events `start` to `stop` (exclusive), loaded in memory."""
        ...


def chunks(source: EventSource, size: int = 1000, start: int = 0, stop: int | None = None) -> Iterator[Events]:
    """Events `start` to `stop` of `source`, `size` at a time, in order."""
    end = len(source) if stop is None else min(stop, len(source))
    for first in range(start, end, size):
        yield source.read(first, min(first + size, end))
