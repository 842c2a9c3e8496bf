"""The lifecycle: its stages in order, and what each depends on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from facsim.config import RunConfig
from facsim.pipeline.evaluate import evaluate
from facsim.pipeline.export import export
from facsim.pipeline.prepare import prepare
from facsim.pipeline.report import report
from facsim.pipeline.sample import sample
from facsim.pipeline.simulate import simulate
from facsim.pipeline.stage import Done, Stage, check_upstream, run_stage
from facsim.pipeline.timing import timing
from facsim.pipeline.train import train
from facsim.pipeline.truth import truth_files
from facsim.run import Run

__all__ = ["LIFECYCLE", "STAGES", "Done", "Stage", "check_upstream", "run_stage"]


def _simulate_settings(config: RunConfig) -> Any:
    if config.simulate is None:
        return None
    return {"seed": config.seed, **config.simulate.model_dump(mode="json", exclude={"workers", "chunk"})}


def _section(*names: str) -> Any:
    return lambda config: config.model_dump(mode="json", include={"seed", *names})


def _own_files(run: Run) -> list[Path]:
    if run.config.data is None:
        return []
    further = [Path(name) for name in (run.config.data.mapping, run.config.data.geometry) if name]
    return [*truth_files(run), *(path for path in further if path.is_file())]


def _sample_files(run: Run) -> list[Path]:
    return [*map(run.samples, run.names), *map(run.step_samples, run.steps)]


def _score_files(run: Run) -> list[Path]:
    return [*map(run.scores, run.names), *map(run.hists, run.names)]


STAGES: dict[str, Stage] = {
    "simulate": Stage(
        "simulate", simulate, _simulate_settings, lambda run: [run.truth] if run.config.simulate is not None else []
    ),
    "prepare": Stage(
        "prepare", prepare, _section("prepare", "data"), lambda run: [run.data], ("simulate",), _own_files
    ),
    "train": Stage(
        "train", train, _section("model", "train"), lambda run: [run.model() / "weights.safetensors"], ("prepare",)
    ),
    "sample": Stage("sample", sample, _section("sample", "baselines"), _sample_files, ("prepare", "train")),
    "evaluate": Stage("evaluate", evaluate, _section("evaluate", "baselines"), _score_files, ("prepare", "sample")),
    "export": Stage(
        "export",
        export,
        _section("export"),
        lambda run: [run.onnx, run.dir / "card.json", run.dir / "check.json"],
        ("train", "evaluate"),
    ),
    "timing": Stage("timing", timing, _section("timing", "baselines"), lambda run: [run.timing], ("prepare", "export")),
    "report": Stage(
        "report", report, _section("report"), lambda run: [run.report], ("evaluate", "export", "timing"), partial=True
    ),
}
LIFECYCLE = tuple(STAGES)
