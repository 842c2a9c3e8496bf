"""The verbs as plain functions, for scripts and notebooks; the command line calls exactly these."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from facsim.config import ModelConfig, RunConfig, check_names, load_config, recipe
from facsim.config.recipes import init, recipes
from facsim.core import plugins
from facsim.core.errors import FacsimError
from facsim.info import describe as info
from facsim.pipeline import (
    Done,
    Stage,
    check_extras,
    check_plan,
    check_training,
    check_upstream,
    find_stages,
    reason,
    run_stage,
    stages_of,
)
from facsim.pipeline.compare import compare
from facsim.pipeline.published import import_weights
from facsim.pipeline.simulate import on_shipped_sample
from facsim.pipeline.sweep import sweep
from facsim.pipeline.terminal import Terminal
from facsim.pipeline.together import together
from facsim.run import Reporter, Run, saved_config
from facsim.simulate.geant4 import geant4_available

if TYPE_CHECKING:
    from facsim.evaluate.scorecard import Scorecard
    from facsim.pipeline.shipped import Graph, Sampled

__all__ = [
    "RunOptions",
    "RunResult",
    "apply",
    "compare",
    "demo",
    "evaluate",
    "export",
    "import_weights",
    "info",
    "init",
    "leaderboard",
    "prepare",
    "recipes",
    "report",
    "run",
    "sample",
    "score",
    "simulate",
    "study",
    "study_all",
    "sweep",
    "train",
]

ConfigLike = str | Path | Mapping[str, Any] | RunConfig | None


class RunOptions(TypedDict, total=False):
    """Options that all verbs share.

    Attributes:
        out: the run directory; by default `runs/` and the name of the configuration file.
        overrides: `"train.lr=1e-4"` and the like.
        seed: replaces the configuration's seed.
        smoke: apply the configuration's `smoke` section.
        force: run even what is up to date.
        model: a class of one's own, a subclass of `facsim.models.EventModel` or `Predictor`, for the configuration's.
            It is known in this process only, by the name of the class: name it in a plug-in file to use it elsewhere.
        reporter: who is told of the progress; by default the terminal (standard error).
        repository: folder or URL with the model that is named for a configuration.
    """

    out: str | Path | None
    overrides: Sequence[str]
    seed: int | None
    smoke: bool
    force: bool
    model: type | None
    reporter: Reporter | None
    repository: str | Path | None


@dataclass(frozen=True)
class RunResult:
    """A run directory and what was done in it."""

    dir: Path
    stages: list[Done]

    @property
    def report(self) -> Path | None:
        """The report page, once there is one."""
        path = self.dir / "report" / "index.html"
        return path if path.is_file() else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready summary."""
        report = None if self.report is None else str(self.report)
        return {"run": str(self.dir), "stages": [asdict(done) for done in self.stages], "report": report}


def simulate(config: ConfigLike = None, **options: Unpack[RunOptions]) -> RunResult:
    """Simulate truth showers with Geant4 into `truth.h5`."""
    return _work("simulate", config, options)


def prepare(config: ConfigLike = None, **options: Unpack[RunOptions]) -> RunResult:
    """Check the truth and divide it in splits: `data.json`."""
    return _work("prepare", config, options)


def train(config: ConfigLike = None, **options: Unpack[RunOptions]) -> RunResult:
    """Train the surrogate: `models/surrogate/`; an interrupted training goes on."""
    return _work("train", config, options)


def sample(
    config: ConfigLike = None,
    *,
    events: int | None = None,
    energy: float | tuple[float, float] | str | None = None,
    candidates: int | None = None,
    **options: Unpack[RunOptions],
) -> RunResult | Sampled:
    """Sample surrogate and baselines of a run: `samples/*.h5`. Or showers of a model by name, in a file.

    Args:
        config: of the run, or a model that ships with facsim or is in a repository, such as `par04` or `calo@1.2.0`.
        events: of a named model: number of showers, by default 1000. candidates: draws of which one is kept.
        energy: of such a model, GeV: a number, `"1:50"` or `(1, 50)` for log-uniform ones; None is the training range.
        options: for such a model `out` is the file, by default `<name>.h5`, and `force` leaves the training range.

    Example:
        >>> facsim.sample("par04", events=1000, energy="1:50", seed=1, out="showers.h5").ms_per_shower

    Raises:
        FacsimError: anything that keeps the showers from being made.
    """
    from facsim.pipeline import shipped  # noqa: PLC0415  torch is heavy

    name, own = shipped.meant(config, options), {"events": events, "energy": energy, "candidates": candidates}
    if name is None:
        shipped.refuse(own, "are for models that ship with facsim: a run has its own in its configuration")
        return _work("sample", config, options)
    return shipped.sample_shipped(name, **shipped.chosen(own, options), reporter=_reporter(options))


def evaluate(config: ConfigLike = None, **options: Unpack[RunOptions]) -> RunResult:
    """Judge all samples against truth: `scores/`, `hists/`."""
    return _work("evaluate", config, options)


def apply(config: ConfigLike = None, **options: Unpack[RunOptions]) -> RunResult:
    """Put the surrogate in its place and compare with truth there: `application.json`.

    TPC: whole events reconstructed; RICH: other decays than it was trained on; ECAL: pairs of photons.
    """
    return _work("apply", config, options)


def export(config: ConfigLike = None, **options: Unpack[RunOptions]) -> RunResult | Graph:
    """Export the surrogate: `model.onnx`, `card.json`, `check.json`, and time it.

    Or, by name, a model of a repository: `out` is the graph, by default `<name>.onnx`; card and check go beside.
    """
    from facsim.pipeline import shipped  # noqa: PLC0415  torch is heavy

    name = shipped.meant(config, options)
    if name is None:
        return _work("export", config, options)
    return shipped.export_shipped(name, **shipped.chosen({}, options), reporter=_reporter(options))


def report(config: ConfigLike = None, **options: Unpack[RunOptions]) -> RunResult:
    """Write the page that shows the run: `report/index.html`."""
    return _work("report", config, options)


def run(config: ConfigLike = None, **options: Unpack[RunOptions]) -> RunResult:
    """Do all stages, each only where its result is missing or out of date.

    Example:
        >>> facsim.run("config.yaml", out="runs/first", smoke=True).report
        >>> facsim.run("config.yaml", out="runs/mine", model=MyModel, overrides=["model.width=32"])

    Raises:
        FacsimError: anything that keeps a stage from its result, in one sentence.
    """
    return _work("run", config, options)


def demo(**options: Unpack[RunOptions]) -> RunResult:
    """Run the electron recipe, by default into `runs/demo`.

    Where Geant4 is not installed the recipe runs on the small sample of Geant4 showers that ships with facsim.
    """
    reporter = _reporter(options)
    model = options.get("model")
    name = None if model is None else plugins.give("models", model)
    arguments = (options.get("overrides", ()), options.get("smoke", False), options.get("seed"), name)
    config = load_config(recipe("calorimeter"), *arguments)
    if config.simulate is not None and not geant4_available():
        reporter.say("Geant4 (calzone) is not installed: the demo uses the 400 Geant4 showers that ship with facsim.")
        config = on_shipped_sample(config)
    out = options.get("out") or Path("runs") / "demo"
    return _work("run", config, {"out": out, "force": options.get("force", False), "reporter": reporter})


def score(
    reference: str | Path,
    generated: str | Path,
    *,
    geometry: str | None = None,
    mapping: str | Path | None = None,
    train: str | Path | None = None,
    out: str | Path | None = None,
    seed: int = 1,
    leaderboard: str | None = None,
    times: Mapping[str, float] | None = None,
    null: str | Path | None = None,
    task: str | None = None,
) -> Scorecard:
    """Scorecard of the events in `generated` against those in `reference`, with no configuration.

    Args:
        reference: truth; it is divided in two disjoint halves, so that truth can be compared with truth.
        generated: the events to judge.
        geometry: the read-out where the files do not say it: a built-in name, the challenge's binning XML or a geometry
            JSON. Point clouds are put into its cells; without it they are compared by their observables.
        mapping: YAML file that says what the files hold where.
        train: what the generator was trained on, for the memorisation check.
        out: folder for `scores/<name>.json`, `hists/<name>.json` and the page `report/index.html`.
        seed: of every random choice.
        leaderboard: a published leaderboard to place the generator on: `ds1-photons`, `ds1-pions`, `ds2` or `ds3`; the
            places are in the card's `leaderboard`, and pictures of them in `out`.
        times: with `leaderboard`, the generator's costs by the board's names, e.g. `{"cpu_b100_ms": 3.5}`.
        null: a second truth sample, disjoint from the reference, which is then not divided.
        task: what the events are, e.g. `rich`, `table` for any table, `calorimeter` for showers; by default it is read
            off their columns, conditions and read-out, and tables of no task are scored column by column.

    Raises:
        FacsimError: files that are broken, of different geometries, or too small; events of another task; a leaderboard
            that is not known or of another read-out.
    """
    from facsim.pipeline.score import score as score_paths  # noqa: PLC0415  heavy

    return score_paths(
        Path(reference),
        Path(generated),
        None if train is None else Path(train),
        geometry=geometry,
        mapping=mapping,
        out=None if out is None else Path(out),
        seed=seed,
        reporter=Terminal(),
        leaderboard=leaderboard,
        times=times,
        null=None if null is None else Path(null),
        task=task,
    )


def leaderboard(
    name: str | None = None,
    *,
    x: str | None = None,
    y: str | None = None,
    out: str | Path | None = None,
    reporter: Reporter | None = None,
) -> dict[str, Any]:
    """Published results: one leaderboard with its Pareto front, or, without a name, which there are.

    To place a model of one's own: `facsim.evaluate.leaderboards.place`.

    Args:
        name: e.g. `ds2`, `hgcal-photon-e50` or `jetnet-g30`.
        x, y: metrics of the front and the picture, by default the board's usual cost and quality.
        out: folder for the picture `<name>_<y>_<x>.png`.
        reporter: who is told of the picture; by default the terminal (standard error).

    Raises:
        FacsimError: no such leaderboard or metric.
    """
    from facsim.pipeline.leaderboard import leaderboard as show  # noqa: PLC0415  reads the tables

    return show(name, x=x, y=y, out=None if out is None else Path(out), reporter=reporter or Terminal())


def study(
    truth: str | Path | None = None,
    *,
    jets: str | None = None,
    geometry: str | None = None,
    out: str | Path = "study",
    events: int = 2000,
    repeats: int = 10,
    seed: int = 1,
    reporter: Reporter | None = None,
) -> dict[str, Any]:
    """Which metric sees what: significances of known differences, with every metric.

    Args:
        truth: showers, or jets in JetNet's form, to distort; without it, the Gaussian toy of arXiv 2211.10295.
        jets: jets to simulate with Pythia and distort: `gluon`, `quark`, `top`, `w`, `z`.
        geometry: the read-out where the file does not say it.
        out: folder for `study.json` and `study.png`.
        events: in a sample; of a file no more than half the showers, or a third of the jets.
        repeats: of truth against truth and of each difference.
        seed: of every random choice.

    Raises:
        FacsimError: too few events or repeats, a file that is broken, jets of an unknown kind, or both truth and jets.
    """
    from facsim.evaluate.study import StudySettings  # noqa: PLC0415  heavy
    from facsim.pipeline.study import study as study_metrics  # noqa: PLC0415

    settings = StudySettings(events, repeats, seed)
    path = None if truth is None else Path(truth)
    told = reporter or Terminal()
    return study_metrics(path, jets=jets, geometry=geometry, out=Path(out), settings=settings, reporter=told)


def study_all(
    *,
    out: str | Path = "study",
    events: int = 2000,
    repeats: int = 10,
    seed: int = 1,
    reporter: Reporter | None = None,
) -> list[dict[str, Any]]:
    """`study` of the toy, of gluon jets (left out where Pythia is not installed) and of the showers facsim comes with.

    Each goes in a folder of its own below `out`. Arguments and errors as for `study`.
    """
    from facsim.evaluate.study import StudySettings  # noqa: PLC0415  heavy
    from facsim.pipeline.study import study_all as study_each  # noqa: PLC0415

    return study_each(out=Path(out), settings=StudySettings(events, repeats, seed), reporter=reporter or Terminal())


def _reporter(options: RunOptions) -> Reporter:
    return options.get("reporter") or Terminal()


def _open(config: ConfigLike, options: RunOptions) -> Run:
    """The run that `config` and `options` describe."""
    out, model = options.get("out"), options.get("model")
    name = None if model is None else plugins.give("models", model)
    if isinstance(config, RunConfig):
        resolved = config if name is None else config.model_copy(update={"model": ModelConfig(name=name)})
        check_names(resolved)
    else:
        if config is None:
            if out is None:
                raise FacsimError("give a configuration file, or with --out a run directory that holds one.")
            config = saved_config(Path(out))
        arguments = (options.get("overrides", ()), options.get("smoke", False), options.get("seed"), name)
        resolved = load_config(config, *arguments)
    if out is None:
        if not isinstance(config, str | Path):
            raise FacsimError("say with 'out' which run directory to work in.")
        out = Path("runs") / Path(config).stem
    return Run(Path(out), resolved, _reporter(options))


def _work(verb: str, config: ConfigLike, options: RunOptions) -> RunResult:
    """Open the run, lock it, and do the stages of `verb`; of several processes that train, the first does."""
    run = _open(config, options)
    stages = find_stages(run.config, verb)
    with together(verb) as leads:
        if not leads:
            from facsim.pipeline.train import follow  # noqa: PLC0415  torch is heavy

            follow()
            return RunResult(run.dir, [])
        return RunResult(run.dir, _stages(verb, run, stages, options.get("force", False)))


def _stages(verb: str, run: Run, stages: Sequence[Stage], force: bool) -> list[Done]:
    with run.lock():
        if verb == "run":
            check_extras(run.config, simulates=reason(stages[0], run) is not None)
            check_plan(run.config)
        else:
            check_upstream(stages[0], stages_of(run.config), run)
        if any(stage.name == "train" and reason(stage, run) for stage in stages):
            check_training(run.config)
        run.save(sys.argv)
        return [run_stage(stage, run, force) for stage in stages]
