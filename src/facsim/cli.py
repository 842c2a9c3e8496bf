"""The command line: one verb per stage. Thin: heavy imports happen inside the verbs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from facsim import __version__
from facsim.core.errors import FacsimError
from facsim.outcome import giving, numbers, told_plainly

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
    typer.Argument(help="Configuration file, or a model that ships with facsim: par04.", show_default=False),
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

VERBS = {
    "run": ("All stages, each only where it is needed.", "config.yaml --out runs/a --set simulate.events=2000"),
    "simulate": ("Truth events: truth.h5.", "config.yaml --out runs/a"),
    "prepare": ("Check and divide the truth: data.json.", "--out runs/a"),
    "train": ("Train the surrogate: models/surrogate/.", "--out runs/a --set train.steps=2000"),
    "evaluate": ("Judge the samples against truth: scores/.", "--out runs/a --set evaluate.energy_bins=8"),
    "apply": ("The surrogate in its place: application.json.", "--out runs/tpc"),
    "export": ("Export, check and time: model.onnx, card.json.", "--out runs/a; facsim export par04 --out par04.onnx"),
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


@app.command(epilog="Example: facsim init calorimeter --out studies/calo.yaml")
def init(
    task: Annotated[str, typer.Argument(help="Which of those that --list names.")] = "calorimeter",
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where to; by default TASK.yaml.")] = None,
    listed: Annotated[bool, typer.Option("--list", help="Only say which configurations there are.")] = False,
    as_json: Json = False,
) -> None:
    """Write a commented configuration."""
    with told_plainly(), giving(as_json) as give:
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


@app.command(epilog="Example: facsim sample par04 --energy 1:50 --out showers.h5; facsim sample --out runs/a")
def sample(
    config: Model = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Run directory; of a shipped model the file, by default NAME.h5.")
    ] = None,
    events: Annotated[
        int | None, typer.Option("--events", min=1, help="Showers of a shipped model, by default 1000.")
    ] = None,
    energy: Annotated[
        str | None, typer.Option("--energy", help="Their GeV: 10, or 1:50 log-uniform; by default the training range.")
    ] = None,
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

    Or, by name, showers of a model that ships with facsim.
    """
    with told_plainly(), giving(as_json) as give:
        from facsim import api  # noqa: PLC0415
        from facsim.show import show_any  # noqa: PLC0415

        given: dict[str, Any] = {"overrides": overrides or (), "seed": seed, "smoke": smoke, "force": force}
        found = api.sample(config, out=out, events=events, energy=energy, candidates=candidates, **given)
        give(found.to_dict(), show_any)


for _name, (_help, _example) in VERBS.items():
    app.command(_name, help=_help, epilog=f"Example: facsim {_name} {_example}")(_stage_verb(_name))


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
    with told_plainly(), giving(as_json) as give:
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
    with told_plainly(), giving(as_json) as give:
        from facsim import api  # noqa: PLC0415
        from facsim.show import show_leaderboard  # noqa: PLC0415

        give(api.leaderboard(name, x=x, y=y, out=out), show_leaderboard)


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
    with told_plainly(), giving(as_json) as give:
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
    with told_plainly(), giving(as_json) as give:
        from facsim import api  # noqa: PLC0415

        found = api.import_weights(model, weights, jets=jets, data=data, out=out)
        give(found, lambda told: typer.echo(f"{told['model']} holds {told['published']}, jets {told['jets']}."))


@app.command(epilog="Example: facsim info --json")
def info(as_json: Json = False) -> None:
    """What is installed, and which trained models ship."""
    with told_plainly(), giving(as_json) as give:
        from facsim.info import describe  # noqa: PLC0415
        from facsim.show import show_facts  # noqa: PLC0415

        give(describe(), show_facts)


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


def main() -> None:
    """Entry point of the command `facsim`."""
    app()
