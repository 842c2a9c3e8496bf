"""The worker processes of a simulation: start them, hand out chunks, survive their deaths.

Workers are fresh interpreters, not forks: Geant4 aborts its process on a fatal error, and cannot be set up twice; and
unlike those of `multiprocessing` they do not run the user's script again.
Each runs in a session of its own, so that Ctrl-C reaches only the process that commands them.
"""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from facsim.core.errors import FacsimError

BOOT = (
    "import sys; root = sys.argv[1]; root in sys.path or sys.path.insert(0, root); "
    "from importlib import import_module; import_module(sys.argv[2]).main()"
)
ATTEMPTS = 2
LOG_TAIL = 4000
SET_UP = -1


class Worker:
    """One worker process; a thread turns its answers into messages on `inbox`."""

    def __init__(
        self, setup: str, environment: dict[str, str], inbox: queue.SimpleQueue[tuple[Worker, Any]], module: str
    ) -> None:
        self.task: dict[str, Any] | None = None
        self.ready = False
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        root = str(Path(__file__).parents[2])
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", BOOT, root, module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, **environment, **threads},
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
        self._send(setup)
        self._thread = threading.Thread(target=self._listen, args=(inbox,), daemon=True)
        self._thread.start()

    def _listen(self, inbox: queue.SimpleQueue[tuple[Worker, Any]]) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as answers:
            for line in answers:
                if line.endswith("\n"):  # a killed process may leave half a line
                    inbox.put((self, json.loads(line)))
        self.process.wait()
        inbox.put((self, None))

    def _send(self, line: str) -> None:
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # it died; its thread says so
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()

    def give(self, task: dict[str, Any]) -> None:
        """Hand the worker a chunk."""
        self.task = task
        self._send(json.dumps(task))

    def cause_of_death(self) -> str:
        """How the process ended and the last words of the simulator, in a phrase."""
        code = self.process.wait()
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        self._log.seek(0, os.SEEK_END)
        self._log.seek(max(self._log.tell() - LOG_TAIL, 0))
        return how + last_words(self._log.read().decode("utf-8", "replace"))

    def stop(self) -> None:
        """End the process at once; what it has not written is lost."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._thread.join()
        for stream in (self.process.stdin, self._log):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()


def last_words(log: str) -> str:
    """What Geant4 said of the fatal error at the end of a worker's log, as ` (...)`, or nothing."""
    lines = [re.sub(r"\s+", " ", line).strip(" *-") for line in log.splitlines()]
    lines = [line for line in lines if line and "Aborting execution" not in line]
    told = [line for line in lines if "G4" in line or "Error" in line] or lines
    return f" ({told[-1][:300].rstrip('.')})" if told else ""


class Pool:
    """Runs chunks on `workers` processes; a chunk whose worker dies is given to one new worker, once.

    Args:
        setup: first line for each worker.
        environment: variables that lead Geant4 to its data.
        workers: number of processes.
        module: whose `main` a worker runs.
        simulator: its name, for errors.
        kept: whether finished chunks outlive an error.
    """

    def __init__(
        self,
        setup: dict[str, Any],
        environment: dict[str, str],
        workers: int,
        module: str = "facsim.simulate.geant4_worker",
        simulator: str = "Geant4",
        kept: bool = True,
    ) -> None:
        self._module, self._simulator, self._kept = module, simulator, kept
        self._setup, self._environment = json.dumps(setup), environment
        self._inbox: queue.SimpleQueue[tuple[Worker, Any]] = queue.SimpleQueue()
        self._workers: list[Worker] = []
        self._wanted = workers
        self._deaths: dict[int, int] = {}

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers that were started and not given up."""
        return [worker.process.pid for worker in self._workers]

    def run(self, tasks: Sequence[dict[str, Any]], hear: Callable[[dict[str, Any]], None]) -> None:
        """Run `tasks` (each with a unique `first`); `hear` receives every progress and done message.

        Raises:
            FacsimError: a worker reported an error, or a chunk's workers died twice.
            KeyboardInterrupt: Ctrl-C; the workers are stopped.
        """
        waiting, unfinished = deque(tasks), len(tasks)
        try:
            for _ in range(min(self._wanted, len(tasks))):
                self._start()
            while unfinished:
                worker, message = self._inbox.get()
                if message is None:
                    self._bury(worker, waiting)
                elif message["kind"] == "error":
                    raise FacsimError(message["message"])
                elif message["kind"] == "ready":
                    worker.ready = True
                    self._next(worker, waiting)
                else:
                    hear(message)
                    if message["kind"] == "done":
                        unfinished -= 1
                        worker.task = None
                        self._next(worker, waiting)
        finally:
            self.close()

    def _start(self) -> None:
        self._workers.append(Worker(self._setup, self._environment, self._inbox, self._module))

    def _next(self, worker: Worker, waiting: deque[dict[str, Any]]) -> None:
        if waiting:
            worker.give(waiting.popleft())

    def _bury(self, worker: Worker, waiting: deque[dict[str, Any]]) -> None:
        """Replace a dead worker and give its chunk back, unless it is a lost cause."""
        self._workers.remove(worker)
        cause, task = worker.cause_of_death(), worker.task
        worker.stop()
        if not worker.ready:
            self._deaths[SET_UP] = self._deaths.get(SET_UP, 0) + 1
            if self._deaths[SET_UP] >= ATTEMPTS:
                raise FacsimError(
                    f"{self._simulator} stopped while it was set up: {cause}; check its settings and its data."
                )
        if task is not None:
            first = task["first"]
            last = first + (task["events"] if "events" in task else len(task["rows"])) - 1
            self._deaths[first] = self._deaths.get(first, 0) + 1
            if self._deaths[first] >= ATTEMPTS:
                rerun = "; the finished chunks are kept and a rerun resumes from them" if self._kept else ""
                raise FacsimError(f"a {self._simulator} worker died twice on events {first} to {last}: {cause}{rerun}.")
            waiting.appendleft(task)
        if waiting:
            self._start()

    def close(self) -> None:
        """Stop all workers."""
        for worker in self._workers:
            worker.stop()
        self._workers.clear()
