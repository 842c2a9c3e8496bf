"""Cost drawn: quality against time per shower or size, and the loss during training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from facsim.report.labels import Labels
from facsim.report.rundata import Json
from facsim.report.style import GRID, INK, MUTED, NULL, AnyFigure, Look, log_axis, new_figure

SIZE = (4.3, 3.6)


@dataclass(frozen=True)
class CostPoint:
    """A point of the quality-against-cost figure; `kind` is `surrogate`, `baseline`, `curve` or `published`."""

    name: str
    label: str
    kind: str
    cost: float
    auc: float
    error: float = 0.0


def quality_cost_figure(
    points: Sequence[CostPoint],
    curve: Sequence[CostPoint],
    looks: Mapping[str, Look],
    null: tuple[float, float] | None,
    truth_cost: float | None,
    axes_labels: tuple[str, str],
    truth_name: str = "Geant4",
    place: SubFigure | None = None,
) -> AnyFigure:
    """AUC against time per shower or another cost: lower left is better.

    Args:
        points: samples and published models.
        curve: surrogates at several numbers of solver steps, drawn connected, each with the name of its surrogate.
        null: AUC of truth against truth and its error.
        truth_cost: what the truth simulation itself costs, in the same unit.
        axes_labels: of the cost, e.g. `ms per shower, batch 100`, and of the quality.
        truth_name: what to write at the truth's line.
        place: part of a larger figure to draw in, by default a new figure.
    """
    figure = place or new_figure(5.6, 4.35)
    axes = figure.add_axes((0.105, 0.115, 0.875, 0.86) if place is None else (0.14, 0.125, 0.845, 0.85))
    axes.set_xscale("log")
    lowest = min([0.5 if null is None else null[0] - 0.02, *(p.auc for p in [*points, *curve])])
    axes.set_ylim(min(0.44, lowest - 0.04), 1.035)
    axes.set_xlim(*_cost_limits([*points, *curve], truth_cost))
    if null is not None:
        axes.axhspan(null[0] - null[1], null[0] + null[1], color=NULL, alpha=0.3, lw=0)
        axes.axhline(null[0], color=NULL, lw=1.0)
    published = [p for p in points if p.kind == "published"]
    axes.scatter([p.cost for p in published], [p.auc for p in published], s=20, color="#b4bac1", lw=0, zorder=2)
    for name in dict.fromkeys(p.name for p in curve):
        ordered = sorted((p for p in curve if p.name == name), key=lambda p: p.cost)
        axes.errorbar(
            [p.cost for p in ordered],
            [p.auc for p in ordered],
            [p.error for p in ordered],
            fmt="o-",
            ms=4,
            lw=1.4,
            color=looks[name].colour,
            zorder=4,
        )
    for point in points:
        if point.kind == "published":
            continue
        look = looks[point.name]
        big = 9 if point.kind == "surrogate" else 6.5
        axes.errorbar(point.cost, point.auc, point.error, fmt=look.marker, ms=big, color=look.colour, zorder=5)
    if truth_cost is not None:
        axes.axvline(truth_cost, color=INK, lw=1.3, ls=(0, (4, 2)))
    log_axis(axes.xaxis)
    axes.set_xlabel(axes_labels[0])
    axes.set_ylabel(axes_labels[1])
    axes.grid(axis="y", color=GRID, lw=0.5)
    _name_lines(axes, null, truth_cost, truth_name)
    _name_points(axes, points, curve, looks, truth_cost)
    return figure


def _name_lines(axes: Axes, null: tuple[float, float] | None, truth_cost: float | None, truth_name: str) -> None:
    """What the lines of truth against truth and of truth's own cost are."""
    if null is not None:
        low, high = axes.get_xlim()
        crossed = truth_cost is not None and truth_cost > (low * high**2) ** (1 / 3)
        axes.annotate(
            "truth against truth",
            (low if crossed else high, null[0]),
            xytext=(6 if crossed else -6, -5),
            textcoords="offset points",
            ha="left" if crossed else "right",
            va="top",
            color=MUTED,
            fontsize=8,
        )
    if truth_cost is not None:
        axes.annotate(
            truth_name,
            (truth_cost, 0.13),
            xycoords=("data", "axes fraction"),
            xytext=(-3, 0),
            textcoords="offset points",
            ha="right",
            va="bottom",
            rotation=90,
            fontsize=8.5,
        )


def _cost_limits(points: Sequence[CostPoint], truth_cost: float | None) -> tuple[float, float]:
    costs = [p.cost for p in points] + ([truth_cost] if truth_cost else [])
    return 0.45 * min(costs, default=0.1), 3.2 * max(costs, default=100.0)


def _name_points(
    axes: Axes,
    points: Sequence[CostPoint],
    curve: Sequence[CostPoint],
    looks: Mapping[str, Look],
    truth_cost: float | None,
) -> None:
    labels = Labels(axes)
    for point in [*points, *curve]:
        labels.block(point.cost, point.auc)
    if truth_cost is not None:
        x, _ = axes.transData.transform((truth_cost, 1.0))
        labels.taken.append((x - 14 * labels.scale, axes.bbox.y0, x + 2, axes.bbox.y0 + 0.3 * axes.bbox.height))
        labels.taken.append((x - 2, axes.bbox.y0, x + 2, axes.bbox.y1))
    for point in points:
        if point.kind != "published":
            labels.place(point.cost, point.auc, point.label, looks[point.name].colour, 9.5, must=True)
    for point in curve:
        labels.place(point.cost, point.auc, point.label, looks[point.name].colour, 7.5, reach=15)
    for point in sorted(points, key=lambda p: p.auc):
        if point.kind == "published":
            labels.place(point.cost, point.auc, point.label, MUTED, 7.0)


def training_figure(records: Sequence[Json], part: str) -> Figure:
    """Loss of one part of the model against training time, smoothed, with the validation loss."""
    figure = new_figure(*SIZE)
    axes = figure.add_axes((0.15, 0.135, 0.815, 0.79))
    lines = [r for r in records if r.get("part") == part]
    time = np.array([r["time_s"] for r in lines], dtype=np.float64)
    loss = np.array([r["loss"] for r in lines], dtype=np.float64)
    few: dict[str, Any] = {"marker": "o", "ms": 3.5} if len(loss) < 4 else {}
    axes.plot(time, loss, color="#b4bac1", lw=0.8, label="training", **few)
    if len(loss) > 20:
        width = max(3, len(loss) // 25)
        smooth = np.convolve(loss, np.ones(width) / width, mode="valid")
        axes.plot(time[width // 2 : width // 2 + len(smooth)], smooth, color="#0072b2", lw=1.7, label="training, mean")
    checks = [(r["time_s"], r["validation_loss"]) for r in lines if r.get("validation_loss") is not None]
    if checks:
        axes.plot(*np.array(checks).T, "o-", ms=3.5, lw=1.0, color="#d55e00", label="validation")
    if np.all(loss > 0) and loss.max() > 8 * loss.min():
        axes.set_yscale("log")
        log_axis(axes.yaxis)
    elif len(loss) > 10:
        low, high = np.nanquantile(loss[len(loss) // 20 :], [0.0, 0.995])
        axes.set_ylim(low - 0.1 * (high - low), high + 0.25 * (high - low))
    axes.set_xlabel("training time [s]")
    axes.set_ylabel("loss")
    axes.set_title(part, loc="left")
    axes.legend(loc="upper right")
    return figure
