"""Curves with errors and pictures on one colour scale, drawn from what `evaluate.physics` wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize, TwoSlopeNorm
from matplotlib.figure import Figure

from facsim.report.histograms import FloatArray
from facsim.report.legends import LINE, legend_shape
from facsim.report.style import ENERGY, GRID, INK, NULL, SIGNED, Look, log_axis, new_figure

Json = dict[str, Any]
REFERENCE, TRUTH_B = "reference", "null"
DECADES = 1e-4
MARGIN = 1.3
"""Inches beside the pictures: the label of the rows, and the colour scale with its own."""
LONG_LABEL = 28
"""Characters from which the label of an axis is written small, so that it stays clear of its neighbour."""
DEEPEST = 0.9
"""Part of a value that an error bar takes off at most where the axis is logarithmic."""


def curve_figure(item: Json, looks: Mapping[str, Look], labels: Mapping[str, str]) -> Figure:
    """One curve in truth and all samples; the ratio to truth below where the item asks for it."""
    roles = [role for role in (REFERENCE, TRUTH_B) if role in item["series"]]
    roles += [role for role in item["series"] if role not in roles]
    columns, lines = legend_shape([labels.get(role, role) for role in roles], 3.7, 5, handle=2.0)
    height = 3.3 + LINE * max(0, lines - 1)
    figure = new_figure(4.3, height)
    top_at = (height - 0.12 - LINE * lines - 0.08) / height
    foot = 0.48 / height
    if item.get("ratio") and REFERENCE in item["series"]:
        split = foot + 0.28 * (top_at - foot)
        top = figure.add_axes((0.15, split, 0.82, top_at - split))
        bottom = figure.add_axes((0.15, foot, 0.82, split - foot - 0.02), sharex=top)
        top.tick_params(labelbottom=False)
        _ratio(bottom, item, roles, looks)
    else:
        top = bottom = figure.add_axes((0.15, foot, 0.82, top_at - foot))
    for role in roles:
        _series(top, item, role, looks, labels.get(role, role))
    if item["log_x"]:
        top.set_xscale("log")
        log_axis(top.xaxis)
    if item["log_y"]:
        top.set_yscale("log")
    plain = item["y_label"].replace("$", "").replace("\\", "")
    top.set_ylabel(item["y_label"], fontsize="small" if len(plain) > LONG_LABEL else "medium")
    if not item.get("steps"):
        top.margins(x=0.04)
    bottom.set_xlabel(item["x_label"])
    top.grid(axis="y", color=GRID, lw=0.5)
    figure.legend(*top.get_legend_handles_labels(), loc="upper left", bbox_to_anchor=(0.12, 1.0), ncols=columns)
    return figure


def image_figure(item: Json, labels: Mapping[str, str]) -> Figure:
    """The pictures side by side on one colour scale, truth first."""
    images = {role: np.array(values, dtype=np.float64) for role, values in item["images"].items()}
    left, right, low, high = item["extent"]
    n = len(images)
    width = 9.6 / max(n, 3)
    aspect: Literal["equal", "auto"] = "equal" if _square(item) else "auto"
    total = width * n + MARGIN
    figure = new_figure(total, 2.9)
    norm = _norm(item, list(images.values()))
    colours = SIGNED if item["diverging"] else ENERGY
    span = 1 - MARGIN / total
    axes = None
    for k, (role, values) in enumerate(images.items()):
        axes = figure.add_axes((0.55 / total + k * span / n, 0.17, span / n * 0.78, 0.7))
        shown = np.ma.masked_invalid(np.where(values > 0, values, np.nan) if item["log"] else values)
        drawn = axes.imshow(
            shown, origin="lower", extent=(left, right, low, high), cmap=colours, norm=norm, aspect=aspect,
            interpolation="nearest",
        )  # fmt: skip
        axes.set_title(labels.get(role, role), fontsize=9)
        axes.set_xlabel(item["x_label"])
        if k == 0:
            axes.set_ylabel(item["y_label"])
    if axes is not None:
        bar = figure.add_axes((1 - 0.9 / total, 0.17, 0.012, 0.7))
        figure.colorbar(drawn, cax=bar, label=item["label"])
    return figure


def _square(item: Json) -> bool:
    """Whether both axes are of one unit."""
    return bool(item["x_label"] and item["x_label"].partition("[")[2] == item["y_label"].partition("[")[2])


def _norm(item: Json, images: list[FloatArray]) -> Normalize:
    finite = np.concatenate([image[np.isfinite(image)] for image in images])
    if item["diverging"]:
        most = float(np.abs(finite).max(initial=1e-12))
        return TwoSlopeNorm(0.0, -most, most)
    if item["log"]:
        positive = finite[finite > 0]
        most = float(positive.max(initial=1e-12))
        return LogNorm(max(float(positive.min(initial=most)), DECADES * most), most)
    return Normalize(0.0, float(finite.max(initial=1e-12)))


def _series(axes: Axes, item: Json, role: str, looks: Mapping[str, Look], label: str) -> None:
    x, y, error = _arrays(item["series"][role])
    look = looks.get(role)
    colour = INK if role == REFERENCE else NULL if role == TRUTH_B else look.colour if look else "#0072b2"
    style: dict[str, Any] = {"color": colour, "label": label, "zorder": 3 if role == TRUTH_B else 4}
    if item.get("steps"):
        axes.stairs(np.nan_to_num(y), x, lw=1.5 if role == REFERENCE else 1.2, ls=look.dash if look else "-", **style)
        return
    marker = "o" if look is None else look.marker
    fill = "none" if role == REFERENCE else colour
    if item["log_y"] and error is not None:
        error = np.stack([np.minimum(error, DEEPEST * np.abs(y)), error])
    axes.errorbar(x, y, error, fmt=marker, ms=4, mfc=fill, lw=1.0, ls="-" if look is None else look.dash, **style)


def _ratio(axes: Axes, item: Json, roles: list[str], looks: Mapping[str, Look]) -> None:
    x, truth, truth_error = _arrays(item["series"][REFERENCE])
    centres = 0.5 * (x[1:] + x[:-1]) if item.get("steps") else x
    safe = np.where(truth != 0, truth, np.nan)
    band = np.abs(truth_error / safe) if truth_error is not None else np.zeros_like(truth)
    axes.fill_between(centres, 1 - band, 1 + band, color=INK, alpha=0.13, lw=0)
    most = 0.02
    for role in roles[1:]:
        _, y, error = _arrays(item["series"][role])
        if len(y) != len(truth):
            continue
        look = looks.get(role)
        colour = NULL if role == TRUTH_B else look.colour if look else "#0072b2"
        marker = "o" if look is None else look.marker
        spread = None if error is None else np.abs(error / safe)
        axes.errorbar(centres, y / safe, spread, fmt=marker, ms=3, color=colour, lw=0.9)
        off = np.abs(y / safe - 1)
        most = max(most, float(np.nanquantile(off, 0.9)) if np.isfinite(off).any() else most)
    axes.axhline(1, color=INK, lw=0.7)
    span = min(1.0, 1.6 * most)
    axes.set_ylim(1 - span, 1 + span)
    axes.set_ylabel("ratio")


def _arrays(series: Json) -> tuple[FloatArray, FloatArray, FloatArray | None]:
    x, y = (np.array(series[key], dtype=np.float64) for key in ("x", "y"))
    return x, y, None if series["error"] is None else np.array(series["error"], dtype=np.float64)
