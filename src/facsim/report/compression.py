"""The picture of compressed models: quality against time, sizes as sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from facsim.core.store import atomic_path
from facsim.report.style import INK, MUTED, NULL, PAPER, facsim_style, log_axis, new_figure

Json = dict[str, Any]
COLOURS = {
    "fp16": NULL,
    "bf16": "#0072b2",
    "int8-dynamic": "#009e73",
    "int8-static": "#7a5195",
    "sparse": "#e69f00",
    "narrow": "#d55e00",
    "distil": "#cc79a7",
    "few-steps": MUTED,
    "distil-steps": "#56b4e9",
}
MARKERS = {"few-steps": "s", "distil-steps": "D"}
AREA = 90.0
"""Of the original's marker, points squared."""
MINIATURE = "in miniature: times are too short to conclude anything"
LABELS = {"auc_high": "AUC, high-level observables", "auc_cells": "AUC, cells", "fpd": "FPD"}


def fate(row: Json, limits: Json) -> str:
    """What became of a model, in words: empty where it is kept by the `limits` of the table."""
    what = "refused" if not row["kept"] else "forced" if row["worse"] else ""
    own = row.get("limits") or limits
    if own == limits:
        return what
    within = "any loss" if own["within"] is None else f"{own['within']:g} sigma"
    asked = "".join(f", {name} {value:g}" for name, value in own["at_least"].items())
    return f"{what or 'kept'} where {within}{asked} was allowed"


def sigmas(sigma: float) -> str:
    """By how many sigma a score is worse, `+inf` where nothing measures it (`gate.NO_SCORE`)."""
    return f"{sigma:+.1f}" if sigma < 1e6 else "+inf"


def compression_picture(found: Json, path: Path) -> None:
    """Write the picture as a PNG; `found` as in `compressed/table.json`."""
    with facsim_style():
        figure = compression_figure(found)
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format="png", dpi=150, facecolor="white")


def compression_figure(found: Json) -> Figure:
    """The first watched score against time, a panel for each batch size; area is the size on disk.

    Refused models are hollow; the band is the original's error, the dotted line truth against truth.
    """
    rows, score = found["rows"], next(iter(found["watched"]), None)
    batches = list(rows[0]["times"])
    beside = 0.6 + 0.06 * max(len(_name(row)) for row in rows)  # inches, for the legend
    figure = new_figure(4.3 * len(batches) + beside, 3.6)
    panels = figure.subplots(1, len(batches), sharey=True, squeeze=False)[0]
    figure.subplots_adjust(
        0.6 / figure.get_figwidth(), 0.16, 1 - (beside + 0.1) / figure.get_figwidth(), 0.94, wspace=0.08
    )
    for axes, batch in zip(panels, batches, strict=True):
        if score is not None:
            _panel(axes, rows, score, batch)
        axes.set_xscale("log")
        log_axis(axes.xaxis)
        low, high = axes.get_xlim()
        if high < 20 * low:  # else decades are enough
            axes.xaxis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_xlabel(f"ms per event, one thread, batch {batch}")
    if score is not None:
        panels[0].set_ylabel(LABELS.get(score, score))
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="center left", bbox_to_anchor=(1 - (beside + 0.05) / figure.get_figwidth(), 0.55)
        )
    if found.get("smoke"):
        figure.text(0.995, 0.985, MINIATURE, ha="right", va="top", color=MUTED, fontsize="small")
    return figure


def _panel(axes: Axes, rows: list[Json], score: str, batch: str) -> None:
    size = _size(rows[0])
    for row in rows:
        known, time = row["scores"].get(score), row["times"][batch]
        if known is None or known["value"] is None or not np.isfinite(known["value"]):
            continue
        colour = INK if row["method"] is None else COLOURS.get(row["method"], MUTED)
        error = float(np.nan_to_num(known["error"] or 0.0))
        span = [[time["ms"] - time["low"]], [time["high"] - time["ms"]]]
        axes.errorbar(time["ms"], known["value"], error, span, color=colour, fmt="none", lw=0.9, alpha=0.7)
        area = AREA * _size(row) / size if size else AREA
        face = colour if row["kept"] else PAPER
        look: Json = {
            "s": max(area, 6.0),
            "facecolor": face,
            "edgecolor": colour,
            "marker": MARKERS.get(row["method"], "o"),
            "label": _name(row),
        }
        axes.scatter(time["ms"], known["value"], zorder=3, **look)
        if row["method"] is None:
            axes.axhspan(known["value"] - error, known["value"] + error, color=INK, alpha=0.08, lw=0)
            if known["null"] is not None:
                axes.axhline(known["null"], color=NULL, lw=1, ls=":", zorder=0)
    axes.margins(0.1)


def _size(row: Json) -> float:
    """MB of the graph, of the weights where there is none."""
    return float(np.nan_to_num(row["graph_MB"] or row["weights_MB"] or 0.0))


def _name(row: Json) -> str:
    return str(row["name"]) if row["kept"] else f"{row['name']} (refused)"
