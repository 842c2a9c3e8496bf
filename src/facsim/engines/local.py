"""Shards in processes of this machine: fresh interpreters with one thread each, replaced when they die."""

from __future__ import annotations

import json
import queue
from dataclasses import asdict
from typing import Any

from facsim.core.errors import FacsimError
from facsim.engines.ledger import Ledger
from facsim.engines.shards import Shard, sweep
from facsim.simulate.geant4_pool import Worker

WORKER = "facsim.engines.worker"
STARTS = 2
"""Workers that may die before they are ready."""


def run_local(ledger: Ledger, workers: int) -> None:
    """Make the shards of `ledger` on `workers` processes.

    A shard whose worker dies is given to another, as often as the job allows. Processes are killed on the way out, so
    that Ctrl-C ends at once and leaves the finished shards.

    Raises:
        FacsimError: workers die before they are ready.
        KeyboardInterrupt: Ctrl-C.
    """
    crew = _Crew(ledger)
    try:
        for _ in range(min(workers, ledger.unfinished)):
            crew.start()
        while ledger.unfinished:
            crew.hear()
    finally:
        crew.stop()
        sweep(ledger.job.folder)


class _Crew:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._setup = json.dumps(ledger.job.to_dict())
        self._inbox: queue.SimpleQueue[tuple[Worker, Any]] = queue.SimpleQueue()
        self._busy: dict[Worker, Shard | None] = {}
        self._stillborn = 0

    def start(self) -> None:
        worker = Worker(self._setup, {}, self._inbox, WORKER)
        self._busy[worker] = None

    def hear(self) -> None:
        """Wait for one message of one worker."""
        worker, message = self._inbox.get()
        if message is None:
            self._bury(worker)
            return
        if message["kind"] == "error":
            return  # it ends, which is heard next
        shard = self._busy[worker]
        if message["kind"] == "ready":
            worker.ready = True
        elif shard is not None:
            self._ledger.finish(shard, message["outcome"])
        self._next(worker)

    def _next(self, worker: Worker) -> None:
        self._busy[worker] = shard = self._ledger.take()
        if shard is not None:
            worker.give(asdict(shard))

    def _bury(self, worker: Worker) -> None:
        shard, cause = self._busy.pop(worker), worker.cause_of_death()
        worker.stop()
        if not worker.ready:
            self._stillborn += 1
            if self._stillborn >= STARTS:
                raise FacsimError(f"a worker process ended before it was ready: {cause}.")
        if shard is not None:
            self._ledger.fail(shard, f"its worker died, {cause}")
        idle = next((other for other, task in self._busy.items() if task is None and other.ready), None)
        if idle is not None:
            self._next(idle)
        elif self._ledger.waiting:
            self.start()

    def stop(self) -> None:
        for worker in self._busy:
            worker.stop()
        self._busy.clear()
