"""compare: several surrogates trained or loaded, on one truth, judged alike, and shown on one page."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from facsim.core.errors import FacsimError
from facsim.core.store import read_json, write_json
from facsim.pipeline.compare_plan import TRUTH, Plan, make_plan
from facsim.pipeline.contenders import LoadOptions, Source
from facsim.pipeline.judging import JudgeOf, one_judge, shared
from facsim.pipeline.lifecycle import stages_of
from facsim.pipeline.preflight import check_extras, check_judged, check_plan, check_training, split_sizes
from facsim.pipeline.stage import Done, reason, run_stage
from facsim.pipeline.terminal import Terminal
from facsim.pipeline.together import together
from facsim.run import Reporter, Run
from facsim.stamps import reason_to_run, write_stamp

Json = dict[str, Any]


def compare(
    runs: Sequence[str | Path] | Mapping[str, Source],
    *,
    out: str | Path = Path("runs") / "comparison",
    truth: Source | None = None,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    smoke: bool = False,
    force: bool = False,
    reporter: Reporter | None = None,
) -> Json:
    """Several surrogates on one truth: each is trained or read, judged alike, and shown on one page.

    Truth is simulated or read, divided and judged against itself once, and baselines are sampled and judged once, in
    `out/truth`; each configuration gets a run directory `out/<name>`. What is up to date is not done again.

    Args:
        runs: configuration files and finished run directories, which are only read; or any of these by name, parsed
            configurations too.
        out: the comparison's directory, for `comparison.json` and the page `report/index.html`.
        truth: a configuration or run directory from which truth, splits, baselines and judging are taken for all
            configurations; without it they have to agree in these.
        overrides, seed, smoke: as for `facsim.run`, applied to every configuration.
        force: do all stages again, also those that are up to date.
        reporter: who is told of the progress; by default the terminal (standard error).

    Returns:
        The content of `comparison.json`, with `comparison`, `report` and `stages`.

    Example:
        >>> facsim.compare(["flow.yaml", "gan.yaml"], out="runs/methods", overrides=["simulate.events=2000"])
        >>> facsim.compare({"short": "runs/a", "long": "runs/b"}, out="runs/two")

    Raises:
        FacsimError: runs on another truth, with other splits or judged otherwise (the first difference is named), a
            configuration that cannot be read, or runs that fail, after the others are finished and shown.
    """
    options = LoadOptions(tuple(overrides), smoke, seed)
    plan = make_plan(runs, options, out=Path(out), truth=truth, reporter=reporter or Terminal())
    _check_ahead(plan)
    with together("compare"), Run(plan.out, plan.base.config).lock():
        done, failed = _work(plan, force)
        shown = {name: run for name, run in plan.runs.items() if name not in failed}
        if shown:
            done["comparison"] = [_show(replace(plan, runs=shown), failed, force)]
    page = _page(plan.out)
    if failed:
        sentences = "; ".join(f"'{name}': {sentence.rstrip('.')}" for name, sentence in failed.items())
        rest = f"; the page {page} shows the others" if shown else ""
        raise FacsimError(f"{len(failed)} of {len(plan.runs)} runs failed: {sentences}{rest}.")
    stages = {name: [asdict(each) for each in stages] for name, stages in done.items()}
    return {"comparison": str(plan.out), "report": str(page), "stages": stages, **read_json(_numbers(plan.out))}


def _check_ahead(plan: Plan) -> None:
    """Refuse what would fail after hours."""
    if plan.made:
        first = next(iter(stages_of(plan.base.config).values()))
        check_extras(plan.base.config, simulates=reason(first, plan.base) is not None)
        check_plan(plan.base.config)
    simulate = plan.base.config.simulate
    for name in plan.trained:
        check_extras(plan.runs[name].config, simulates=False)
        if reason(stages_of(plan.runs[name].config)["train"], plan.runs[name]) is not None:
            check_training(plan.runs[name].config)
        if simulate is not None:
            check_judged(plan.runs[name].config, split_sizes(simulate.events, plan.base.config.prepare)["validation"])


def _work(plan: Plan, force: bool) -> tuple[dict[str, list[Done]], dict[str, str]]:
    """The stages of every run; what was done, and the runs that failed with their sentences."""
    done: dict[str, list[Done]] = {}
    failed: dict[str, str] = {}
    judge = one_judge()
    if plan.made:
        done[TRUTH] = _stages(plan.base, judge, force)
    for name in plan.trained:
        try:
            done[name] = _stages(plan.runs[name], judge, force)
        except FacsimError as error:
            plan.reporter.say(f"  failed: {error}", "red")
            failed[name] = str(error)
    return done, failed


def _stages(run: Run, judge: JudgeOf, force: bool) -> list[Done]:
    """All stages of `run`; truth against truth is measured once for all runs."""
    run.reporter.say(f"{run.dir.name}", "bold underline")
    with run.lock():
        run.save(sys.argv)
        wanted = [stage for stage in stages_of(run.config).values() if run.config.model or stage.name != "report"]
        return [run_stage(shared(stage, judge), run, force) for stage in wanted]


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
