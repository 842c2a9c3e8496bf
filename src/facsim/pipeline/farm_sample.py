"""farm sample: events of a shipped model or of a run's surrogate, shard by shard.

A shard draws conditions and noise from the branch of its number below the seed, batch by batch, with one thread: its
events depend on the settings and its number alone.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.events import Events
from facsim.core.rng import generator
from facsim.core.schema import Schema
from facsim.core.store import read_json, write_json
from facsim.engines.merge import merge_events, merge_histograms, writer_of
from facsim.engines.shards import Job, Shard, cut
from facsim.models.sampling import TorchSampler, generated_events
from facsim.models.shipped import ShippedSampler, load, shipped_folder, shipped_names
from facsim.models.trained import FOLDER as MODEL
from facsim.models.trained import TrainedSampler, is_run
from facsim.pipeline.farm import Farmed, How, Stamps, Work, farm, here
from facsim.pipeline.farm_conditions import CONDITIONS, Given, check_energies, given_of, read_given, write_given
from facsim.pipeline.farm_histograms import Binning, Filled, bin_quantities
from facsim.pipeline.shipped import Energy, energy_range
from facsim.pipeline.terminal import Terminal
from facsim.run import Advance, Reporter

SHARD, BATCH = 5000, 500
BINS = "bins.json"
PILOT = 1000
"""Events that are drawn to choose the bins of histograms."""


def farm_sample(
    model: str | Path,
    *,
    events: int,
    out: str | Path,
    shard: int = SHARD,
    batch: int = BATCH,
    seed: int = 1,
    energy: Energy = None,
    conditions: str | Path | None = None,
    mapping: str | Path | None = None,
    candidates: int | None = None,
    force: bool = False,
    histograms: bool = True,
    retries: int = 2,
    how: How | None = None,
    reporter: Reporter | None = None,
) -> Farmed:
    """Events of a trained model, by many processes or machines: `events.h5`, `hists.json` and `farm.png` in `out`.

    The events depend on the model, the seed, `shard`, `batch` and the conditions, not on how many workers make them.

    Args:
        model: name of a shipped model, such as `par04`, or a run directory.
        events: how many. shard: in a file of its own, at most. batch: sampled at once.
        out: folder of shards and results.
        seed: of conditions and noise.
        energy: of a shipped model, GeV: a number or a range, as of `facsim.sample`.
        conditions: file of events or table whose conditions are taken in turn, from the first again after the last; for
            a run without it, those of its truth sample B.
        mapping: YAML file that says what that file holds where.
        candidates: draws of which one is kept, of models that have them.
        force: sample a shipped model outside of its training range.
        histograms: fill those of the physics quantities.
        retries: of a shard after an unexpected error or the death of its worker.
        how: workers, engine and the rest; by default one process per processor here.
        reporter: who is told of the progress; by default the terminal (standard error).

    Raises:
        FacsimError: as `farm`, or no such model, conditions that do not fit it, or numbers that are not positive.
    """
    if min(events, shard, batch) < 1:
        raise FacsimError(f"events, shard and batch must be at least 1, not {events}, {shard} and {batch}.")
    reporter = reporter or Terminal()
    place = _place(model)
    sampler = _load(str(place), candidates)
    given = given_of(place, sampler, conditions, mapping, energy)
    bounds = None
    if isinstance(sampler, ShippedSampler):
        trained = sampler.card["training_range"][0]
        bounds = energy_range(energy, trained, sampler.name, force) if given is None else None
        if given is not None:
            check_energies(given.cond, trained, sampler.name, force)
    elif isinstance(sampler, TrainedSampler) and sampler.domain is not None and given is not None:
        _, text = sampler.domain.guard(sampler.schema.scalars(given.cond), "warn", f"run '{sampler.name}'")
        if text:
            reporter.say(f"  warning: {text}", "yellow")
    settings = {
        "model": sampler.name if isinstance(sampler, ShippedSampler) else "surrogate",
        "weights": _digest(place),
        "candidates": candidates,
        "seed": seed,
        "shard": shard,
        "batch": batch,
        "energy_MeV": None if bounds is None else list(bounds),
        "conditions": None if given is None else given.digest,
        "histograms": histograms,
    }
    job = Job(f"{__name__}:make_shard", settings, Path(out), here("torch"), {"model": str(place)}, retries=retries)
    shards = cut(events, shard)
    prepare, finish = partial(_prepare, job, sampler, given), partial(_merge, job, shards, sampler.name)
    noun = "showers" if sampler.model.schema.representation == "grid" else "events"
    return farm(Work(job, shards, noun, finish, prepare), how or How(), reporter)


def make_shard(job: Job, shard: Shard, path: Path) -> dict[str, Any]:
    """Sample one shard; in a worker.

    Raises:
        FacsimError: the model was trained again since the job began.
    """
    import torch  # noqa: PLC0415  heavy

    torch.set_num_threads(1)
    place = job.places["model"]
    sampler = _load(place, job.settings["candidates"])
    if _digest(Path(place)) != job.settings["weights"]:
        raise FacsimError(f"the weights in '{place}' have changed since this job began: choose another --out.")
    bins = job.folder / BINS
    filled = Filled(Binning.from_dict(read_json(bins))) if job.settings["histograms"] and bins.is_file() else None
    watch = [0.0]
    batches = _batches(job, sampler, shard, filled, watch)
    schema = _schema(job, sampler)
    rows = writer_of(schema)(path, batches)
    return {
        "rows": rows,
        "sampling_seconds": round(watch[0], 4),
        "histograms": [] if filled is None else filled.to_list(),
    }


def _batches(
    job: Job, sampler: TorchSampler, shard: Shard, filled: Filled | None, watch: list[float]
) -> Iterator[Events]:
    """The shard's events, a batch at a time; `watch` is the time that the model took."""
    schema, rng = _schema(job, sampler), generator(job.settings["seed"], "farm", shard.index, "noise")
    cond, weight = _conditions(job, shard)
    for first in range(0, shard.events, job.settings["batch"]):
        rows = slice(first, first + job.settings["batch"])
        started = time.perf_counter()
        x = sampler.sample(cond[rows], rng)
        watch[0] += time.perf_counter() - started
        events = generated_events(schema, x, cond[rows], shard.first + first)
        if weight is not None:
            events = replace(events, weight=weight[rows])
        if filled is not None:
            filled.fill(events)
        yield events


def _conditions(job: Job, shard: Shard) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Conditions (n, K) of the shard, and the weights (n,) of the events that they are of."""
    bounds = job.settings["energy_MeV"]
    if bounds is None:
        return read_given(job.folder / CONDITIONS, np.arange(shard.first, shard.stop))
    low, high = bounds
    rng = generator(job.settings["seed"], "farm", shard.index, "conditions")
    return np.exp(rng.uniform(np.log(low), np.log(high), (shard.events, 1))).clip(low, high), None


def _schema(job: Job, sampler: TorchSampler) -> Schema:
    return replace(sampler.model.schema, provenance=_provenance(job.settings, sampler.name))


def _provenance(settings: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {"generator": name, **{key: settings[key] for key in ("seed", "weights", "shard", "batch")}}


def _prepare(job: Job, sampler: TorchSampler, given: Given | None) -> None:
    """Write the conditions and the bins that workers read, unless they are there."""
    if given is not None and not (job.folder / CONDITIONS).is_file():
        write_given(job.folder / CONDITIONS, given)
    if not job.settings["histograms"] or (job.folder / BINS).is_file():
        return
    import torch  # noqa: PLC0415  heavy

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    cond, _ = _conditions(job, Shard(0, 0, PILOT))
    x = sampler.sample(cond, generator(job.settings["seed"], "farm", "pilot"))
    torch.set_num_threads(threads)
    binning = bin_quantities(generated_events(_schema(job, sampler), x, cond))
    if binning is not None:
        write_json(job.folder / BINS, binning.to_dict())


def _merge(job: Job, shards: list[Shard], name: str, stamps: Stamps, advance: Advance) -> dict[str, Path]:
    """One file of all events, one of all histograms, and a picture."""
    from facsim.report.farm import farm_picture  # noqa: PLC0415  matplotlib is heavy

    out, total = job.folder / "events.h5", shards[-1].stop
    merge_events(
        job, shards, out, _provenance(job.settings, name), lambda done: advance(done / total, f"{done} events")
    )
    files = {"events": out}
    ordered = [stamps[shard.index] for shard in shards]
    items = merge_histograms([stamp.facts["histograms"] for stamp in ordered])
    if items:
        files["histograms"] = job.folder / "hists.json"
        content = {"format": "facsim-farm-hists-1", "generator": name, "events": total, "items": items}
        write_json(files["histograms"], content)
    files["picture"] = job.folder / "farm.png"
    farm_picture(ordered, items, f"{total} events of {name}, {len(shards)} shards", files["picture"])
    return files


def _place(model: str | Path) -> Path:
    """The folder of a run or of a shipped model.

    Raises:
        FacsimError: it is neither.
    """
    if is_run(Path(model)):
        return Path(model).absolute()
    if str(model) in shipped_names():
        return shipped_folder(str(model))
    raise FacsimError(
        f"'{model}' is neither a run directory with a trained surrogate nor a model that ships with facsim: "
        f"{shipped_names()}."
    )


@lru_cache(maxsize=2)
def _load(place: str, candidates: int | None) -> TorchSampler:
    folder = Path(place)
    return load(folder if is_run(folder) else folder.name, candidates=candidates)


def _digest(place: Path) -> str:
    """Checksum of weights and description of a model."""
    folder = place / MODEL if is_run(place) else place
    total = hashlib.sha256()
    for name in ("weights.safetensors", "model.json"):
        total.update((folder / name).read_bytes())
    return total.hexdigest()
