"""The table and the figure of `tradeoff.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

Json = dict[str, Any]
AUCS = {"auc": ("auc_high", "all"), "worst": ("auc_high", "worst"), "cells": ("auc_cells", "all")}
"""Columns of quality: name and region of the score."""
COLOURS = {"truth": "black", "baseline": "#7a7a7a", "model": "#0072b2"}


def fastest(row: Json, batch: int) -> Json | None:
    """The quickest engine of a row at one batch size."""
    found = [one for one in row.get("times", []) if one["batch"] == batch]
    return min(found, key=lambda one: one["ms_per_shower"]) if found else None


def table(rows: Sequence[Json], batches: Sequence[int]) -> str:
    """The rows as Markdown."""
    heads = ["sampler", "AUC", "worst bin", "AUC, cells", "training, CPU s", "numbers", "MB"]
    heads += [f"ms at {batch}" for batch in batches] + ["engine"]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for row in rows:
        cells = [row["label"], *(_auc(row["scores"][key]) for key in AUCS)]
        cells += [
            f"{row['training_s']:.0f}" if row.get("training_s") is not None else "",
            _count(row.get("parameters")),
        ]
        cells.append(f"{row['MB']:.2f}" if row.get("MB") is not None else "")
        best = [fastest(row, batch) for batch in batches]
        cells += ["" if one is None else f"{one['ms_per_shower']:.3g}" for one in best]
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


def _count(n: int | None) -> str:
    return "" if n is None else f"{n / 1e3:.0f} k" if n < 1e6 else f"{n / 1e6:.1f} M"


def picture(rows: Sequence[Json], batches: Sequence[int]) -> Figure:
    """AUC against time per event at the smallest and at the largest batch."""
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    for axes, batch in zip(figure.subplots(1, 2, sharey=True), (batches[0], batches[-1]), strict=True):
        for row in rows:
            at, auc = fastest(row, batch), row["scores"]["auc"]
            if at is None or auc is None or auc["value"] is None:
                continue
            axes.errorbar(at["ms_per_shower"], auc["value"], auc["error"], fmt="o", ms=5, color=COLOURS[row["kind"]])
            axes.annotate(
                row["label"], (at["ms_per_shower"], auc["value"]), (4, 3), textcoords="offset points", fontsize=7
            )
        axes.axhline(0.5, color="0.8", lw=0.8)
        axes.set(xscale="log", xlabel=f"ms per event, batch {batch}, one thread", ylim=(0.45, 1.02))
    figure.axes[0].set_ylabel("AUC of a classifier against truth (0.5: no difference)")
    return figure
