"""The verb that makes a trained surrogate cheaper."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facsim.cli.app import Json, Seed, app
from facsim.core.errors import FacsimError
from facsim.outcome import giving, told_plainly


@app.command(epilog="Example: facsim compress --out runs/a --method int8-dynamic --method narrow --set share=0.75")
def compress(
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Run directory, judged already.")] = None,
    methods: Annotated[
        list[str] | None,
        typer.Option("--method", metavar="NAME", help="One of --list, as narrow or narrow:share=0.75; repeatable."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Option of the methods, or METHOD.KEY=VALUE; repeatable."),
    ] = None,
    within: Annotated[
        float, typer.Option("--within", metavar="SIGMA", help="Refuse models that are worse by more; inf for no limit.")
    ] = 1.0,
    at_least: Annotated[
        list[str] | None,
        typer.Option("--at-least", metavar="SCORE=VALUE", help="Refuse models that are worse than this; repeatable."),
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="Only say which methods there are.")] = False,
    seed: Seed = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="In miniature: few steps of training, short timing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Keep models that are worse than allowed.")] = False,
    as_json: Json = False,
) -> None:
    """Make a trained surrogate cheaper, and judge what comes out.

    Each result is judged like the original and kept in compressed/ unless it is worse than allowed.
    """
    with told_plainly():
        with giving(as_json) as give:
            from facsim.pipeline import compression  # noqa: PLC0415
            from facsim.show.compression import show_compression, show_methods  # noqa: PLC0415

            if listed:
                give({"methods": compression.listed()}, show_methods)
                return
            if out is None:
                raise FacsimError("say with --out which run's surrogate to compress.")
            found = compression.compress(
                out,
                methods or (),
                settings=settings or (),
                within=within,
                at_least=at_least or (),
                force=force,
                seed=seed,
                smoke=smoke,
            )
            give(found, show_compression)
        compression.refuse(found)
