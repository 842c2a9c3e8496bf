"""Endless shuffled training batches from events that may be larger than memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.events import Events, EventSource, concatenate
from facsim.core.rng import generator
from facsim.core.sources import SubsetSource, batch_rows

BLOCK = 64
"""Contiguous events that are read together from a sample larger than memory."""


class ShuffledLoader:
    """Batches in random order, the same for the same seed, resumable from two integers.

    A sample that fits in `memory` bytes is read once and permuted anew in every epoch. A larger one is read in
    buffers of random contiguous blocks, each buffer permuted. `position` and `buffer` are the whole state.

    Of several processes that train together each has a loader with the same arguments but its `rank`: all go through
    the same batches, and each gets its own part of every one.

    Args:
        source: the training events.
        batch_size: events per batch of all processes; a sample smaller than that gives smaller batches.
        seed: of the order.
        memory: bytes the events in memory may take.
        rank, size: which of how many processes.

    Raises:
        FacsimError: there are no events, or fewer in a batch than processes.
    """

    def __init__(
        self, source: EventSource, batch_size: int, seed: int, memory: float = 2e9, *, rank: int = 0, size: int = 1
    ) -> None:
        if len(source) == 0:
            raise FacsimError("there are no training events: check the split fractions and the input files.")
        self.source, self.seed, self.rank, self.size = source, seed, rank, size
        self.batch_size = min(batch_size, len(source))
        if self.batch_size < size:
            raise FacsimError(f"a batch of {self.batch_size} events cannot be shared by {size} processes: start fewer.")
        # one block more than a batch: the last block of the sample may be short
        rows = max(self.batch_size + BLOCK, int(memory / 2**20 * batch_rows(source, 1.0)))
        self.in_memory = rows >= len(source)
        self._rows = len(source) if self.in_memory else rows
        self._block = min(BLOCK, self._rows)
        self.buffer = self.position = 0
        self._events: Events | None = None
        self._order: NDArray[np.int64] | None = None
        self._loaded = -1

    def state(self) -> dict[str, int]:
        """The place in the order of batches."""
        return {"buffer": self.buffer, "position": self.position}

    def restore(self, state: dict[str, int]) -> None:
        """Go to the place that `state` returned."""
        self.buffer, self.position = state["buffer"], state["position"]

    def _load(self) -> tuple[Events, NDArray[np.int64]]:
        """The events of the present buffer and the order in which they are taken."""
        if self._events is None or self._order is None or self._loaded != self.buffer:
            if self._events is None or not self.in_memory:
                self._events = None  # the old buffer goes before the new one comes
                self._events = self._read()
            self._order = generator(self.seed, "order", self.buffer).permutation(len(self._events))
            self._loaded = self.buffer
        return self._events, self._order

    def _read(self) -> Events:
        if self.in_memory:
            return self.source.read(0, len(self.source))
        rng = generator(self.seed, "buffer", self.buffer)
        starts = rng.permutation(np.arange(0, len(self.source), self._block))[: -(-self._rows // self._block)]
        stops = np.minimum(starts + self._block, len(self.source))
        chosen = np.concatenate([np.arange(a, b) for a, b in zip(starts, stops, strict=True)])
        return SubsetSource(self.source, np.sort(chosen)).read(0, len(chosen))

    def next(self) -> Events:
        """This process's part of the next batch of `batch_size` events."""
        events, order = self._load()
        if self.position + self.batch_size > len(events):
            self.buffer, self.position = self.buffer + 1, 0
            events, order = self._load()
        batch = order[self.position : self.position + self.batch_size]
        self.position += self.batch_size
        return events[batch[self.rank :: self.size]]

    def head(self, n: int) -> Events:
        """`n` events (or all, if fewer) spread evenly over the sample, for closed-form fits."""
        if self.in_memory:
            events, _ = self._load()
            return events[np.linspace(0, len(events) - 1, min(n, len(events))).astype(int)]
        starts = np.linspace(0, len(self.source) - self._block, max(1, n // self._block)).astype(int)
        return concatenate([self.source.read(int(a), int(a) + self._block) for a in np.unique(starts)])
