"""Scores drawn: how far each sample is from truth, score by score, bin by bin, and in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from facsim.report.rundata import Json, Sample
from facsim.report.style import GRID, INK, MUTED, NULL, Look, log_axis, new_figure

SIZE = (4.3, 3.6)


def energy_bins_figure(samples: Sequence[Sample], looks: Mapping[str, Look], name: str = "auc_high") -> Figure | None:
    """A score against incident energy, with truth against truth as a grey band; None without bins."""
    figure = new_figure(5.6, 3.6)
    axes = figure.add_axes((0.105, 0.135, 0.875, 0.72))
    drawn = False
    shift = np.linspace(-0.16, 0.16, max(len(samples), 2))
    for sample, offset in zip(samples, shift, strict=False):
        edges = np.asarray((sample.scorecard or {}).get("energy_bins_MeV") or [], dtype=np.float64) / 1e3
        for k, (low, high) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
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
    axes.set_xlabel("incident energy [GeV]")
    axes.set_ylim(*_auc_limits(axes))
    axes.grid(axis="y", color=GRID, lw=0.5)
    figure.legend(loc="upper left", bbox_to_anchor=(0.09, 1.0), ncols=5, handletextpad=0.2)
    return figure


def _null_box(axes: Axes, low: float, high: float, row: Json) -> None:
    if row.get("null") is None:
        return
    error = row.get("null_error") or 0.0
    axes.fill_between([low, high], row["null"] - error, row["null"] + error, color=NULL, alpha=0.3, lw=0)
    axes.hlines(row["null"], low, high, color=NULL, lw=1.0)


def _auc_limits(axes: Axes) -> tuple[float, float]:
    low, high = axes.get_ylim()
    return min(low, 0.47), max(min(high, 1.02), 0.6)


def distance_figure(rows: Sequence[tuple[str, Mapping[str, Json]]], samples: Sequence[Sample], looks: Mapping[str, Look]) -> Figure:
    """How many standard errors each score lies from truth against truth, all samples, one line a score.

    Args:
        rows: label of a score and its JSON rows by sample name.
    """
    height = 0.235 * len(rows) + 1.05
    figure = new_figure(7.4, height)
    axes = figure.add_axes((0.37, 0.52 / height, 0.61, 1 - 0.98 / height))
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
    ticks = [t for t in (-1000, -100, -10, -2, 0, 2, 10, 100, 1000, 10000) if -abs(_lowest(rows)) - 3 <= t <= 3 * biggest]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.set_yticks(range(len(rows)), [label for label, _ in reversed(rows)])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlabel("z: standard errors away from truth against truth")
    axes.grid(axis="y", color=GRID, lw=0.5)
    figure.legend(loc="upper right", bbox_to_anchor=(0.99, 1.0), ncols=6, handletextpad=0.1)
    return figure


def _lowest(rows: Sequence[tuple[str, Mapping[str, Json]]]) -> float:
    return min((r["z"] for _, f in rows for r in f.values() if r.get("z") is not None), default=-2.0)


def memorisation_figure(samples: Sequence[Sample], looks: Mapping[str, Look], name: str = "memorisation") -> Figure | None:
    """Distance to the nearest training shower relative to truth's, sample by sample; None when it was not measured."""
    rows = [(sample, row) for sample in samples if (row := sample.score(name)) and row.get("value") is not None]
    if not rows:
        return None
    height = 0.42 * len(rows) + 0.85
    figure = new_figure(5.6, height)
    axes = figure.add_axes((0.22, 0.5 / height, 0.74, 1 - 0.62 / height))
    null, null_error = rows[0][1].get("null"), rows[0][1].get("null_error") or 0.0
    if null is not None:
        axes.axvspan(null - 2 * null_error, null + 2 * null_error, color=NULL, alpha=0.25, lw=0)
        axes.axvline(null, color=INK, lw=1.0)
    for y, (sample, row) in enumerate(reversed(rows)):
        look = looks[sample.name]
        axes.errorbar(row["value"], y, xerr=row.get("error") or 0, fmt=look.marker, ms=7, color=look.colour, capsize=2.5)
    axes.set_yticks(range(len(rows)), [sample.label for sample, _ in reversed(rows)])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.margins(x=0.08)
    axes.set_xlabel("distance to the nearest training shower, relative to truth")
    axes.grid(axis="x", color=GRID, lw=0.5)
    return figure


@dataclass(frozen=True)
class TimePoint:
    """A point of the quality-against-time figure; `kind` is `surrogate`, `baseline` or `published`."""

    name: str
    label: str
    kind: str
    ms: float
    auc: float
    error: float = 0.0
    note: str = ""


def quality_time_figure(
    points: Sequence[TimePoint],
    curve: Sequence[TimePoint],
    looks: Mapping[str, Look],
    null: tuple[float, float] | None,
    truth_ms: float | None,
    batch: int,
) -> Figure:
    """AUC against time per shower: lower left is better.

    Args:
        points: samples and published models.
        curve: the surrogate at several numbers of solver steps, drawn connected.
        null: AUC of truth against truth and its error.
        truth_ms: the truth simulation's own time per shower, ms.
        batch: showers per call, for the axis label.
    """
    figure = new_figure(5.6, 4.35)
    axes = figure.add_axes((0.105, 0.115, 0.875, 0.86))
    axes.set_xscale("log")
    if null is not None:
        axes.axhspan(null[0] - null[1], null[0] + null[1], color=NULL, alpha=0.3, lw=0)
        axes.axhline(null[0], color=NULL, lw=1.0)
    published = [p for p in points if p.kind == "published"]
    axes.scatter([p.ms for p in published], [p.auc for p in published], s=20, color="#b4bac1", lw=0, zorder=2)
    if curve:
        look = next((looks[p.name] for p in points if p.kind == "surrogate"), looks[curve[0].name])
        ordered = sorted(curve, key=lambda p: p.ms)
        axes.errorbar(
            [p.ms for p in ordered], [p.auc for p in ordered], [p.error for p in ordered], fmt="o-", ms=4, lw=1.4,
            color=look.colour, zorder=4,
        )
    for point in points:
        if point.kind == "published":
            continue
        look = looks[point.name]
        big = 9 if point.kind == "surrogate" else 6.5
        axes.errorbar(point.ms, point.auc, point.error, fmt=look.marker, ms=big, color=look.colour, zorder=5)
    if truth_ms is not None:
        axes.axvline(truth_ms, color=INK, lw=1.3, ls=(0, (4, 2)))
    axes.set_ylim(0.46, 1.03)
    axes.set_xlim(*_time_limits([*points, *curve], truth_ms))
    log_axis(axes.xaxis)
    axes.set_xlabel(f"ms per shower, one CPU thread, batch {batch}")
    axes.set_ylabel("AUC, high-level observables")
    axes.grid(axis="y", color=GRID, lw=0.5)
    _name_points(axes, points, curve, looks, truth_ms, null)
    return figure


def _time_limits(points: Sequence[TimePoint], truth_ms: float | None) -> tuple[float, float]:
    times = [p.ms for p in points] + ([truth_ms] if truth_ms else [])
    return 0.45 * min(times, default=0.1), 3.2 * max(times, default=100.0)


def _name_points(
    axes: Axes,
    points: Sequence[TimePoint],
    curve: Sequence[TimePoint],
    looks: Mapping[str, Look],
    truth_ms: float | None,
    null: tuple[float, float] | None,
) -> None:
    """Names beside the points, placed where they do not run into one another."""
    taken: list[tuple[float, float]] = []
    own = [p for p in points if p.kind != "published"]
    grey = sorted((p for p in points if p.kind == "published"), key=lambda p: p.auc)
    low, high = np.log10(axes.get_xlim())

    def place(point: TimePoint, text: str, colour: str, size: float, weight: str = "normal", must: bool = True) -> None:
        for up in (7, -7, 16, -16, 26):
            at = ((np.log10(point.ms) - low) / (high - low), point.auc + 0.0019 * up)
            if all(abs(at[0] - x) > 0.2 or abs(at[1] - y) > 0.026 for x, y in taken) or (must and up == 26):
                right = at[0] > 0.8
                axes.annotate(
                    text, (point.ms, point.auc), xytext=(-6 if right else 6, up), textcoords="offset points",
                    ha="right" if right else "left", va="center", color=colour, fontsize=size, fontweight=weight,
                )
                taken.append(at)
                return

    for point in own:
        place(point, point.label, looks[point.name].colour, 9.5, "bold")
    for point in curve:
        place(point, point.label, looks[point.name].colour, 7.5, must=False)
    for point in grey:
        place(point, point.label, MUTED, 7.0, must=False)
    if truth_ms is not None:
        axes.annotate(
            "Geant4", (truth_ms, 1.018), xytext=(-4, 0), textcoords="offset points", ha="right", va="top", rotation=90,
            fontsize=8.5,
        )
    if null is not None:
        axes.annotate(
            "truth against truth", (10**low, null[0]), xytext=(6, -5), textcoords="offset points", va="top",
            color=MUTED, fontsize=8,
        )


def training_figure(records: Sequence[Json], part: str) -> Figure:
    """Loss of one part of the model against training time, smoothed, with the validation loss."""
    figure = new_figure(*SIZE)
    axes = figure.add_axes((0.15, 0.135, 0.815, 0.79))
    lines = [r for r in records if r.get("part") == part]
    time = np.array([r["time_s"] for r in lines], dtype=np.float64)
    loss = np.array([r["loss"] for r in lines], dtype=np.float64)
    axes.plot(time, loss, color="#b4bac1", lw=0.8, label="training")
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
