"""Curves and pictures of ECAL showers for the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from facsim.core.events import Events
from facsim.evaluate.ecal_response import calorimetry, energy_edges
from facsim.evaluate.physics import Curve, Image
from facsim.physics.ecal_observables import ALPHAS, image_of, sparsity
from facsim.physics.quantity import Quantity

FloatArray = NDArray[np.float64]
ByRole = Mapping[str, FloatArray]

BINS = 40
SPECTRA = ("longitudinal_asymmetry", "transverse_asymmetry", "longitudinal_width", "transverse_width")
SHOWN = (0.1, 0.5, 0.9)
"""Quantiles of the incident energy whose showers are shown one by one."""
FLOOR_MEV = 0.1


def ecal_curves(
    samples: Mapping[str, Events], observed: ByRole, quantities: Sequence[Quantity], incident: ByRole
) -> list[Curve]:
    """Linearity, resolution, sparsity, and the spectra of asymmetries and widths."""
    names = [quantity.name for quantity in quantities]
    measured = {role: events.cells.sum(axis=1, dtype=np.float64) for role, events in samples.items()}
    unit = image_of(next(iter(samples.values())).schema).units[1]
    spectra = []
    for name in SPECTRA:
        k = names.index(name)
        label = quantities[k].label + (f" [{unit}]" if name.endswith("width") else "")
        spectra.append(_spectrum(f"spectrum_{name}", label, {role: each[:, k] for role, each in observed.items()}))
    return [*_calorimetry(measured, incident), _sparsity(samples), *spectra]


def _calorimetry(measured: ByRole, incident: ByRole) -> list[Curve]:
    first = incident["reference"] if "reference" in incident else next(iter(incident.values()))
    edges = energy_edges(first)
    found = {role: calorimetry(measured[role], incident[role], edges) for role in measured}
    x_label = r"$E_\mathrm{inc}$ [GeV]"
    linear = {role: (one.energy / 1e3, one.response, one.response_error) for role, one in found.items()}
    width = {role: (one.energy / 1e3, 100 * one.resolution, 100 * one.resolution_error) for role, one in found.items()}
    return [
        Curve(
            "linearity", "Response against energy", x_label, r"$\langle E / E_\mathrm{inc} \rangle$", linear, log_x=True
        ),
        Curve(
            "resolution", "Energy resolution", x_label, r"$\sigma_E / E$ [%]", width, log_x=True, ratio=True,
            caption="Sampling and a constant term, and the leakage behind.",
        ),
    ]  # fmt: skip


def _sparsity(samples: Mapping[str, Events]) -> Curve:
    series = {}
    for role, events in samples.items():
        curve = sparsity(events.cells.astype(np.float64))
        series[role] = (ALPHAS, curve.mean(axis=0), curve.std(axis=0) / max(len(curve), 1) ** 0.5)
    return Curve(
        "sparsity", "Cells that hold a share of the energy", r"$\alpha$",
        r"share of cells with $E \geq \alpha E_\mathrm{tot}$", series, log_x=True, log_y=True, ratio=True,
    )  # fmt: skip


def _spectrum(name: str, label: str, values: ByRole) -> Curve:
    """Share of showers in equal bins, drawn as steps."""
    pooled = np.concatenate(list(values.values()))
    low, high = np.quantile(pooled, [0.001, 0.999])
    edges = np.linspace(low, max(high, low + 1e-6), BINS + 1)
    series = {}
    for role, each in values.items():
        count = np.histogram(np.clip(each, edges[0], edges[-1]), edges)[0]
        series[role] = (edges, count / max(len(each), 1), np.sqrt(count) / max(len(each), 1))
    return Curve(name, label.partition(" [")[0].capitalize(), label, "share in a bin", series, ratio=True, steps=True)


def ecal_images(samples: Mapping[str, Events], incident: ByRole) -> list[Image]:
    """Mean shower, and single ones at equal conditions."""
    image = image_of(next(iter(samples.values())).schema)
    extent = (image.column_edges[0], image.column_edges[-1], image.row_edges[0], image.row_edges[-1])
    labels = (f"$x$ [{image.units[1]}]", f"$y$ [{image.units[0]}]")
    shape = (-1, *image.image)
    mean = {role: _log(events.cells.mean(axis=0)).reshape(shape)[0] for role, events in samples.items()}
    label = r"$\log_{10}(E / \mathrm{MeV})$"
    found = [Image("mean_shower", "Mean shower", label, mean, extent, *labels)]
    if not {"null", "generated"} <= set(samples):
        return found
    truth, made = samples["null"], samples["generated"]
    if truth.cond.shape != made.cond.shape or not np.allclose(truth.cond, made.cond, rtol=1e-5, atol=1e-5):
        return found
    order = np.argsort(incident["null"])
    for quantile in SHOWN:
        k = int(order[int(quantile * (len(order) - 1))])
        px, py, pz = truth.cond[k, :3]
        title = f"One shower of each, {incident['null'][k] / 1e3:.3g} GeV, slopes {px / pz:.2f} and {py / pz:.2f}"
        pair = {role: _log(samples[role].cells[k]).reshape(image.image) for role in ("null", "generated")}
        found.append(Image(f"shower_{quantile:g}", title, label, pair, extent, *labels))
    return found


def _log(energy: NDArray[np.floating]) -> FloatArray:
    """log10 of energies in MeV, at least that of 0.1 MeV."""
    return np.log10(np.maximum(energy.astype(np.float64), FLOOR_MEV))
