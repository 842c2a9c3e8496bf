"""Verbs that make many runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facsim.cli.app import Force, Json, Seed, Set, Smoke, app
from facsim.outcome import giving, told_plainly


@app.command(epilog="Example: facsim compare a.yaml b.yaml runs/c --out runs/methods --set train.steps=2000")
def compare(
    runs: Annotated[list[Path], typer.Argument(help="Configurations to train, finished run directories to read.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="For the page and all runs.")] = Path(
        "runs/comparison"
    ),
    truth: Annotated[
        Path | None,
        typer.Option("--truth", metavar="FILE", help="Take truth, splits, baselines and judging from here for all."),
    ] = None,
    overrides: Set = None,
    seed: Seed = None,
    smoke: Smoke = False,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Several surrogates on one truth, side by side.

    Truth is simulated or read, divided and judged once; what is up to date is skipped, what was interrupted goes on.
    """
    with told_plainly(), giving(as_json) as give:
        from facsim import api  # noqa: PLC0415
        from facsim.show import show_comparison  # noqa: PLC0415

        given = overrides or ()
        found = api.compare(runs, out=out, truth=truth, overrides=given, seed=seed, smoke=smoke, force=force)
        give(found, show_comparison)


@app.command(epilog="Example: facsim sweep calorimeter.yaml --out sweeps/a --trials 20")
def sweep(
    config: Annotated[Path, typer.Argument(help="Configuration with a section 'sweep'.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="By default sweeps/ and CONFIG's name.")
    ] = None,
    trials: Annotated[int | None, typer.Option("--trials", min=1, help="In all; may be raised later.")] = None,
    overrides: Set = None,
    seed: Seed = None,
    smoke: Smoke = False,
    as_json: Json = False,
) -> None:
    """Search keys of a configuration for the best score (Optuna).

    Every trial is a run directory on one truth. Interrupted, it goes on when run again.
    """
    with told_plainly(), giving(as_json) as give:
        from facsim import api  # noqa: PLC0415
        from facsim.show import show_sweep  # noqa: PLC0415

        where = out or Path("sweeps") / config.stem
        found = api.sweep(config, out=where, trials=trials, overrides=overrides or (), seed=seed, smoke=smoke)
        give(found, show_sweep)
