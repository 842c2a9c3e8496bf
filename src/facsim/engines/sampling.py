"""A shard of sampled events: conditions and noise from its own branch of the seed, batch by batch, with one thread.

So a shard's events depend on the job's settings and the shard's number alone.
"""

from __future__ import annotations

import ctypes
import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from facsim.core import plugins
from facsim.core.errors import FacsimError
from facsim.core.events import Events
from facsim.core.rng import generator
from facsim.core.schema import Schema
from facsim.core.store import read_json, write_json
from facsim.engines.conditions import NAME, read_given
from facsim.engines.histograms import Binning, Filled, bin_quantities
from facsim.engines.merge import writer_of
from facsim.engines.shards import Job, Shard
from facsim.models.checkpoint import load_model
from facsim.models.sampling import TorchSampler, generated_events

TASK = f"{__name__}:make_shard"
BINS = "bins.json"
PILOT = 500
"""Events that are drawn to choose the bins of histograms."""


@dataclass
class _Watch:
    """Seconds that the model took."""

    seconds: float = 0.0


def make_shard(job: Job, shard: Shard, path: Path) -> dict[str, Any]:
    """Sample one shard.

    Raises:
        FacsimError: the model was trained again since the job began, or its options are none.
    """
    torch.set_num_threads(1)
    folder = job.places["model"]
    if weights_digest(Path(folder)) != job.settings["weights"]:
        raise FacsimError(f"the weights in '{folder}' have changed since this job began: choose another --out.")
    plugins.use(job.places.get("plugins", []))
    sampler, watch = _load(folder, job.settings["candidates"]), _Watch()
    binning = _binning(job, sampler) if job.settings["histograms"] else None
    filled = None if binning is None else Filled(binning)
    batches = _batches(job, sampler, shard, filled, watch)
    rows = writer_of(sampler.model.schema)(path, batches)
    histograms = [] if filled is None else filled.to_list()
    return {"rows": rows, "sampling_seconds": round(watch.seconds, 4), "histograms": histograms}


def provenance_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the events of a job say of their origin."""
    return {key: settings[key] for key in ("generator", "seed", "weights", "shard", "batch")}


def weights_digest(folder: Path) -> str:
    """Checksum of weights and description of the model in `folder`.

    Raises:
        FacsimError: there is none.
    """
    total = hashlib.sha256()
    for name in ("weights.safetensors", "model.json"):
        try:
            total.update((folder / name).read_bytes())
        except OSError as error:
            raise FacsimError(f"cannot read '{folder / name}': {error.strerror}.") from None
    return total.hexdigest()


@lru_cache(maxsize=1)
def _load(folder: str, candidates: int | None) -> TorchSampler:
    sampler = TorchSampler(load_model(Path(folder), **({} if candidates is None else {"candidates": candidates})))
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)  # what loading took and left: workers are many
    return sampler


def _batches(job: Job, sampler: TorchSampler, shard: Shard, filled: Filled | None, watch: _Watch) -> Iterator[Events]:
    """The shard's events, a batch at a time."""
    schema, rng = _schema(job, sampler), generator(job.settings["seed"], "farm", shard.index, "noise")
    cond, weight = _conditions(job, shard)
    for first in range(0, shard.events, job.settings["batch"]):
        rows = slice(first, first + job.settings["batch"])
        started = time.perf_counter()
        x = sampler.sample(cond[rows], rng)
        watch.seconds += time.perf_counter() - started
        events = generated_events(schema, x, cond[rows], shard.first + first)
        if weight is not None:
            events = replace(events, weight=weight[rows])
        if filled is not None:
            filled.fill(events)
        del x  # else it would live while the next batch is sampled
        yield events
        del events


def _conditions(job: Job, shard: Shard) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Conditions (n, K) of the shard, and the weights (n,) of the events that they are of."""
    bounds = job.settings["energy_MeV"]
    if bounds is None:
        return read_given(job.folder / NAME, shard.first, shard.stop)
    low, high = bounds
    rng = generator(job.settings["seed"], "farm", shard.index, "conditions")
    return np.exp(rng.uniform(np.log(low), np.log(high), (shard.events, 1))).clip(low, high), None


def _schema(job: Job, sampler: TorchSampler) -> Schema:
    return replace(sampler.model.schema, provenance=provenance_of(job.settings))


def _binning(job: Job, sampler: TorchSampler) -> Binning | None:
    """The bins of histograms, of a pilot sample that is the same whoever draws it; the first worker writes them."""
    path = job.folder / BINS
    if not path.is_file():
        cond, _ = _conditions(job, Shard(0, 0, PILOT))
        rng, step = generator(job.settings["seed"], "farm", "pilot"), job.settings["batch"]
        x = np.concatenate([sampler.sample(cond[i : i + step], rng) for i in range(0, PILOT, step)])
        found = bin_quantities(generated_events(_schema(job, sampler), x, cond), job.settings["task"])
        try:
            write_json(path, None if found is None else found.to_dict())
        except FacsimError:
            if not path.is_file():  # else another worker was faster
                raise
    content = read_json(path)
    return None if content is None else Binning.from_dict(content)
