"""The table and the figure of `tradeoff.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

Json = dict[str, Any]
AUCS = {"auc": ("auc_high", "all"), "worst": ("auc_high", "worst"), "cells": ("auc_cells", "all")}
"""Columns of quality: name and region of the score."""
COLOURS = {"truth": "black"}


def fastest(row: Json, batch: int) -> Json | None:
    """The quickest engine of a row at one batch size."""
    found = [one for one in row.get("times", []) if one["batch"] == batch]
    return min(found, key=lambda one: one["ms_per_shower"]) if found else None


def table(rows: Sequence[Json], batches: Sequence[int]) -> str:
    """The rows as Markdown."""
    heads = ["sampler", "AUC", "worst bin", "AUC, cells", "training, CPU s", "numbers", "MB"]
    heads += [f"µs at {batch}" for batch in batches] + ["engine"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for row in rows:
        cells = [row["label"], *(_auc(row["scores"][key]) for key in AUCS)]
        cells += [
            f"{row['training_s']:.0f}" if row.get("training_s") is not None else "",
            _count(row.get("parameters")),
        ]
        size = (
            row["MB"] if row.get("MB") is not None and "sparse" in row["label"] else row.get("onnx_MB", row.get("MB"))
        )
        cells.append(f"{size:.2f}" if size is not None else "")
        best = [fastest(row, batch) for batch in batches]
        cells += ["" if one is None else _micro(one["ms_per_shower"]) for one in best]
        cells.append("/".join(dict.fromkeys(one["engine"] for one in best if one)))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def sizes_table(rows: Sequence[Json]) -> str:
    """AUC against the number of training events."""
    lines = ["| sampler | training events | AUC | worst bin | training, CPU s |\n|---|---|---|---|---|"]
    for row in rows:
        scores = f"{_auc(row['scores']['auc'])} | {_auc(row['scores']['worst'])}"
        lines.append(f"| {row['label']} | {row['training_events']} | {scores} | {row['training_s']:.0f} |")
    return "\n".join(lines)


def _auc(score: Json | None) -> str:
    return "" if score is None or score["value"] is None else f"{score['value']:.3f} ± {score['error']:.3f}"


def _micro(ms: float) -> str:
    return f"{1000 * ms:.2g}" if ms < 0.01 else f"{1000 * ms:.0f}"


def _count(n: int | None) -> str:
    return "" if n is None else f"{n / 1e3:.0f} k" if n < 1e6 else f"{n / 1e6:.1f} M"


def picture(rows: Sequence[Json], batches: Sequence[int]) -> Figure:
    """AUC against time per event at the smallest and at the largest batch; sampler steps of one model are joined."""
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    families: dict[str, list[Json]] = {}
    for row in rows:
        families.setdefault(row["label"].partition(", ")[0], []).append(row)
    panels = figure.subplots(1, 2, sharey=True)
    for axes, batch in zip(panels, (batches[0], batches[-1]), strict=True):
        for k, (name, members) in enumerate(families.items()):
            _family(axes, name, [row for row in members if _place(row, batch)], batch, k)
        axes.axhline(0.5, color="0.8", lw=0.8, zorder=0)
        axes.set(xscale="log", xlabel=f"µs per event, batch {batch}, one thread")
        axes.xaxis.set_minor_formatter(NullFormatter())
    panels[0].set_ylabel("AUC of a classifier against truth (0.5: no difference)")
    handles = {
        label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="outside right upper", frameon=False)
    return figure


def _place(row: Json, batch: int) -> tuple[float, float, float] | None:
    at, auc = fastest(row, batch), row["scores"]["auc"]
    if at is None or auc is None or auc["value"] is None:
        return None
    return 1000 * at["ms_per_shower"], auc["value"], auc["error"] or 0.0


def _family(axes: Any, name: str, rows: Sequence[Json], batch: int, number: int) -> None:
    if not rows:
        return
    places = sorted((*(_place(row, batch) or (0.0, 0.0, 0.0)), row["label"].partition(", ")[2]) for row in rows)
    x, y, error, steps = zip(*places, strict=True)
    kind = rows[0]["kind"]
    colour = COLOURS.get(kind) or f"C{number % 10}"
    marker = {"truth": "*", "baseline": "s"}.get(kind, "o")
    line = ":" if all(note[:1].isdigit() for note in steps) else ""
    fill = "none" if kind == "baseline" else colour
    axes.errorbar(x, y, error, color=colour, fmt=marker, ls=line, ms=6, mfc=fill, label=name)
    for one_x, one_y, note in zip(x, y, steps, strict=True):
        axes.annotate(
            note.removesuffix(" steps").removesuffix(" step"),
            (one_x, one_y),
            (4, 4),
            textcoords="offset points",
            fontsize=7,
        )
