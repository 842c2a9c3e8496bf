"""What a cut on an anomaly score does besides: stability against pile-up, sculpted spectators, drift between runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from facsim.metrics.drift import RunDrift
from facsim.metrics.sculpting import Sculpting
from facsim.metrics.stability import Stability
from facsim.report.style import GRID, INK, MUTED, new_figure

BLUE, RED = "#0072b2", "#d55e00"
SIZE = (4.3, 3.4)
RUN_NAMES = 16
"""Runs up to which each is named; of more, some are."""


def stability_figure(item: Stability, label: str) -> Figure:
    """Background efficiency at a fixed threshold in bins of `label`, such as the number of vertices."""
    figure = new_figure(*SIZE)
    axes = figure.add_axes((0.17, 0.135, 0.8, 0.78))
    middle, half = 0.5 * (item.edges[1:] + item.edges[:-1]), 0.5 * np.diff(item.edges)
    axes.axhline(item.overall, color=INK, lw=0.8, ls="--")
    errors = np.stack([item.value - item.low, item.high - item.value])
    axes.errorbar(middle, item.value, errors, half, fmt="o", ms=4, color=BLUE, lw=1.1)
    axes.set_ylim(0.0, 1.35 * float(np.nanmax(item.high)))
    axes.set_xlim(item.edges[0], item.edges[-1])
    axes.set_xlabel(label)
    axes.set_ylabel("background efficiency")
    slope = 100 * np.array(item.slope)
    words = f"$\\chi^2$ {item.chi2:.1f} for {item.degrees} degrees of freedom, p = {item.p_value:.2g}"
    if np.isfinite(slope).all():
        words += f"\nslope {slope[0]:+.2g} ± {slope[1]:.1g} % per unit, p = {item.p_slope:.2g}"
    axes.text(0.03, 0.96, words, transform=axes.transAxes, va="top", fontsize=8)
    return figure


def sculpting_figure(item: Sculpting, label: str, before: str = "all events") -> Figure:
    """Shape of a spectator of what passes a cut and before it, per unit of the spectator, with their ratio below.

    Args:
        item: both shapes. label: of the spectator's axis. before: what is compared with.
    """
    figure = new_figure(*SIZE)
    grid = figure.add_gridspec(
        2, 1, height_ratios=[2.3, 1], hspace=0.07, left=0.17, right=0.97, top=0.965, bottom=0.135
    )
    top = figure.add_subplot(grid[0])
    bottom = figure.add_subplot(grid[1], sharex=top)
    width = np.diff(item.edges)
    middle = 0.5 * (item.edges[1:] + item.edges[:-1])
    top.stairs(item.before / width, item.edges, color=INK, lw=1.4, label=before)
    top.stairs(item.after / width, item.edges, color=BLUE, lw=1.5, label=f"{item.passed} that pass")
    top.errorbar(middle, item.after / width, item.errors / width, fmt="none", color=BLUE, lw=0.9)
    top.legend(loc="upper right")
    top.set_ylim(0.0, 1.15 * float(np.max([item.before / width, (item.after + item.errors) / width])))
    top.set_ylabel("share per unit")
    top.tick_params(labelbottom=False)
    null = item.test.null
    words = (
        f"JSD {item.divergence:.3g} bits\nby chance {null.mean():.3g} ± {null.std():.1g}\np = {item.test.p_value:.2g}"
    )
    top.text(0.97, 0.66, words, transform=top.transAxes, ha="right", va="top", fontsize=8)
    safe = np.where(item.before > 0, item.before, np.nan)
    bottom.axhline(1.0, color=INK, lw=0.8)
    bottom.errorbar(middle, item.after / safe, item.errors / safe, 0.5 * width, fmt="o", ms=2.5, color=BLUE, lw=0.9)
    bottom.grid(axis="y", color=GRID, lw=0.5)
    bottom.set_ylabel("ratio", loc="center")
    bottom.set_xlim(item.edges[0], item.edges[-1])
    bottom.set_xlabel(label)
    return figure


def drift_figure(runs: Sequence[RunDrift], expected: float, level: float = 0.05) -> Figure:
    """Rate above the threshold and p-values of each run; runs that drift after Holm's correction are marked.

    Args:
        runs: in the order taken. expected: the reference's fraction above the threshold. level: of an alarm.
    """
    figure = new_figure(max(SIZE[0], min(7.0, 0.16 * len(runs) + 2.5)), SIZE[1])
    grid = figure.add_gridspec(2, 1, hspace=0.07, left=0.15, right=0.97, top=0.93, bottom=0.2)
    top = figure.add_subplot(grid[0])
    bottom = figure.add_subplot(grid[1], sharex=top)
    place, drifts = np.arange(len(runs)), np.array([run.p_holm <= level for run in runs])
    value, low, high = np.array([run.rate for run in runs]).T
    top.axhline(expected, color=INK, lw=0.8, ls="--")
    for chosen, colour in ((~drifts, BLUE), (drifts, RED)):
        errors = np.stack([value - low, high - value])[:, chosen]
        top.errorbar(place[chosen], value[chosen], errors, fmt="o", ms=3.5, color=colour, lw=1.0)
    top.set_ylim(0.0, 1.1 * float(high.max()))
    top.set_ylabel("share above", loc="center")
    top.tick_params(labelbottom=False)
    title = f"{drifts.sum()} of {len(runs)} runs drift (p < {level:g} corrected for all runs)"
    top.set_title(title, loc="left", fontsize=8.5, color=RED if drifts.any() else INK)
    _p_values(bottom, runs, drifts, level)
    step = -(-len(runs) // RUN_NAMES)
    bottom.set_xticks(place[::step], [run.run for run in runs][::step], rotation=45, ha="right", fontsize=7)
    bottom.set_xlim(-0.7, len(runs) - 0.3)
    return figure


def _p_values(axes: Axes, runs: Sequence[RunDrift], drifts: np.ndarray, level: float) -> None:
    place = np.arange(len(runs))
    for name, marker, colour in (("p_distance", "s", MUTED), ("p_rate", "^", BLUE)):
        p = np.array([max(getattr(run, name), 1e-16) for run in runs])
        label = "KS" if name == "p_distance" else "rate"
        axes.plot(place, p, marker, ms=3.5, mfc="none", color=colour, label=label)
    holm = np.array([max(run.p_holm, 1e-16) for run in runs])
    axes.plot(place[drifts], holm[drifts], "x", ms=6, color=RED, label="corrected")
    axes.axhline(level, color=INK, lw=0.8, ls=":")
    axes.set_yscale("log")
    axes.set_ylim(top=2.0)
    axes.set_ylabel("p-value", loc="center")
    axes.legend(loc="lower left", ncols=3, fontsize=7.5)
