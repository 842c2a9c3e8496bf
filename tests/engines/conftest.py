"""A toy task in a file that worker processes import: events that say where they come from, and ways to fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facsim.core.store import StoreReader
from facsim.engines.shards import Job, Shard

TOY = """
import os, signal, time
from pathlib import Path

import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.events import make_events
from facsim.core.rng import generator
from facsim.core.schema import Feature, Schema
from facsim.core.store import write_store


def make(job, shard, path):
    wanted = job.settings.get("trouble", {}).get(str(shard.index))
    flag = job.folder / f"tried-{shard.index}"
    first = not flag.exists()
    flag.write_text(str(os.getpid()))
    time.sleep(job.settings.get("sleep", 0))
    if wanted == "refuse":
        raise FacsimError("the toy refuses.")
    if wanted == "flaky" and first:
        raise OSError("the network blinked")
    if wanted == "dies" or (wanted == "dies-once" and first):
        path.write_bytes(b"half a file")
        os.kill(os.getpid(), signal.SIGKILL)
    rng = generator(job.settings["seed"], "toy", shard.index)
    schema = Schema("table", (Feature("x"), Feature("y", "MeV")), (Feature("c"),))
    x = rng.normal(size=(shard.events, 2)).astype(np.float32)
    return {"rows": write_store(path, [make_events(schema, x, rng.random((shard.events, 1)), shard.first)]), "toy": 1}
"""
MakeJob = Callable[..., Job]


def numbers(job: Job, shard: Shard) -> bytes:
    """All numbers of a shard's file; of the file itself, HDF5 may leave some bytes between them as they were."""
    events = StoreReader(job.file(shard)).read(0, shard.events)
    return b"".join(array.tobytes() for array in (events.x, events.cond, events.event_id, events.group_id))


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeJob:
    """A function that makes a job of the toy task in a folder of its own."""
    module = tmp_path / "code" / "farm_toy.py"
    module.parent.mkdir()
    module.write_text(TOY, encoding="utf-8")
    monkeypatch.syspath_prepend(str(module.parent))
    src = Path(__file__).parents[2] / "src"
    monkeypatch.setenv("PYTHONPATH", f"{module.parent}:{src}")

    def job(name: str = "out", retries: int = 2, **settings: Any) -> Job:
        return Job("farm_toy:make", {"seed": 1, **settings}, tmp_path / name, retries=retries)

    return job
