"""The picture beside showers of a shipped model: profiles, response, and three showers in space."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter

from facsim.core.events import Events
from facsim.core.geometry import CylinderGeometry
from facsim.core.store import atomic_path
from facsim.report.figures_single import cell_positions, draw_shower
from facsim.report.histograms import FloatArray
from facsim.report.style import MUTED, facsim_style, looks, new_figure

SHOWN = 3
LINE = looks({"surrogate": "surrogate"})["surrogate"].colour


def shower_picture(batches: Sequence[Events], title: str, path: Path) -> None:
    """Write a PNG of showers on a cylinder (MeV), given in batches, under `title`."""
    geometry = batches[0].schema.geometry
    assert isinstance(geometry, CylinderGeometry)
    cells = np.concatenate([batch.cells for batch in batches])
    energy = np.concatenate([batch.condition("incident_energy") for batch in batches])
    with facsim_style():
        figure = new_figure(9.6, 5.4)
        grid = figure.add_gridspec(
            2, SHOWN, left=0.07, right=0.985, top=0.93, bottom=-0.03, hspace=0.24, wspace=0.3, height_ratios=(1, 1.05)
        )
        _profiles([figure.add_subplot(grid[0, column]) for column in range(SHOWN)], geometry, cells, energy)
        ranks = np.unique(np.linspace(0, len(energy) - 1, SHOWN).astype(int))
        order = np.argsort(energy, kind="stable")[ranks]
        place = cell_positions(geometry)
        for column, event in enumerate(order):
            axes = figure.add_subplot(grid[1, column])
            draw_shower(axes, place, cells[event], max(float(cells[event].max()), geometry.threshold))
            hits = int((cells[event] > 0).sum())
            axes.set_title(f"{energy[event] / 1e3:.3g} GeV, {hits} cells hit", pad=2)
        figure.suptitle(title, color=MUTED, y=0.985)
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format="png", dpi=130, facecolor="white")


def _profiles(axes: Sequence[Axes], geometry: CylinderGeometry, cells: FloatArray, energy: FloatArray) -> None:
    along = geometry.layer_sum(cells).mean(0)
    axes[0].stairs(along, np.arange(geometry.n_layers + 1), color=LINE, lw=1.6)
    axes[0].set(xlabel="layer", ylabel="mean energy per layer [MeV]", xlim=(0, geometry.n_layers), ylim=(0, None))
    edges = geometry.ring_edges
    rings = np.bincount(geometry.ring_index, weights=cells.mean(0))
    widths = np.diff(np.arange(len(rings) + 1) if edges is None else edges)
    axes[1].stairs(rings / widths, np.concatenate([[0.0], np.cumsum(widths)]), color=LINE, lw=1.6)
    unit, label = ("ring", "ring") if edges is None else ("mm", "distance from the axis [mm]")
    axes[1].set(xlabel=label, ylabel=f"mean energy per {unit} [MeV]", yscale="log", xlim=(0, widths.sum()))
    _response(axes[2], cells.sum(1) / energy, energy / 1e3)


def _response(axes: Axes, response: FloatArray, energy: FloatArray) -> None:
    """Visible over incident energy against the incident one in GeV, or its histogram where that is always the same."""
    label = "visible / incident energy"
    if energy.max() < 1.01 * energy.min():
        axes.stairs(*np.histogram(response, bins=max(10, int(np.sqrt(len(response))))), color=LINE, lw=1.6)
        axes.set(xlabel=label, ylabel=f"showers at {energy[0]:.3g} GeV")
        return
    axes.plot(energy, response, ".", color=LINE, markersize=2, alpha=0.6)
    axes.set(xlabel="incident energy [GeV]", ylabel=label)
    if energy.max() > 3 * energy.min():
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
