"""Observables and profiles with a ratio panel: truth, its null, the surrogate and the baselines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, StepPatch
from matplotlib.ticker import MaxNLocator, NullLocator

from facsim.report.histograms import FloatArray, Histogram, occupied_range, ratio, relative_error
from facsim.report.legends import LINE, legend_shape
from facsim.report.observables import Observable, Profile
from facsim.report.rundata import Sample
from facsim.report.style import GRID, INK, NULL, AnyFigure, Look, decade_label, log_axis, new_figure
from facsim.report.text import describe

SIZE = (4.3, 3.95)
_RATIO_SPANS = (0.1, 0.2, 0.5, 1.0)
_LABEL_AT = -0.135
_MEASURED = 0.5  # ratios are drawn where truth is known to better than this relative error, four entries a bin


def observable_figure(
    item: Observable,
    looks: dict[str, Look],
    labels: dict[str, str],
    place: SubFigure | None = None,
    noun: str = "showers",
) -> AnyFigure:
    """Distribution of one observable with the ratio to truth below.

    Args:
        item: histograms of truth, null and samples.
        looks: style of each sample.
        labels: name of each sample for the legend, with `reference` and `null`.
        place: part of a larger figure to draw in, by default a new figure.
        noun: what events are called.
    """
    item = item.readable()
    handles = _handles(looks, labels, item.null is not None, list(item.generated))
    figure, top, bottom = _panels(place, handles)
    low, high = occupied_range([item.reference, *item.generated.values()])
    _truth_histogram(top, item.reference)
    if item.null is not None:
        _stairs(top, item.null.fractions()[0], item.null.edges, color=NULL, lw=1.0, zorder=3)
    for name, histogram in reversed(item.generated.items()):
        look = looks[name]
        values, errors = histogram.fractions()
        _stairs(top, values, histogram.edges, color=look.colour, ls=look.dash, lw=look.width, zorder=5)
        if look.band:
            _band(top, histogram.edges, values - errors, values + errors, look.colour, 0.22)
    _ratios(bottom, item, looks)
    for axes in (top, bottom):
        axes.set_xlim(low, high)
        if item.log_x and low > 0:
            axes.set_xscale("log")
            log_axis(axes.xaxis)
    entries = "cells" if item.name.startswith("cell") else noun
    top.set_ylabel(f"fraction of {entries} / bin")
    top.yaxis.set_label_coords(_LABEL_AT, 1.0)
    _limits(top, item)
    bottom.set_xlabel(item.axis_label)
    _legend(figure, handles)
    return figure


def profile_figure(
    item: Profile, looks: dict[str, Look], labels: dict[str, str], place: SubFigure | None = None
) -> AnyFigure:
    """Mean profile with the ratio to truth below; vertical bars are errors of the mean."""
    handles = _handles(looks, labels, item.null is not None, list(item.generated))
    figure, top, bottom = _panels(place, handles)
    values, errors = item.reference
    shown = values > 0
    safe = np.where(shown, values, np.nan)
    edges = _edges_around(item.centres)
    _stairs(top, values, edges, fill=True, color=INK, alpha=0.08, lw=0)
    _stairs(top, values, edges, color=INK, lw=1.5, zorder=4)
    _band(bottom, edges, 1 - errors / safe, 1 + errors / safe, INK, 0.13)
    curves: list[tuple[Any, Look | None]] = [] if item.null is None else [(item.null, None)]
    curves += [(pair, looks[name]) for name, pair in reversed(item.generated.items())]
    ratios = []
    for (mean, error), look in curves:
        style = _line_style(look)
        _stairs(top, np.where(mean > 0, mean, np.nan), edges, baseline=None, **style)
        _stairs(bottom, mean / safe, edges, baseline=None, **style)
        if look is None or look.band:
            _band(bottom, edges, (mean - error) / safe, (mean + error) / safe, style["color"], 0.2)
        if look is None or look.leads:
            ratios.append(mean / safe)
    positive = values[shown]
    top.set_yscale("log")
    log_axis(top.yaxis)
    if len(positive):
        top.set_ylim(max(positive.min() * 0.4, positive.max() * 1e-6), positive.max() * 3)
    _ratio_axis(bottom, ratios)
    for axes in (top, bottom):
        axes.set_xlim(edges[0], edges[-1])
    top.set_ylabel(f"mean energy [{item.unit}]" if item.unit else "mean")
    top.yaxis.set_label_coords(_LABEL_AT, 1.0)
    bottom.set_xlabel(item.label)
    _legend(figure, handles)
    return figure


def layer_curves_figure(
    samples: Sequence[Sample], looks: dict[str, Look], labels: dict[str, str], kind: str = "layer_separation"
) -> Figure | None:
    """A score of every layer for each observable, small multiples on one scale; None when there are no curves."""
    curves = {s.name: ((s.scorecard or {}).get("curves") or {}).get(kind) or {} for s in samples}
    observables = list(dict.fromkeys(name for found in curves.values() for name in found))
    if not observables:
        return None
    columns = min(5, len(observables))
    rows = -(-len(observables) // columns)
    handles = _handles(looks, labels, True, [sample.name for sample in samples], truth=False)
    shape = legend_shape([handle.get_label() for handle in handles], 0.93 * 11.0, len(handles))
    head = 0.62 + LINE * (shape[1] - 1)
    height = 1.85 * rows + 0.13 + head
    figure = new_figure(11.0, height)
    grid = figure.add_gridspec(
        rows, columns, left=0.06, right=0.995, bottom=0.4 / height, top=1 - head / height, wspace=0.07, hspace=0.42
    )
    truth: list[float] = []
    drawn: list[float] = []
    for place, name in enumerate(observables):
        axes = figure.add_subplot(grid[place // columns, place % columns])
        for sample in reversed(samples):
            curve = curves[sample.name].get(name)
            if curve is None:
                continue
            x, values = curve.get("layer", curve.get("ring")), np.array(curve["value"], dtype=np.float64)
            if sample is samples[0] and curve.get("null"):
                null = np.array(curve["null"], dtype=np.float64)
                axes.plot(x, null, color=NULL, lw=3.0, alpha=0.6, zorder=2)
                truth += null.tolist()
            axes.plot(x, values, **_line_style(looks[sample.name]))
            drawn += values.tolist()
        words = describe(name)[0]
        axes.set_title(f"{words}, rings" if "ring" in (curves[samples[0].name].get(name) or {}) else words, fontsize=9)
    _share_scale(figure, columns, float(np.nanquantile(np.abs(truth or [1e-3]), 0.9)), float(np.nanmax(drawn)))
    _legend(figure, handles, 0.05, shape[0])
    return figure


def _share_scale(figure: Figure, columns: int, chance: float, largest: float) -> None:
    """One scale for all panels: linear about 0, where truth against truth lies, logarithmic above."""
    linear = 10.0 ** math.ceil(math.log10(max(chance, 1e-5)))
    ticks = [0.0, *(linear * 10.0**k for k in range(6) if linear * 10.0**k <= max(1.0, largest))]
    for place, axes in enumerate(figure.axes):
        axes.set_yscale("symlog", linthresh=linear, linscale=0.6)
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set_yticks(ticks, [decade_label(tick) for tick in ticks])
        axes.set_ylim(-linear, 1.6 * max(largest, 3 * linear))
        axes.axhline(0, color=INK, lw=0.6)
        axes.tick_params(labelleft=place % columns == 0)
        axes.grid(axis="y", color=GRID, lw=0.5)
        if place % columns == 0:
            axes.set_ylabel("separation")
        if place + columns >= len(figure.axes):
            axes.set_xlabel("ring" if "rings" in axes.get_title() else "layer")


def _panels(place: SubFigure | None, handles: list[Any]) -> tuple[AnyFigure, Axes, Axes]:
    """Main panel above a ratio panel; the same margins in every figure, so that figures side by side line up.

    Where the legend has more than two lines, a new figure is taller.
    """
    width, height = SIZE
    lines = _shape(handles)[1]
    more = 0.0 if place else LINE * max(0, lines - 2)
    figure = place or new_figure(width, height + more)
    foot, head = 0.125 * height / (height + more), (0.125 * height + more) / (height + more)
    grid = figure.add_gridspec(
        2, 1, height_ratios=[2.3, 1], hspace=0.07, left=0.15, right=0.965, top=1 - head, bottom=foot
    )
    top = figure.add_subplot(grid[0])
    bottom = figure.add_subplot(grid[1], sharex=top)
    top.tick_params(labelbottom=False)
    bottom.set_ylabel("ratio to truth", loc="center")
    bottom.yaxis.set_label_coords(_LABEL_AT, 0.5)
    bottom.axhline(1.0, color=INK, lw=0.8, zorder=2)
    bottom.grid(axis="y", color=GRID, lw=0.5)
    return figure, top, bottom


def _truth_histogram(axes: Axes, histogram: Histogram) -> None:
    values, errors = histogram.fractions()
    _stairs(axes, values, histogram.edges, fill=True, color=INK, alpha=0.08, lw=0)
    _stairs(axes, values, histogram.edges, color=INK, lw=1.5, zorder=4)
    _band(axes, histogram.edges, values - errors, values + errors, INK, 0.2)


def _ratios(axes: Axes, item: Observable, looks: dict[str, Look]) -> None:
    error = relative_error(item.reference)
    error[error > _MEASURED] = np.nan
    known = np.isfinite(error)
    _band(axes, item.reference.edges, 1 - error, 1 + error, INK, 0.13)
    focus = []
    if item.null is not None:
        value, _ = ratio(item.null, item.reference)
        _stairs(axes, np.where(known, value, np.nan), item.null.edges, baseline=None, color=NULL, lw=0.9, zorder=3)
    for name, histogram in reversed(item.generated.items()):
        look = looks[name]
        value, spread = ratio(histogram, item.reference)
        value[~known] = np.nan
        _stairs(axes, value, histogram.edges, baseline=None, color=look.colour, ls=look.dash, lw=look.width, zorder=5)
        if look.band:
            _band(axes, histogram.edges, value - spread, value + spread, look.colour, 0.22)
        if look.leads:
            focus.append(value)
    _ratio_axis(axes, focus)


def _ratio_axis(axes: Axes, focus: list[FloatArray]) -> None:
    """The smallest of a few symmetric ranges about 1 that holds most of the surrogate's well-measured ratios."""
    values = np.concatenate(focus) if focus else np.array([])
    values = np.abs(values[np.isfinite(values)] - 1)
    need = float(np.quantile(values, 0.9)) * 1.3 if len(values) else 0.4
    span = next((s for s in _RATIO_SPANS if s >= need), _RATIO_SPANS[-1])
    axes.set_ylim(1 - 1.15 * span, 1 + 1.15 * span)
    axes.set_yticks([1 - span, 1.0, 1 + span])


def _limits(axes: Axes, item: Observable) -> None:
    histograms = [item.reference, *item.generated.values()]
    peak = max(float(h.fractions()[0].max(initial=0)) for h in histograms)
    reference = item.reference.fractions()[0]
    if item.log_y and np.any(reference > 0):
        axes.set_yscale("log")
        log_axis(axes.yaxis)
        axes.set_ylim(reference[reference > 0].min() * 0.5, peak * 3)
        return
    typical = max(float(reference.max(initial=0)), *(float(h.fractions()[0].max()) for h in histograms[:2]))
    axes.set_ylim(0, 1.12 * min(peak, 2.2 * typical) or 1.0)
    axes.yaxis.set_major_locator(MaxNLocator(5, prune="lower"))


def _stairs(axes: Axes, values: FloatArray, edges: FloatArray, **style: Any) -> None:
    """Steps as one patch, left out of the automatic limits: those take longer than the drawing and are set anyway."""
    style.setdefault("fill", False)
    style.setdefault("baseline", 0)
    axes.add_artist(StepPatch(values, edges, **style))


def _band(axes: Axes, edges: FloatArray, low: FloatArray, high: FloatArray, colour: str, alpha: float) -> None:
    known = np.isfinite(low) & np.isfinite(high)
    low, high = np.where(known, low, np.nan), np.where(known, high, np.nan)
    _stairs(axes, high, edges, baseline=low, fill=True, color=colour, alpha=alpha, lw=0, zorder=1.5)


def _edges_around(centres: FloatArray) -> FloatArray:
    if len(centres) < 2:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    middle = 0.5 * (centres[1:] + centres[:-1])
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])


def _line_style(look: Look | None) -> dict[str, Any]:
    if look is None:
        return {"color": NULL, "lw": 1.0, "zorder": 3}
    return {"color": look.colour, "ls": look.dash, "lw": look.width, "zorder": 5}


def _handles(
    looks: dict[str, Look], labels: dict[str, str], null: bool, names: list[str], truth: bool = True
) -> list[Any]:
    """Entries of the legend: truth, its null, and each sample."""
    patch = Patch(facecolor=INK + "22", edgecolor=INK, lw=1.4, label=labels["reference"])
    handles: list[Any] = [patch] if truth else []
    if null:
        handles.append(Line2D([], [], color=NULL, lw=1.0, label=labels["null"]))
    for name in names:
        look = looks[name]
        handles.append(Line2D([], [], color=look.colour, ls=look.dash, lw=look.width, label=labels[name]))
    return handles


def _shape(handles: list[Any]) -> tuple[int, int]:
    """Columns and lines of the legend above the panels: two lines where that is enough."""
    names = [handle.get_label() for handle in handles]
    return legend_shape(names, 0.86 * SIZE[0], min(4, (len(handles) + 1) // 2))


def _legend(figure: AnyFigure, handles: list[Any], left: float = 0.135, columns: int | None = None) -> None:
    """Above the panels, in every figure, so that one figure can be shown alone."""
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(left, 1.0),
        ncols=columns or _shape(handles)[0],
        labelcolor=INK,
        handletextpad=0.5,
        labelspacing=0.25,
        borderaxespad=0.1,
    )
