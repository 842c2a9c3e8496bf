"""What a sweep leaves: `sweep.json`, the picture `sweep.png` and the configuration `best.yaml`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from facsim.config import RunConfig, save_config
from facsim.config.sweep import TRAINING, Sweep
from facsim.core.errors import FacsimError
from facsim.core.store import atomic_path, read_json, write_json
from facsim.run import SURROGATE, Run

Json = dict[str, Any]
FORMAT = "facsim-sweep-1"


def objective_of(run: Run, sweep: Sweep) -> Json:
    """Value and error of the objective of a finished trial, and truth's own value where there is one.

    Raises:
        FacsimError: the scorecard has no such score, or no value of it.
    """
    if sweep.objective == TRAINING:
        rows = (run.model() / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        judged = [row for row in map(json.loads, rows) if row.get("value") is not None]
        if not judged:
            raise FacsimError(f"no score of the early stopping in '{run.dir}' is a finite number.")
        best = min(judged, key=lambda row: float(row["value"]))
        return {"value": best["value"], "score": f"{best['score']}, validation", "error": None, "null": None}
    scores = read_json(run.scores(SURROGATE))["scores"]
    found = [
        row
        for row in scores
        if row["name"] == sweep.objective
        and row["region"] == sweep.region
        and sweep.protocol in (None, row["protocol"])
        and row["value"] is not None
    ]
    if not found:
        known = sorted({row["name"] for row in scores if row["region"] == sweep.region and row["value"] is not None})
        raise FacsimError(
            f"the sweep's objective '{sweep.objective}' has no value in region '{sweep.region}'; "
            f"the scorecard has {known}."
        )
    return {"score": sweep.objective, **{key: found[0][key] for key in ("value", "error", "null", "protocol")}}


def summarise(out: Path, sweep: Sweep, trials: list[tuple[int, Json, float | None]]) -> Json:
    """Write `sweep.json` and `sweep.png` in `out`; return the content of the former.

    Raises:
        FacsimError: no trial worked.
    """
    rows = []
    for number, values, value in trials:
        folder = out / f"trial-{number:03d}"
        told = read_json(folder / "trial.json") if (folder / "trial.json").is_file() else {}
        rows.append({"number": number, "run": str(folder), **told, "parameters": values, "value": value})
    worked = [row for row in rows if row["value"] is not None]
    if not worked:
        why = next((row["failure"] for row in rows if "failure" in row), "none was done")
        raise FacsimError(f"none of the {len(rows)} trials in '{out}' worked; the first: {why}")
    sign = 1 if sweep.direction == "minimize" else -1
    best = min(worked, key=lambda row: sign * row["value"])
    found = {
        "format": FORMAT,
        "sweep": str(out),
        "objective": sweep.objective,
        "direction": sweep.direction,
        "parameters": sweep.model_dump(mode="json", exclude_unset=True)["parameters"],
        "trials": rows,
        "best": best["number"],
        "picture": str(out / "sweep.png"),
        "config": str(out / "best.yaml"),
    }
    write_json(out / "sweep.json", found)
    from facsim.report.sweep import sweep_picture  # noqa: PLC0415  matplotlib is heavy

    sweep_picture(found, out / "sweep.png")
    return found


def write_best(path: Path, config: RunConfig, sweep: Sweep, found: Json) -> None:
    """The best trial's configuration, on the truth that the sweep's configuration names, with the next seed.

    The best of many values is too good by chance; another seed divides, and simulates, anew.
    """
    number = found["best"]
    value = found["trials"][number]["value"]
    save_config(config.model_copy(update={"seed": config.seed + 1}), path)
    text = (
        f"# Trial {number} of {len(found['trials'])}: {sweep.objective} {value:.4g}, the best of the sweep and so too "
        "good by chance.\n# The seed is another one: scores of this run are those of other splits.\n"
    )
    with atomic_path(path) as temporary:
        temporary.write_text(text + path.read_text(encoding="utf-8"), encoding="utf-8")
