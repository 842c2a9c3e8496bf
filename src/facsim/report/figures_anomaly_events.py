"""Pictures of scores of anomaly: their distributions, single events with reconstructions, a map of latents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from facsim.report.style import ENERGY, INK, MUTED, log_axis, looks, new_figure

Json = dict[str, Any]
FloatArray = np.ndarray[Any, np.dtype[np.float64]]
BACKGROUND = "background"
SHOWN = 4
"""Kinds of signal whose distributions are drawn; all of them would hide one another."""
SIZE = (5.2, 3.6)


def distribution_figure(item: Json, label: str, threshold: float | None = None) -> Figure:
    """Normalised distributions of background (filled) and of some kinds of signal on common bins."""
    figure = new_figure(*SIZE)
    axes = figure.add_axes((0.14, 0.15, 0.83, 0.7))
    edges = np.array(item["edges"])
    names = spread(list(item["groups"]))
    styles = looks(dict.fromkeys(names[1:], "surrogate"))
    for name in names:
        shares = _shares(item["groups"][name])
        if name == BACKGROUND:
            axes.stairs(shares, edges, color=MUTED, alpha=0.35, fill=True, label=name)
        else:
            axes.stairs(shares, edges, color=styles[name].colour, lw=1.4, label=name)
    if threshold is not None:
        axes.axvline(threshold, color=INK, lw=0.9, ls="--")
    if item["logarithmic"]:
        axes.set_xscale("log")
        log_axis(axes.xaxis)
    axes.set_yscale("log")
    axes.set_xlabel(label)
    axes.set_ylabel("share of events")
    figure.legend(loc="upper left", bbox_to_anchor=(0.12, 1.0), ncols=3)
    return figure


def spread(names: Sequence[str]) -> list[str]:
    """Background and at most four other names, spread over the list."""
    others = [name for name in names if name != BACKGROUND]
    places = np.linspace(0, max(len(others) - 1, 0), min(SHOWN, len(others))).round().astype(int)
    return [BACKGROUND, *(others[place] for place in np.unique(places))]


def _shares(histogram: Json) -> FloatArray:
    """Of the bins of a UHI histogram without what lies beyond."""
    values = np.array(histogram["storage"]["values"], dtype=np.float64)
    inner = values[1:-1] if len(values) > 2 else values
    return np.asarray(inner / max(values.sum(), 1e-300))


def event_figure(event: Json, displays: Json) -> Figure:
    """One event: its channels above, and what a network makes of what it sees of them below, where it does."""
    channels = displays["channels"]
    rows = [("", event["input"], event["input"])]
    if "made" in event:
        rows.append(("reconstruction, ", event["made"], event["seen"]))
    columns = max(len(images) for _, images, _ in rows)
    figure = new_figure(2.35 * columns + 0.9, 2.05 * len(rows) + 0.5)
    grid = figure.add_gridspec(
        len(rows), columns, left=0.085, right=0.93, top=0.9, bottom=0.11 if len(rows) > 1 else 0.2, wspace=0.28,
        hspace=0.22,
    )  # fmt: skip
    for row, (what, images, scale) in enumerate(rows):
        for column, image in enumerate(images):
            axes = figure.add_subplot(grid[row, column])
            _image(axes, np.array(image, dtype=np.float64), np.array(scale[column], dtype=np.float64), displays)
            unit = f" [{channels[column]['unit']}]" if row == 0 and channels[column]["unit"] else ""
            name = channels[column]["name"] if len(images) == len(channels) else f"channel {column + 1}"
            axes.set_title(f"{what}{name}{unit}", fontsize=7.5, color=MUTED, pad=2.5)
            axes.tick_params(labelsize=6.5, labelbottom=row == len(rows) - 1, labelleft=column == 0)
            if row == len(rows) - 1:
                axes.set_xlabel(displays["labels"][0], fontsize=8)
            if column == 0:
                axes.set_ylabel(displays["labels"][1], fontsize=8)
    return figure


def _image(axes: Axes, image: FloatArray, scale: FloatArray, displays: Json) -> None:
    """An image on the colour scale of the hit cells of `scale`."""
    hit = scale[scale > 0]
    high = float(hit.max()) if len(hit) else 1.0
    low = min(float(max(np.quantile(hit, 0.02), 1e-3 * high)) if len(hit) else 0.1, 0.5 * high)
    left, right, bottom, top = displays["extent"]
    drawn = axes.imshow(
        np.where(image >= low, image, np.nan), origin="lower", extent=(left, right, bottom, top), cmap=ENERGY,
        norm=LogNorm(low, high), aspect="auto", interpolation="nearest",
    )  # fmt: skip
    figure = axes.get_figure()
    assert figure is not None
    bar = figure.colorbar(drawn, ax=axes, fraction=0.05, pad=0.03)
    bar.ax.tick_params(labelsize=6)
    log_axis(bar.ax.yaxis, 4)


def latent_figure(item: Json) -> Figure:
    """Two principal components of background's latents, in its standard deviations, with events of each kind."""
    figure = new_figure(SIZE[0], 4.6)
    axes = figure.add_axes((0.12, 0.11, 0.85, 0.72))
    points: Mapping[str, Any] = item["points"]
    names = spread(list(points))
    styles = looks(dict.fromkeys(names[1:], "surrogate"))
    for name in names:
        at = np.array(points[name], dtype=np.float64).reshape(-1, 2)
        if name == BACKGROUND:
            axes.plot(*at.T, ".", ms=3.5, color=MUTED, alpha=0.5, label=name)
        else:
            axes.plot(*at.T, styles[name].marker, ms=3.2, mfc="none", mew=0.8, color=styles[name].colour, label=name)
    axes.set_xlabel(f"first component ({100 * item['share'][0]:.0f} % of the variance)")
    axes.set_ylabel(f"second ({100 * item['share'][1]:.0f} %)")
    figure.legend(loc="upper left", bbox_to_anchor=(0.1, 1.0), ncols=3)
    return figure


def latency_figure(found: Mapping[str, Json]) -> Figure:
    """Share of calls that take longer than a time, of each engine, on logarithmic axes."""
    figure = new_figure(*SIZE)
    axes = figure.add_axes((0.14, 0.15, 0.83, 0.7))
    styles = looks(dict.fromkeys(found, "surrogate"))
    for name, row in found.items():
        times, share = np.array(row["quantiles_ms"]), 1 - np.array(row["levels"])
        axes.plot(times, share, color=styles[name].colour, lw=1.5, label=f"{name}, median {row['median_ms']:.3g} ms")
    axes.set_xscale("log")
    axes.set_yscale("log")
    log_axis(axes.xaxis)
    axes.set_xlabel("time of one event [ms]")
    axes.set_ylabel("share of calls that take longer")
    figure.legend(loc="upper left", bbox_to_anchor=(0.12, 1.0), ncols=2)
    return figure
