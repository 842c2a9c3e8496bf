"""sweep: a search over keys of the configuration by Optuna; every trial is a run directory on one truth."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facsim.config import DataConfig, RunConfig, load_config, load_sweep
from facsim.config.sweep import TRAINING, Sweep, check_objective, corners, settings_of
from facsim.core.errors import FacsimError
from facsim.core.store import write_json
from facsim.pipeline.judging import JudgeOf, one_judge, shared
from facsim.pipeline.lifecycle import stages_of
from facsim.pipeline.preflight import check_extras, check_plan, check_training
from facsim.pipeline.stage import reason, run_stage
from facsim.pipeline.study_of_sweep import Study
from facsim.pipeline.sweep_results import objective_of, summarise, write_best
from facsim.pipeline.terminal import Terminal
from facsim.pipeline.truth import truth_run
from facsim.run import Reporter, Run
from facsim.stamps import fingerprint

Json = dict[str, Any]
TRUTH = "truth"


@dataclass(frozen=True)
class Plan:
    """A sweep: where from and where to, how configurations are read, and what is searched."""

    source: str | Path | Mapping[str, Any]
    out: Path
    overrides: tuple[str, ...]
    smoke: bool
    seed: int | None
    base: RunConfig
    sweep: Sweep
    reporter: Reporter

    def config(self, values: Json) -> RunConfig:
        """The configuration of a trial with these `values` by key, on its own truth still."""
        return load_config(self.source, [*self.overrides, *settings_of(values)], self.smoke, self.seed)

    def folder(self, number: int) -> Path:
        """The run directory of trial `number`."""
        return self.out / f"trial-{number:03d}"


def sweep(
    config: str | Path | Mapping[str, Any],
    *,
    out: str | Path,
    trials: int | None = None,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    smoke: bool = False,
    reporter: Reporter | None = None,
) -> Json:
    """Search the keys that the section `sweep` of `config` names; interrupted, it goes on when called again.

    Truth is simulated or read and divided once, in `out/truth`. Each trial is a run directory `out/trial-000`, trained,
    sampled and judged. The study is in `out/study.db`, for Optuna's own tools too.

    Args:
        config: a configuration with a section `sweep` (`config.sweep.Sweep`), as a file or parsed.
        out: the sweep's directory.
        trials: how many in all; replaces the section's number, and may be raised later.
        overrides, seed, smoke: as for `facsim.run`.
        reporter: who is told of the progress; by default the terminal (standard error).

    Returns:
        The content of `out/sweep.json`: the trials with parameters and values, and which is the best. Beside it lie
        the picture `sweep.png` and the configuration `best.yaml`.

    Raises:
        FacsimError: no section `sweep`, a key or value that the configuration does not take, another sweep in `out`,
            no trial that worked, or Optuna is not installed.
    """
    plan = _plan(config, Path(out), tuple(overrides), smoke, seed, reporter or Terminal())
    with Run(plan.out, plan.base).lock():
        study, judge = Study.open(plan.out, plan.sweep, plan.base.seed, _identity(plan)), one_judge()
        holder = _truth(plan)
        while (trial := study.next(trials or plan.sweep.trials)) is not None:
            number, values = trial
            plan.reporter.say(f"trial {number}: {', '.join(settings_of(values))}", "bold underline")
            study.tell(number, _trial(plan, number, values, holder, judge))
        found = summarise(plan.out, plan.sweep, study.trials())
        best = plan.config(found["trials"][found["best"]]["parameters"])
        write_best(plan.out / "best.yaml", best, plan.sweep, found)
    return found


def _plan(
    source: str | Path | Mapping[str, Any],
    out: Path,
    overrides: tuple[str, ...],
    smoke: bool,
    seed: int | None,
    reporter: Reporter,
) -> Plan:
    base = load_config(source, overrides, smoke, seed)
    plan = Plan(source, out, overrides, smoke, seed, base, load_sweep(source, overrides, smoke), reporter)
    for values in corners(plan.sweep.parameters):
        check_objective(plan.sweep, plan.config(values).train.early_stopping is not None)
    check_training(base)
    if (out / "config.yaml").exists():
        raise FacsimError(f"'{out}' is a run directory: choose another --out for the sweep.")
    return plan


def _identity(plan: Plan) -> str:
    """What has to stay as it is for trials to be of one study."""
    searched = plan.sweep.model_dump(mode="json", exclude={"trials"})
    return fingerprint({"sweep": searched, "config": plan.base.model_dump(mode="json")})


def _truth(plan: Plan) -> Run:
    """The run that holds truth and splits, its stages done."""
    if plan.base.data is not None and plan.base.data.run is not None:
        return truth_run(Run(plan.out / TRUTH, plan.base))
    config = plan.base.model_copy(update={"model": None, "export": None, "baselines": []})
    run = Run(plan.out / TRUTH, config, plan.reporter)
    stages = [stage for name, stage in stages_of(config).items() if name in ("simulate", "prepare")]
    with run.lock():
        check_extras(config, simulates=reason(stages[0], run) is not None)
        check_plan(config)
        run.save(sys.argv)
        for stage in stages:
            run_stage(stage, run)
    return run


def _trial(plan: Plan, number: int, values: Json, holder: Run, judge: JudgeOf) -> float | None:
    """The objective of one trial, None where it failed; its run directory has a `trial.json` that says more."""
    config, data = plan.config(values), DataConfig(run=str(holder.dir.absolute()))
    sample = config.sample.model_copy(update={"steps": []})
    changes: Json = {"simulate": None, "data": data, "baselines": [], "sample": sample, "export": None}
    config = config.model_copy(update=changes)
    run = Run(plan.folder(number), config, plan.reporter)
    wanted = ("prepare", "train") if plan.sweep.objective == TRAINING else ("prepare", "train", "sample", "evaluate")
    started, told = time.perf_counter(), {"parameters": values}
    with run.lock():
        run.save(sys.argv)
        try:
            for name in wanted:
                run_stage(shared(stages_of(config)[name], judge), run)
        except FacsimError as error:
            plan.reporter.say(f"  failed: {error}", "red")
            write_json(run.dir / "trial.json", {**told, "failure": str(error)})
            return None
        found = objective_of(run, plan.sweep)
        write_json(run.dir / "trial.json", {**told, **found, "seconds": time.perf_counter() - started})
    value: float = found["value"]
    return value
