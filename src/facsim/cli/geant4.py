"""Verbs of fast simulation inside Geant4: `facsim geant4 ...`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facsim.cli.app import Json, Seed, app
from facsim.outcome import giving, told_plainly

geant4 = typer.Typer(
    name="geant4",
    help="A surrogate inside of a Geant4 event loop.",
    epilog="Example: facsim geant4 demo --smoke",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(geant4)


@geant4.command(epilog="Example: facsim geant4 demo --out runs/geant4 --energy 50 --material 0.1")
def demo(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="New folder for the results.")] = Path(
        "runs/geant4"
    ),
    events: Annotated[int, typer.Option("--events", help="Of full simulation; four times as many are fast.")] = 200,
    energy: Annotated[float, typer.Option("--energy", metavar="GEV", help="Kinetic energy of the beam.")] = 50.0,
    particle: Annotated[str, typer.Option("--particle", help="The beam: e-, e+ or gamma.")] = "e-",
    material: Annotated[
        float, typer.Option("--material", metavar="X0", help="Silicon in front, radiation lengths.")
    ] = 0.1,
    detector: Annotated[str, typer.Option("--detector", help="Calorimeter: a preset or a YAML file.")] = "par04-w-si",
    model: Annotated[
        str, typer.Option("--model", metavar="NAME|RUN", help="A model that ships, or the directory of a run.")
    ] = "par04",
    candidates: Annotated[
        int | None, typer.Option("--candidates", min=1, help="Draws of which it keeps one; by default its own number.")
    ] = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="In miniature: 10 full events.")] = False,
    seed: Seed = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an earlier demonstration, and nothing else, in --out.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Full against fast simulation of one beam.

    It goes through material onto a calorimeter. What enters is simulated in full, and again handed to a surrogate:
    time, response, resolution, shapes.
    """
    with told_plainly(resumes=False), giving(as_json) as give:
        from facsim.pipeline.geant4_demo import geant4_demo  # noqa: PLC0415
        from facsim.pipeline.terminal import Terminal  # noqa: PLC0415
        from facsim.show.geant4 import show_demo  # noqa: PLC0415

        found = geant4_demo(
            out,
            smoke=smoke,
            force=force,
            reporter=Terminal(),
            events=events,
            energy=energy,
            particle=particle,
            material=material,
            detector=detector,
            model=model,
            candidates=candidates,
            seed=1 if seed is None else seed,
        )
        give(found, show_demo)
