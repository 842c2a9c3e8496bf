"""Classifier weights in one figure: their distribution, whether they can be believed, where the sample fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter
from numpy.typing import NDArray

from facsim.report.style import GRID, INK, MUTED, NULL, TRUTH, Look, log_axis, new_figure

Json = Mapping[str, Any]
CLEAR = 3.0
MOST_BINS = 40


def weights_figure(data: Json, look: Look, label: str = "candidate", reference: str = "truth", most: int = 8) -> Figure:
    """The figure of one comparison.

    Args:
        data: `WeightDiagnostics.to_dict()`. look: of the candidate. label, reference: names of the samples.
        most: how many regions are drawn, the most significant first.
    """
    regions = data["regions"][:most]
    height = 3.2 + (0.25 * len(regions) + 0.7 if regions else 0.0)
    figure = new_figure(7.4, height)
    bottom, tall = (height - 2.7) / height, 2.35 / height
    _distribution(figure.add_axes((0.085, bottom, 0.53, tall)), data, look, label, reference)
    _reliability(figure.add_axes((0.715, bottom, 0.265, tall)), data["reliability"], look)
    if regions:
        _regions(
            figure.add_axes((0.32, 0.45 / height, 0.66, 0.25 * len(regions) / height)), regions, look, label, reference
        )
    return figure


def _distribution(axes: Axes, data: Json, look: Look, label: str, reference: str) -> None:
    """Histograms of log10 w; what lies outside is drawn in the first and last bin."""
    edges, drawn = _drawn_bins(data["histogram"])
    edges = edges / np.log(10)
    for name, written, colour, dash, width in (
        ("reference", reference, TRUTH, "-", 1.3),
        ("candidate", label, look.colour, look.dash, look.width),
    ):
        axes.stairs(drawn[name], edges, color=colour, ls=dash, lw=width, label=written)
    for edge in np.log10([0.2, 5.0]):
        axes.axvline(edge, color=NULL, lw=0.8, ls=(0, (4, 2)))
    axes.set_xlim(min(edges[0], -0.8) - 0.05, max(edges[-1], 0.8) + 0.05)
    axes.set_yscale("log")
    axes.margins(y=0.25)
    log_axis(axes.yaxis)
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(f"log10 of the weight p({reference}) / p({label})")
    axes.set_ylabel("fraction of events / bin")
    tails = data["tails"]["candidate"]
    mean, error = data["mean_weight"]
    lines = (
        f"AUC {data['auc']:.3f} ± {data['error']:.3f}",
        f"mean weight {mean:.3f} ± {error:.3f}",
        f"above 5: {_percent(tails[0])},  below 0.2: {_percent(tails[1])}",
        f"effective size {_percent(data['effective_size'])}",
    )
    axes.text(0.0, 1.04, "    ".join(lines), transform=axes.transAxes, va="bottom", color=MUTED)
    axes.legend(loc="upper left")


def _drawn_bins(histogram: Json) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Edges of at most some forty bins over the used range, and the shares in them; the ends take what lies beyond."""
    edges = np.asarray(histogram["edges"], dtype=np.float64)
    inside = {}
    for name in ("reference", "candidate"):
        shares = np.asarray(histogram[name], dtype=np.float64)
        inside[name] = shares[1:-1].copy()
        inside[name][[0, -1]] += shares[[0, -1]]
    used = np.flatnonzero(sum(inside.values()))
    first, last = int(used[0]), int(used[-1]) + 1
    step = -(-(last - first) // MOST_BINS)
    starts = np.arange(first, last, step)
    drawn = {name: np.add.reduceat(shares[first:last], starts - first) for name, shares in inside.items()}
    return np.append(edges[starts], edges[min(starts[-1] + step, len(edges) - 1)]), drawn


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share >= 0.0005 or share == 0 else "< 0.1 %"


def _reliability(axes: Axes, data: Json, look: Look) -> None:
    axes.plot([0, 1], [0, 1], color=NULL, lw=0.9)
    axes.errorbar(data["predicted"], data["observed"], data["error"], fmt=look.marker, ms=4, lw=1.1, color=look.colour)
    values = np.concatenate(
        [data["predicted"], np.add(data["observed"], data["error"]), np.subtract(data["observed"], data["error"])]
    )
    reach = min(0.5, 1.15 * float(np.abs(values - 0.5).max()) + 0.01)
    axes.set_xlim(0.5 - reach, 0.5 + reach)
    axes.set_ylim(0.5 - reach, 0.5 + reach)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.set_xlabel("predicted probability")
    axes.set_ylabel("observed share of candidates")
    axes.text(0.06, 0.95, f"p = {data['p']:.2g}", transform=axes.transAxes, va="top", color=MUTED)


def _regions(axes: Axes, regions: list[Json], look: Look, label: str, reference: str) -> None:
    """Bars of significance, coloured from 3 on, the shares of both samples written beside them."""
    places = np.arange(len(regions))[::-1]
    z = np.array([row["z"] for row in regions])
    axes.barh(places, z, height=0.62, color=[look.colour if each >= CLEAR else NULL for each in z])
    right = max(float(z.max()), CLEAR) * 1.42
    for place, row in zip(places, regions, strict=True):
        shares = f"{_percent(row['share_reference'])} → {_percent(row['share_candidate'])}"
        axes.text(max(row["z"], 0) + 0.012 * right, place, shares, va="center", fontsize=8, color=MUTED)
    names = [
        f"{row['observable']}  {row['low']:.3g} … {row['high']:.3g}".replace("-", "\N{MINUS SIGN}") for row in regions
    ]
    axes.set_yticks(places, names)
    axes.tick_params(axis="y", length=0)
    axes.axvline(0, color=INK, lw=0.8)
    axes.set_xlim(min(0.0, 1.1 * float(z.min())), right)
    axes.set_ylim(-0.6, len(regions) - 0.4)
    axes.set_xlabel(f"z: significance of the region's part of the difference (beside: share of {reference} → {label})")
    axes.grid(axis="x", color=GRID, lw=0.5)
