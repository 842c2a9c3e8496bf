"""Average showers drawn as maps: radius against depth, and layer by layer as the particle sees them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import LogNorm, Normalize, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from facsim.core.geometry import CylinderGeometry
from facsim.report.histograms import FloatArray
from facsim.report.style import ENERGY, GRID, INK, MUTED, SIGNED, decade_label, new_figure

DECADES = 4.0


def depth_radius_figure(geometry: CylinderGeometry, means: dict[str, FloatArray], labels: dict[str, str]) -> Figure:
    """Mean energy per cell against layer and ring, and below it the ratio to truth.

    Args:
        geometry: the read-out.
        means: mean energy per cell (V,) in MeV of `reference` (required), `null` and samples.
        labels: what to write above each column.
    """
    rings = {name: _ring_means(geometry, values) for name, values in means.items()}
    names = ["reference", *(n for n in means if n not in ("reference", "null"))]
    below = ["null" if n == "reference" else n for n in names]
    figure = new_figure(1.95 * len(names) + 1.15, 3.7)
    left, right = 0.6 / figure.get_figwidth(), 1 - 0.75 / figure.get_figwidth()
    grid = figure.add_gridspec(2, len(names), wspace=0.08, hspace=0.13, left=left, right=right, top=0.91, bottom=0.13)
    top = max(float(rings["reference"].max()), 1e-9)
    energy, signed = LogNorm(top * 10**-DECADES, top), TwoSlopeNorm(1.0, 0.5, 1.5)
    polygons, regular = _depth_polygons(geometry)
    for column, name in enumerate(names):
        upper = figure.add_subplot(grid[0, column])
        lower = figure.add_subplot(grid[1, column])
        upper.set_title(labels[name], pad=4)
        _fill(upper, polygons, rings[name], energy)
        if below[column] in rings:
            reference = rings["reference"]
            ratio = rings[below[column]] / np.where(reference > top * 10**-DECADES, reference, np.nan)
            _fill(lower, polygons, ratio, signed)
        else:
            lower.text(0.5, 0.5, "no null", transform=lower.transAxes, ha="center", color=MUTED)
        if column == 0:
            _tag(lower, labels.get("null", ""))
        for axes in (upper, lower):
            axes.set_xlim(0, geometry.n_layers)
            axes.set_ylim(0, max(float(p[:, 1].max()) for p in polygons))
            axes.tick_params(labelleft=column == 0, labelbottom=axes is lower, top=False, right=False)
    first, last = figure.axes[0], figure.axes[-1]
    first.set_ylabel("r [mm]" if regular else "ring")
    figure.axes[1].set_ylabel("r [mm]" if regular else "ring")
    last.set_xlabel("layer")
    _bar(figure, right, 0.535, 0.375, energy, "MeV per cell")
    _bar(figure, right, 0.13, 0.375, signed, "ratio to truth")
    return figure


def layers_figure(
    geometry: CylinderGeometry, layers: list[int], rows: dict[str, FloatArray], labels: dict[str, str], unit: str
) -> Figure:
    """Cells of a few layers seen along the beam, one column a sample, one row a layer.

    Args:
        layers: positions in the geometry's `layers`.
        rows: energy per cell (V,) in MeV of each sample.
        unit: text of the colour bar.
    """
    names = list(rows)
    side = 1.12
    width, height = side * len(names) + 1.05, side * len(layers) + 0.28
    figure = new_figure(width, height)
    right = (side * len(names) + 0.28) / width
    axes = figure.add_axes((0.28 / width, 0.0, side * len(names) / width, side * len(layers) / height))
    axes.set_axis_off()
    axes.set_aspect("equal")
    axes.set_xlim(-1.06, 2.12 * len(names) - 1.06)
    axes.set_ylim(-(2.12 * len(layers) - 1.06), 1.06)
    inside = np.isin(geometry.layer_index, layers)
    top = max(float(rows[names[0]][inside].max()), 1e-9)
    norm = LogNorm(top * 10**-DECADES, top)
    for row, layer in enumerate(layers):
        wedges, part = _wedges(geometry, layer), slice(geometry.offsets[layer], geometry.offsets[layer + 1])
        axes.text(-1.09, -2.12 * row, f"layer {geometry.layers[layer].id}", rotation=90, va="center", ha="right")
        for column, name in enumerate(names):
            shift = np.array([2.12 * column, -2.12 * row])
            _fill(axes, [wedge + shift for wedge in wedges], rows[name][part], norm, edge=0.15)
    for column, name in enumerate(names):
        axes.text(2.12 * column, 1.1, labels[name], ha="center", va="bottom", fontsize=8.5)
    _bar(figure, right, 0.06, 0.8, norm, unit)
    return figure


def matrices_figure(matrices: dict[str, FloatArray], labels: dict[str, str]) -> Figure:
    """Correlation matrices of the layer energies, and below them the difference from truth's."""
    names = ["reference", *(n for n in matrices if n not in ("reference", "null"))]
    figure = new_figure(1.95 * len(names) + 1.15, 4.25)
    left, right = 0.6 / figure.get_figwidth(), 1 - 0.75 / figure.get_figwidth()
    grid = figure.add_gridspec(2, len(names), wspace=0.08, hspace=0.1, left=left, right=right, top=0.92, bottom=0.11)
    size = len(matrices["reference"])
    full, small = Normalize(-1, 1), Normalize(-0.3, 0.3)
    for column, name in enumerate(names):
        upper, lower = figure.add_subplot(grid[0, column]), figure.add_subplot(grid[1, column])
        upper.set_title(labels[name], pad=4)
        upper.imshow(matrices[name], cmap=SIGNED, norm=full, origin="lower", extent=(0, size, 0, size))
        other = matrices.get("null" if name == "reference" else name)
        if other is not None:
            difference = other - matrices["reference"]
            lower.imshow(difference, cmap=SIGNED, norm=small, origin="lower", extent=(0, size, 0, size))
        if column == 0:
            _tag(lower, labels.get("null", ""))
        for axes in (upper, lower):
            axes.tick_params(labelleft=column == 0, labelbottom=axes is lower, top=False, right=False)
    figure.axes[0].set_ylabel("layer")
    figure.axes[-1].set_xlabel("layer")
    _bar(figure, right, 0.53, 0.39, full, "correlation")
    _bar(figure, right, 0.11, 0.39, small, "minus truth")
    return figure


def _tag(axes: Axes, text: str) -> None:
    box = {"facecolor": "white", "alpha": 0.85, "lw": 0, "pad": 1.8}
    axes.text(0.035, 0.955, text, transform=axes.transAxes, va="top", fontsize=8, bbox=box, zorder=9)


def telling_layers(geometry: CylinderGeometry, mean: FloatArray, count: int = 4) -> list[int]:
    """Layers, front to back, where a growing share of the mean energy has been deposited."""
    share = np.cumsum(geometry.layer_sum(mean[None])[0])
    share /= max(float(share[-1]), 1e-12)
    quantiles = np.linspace(0.05, 0.95, count)
    return sorted({int(i) for i in np.minimum(np.searchsorted(share, quantiles), geometry.n_layers - 1)})


def _ring_means(geometry: CylinderGeometry, mean: FloatArray) -> FloatArray:
    """Mean over the sectors of each ring of each layer, all layers one after another."""
    key = geometry.layer_index * 1000 + geometry.ring_index
    _, index = np.unique(key, return_inverse=True)
    return np.asarray(np.bincount(index, weights=mean) / np.bincount(index))


def _ring_edges(geometry: CylinderGeometry, layer: int) -> tuple[FloatArray, bool]:
    """Edges to draw, in mm when the rings of the detector are about alike, else in ring numbers."""
    edges = np.asarray(geometry.layers[layer].r_edges)
    widths = np.concatenate([np.diff(item.r_edges) for item in geometry.layers])
    regular = bool(widths.max() < 3 * widths.min())
    return (edges if regular else np.arange(len(edges), dtype=np.float64)), regular


def _depth_polygons(geometry: CylinderGeometry) -> tuple[list[FloatArray], bool]:
    polygons = []
    regular = True
    for layer in range(geometry.n_layers):
        edges, regular = _ring_edges(geometry, layer)
        for low, high in pairwise(edges):
            polygons.append(np.array([(layer, low), (layer + 1, low), (layer + 1, high), (layer, high)]))
    return polygons, regular


def _wedges(geometry: CylinderGeometry, layer: int) -> list[FloatArray]:
    """Outlines of the cells of a layer in the unit disc, in cell order."""
    edges, _ = _ring_edges(geometry, layer)
    radii = edges / edges[-1]
    n_alpha = geometry.layers[layer].n_alpha
    fine = max(2, 48 // n_alpha + 1)
    shapes = []
    for sector in range(n_alpha):
        angle = np.linspace(-np.pi, np.pi, n_alpha + 1)[sector : sector + 2]
        arc = np.linspace(angle[0], angle[1], fine)
        circle = np.stack([np.cos(arc), np.sin(arc)], axis=1)
        shapes += [np.concatenate([low * circle, high * circle[::-1]]) for low, high in pairwise(radii)]
    return shapes


def _fill(axes: Axes, polygons: list[FloatArray], values: FloatArray, norm: Normalize, edge: float = 0.0) -> None:
    """Coloured cells; what is empty or below the scale stays paper."""
    signed = not isinstance(norm, LogNorm)
    shown = np.isfinite(values) if signed else values > 0
    colours = (SIGNED if signed else ENERGY)(norm(np.where(shown, values, norm.vmax or 1.0)))
    colours[~shown] = (0.975, 0.98, 0.985, 1.0)
    outline = GRID if edge else colours
    axes.add_collection(PolyCollection(polygons, facecolors=colours, edgecolors=outline, linewidths=edge or 0.3))


def _bar(figure: Figure, left: float, bottom: float, height: float, norm: Normalize, label: str) -> None:
    from matplotlib.cm import ScalarMappable  # noqa: PLC0415

    width = figure.get_figwidth()
    axes = figure.add_axes((left + 0.1 / width, bottom, 0.11 / width, height))
    signed = not isinstance(norm, LogNorm)
    bar = figure.colorbar(ScalarMappable(norm, SIGNED if signed else ENERGY), cax=axes)
    bar.set_label(label, loc="center", color=INK)
    if not signed:
        axes.yaxis.set_major_formatter(FuncFormatter(decade_label))
    axes.minorticks_off()
    bar.outline.set_linewidth(0.5)
