"""The application that verbs add themselves to, and the options that they share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facsim import __version__

app = typer.Typer(
    name="facsim",
    help="Fast detector simulation: from Geant4 truth to a surrogate that is judged, shown and exported.",
    epilog="Examples: facsim demo --smoke; facsim init calorimeter, then facsim run calorimeter.yaml",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Config = Annotated[
    Path | None, typer.Argument(help="Configuration file; without it the one saved in --out.", show_default=False)
]
Model = Annotated[
    str | None,
    typer.Argument(
        help="Configuration file, without it the one saved in --out; or a model by name: par04, calo@1.2.0.",
        show_default=False,
    ),
]
Repository = Annotated[
    str | None,
    typer.Option("--repository", metavar="URL", help="Folder or URL with the model; else what ships, FACSIM_MODELS."),
]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Run directory; by default runs/ and the name of CONFIG.")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key, e.g. --set train.lr=1e-4; repeatable."),
]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Of every random choice; replaces a configuration's.")]
Smoke = Annotated[bool, typer.Option("--smoke", help="In miniature: apply the configuration's section 'smoke'.")]
Force = Annotated[bool, typer.Option("--force", help="Run even what is up to date.")]
Json = Annotated[bool, typer.Option("--json", help="Result as JSON on standard output, all else on standard error.")]
Geometry = Annotated[
    str | None,
    typer.Option("--geometry", help="Built-in read-out (ds2-electrons, ...), the challenge's binning XML or a JSON."),
]


def _version(value: bool) -> None:
    if value:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass
