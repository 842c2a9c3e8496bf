"""Plots of the TPC's reconstruction: efficiencies, residuals, resolutions, energy loss, and a picture of an event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from facsim.evaluate.physics import Curve, Image
from facsim.evaluate.tpc_performance import (
    FEWEST,
    FEWEST_ROWS,
    MILLIMETRES,
    Performance,
    separation,
    total_momentum,
    transverse_momentum,
)
from facsim.metrics.replicas import core_width, median, spread
from facsim.physics import tpc
from facsim.physics.tpc_plane import PadPlane, plane_group

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Points = tuple[FloatArray, FloatArray, FloatArray]
Statistic = Callable[[FloatArray, FloatArray], FloatArray]

PT_EDGES = np.array([0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 2.5])
ROW_EDGES = np.array([1, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 54])
DRIFT_EDGES = np.linspace(0, tpc.DRIFT_LENGTH, 11)
P_EDGES = np.array([0.3, 0.45, 0.6, 0.75, 0.9, 1.1, 1.4, 1.8, 2.4, 3.2])
PULL_EDGES = np.linspace(-5, 5, 41)
REPLICAS = 60
PT = r"$p_\mathrm{T}$ [GeV]"


def curves(samples: Mapping[str, Performance], weights: FloatArray) -> list[Curve]:
    """All plots of the samples by role; `weights` (B, N) as in `tpc_performance.numbers`."""
    some = weights[: REPLICAS + 1]
    return [*_efficiencies(samples), *_residuals(samples, some), *_resolutions(samples, some), *_dedx(samples, some)]


def images(samples: Mapping[str, Performance]) -> list[Image]:
    """The busiest sector of the first event of each sample."""
    planes = {role: one.sample.shown for role, one in samples.items()}
    first = next(iter(planes.values()))
    if not len(first):
        return []
    event = int(first.event[0])
    sector = int(np.bincount(first.sector[first.event == event]).argmax())
    pictures = {role: display(plane, event, sector) for role, plane in planes.items()}
    half = 0.5 * next(iter(pictures.values())).shape[1]
    label, title = "sum of amplitudes [ADC]", f"Event {event}, sector {sector}: pads against pad rows"
    extent = (-half, half, -0.5, tpc.ROWS - 0.5)
    shown = [Image("plane", title, label, pictures, extent, "pad from the middle", "pad row", log=True)]
    return [*shown, *_bands(samples)]


def _bands(samples: Mapping[str, Performance]) -> list[Image]:
    """Energy loss against momentum, as reconstructed."""
    measured = {}
    for role, p in samples.items():
        track, value = p.dedx
        parameters = p.sample.tracks.parameters[p.best[track]]
        measured[role] = transverse_momentum(parameters[:, 2]) * np.hypot(1, parameters[:, 4]), value
    every = np.concatenate([value for _, value in measured.values()])
    if len(every) < FEWEST:
        return []
    low, high = np.log10(np.quantile(every, (0.005, 0.995)))
    x_edges, y_edges = np.linspace(-1, 0.7, 69), np.linspace(low - 0.05, high + 0.05, 61)
    pictures = {
        role: np.histogram2d(np.log10(value), np.log10(momentum), (y_edges, x_edges))[0]
        for role, (momentum, value) in measured.items()
    }
    extent = (x_edges[0], x_edges[-1], y_edges[0], y_edges[-1])
    labels = (r"$\log_{10}$(momentum / GeV)", r"$\log_{10}$(dE/dx / (ADC/cm))")
    return [Image("dedx_momentum", "Energy loss against momentum", "tracks", pictures, extent, *labels, log=True)]


def display(plane: PadPlane, event: int, sector: int) -> FloatArray:
    """Amplitudes of a sector (0 to 23) summed over time, (53, most pads): rows are centred on the sector's axis."""
    most = int(tpc.pads_of_row(tpc.ROWS - 1))
    first = plane_group(np.array(event), np.array(sector), np.array(0))
    here = (plane.group >= first) & (plane.group < first + tpc.ROWS)
    row, amplitude = plane.row[here], plane.amplitude[here]
    column = plane.pad[here] + (most - tpc.pads_of_row(row)) // 2
    cells = np.bincount(row * most + column, amplitude, tpc.ROWS * most).astype(np.float64)
    return cells.reshape(tpc.ROWS, most)


def ratio_in_bins(x: FloatArray, passed: BoolArray, edges: FloatArray) -> Points:
    """Parts of entries that passed, and their binomial errors (of one more entry of either kind, so never 0)."""
    low, high = edges[:-1], edges[1:]
    whole, good = np.histogram(x, edges)[0], np.histogram(x[passed], edges)[0]
    part = np.where(whole > 0, good / np.maximum(whole, 1), np.nan)
    smooth = (good + 1) / (whole + 2)
    error = np.where(whole > 0, np.sqrt(smooth * (1 - smooth) / (whole + 3)), np.nan)
    return 0.5 * (low + high), part, error


def in_bins(x: FloatArray, values: FloatArray, weights: FloatArray, edges: FloatArray, statistic: Statistic) -> Points:
    """A statistic of the values in bins of x; errors from the replicas of the weights (B, n)."""
    bins = np.searchsorted(edges, x, side="right") - 1
    y, error = np.full((2, len(edges) - 1), np.nan)
    for k in range(len(edges) - 1):
        inside = bins == k
        if np.count_nonzero(inside) >= FEWEST:
            replicas = statistic(values[inside], weights[:, inside])
            y[k], error[k] = replicas[0], spread(replicas)
    return 0.5 * (edges[1:] + edges[:-1]), y, error


def histogram(values: FloatArray, edges: FloatArray) -> Points:
    """Densities and their Poisson errors; x are the edges."""
    count = np.histogram(values, edges)[0].astype(np.float64)
    norm = max(count.sum(), 1.0) * np.diff(edges)
    return edges, count / norm, np.sqrt(count) / norm


def _efficiencies(samples: Mapping[str, Performance]) -> list[Curve]:
    by_pt, by_rows, fakes = {}, {}, {}
    for role, p in samples.items():
        rows, found = p.truth.rows, p.best >= 0
        countable = rows >= FEWEST_ROWS
        by_pt[role] = ratio_in_bins(p.truth.tracks.pt[countable], found[countable], PT_EDGES)
        by_rows[role] = ratio_in_bins(rows.astype(np.float64), found, ROW_EDGES - 0.5)
        fakes[role] = ratio_in_bins(transverse_momentum(p.sample.tracks.parameters[:, 2]), ~p.matched, PT_EDGES)
    note = f"Tracks that cross at least {FEWEST_ROWS} pad rows."
    return [
        Curve("efficiency_pt", "Efficiency against transverse momentum", PT, "efficiency", by_pt, caption=note),
        Curve("efficiency_rows", "Efficiency against crossed pad rows", "pad rows", "efficiency", by_rows),
        Curve("fakes_pt", "Fake tracks", r"reconstructed $p_\mathrm{T}$ [GeV]", "fake rate", fakes),
    ]


def _residuals(samples: Mapping[str, Performance], weights: FloatArray) -> list[Curve]:
    made = []
    for name, label in (("pad", "along the pads"), ("time", "along the drift")):
        means, widths = {}, {}
        for role, p in samples.items():
            clusters, at = p.sample.clusters, p.points
            off = MILLIMETRES * (clusters.off_pad if name == "pad" else clusters.off_time)[at]
            w = weights[:, clusters.truth[at]]
            means[role] = in_bins(clusters.drift[at], off, w, DRIFT_EDGES, median)
            widths[role] = in_bins(clusters.drift[at], off, w, DRIFT_EDGES, core_width)
        x = "drift length [cm]"
        made.append(Curve(f"residual_mean_{name}", f"Bias of clusters {label}", x, "median residual [mm]", means))
        title = f"Resolution of clusters {label}"
        made.append(Curve(f"residual_width_{name}", title, x, r"$\sigma$ of residuals [mm]", widths, ratio=True))
    return made


def _resolutions(samples: Mapping[str, Performance], weights: FloatArray) -> list[Curve]:
    resolution, bias, pulls = {}, {}, {}
    for role, p in samples.items():
        pt, w = p.truth.tracks.pt[p.fitted], weights[:, p.fitted]
        resolution[role] = in_bins(pt, p.off[:, 2], w, PT_EDGES, core_width)
        bias[role] = in_bins(pt, p.off[:, 2], w, PT_EDGES, median)
        pulls[role] = histogram(p.off[:, 2] / p.errors[:, 2], PULL_EDGES)
    y = r"$\sigma(p_\mathrm{T}^\mathrm{true}/p_\mathrm{T} - 1)$"
    return [
        Curve("resolution_pt", "Momentum resolution", PT, y, resolution, ratio=True),
        Curve("bias_pt", "Momentum bias", PT, r"median of $p_\mathrm{T}^\mathrm{true}/p_\mathrm{T} - 1$", bias),
        Curve("pull_pt", r"Pulls of $q/p_\mathrm{T}$", "pull", "density", pulls, steps=True),
    ]


def _dedx(samples: Mapping[str, Performance], weights: FloatArray) -> list[Curve]:
    pions = tpc.MASSES["pion"]
    shape, mean, width, apart = {}, {}, {}, {}
    edges = None
    for role, p in samples.items():
        track, value = p.dedx
        momentum, mass = total_momentum(p.truth)[track], p.truth.tracks.mass[track]
        light = np.abs(mass - pions) < 1e-3
        if not light.any():
            continue
        if edges is None:
            edges = np.linspace(0.6, 1.8, 49) * float(np.median(value[light]))
        w = weights[:, track[light]]
        shape[role] = histogram(value[light], edges)
        mean[role] = in_bins(momentum[light], value[light], w, P_EDGES, median)
        width[role] = in_bins(momentum[light], value[light], w, P_EDGES, _relative_width)
        apart[role] = _separations((momentum, mass, value), weights, track)
    if not shape:
        return []
    p_label = "momentum [GeV]"
    made = [
        Curve("dedx", "Energy loss of pions, truncated mean", "dE/dx [ADC/cm]", "density", shape, steps=True),
        Curve("dedx_mean", "Energy loss of pions", p_label, "median dE/dx [ADC/cm]", mean, ratio=True),
        Curve("dedx_width", "Resolution of the energy loss of pions", p_label, r"$\sigma$(dE/dx) / dE/dx", width),
    ]
    if any(np.isfinite(y).any() for _, y, _ in apart.values()):
        title = "Separation of pions and kaons by energy loss"
        made.append(Curve("separation", title, p_label, r"separation [$\sigma$]", apart))
    return made


def _relative_width(values: FloatArray, weights: FloatArray) -> FloatArray:
    return np.asarray(core_width(values, weights) / median(values, weights))


def _separations(columns: tuple[FloatArray, FloatArray, FloatArray], weights: FloatArray, track: IntArray) -> Points:
    momentum, mass, value = columns
    y, error = np.full((2, len(P_EDGES) - 1), np.nan)
    for k, (low, high) in enumerate(pairwise(P_EDGES)):
        inside = (momentum >= low) & (momentum < high)
        pair = [inside & (np.abs(mass - tpc.MASSES[name]) < 1e-3) for name in ("pion", "kaon")]
        if min(np.count_nonzero(one) for one in pair) >= FEWEST:
            replicas = separation(value, pair, weights, track)
            y[k], error[k] = replicas[0], spread(replicas)
    return 0.5 * (P_EDGES[1:] + P_EDGES[:-1]), y, error
