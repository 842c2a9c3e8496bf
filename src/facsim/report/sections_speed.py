"""The section on time: quality against time, and every measured time."""

from __future__ import annotations

from matplotlib.figure import SubFigure

from facsim.report.blocks import Block, Cell, Gallery, Note, Picture, Section, Table
from facsim.report.figures_time import CostPoint, quality_cost_figure
from facsim.report.published import published_points
from facsim.report.render import to_svg
from facsim.report.rundata import Json, RunData, Sample
from facsim.report.style import AnyFigure
from facsim.report.text import DASH, TIMES, capital, count, duration, listing, significant, times
from facsim.report.timings import batches, find_timing, timing_rows, truth_ms

SCORE = "auc_high"
SEES = {SCORE: "high-level observables", "auc_cells": "cells"}
"""AUC to what its classifier sees."""
DEVICES = {"cpu": "cpu", "cuda": "gpu"}
"""torch's name of a device, and that of the leaderboards."""


def speed_section(run: RunData) -> Section | None:
    """Quality against time for batch 100 and 1, and the timing table."""
    rows = timing_rows(run)
    pictures = quality_pictures(run)
    blocks: list[Block] = []
    if pictures:
        blocks.append(Gallery(pictures, 2))
    if rows:
        blocks.append(timing_table(run, rows))
        notes = [capital(str(note).rstrip(".")) for note in run.timing.get("notes", [])]
        blocks += [Note(f"{'. '.join(notes)}.", "small")] if notes else []
    if run.check:
        blocks.append(_check_note(run))
    if not blocks:
        return None
    hardware = run.timing.get("hardware") or {}
    cpu = hardware.get("cpu")
    lead = "Measured by facsim itself, transforms included, warm-up left out"
    lead += f", on {cpu}" if cpu else ""
    lead += f" and {hardware['gpu']}." if hardware.get("gpu") else "."
    return Section("speed", "Quality against time", lead, blocks)


def quality_pictures(run: RunData) -> list[Picture]:
    """Quality against time for batch 100 and 1, on a GPU too where that was timed."""
    places = [(device, batch) for device in ("cpu", "cuda") for batch in (100, 1)]
    return [picture for device, batch in places if (picture := quality_picture(run, batch, device))]


def quality_figure(
    run: RunData, batch: int, place: SubFigure | None = None, device: str = "cpu", score: str = SCORE
) -> AnyFigure | None:
    """Quality against time at one batch size, in `place` or a new figure; None without scores and times."""
    points = _own_points(run, batch, device, score)
    if not points:
        return None
    every = [*points, *_published(run, batch, device, score)]
    curve = _steps_curve(run, batch) if (device, score) == ("cpu", SCORE) else []
    axes = (
        f"ms per {run.event}, {'one CPU thread' if device == 'cpu' else 'GPU'}, batch {batch}",
        f"AUC, {SEES[score]}",
    )
    return quality_cost_figure(
        every, curve, run.looks, null_auc(run, score), truth_ms(run), axes, run.truth_name, place
    )


def _own_points(run: RunData, batch: int, device: str, score: str) -> list[CostPoint]:
    """Samples of the run that have both a score and a time."""
    timed = ((sample, find_timing(run, sample, batch, device=device)) for sample in run.with_scores)
    points = (cost_point(sample, float(row["ms_per_shower"]), score) for sample, row in timed if row)
    return [point for point in points if point]


def _published(run: RunData, batch: int, device: str, score: str) -> list[CostPoint]:
    """Published models at this batch size, where there are any."""
    return published_points(run, f"{DEVICES[device]}_b{batch}_ms", "auc_high" if score == SCORE else "auc_low")


def cost_point(sample: Sample, cost: float, score: str = SCORE) -> CostPoint | None:
    """The AUC of `sample` at that cost; None where it has none."""
    row = sample.score(score)
    if row is None or row.get("value") is None:
        return None
    return CostPoint(sample.name, sample.label, sample.kind, cost, float(row["value"]), float(row.get("error") or 0))


def quality_picture(run: RunData, batch: int, device: str = "cpu", score: str = SCORE) -> Picture | None:
    """`quality_figure` with its caption; None without scores and times."""
    figure = quality_figure(run, batch, device=device, score=score)
    if figure is None:
        return None
    points = _own_points(run, batch, device, score)
    own = ", ".join(f"{p.label} {significant(p.auc)} at {duration(p.cost)}" for p in points)
    caption = f"AUC of the classifier on {SEES[score]} against time per {run.event}; lower left is better."
    caption += f" Here: {own}."
    slow = truth_ms(run)
    if slow:
        caption += f" The dashed line is {run.truth_name} itself, {duration(slow)} per {run.event} on the same machine."
    if (device, score) == ("cpu", SCORE) and _steps_curve(run, batch):
        caption += " Connected points are one surrogate with different numbers of solver steps."
    published = _published(run, batch, device, score)
    if published:
        caption += (
            f" Grey: the {len(published)} published CaloChallenge models on this read-out. They were trained and "
            "judged on the challenge's own showers, at other energies, by another classifier training, and timed on "
            "other hardware: context, not a ranking."
        )
    title = f"Quality{'' if score == SCORE else f' ({SEES[score]})'} against time, "
    title += f"one {run.event} at a time" if batch == 1 else f"{batch} {run.noun} at a time"
    title += "" if device == "cpu" else ", on a GPU"
    return Picture(to_svg(figure, f"time-{device}-{batch}-{score}", title), title, caption)


def null_auc(run: RunData, score: str = SCORE) -> tuple[float, float] | None:
    """AUC of truth against truth and its error."""
    rows = (sample.score(score) for sample in run.with_scores)
    row = next((row for row in rows if row and row.get("null") is not None), None)
    return None if row is None else (float(row["null"]), float(row.get("null_error") or 0))


def _steps_curve(run: RunData, batch: int) -> list[CostPoint]:
    """Quality and time of each surrogate at other numbers of solver steps."""
    surrogates = [sample.name for sample in run.surrogates]
    points = []
    for row in run.steps.get("rows", []):
        timed, name = int(row.get("batch", 100)), str(row.get("name", next(iter(surrogates), "")))
        known = name in surrogates and row.get("auc_high") is not None and row.get("ms_per_shower") is not None
        if timed == batch and known:
            steps = int(row["steps"])
            label = f"{steps} step{'s' if steps > 1 else ''}"
            error = float(row.get("auc_error") or 0)
            points.append(CostPoint(name, label, "curve", float(row["ms_per_shower"]), float(row["auc_high"]), error))
    return points


def timing_table(run: RunData, rows: list[Json]) -> Table:
    """Every measured time, with the speed-up over truth."""
    sizes, slow = batches(rows), truth_ms(run)
    labels = {sample.name: sample.label for sample in run.samples}
    grouped: dict[tuple[str, str, int | None, str], dict[int, Json]] = {}
    for row in rows:
        key = (str(row.get("name")), str(row.get("engine", "")), row.get("steps"), _where(row))
        grouped.setdefault(key, {})[int(row["batch"])] = row
    lines = []
    if slow is not None:
        events = (run.timing.get("geant4") or {}).get("n")
        note = f"{events} {run.noun}, one thread" if events else "one thread"
        lines.append([Cell(run.truth_name, note), Cell(duration(slow)), *(Cell("") for _ in [*sizes[1:], 0, 0])])
    for (name, engine, steps, where), found in grouped.items():
        small = [engine] if engine else []
        small += [f"{steps} step{'s' if steps > 1 else ''}"] if steps else []
        small.append(where)
        some = next(iter(found.values()))
        memory = max((float(r["peak_rss_MB"]) for r in found.values() if r.get("peak_rss_MB")), default=None)
        parameters = some.get("parameters")
        lines.append(
            [
                Cell(labels.get(name, name), ", ".join(small)),
                *(_time_cell(found.get(size), slow) for size in sizes),
                Cell(count(parameters) if parameters else DASH),
                Cell(f"{count(memory)} MB" if memory else DASH),
            ]
        )
    columns = ["", *(f"batch {size}" for size in sizes), "parameters", "peak memory"]
    caption = (
        f"Median time per {run.event}; small print is the speed-up over {run.truth_name} on the same machine. "
        "The range of the repeats shows when the pointer rests on a time. Peak memory is that of the whole process."
    )
    return Table(columns, [("", lines)], f"Time per {run.event}", caption)


def _where(row: Json) -> str:
    """`one thread`, `8 threads` or `GPU`."""
    if row.get("device", "cpu") != "cpu":
        return "GPU"
    threads = int(row.get("threads", 1))
    return "one thread" if threads == 1 else f"{threads} threads"


def _time_cell(row: Json | None, slow: float | None) -> Cell:
    if row is None:
        return Cell(DASH)
    ms = float(row["ms_per_shower"])
    low, high = row.get("low"), row.get("high")
    hint = ""
    if low is not None and high is not None:
        hint = f"{duration(float(low))} to {duration(float(high))} in {row.get('repeats', 'several')} repeats"
    return Cell(duration(ms), small=f"{TIMES}{times(slow / ms)}" if slow and ms > 0 else "", hint=hint)


def _check_note(run: RunData) -> Note:
    passed, tested = run.check.get("passed"), run.check.get("batches") or []
    text = "Export: the ONNX graph was compared with torch"
    if tested:
        text += f" at batch {listing(str(row.get('batch')) for row in tested)}"
    if passed is not None:
        text += " and agrees" if passed else " and does not agree"
    largest = [row["max_relative_difference_of_cells"] for row in tested if "max_relative_difference_of_cells" in row]
    if largest:
        text += f"; the largest relative difference of a cell is {significant(max(largest), 2)}"
    return Note(f"{text}.", "plain" if passed in (True, None) else "warning")
