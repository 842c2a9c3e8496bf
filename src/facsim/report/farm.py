"""The picture of a farm: how fast its shards were made, what memory they took, and the histograms of all events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from facsim.core.store import atomic_path
from facsim.report.histograms import read_uhi, readable_factor
from facsim.report.style import INK, MUTED, facsim_style, log_axis, looks, new_figure

MOST = 6
"""Histograms that are drawn."""
COLUMNS = 3
COLOURS = [look.colour for look in looks({str(i): "surrogate" for i in range(7)}).values()]
LINE = COLOURS[0]


class Made(Protocol):
    """What is drawn of a finished shard."""

    @property
    def rows(self) -> int: ...
    @property
    def seconds(self) -> float: ...
    @property
    def peak_MB(self) -> float: ...
    @property
    def host(self) -> str: ...


def farm_picture(made: Sequence[Made], histograms: Sequence[Mapping[str, Any]], title: str, path: Path) -> None:
    """Write a PNG of the shards in order, and of merged `histograms` (`engines.merge.merge_histograms`)."""
    with facsim_style():
        figure = farm_figure(made, histograms, title)
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format="png", dpi=150, facecolor="white")


def farm_figure(made: Sequence[Made], histograms: Sequence[Mapping[str, Any]], title: str) -> Figure:
    """Rate and memory of each shard above, distributions of all events below."""
    shown = histograms[:MOST]
    rows = 1 + -(-len(shown) // COLUMNS)
    figure = new_figure(9.6, 0.5 + 2.3 * rows)
    height = 0.5 + 2.3 * rows
    grid = figure.add_gridspec(
        rows, 6, left=0.07, right=0.985, top=1 - 0.55 / height, bottom=0.5 / height, hspace=0.42, wspace=1.3
    )
    figure.text(0.07, 1 - 0.12 / height, title, fontsize=10, color=INK, va="top")
    rates = [shard.rows / max(shard.seconds, 1e-9) for shard in made]
    _by_shard(figure.add_subplot(grid[0, :3]), made, rates, "events/s of one worker")
    _by_shard(figure.add_subplot(grid[0, 3:]), made, [shard.peak_MB for shard in made], "peak memory [MB]")
    for i, item in enumerate(shown):
        column = 2 * (i % COLUMNS)
        _distribution(figure.add_subplot(grid[1 + i // COLUMNS, column : column + 2]), item)
    return figure


def _by_shard(axes: Axes, made: Sequence[Made], values: Sequence[float], label: str) -> None:
    hosts = list(dict.fromkeys(shard.host for shard in made))
    for number, host in enumerate(hosts):
        here = [i for i, shard in enumerate(made) if shard.host == host]
        name = host if len(hosts) <= len(COLOURS) else None
        colour = COLOURS[number % len(COLOURS)]
        axes.plot(here, [values[i] for i in here], "o", ms=3.5, color=colour, label=name)
    middle = float(np.median(values))
    axes.axhline(middle, color=MUTED, lw=0.8, ls="--")
    axes.annotate(
        f"median {middle:.4g}",
        (1, middle),
        (-8, 3),
        xycoords=axes.get_yaxis_transform(),
        textcoords="offset points",
        ha="right",
        color=MUTED,
        fontsize=8,
    )
    axes.set_ylim(0, 1.3 * max(values))
    axes.set_xlim(-0.5, len(made) - 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("shard")
    axes.set_ylabel(label)
    if 1 < len(hosts) <= len(COLOURS):
        axes.legend(loc="lower right")


def _distribution(axes: Axes, item: Mapping[str, Any]) -> None:
    histogram = read_uhi(item["uhi"])
    histogram = histogram.merged(readable_factor(histogram))
    values, errors = histogram.fractions()
    axes.stairs(values, histogram.edges, color=LINE, lw=1.4, baseline=None)
    axes.stairs(
        values + errors, histogram.edges, baseline=np.maximum(values - errors, 0), fill=True, color=LINE, alpha=0.25
    )
    if item["log"]:
        axes.set_xscale("log")
        log_axis(axes.xaxis, 5)
    axes.set_ylim(0, 1.15 * max(float(values.max()), 1e-12))
    unit = f" [{item['unit']}]" if item["unit"] else ""
    axes.set_xlabel(item["label"] + unit)
    axes.set_ylabel("fraction")
