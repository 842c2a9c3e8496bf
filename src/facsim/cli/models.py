"""Verbs of model repositories: facsim models list, show, verify, save, fetch, triton."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facsim.cli.app import Json, Repository, app
from facsim.outcome import giving, told_plainly

models = typer.Typer(
    name="models",
    help="Trained models by name and version: list, show, verify.",
    epilog="Examples: facsim models list; facsim models verify par04; facsim models show calo --repository URL",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(models)
Name = Annotated[str, typer.Argument(metavar="NAME[@VERSION]", help="Of the model; the newest without a version.")]


@models.command("list", epilog="Example: facsim models list --repository https://example.org/models")
def list_models(
    repository: Repository = None,
    every: Annotated[bool, typer.Option("--all", help="All versions, not the newest alone.")] = False,
    as_json: Json = False,
) -> None:
    """Names, events, conditions, sizes, licences and scores."""
    with told_plainly(resumes=False), giving(as_json) as give:
        from facsim.repository.listing import list_models as found  # noqa: PLC0415
        from facsim.show.models import show_models  # noqa: PLC0415

        give(found(repository, every), show_models)


@models.command(epilog="Example: facsim models show par04")
def show(
    name: Name,
    repository: Repository = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Its picture, PNG.")] = None,
    as_json: Json = False,
) -> None:
    """The card of a model: scores with errors, origin, how to use it."""
    with told_plainly(resumes=False), giving(as_json) as give:
        from facsim.pipeline import models as work  # noqa: PLC0415
        from facsim.show.models import show_model  # noqa: PLC0415

        give(work.show_model(name, repository, out), show_model)


@models.command(epilog="Example: facsim models verify calo@1.0.0 --repository /data/models")
def verify(
    name: Name,
    repository: Repository = None,
    plugins: Annotated[
        list[Path] | None,
        typer.Option("--plugin", metavar="FILE", help="Plug-in with its class: read it first, it is run; repeatable."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check everything in a model: exit status 1 if anything is wrong.

    Checksums, card, weights, a few events, the graph against torch.
    """
    with told_plainly(resumes=False), giving(as_json) as give:
        from facsim.pipeline.verify_model import verify_model  # noqa: PLC0415
        from facsim.show.models import show_verified  # noqa: PLC0415

        found = verify_model(name, repository, plugins or ())
        give(found, show_verified)
    if not found["passed"]:
        raise typer.Exit(1)


@models.command(epilog="Example: facsim models save --out runs/a --name calo --version 1.0.0 --to models")
def save(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Run directory, all stages done.")],
    name: Annotated[str, typer.Option("--name", help="Of the model.")],
    version: Annotated[str, typer.Option("--version", help="Semantic, as 1.2.0; one that is there stays as it is.")],
    to: Annotated[str, typer.Option("--to", metavar="URL", help="Folder or URL of the repository.")],
    licence: Annotated[str, typer.Option("--licence", help="SPDX identifier, as CC-BY-4.0, or a text file.")],
    as_json: Json = False,
) -> None:
    """Put the surrogate of a run into a repository."""
    with told_plainly(resumes=False), giving(as_json) as give:
        from facsim.pipeline import models as work  # noqa: PLC0415
        from facsim.show.models import show_saved  # noqa: PLC0415

        give(work.save_model(out, name, version, to, licence=licence), show_saved)


@models.command(epilog="Example: facsim models fetch calo@1.0.0 --repository s3://bucket/models")
def fetch(name: Name, repository: Repository = None, as_json: Json = False) -> None:
    """Get a model onto this machine, checksums verified."""
    with told_plainly(resumes=False), giving(as_json) as give:
        from facsim.pipeline import models as work  # noqa: PLC0415
        from facsim.show.models import show_fetched  # noqa: PLC0415

        give(work.fetch_model(name, repository), show_fetched)


@models.command(epilog="Example: facsim models triton par04 --out serving")
def triton(
    name: Name,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder that the server is given.")],
    repository: Repository = None,
    batch: Annotated[int, typer.Option("--batch", min=1, max=100_000, help="Largest batch of a call.")] = 64,
    as_json: Json = False,
) -> None:
    """Write the folder from which NVIDIA's Triton serves a model."""
    with told_plainly(resumes=False), giving(as_json) as give:
        from facsim.pipeline import models as work  # noqa: PLC0415
        from facsim.show.models import show_served  # noqa: PLC0415

        give(work.serve_model(name, out, repository=repository, batch=batch), show_served)
