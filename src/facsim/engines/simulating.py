"""A shard of truth events: one part of a simulation."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from facsim.engines.shards import Job, Shard
from facsim.simulate.showers_chunks import Chunk
from facsim.simulate.truth import TruthSimulation

TASK = f"{__name__}:make_shard"


def settings_of(simulation: TruthSimulation, seed: int) -> dict[str, Any]:
    """The settings of a job, for `make_shard`."""
    return {
        "simulation": [type(simulation).__module__, type(simulation).__qualname__],
        "options": simulation.model_dump(mode="json", exclude=set(simulation.undetermining)),
        "seed": seed,
        "identity": simulation.identity(seed)["fingerprint"],
    }


def make_shard(job: Job, shard: Shard, path: Path) -> dict[str, Any]:
    """Simulate one part.

    Raises:
        FacsimError, MissingExtraError: as of the simulation.
    """
    module, name = job.settings["simulation"]
    kind: type[TruthSimulation] = getattr(import_module(module), name)
    part = Chunk(shard.first, shard.stop, path)
    cpu = kind.model_validate(job.settings["options"]).write_part(part, job.settings["seed"])
    return {"rows": shard.events, "cpu_seconds": round(cpu, 4)}
