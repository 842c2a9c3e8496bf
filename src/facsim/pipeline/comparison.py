"""The numbers of a comparison, `comparison.json`: scores, times and sizes of all runs on one truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from facsim.config import RunConfig
from facsim.core.errors import FacsimError
from facsim.evaluate.comparison import compare_scores, quickest
from facsim.evaluate.leaderboards.scored import place_scores, scored_board
from facsim.metrics.score import Score
from facsim.models.checkpoint import count_parameters, load_model
from facsim.pipeline.contenders import SHARED
from facsim.report.published import board_of
from facsim.report.rundata import RunData, Sample
from facsim.report.sections_speed import DEVICES
from facsim.report.timings import batches, find_timing, timing_rows
from facsim.run import Run
from facsim.train.settings import NO_MATTER

FORMAT = "facsim-comparison-1"
Json = dict[str, Any]


def summarise(merged: RunData, base: Run, runs: Mapping[str, Run], failed: Mapping[str, str]) -> Json:
    """The content of `comparison.json`.

    Args:
        merged: all runs, read as one. base: the run that holds the truth. runs: by name. failed: sentences by name.
    """
    judged = list(runs)
    cards = {sample.name: sample.scorecard for sample in merged.with_scores if sample.scorecard}
    surrogates = [sample for sample in merged.with_scores if sample.name in runs]
    return {
        "format": FORMAT,
        "truth": {"run": str(base.dir), "events": merged.data.get("events"), "sizes": merged.data.get("sizes")},
        "seed": next(iter(runs.values())).config.seed,
        "runs": {sample.name: _facts(runs[sample.name], merged, sample) for sample in surrogates},
        "baselines": [sample.name for sample in merged.with_scores if sample.kind == "baseline"],
        "scores": compare_scores(cards, judged),
        "times": _times(merged, judged),
        "geant4": merged.timing.get("geant4"),
        "hardware": merged.timing.get("hardware"),
        "published": _published(merged, surrogates, runs),
        "failed": dict(failed),
    }


def _facts(run: Run, merged: RunData, sample: Sample) -> Json:
    """What one surrogate is: its settings, size, and what training took."""
    training = [lines[-1] for name, lines in merged.training.items() if name.partition(", ")[0] == sample.name]
    weights = run.model() / "weights.safetensors"
    return {
        "dir": str(run.dir),
        "config": own_settings(run.config),
        "parameters": _parameters(run),
        "weights_MB": _megabytes(weights.stat().st_size) if weights.is_file() else None,
        "onnx_MB": _megabytes(run.onnx.stat().st_size) if run.onnx.is_file() else None,
        "training_s": sum(float(line.get("time_s", 0.0)) for line in training) if training else None,
    }


def own_settings(config: RunConfig) -> Json:
    """The settings in which compared runs may differ."""
    settings: Json = config.model_dump(mode="json", exclude={"task", "baselines", "report", "plugins", *SHARED})
    settings["train"] = {key: value for key, value in settings["train"].items() if key not in NO_MATTER}
    return settings


def _parameters(run: Run) -> int | None:
    try:
        return count_parameters(load_model(run.model()))
    except FacsimError:  # a directory that was read may hold scores alone
        return None


def _megabytes(size: int) -> float:
    return round(size / 1e6, 3)


def _times(merged: RunData, judged: list[str]) -> list[Json]:
    """One row a device and batch size, one thread: each sampler's time by its best engine, and the clearly fastest."""
    rows = []
    for device in DEVICES:
        for batch in batches(timing_rows(merged)):
            found = {s.name: row for s in merged.samples if (row := find_timing(merged, s, batch, device=device))}
            if found:
                kept = ("engine", "ms_per_shower", "low", "high")
                values = {name: {key: row.get(key) for key in kept} for name, row in found.items()}
                fastest = quickest({name: row for name, row in found.items() if name in judged})
                rows.append({"device": device, "batch": batch, "threads": 1, "values": values, "best": fastest})
    return rows


def _published(merged: RunData, surrogates: list[Sample], runs: Mapping[str, Run]) -> Json | None:
    """Where each surrogate stands on the leaderboard of this read-out and particle; None where there is none."""
    board = board_of(merged)
    if board is None:
        return None
    placed = {}
    for sample in surrogates:
        costs = {
            f"{DEVICES[device]}_b{batch}_ms": float(row["ms_per_shower"])
            for device in DEVICES
            for batch in (1, 100)
            if (row := find_timing(merged, sample, batch, device=device))
        }
        parameters = _parameters(runs[sample.name])
        costs |= {} if parameters is None else {"params": float(parameters)}
        scores = [Score.from_dict(row) for row in sample.scores]
        placed[sample.name] = place_scores(scored_board(board.name, costs), scores, costs)
    return {"board": board.name, "title": board.title, "caveat": board.caveat, "placed": placed}
