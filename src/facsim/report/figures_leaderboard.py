"""A leaderboard drawn: two metrics with the Pareto front, and strips that show where a new model stands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby, pairwise

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.scale import SymmetricalLogScale
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator, SymmetricalLogLocator

from facsim.evaluate.leaderboards import Board, Metric, Point, Standing, front, points
from facsim.report.labels import Labels
from facsim.report.style import GRID, INK, MUTED, NULL, log_axis, new_figure

DOT, FRONT, NEW = "#b4bac1", "#0072b2", "#d55e00"
ROW = 0.58
NARROW = 30.0


def pareto_figure(board: Board, x: str, y: str, new: Sequence[Point] = ()) -> Figure:
    """Published models, and new ones, in two metrics; the front joins what no published model beats in both.

    Args:
        board: the leaderboard. x, y: its metrics. new: points of models that are not on it.

    Raises:
        FacsimError: the board has no such metric.
    """
    across, up = board.metric(x), board.metric(y)
    found = points(board, x, y)
    floors = _floor(board, x), _floor(board, y)
    best = front(found, across.better, up.better, (floors[0] or 0.0, floors[1] or 0.0))
    figure = new_figure(7.6, 5.0)
    axes = figure.add_axes((0.085, 0.105, 0.9, 0.8))
    every = [*found, *new]
    _scale(axes.xaxis, across, _ends([(p.x, p.x_error) for p in every]), None)
    _scale(axes.yaxis, up, _ends([(p.y, p.y_error) for p in every]), floors[1])
    if floors[1] is not None:
        axes.axhline(floors[1], color=NULL, lw=1.0, zorder=1)
    for _, line in _by_protocol(best):
        axes.step([p.x for p in line], [p.y for p in line], where="post", color=FRONT, lw=1.0, alpha=0.6, zorder=2)
    for point in every:
        colour = NEW if point.new else FRONT if point in best else DOT
        size = 8.0 if point.new else 5.5
        errors = [None if math.isnan(error) else error for error in (point.x_error, point.y_error)]
        axes.errorbar(
            point.x, point.y, errors[1], errors[0], fmt="D" if point.new else "o", ms=size, color=colour, lw=0.8,
            zorder=5 if point.new else 4 if point in best else 3,
        )  # fmt: skip
    axes.set_xlabel(_words(across))
    axes.set_ylabel(_words(up))
    axes.grid(color=GRID, lw=0.4)
    _name(axes, found, best, new, floors[1])
    figure.text(0.012, 0.985, board.title, fontsize=10.5, color=INK, va="top")
    kind = "blue: no other published model of its protocol is better in both"
    figure.text(0.012, 0.944, f"{kind}; {_protocols(found)}", fontsize=7.5, color=MUTED, va="top")
    return figure


def _by_protocol(found: Sequence[Point]) -> list[tuple[str, list[Point]]]:
    return [(name, list(group)) for name, group in groupby(found, key=lambda point: point.protocol)]


def _protocols(found: Sequence[Point]) -> str:
    known = list(dict.fromkeys(point.protocol for point in found))
    return f"protocol{'s' if len(known) > 1 else ''} {', '.join(known)}"


def _ends(values: Sequence[tuple[float, float]]) -> list[float]:
    """The numbers, and the ends of their error bars; where all numbers are positive, positive ends only."""
    found = [value for value, _ in values]
    ends = [value + sign * error for value, error in values for sign in (-1, 1) if not math.isnan(error)]
    return found + [end for end in ends if end > 0 or min(found) <= 0]


def _words(metric: Metric) -> str:
    unit = f" [{metric.unit}]" if metric.unit else ""
    aim = {"lower": "", "higher": " (best: highest)", "truth": " (best: truth's own)"}[metric.better]
    return f"{metric.label}{unit}{aim}"


def _floor(board: Board, metric: str) -> float | None:
    """Truth against truth, where it is known and the same in all protocols."""
    floors = {entry.value for entry in board.floors(metric).values()}
    return floors.pop() if len(floors) == 1 else None


def _scale(axis: Axis, metric: Metric, values: Sequence[float], floor: float | None) -> None:
    """Limits that leave room for names; logarithmic where the metric is, linear around 0 where values are negative."""
    shown = [*values, *([] if floor is None else [floor])] or [1.0]
    low, high = min(shown), max(shown)
    name = "x" if axis is axis.axes.xaxis else "y"
    if metric.log and low > 0:
        axis.axes.set(**{f"{name}scale": "log"})
        stretch = max((high / low) ** 0.11, 1.35)
        axis.axes.set(**{f"{name}lim": (low / stretch, high * stretch)})
        log_axis(axis)
        if high / low < NARROW:
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_locator(NullLocator())
        return
    if metric.log and high > 0:
        unit = 10.0 ** math.floor(math.log10(high / 100))
        axis.axes.set(**{f"{name}scale": SymmetricalLogScale(axis, linthresh=unit)})
        axis.axes.set(**{f"{name}lim": (low - 0.3 * unit, 1.8 * high)})
        axis.set_major_locator(SymmetricalLogLocator(linthresh=unit, base=10))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        return
    margin = 0.09 * (high - low) or 0.1 * abs(high) or 1.0
    axis.axes.set(**{f"{name}lim": (low - margin, high + margin)})


def _name(axes: Axes, found: Sequence[Point], best: Sequence[Point], new: Sequence[Point], floor: float | None) -> None:
    several = len({point.protocol for point in found}) > 1
    labels = Labels(axes)
    for point in [*found, *new]:
        labels.block(point.x, point.y)
    if floor is not None:
        right, up = axes.bbox.x1, axes.transData.transform((axes.get_xlim()[0], floor))[1]
        labels.taken.append((axes.bbox.x0, up - 1.5, right, up + 1.5))
        labels.taken.append((right - 95 * labels.scale, up - 13 * labels.scale, right, up))
        axes.annotate(
            "truth against truth", (axes.get_xlim()[1], floor), xytext=(-5, -4), textcoords="offset points",
            ha="right", va="top", color=MUTED, fontsize=7.5,
        )  # fmt: skip
    for _, line in _by_protocol(best):
        for start, end in pairwise(line):
            labels.line((start.x, start.y), (end.x, start.y))
            labels.line((end.x, start.y), (end.x, end.y))
    (left_end, _), (low_end, _) = axes.get_xlim(), axes.get_ylim()
    for point in [*found, *new]:
        if not math.isnan(point.x_error):
            labels.line((max(point.x - point.x_error, left_end), point.y), (point.x + point.x_error, point.y))
        if not math.isnan(point.y_error):
            labels.line((point.x, max(point.y - point.y_error, low_end)), (point.x, point.y + point.y_error))
    for point in new:
        labels.place(point.x, point.y, point.model, NEW, 9.0, must=True)
    rest = [point for point in found if point not in best]
    for point in [*best, *sorted(rest, key=lambda p: p.y)]:
        text = f"{point.model} ({point.protocol.rpartition('-')[2]})" if several else point.model
        labels.place(point.x, point.y, text, FRONT if point in best else MUTED, 7.5, reach=53)


def strips_figure(board: Board, standings: Sequence[Standing], name: str) -> Figure:
    """One strip a metric: a dot for each published model, truth's own value, and the new model with its rank."""
    height = 0.75 + ROW * len(standings)
    figure = new_figure(7.6, height)
    figure.text(0.012, 1 - 0.08 / height, f"{name} on the leaderboard {board.title}", fontsize=10.5, va="top")
    note = "grey: published models; line: truth against truth, as published; best on the left, or where a label says so"
    figure.text(0.012, 1 - 0.29 / height, note, fontsize=7.5, color=MUTED, va="top")
    for row, standing in enumerate(standings):
        bottom = (height - 0.62 - ROW * (row + 1) + 0.24) / height
        axes = figure.add_axes((0.3, bottom, 0.52, 0.26 / height))
        _strip(axes, board, standing)
        words = f"{_words(board.metric(standing.metric))}\n({standing.protocol})"
        middle = bottom + 0.13 / height
        figure.text(0.285, middle, words, fontsize=7.5, ha="right", va="center", color=INK)
        place = f"{standing.rank} of {standing.models + 1}"
        figure.text(0.835, middle, place, fontsize=9, va="center", color=NEW, fontweight="bold")
    return figure


def _strip(axes: Axes, board: Board, standing: Standing) -> None:
    metric = board.metric(standing.metric)
    rows = [
        e.value for e in board.rows if (e.metric, e.protocol) == (standing.metric, standing.protocol) and not e.is_truth
    ]
    truth = None if math.isnan(standing.truth) else standing.truth
    _scale(axes.xaxis, metric, _ends([*((row, math.nan) for row in rows), (standing.value, standing.error)]), truth)
    axes.set_ylim(-1, 1)
    axes.set_yticks([])
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="x", which="both", top=False, labelsize=6.5, length=2.5, pad=1.5)
    if truth is not None:
        axes.axvline(truth, color=NULL, lw=1.3)
    axes.plot(rows, [0.0] * len(rows), "o", ms=5, color=DOT, mec="white", mew=0.5)
    error = None if math.isnan(standing.error) else standing.error
    axes.errorbar(standing.value, 0.0, xerr=error, fmt="D", ms=6.5, color=NEW, lw=1.2, zorder=5)
    if metric.better == "higher":
        axes.invert_xaxis()
