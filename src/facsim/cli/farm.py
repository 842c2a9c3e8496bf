"""Verbs that scale out: sampling, simulation and scores by many processes, through Dask or a batch system."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facsim.cli.app import Geometry, Json, Repository, Seed, Set, Smoke, app
from facsim.outcome import giving, told_plainly

if TYPE_CHECKING:
    from facsim.pipeline.farm import How

farm = typer.Typer(
    help="Sampling, simulation and scores in shards, by many workers.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(farm, name="farm")

Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="For shards and results.", show_default=False)]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes; by default one per processor.", show_default=False)
]
Engine = Annotated[
    str | None, typer.Option("--engine", metavar="NAME", help="local, or dask; by default dask with --cluster.")
]
Cluster = Annotated[
    str | None,
    typer.Option("--cluster", metavar="WHERE", help="Of Dask: local, slurm, htcondor, or an address tcp://HOST:PORT."),
]
OnlyShard = Annotated[
    int | None, typer.Option("--only-shard", metavar="I", min=0, help="Make this shard alone, in a job array.")
]
Merge = Annotated[bool, typer.Option("--merge", help="Make nothing, put the finished shards together.")]
Dry = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, with --cluster the job of a worker.")]
Script = Annotated[
    str | None,
    typer.Option("--script", metavar="SYSTEM", help="Write the job array of slurm or htcondor for what is missing."),
]
Retries = Annotated[int, typer.Option("--retries", min=0, help="Of a shard whose worker died or failed unexpectedly.")]
Clean = Annotated[bool, typer.Option("--clean", help="Remove the shards once they are merged.")]
Resource = Annotated[
    Path | None, typer.Option("--resources", metavar="FILE", help="YAML of cores, memory, walltime, queue, ...")
]
Memory = Annotated[str | None, typer.Option("--memory", help="Of a batch job, as 4GB.")]
Walltime = Annotated[str | None, typer.Option("--walltime", help="Of a batch job, HH:MM:SS.")]
Queue = Annotated[str | None, typer.Option("--queue", help="Partition of Slurm.")]
Directive = Annotated[
    list[str] | None, typer.Option("--directive", metavar="LINE", help="Further line of a batch job; repeatable.")
]
Mapping = Annotated[Path | None, typer.Option("--mapping", help="YAML that says what files hold where.")]
HOW = ("workers", "engine", "cluster", "only_shard", "merge", "dry_run", "script")
NOT_REPEATED = {*HOW, "as_json", "clean", "resources", "memory", "walltime", "queue", "directive"}
"""Options that a job of an array is not given."""


@farm.command(epilog="Example: facsim farm sample par04 --events 100000 --out showers --workers 8")
def sample(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="A model by name, par04 or calo@1.2.0, or a run directory.")],
    events: Annotated[int, typer.Option("--events", min=1, help="How many.")],
    out: Out,
    workers: Workers = None,
    engine: Engine = None,
    cluster: Cluster = None,
    shard: Annotated[int, typer.Option("--shard", min=1, help="Events of a shard.")] = 5000,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Events sampled at once.")] = 500,
    seed: Seed = None,
    energy: Annotated[
        str | None, typer.Option("--energy", help="Of a model by name, GeV: 10, or 1:50 log-uniform.")
    ] = None,
    conditions: Annotated[
        Path | None, typer.Option("--conditions", metavar="FILE", help="Events or table to take conditions from.")
    ] = None,
    mapping: Mapping = None,
    repository: Repository = None,
    candidates: Annotated[int | None, typer.Option(min=1, help="Draws per event, of which one is kept.")] = None,
    histograms: Annotated[bool, typer.Option(help="Fill those of the physics quantities.")] = True,
    force: Annotated[bool, typer.Option("--force", help="Sample outside of the training range too.")] = False,
    only_shard: OnlyShard = None,
    merge: Merge = False,
    dry_run: Dry = False,
    script: Script = None,
    retries: Retries = 2,
    clean: Clean = False,
    resources: Resource = None,
    memory: Memory = None,
    walltime: Walltime = None,
    queue: Queue = None,
    directive: Directive = None,
    as_json: Json = False,
) -> None:
    """Events of a trained model: events.h5.

    What is made depends on settings and seed, not on workers. The same command goes on where an earlier one ended.
    """
    with told_plainly(), giving(as_json) as give:
        from facsim.pipeline.farm_sample import farm_sample  # noqa: PLC0415  torch is heavy
        from facsim.show.farm import show_farmed  # noqa: PLC0415

        found = farm_sample(
            model,
            events=events,
            out=out,
            shard=shard,
            batch=batch,
            seed=1 if seed is None else seed,
            energy=energy,
            conditions=conditions,
            mapping=mapping,
            repository=repository,
            candidates=candidates,
            force=force,
            histograms=histograms,
            retries=retries,
            how=_how(context),
        )
        give(found.to_dict(), show_farmed)


@farm.command(epilog="Example: facsim farm simulate calorimeter.yaml --out runs/a --workers 8")
def simulate(
    context: typer.Context,
    config: Annotated[Path, typer.Argument(help="Configuration file, or the name of a recipe.")],
    out: Out,
    workers: Workers = None,
    engine: Engine = None,
    cluster: Cluster = None,
    shard: Annotated[
        int | None, typer.Option("--shard", min=1, help="Showers of a shard, of Geant4; else set simulate.chunk.")
    ] = None,
    overrides: Set = None,
    seed: Seed = None,
    smoke: Smoke = False,
    only_shard: OnlyShard = None,
    merge: Merge = False,
    dry_run: Dry = False,
    script: Script = None,
    retries: Retries = 2,
    clean: Clean = False,
    resources: Resource = None,
    memory: Memory = None,
    walltime: Walltime = None,
    queue: Queue = None,
    directive: Directive = None,
    as_json: Json = False,
) -> None:
    """Truth events: truth.h5, in a folder that then is a run directory.

    They are those of facsim simulate for the same configuration and seed.
    """
    with told_plainly(), giving(as_json) as give:
        from facsim.pipeline.farm_simulate import farm_simulate  # noqa: PLC0415
        from facsim.show.farm import show_farmed  # noqa: PLC0415

        found = farm_simulate(
            config,
            out=out,
            shard=shard,
            overrides=overrides or (),
            seed=seed,
            smoke=smoke,
            retries=retries,
            how=_how(context),
        )
        give(found.to_dict(), show_farmed)


@farm.command(epilog="Example: facsim farm score truth.h5 samples/*.h5 --out scores --workers 4")
def score(
    context: typer.Context,
    reference: Annotated[Path, typer.Argument(help="Truth, at least twice as many events as are to be judged.")],
    generated: Annotated[list[Path], typer.Argument(help="Files to judge, one to a worker.")],
    out: Out,
    workers: Workers = None,
    engine: Engine = None,
    cluster: Cluster = None,
    geometry: Geometry = None,
    mapping: Mapping = None,
    task: Annotated[str | None, typer.Option("--task", metavar="NAME", help="What the events are.")] = None,
    train: Annotated[Path | None, typer.Option("--train", help="The generators' training events.")] = None,
    null: Annotated[Path | None, typer.Option("--null", help="A second truth sample.")] = None,
    seed: Seed = None,
    only_shard: OnlyShard = None,
    merge: Merge = False,
    dry_run: Dry = False,
    script: Script = None,
    retries: Retries = 2,
    resources: Resource = None,
    memory: Memory = None,
    walltime: Walltime = None,
    queue: Queue = None,
    directive: Directive = None,
    as_json: Json = False,
) -> None:
    """Scorecards of many files against one truth, and one page.

    Each is the card of facsim score.
    """
    with told_plainly(), giving(as_json) as give:
        from facsim.pipeline.farm_score import farm_score  # noqa: PLC0415
        from facsim.show.farm import show_scored  # noqa: PLC0415

        found = farm_score(
            reference,
            generated,
            out=out,
            seed=1 if seed is None else seed,
            geometry=geometry,
            mapping=mapping,
            task=task,
            train=train,
            null=null,
            retries=retries,
            how=_how(context),
        )
        give(found.to_dict(), show_scored)


def _how(context: typer.Context) -> How:
    """How shards are to be made, of the options."""
    from facsim.engines.clusters import read_resources  # noqa: PLC0415
    from facsim.pipeline.farm import How  # noqa: PLC0415

    given = context.params
    wanted = {key: given[key] for key in ("memory", "walltime", "queue")} | {"directives": given["directive"]}
    return How(
        **{name: given[name] for name in HOW},
        resources=read_resources(given["resources"], wanted),
        clean=given.get("clean", False),
        command=_again(context),
    )


def _again(context: typer.Context) -> list[str]:
    """The command itself, without what says how shards are made, with absolute paths."""
    words = [sys.executable, "-m", "facsim", "farm", str(context.info_name)]
    for parameter in context.command.params:
        name, value = str(parameter.name), context.params.get(str(parameter.name))
        if name in NOT_REPEATED or value is None or value == parameter.default:
            continue
        if isinstance(value, bool):
            words.append(parameter.opts[0] if value else parameter.secondary_opts[0])
            continue
        option = parameter.param_type_name == "option"
        for one in value if isinstance(value, list | tuple) else [value]:
            words += [parameter.opts[0]] * option
            words.append(str(Path(one).absolute() if _is_place(context, name, one) else one))
    return words


def _is_place(context: typer.Context, name: str, value: object) -> bool:
    """Whether an argument or option is the path of something; some may be names of what ships as well."""
    from facsim.models.trained import is_run  # noqa: PLC0415

    path = Path(str(value))
    if name == "model":
        return context.params["repository"] is None and is_run(path)
    if name == "repository":
        return path.is_dir()
    return path.is_file() if name in ("config", "geometry", "mapping") else isinstance(value, Path)
