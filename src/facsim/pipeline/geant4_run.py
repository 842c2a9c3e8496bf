"""The three passes of a demonstration: up to the calorimeter, full simulation, and the fast one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from facsim.evaluate.full_fast import Observed
from facsim.pipeline.geant4_fast import Block, FastPath, Fates, Stopwatch
from facsim.pipeline.geant4_model import HookModel
from facsim.simulate.hook.calls import Calls, read_records
from facsim.simulate.hook.cells import packed, unpacked

Advance = Callable[[float, str], None]
FULL_CHUNK, FAST_CHUNK = 20, 200
"""Events that are handed over at a time; the surrogate gets all showers of as many events in one call."""


@dataclass(frozen=True)
class Full:
    """Events of full simulation: what is kept of them, CPU ms of each and of Geant4 in it (N, 2), and the first one."""

    observed: Observed
    ms: NDArray[np.float64]
    drawn: NDArray[np.float32]


@dataclass(frozen=True)
class Fast:
    """Events of fast simulation: what is kept, CPU time of this process by first event of a chunk, what became of
    particles, and the first event."""

    observed: Observed
    watches: dict[int, Stopwatch]
    fates: Fates
    drawn: NDArray[np.float32]


@contextmanager
def one_thread() -> Iterator[None]:
    """torch on one thread, as Geant4 is."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def run_full(calls: Calls, model: HookModel, events: int, advance: Advance) -> Full:
    """Simulate `events` events in full."""
    observed, ms, drawn = [], [], list[NDArray[np.float32]]()
    for part in calls.full(events, FULL_CHUNK, advance):
        observed.append(Observed.of(part["cells"], calls.energy, model.geometry))
        ms.append(part["ms"])
        drawn = drawn or [part["cells"][0]]
    return Full(Observed.joined(observed), np.concatenate(ms), drawn[0])


def run_front(calls: Calls, events: int, advance: Advance) -> list[Path]:
    """Files with what enters the calorimeter in `events` events."""
    return calls.front(events, FAST_CHUNK, advance)


def run_fast(calls: Calls, files: list[Path], model: HookModel, seed: int, events: int, advance: Advance) -> Fast:
    """Hand what entered the calorimeter (`files` of `run_front`) to the surrogate, and what it leaves to Geant4."""
    path = FastPath(model, calls.detector, seed)
    watches, given = {}, []
    for place, file in enumerate(files):
        first = place * FAST_CHUNK
        number, watch = min(FAST_CHUNK, events - first), Stopwatch()
        with watch.on("hand_over"):
            records = read_records(file)
        block = path.block(records, first, number, watch)
        with watch.on("hand_over"):
            left = _kept(block, file)
        if left is not None:
            given.append((first, number, left))
        watches[first] = watch
        advance(0.5 * (first + number) / events, "surrogate")
    rest = calls.rest(given, lambda fraction, note: advance(0.5 + 0.5 * fraction, "Geant4 for what is left"))
    observed, drawn = [], list[NDArray[np.float32]]()
    for file, (first, watch) in zip(files, watches.items(), strict=True):
        with watch.on("hand_over"):
            cells = _together(_shower_file(file), rest.get(first), first)
        observed.append(Observed.of(cells, calls.energy, model.geometry))
        drawn = drawn or [cells[0]]
    return Fast(Observed.joined(observed), watches, path.fates, drawn[0])


def _shower_file(file: Path) -> Path:
    return file.with_name(f"{file.stem}-showers.npz")


def _kept(block: Block, file: Path) -> Path | None:
    """Write what the surrogate made of the records in `file`, and what it left; the file of that, if there is some."""
    np.savez(_shower_file(file), **packed(block.cells))
    if not len(block.left):
        return None
    left = file.with_name(f"{file.stem}-left.npz")
    np.savez(left, records=block.left)
    return left


def _together(showers: Path, rest: Path | None, first: int) -> NDArray[np.float32]:
    """Cells of the surrogate and of Geant4 for what was left, MeV (n, V), of events from `first` on."""
    with np.load(showers) as made:
        cells = unpacked(made)
    if rest is not None:
        with np.load(rest) as found:
            cells[found["events"] - first] += unpacked(found)
    return cells
