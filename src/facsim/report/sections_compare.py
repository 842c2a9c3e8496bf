"""The sections that only a comparison has: cost, published models, and what the runs are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from facsim.evaluate.leaderboards import Point, find_board
from facsim.report.blocks import Block, Cell, Gallery, Note, Picture, Section, Table
from facsim.report.figures_leaderboard import pareto_figure
from facsim.report.figures_time import quality_cost_figure
from facsim.report.headline_compare import time_row
from facsim.report.published import published_points
from facsim.report.render import to_svg
from facsim.report.rundata import Json, RunData
from facsim.report.sections_run import training_section
from facsim.report.sections_speed import (
    SCORE,
    SEES,
    cost_point,
    null_auc,
    quality_picture,
    quality_pictures,
    timing_table,
)
from facsim.report.text import DASH, NARROW, TIMES, capital, count, duration, listing, significant, times
from facsim.report.timings import timing_rows, truth_ms

PLACES = (("cpu", 1), ("cpu", 100), ("cuda", 1), ("cuda", 100))
QUALITIES = ("fpd_e3", "kpd_e3")
COSTS = ("cpu_b100_ms", "cpu_b1_ms", "gpu_b100_ms", "params")


def costs_section(run: RunData, content: Json) -> Section | None:
    """Quality against time and size, and what each run costs."""
    found = [*quality_pictures(run), quality_picture(run, 100, score="auc_cells"), _size_picture(run, content)]
    pictures = [picture for picture in found if picture]
    blocks: list[Block] = [Gallery(pictures, 2)] if pictures else []
    blocks.append(_costs_table(run, content))
    rows = timing_rows(run)
    if rows:
        blocks.append(replace(timing_table(run, rows), folded=True, title="Every measured time"))
        notes = [capital(str(note).rstrip(".")) for note in run.timing.get("notes", [])]
        blocks += [Note(f"{'. '.join(notes)}.", "small")] if notes else []
    hardware = run.timing.get("hardware") or {}
    devices = " and ".join(str(hardware[key]) for key in ("cpu", "gpu") if hardware.get(key))
    lead = f"Measured by facsim itself, transforms included, warm-up left out{f', on {devices}' if devices else ''}."
    return Section("costs", "Quality against cost", lead, blocks)


def _size_picture(run: RunData, content: Json) -> Picture | None:
    """AUC against the number of parameters."""
    sizes = {name: facts["parameters"] for name, facts in content["runs"].items() if facts["parameters"]}
    points = [point for s in run.surrogates if s.name in sizes and (point := cost_point(s, float(sizes[s.name])))]
    if not points:
        return None
    published = published_points(run, "params")
    figure = quality_cost_figure(
        [*points, *published], [], run.looks, null_auc(run), None, ("parameters", f"AUC, {SEES[SCORE]}")
    )
    told = ", ".join(f"{p.label} {significant(p.auc)} with {count(p.cost)}" for p in points)
    caption = f"AUC of the classifier on high-level observables against the number of trained parameters. Here: {told}."
    if published:
        caption += f" Grey: the {len(published)} published models, with the reservations named beside the times."
    title = "Quality against size"
    return Picture(to_svg(figure, "size", title), title, caption)


def _costs_table(run: RunData, content: Json) -> Table:
    """Size, training and sampling time of each run, and the time of the baselines."""
    timed = [(device, batch) for device, batch in PLACES if time_row(content, batch, device)["values"]]
    slow = truth_ms(run)
    lines = []
    for sample in run.with_scores:
        facts = content["runs"].get(sample.name, {})
        cells = [_time_cell(time_row(content, batch, device), sample.name, slow) for device, batch in timed]
        lines.append([Cell(sample.label, "" if facts else "baseline"), *_size_cells(facts), *cells])
    where = {"cpu": "one CPU thread", "cuda": "GPU"}
    columns = ["", "parameters", "weights", "training", *(f"batch {batch}, {where[dev]}" for dev, batch in timed)]
    caption = (
        f"Small print is the speed-up over {run.truth_name} on the same machine. ★: even the slow calls of this "
        "surrogate are faster than the fast calls of the others (ranges that hold 68 % of the calls)."
        if slow
        else ""
    )
    return Table(columns, [("", lines)], "What each costs", caption)


def _size_cells(facts: Json) -> list[Cell]:
    parameters, weights, seconds = (facts.get(key) for key in ("parameters", "weights_MB", "training_s"))
    return [
        Cell(count(parameters) if parameters else DASH),
        Cell(f"{significant(weights)} MB" if weights else DASH),
        Cell(_span(seconds) if seconds else DASH),
    ]


def _span(seconds: float) -> str:
    """A training time: `48 s`, `12 min` or `3.1 h`."""
    unit, size = next(((u, s) for u, s in (("h", 3600.0), ("min", 60.0)) if seconds > 2 * s), ("s", 1.0))
    return f"{significant(seconds / size, 2 if seconds / size < 10 else 3)}{NARROW}{unit}"


def _time_cell(row: Json, name: str, slow: float | None) -> Cell:
    found = row["values"].get(name)
    if found is None:
        return Cell(DASH)
    ms = float(found["ms_per_shower"])
    small = f"{TIMES}{times(slow / ms)}" if slow and ms > 0 else ""
    return Cell(duration(ms), small=small, hint=str(found.get("engine") or ""), best=row["best"] == name)


def published_section(run: RunData, content: Json) -> Section | None:
    """The surrogates among published models, in what compares."""
    published = content["published"]
    if not published:
        return None
    placed: Mapping[str, Json] = published["placed"]
    labels = {sample.name: sample.label for sample in run.surrogates}
    blocks: list[Block] = [Gallery(_fronts(published["board"], placed, labels), 2)]
    metrics = list(dict.fromkeys(row["metric"] for found in placed.values() for row in found["standings"]))
    lines = []
    for metric in metrics:
        rows = {name: row for name, found in placed.items() for row in found["standings"] if row["metric"] == metric}
        first = next(iter(rows.values()))
        told = find_board(published["board"]).metric(metric)
        label = Cell(f"{told.label} [{told.unit}]" if told.unit else told.label, small=first["protocol"])
        lines.append([label, *(_place_cell(rows.get(name)) for name in labels)])
    if lines:
        title = "Place among the published models"
        blocks.append(Table(["", *labels.values()], [("", lines)], title, "Value, and its place."))
    reasons: dict[str, dict[str, None]] = {}
    for row in (row for found in placed.values() for row in found["not_compared"]):
        reasons.setdefault(row["why"], {})[row["metric"]] = None
    known = find_board(published["board"]).metric
    for why, names in reasons.items():
        words = listing(known(name).label for name in names)
        blocks.append(Note(f"Not compared: {words}: {why.rstrip('.')}.", "small"))
    caveat = next(iter(placed.values()))["caveat"]
    return Section("published", "Among published models", f"{published['title']}. {caveat}", blocks)


def _fronts(board: str, placed: Mapping[str, Json], labels: Mapping[str, str]) -> list[Picture]:
    """Pictures of a quality that compares with the published ones against each cost."""
    known = find_board(board)
    values = {
        name: {row["metric"]: row for row in found["standings"]} for name, found in placed.items() if name in labels
    }
    quality = next((q for q in QUALITIES if any(q in rows for rows in values.values())), None)
    pictures = []
    for cost in COSTS if quality else ():
        assert quality is not None
        new = [
            Point(labels[name], rows[quality]["protocol"], rows[cost]["value"], rows[quality]["value"], new=True)
            for name, rows in values.items()
            if cost in rows and quality in rows
        ]
        if new:
            title = f"{known.metric(quality).label} against {known.metric(cost).label}"
            body = to_svg(pareto_figure(known, cost, quality, new), f"front-{cost}", title)
            pictures.append(Picture(body, title, "Diamonds are the surrogates of this comparison."))
    return pictures


def _place_cell(row: Json | None) -> Cell:
    if row is None:
        return Cell(DASH)
    return Cell(significant(row["value"]), small=f"{row['rank']} of {row['models'] + 1}")


def runs_section(run: RunData, content: Json) -> Section | None:
    """In what the runs differ, and how they were trained."""
    labels = {sample.name: sample.label for sample in run.surrogates}
    trees = {name: content["runs"][name]["config"] for name in labels if name in content["runs"]}
    blocks: list[Block] = [_settings_table(trees, labels)]
    training = training_section(run)
    galleries = [] if training is None else [block for block in training.blocks if isinstance(block, Gallery)]
    blocks += [replace(gallery, heading="Training of each run", folded=True) for gallery in galleries]
    where = "; ".join(f"{labels[name]}: {content['runs'][name]['dir']}" for name in trees)
    blocks.append(Note(f"Run directories, each with a page of its own: {where}.", "small"))
    return Section("runs", "Runs", "Settings in which the runs differ; all else is the same.", blocks)


def _settings_table(trees: Mapping[str, Json], labels: Mapping[str, str]) -> Table:
    flat = {name: dict(_leaves(tree)) for name, tree in trees.items()}
    keys = list(dict.fromkeys(key for leaves in flat.values() for key in leaves))
    differing = [key for key in keys if len({str(leaves.get(key, DASH)) for leaves in flat.values()}) > 1]
    lines = [[Cell(key), *(Cell(str(leaves.get(key, DASH))) for leaves in flat.values())] for key in differing]
    nothing = [[Cell("all settings"), *(Cell("the same") for _ in flat)]]
    return Table(["", *(labels[name] for name in flat)], [("", lines or nothing)], "Settings that differ")


def _leaves(tree: Any, path: str = "") -> list[tuple[str, Any]]:
    """`(a.b, value)` for every value that is no mapping."""
    if not isinstance(tree, Mapping):
        return [(path, tree)]
    return [leaf for key, value in tree.items() for leaf in _leaves(value, f"{path}.{key}" if path else str(key))]
