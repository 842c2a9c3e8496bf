"""The picture beside showers of a shipped model: profiles, response, and three showers as maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from facsim.core.events import Events
from facsim.core.geometry import CylinderGeometry
from facsim.core.store import atomic_path
from facsim.report.style import ENERGY, facsim_style, new_figure

SHOWN = 3


def shower_picture(batches: Sequence[Events], name: str, path: Path) -> None:
    """Write a PNG of showers on a cylinder (MeV), given in batches; the maps are summed over the angle."""
    geometry = batches[0].schema.geometry
    assert isinstance(geometry, CylinderGeometry)
    cells = np.concatenate([batch.cells for batch in batches])
    energy = np.concatenate([batch.cond[:, 0] for batch in batches])
    with facsim_style():
        figure = new_figure(10.5, 5.6)
        axes = figure.subplots(2, SHOWN)
        _profiles(axes[0], geometry, cells, energy)
        order = np.argsort(energy)[np.linspace(0, len(energy) - 1, SHOWN).astype(int)]
        for axis, event in zip(axes[1], order, strict=True):
            _map(axis, geometry, cells[event], energy[event])
        figure.suptitle(f"{len(cells)} showers of {name}")
        figure.tight_layout()
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format="png", dpi=120, facecolor="white")


def _profiles(axes: Sequence[Axes], geometry: CylinderGeometry, cells: np.ndarray, energy: np.ndarray) -> None:
    layer = geometry.layer_sum(cells)
    axes[0].step(np.arange(geometry.n_layers), layer.mean(0), where="mid")
    axes[0].set(xlabel="layer", ylabel="mean energy [MeV]")
    rings = np.bincount(geometry.ring_index, weights=cells.mean(0))
    axes[1].step(np.arange(len(rings)), rings, where="mid")
    axes[1].set(xlabel="ring", ylabel="mean energy [MeV]", yscale="log")
    axes[2].plot(energy / 1e3, cells.sum(1) / energy, ".", markersize=2)
    axes[2].set(xlabel="incident energy [GeV]", ylabel="visible / incident energy", xscale="log")


def _map(axis: Axes, geometry: CylinderGeometry, cells: np.ndarray, energy: float) -> None:
    shape = (geometry.n_layers, int(geometry.ring_index.max()) + 1)
    image = np.zeros(shape)
    np.add.at(image, (geometry.layer_index, geometry.ring_index), cells)
    norm = LogNorm(max(geometry.threshold, 1e-3), max(float(image.max()), 1.0))
    axis.imshow(np.where(image > 0, image, np.nan).T, origin="lower", aspect="auto", cmap=ENERGY, norm=norm)
    axis.set(xlabel="layer", ylabel="ring", title=f"{energy / 1e3:.3g} GeV")
