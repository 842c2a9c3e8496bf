"""Anomaly scores: ROC curves with their bands, and the efficiency for groups of signal at fixed background."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from facsim.core.errors import FacsimError
from facsim.metrics.roc import RocBand, RocCurve
from facsim.metrics.signal_groups import GroupResult
from facsim.metrics.working_points import MEASURED, WorkingPoint
from facsim.report.legends import LINE, legend_shape
from facsim.report.style import GRID, MUTED, Look, log_axis, looks, new_figure

WIDTH, HEIGHT = 4.3, 3.4
CROWDED = 45
"""Letters below an axis from which on words are written aslant."""
APART = 0.13
"""Distance of the points of two scores at one group, in the distance of groups."""


def roc_figure(curves: Mapping[str, RocCurve], bands: Mapping[str, RocBand]) -> Figure:
    """Signal against background efficiency of each score; dotted where too few background events pass for a band.

    Args:
        curves: label to curve. bands: label to simultaneous band, of all curves or some.
    """
    labels = [f"{name}, AUC {curve.auc.value:.3f} ± {curve.auc.error:.3f}" for name, curve in curves.items()]
    figure, axes = _panel(labels)
    styles = looks(dict.fromkeys(curves, "surrogate"))
    for (name, curve), label in zip(curves.items(), labels, strict=True):
        look, band = styles[name], bands.get(name)
        start = float(band.background.min()) if band else 0.0
        known = (curve.background >= start) & (curve.background > 0)
        axes.plot(curve.background[known], curve.signal[known], color=look.colour, lw=1.5, label=label, zorder=4)
        beyond = (curve.background > 0) & (curve.background <= curve.background[known][0])
        axes.plot(curve.background[beyond], curve.signal[beyond], color=look.colour, lw=1.0, ls=":", zorder=3)
        if band:
            axes.fill_between(band.background, band.low, band.high, color=look.colour, alpha=0.16, lw=0, zorder=2)
    left = min(float(curve.background[curve.background > 0].min()) for curve in curves.values())
    chance = np.geomspace(left, 1.0, 100)
    axes.plot(chance, chance, color=MUTED, lw=0.9, ls="--")
    axes.set_xscale("log")
    log_axis(axes.xaxis)
    axes.set_xlim(left, 1.0)
    axes.set_ylim(0.0, 1.02)
    axes.set_xlabel("background efficiency")
    axes.set_ylabel("signal efficiency")
    _legend(figure, axes, labels)
    if bands:
        level = next(iter(bands.values())).level
        words = f"bands hold the whole curve\nwith {100 * level:.3g} % confidence"
        axes.text(0.03, 0.96, words, transform=axes.transAxes, va="top", fontsize=7.5, color=MUTED)
    return figure


def groups_figure(results: Mapping[str, Sequence[GroupResult]], target: float, label: str) -> Figure:
    """Signal efficiency of each score for groups of signal, such as masses, at one background efficiency.

    Bars without a marker are ranges between limits at 95 % confidence.

    Args:
        results: score to its groups, the same for all scores. target: background efficiency. label: of the groups.

    Raises:
        FacsimError: no working point at that background efficiency.
    """
    names = list(results)
    figure, axes = _panel(names)
    styles = looks(dict.fromkeys(names, "surrogate"))
    groups = [one.group for one in results[names[0]]]
    for number, name in enumerate(names):
        place = np.arange(len(groups)) + APART * (number - 0.5 * (len(names) - 1))
        _series(axes, place, results[name], target, styles[name], name)
    ticks = [str(group) for group in groups]
    crowded = sum(map(len, ticks)) > CROWDED
    axes.set_xticks(np.arange(len(groups)), ticks, rotation=30 if crowded else 0, ha="right" if crowded else "center")
    if crowded:
        box = axes.get_position()
        axes.set_position((box.x0, box.y0 + 0.09, box.width, box.height - 0.09))
    axes.set_xlim(-0.5, len(groups) - 0.5)
    axes.set_ylim(-0.02, 1.04)
    axes.grid(axis="y", color=GRID, lw=0.5)
    axes.set_xlabel(label)
    axes.set_ylabel(f"signal efficiency at {100 * target:.3g} % background", fontsize="small")
    _legend(figure, axes, names)
    if any(_point(one, target).status != MEASURED for found in results.values() for one in found):
        words = "no marker: limits at 95 % confidence"
        figure.text(0.02, 0.02, words, fontsize=7, color=MUTED)
    return figure


def _point(one: GroupResult, target: float) -> WorkingPoint:
    for point in one.points:
        if np.isclose(point.target, target):
            return point
    raise FacsimError(f"there is no working point at a background efficiency of {target:g} to draw.")


def _series(
    axes: Axes, place: np.ndarray, results: Sequence[GroupResult], target: float, look: Look, label: str
) -> None:
    for x, one in zip(place, results, strict=True):
        point = _point(one, target)
        value, low, high = point.signal
        name = label if one is results[0] else None
        if point.status == MEASURED:
            errors = [[value - low], [high - value]]
            axes.errorbar(x, value, errors, fmt=look.marker, ms=4.5, color=look.colour, lw=1.1, label=name, zorder=4)
        else:
            axes.errorbar(
                x, 0.5 * (low + high), 0.5 * (high - low), fmt="none", color=look.colour, lw=1.1, capsize=3, label=name
            )


def _panel(labels: Sequence[str]) -> tuple[Figure, Axes]:
    lines = legend_shape(labels, 0.82 * WIDTH, 3)[1]
    height = HEIGHT + LINE * max(0, lines - 1)
    figure = new_figure(WIDTH, height)
    return figure, figure.add_axes((0.14, 0.47 / height, 0.825, 1 - (0.47 + 0.18 + LINE * lines) / height))


def _legend(figure: Figure, axes: Axes, labels: Sequence[str]) -> None:
    columns = legend_shape(labels, 0.82 * WIDTH, 3)[0]
    figure.legend(
        *axes.get_legend_handles_labels(),
        loc="upper left",
        bbox_to_anchor=(0.125, 1.0),
        ncols=columns,
        labelspacing=0.25,
        borderaxespad=0.2,
    )
