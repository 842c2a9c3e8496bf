"""A Geant4 worker process: reads tasks as JSON lines from standard input, answers as JSON lines.

First line: the set-up (detector, hadrons, schema). Every further line is a task: the rows of the gun for a chunk of
events, and the file to write. Answers: `ready`, `progress`, `done` or `error`. Geant4's own words go to standard error.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from facsim.core.events import Events
from facsim.core.schema import Schema
from facsim.core.showerfile import append_showers, open_showers
from facsim.core.store import atomic_path
from facsim.core.worker import Replies, answer_tasks
from facsim.simulate.detector import Detector
from facsim.simulate.geant4 import Geant4, event_seed
from facsim.simulate.readout_plane import PlaneDetector

REPORT_SECONDS = 0.25


def simulate_chunk(geant4: Geant4, schema: Schema, task: dict[str, Any], replies: Replies) -> None:
    """Simulate the events of one chunk and write its file, atomically."""
    rows = np.asarray(task["rows"], dtype=np.float64)
    first = int(task["first"])
    cells = np.zeros((len(rows), schema.geometry.n_cells if schema.geometry else 0), dtype=np.float32)
    cpu_ms = np.zeros(len(rows))
    reported = time.monotonic()
    for i, row in enumerate(rows):
        cells[i], cpu_ms[i] = geant4.shower(row, event_seed(int(task["seed"]), first + i))
        if time.monotonic() - reported > REPORT_SECONDS:
            replies.send("progress", first=first, events=i + 1)
            reported = time.monotonic()
    ids = np.arange(first, first + len(rows), dtype=np.int64)
    events = Events(schema, cells[:, :, None], rows[:, task["conditions"]], ids, ids)
    with atomic_path(Path(task["path"])) as temporary, open_showers(temporary, "w") as handle:
        append_showers(handle, events, cpu_ms=cpu_ms)
        handle.attrs["geant4"] = geant4.version
    replies.send("done", first=first, events=len(rows), cpu_ms=float(cpu_ms.sum()))


def serve(tasks: TextIO, replies: Replies) -> None:
    """Set Geant4 up as the first line says, then simulate until the input ends."""
    setup = json.loads(tasks.readline())
    schema = Schema.from_dict(setup["schema"])
    kind = PlaneDetector if "rows" in setup["detector"]["readout"] else Detector
    geant4 = Geant4(kind.model_validate(setup["detector"]), bool(setup["hadrons"]))
    replies.send("ready", version=geant4.version)
    for line in tasks:
        simulate_chunk(geant4, schema, json.loads(line), replies)


def main() -> None:
    """Entry point of the process."""
    answer_tasks(serve, "a Geant4 worker")


if __name__ == "__main__":
    main()
