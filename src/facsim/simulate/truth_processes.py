"""Truth simulations whose chunks are made in worker processes: `ProcessSimulation`, and what a worker runs."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

from facsim.core.worker import Replies, answer_tasks
from facsim.simulate.geant4_pool import Pool
from facsim.simulate.showers_chunks import Chunk
from facsim.simulate.truth import ChunkedSimulation, Count


class ProcessSimulation(ChunkedSimulation):
    """A truth simulator that is slow in Python or holds global state: each worker is a process of its own.

    Its class is imported by the workers, and so must lie in a module.
    """

    def work(self, missing: list[Chunk], seed: int, count: Count) -> None:
        def hear(message: dict[str, Any]) -> None:
            count.add(message["events"], message["cpu"])

        setup = {
            "simulation": [type(self).__module__, type(self).__qualname__],
            "settings": self.model_dump(mode="json"),
            "seed": seed,
        }
        tasks = [
            {"first": part.first, "events": part.stop - part.first, "path": str(part.path.absolute())}
            for part in missing
        ]
        Pool(setup, {}, count.workers, __name__, self.simulator).run(tasks, hear)


def serve(tasks: TextIO, replies: Replies) -> None:
    """Answer tasks, JSON lines after a first one that sets the simulation up, until the input ends.

    Raises:
        FacsimError: the simulation failed.
    """
    setup = json.loads(tasks.readline())
    module, name = setup["simulation"]
    simulation = getattr(import_module(module), name).model_validate(setup["settings"])
    replies.send("ready")
    for line in tasks:
        task = json.loads(line)
        part = Chunk(task["first"], task["first"] + task["events"], Path(task["path"]))
        cpu = simulation.write_chunk(part, setup["seed"])
        replies.send("done", first=part.first, events=task["events"], cpu=cpu)


def main() -> None:
    """Entry point of a worker."""
    answer_tasks(serve, "a worker")
