"""Figures of full against fast simulation: where the time goes, and one event of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from facsim.core.geometry import CylinderGeometry
from facsim.report.figures_single import cell_positions, draw_shower
from facsim.report.style import INK, MUTED, NULL, looks, new_figure

FAST = "fast"
LOOKS = looks({FAST: "surrogate"})
LABELS = {"reference": "full simulation", FAST: "fast simulation"}
PARTS = {
    "front": "Geant4 in front",
    "guard": "guard, conversions",
    "surrogate": "surrogate",
    "placement": "placement",
    "rest": "Geant4 for what is left",
    "hand_over": "files between processes",
}


def time_figure(times: Mapping[str, Any]) -> Figure:
    """CPU time of an event, full and fast on one scale, and the parts of the fast one on a scale of their own."""
    figure = new_figure(7.4, 3.3)
    top = figure.add_axes((0.235, 0.76, 0.60, 0.19))
    bottom = figure.add_axes((0.235, 0.14, 0.60, 0.45))
    values = [times["full_ms"], times["fast_ms"]]
    top.barh([0, 1], values, color=[NULL, LOOKS[FAST].colour], height=0.7)
    top.set_yticks([0, 1], list(LABELS.values()))
    ratio = f"{values[1]:.2f} ms, {times['ratio']:.0f} times less"
    _bars(top, values, [f"{values[0]:.0f} ms", ratio])
    names = sorted(PARTS, key=lambda name: -times["fast_parts"][name])
    parts = [times["fast_parts"][name] for name in names]
    bottom.barh(range(len(parts)), parts, color=LOOKS[FAST].colour, height=0.7, alpha=0.85)
    bottom.set_yticks(range(len(parts)), [PARTS[name] for name in names])
    _bars(bottom, parts, [f"{ms:.2f} ms, {ms / values[1]:.0%}" for ms in parts])
    bottom.set_xlabel("CPU time per event [ms], one thread")
    figure.text(0.235, 0.625, "of which, in the fast simulation:", color=MUTED, fontsize=8.5)
    return figure


def _bars(axes: Any, values: list[float], words: list[str]) -> None:
    """Bars from top to bottom without a frame, and what they say behind them."""
    axes.invert_yaxis()
    axes.set_xlim(0, 1.02 * max(values))
    axes.tick_params(axis="both", length=0, which="both", top=False, right=False)
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)
    for place, (value, text) in enumerate(zip(values, words, strict=True)):
        axes.annotate(
            text, (value, place), (4, 0), textcoords="offset points", va="center", fontsize=8.5, color=INK,
            annotation_clip=False,
        )  # fmt: skip


def display_figure(geometry: CylinderGeometry, drawn: Mapping[str, NDArray[Any]], energy: float) -> Figure:
    """One full and one fast event in space, cells (V,) in MeV on one scale; `energy` of the beam in GeV."""
    figure = new_figure(6.4, 3.1)
    place, least = cell_positions(geometry), geometry.threshold
    cells = {name: np.where(values < least, 0.0, values) for name, values in drawn.items()}
    brightest = max(float(values.max()) for values in cells.values())
    for column, (name, label) in enumerate(zip(("full", FAST), LABELS.values(), strict=True)):
        axes = figure.add_axes((0.01 + 0.5 * column, 0.0, 0.48, 0.9))
        draw_shower(axes, place, cells[name], max(brightest, least, 1e-9))
        total, hits = cells[name].sum() / 1e3, int((cells[name] > 0).sum())
        axes.set_title(f"{label}, {energy:g} GeV: {total:.3g} GeV in {hits} cells", pad=2)
    return figure
