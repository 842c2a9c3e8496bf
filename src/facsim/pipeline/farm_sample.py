"""farm sample: events of a shipped model or of a run's surrogate, shard by shard (`engines.sampling`)."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from facsim.core.errors import FacsimError
from facsim.core.store import write_json
from facsim.engines.conditions import NAME, Given, holds, write_given
from facsim.engines.merge import merge_events, merge_histograms
from facsim.engines.sampling import TASK, provenance_of
from facsim.engines.shards import Job, Shard, cut
from facsim.pipeline.farm import Farmed, How, Stamps, Work, farm, here
from facsim.pipeline.farm_source import find_source, given_of
from facsim.pipeline.terminal import Terminal
from facsim.run import Advance, Reporter

if TYPE_CHECKING:
    from facsim.pipeline.shipped import Energy

SHARD, BATCH = 5000, 500
FORMAT = "facsim-farm-hists-1"


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
    repository: str | Path | None = None,
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
        model: name of a model that ships or is in a repository, such as `par04`, or a run directory.
        events: how many. shard: in a file of its own, at most. batch: sampled at once.
        out: folder of shards and results.
        seed: of conditions and noise.
        energy: of a model by name, GeV: a number or a range, as of `facsim.sample`.
        conditions: file of events or table whose conditions are taken in turn, from the first again after the last; for
            a run without it, those of its truth sample B.
        mapping: YAML file that says what that file holds where.
        repository: folder or URL of the model, as of `facsim.load`.
        candidates: draws of which one is kept, of models that have them.
        force: sample a model by name outside of its training range.
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
    source = find_source(model, repository)
    given = given_of(source, conditions, mapping, energy, force, reporter)
    bounds = None
    if given is None:
        from facsim.pipeline.shipped import energy_range  # noqa: PLC0415  draws pictures

        assert source.trained is not None
        bounds = list(energy_range(energy, source.trained, source.name, force))
    settings = {
        "generator": source.name,
        "weights": source.digest,
        "code": source.code,
        "task": source.task,
        "candidates": candidates,
        "seed": seed,
        "shard": shard,
        "batch": batch,
        "energy_MeV": bounds,
        "conditions": None if given is None else given.digest,
        "histograms": histograms,
    }
    places = {"model": str(source.folder), "plugins": list(source.plugins)}
    job = Job(TASK, settings, Path(out), here("torch"), places, retries=retries)
    shards = cut(events, shard)
    noun = "showers" if source.schema.representation == "grid" else "events"
    work = Work(job, shards, noun, partial(_merge, job, shards), partial(_prepare, job, given))
    return farm(work, how or How(), reporter)


def _prepare(job: Job, given: Given | None) -> None:
    """Write the conditions that workers read, unless they are there, unchanged."""
    if given is not None and not holds(job.folder / NAME, given):
        write_given(job.folder / NAME, given)


def _merge(job: Job, shards: list[Shard], stamps: Stamps, advance: Advance) -> dict[str, Path]:
    """One file of all events, one of all histograms, and a picture."""
    from facsim.report.farm import farm_picture  # noqa: PLC0415  matplotlib is heavy

    name = job.settings["generator"]
    out, total = job.folder / "events.h5", shards[-1].stop
    merge_events(job, shards, out, provenance_of(job.settings), lambda done: advance(done / total, f"{done} events"))
    files = {"events": out}
    ordered = [stamps[shard.index] for shard in shards]
    items = merge_histograms([stamp.facts["histograms"] for stamp in ordered])
    if items:
        files["histograms"] = job.folder / "hists.json"
        content = {"format": FORMAT, "generator": name, "events": total, "items": items}
        write_json(files["histograms"], content)
    files["picture"] = job.folder / "farm.png"
    farm_picture(ordered, items, f"{total} events of {name}, {len(shards)} shards", files["picture"])
    return files
