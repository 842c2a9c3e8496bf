"""farm simulate: truth events, chunk by chunk; the file that `facsim simulate` would leave, for the same seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from facsim.config import RunConfig, load_config, save_config
from facsim.core.errors import FacsimError
from facsim.core.rng import integer_seed
from facsim.core.store import StoreReader
from facsim.engines.shards import Job, Shard
from facsim.engines.simulating import TASK, settings_of
from facsim.pipeline.farm import Farmed, How, Stamps, Work, farm, here
from facsim.pipeline.terminal import Terminal
from facsim.run import Advance, Reporter
from facsim.simulate.showers_chunks import Chunk
from facsim.simulate.truth import ChunkedSimulation, TruthSimulation


def farm_simulate(
    config: str | Path | Mapping[str, Any] | RunConfig,
    *,
    out: str | Path,
    shard: int | None = None,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    smoke: bool = False,
    retries: int = 2,
    how: How | None = None,
    reporter: Reporter | None = None,
) -> Farmed:
    """Truth events of a configuration, by many processes or machines: `truth.h5` in `out`, ready to be a run directory.

    `facsim run CONFIG --out OUT` then takes the truth for its own, since it is what `facsim simulate` would have made.

    Args:
        config: file, name of a recipe, or content of a configuration with a section `simulate`.
        out: folder of shards and truth.
        shard: events of a shard, of Geant4, whose events do not depend on it; other simulators take `simulate.chunk`.
        overrides, seed, smoke: as of `facsim.simulate`.
        retries, how, reporter: as of `farm_sample`.

    Raises:
        FacsimError: as `farm`, or there is nothing to simulate, or a `shard` for events that depend on it.
        MissingExtraError: the simulator is not installed.
    """
    run = config if isinstance(config, RunConfig) else load_config(config, overrides, smoke, seed)
    settings = run.simulate
    if settings is None:
        raise FacsimError("this configuration is on your own data: there is nothing to simulate.")
    missing = settings.missing()
    if missing is not None:
        raise missing
    number = integer_seed(run.seed, "simulate")
    job = Job(TASK, settings_of(settings, number), Path(out), here("calzone"), retries=retries)
    shards = [Shard(i, first, stop) for i, (first, stop) in enumerate(settings.parts(shard))]
    finish = partial(_merge, settings, job, shards, number)
    prepare = partial(save_config, run, Path(out) / "config.yaml")
    return farm(Work(job, shards, settings.noun, finish, prepare), how or How(), reporter or Terminal())


def _merge(
    settings: TruthSimulation, job: Job, shards: list[Shard], seed: int, stamps: Stamps, advance: Advance
) -> dict[str, Path]:
    from facsim.report.farm import farm_picture  # noqa: PLC0415  matplotlib is heavy

    parts = [Chunk(shard.first, shard.stop, job.file(shard)) for shard in shards]
    ordered = [stamps[shard.index] for shard in shards]
    out, picture = job.folder / "truth.h5", job.folder / "farm.png"
    settings.merge_parts(parts, out, seed, sum(stamp.facts["cpu_seconds"] for stamp in ordered))
    if isinstance(settings, ChunkedSimulation) and len(StoreReader(out)) != settings.events:
        raise FacsimError(f"'{out}' has another number of events than the {settings.events} of the configuration.")
    advance(0.9, f"{settings.events} {settings.noun}")
    farm_picture(ordered, [], f"{settings.events} {settings.noun}, {len(shards)} shards", picture)
    return {"truth": out, "picture": picture}
