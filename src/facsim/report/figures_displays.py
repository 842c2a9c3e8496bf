"""Single particle clouds as circles, one row a sample, drawn from what `evaluate.displays` describes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection
from matplotlib.figure import Figure

from facsim.report.style import GRID, INK, MUTED, NULL, Look, new_figure

Json = dict[str, Any]
REFERENCE, TRUTH_B = "reference", "null"
LARGEST = 0.30
"""Diameter of the circle of size 1 in units of the plane's side."""


def display_figure(item: Json, looks: Mapping[str, Look], labels: Mapping[str, str]) -> Figure:
    """Events of each sample (rows) one beside the other; areas of circles go with their sizes."""
    roles = [role for role in (REFERENCE, TRUTH_B) if role in item["events"]]
    roles += [role for role in item["events"] if role not in roles]
    columns = max(len(events) for events in item["events"].values())
    side = min(2.2, 9.2 / max(columns, 1))
    total, height = side * columns + 0.75, (side + 0.22) * len(roles) + 0.5
    figure = new_figure(total, height)
    for row, role in enumerate(roles):
        for column, points in enumerate(item["events"][role]):
            low = height - (row + 1) * (side + 0.22)
            box = ((0.7 + column * side) / total, low / height, 0.93 * side / total, 0.93 * side / height)
            axes = figure.add_axes(box)
            look = looks.get(role)
            colour = INK if role == REFERENCE else NULL if role == TRUTH_B else look.colour if look else "#0072b2"
            _circles(axes, item, np.array(points, dtype=np.float64).reshape(-1, 3), colour)
            heads = item["heads"].get(role, [])
            axes.set_title(heads[column] if column < len(heads) else "", fontsize=7.5, color=MUTED, pad=2.5)
            axes.tick_params(labelleft=column == 0, labelbottom=row == len(roles) - 1, labelsize=7)
            if column == 0:
                axes.set_ylabel(f"{labels.get(role, role)}\n{item['y_label']}", fontsize=8.5)
            if row == len(roles) - 1:
                axes.set_xlabel(item["x_label"], fontsize=8.5)
    return figure


def _circles(axes: Axes, item: Json, points: np.ndarray[Any, np.dtype[np.float64]], colour: str) -> None:
    left, right, low, high = item["extent"]
    axes.set_xlim(left, right)
    axes.set_ylim(low, high)
    axes.axhline(0, color=GRID, lw=0.6, zorder=1)
    axes.axvline(0, color=GRID, lw=0.6, zorder=1)
    order = np.argsort(-points[:, 2])
    diameter = LARGEST * (right - left) * np.sqrt(np.maximum(points[order, 2], 0))
    axes.add_collection(
        EllipseCollection(
            diameter, diameter, np.zeros(len(diameter)), units="x", offsets=points[order, :2],
            offset_transform=axes.transData, facecolors=colour, edgecolors=colour, alpha=0.35, lw=0.6, zorder=3,
        )
    )  # fmt: skip
    axes.plot(points[order, 0], points[order, 1], ".", ms=1.5, color=colour, zorder=4)
