"""Verbs that judge: files, several surrogates, published results, metrics themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facsim.cli.app import Geometry, Json, Seed, app
from facsim.core.errors import FacsimError
from facsim.outcome import giving, numbers, told_plainly


@app.command(epilog="Example: facsim score reference.h5 generated.h5 --geometry ds2-electrons --json")
def score(
    reference: Annotated[Path, typer.Argument(help="Truth, at least twice as many events as are to be judged.")],
    generated: Annotated[Path, typer.Argument(help="Events to judge.")],
    geometry: Geometry = None,
    mapping: Annotated[Path | None, typer.Option("--mapping", help="YAML that says what the files hold where.")] = None,
    train: Annotated[
        Path | None, typer.Option("--train", help="The generator's training events, for the memorisation check.")
    ] = None,
    null: Annotated[
        Path | None, typer.Option("--null", help="A second truth sample: the reference is then not divided.")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option("--task", metavar="NAME", help="What the events are; by default what their columns tell."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Also write the scorecard here.")] = None,
    board: Annotated[
        str | None, typer.Option("--leaderboard", metavar="NAME", help="Place it there: ds1-photons, ds2, ...")
    ] = None,
    time: Annotated[
        list[str] | None,
        typer.Option("--time", metavar="METRIC=VALUE", help="Its cost on the leaderboard, e.g. cpu_b100_ms=3.5."),
    ] = None,
    seed: Seed = None,
    as_json: Json = False,
) -> None:
    """Scorecard of any two files.

    The reference is divided in two disjoint halves, so that truth against truth stands beside every score. Showers,
    events of a task and tables of any columns are told apart by what the files say.
    """
    with told_plainly(resumes=False), giving(as_json) as give:
        from facsim import api  # noqa: PLC0415
        from facsim.show import show_scorecard  # noqa: PLC0415

        card = api.score(
            reference,
            generated,
            geometry=geometry,
            mapping=mapping,
            train=train,
            out=out,
            seed=1 if seed is None else seed,
            leaderboard=board,
            times=numbers(time or []),
            null=null,
            task=task,
        )
        give(card.to_dict(), show_scorecard)


@app.command(epilog="Example: facsim leaderboard ds2 --x cpu_b100_ms --y fpd_e3 --out pictures")
def leaderboard(
    name: Annotated[
        str | None, typer.Argument(help="ds1-photons, ds1-pions, ds2, ds3, hgcal-..., jetnet-...; without it, all.")
    ] = None,
    x: Annotated[str | None, typer.Option("--x", metavar="METRIC", help="First metric of the Pareto front.")] = None,
    y: Annotated[str | None, typer.Option("--y", metavar="METRIC", help="Second metric.")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Write the picture here.")] = None,
    as_json: Json = False,
) -> None:
    """Published results and their Pareto front.

    CaloChallenge, CMS HGCal and JetNet, with sources and caveats.
    """
    with told_plainly(resumes=False), giving(as_json) as give:
        from facsim import api  # noqa: PLC0415
        from facsim.show import show_leaderboard  # noqa: PLC0415

        give(api.leaderboard(name, x=x, y=y, out=out), show_leaderboard)


@app.command(epilog="Example: facsim study metrics --out studies/toy; facsim study metrics --jets gluon")
def study(
    what: Annotated[str, typer.Argument(help="What to study; there is: metrics.")] = "metrics",
    truth: Annotated[
        Path | None, typer.Option("--truth", help="Showers or JetNet's jets to distort; without, a Gaussian toy.")
    ] = None,
    jets: Annotated[
        str | None, typer.Option("--jets", metavar="KIND", help="Jets of Pythia to distort: gluon, quark, top, w, z.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="The toy, gluon jets and facsim's own showers.")] = False,
    geometry: Geometry = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="For study.json and study.png.")] = Path("study"),
    events: Annotated[int, typer.Option("--events", help="In a sample; of a file as far as there are.")] = 2000,
    repeats: Annotated[int, typer.Option("--repeats", help="Of truth against truth and of each difference.")] = 10,
    seed: Seed = None,
    as_json: Json = False,
) -> None:
    """Which metric sees which known difference.

    Gaussian samples or jets, with the significances of arXiv 2211.10295 beside, or showers of a file.
    """
    with told_plainly(resumes=False), giving(as_json) as give:
        from facsim import api  # noqa: PLC0415
        from facsim.show import show_studies, show_study  # noqa: PLC0415

        if what != "metrics":
            raise FacsimError(f"there is no study of '{what}': expected 'metrics'.")
        number = 1 if seed is None else seed
        if not everything:
            found = api.study(truth, jets=jets, geometry=geometry, out=out, events=events, repeats=repeats, seed=number)
            give(found, show_study)
        elif truth is None and jets is None and geometry is None:
            each = api.study_all(out=out, events=events, repeats=repeats, seed=number)
            give({"studies": each}, show_studies)
        else:
            raise FacsimError("--all runs studies of its own: leave out --truth, --jets and --geometry.")
