"""Scores drawn: how far each sample is from truth, score by score and bin by bin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from facsim.report.legends import LINE, legend_shape, text_width
from facsim.report.rundata import Json, Sample
from facsim.report.style import GRID, INK, NULL, Look, new_figure

SIZE = (4.3, 3.6)


def energy_bins_figure(samples: Sequence[Sample], looks: Mapping[str, Look], name: str = "auc_high") -> Figure | None:
    """A score against the condition that is binned, with truth against truth as a grey band; None without bins."""
    columns, lines = legend_shape([sample.label for sample in samples], 4.85, 5, handle=2.0)
    more = LINE * max(0, lines - 2)
    height = 3.6 + more
    figure = new_figure(5.6, height)
    axes = figure.add_axes((0.105, 0.486 / height, 0.875, 2.592 / height))
    drawn = False
    shift = np.linspace(-0.16, 0.16, max(len(samples), 2))
    for sample, offset in zip(samples, shift, strict=False):
        bins = sample.bins
        edges = np.asarray(bins.edges, dtype=np.float64)
        for k, (low, high) in enumerate(pairwise(edges)):
            row = sample.score(name, f"E{k + 1}")
            if row is None or row.get("value") is None:
                continue
            if not drawn or sample is samples[0]:
                _null_box(axes, low, high, row)
            look, at = looks[sample.name], np.sqrt(low * high) * (high / low) ** offset
            label = sample.label if k == 0 else None
            axes.errorbar(
                at, row["value"], row.get("error") or 0, fmt=look.marker, ms=5.5, color=look.colour, lw=1.3, label=label
            )
            axes.hlines(row["value"], low, high, color=look.colour, lw=0.8, alpha=0.55)
            drawn = True
    if not drawn:
        return None
    axes.set_xscale("log")
    axes.set_xticks([], minor=True)
    axes.set_xticks(edges, [f"{edge:.3g}" for edge in edges])
    axes.set_xlim(edges[0] * 0.94, edges[-1] * 1.06)
    axes.set_ylabel("AUC, high-level observables" if name == "auc_high" else name)
    axes.set_xlabel(bins.label)
    axes.set_ylim(*_auc_limits(axes))
    axes.grid(axis="y", color=GRID, lw=0.5)
    figure.legend(loc="upper left", bbox_to_anchor=(0.09, 1.0), ncols=columns, handletextpad=0.2)
    return figure


def _null_box(axes: Axes, low: float, high: float, row: Json) -> None:
    if row.get("null") is None:
        return
    error = row.get("null_error") or 0.0
    axes.fill_between([low, high], row["null"] - error, row["null"] + error, color=NULL, alpha=0.3, lw=0)
    axes.hlines(row["null"], low, high, color=NULL, lw=1.0)


def _auc_limits(axes: Axes) -> tuple[float, float]:
    low, high = axes.get_ylim()
    return min(low, 0.47), max(min(high, 1.04), 0.6)


def distance_figure(
    rows: Sequence[tuple[str, Mapping[str, Json]]], samples: Sequence[Sample], looks: Mapping[str, Look]
) -> Figure:
    """How many standard errors each score lies from truth against truth, all samples, one line a score.

    Args:
        rows: label of a score and its JSON rows by sample name.
    """
    columns, lines = legend_shape([sample.label for sample in samples], 8.0, 6, handle=2.0)
    more = LINE * (lines - 1)
    height = 0.25 * len(rows) + 0.9 + more
    figure = new_figure(11.0, height)
    axes = figure.add_axes((0.245, 0.45 / height, 0.74, 1 - (0.8 + more) / height))
    axes.axvspan(-2, 2, color=NULL, alpha=0.22, lw=0)
    axes.axvline(0, color=INK, lw=0.8)
    offsets = np.linspace(0.22, -0.22, max(len(samples), 2))
    for sample, offset in zip(samples, offsets, strict=False):
        look = looks[sample.name]
        points = [
            (row["z"], y + offset, row.get("status", "ok") in ("ok", "failed"))
            for y, (_, found) in enumerate(reversed(rows))
            if (row := found.get(sample.name)) is not None and row.get("z") is not None
        ]
        for solid in (True, False):
            chosen = [(x, y) for x, y, ok in points if ok is solid]
            if chosen:
                x, y = np.array(chosen).T
                face = look.colour if solid else "none"
                axes.scatter(x, y, s=24, marker=look.marker, facecolors=face, edgecolors=look.colour, lw=1.0, zorder=3)
        axes.scatter([], [], s=24, marker=look.marker, color=look.colour, label=sample.label)
    axes.set_xscale("symlog", linthresh=2.0, linscale=0.7)
    axes.xaxis.set_minor_locator(NullLocator())
    biggest = max((abs(r["z"]) for _, f in rows for r in f.values() if r.get("z") is not None), default=10.0)
    ticks = [
        t for t in (-1000, -100, -10, -2, 0, 2, 10, 100, 1000, 10000) if -abs(_lowest(rows)) - 3 <= t <= 3 * biggest
    ]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.set_xlim(min(1.6 * _lowest(rows), -3.0), max(1.6 * biggest, 3.0))
    axes.set_yticks(range(len(rows)), [label for label, _ in reversed(rows)])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlabel("z: standard errors away from truth against truth")
    axes.grid(axis="y", color=GRID, lw=0.5)
    figure.legend(loc="upper right", bbox_to_anchor=(0.99, 1.0), ncols=columns, handletextpad=0.1)
    return figure


def _lowest(rows: Sequence[tuple[str, Mapping[str, Json]]]) -> float:
    return min((r["z"] for _, f in rows for r in f.values() if r.get("z") is not None), default=-2.0)


def memorisation_figure(samples: Sequence[Sample], looks: Mapping[str, Look]) -> Figure | None:
    """Nearness to the training sample, and the share of copies where it was measured; None without the check."""
    parts = [
        ("memorisation", "distance to the nearest\ntraining event, relative to truth"),
        ("memorisation/copies", "share of copies\nof training events"),
    ]
    drawn = [(name, label) for name, label in parts if any(_measured(sample, name) for sample in samples)]
    shown = [sample for sample in samples if any(_measured(sample, name) for name, _ in drawn)]
    if not drawn:
        return None
    height = 0.4 * len(shown) + 1.35
    left = (max(text_width(sample.label, 8.5) for sample in shown) / 72 + 0.2) / 5.6
    figure = new_figure(5.6, height)
    grid = figure.add_gridspec(
        1, len(drawn), left=max(0.2, left), right=0.97, bottom=0.68 / height, top=1 - 0.12 / height, wspace=0.1
    )
    for column, (name, label) in enumerate(drawn):
        axes = figure.add_subplot(grid[column])
        _memory_panel(axes, shown, looks, name)
        axes.set_yticks(range(len(shown)), [sample.label if column == 0 else "" for sample in reversed(shown)])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(-0.6, len(shown) - 0.4)
        axes.set_xlabel(label, loc="center")
        axes.grid(axis="x", color=GRID, lw=0.5)
    return figure


def _measured(sample: Sample, name: str) -> bool:
    return (sample.score(name) or {}).get("value") is not None


def _memory_panel(axes: Axes, samples: Sequence[Sample], looks: Mapping[str, Look], name: str) -> None:
    """One number of the memorisation check, a line a sample, with truth's own value."""
    truth = next((row for sample in samples if (row := sample.score(name)) and row.get("null") is not None), None)
    if truth:
        error = truth.get("null_error") or 0.0
        axes.axvspan(truth["null"] - 2 * error, truth["null"] + 2 * error, color=NULL, alpha=0.28, lw=0)
        axes.axvline(truth["null"], color=INK, lw=0.8)
    for y, sample in enumerate(reversed(samples)):
        row, look = sample.score(name), looks[sample.name]
        if row is None or row.get("value") is None:
            continue
        axes.errorbar(row["value"], y, xerr=row.get("error") or 0, fmt=look.marker, ms=7, color=look.colour, capsize=2)
    axes.margins(x=0.1)
