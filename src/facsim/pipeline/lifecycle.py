"""The lifecycle: its stages in order, and what each depends on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from facsim.config import RunConfig
from facsim.core.errors import FacsimError
from facsim.core.plugins import identity
from facsim.evaluate.tasks import APPLICATIONS
from facsim.pipeline import prediction
from facsim.pipeline.stage import Stage
from facsim.pipeline.truth import truth_files, truth_run
from facsim.run import Run
from facsim.train.settings import NO_MATTER


def _work(name: str, package: str = "facsim.pipeline") -> Callable[[Run], None]:
    """The function `name` of the module of that name in `package`, imported when the stage runs: some are heavy."""

    def work(run: Run) -> None:
        getattr(import_module(f"{package}.{name}"), name)(run)

    return work


def _simulate_settings(config: RunConfig) -> Any:
    if config.simulate is None:
        return None
    return {"seed": config.seed, **config.simulate.model_dump(mode="json", exclude={"workers", "chunk"})}


def _section(*names: str) -> Any:
    def settings(config: RunConfig) -> dict[str, Any]:
        found = config.model_dump(mode="json", include={"seed", *names}, exclude={"train": set(NO_MATTER)})
        models = [] if config.model is None else [config.model.name]
        codes = {
            "model": {name: identity("models", name) for name in models},
            "baselines": {baseline.name: identity("baselines", baseline.name) for baseline in config.baselines},
        }
        # classes from outside count with their code; of facsim's own the version stands in every stamp
        outside = {kind: codes[kind] for kind in codes if kind in names and any(codes[kind].values())}
        return {**found, "code": outside} if outside else found

    return settings


def _own_files(run: Run) -> list[Path]:
    if run.config.data is None:
        return []
    source = truth_run(run)
    data = source.config.data
    further = [] if data is None else [Path(name) for name in (data.mapping, data.geometry) if name]
    prepared = [] if source is run else [source.data]
    return [*prepared, *truth_files(run), *(path for path in further if path.is_file())]


def _sample_files(run: Run) -> list[Path]:
    return [*map(run.samples, run.names), *map(run.step_samples, run.steps)]


def _score_files(run: Run) -> list[Path]:
    return [*map(run.scores, run.names), *map(run.hists, run.names), *map(run.step_scores, run.steps)]


STAGES: tuple[Stage, ...] = (
    Stage("simulate", _work("simulate"), _simulate_settings, lambda run: [run.truth]),
    Stage("prepare", _work("prepare"), _section("prepare", "data"), lambda run: [run.data], ("simulate",), _own_files),
    Stage(
        "train",
        _work("train"),
        _section("model", "train"),
        lambda run: [run.model() / "weights.safetensors"],
        ("prepare",),
    ),
    Stage("sample", _work("sample"), _section("model", "sample", "baselines"), _sample_files, ("prepare", "train")),
    Stage("evaluate", _work("evaluate"), _section("evaluate", "baselines"), _score_files, ("prepare", "sample")),
    Stage("apply", _work("apply"), _section("model", "apply"), lambda run: [run.application], ("train",)),
    Stage(
        "export",
        _work("export"),
        _section("model", "export"),
        lambda run: [run.onnx, run.card, run.check, *run.c_files, *run.triton_files],
        ("train", "evaluate"),
    ),
    Stage(
        "timing",
        _work("timing"),
        _section("model", "timing", "baselines", "simulate"),
        lambda run: [run.timing, run.curve],
        ("prepare", "train", "evaluate", "export"),
    ),
    Stage(
        "report",
        _work("report"),
        _section("report"),
        lambda run: [run.report],
        ("evaluate", "apply", "export", "timing"),
        lambda run: [run.compressed] if run.compressed.is_file() else [],
        partial=True,
    ),
)


def _with_background(settings: Callable[[RunConfig], Any]) -> Callable[[RunConfig], Any]:
    """`settings` and what background is: splits stay the same when that changes, and what is learnt does not."""

    def both(config: RunConfig) -> Any:
        names = {"background", "contamination", "contaminant"}
        return {"settings": settings(config), "learnt": config.prepare.model_dump(mode="json", include=names)}

    return both


def _of_predictors(stage: Stage) -> Stage:
    """`stage` in a run of a predictor."""
    if stage.name in ("train", "sample", "evaluate"):
        stage = replace(stage, settings=_with_background(stage.settings))
    if stage.name not in prediction.STAGES:
        return stage
    outputs: dict[str, Callable[[Run], list[Path]]] = {
        "timing": lambda run: [run.timing],
        "export": lambda run: [run.onnx, run.card, run.check, *run.c_files, *run.variants.values(), *run.triton_files],
    }
    needs = (*stage.needs, "train") if stage.name == "evaluate" else stage.needs
    work = _work(stage.name, prediction.__name__)
    return replace(stage, work=work, outputs=outputs.get(stage.name, stage.outputs), needs=needs)


def stages_of(config: RunConfig) -> dict[str, Stage]:
    """The stages of a run in order: without `simulate` on one's own data, without what 'null' leaves out."""
    absent = set() if config.simulate is not None else {"simulate"}
    absent |= {"train", "export"} if config.model is None else {"export"} if config.export is None else set()
    # an application needs the task's own truth simulation, of this run or of the one whose truth it uses
    own_data = config.data is not None and config.data.run is None
    if config.task not in APPLICATIONS or config.apply is None or config.model is None or own_data:
        absent.add("apply")
    stages = STAGES
    if config.predicts:
        absent.add("apply")
        stages = tuple(_of_predictors(stage) for stage in STAGES)
    kept = {stage.name: stage for stage in stages if stage.name not in absent}
    return {name: replace(stage, needs=tuple(n for n in stage.needs if n in kept)) for name, stage in kept.items()}


def find_stages(config: RunConfig, verb: str) -> list[Stage]:
    """The stages that `verb` does: all for `run`, `export` and `timing` for `export`, else the one of that name.

    Raises:
        FacsimError: the run has no such stage.
    """
    table = stages_of(config)
    names = {"run": tuple(table), "export": ("export", "timing")}.get(verb, (verb,))
    if names[0] not in table:
        key = "model" if config.model is None else verb
        why = "it is on your own data" if verb == "simulate" else f"its configuration says '{key}: null'"
        if verb == "apply" and config.task not in APPLICATIONS:
            why = f"the task '{config.task}' has no application"
        raise FacsimError(f"this run has nothing to {verb}: {why}.")
    return [table[name] for name in names]
