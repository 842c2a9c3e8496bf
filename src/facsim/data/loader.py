"""Endless shuffled training batches from events that may be larger than memory."""

from __future__ import annotations

import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.events import Events, EventSource, concatenate
from facsim.core.rng import generator
from facsim.core.sources import SubsetSource, batch_rows


class ShuffledLoader:
    """Batches in random order, the same for the same seed, resumable from two integers.

    A sample that fits in `memory` bytes is read once and permuted anew in every epoch. A larger one is read in
    buffers of random contiguous blocks, each buffer permuted. `position` and `buffer` are the whole state.

    Args:
        source: the training events.
        batch_size: events per batch; a sample smaller than that gives smaller batches.
        seed: of the order.
        memory: bytes the events in memory may take.

    Raises:
        FacsimError: there are no events.
    """

    def __init__(self, source: EventSource, batch_size: int, seed: int, memory: float = 2e9) -> None:
        if len(source) == 0:
            raise FacsimError("there are no training events: check the split fractions and the input files.")
        self.source, self.seed = source, seed
        self.batch_size = min(batch_size, len(source))
        megabyte_rows = batch_rows(source, 1.0)
        rows = max(self.batch_size, int(memory / 2**20 * megabyte_rows))
        self.in_memory = rows >= len(source)
        self._rows = len(source) if self.in_memory else rows
        self._block = max(1, min(64, self._rows))
        self.buffer = self.position = 0
        self._events: Events | None = None
        self._loaded = -1

    def state(self) -> dict[str, int]:
        """The place in the order of batches."""
        return {"buffer": self.buffer, "position": self.position}

    def restore(self, state: dict[str, int]) -> None:
        """Go to the place that `state` returned."""
        self.buffer, self.position = state["buffer"], state["position"]

    def _load(self) -> Events:
        if self._events is None or (not self.in_memory and self._loaded != self.buffer):
            if self.in_memory:
                self._events = self.source.read(0, len(self.source))
            else:
                rng = generator(self.seed, "buffer", self.buffer)
                starts = rng.permutation(np.arange(0, len(self.source), self._block))[: -(-self._rows // self._block)]
                stops = np.minimum(starts + self._block, len(self.source))
                chosen = np.concatenate([np.arange(a, b) for a, b in zip(starts, stops, strict=True)])
                self._events = None  # the old buffer goes before the new one comes
                self._events = SubsetSource(self.source, np.sort(chosen)).read(0, len(chosen))
            self._loaded = self.buffer
        return self._events

    def next(self) -> Events:
        """The next batch of `batch_size` events."""
        events = self._load()
        if self.position + self.batch_size > len(events):
            self.buffer, self.position = self.buffer + 1, 0
            events = self._load()
        order = generator(self.seed, "order", self.buffer).permutation(len(events))
        chosen = order[self.position : self.position + self.batch_size]
        self.position += self.batch_size
        return events[chosen]

    def head(self, n: int) -> Events:
        """`n` events (or all, if fewer) spread evenly over the sample, for closed-form fits."""
        if self.in_memory:
            events = self._load()
            return events[np.linspace(0, len(events) - 1, min(n, len(events))).astype(int)]
        starts = np.linspace(0, len(self.source) - self._block, max(1, n // self._block)).astype(int)
        return concatenate([self.source.read(int(a), int(a) + self._block) for a in np.unique(starts)])
