"""Verbs before and beside a run: configurations, published weights, what is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facsim.cli.app import Json, app
from facsim.outcome import giving, told_plainly


@app.command(epilog="Example: facsim init calorimeter --out studies/calo.yaml")
def init(
    task: Annotated[str, typer.Argument(help="Which of those that --list names.")] = "calorimeter",
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where to; by default TASK.yaml.")] = None,
    listed: Annotated[bool, typer.Option("--list", help="Only say which configurations there are.")] = False,
    as_json: Json = False,
) -> None:
    """Write a commented configuration."""
    with told_plainly(resumes=False), giving(as_json) as give:
        from facsim import api  # noqa: PLC0415
        from facsim.show import show_recipes  # noqa: PLC0415

        if listed:
            give(api.recipes(), show_recipes)
            return
        path = api.init(task, out)
        give(
            {"config": str(path)},
            lambda told: typer.echo(f"{told['config']} is written; now: facsim run {path} --smoke"),
        )


@app.command("import", epilog="Example: facsim import G_best_epoch.pt --jets g --data gluons.h5 --out models/mpgan-g")
def import_weights(
    weights: Annotated[Path, typer.Argument(help="State dict, such as MPGAN's G_best_epoch.pt.", show_default=False)],
    jets: Annotated[str, typer.Option("--jets", metavar="KIND", help="Which it makes: g, q or t.")],
    data: Annotated[Path, typer.Option("--data", help="True jets of that kind, for conditions and numbers.")],
    model: Annotated[str, typer.Option("--model", help="What was published; there is: mpgan.")] = "mpgan",
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="For the model.")] = Path("published"),
    as_json: Json = False,
) -> None:
    """Make a model of published weights; no code in them is run.

    A run goes on from it with train.start.
    """
    with told_plainly(resumes=False), giving(as_json) as give:
        from facsim import api  # noqa: PLC0415

        found = api.import_weights(model, weights, jets=jets, data=data, out=out)
        give(found, lambda told: typer.echo(f"{told['model']} holds {told['published']}, jets {told['jets']}."))


@app.command(epilog="Example: facsim cpp --out surrogate-cpp")
def cpp(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="For headers, CMake project and example.")],
    force: Annotated[bool, typer.Option("--force", help="Replace files there that differ.")] = False,
    as_json: Json = False,
) -> None:
    """C++ headers that run exported models.

    They need a C++17 compiler and a library of ONNX Runtime, and say where this Python's one is.
    """
    with told_plainly(resumes=False), giving(as_json) as give:
        import facsim  # noqa: PLC0415
        from facsim.show.cpp import show_cpp  # noqa: PLC0415

        give(facsim.cpp(out, force=force), show_cpp)


@app.command(epilog="Example: facsim info --json")
def info(as_json: Json = False) -> None:
    """What is installed, and which trained models ship."""
    with told_plainly(resumes=False), giving(as_json) as give:
        from facsim.info import describe  # noqa: PLC0415
        from facsim.show import show_facts  # noqa: PLC0415

        give(describe(), show_facts)
