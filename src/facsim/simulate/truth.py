"""What every truth simulation is: the settings of a run's section `simulate`, and how they become events.

One subclass for each task. Those that make events chunk by chunk are `ChunkedSimulation`s: they describe one chunk, and
seeds, workers and interruptions are common. NumPy draws many events at once in threads (`VectorisedSimulation`);
generators that are slow in Python or hold global state run in processes (`truth_processes.ProcessSimulation`).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from facsim.core.errors import FacsimError, MissingExtraError
from facsim.core.events import Events, chunks, make_events
from facsim.core.geometry import FloatArray
from facsim.core.rng import generator
from facsim.core.schema import Schema
from facsim.core.store import StoreReader, write_store
from facsim.simulate.showers_chunks import Chunk, claim
from facsim.simulate.showers_progress import Progress

FORMAT = "facsim-truth-1"
MERGE_ROWS = 1000
Tell = Callable[[Progress], None]


@dataclass(frozen=True)
class SimulationReport:
    """What a simulation did: `reused` events were found on disk, `cpu_seconds` is the simulator's time for all."""

    path: Path
    events: int
    reused: int
    workers: int
    cpu_seconds: float
    wall_seconds: float
    provenance: dict[str, Any]


class Drawn(NamedTuple):
    """Simulated events: `x` as in `Events`, `cond` (N, K), and where there are `weight` (N,), `target` (N, ...), `mask`
    (N, P), and `group` (N,), the place of the first event that must stay together with each. `notes` are numbers that
    `ChunkedSimulation.summary` puts together."""

    x: NDArray[Any]
    cond: NDArray[Any]
    weight: NDArray[Any] | None = None
    target: NDArray[Any] | None = None
    mask: NDArray[np.bool_] | None = None
    group: NDArray[np.int64] | None = None
    notes: Mapping[str, Any] | None = None


class TruthSimulation(BaseModel, ABC):
    """Settings of a truth simulator.

    Args:
        events: number of events.
        workers: processes or threads; None takes one per processor. The events do not depend on it.
        chunk: events per chunk at most; an interruption loses at most one chunk per worker.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    simulator: ClassVar[str]
    """What the truth is called in words and figures."""
    noun: ClassVar[str] = "events"
    """What its events are called, in the plural."""
    undetermining: ClassVar[frozenset[str]] = frozenset({"workers"})
    """Settings that the events do not depend on."""

    events: Annotated[int, Field(ge=1)]
    workers: Annotated[int, Field(ge=1)] | None = None
    chunk: Annotated[int, Field(ge=1)] = 100

    @abstractmethod
    def event_schema(self, provenance: dict[str, Any] | None = None) -> Schema:
        """Schema of the events."""

    @abstractmethod
    def simulate(self, out: Path, seed: int, tell: Tell | None = None) -> SimulationReport:
        """Simulate into the file `out`, resuming what an earlier, interrupted call left.

        Raises:
            FacsimError: parts of other settings lie there, the simulator failed, or the disk is full.
            MissingExtraError: the simulator is not installed.
        """

    @abstractmethod
    def parts(self, size: int | None = None) -> list[tuple[int, int]]:
        """First event of each part that can be made alone, and the one after its last.

        Args:
            size: events of a part, where the events do not depend on it.

        Raises:
            FacsimError: a `size`, and the events would depend on it.
        """

    @abstractmethod
    def write_part(self, part: Chunk, seed: int) -> float:
        """Make one of the `parts` and write its file; returns CPU seconds.

        Raises:
            FacsimError, MissingExtraError: as of `simulate`.
        """

    @abstractmethod
    def merge_parts(self, parts: list[Chunk], out: Path, seed: int, cpu_seconds: float = 0.0) -> None:
        """Put the files of all parts, made in `cpu_seconds`, together: the file that `simulate` would have left.

        Raises:
            FacsimError: the disk is full.
        """

    @abstractmethod
    def identity(self, seed: int) -> dict[str, Any]:
        """All that determines the events of a seed, and its `fingerprint`; JSON-ready."""

    @abstractmethod
    def time(self, cond: NDArray[Any], seed: int) -> FloatArray | None:
        """Processor time at the conditions (N, K), ms of each event; None where the simulator is not installed."""

    def missing(self) -> MissingExtraError | None:
        """What has to be installed before this can run."""
        return None


class Count:
    """Adds finished chunks up and tells the user: of `total` events `done` were there before."""

    def __init__(self, total: int, done: int, workers: int, tell: Tell | None) -> None:
        self._begin, self._before, self._tell = time.monotonic(), done, tell
        self.total, self.done, self.workers, self.cpu = total, done, workers, 0.0

    def add(self, events: int, cpu: float) -> None:
        """A chunk of `events` is finished, after `cpu` seconds."""
        self.cpu += cpu
        self.done += events
        if self._tell is not None:
            rate = (self.done - self._before) / max(time.monotonic() - self._begin, 1e-9)
            left = (self.total - self.done) / rate
            self._tell(Progress(self.done, self.total, rate, left, self.cpu, self.workers))


class ChunkedSimulation(TruthSimulation):
    """A truth simulator whose events are made in chunks that each have random numbers of their own."""

    @abstractmethod
    def schema_of(self) -> Schema:
        """Schema of the events, without provenance."""

    @abstractmethod
    def generate(self, n: int, rng: np.random.Generator) -> Drawn:
        """`n` events at conditions drawn as the settings say."""

    @abstractmethod
    def work(self, missing: list[Chunk], seed: int, count: Count) -> None:
        """Make the `missing` chunks with `write_chunk`, and add each to `count`."""

    def inputs(self) -> dict[str, Any]:
        """What the events depend on beside settings and seed."""
        return {}

    @property
    def chunk_events(self) -> int:
        """Events per chunk at most."""
        return self.chunk

    def spans(self) -> list[tuple[int, int]]:
        """First event of each chunk, and the one after its last."""
        size = self.chunk_events
        return [(first, min(first + size, self.events)) for first in range(0, self.events, size)]

    def make(self, part: Chunk, seed: int) -> Drawn:
        """The events of a chunk of a simulation with this seed."""
        return self.generate(part.stop - part.first, generator(seed, "truth", part.first))

    def summary(self, notes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """What the notes of all chunks add to the provenance."""
        return {}

    def event_schema(self, provenance: dict[str, Any] | None = None) -> Schema:
        return replace(self.schema_of(), provenance=provenance or {})

    def simulate(self, out: Path, seed: int, tell: Tell | None = None) -> SimulationReport:
        begin, identity = time.monotonic(), self.identity(seed)
        found = _finished(out, identity)
        if found is not None:
            return SimulationReport(out, self.events, self.events, 0, found["cpu_seconds"], 0.0, found)
        folder = out.with_name(out.name + ".parts")
        claim(folder, identity)
        parts = [Chunk(first, stop, folder / f"part-{first:08d}.h5") for first, stop in self.spans()]
        missing = [part for part in parts if not _is_complete(part)]
        workers = min(self.workers or available_processors(), max(len(missing), 1))
        reused = self.events - sum(part.stop - part.first for part in missing)
        count = Count(self.events, reused, workers, tell)
        if missing:
            self.work(missing, seed, count)
        provenance = self._put_together(parts, out, identity, count.cpu)
        shutil.rmtree(folder, ignore_errors=True)
        return SimulationReport(out, self.events, reused, workers, count.cpu, time.monotonic() - begin, provenance)

    def parts(self, size: int | None = None) -> list[tuple[int, int]]:
        if size is not None:
            raise FacsimError(
                "these events are drawn chunk by chunk, and so depend on the chunks' size: set simulate.chunk for "
                "smaller or larger ones."
            )
        return self.spans()

    def write_part(self, part: Chunk, seed: int) -> float:
        return self.write_chunk(part, seed)

    def merge_parts(self, parts: list[Chunk], out: Path, seed: int, cpu_seconds: float = 0.0) -> None:
        self._put_together(parts, out, self.identity(seed), cpu_seconds)

    def _put_together(self, parts: list[Chunk], out: Path, identity: dict[str, Any], cpu: float) -> dict[str, Any]:
        """Merge the parts; returns the provenance of the events."""
        summary = self.summary([StoreReader(part.path).schema.provenance for part in parts])
        provenance = {"simulator": self.simulator, "cpu_seconds": round(cpu, 3), **summary, **identity}
        write_store(out, _merged(parts, self.event_schema(provenance)))
        return provenance

    def write_chunk(self, part: Chunk, seed: int) -> float:
        """Make one chunk and write its file; returns CPU seconds of this thread."""
        begin = time.thread_time()
        drawn = self.make(part, seed)
        x = drawn.x.astype(np.float32, copy=False)
        group = None if drawn.group is None else part.first + drawn.group
        extra = {"weight": drawn.weight, "target": drawn.target, "mask": drawn.mask}
        schema = replace(self.schema_of(), provenance=dict(drawn.notes or {}))
        events = make_events(schema, x, drawn.cond, part.first, group, **extra)
        spent = time.thread_time() - begin
        write_store(part.path, [events])
        return spent

    def identity(self, seed: int) -> dict[str, Any]:
        settings = self.model_dump(mode="json", exclude=set(self.undetermining))
        determining = {"format": FORMAT, "settings": settings, "seed": seed, **self.inputs()}
        text = json.dumps({"simulator": self.simulator, **determining}, sort_keys=True)
        return {"fingerprint": hashlib.sha256(text.encode()).hexdigest(), **determining}


class VectorisedSimulation(ChunkedSimulation):
    """A truth simulator that draws a batch of events at once with NumPy, in threads."""

    chunk: Annotated[int, Field(ge=1)] = 2000

    @abstractmethod
    def respond(self, cond: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
        """Events `x` at the conditions (N, K), columns as in the schema.

        Raises:
            FacsimError: conditions that cannot be.
        """

    def time(self, cond: NDArray[Any], seed: int) -> FloatArray:
        self.respond(cond[:1], generator(seed, "warm-up"))
        begin = time.thread_time()
        self.respond(cond, generator(seed, "timing"))
        return np.full(len(cond), 1000 * (time.thread_time() - begin) / len(cond))

    def work(self, missing: list[Chunk], seed: int, count: Count) -> None:
        # NumPy computes outside of Python's lock
        with ThreadPoolExecutor(count.workers) as pool:
            waiting = {pool.submit(self.write_chunk, part, seed): part for part in missing}
            try:
                for future in as_completed(waiting):
                    count.add(waiting[future].stop - waiting[future].first, future.result())
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


def _finished(out: Path, identity: dict[str, Any]) -> dict[str, Any] | None:
    """The provenance of a file that already holds exactly these events."""
    if not out.is_file():
        return None
    try:
        provenance = dict(StoreReader(out).schema.provenance)
    except FacsimError:
        return None
    return provenance if provenance.get("fingerprint") == identity["fingerprint"] else None


def _is_complete(part: Chunk) -> bool:
    if not part.path.is_file():
        return False
    try:
        return len(StoreReader(part.path)) == part.stop - part.first
    except FacsimError:
        return False


def _merged(parts: list[Chunk], schema: Schema) -> Iterator[Events]:
    for part in parts:
        for batch in chunks(StoreReader(part.path), MERGE_ROWS):
            yield replace(batch, schema=schema)


def available_processors() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
