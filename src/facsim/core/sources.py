"""Event sources made of others: arrays in memory, a subset by index, several files as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.events import Array, Events, EventSource, Labels, chunks, concatenate, padded
from facsim.core.geometry import IntArray
from facsim.core.schema import Schema

DEFAULT_BLOCK = 256
ID_STRIDE = 2**40
"""Distance between the ids of two files in a `ConcatSource`."""


def block_rows(source: EventSource) -> int:
    """Events that `source` decompresses together: its attribute `block_rows` if it has one, else 256."""
    return max(1, int(getattr(source, "block_rows", DEFAULT_BLOCK)))


def batch_rows(source: EventSource, megabytes: float = 64.0) -> int:
    """Events of `source` that take about `megabytes` as float32: between 1 and 10 000, for streaming in bounded memory.

    Clouds whose size is not known count as 1 000 points an event.
    """
    schema = source.schema
    points = {"table": 1, "cloud": schema.points or 1000, "grid": schema.geometry.n_cells if schema.geometry else 1000}
    values = points[schema.representation] * len(schema.features) + len(schema.conditions)
    return int(np.clip(megabytes * 2**20 / (4 * max(values, 1)), 1, 10_000))


def held(source: EventSource, megabytes: float = 100.0) -> EventSource:
    """`source` read into memory where its events take no more than about `megabytes` as float32, else itself."""
    if isinstance(source, MemorySource) or len(source) > batch_rows(source, megabytes):
        return source
    return MemorySource(source.read(0, len(source)))


def check_range(start: int, stop: int, length: int) -> None:
    """Refuse a range outside the source.

    Raises:
        FacsimError: not 0 <= start <= stop <= length.
    """
    if not 0 <= start <= stop <= length:
        raise FacsimError(f"cannot read events {start} to {stop}: there are {length}.")


def read_labels(source: EventSource) -> Labels:
    """Conditions, ids and weights of all events of `source`.

    A source with a method `labels` gives them without reading the events; any other is streamed.
    """
    if hasattr(source, "labels"):
        labels: Labels = source.labels()
        return labels
    parts = [_labels(batch) for batch in chunks(source, batch_rows(source))]
    return _join_labels(parts or [_labels(source.read(0, 0))])


def _labels(events: Events) -> Labels:
    return Labels(events.cond, events.event_id, events.group_id, events.weight)


def _join_labels(parts: Sequence[Labels]) -> Labels:
    weights = [part.weight for part in parts if part.weight is not None]
    if weights and len(weights) < len(parts):
        raise FacsimError("some of the files have event weights and others have none.")
    return Labels(
        np.concatenate([part.cond for part in parts]),
        np.concatenate([part.event_id for part in parts]),
        np.concatenate([part.group_id for part in parts]),
        np.concatenate(weights) if weights else None,
    )


class MemorySource:
    """`EventSource` over events in memory; what it returns are views."""

    def __init__(self, events: Events) -> None:
        self._events = events

    @property
    def schema(self) -> Schema:
        return self._events.schema

    def __len__(self) -> int:
        return len(self._events)

    def read(self, start: int, stop: int) -> Events:
        """Events `start` to `stop` (exclusive)."""
        check_range(start, stop, len(self))
        return self._events[start:stop]

    def labels(self) -> Labels:
        """Conditions, ids and weights of all events."""
        return _labels(self._events)


class SubsetSource:
    """`EventSource` over the events `indices` of another, in increasing order.

    Wanted events are fetched block by block (the compressed chunks of the file), so reading never holds more than the
    events asked for and one block, and decompresses each chunk once.

    Args:
        source: where the events are.
        indices: strictly increasing positions in `source`, shape (n,).

    Raises:
        FacsimError: the indices do not increase strictly or lie outside the source.
    """

    def __init__(self, source: EventSource, indices: Array) -> None:
        self.source = source
        self.indices: IntArray = np.asarray(indices, dtype=np.int64)
        if len(self.indices):
            check_range(int(self.indices[0]), int(self.indices[-1]) + 1, len(source))
        if np.any(np.diff(self.indices) <= 0):
            raise FacsimError("the indices of a subset must increase strictly.")

    @property
    def schema(self) -> Schema:
        return self.source.schema

    @property
    def block_rows(self) -> int:
        """Events to ask for at once: those of about one block of the source."""
        share = len(self.indices) / max(len(self.source), 1)
        return max(1, round(block_rows(self.source) * share))

    def __len__(self) -> int:
        return len(self.indices)

    def read(self, start: int, stop: int) -> Events:
        """Events `start` to `stop` (exclusive) of the subset."""
        check_range(start, stop, len(self))
        wanted = self.indices[start:stop]
        if not len(wanted):
            return self.source.read(0, 0)
        return _gather(self.source, wanted, _spans(wanted, block_rows(self.source)))

    def labels(self) -> Labels:
        """Conditions, ids and weights of all events of the subset."""
        return read_labels(self.source)[self.indices]


class ConcatSource:
    """`EventSource` over several others, one after another.

    Ids of the k-th source are raised by k * 2^40, so that events of different files are never taken for the same one.

    Raises:
        FacsimError: no source, or sources with different schemas.
    """

    def __init__(self, sources: Sequence[EventSource]) -> None:
        if not sources:
            raise FacsimError("there is no file to read.")
        for number, source in enumerate(sources):
            if source.schema != sources[0].schema:
                raise FacsimError(f"file {number + 1} of {len(sources)} has another geometry or other columns.")
        sizes = [source.schema.points for source in sources]
        points = None if None in sizes else max(size for size in sizes if size is not None)
        self._schema = replace(sources[0].schema, points=points)
        self._sources = list(sources)
        self._edges = np.cumsum([0, *(len(source) for source in sources)])

    @property
    def schema(self) -> Schema:
        return self._schema

    @property
    def block_rows(self) -> int:
        """Events that the first source decompresses together."""
        return block_rows(self._sources[0])

    def __len__(self) -> int:
        return int(self._edges[-1])

    def read(self, start: int, stop: int) -> Events:
        """Events `start` to `stop` (exclusive), counted through all sources."""
        check_range(start, stop, len(self))
        parts = []
        for number, (source, first) in enumerate(zip(self._sources, self._edges[:-1].tolist(), strict=True)):
            low, high = max(start - first, 0), min(stop - first, len(source))
            if low < high:
                part = source.read(low, high)
                shift = number * ID_STRIDE
                ids = {"event_id": part.event_id + shift, "group_id": part.group_id + shift}
                parts.append(replace(padded(part, self._schema.points), schema=self._schema, **ids))
        return concatenate(parts) if parts else padded(self._sources[0].read(0, 0), self._schema.points)

    def labels(self) -> Labels:
        """Conditions, ids and weights of all events of all sources."""
        parts = []
        for number, source in enumerate(self._sources):
            part, shift = read_labels(source), number * ID_STRIDE
            parts.append(replace(part, event_id=part.event_id + shift, group_id=part.group_id + shift))
        return _join_labels(parts)


def _spans(wanted: IntArray, block: int) -> list[tuple[int, int]]:
    """Ranges of positions in `wanted` to read at once: cut where a block ends, except inside unbroken runs."""
    starts = np.concatenate([[0], np.flatnonzero(np.diff(wanted // block)) + 1])
    ends = np.concatenate([starts[1:], [len(wanted)]])
    unbroken = wanted[ends - 1] - wanted[starts] == ends - starts - 1
    follows = wanted[starts[1:]] - wanted[starts[1:] - 1] == 1
    joined = unbroken[1:] & unbroken[:-1] & follows
    edges = [0, *starts[1:][~joined].tolist(), len(wanted)]
    return list(pairwise(edges))


def _gather(source: EventSource, wanted: IntArray, spans: list[tuple[int, int]]) -> Events:
    """Read the spans of `wanted` one by one into arrays made once, so that memory stays at the result and one block."""
    parts: dict[str, Any] = {}
    for low, high in spans:
        first, last = int(wanted[low]), int(wanted[high - 1]) + 1
        events = source.read(first, last)
        if len(spans) == 1 and last - first == high - low:
            return events
        for name, array in vars(events[wanted[low:high] - first]).items():
            if not isinstance(array, np.ndarray):
                parts[name] = array
                continue
            if name not in parts:
                parts[name] = np.empty((len(wanted), *array.shape[1:]), dtype=array.dtype)
            parts[name][low:high] = array
    return Events(**parts)
