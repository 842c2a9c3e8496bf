"""Curves and pictures of TPC responses for the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facsim.core.events import Events
from facsim.evaluate.physics import Curve, Image
from facsim.evaluate.profiles import bin_edges, profile
from facsim.physics.tpc_observables import TPC_QUANTITIES, tpc_observables
from facsim.physics.tpc_window import WINDOW, as_images

FloatArray = NDArray[np.float64]
Observed = Mapping[str, FloatArray]

LABELS = {
    "crossing_angle": "crossing angle [deg]",
    "dip_angle": "dip angle [deg]",
    "drift_length": "drift length [time buckets]",
    "drift_fraction": "place in the time bucket",
    "pad_fraction": "place in the pad",
    "pt": r"$p_\mathrm{T}$ [GeV]",
}
NAMES = [quantity.name for quantity in TPC_QUANTITIES]
SUM_BINS, CELL_BINS = 40, 40
SHOWN = (0.1, 0.5, 0.9)
"""Quantiles of the charge whose responses are shown one by one."""


class CurveSpec(NamedTuple):
    """Profile of a quantity against a condition."""

    quantity: str
    condition: str
    caption: str = ""


CURVES = (
    CurveSpec("mean_pad", "pad_fraction"),
    CurveSpec("mean_time", "drift_fraction"),
    CurveSpec("var_pad", "drift_length", "Transverse diffusion grows with the drift."),
    CurveSpec("var_pad", "crossing_angle", "Inclined tracks spread over more pads."),
    CurveSpec("var_time", "drift_length", "Longitudinal diffusion grows with the drift."),
    CurveSpec("var_time", "dip_angle", "Inclined tracks spread over more time buckets."),
    CurveSpec("cov", "dip_angle"),
    CurveSpec("cov", "crossing_angle"),
    CurveSpec("log_sum", "dip_angle", "The path through the row grows with the angle."),
    CurveSpec("log_sum", "pt", "Energy loss against momentum."),
    CurveSpec("hits", "drift_length"),
)


def profile_curves(spec: CurveSpec, observed: Observed, views: Mapping[str, Mapping[str, FloatArray]]) -> list[Curve]:
    """Mean and width of a quantity against a condition, with errors; none where the condition does not vary."""
    if any(spec.condition not in view for view in views.values()):
        return []
    first = views["reference"] if "reference" in views else next(iter(views.values()))
    edges = bin_edges(first[spec.condition])
    if edges is None:
        return []
    middle = 0.5 * (edges[1:] + edges[:-1])
    column, quantity = NAMES.index(spec.quantity), TPC_QUANTITIES[NAMES.index(spec.quantity)]
    found = {role: profile(views[role][spec.condition], values[:, column], edges) for role, values in observed.items()}
    unit = f" [{quantity.unit}]" if quantity.unit else ""
    curves = []
    for kind, word in (("mean", "mean of"), ("width", "width of")):
        series = {role: (middle, getattr(one, kind), getattr(one, f"{kind}_error")) for role, one in found.items()}
        curves.append(
            Curve(
                f"{kind}_{spec.quantity}_{spec.condition}",
                f"{word} {quantity.label} against {spec.condition.replace('_', ' ')}",
                LABELS[spec.condition],
                f"{word} {quantity.label}{unit}",
                series,
                caption=spec.caption if kind == "mean" else "",
                ratio=kind == "width",
            )
        )
    return curves


def sum_spectrum(observed: Observed) -> Curve:
    """Distribution of the sum of amplitudes, tail included."""
    column = NAMES.index("log_sum")
    values = {role: 10 ** each[:, column] - 1 for role, each in observed.items()}
    return _spectrum("sum_spectrum", "Sum of amplitudes of a response", r"$\sum A$ [ADC]", values, SUM_BINS)


def cell_spectrum(samples: Mapping[str, Events]) -> Curve:
    """Distribution of the amplitudes of cells above threshold."""
    values = {role: as_images(events.x).ravel() for role, events in samples.items()}
    values = {role: each[each > 0].astype(np.float64) for role, each in values.items()}
    return _spectrum("cell_spectrum", "Amplitude of a cell above threshold", r"$A$ [ADC]", values, CELL_BINS)


def _spectrum(name: str, title: str, label: str, values: Mapping[str, FloatArray], bins: int) -> Curve:
    """Share of the values in bins of equal ratio, drawn as steps."""
    positive = [each[each > 0] for each in values.values()]
    low = min((float(each.min()) for each in positive if len(each)), default=1.0)
    high = max((float(each.max()) for each in positive if len(each)), default=10.0)
    edges = np.geomspace(low, max(high, low * 1.01) * 1.0001, bins + 1)
    series = {}
    for role, each in values.items():
        count = np.histogram(each, edges)[0].astype(np.float64)
        total = max(len(each), 1)
        series[role] = (edges, count / total, np.sqrt(count) / total)
    caption = "The last bins are single collisions that hand over tens of keV." if name == "sum_spectrum" else ""
    return Curve(
        name, title, label, "share in a bin", series, log_x=True, log_y=True, caption=caption, ratio=True, steps=True
    )


def response_images(samples: Mapping[str, Events]) -> list[Image]:
    """Mean response, occupancy, and single responses at equal conditions."""
    images = {role: as_images(events.x) for role, events in samples.items()}
    shared = [
        _image(
            "mean_response", "Mean response", "mean amplitude [ADC]", {r: x.mean(axis=0) for r, x in images.items()}
        ),
        _image(
            "occupancy",
            "Cells above threshold",
            "share of responses",
            {role: (x > 0).mean(axis=0) for role, x in images.items()},
        ),
    ]
    if "null" not in samples or "generated" not in samples:
        return shared
    truth, made = samples["null"], samples["generated"]
    if truth.cond.shape != made.cond.shape or not np.allclose(truth.cond, made.cond, rtol=1e-5, atol=1e-5):
        return shared
    order = np.argsort(tpc_observables(truth.x)[:, NAMES.index("log_sum")])
    for quantile in SHOWN:
        k = int(order[int(quantile * (len(order) - 1))])
        named = ", ".join(
            f"{feature.name.replace('_', ' ')} {value:.3g} {feature.unit}".rstrip()
            for feature, value in zip(truth.schema.conditions, truth.cond[k], strict=True)
        )
        pair = {role: np.log10(1 + images[role][k]) for role in ("null", "generated")}
        title = f"One response of each at the same conditions (charge of truth: quantile {quantile:g})"
        shared.append(_image(f"response_{quantile:g}", title, r"$\log_{10}(1 + A)$", pair, named + "."))
    return shared


def _image(name: str, title: str, label: str, values: Mapping[str, FloatArray], caption: str = "") -> Image:
    rows, columns = WINDOW.row_edges, WINDOW.column_edges
    extent = (columns[0], columns[-1], rows[0], rows[-1])
    return Image(
        name,
        title,
        label,
        dict(values),
        extent,
        "time bucket - int(drift length)",
        "pad - int(pad coordinate)",
        caption,
    )
