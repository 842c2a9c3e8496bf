"""A worker process of `simulate.hook`: tasks as JSON lines in, answers as JSON lines out, arrays in files.

First line: the calorimeter and the material in front. A task is `full` (whole events), `front` (up to the face) or
`rest` (from caught particles on), for consecutive events; its file has the cells (`hook.cells`) or `records`, and of
whole events `ms` (n, 2): the CPU time of each, all of it and Geant4's part.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from facsim.core.store import atomic_path
from facsim.core.worker import Replies, answer_tasks
from facsim.simulate.detector import Detector
from facsim.simulate.geant4 import event_seed
from facsim.simulate.geant4_worker import REPORT_SECONDS
from facsim.simulate.hook.cells import packed
from facsim.simulate.hook.engine import HookGeant4
from facsim.simulate.hook.records import RECORD

Arrays = dict[str, Any]


def serve(tasks: TextIO, replies: Replies) -> None:
    """Set Geant4 up as the first line says, then do tasks until the input ends."""
    setup = json.loads(tasks.readline())
    begin = time.process_time()
    geant4 = HookGeant4(Detector.model_validate(setup["detector"]), float(setup["material"]))
    started_ms = 1000.0 * (time.process_time() - begin)
    replies.send("ready", version=geant4.version)
    does = {"full": _full, "front": _front, "rest": _rest}
    for line in tasks:
        task, begin = json.loads(line), time.process_time()
        arrays = does[task["what"]](geant4, task, Heartbeat(replies, task["first"]))
        with atomic_path(Path(task["path"])) as temporary, temporary.open("wb") as handle:
            np.savez(handle, **arrays)
        told = {"cpu_ms": 1000.0 * (time.process_time() - begin), "started_ms": started_ms, "version": geant4.version}
        replies.send("done", first=task["first"], events=task["events"], **told)


class Heartbeat:
    """Says now and then how many events of a task are done."""

    def __init__(self, replies: Replies, first: int) -> None:
        self._replies, self._first, self._last = replies, first, time.monotonic()

    def beat(self, events: int) -> None:
        if time.monotonic() - self._last > REPORT_SECONDS:
            self._replies.send("progress", first=self._first, events=events)
            self._last = time.monotonic()


def _full(geant4: HookGeant4, task: dict[str, Any], heart: Heartbeat) -> Arrays:
    cells, ms = [], np.zeros((task["events"], 2))
    for i in range(task["events"]):
        begin = time.process_time()
        made, inside = geant4.full(task["energy"], task["pid"], event_seed(task["seed"], task["first"] + i))
        ms[i] = 1000.0 * (time.process_time() - begin), inside
        cells.append(made)
        heart.beat(i + 1)
    return {**packed(np.stack(cells)), "ms": ms}


def _front(geant4: HookGeant4, task: dict[str, Any], heart: Heartbeat) -> Arrays:
    found = []
    for event in range(task["first"], task["first"] + task["events"]):
        records = geant4.front(task["energy"], task["pid"], event_seed(task["seed"], event))
        records["event"] = event
        found.append(records)
    return {"records": np.concatenate(found)}


def _rest(geant4: HookGeant4, task: dict[str, Any], heart: Heartbeat) -> Arrays:
    """Cells (m, V) of those events only that have records, and `events` (m,)."""
    with np.load(task["records"]) as file:
        records = np.asarray(file["records"], dtype=RECORD)
    events, cells = np.unique(records["event"]), []
    for event in events:
        cells.append(geant4.rest(records[records["event"] == event], event_seed(task["seed"], int(event))))
        heart.beat(int(event) - task["first"])
    return {"events": events, **packed(np.stack(cells))}


def main() -> None:
    """Entry point of the process."""
    answer_tasks(serve, "a Geant4 worker")
