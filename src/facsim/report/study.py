"""The picture of a study of metrics: how many standard deviations each metric is away from truth against truth."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure

from facsim.core.store import atomic_path
from facsim.report.style import ENERGY, INK, MUTED, PAPER, facsim_style, new_figure

BRIGHTEST = 1000.0
DARK = 15.0
LABEL_WIDTH = 14  # characters


def study_picture(found: dict[str, Any], path: Path) -> None:
    """Write the table of significances as a PNG; `found` as from `evaluate.study`."""
    with facsim_style():
        figure = study_figure(found)
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format="png", dpi=150, facecolor="white")


def study_figure(found: dict[str, Any]) -> Figure:
    """One row a metric, one column an alternative; the published significance below, where there is one."""
    metrics = list(dict.fromkeys(row["metric"] for row in found["rows"]))
    names = found["alternatives"]
    cells = {(row["metric"], row["alternative"]): row for row in found["rows"]}
    values = np.array([[cells[metric, name]["significance"] or 0.0 for name in names] for metric in metrics])
    width, height = 1.2 + 1.35 * len(names), 1.1 + 0.46 * len(metrics)
    figure = new_figure(width, height)
    axes = figure.add_axes((1.0 / width, 0.1 / height, 1 - 1.1 / width, 1 - 1.1 / height))
    axes.imshow(values, cmap=ENERGY, norm=SymLogNorm(3.0, vmin=0, vmax=BRIGHTEST), aspect="auto")
    for y, metric in enumerate(metrics):
        for x, name in enumerate(names):
            ink = PAPER if values[y, x] > DARK else INK
            paper = _paper(cells[metric, name])
            shift = -0.14 if paper else 0.0
            own = "-" if cells[metric, name]["significance"] is None else _short(values[y, x])
            axes.text(x, y + shift, own, ha="center", va="center", color=ink, fontsize=9)
            axes.text(x, y + 0.24, paper, ha="center", va="center", color=ink, fontsize=6)
    axes.set_xticks(range(len(names)), [fill(name, LABEL_WIDTH) for name in names], fontsize=8)
    axes.set_yticks(range(len(metrics)), metrics, fontsize=9)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    title = f"{found['title']}: {found['events']} events, {found['repeats']} repeats, seed {found['seed']}"
    figure.text(0.01, 1 - 0.1 / height, title, fontsize=10, color=INK, va="top")
    note = "standard deviations between the metric and its value for truth against truth"
    figure.text(0.01, 1 - 0.3 / height, note, fontsize=8, color=MUTED, va="top")
    return figure


def _paper(row: dict[str, Any]) -> str:
    """What is published: a significance, or a value beside ours."""
    if row["published_value"] is not None:
        return f"{row['value']:.2f}, paper {row['published_value']:.2f}"
    return "" if row["published"] is None else f"paper {_short(row['published'])}"


def _short(value: float) -> str:
    if value < 10:
        return f"{value:.1f}"
    return f"{value:.0f}" if value < 10_000 else f"{value / 1000:.0f}k"
