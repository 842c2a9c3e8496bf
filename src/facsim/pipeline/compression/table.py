"""The table of a run's compressed models: quality, time and size beside the original's."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from facsim.config.sections import ExportConfig
from facsim.core.errors import FacsimError
from facsim.core.events import EventSource
from facsim.core.sources import read_labels
from facsim.core.store import read_json, write_json
from facsim.evaluate.timing import hardware
from facsim.export.onnx import export_onnx
from facsim.models.checkpoint import count_parameters, load_model, save_model
from facsim.pipeline.compression.gate import Limits, compared
from facsim.pipeline.compression.present import Present
from facsim.pipeline.compression.record import FOLDER, Record, records
from facsim.pipeline.compression.times import Timed, times_of
from facsim.pipeline.preflight import ONNX_PACKAGES
from facsim.report.compression import compression_picture
from facsim.run import SURROGATE, Run
from facsim.stamps import fingerprint

Json = dict[str, Any]
FORMAT = "facsim-compression-1"
ORIGINAL = "original"


def write_table(
    present: Present,
    original: list[Json],
    names: list[str],
    allowed: Limits,
    splits: Mapping[str, EventSource],
) -> Json:
    """Write and return `compressed/table.json`, and draw `compressed/table.png`.

    Rows are the original and whatever was compressed, in this call or before, of the present weights, with the same
    seed and `smoke`, and judged in the same way; others are told. All are timed together, unless nothing changed since.
    """
    run, there = present.run, _fresh(present)
    graph = _original_graph(run)
    rows = [_original_row(run, original, names, graph), *(_row(one, original, names) for one in there)]
    path, cpu = run.compressed, hardware()
    made = [(one.label, one.content["made"]) for one in there]
    identity = fingerprint([present.smoke, run.config.seed, present.weights, graph is None, cpu, *made])
    before = read_json(path) if path.is_file() else {}
    if before.get("timed") == identity:
        times = {row["name"]: row["times"] for row in before["rows"]}
    else:
        with run.reporter.progress("timing, in turns") as advance:
            advance(0.0, "")
            cond = read_labels(splits["null"]).cond
            times = times_of(_timed(run, there, graph), ORIGINAL, cond, run.config.seed, present.smoke)
            advance(1.0, "")
    found = {
        "format": FORMAT,
        "run": run.dir.name,
        "task": run.config.task,
        "model": run.config.surrogate.name,
        "seed": run.config.seed,
        "smoke": present.smoke,
        "events": len(splits["null"]),
        "hardware": cpu,
        "limits": allowed.to_dict(),
        "watched": names,
        "timed": identity,
        "rows": [{**row, "times": times[row["name"]]} for row in rows],
    }
    write_json(path, found)
    picture = path.with_suffix(".png")
    compression_picture(found, picture)
    return {**found, "table": str(path), "picture": str(picture)}


def _fresh(present: Present) -> list[Record]:
    """The records whose numbers can stand beside one another; of the others it is told why not."""
    found, left = list[Record](), dict[str, list[str]]()
    for one in records(present.run):
        if (why := present.outdated(one)) is None:
            found.append(one)
        else:
            left.setdefault(why, []).append(one.label)
    for why, labels in left.items():
        present.run.reporter.say(f"not in the table: {', '.join(labels)} ({why})", "dim")
    return found


def _timed(run: Run, there: list[Record], graph: Path | None) -> dict[str, Timed]:
    model = load_model(run.model())
    noise = {name: spec.distribution for name, spec in model.noise_spec(1).items()}
    found = {ORIGINAL: Timed(run.model(), graph, noise)}
    return found | {one.label: Timed(one.weights, one.graph, noise) for one in there}


def _original_graph(run: Run) -> Path | None:
    """The graph of the present weights, whether the run exports or not; None where there is none."""
    path = run.dir / FOLDER / "original.onnx"
    path.unlink(missing_ok=True)
    if any(find_spec(package) is None for package in ONNX_PACKAGES):
        return None
    try:
        export_onnx(load_model(run.model()), path, (run.config.export or ExportConfig()).opset)
    except FacsimError:
        return None
    return path


def _original_row(run: Run, scores: list[Json], names: list[str], graph: Path | None) -> Json:
    lean = run.dir / FOLDER / ".lean"
    model = load_model(run.model())
    save_model(model, run.config.surrogate.name, lean, lean=True)  # as a compressed one is kept
    size = _megabytes(lean / "weights.safetensors")
    for path in lean.iterdir():
        path.unlink()
    lean.rmdir()
    return {
        "name": ORIGINAL,
        "method": None,
        "options": {},
        "kept": True,
        "worse": [],
        "weights_MB": size,
        "graph_MB": _megabytes(graph),
        "numbers": count_parameters(model),
        "facts": {},
        "scores": compared(scores, scores, names),
    }


def _row(record: Record, original: list[Json], names: list[str]) -> Json:
    content = record.content
    scores = read_json(record.place.scores(SURROGATE))["scores"]
    weights = None if record.weights is None else record.weights / "weights.safetensors"
    return {
        "name": record.label,
        "method": content["method"],
        "options": content["options"],
        "kept": record.kept,
        "seed": content["seed"],
        "smoke": content["smoke"],
        "forced": content.get("forced", False),
        "worse": content.get("worse", []),
        "limits": content.get("limits"),
        "weights_MB": _megabytes(weights),
        "graph_MB": _megabytes(record.graph),
        "numbers": None if record.weights is None else count_parameters(load_model(record.weights)),
        "facts": content.get("facts", {}),
        "seconds": content.get("seconds"),
        "scores": compared(scores, original, names),
    }


def _megabytes(path: Path | None) -> float | None:
    return None if path is None or not path.is_file() else path.stat().st_size / 1e6
