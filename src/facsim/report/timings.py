"""Looking up times per shower in the run's timing file."""

from __future__ import annotations

from collections.abc import Iterable

from facsim.report.rundata import Json, RunData, Sample

_ENGINES = ("onnxruntime", "onnx", "torch", "numpy")


def timing_rows(run: RunData) -> list[Json]:
    """All rows that hold a time."""
    return [row for row in run.timing.get("rows", []) if row.get("ms_per_shower") is not None]


def truth_ms(run: RunData) -> float | None:
    """Milliseconds per shower of the truth simulation on this machine, or None when it was not measured."""
    value = (run.timing.get("geant4") or {}).get("ms_per_shower")
    return None if value is None else float(value)


def sample_steps(run: RunData, sample: Sample) -> int | None:
    """Solver steps behind the scored showers, where the scorecard or the card says so."""
    for source in (sample.scorecard or {}, run.card):
        value = source.get("steps")
        if isinstance(value, int):
            return value
    return None


def find_timing(run: RunData, sample: Sample, batch: int, threads: int = 1, device: str = "cpu") -> Json | None:
    """The row for `sample` at this batch size and device: exported engine first, at the steps of the scored showers."""
    steps = sample_steps(run, sample)
    rows = [r for r in timing_rows(run) if r.get("name") == sample.name and r.get("batch") == batch]
    rows = [r for r in rows if r.get("threads", 1) == threads and r.get("device", "cpu") == device]
    if not rows:
        return None
    return min(rows, key=lambda row: (_other_steps(row, steps), _engine_rank(row)))


def _other_steps(row: Json, steps: int | None) -> bool:
    return steps is not None and row.get("steps") is not None and row["steps"] != steps


def _engine_rank(row: Json) -> int:
    engine = str(row.get("engine", "")).lower()
    return next((rank for rank, known in enumerate(_ENGINES) if engine.startswith(known)), len(_ENGINES))


def batches(rows: Iterable[Json]) -> list[int]:
    """Batch sizes that occur, ascending."""
    return sorted({int(row["batch"]) for row in rows if row.get("batch")})
