"""The stages of a run, alone and together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from facsim.cli.app import Config, Force, Json, Model, Out, Repository, Seed, Set, Smoke, app
from facsim.outcome import giving, told_plainly

VERBS = {
    "run": ("All stages, each only where it is needed.", "config.yaml --out runs/a --set simulate.events=2000"),
    "simulate": ("Truth events: truth.h5.", "config.yaml --out runs/a"),
    "prepare": ("Check and divide the truth: data.json.", "--out runs/a"),
    "train": ("Train the surrogate: models/surrogate/.", "--out runs/a --set train.steps=2000"),
    "evaluate": ("Judge the samples against truth: scores/.", "--out runs/a --set evaluate.energy_bins=8"),
    "apply": ("The surrogate in its place: application.json.", "--out runs/tpc"),
    "report": ("The page that shows it all: report/index.html.", "--out runs/a"),
}


def _stage_verb(name: str) -> Callable[..., None]:
    def verb(
        config: Config = None,
        out: Out = None,
        overrides: Set = None,
        seed: Seed = None,
        smoke: Smoke = False,
        force: Force = False,
        as_json: Json = False,
    ) -> None:
        with told_plainly(), giving(as_json) as give:
            from facsim import api  # noqa: PLC0415
            from facsim.show import show_any  # noqa: PLC0415

            work = getattr(api, name)
            result = work(config, out=out, overrides=overrides or (), seed=seed, smoke=smoke, force=force)
            if getattr(result, "stages", True):  # of several processes that train, one speaks
                give(result.to_dict(), show_any)

    return verb


@app.command(epilog="Example: facsim demo --smoke --out runs/try")
def demo(
    out: Out = None,
    overrides: Set = None,
    seed: Seed = None,
    smoke: Smoke = False,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Everything once, on Geant4 electrons.

    10 to 20 minutes on 2 cores, a minute with --smoke. Interrupted, it goes on when run again.
    """
    with told_plainly(), giving(as_json) as give:
        from facsim import api  # noqa: PLC0415
        from facsim.show import show_run  # noqa: PLC0415

        where = out or Path("runs") / "demo"
        result = api.demo(out=where, overrides=overrides or (), seed=seed, smoke=smoke, force=force)
        give(result.to_dict(), show_run)


@app.command(epilog="Example: facsim sample par04 --energy 1:50 --out showers.h5; facsim sample --out runs/a")
def sample(
    config: Model = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Run directory; of a model by name the file, by default NAME.h5.")
    ] = None,
    events: Annotated[
        int | None, typer.Option("--events", min=1, help="Showers of a model by name, by default 1000.")
    ] = None,
    energy: Annotated[
        str | None, typer.Option("--energy", help="Their GeV: 10, or 1:50 log-uniform; by default the training range.")
    ] = None,
    repository: Repository = None,
    candidates: Annotated[int | None, typer.Option(min=1, help="Draws per shower, of which one is kept.")] = None,
    overrides: Set = None,
    seed: Seed = None,
    smoke: Smoke = False,
    force: Annotated[
        bool, typer.Option("--force", help="Run even what is up to date; sample outside of the training range.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Sample surrogate and baselines: samples/.

    Or, by name, showers of a model that ships with facsim or is in a repository.
    """
    with told_plainly(), giving(as_json) as give:
        from facsim import api  # noqa: PLC0415
        from facsim.show import show_any  # noqa: PLC0415

        given: dict[str, Any] = {"overrides": overrides or (), "seed": seed, "smoke": smoke, "force": force}
        asked: dict[str, Any] = {"events": events, "energy": energy, "candidates": candidates, "repository": repository}
        found = api.sample(config, out=out, **asked, **given)
        give(found.to_dict(), show_any)


@app.command(epilog="Example: facsim export --out runs/a; facsim export calo --repository URL --out calo.onnx")
def export(
    config: Model = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Run directory; of a model by name the graph, by default NAME.onnx.")
    ] = None,
    repository: Repository = None,
    overrides: Set = None,
    seed: Seed = None,
    smoke: Smoke = False,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Export, check and time: model.onnx, card.json.

    Or, by name, the graph of a model that ships with facsim or is in a repository.
    """
    with told_plainly(), giving(as_json) as give:
        from facsim import api  # noqa: PLC0415
        from facsim.show import show_any  # noqa: PLC0415

        given: dict[str, Any] = {"overrides": overrides or (), "seed": seed, "smoke": smoke, "force": force}
        found = api.export(config, out=out, repository=repository, **given)
        give(found.to_dict(), show_any)


for _name, (_help, _example) in VERBS.items():
    app.command(_name, help=_help, epilog=f"Example: facsim {_name} {_example}")(_stage_verb(_name))
