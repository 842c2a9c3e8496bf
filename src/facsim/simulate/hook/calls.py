"""Calls of Geant4 in a worker process: whole events, up to the calorimeter's face, and from there on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import MissingExtraError
from facsim.core.rng import integer_seed
from facsim.simulate.detector import Detector
from facsim.simulate.g4data import find_data
from facsim.simulate.geant4_pool import Pool
from facsim.simulate.hook.cells import unpacked
from facsim.simulate.hook.records import Records
from facsim.simulate.hook.world import FRONT

MODULE = "facsim.simulate.hook.worker"
Advance = Callable[[float, str], None]


@dataclass
class Calls:
    """Geant4 for a beam on the axis of a calorimeter with material in front, one worker process at a time.

    Args:
        detector: the calorimeter. material: radiation lengths of silicon in front.
        energy: of the beam, MeV. pid: its PDG code. seed: of all events. folder: for the files of the workers.

    Attributes:
        cpu_ms: CPU time of each task by kind and first event, start-up and first events not counted.
        started_ms: CPU time of start-up and first events, of the worker that took longest.
        version: of Geant4, after the first call.

    Raises:
        MissingExtraError: Geant4 is not installed.
    """

    detector: Detector
    material: float
    energy: float
    pid: int
    seed: int
    folder: Path
    cpu_ms: dict[str, dict[int, float]] = field(default_factory=dict)
    started_ms: float = 0.0
    version: str = ""

    def __post_init__(self) -> None:
        if find_spec("calzone") is None:
            raise MissingExtraError("geant4", "calzone")
        self.data = find_data({*self.detector.materials, FRONT})

    def full(self, events: int, chunk: int, advance: Advance) -> Iterator[dict[str, NDArray[Any]]]:
        """Whole events, `chunk` at a time: `cells` (n, V) in MeV before the threshold; `ms` (n, 2), CPU time of each
        event and Geant4's part of it without the scoring."""
        for path in self._run("full", _chunks(events, chunk), advance):
            found = _taken(path)
            yield {"cells": unpacked(found), "ms": found["ms"]}

    def front(self, events: int, chunk: int, advance: Advance) -> list[Path]:
        """What enters the calorimeter, a file with `records` for each `chunk` of events."""
        return self._run("front", _chunks(events, chunk), advance)

    def rest(self, given: list[tuple[int, int, Path]], advance: Advance) -> dict[int, Path]:
        """From records on: (first event, number of events, file) each; a file with `events` and their cells
        (`hook.cells`) for each first event that had records. The files of records are not needed afterwards."""
        tasks = [(first, number, {"records": str(path)}) for first, number, path in given]
        return dict(zip((first for first, _, _ in given), self._run("rest", tasks, advance), strict=True))

    def _run(self, what: str, parts: list[tuple[int, int, dict[str, Any]]], advance: Advance) -> list[Path]:
        self.cpu_ms[what] = {}
        if not parts:
            return []
        beam = {"energy": self.energy, "pid": self.pid, "seed": integer_seed(self.seed, "geant4 demo", what)}
        tasks = [
            {"what": what, "first": first, "events": number, **beam, **more, "path": str(self._path(what, first))}
            for first, number, more in parts
        ]
        done: dict[int, int] = {}
        total = sum(number for _, number, _ in parts)

        def hear(message: dict[str, Any]) -> None:
            done[message["first"]] = message["events"]
            if message["kind"] == "done":
                self.cpu_ms[what][message["first"]] = message["cpu_ms"]
                self.started_ms = max(self.started_ms, message["started_ms"])
                self.version = message["version"]
            advance(sum(done.values()) / total, f"{sum(done.values())} of {total} events")

        setup = {"detector": self.detector.model_dump(mode="json"), "material": self.material}
        Pool(setup, self.data.environment(), 1, MODULE, kept=False).run(tasks, hear)
        return [self._path(what, first) for first, _, _ in parts]

    def _path(self, what: str, first: int) -> Path:
        return self.folder / f"{what}-{first:08d}.npz"


def read_records(path: Path) -> Records:
    """The records of a file of `Calls.front`."""
    with np.load(path) as file:
        return np.asarray(file["records"])


def _chunks(events: int, chunk: int) -> list[tuple[int, int, dict[str, Any]]]:
    return [(first, min(chunk, events - first), {}) for first in range(0, events, chunk)]


def _taken(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a file, which is then removed."""
    with np.load(path) as file:
        found = {name: np.asarray(file[name]) for name in file.files}
    path.unlink()
    return found
