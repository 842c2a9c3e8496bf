"""Histograms, profiles, correlations and mean showers of truth and one generated sample, as UHI JSON.

Histograms follow the unified histogram interface's JSON schema 1 (package `uhi`), so any tool that knows it can read
them back; the rest are plain lists.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.events import EventSource
from facsim.core.geometry import CylinderGeometry, Geometry
from facsim.evaluate.measures import Regions
from facsim.evaluate.sample import ShowerSample, take_sample
from facsim.physics.calo import Observations, ring_edges
from facsim.physics.observables import OBSERVABLES, Observable, plot_bins

FORMAT = "facsim-hists-1"
LAYERS_KEPT = 6
BINNED = ("e_ratio",)
Json = dict[str, Any]
FloatArray = NDArray[np.float64]
Samples = dict[str, ShowerSample]


def comparison_histograms(
    reference: EventSource, null: EventSource, generated: EventSource, *, name: str = "generated", energy_bins: int = 4
) -> Json:
    """What `hists/<name>.json` holds; each source is streamed once.

    Where a `Judge` has read the samples already, `Judge.judge` gives the same without reading again.

    Raises:
        FacsimError: no geometry, no showers, or energies that are not finite.
    """
    first, second, third = (take_sample(source, 0, 0) for source in (reference, null, generated))
    regions = Regions.quantiles(first.observations.e_inc, energy_bins)
    return sample_histograms(name, first, second, third, regions)


def sample_histograms(
    name: str, reference: ShowerSample, null: ShowerSample, generated: ShowerSample, regions: Regions
) -> Json:
    """As `comparison_histograms`, of samples in memory."""
    samples = {"reference": reference, "null": null, "generated": generated}
    items = [_cell_spectrum(samples)]
    for observable in OBSERVABLES.values():
        if observable.per != "ring":
            items += [_histogram(observable, index, samples) for index in _kept(observable, reference.observations)]
        if observable.name in BINNED:
            items += [_histogram(observable, None, samples, *bounds) for bounds in regions.bounds()]
    return {
        "format": FORMAT,
        "name": name,
        "items": items,
        "profiles": _profiles(samples),
        "correlations": {role: np.round(s.observations.correlation, 5).tolist() for role, s in samples.items()},
        "mean_shower": {role: _short(s.observations.mean_shower) for role, s in samples.items() if _drawn(s.geometry)},
    }


def _drawn(geometry: Geometry) -> bool:
    """Whether the report draws mean showers on this read-out: those of free cells may have a million numbers."""
    return isinstance(geometry, CylinderGeometry)


def _kept(observable: Observable, sample: Observations) -> list[int | None]:
    """The layers that are drawn: evenly spread over those that hold energy in at least half of the showers."""
    if observable.per == "shower":
        return [None]
    lit = 1.0 - sample.obs["empty"].mean(axis=0)
    layers = [i for i in observable.layers(sample.geometry) if lit[i] >= 0.5] or observable.layers(sample.geometry)
    places = np.linspace(0, len(layers) - 1, min(LAYERS_KEPT, len(layers)))
    return [layers[round(place)] for place in places]


def _histogram(
    observable: Observable,
    index: int | None,
    samples: Samples,
    region: str = "all",
    low: float = -np.inf,
    high: float = np.inf,
) -> Json:
    """One observable in the three samples; showers without it are left out."""
    values = {}
    for role, sample in samples.items():
        seen, geometry = sample.observations, sample.geometry
        chosen = sample.inside(low, high) & ~observable.absent(seen.obs, index)
        values[role] = observable.column(seen.obs, geometry, index)[chosen]
    layers = samples["reference"].geometry.layers
    layer = None if index is None else layers[index].id
    return column_item(observable.name, observable.label, observable.unit, values, layer, region, observable.log)


def column_item(
    name: str,
    label: str,
    unit: str,
    values: dict[str, FloatArray],
    layer: int | None = None,
    region: str = "all",
    log: bool = False,
    weights: Mapping[str, FloatArray | None] | None = None,
) -> Json:
    """An item of `hists/<name>.json`: one observable's values (n,) and weights by role, `reference` among them."""
    given = weights or {}
    edges = plot_bins(values["reference"], log)
    return {
        "observable": name,
        "label": label,
        "unit": unit,
        "layer": layer,
        "region": region,
        "log_x": log,
        "log_y": False,
        **{role: uhi_histogram(edges, column, given.get(role)) for role, column in values.items()},
    }


def _cell_spectrum(samples: Samples) -> Json:
    reference = samples["reference"].observations
    edges = reference.cell_edges
    last = int(np.searchsorted(edges, reference.cell_max, side="right")) + 1
    last = min(max(last, 2), len(edges))

    def counts(sample: ShowerSample) -> NDArray[np.int64]:
        full = sample.observations.cell_counts
        return np.concatenate([full[:last], [full[last:].sum()]])

    return {
        "observable": "cells",
        "label": r"$E_{cell}$",
        "unit": "MeV",
        "layer": None,
        "region": "all",
        "log_x": True,
        "log_y": True,
        **{role: _uhi(edges[:last], counts(sample)) for role, sample in samples.items()},
    }


def uhi_histogram(edges: FloatArray, values: FloatArray, weight: FloatArray | None) -> Json:
    """UHI JSON of values, with sums of weights and of their squares where there are weights."""
    if weight is None:
        return _uhi(edges, _counts(values, edges))
    import hist  # noqa: PLC0415  heavy
    import uhi.io.json  # noqa: PLC0415

    histogram = hist.Hist(hist.axis.Variable(edges), storage=hist.storage.Weight())
    histogram.fill(values, weight=weight)
    found: Json = json.loads(json.dumps(histogram, default=uhi.io.json.default))
    return found


def _counts(values: FloatArray, edges: FloatArray) -> NDArray[np.int64]:
    """Counts [underflow, bins, overflow]."""
    return np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)


def _uhi(edges: FloatArray, counts: NDArray[np.int64]) -> Json:
    """UHI JSON of a one-dimensional histogram of counts [underflow, bins, overflow]."""
    import hist  # noqa: PLC0415  heavy
    import uhi.io.json  # noqa: PLC0415

    histogram = hist.Hist(hist.axis.Variable(edges), storage=hist.storage.Double())
    histogram.view(flow=True)[...] = counts
    found: Json = json.loads(json.dumps(histogram, default=uhi.io.json.default))
    return found


def _profiles(samples: Samples) -> list[Json]:
    """Mean energy per layer and, where all layers share their rings, per ring and area."""
    geometry = samples["reference"].geometry
    layers = np.arange(geometry.n_layers, dtype=np.float64)
    found = [
        _profile("longitudinal", "layer", "MeV", layers, {r: s.observations.obs["e_layer"] for r, s in samples.items()})
    ]
    edges = ring_edges(geometry)
    if edges is not None:
        centres = 0.5 * (edges[1:] + edges[:-1])
        rings = {role: sample.observations.obs["e_ring"] for role, sample in samples.items()}
        found.append(_profile("radial", "r [mm]", "MeV", centres, rings))
    return found


def _profile(name: str, label: str, unit: str, centres: FloatArray, values: dict[str, NDArray[Any]]) -> Json:
    out: Json = {"name": name, "label": label, "unit": unit, "centres": centres.tolist()}
    for role, energies in values.items():
        exact = energies.astype(np.float64)
        out[role] = _short(exact.mean(axis=0))
        out[f"{role}_error"] = _short(exact.std(axis=0, ddof=min(1, len(exact) - 1)) / np.sqrt(len(exact)))
    return out


def _short(values: FloatArray) -> list[float]:
    """Six significant digits: files stay small."""
    return [float(f"{value:.6g}") for value in values]
