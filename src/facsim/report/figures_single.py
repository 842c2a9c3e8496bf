"""Single showers in space: every cell a point, sized and coloured by its energy."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from facsim.core.geometry import CylinderGeometry, Geometry
from facsim.report.figures_maps import _ring_edges
from facsim.report.histograms import FloatArray
from facsim.report.showers import ShowerGallery
from facsim.report.style import ENERGY, GRID, MUTED, NULL, new_figure

_YAW, _PITCH = np.deg2rad(32.0), np.deg2rad(16.0)
_LENGTH = 2.9  # depth of the drawn cylinder in units of its radius


def space_figure(gallery: ShowerGallery, labels: dict[str, str]) -> Figure:
    """Showers of each sample (columns) at each wanted energy (rows) in an oblique projection."""
    names, count = list(gallery.cells), len(gallery.wanted)
    figure = new_figure(2.05 * len(names) + 0.55, 1.95 * count + 0.3)
    width, height = figure.get_size_inches()
    place = cell_positions(gallery.geometry)
    grid = figure.add_gridspec(
        count, len(names), left=0.45 / width, right=0.995, top=1 - 0.3 / height, bottom=0.01, wspace=0.02, hspace=0.03
    )
    for row, energy in enumerate(gallery.wanted):
        brightest = max(float(cells[row].max()) for cells in gallery.cells.values())
        for column, name in enumerate(names):
            axes = figure.add_subplot(grid[row, column])
            draw_shower(axes, place, gallery.cells[name][row], brightest)
            if row == 0:
                axes.set_title(labels[name], pad=3)
            if column == 0:
                axes.text(
                    -0.1,
                    0.5,
                    f"{energy / 1e3:.3g} GeV",
                    transform=axes.transAxes,
                    rotation=90,
                    va="center",
                    fontsize=10,
                )
            _numbers(axes, gallery.cells[name][row])
    return figure


def cell_positions(geometry: Geometry) -> FloatArray:
    """Cell centres (V, 3): depth along the beam, then the two transverse directions, in radii of the read-out."""
    depth = (geometry.layer_index + 0.5) / geometry.n_layers * _LENGTH - _LENGTH / 2
    if not isinstance(geometry, CylinderGeometry):
        radius = float(geometry.r.max()) or 1.0
        return np.stack([depth, geometry.x / radius, geometry.y / radius], axis=1)
    return np.stack([depth, *_on_cylinder(geometry)], axis=1)


def _on_cylinder(geometry: CylinderGeometry) -> tuple[FloatArray, FloatArray]:
    radius = np.empty(geometry.n_cells)
    for layer in range(geometry.n_layers):
        part = slice(geometry.offsets[layer], geometry.offsets[layer + 1])
        edges, _ = _ring_edges(geometry, layer)
        radius[part] = (0.5 * (edges[1:] + edges[:-1]))[geometry.ring_index[part]]
    radius /= max(float(_ring_edges(geometry, k)[0][-1]) for k in range(geometry.n_layers))
    return radius * np.cos(geometry.alpha), radius * np.sin(geometry.alpha)


def _project(points: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Picture coordinates and distance of points (n, 3) turned by the yaw about the vertical, then by the pitch."""
    z, x, y = points.T
    along = z * np.cos(_YAW) + x * np.sin(_YAW)
    away = -z * np.sin(_YAW) + x * np.cos(_YAW)
    return along, y * np.cos(_PITCH) + away * np.sin(_PITCH), away * np.cos(_PITCH) - y * np.sin(_PITCH)


def draw_shower(axes: Axes, place: FloatArray, cells: FloatArray, brightest: float) -> None:
    """One shower (V,) in MeV at `place` (V, 3); `brightest` is the cell energy at the end of the scale."""
    _cage(axes)
    hit = np.flatnonzero(cells > 0)
    across, up, away = _project(place[hit])
    order = np.argsort(-away)
    energy = cells[hit][order]
    norm = LogNorm(brightest * 3e-3, brightest, clip=True)
    level = norm(energy)
    axes.scatter(
        across[order],
        up[order],
        s=1.2 + 80 * (energy / brightest) ** 0.6,
        c=ENERGY(0.3 + 0.7 * np.asarray(level)),
        alpha=0.88,
        linewidths=0.12,
        edgecolors="white",
    )
    axes.set_aspect("equal")
    axes.set_xlim(-1.85, 1.85)
    axes.set_ylim(-1.68, 1.62)
    axes.set_axis_off()


def _cage(axes: Axes) -> None:
    """Outline of the read-out cylinder and the path of the particle."""
    angle = np.linspace(0, 2 * np.pi, 73)
    for end in (-_LENGTH / 2, _LENGTH / 2):
        ring = np.stack([np.full_like(angle, end), np.cos(angle), np.sin(angle)], axis=1)
        axes.plot(*_project(ring)[:2], color=GRID, lw=0.8, zorder=0.5)
    for side in np.deg2rad([0, 90, 180, 270]):
        line = np.array([[end, np.cos(side), np.sin(side)] for end in (-_LENGTH / 2, _LENGTH / 2)])
        axes.plot(*_project(line)[:2], color=GRID, lw=0.6, zorder=0.5)
    beam = np.array([[-_LENGTH / 2 - 0.75, 0, 0], [-_LENGTH / 2, 0, 0]])
    across, up, _ = _project(beam)
    axes.annotate(
        "", (across[1], up[1]), (across[0], up[0]), arrowprops={"arrowstyle": "-|>", "color": NULL, "lw": 0.9}
    )


def _numbers(axes: Axes, cells: FloatArray) -> None:
    total, hits = float(cells.sum()), int((cells > 0).sum())
    text = f"{total / 1e3:.3g} GeV in {hits} cells" if total >= 1e3 else f"{total:.3g} MeV in {hits} cells"
    axes.text(0.5, 0.01, text, transform=axes.transAxes, ha="center", va="bottom", fontsize=7.5, color=MUTED)
