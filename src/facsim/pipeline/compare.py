"""compare: several surrogates trained or loaded, on one truth, judged alike, and shown on one page."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facsim.config import DataConfig, RunConfig
from facsim.config.sections import Named
from facsim.core.errors import FacsimError
from facsim.core.store import read_json, write_json
from facsim.pipeline.contenders import SHARED, Contender, LoadOptions, Source, check_one_truth, find_contender, gather
from facsim.pipeline.lifecycle import stages_of
from facsim.pipeline.preflight import check_extras, check_plan
from facsim.pipeline.stage import Done, Stage, reason, run_stage
from facsim.pipeline.truth import truth_run
from facsim.run import Reporter, Run
from facsim.stamps import reason_to_run, write_stamp
from facsim.train.settings import TrainSettings

if TYPE_CHECKING:
    from facsim.evaluate.scorecard import Judge

TRUTH = "truth"
Json = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """What a comparison does.

    Attributes:
        out: the comparison's directory.
        base: the run that holds truth, splits and baselines.
        made: whether `base` belongs to the comparison, which then does its stages.
        runs: the surrogates by name.
        trained: names of those that the comparison trains; the others are only read.
        reporter: who is told of the progress.
    """

    out: Path
    base: Run
    made: bool
    runs: Mapping[str, Run]
    trained: tuple[str, ...]
    reporter: Reporter


def compare(
    sources: Sequence[str | Path] | Mapping[str, Source],
    options: LoadOptions,
    *,
    out: Path,
    truth: Source | None = None,
    force: bool = False,
    reporter: Reporter,
) -> Json:
    """Do what is missing of every run, then write `comparison.json` and the page; arguments as for `facsim.compare`.

    Raises:
        FacsimError: runs that cannot be compared, or one that fails; then the others are still finished and shown.
    """
    plan = make_plan(sources, options, out=out, truth=truth, reporter=reporter)
    with Run(out, plan.base.config).lock():
        _check_ahead(plan)
        done, failed = _work(plan, force)
        shown = {name: run for name, run in plan.runs.items() if name not in failed}
        if len(shown) > 0:
            done["comparison"] = [_show(replace(plan, runs=shown), failed, force)]
    if failed:
        sentences = "; ".join(f"'{name}': {sentence.rstrip('.')}" for name, sentence in failed.items())
        rest = f"; the page {_page(out)} shows the others" if shown else ""
        raise FacsimError(f"{len(failed)} of {len(plan.runs)} runs failed: {sentences}{rest}.")
    stages = {name: [asdict(each) for each in stages] for name, stages in done.items()}
    return {"comparison": str(out), "report": str(_page(out)), "stages": stages, **read_json(_numbers(out))}


def make_plan(
    sources: Sequence[str | Path] | Mapping[str, Source],
    options: LoadOptions,
    *,
    out: Path,
    truth: Source | None,
    reporter: Reporter,
) -> Plan:
    """Read and check everything there is to compare; nothing is written.

    Raises:
        FacsimError: see `compare`.
    """
    if (out / "config.yaml").exists():
        raise FacsimError(f"'{out}' is a run directory: choose another --out for the comparison.")
    contenders = gather(sources, options, reporter)
    base = _base(contenders, truth, options, reporter)
    if truth is not None:
        contenders = [each if each.exists else _with_truth_of(each, base) for each in contenders]
    check_one_truth(contenders, base)
    trained = [each for each in contenders if not each.exists]
    made = bool(trained) and not base.exists
    holder = Run(out / TRUTH, _without_model(base, trained), reporter) if made else truth_run(base.run)
    runs = {each.name: each.run if each.exists else _on(holder, each, out) for each in contenders}
    return Plan(out, holder, made, runs, tuple(each.name for each in trained), reporter)


def _base(contenders: Sequence[Contender], truth: Source | None, options: LoadOptions, reporter: Reporter) -> Contender:
    """Whose truth counts: that of `truth` if given, of the first directory if there is one, else of the first."""
    if truth is not None:
        return find_contender(TRUTH, truth, options, reporter)
    return next((each for each in contenders if each.exists), contenders[0])


def _with_truth_of(contender: Contender, base: Contender) -> Contender:
    """`contender` with the truth, splits, baselines and judging of `base`."""
    shared = {name: getattr(base.run.config, name) for name in (*SHARED, "baselines")}
    config = contender.run.config.model_copy(update=shared)
    return replace(contender, run=replace(contender.run, config=config))


def _without_model(base: Contender, trained: Sequence[Contender]) -> RunConfig:
    """The configuration of the run that holds truth and the baselines of all.

    Raises:
        FacsimError: two contenders give different options to a baseline.
    """
    baselines: dict[str, tuple[Named, str]] = {}
    for each in [base, *trained]:
        for baseline in each.run.config.baselines:
            first, given = baselines.setdefault(baseline.name, (baseline, each.given))
            if first != baseline:
                raise FacsimError(f"'{each.given}' and '{given}' differ in the options of the baseline '{first.name}'.")
    changes = {
        "model": None,
        "export": None,
        "train": TrainSettings(),
        "baselines": [baseline for baseline, _ in baselines.values()],
        "plugins": list(dict.fromkeys(name for each in [base, *trained] for name in each.run.config.plugins)),
        "sample": base.run.config.sample.model_copy(update={"steps": []}),
    }
    return base.run.config.model_copy(update=changes)


def _on(holder: Run, contender: Contender, out: Path) -> Run:
    """The run of `contender` on the truth that `holder` has, without baselines of its own."""
    data = DataConfig(run=str(truth_run(holder).dir.absolute()))
    config = contender.run.config.model_copy(update={"simulate": None, "data": data, "baselines": []})
    return Run(out / contender.name, config, contender.run.reporter)


def _check_ahead(plan: Plan) -> None:
    """Refuse what would fail after hours."""
    if plan.made:
        first = next(iter(stages_of(plan.base.config).values()))
        check_extras(plan.base.config, simulates=reason(first, plan.base) is not None)
        check_plan(plan.base.config)
    for name in plan.trained:
        check_extras(plan.runs[name].config, simulates=False)


def _work(plan: Plan, force: bool) -> tuple[dict[str, list[Done]], dict[str, str]]:
    """The stages of every run; what was done, and the runs that failed with their sentences."""
    done: dict[str, list[Done]] = {}
    failed: dict[str, str] = {}
    judge = _one_judge()
    if plan.made:
        done[TRUTH] = _stages(plan.base, judge, force)
    for name in plan.trained:
        try:
            done[name] = _stages(plan.runs[name], judge, force)
        except FacsimError as error:
            plan.reporter.say(f"  failed: {error}", "red")
            failed[name] = str(error)
    return done, failed


def _one_judge() -> Callable[[Run], Judge]:
    """A function that gives the judge of the first run it is asked for to all: truth and judging are the same."""
    made: list[Judge] = []

    def judge(run: Run) -> Judge:
        from facsim.pipeline.evaluate import judge_of  # noqa: PLC0415  heavy

        if not made:
            made.append(judge_of(run))
        return made[0]

    return judge


def _stages(run: Run, judge: Callable[[Run], Judge], force: bool) -> list[Done]:
    """All stages of `run`; truth against truth is measured once for all runs."""
    run.reporter.say(f"{run.dir.name}", "bold underline")
    with run.lock():
        run.save(sys.argv)
        wanted = [stage for stage in stages_of(run.config).values() if run.config.model or stage.name != "report"]
        return [run_stage(_shared(stage, judge), run, force) for stage in wanted]


def _shared(stage: Stage, judge: Callable[[Run], Judge]) -> Stage:
    if stage.name != "evaluate":
        return stage

    def work(run: Run) -> None:
        from facsim.pipeline.evaluate import evaluate  # noqa: PLC0415  heavy

        evaluate(run, judge(run))

    return replace(stage, work=work)


def _show(plan: Plan, failed: Mapping[str, str], force: bool) -> Done:
    """`comparison.json` and the page, unless they stand for what the runs hold now."""
    stamp, outputs = plan.out / "stamps" / "compare.json", [_numbers(plan.out), _page(plan.out)]
    inputs = _inputs(plan)
    settings = {"runs": {name: str(run.dir) for name, run in plan.runs.items()}, "failed": dict(failed)}
    if not force and reason_to_run(stamp, settings, {}, inputs, outputs) is None:
        plan.reporter.say("comparison: up to date", "dim")
        return Done("compare", 0.0, skipped=True)
    plan.reporter.say("comparison", "bold")
    from facsim.pipeline.comparison import summarise  # noqa: PLC0415  heavy
    from facsim.report.comparison import write_comparison  # noqa: PLC0415
    from facsim.report.merged import merge_runs  # noqa: PLC0415

    started = time.perf_counter()
    merged = merge_runs({name: run.dir for name, run in plan.runs.items()}, plan.base.dir)
    content = summarise(merged, plan.base, plan.runs, failed)
    write_json(_numbers(plan.out), content)
    path = write_comparison(_page(plan.out), merged, content)
    plan.reporter.say(f"  {path} ({path.stat().st_size / 1e6:.1f} MB): open it in a browser")
    stamped = write_stamp(stamp, "compare", settings, {}, inputs, outputs, time.perf_counter() - started)
    return Done("compare", stamped.seconds, skipped=False)


def _inputs(plan: Plan) -> list[Path]:
    """The files of all runs that the comparison shows."""
    folders = [plan.base.dir, *(run.dir for run in plan.runs.values())]
    patterns = ("data.json", "card.json", "check.json", "scores/*.json", "hists/*.json", "models/*/metrics.jsonl")
    return sorted({path for folder in folders for pattern in patterns for path in folder.glob(pattern)})


def _numbers(out: Path) -> Path:
    return out / "comparison.json"


def _page(out: Path) -> Path:
    return out / "report" / "index.html"
