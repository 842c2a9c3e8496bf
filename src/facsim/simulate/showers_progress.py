"""How far a simulation is: from the workers' messages to rate and time left."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from facsim.core.geometry import FloatArray
from facsim.simulate.showers_chunks import Chunk

PROGRESS_SECONDS = 0.5


@dataclass(frozen=True)
class Progress:
    """How far a simulation is: events, events per second, seconds left (None at first), seconds of CPU spent."""

    done: int
    total: int
    rate: float
    seconds_left: float | None
    cpu_seconds: float
    workers: int


class Meter:
    """Turns messages of workers into calls of the user's progress function."""

    def __init__(self, energy: FloatArray, tell: Callable[[Progress], None] | None, workers: int) -> None:
        self._energy, self._tell, self._workers = energy, tell, workers
        self._begin = time.monotonic()
        self._last = 0.0
        self._done: dict[int, int] = {}
        self._reused = np.zeros(len(energy), dtype=bool)
        self.cpu_seconds = 0.0

    def reuse(self, chunk: Chunk) -> None:
        """Count a chunk that was there already."""
        self._reused[chunk.first : chunk.stop] = True

    def hear(self, message: dict[str, Any]) -> None:
        """Take note of a worker's message."""
        self._done[message["first"]] = message["events"]
        self.cpu_seconds += message.get("cpu_ms", 0.0) / 1000.0
        if time.monotonic() - self._last > PROGRESS_SECONDS:
            self.tell()

    def tell(self) -> None:
        """Report to the user."""
        if self._tell is None:
            return
        self._last = time.monotonic()
        elapsed = max(self._last - self._begin, 1e-9)
        now = np.zeros(len(self._energy), dtype=bool)
        for first, count in self._done.items():
            now[first : first + count] = True
        work, left = self._energy[now].sum(), self._energy[~(now | self._reused)].sum()
        seconds_left = float(left * elapsed / work) if work else (None if left else 0.0)
        done = int(now.sum() + self._reused.sum())
        rate = float(now.sum() / elapsed)
        self._tell(Progress(done, len(self._energy), rate, seconds_left, self.cpu_seconds, self._workers))
