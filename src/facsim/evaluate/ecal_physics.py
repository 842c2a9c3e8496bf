"""What the ECAL's physicists look at in showers: response, asymmetries, widths, sparsity, linearity and resolution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.events import Events
from facsim.core.image import ImageGeometry
from facsim.evaluate.ecal_plots import ecal_curves, ecal_images
from facsim.evaluate.ecal_response import Calorimetry, calorimetry, energy_edges
from facsim.evaluate.measures import Measured
from facsim.evaluate.physics import Curve, Image, TaskPhysics
from facsim.metrics.prd import CLUSTERS, prd_auc
from facsim.physics.ecal_observables import (
    MOMENTUM,
    POINT,
    Incidence,
    asymmetries,
    barycentre,
    cells_above,
    image_of,
    incidence,
    shower_frame,
    sparsity,
    widths,
)
from facsim.physics.quantity import Quantity

FloatArray = NDArray[np.float64]

LIT_MEV = 10.0
SHARES = (1e-4, 1e-3, 1e-2)
AT_ONCE = 2000
PRD_EVENTS, IMAGE_CLUSTERINGS = 3000, 3
"""Of the area of precision and recall; k-means of 900 cells is slow."""
FEWEST_CELLS = 0.2
ECAL_QUANTITIES = (
    Quantity("response", r"$E / E_\mathrm{inc}$"),
    Quantity("longitudinal_asymmetry", "longitudinal asymmetry"),
    Quantity("transverse_asymmetry", "transverse asymmetry"),
    Quantity("longitudinal_width", "width along the slope"),
    Quantity("transverse_width", "width across the slope"),
    Quantity("longitudinal_centre", "barycentre along the slope"),
    Quantity("transverse_centre", "barycentre across the slope"),
    Quantity("lit_cells", f"cells above {LIT_MEV:g} MeV"),
    Quantity("hottest", "share of the hottest cell"),
    *(Quantity(f"cells_{share:g}", rf"cells above {share:g} $E$") for share in SHARES),
)
"""Lengths are in the unit of the image, mm but for the public files."""
STATISTICS = slice(1, 7)


class ECALPhysics(TaskPhysics):
    """Showers of photons and electrons on a plane of cells."""

    quantities = ECAL_QUANTITIES
    region = "pz"
    noun = "showers"

    def observe(self, events: Events) -> FloatArray:
        parts = [_observed(events[slice(first, first + AT_ONCE)]) for first in range(0, len(events), AT_ONCE)]
        return np.concatenate(parts) if parts else np.zeros((0, len(ECAL_QUANTITIES)))

    def conditions(self, cond: NDArray[Any]) -> FloatArray:
        """log10 of the momentum, both slopes, the point of impact, and whether it is a photon where that is told."""
        values = np.asarray(cond, dtype=np.float64)
        p = np.linalg.norm(values[:, :3], axis=1)
        columns = [np.log10(np.maximum(p, 1e-9)), *(values[:, :2] / values[:, 2:3]).T, *values[:, 3:5].T]
        return np.column_stack([*columns, *([values[:, 5] == 22] if values.shape[1] > 5 else [])])

    def pixels(self, events: Events) -> FloatArray:
        """log(1 + E / MeV) of the cells."""
        return np.log1p(np.maximum(events.cells, 0), dtype=np.float64)

    def measures(self, a: Events, b: Events, seed: int) -> dict[str, Measured]:
        """`sparsity`: largest difference of the mean sparsity curves over its value in truth; `linearity`: largest
        |response ratio - 1| in bins of energy, `response/...` and `resolution/...` the ratios themselves;
        `prd_auc/physics`: area of precision and recall of asymmetries, widths and barycentres, `prd_auc/images` of the
        cells, and `prd_auc` the smaller one."""
        edges = energy_edges(incident(a))
        found = _ratios(calorimetry(_energies(a), incident(a), edges), calorimetry(_energies(b), incident(b), edges))
        return found | {"sparsity": _sparsity(a, b)} | self._prd(a, b, seed)

    def curves(self, samples: Mapping[str, Events]) -> list[Curve]:
        observed = {role: self.observe(events) for role, events in samples.items()}
        return ecal_curves(samples, observed, ECAL_QUANTITIES, {role: incident(each) for role, each in samples.items()})

    def images(self, samples: Mapping[str, Events]) -> list[Image]:
        return ecal_images(samples, {role: incident(events) for role, events in samples.items()})

    def check(self, events: Events) -> None:
        names = [feature.name for feature in events.schema.conditions]
        if not isinstance(events.schema.geometry, ImageGeometry) or names[:5] != [*MOMENTUM, *POINT]:
            raise FacsimError(
                f"these events are no ECAL showers: expected an image of cells and the conditions px, py, pz, x, y, "
                f"not {names}."
            )

    def _prd(self, a: Events, b: Events, seed: int) -> dict[str, Measured]:
        a, b = (events[slice(0, PRD_EVENTS)] for events in (a, b))
        counts = (len(a), len(b))
        if min(counts) < CLUSTERS:
            return {}
        pairs = {
            "prd_auc/physics": [self.observe(events)[:, STATISTICS] for events in (a, b)],
            "prd_auc/images": [self.pixels(events) for events in (a, b)],
        }
        found = {}
        for name, (real, made) in pairs.items():
            few: dict[str, Any] = {} if name.endswith("physics") else {"scale": False, "clusterings": IMAGE_CLUSTERINGS}
            area = prd_auc(real, made, seed=seed, **few)
            found[name] = Measured(float(area[0]), float(area[1]), counts, better="higher")
        least = min(found, key=lambda name: found[name].value)
        note = f"That of {least.removeprefix('prd_auc/')}."
        area_least = found[least]
        found["prd_auc"] = Measured(area_least.value, area_least.error, counts, better="higher", note=note)
        return found


def incident(events: Events) -> FloatArray:
    """Incident energies, MeV: of photons and, their mass neglected, electrons, (N,)."""
    momentum = np.asarray(incidence(events.cond, events.schema).momentum, dtype=np.float64)
    unit = {"MeV": 1.0}.get(events.schema.conditions[events.schema.condition_index("pz")].unit, 1e3)
    return np.asarray(unit * np.linalg.norm(momentum, axis=1))


def _energies(events: Events) -> FloatArray:
    return np.asarray(events.cells.sum(axis=1, dtype=np.float64))


def _observed(events: Events) -> FloatArray:
    cells = events.cells.astype(np.float64)
    where = Incidence(*(np.asarray(each, dtype=np.float64) for each in incidence(events.cond, events.schema)))
    frame = shower_frame(where, image_of(events.schema))
    total = cells.sum(axis=1)
    hottest = cells.max(axis=1) / np.where(total > 0, total, 1.0)
    columns = [total / np.maximum(incident(events), 1e-9), asymmetries(cells, frame), widths(cells, frame)]
    counts = sparsity(cells, SHARES) * cells.shape[1]
    return np.column_stack([*columns, barycentre(cells, frame), cells_above(cells, LIT_MEV), hottest, counts])


def _sparsity(a: Events, b: Events) -> Measured:
    """Largest relative difference of mean sparsity where truth has at least one cell in five showers."""
    curves = [sparsity(events.cells.astype(np.float64)) for events in (a, b)]
    mean, other = (curve.mean(axis=0) for curve in curves)
    kept = mean * a.cells.shape[1] > FEWEST_CELLS
    if not kept.any():
        return Measured(float("nan"), float("nan"), (len(a), len(b)), status="undefined", note="No cell has energy.")
    variance = sum(curve.var(axis=0) / len(curve) for curve in curves)
    gap = np.where(kept, np.abs(other - mean) / np.maximum(mean, 1e-12), 0.0)
    worst = int(gap.argmax())
    return Measured(float(gap[worst]), float(np.sqrt(variance[worst]) / mean[worst]), (len(a), len(b)))


def _ratios(truth: Calorimetry, other: Calorimetry) -> dict[str, Measured]:
    """Ratios of response and resolution in bins of energy, and the largest deviation of the response."""
    found: dict[str, Measured] = {}
    response = []
    for k, (low, high) in enumerate(zip(truth.edges[:-1], truth.edges[1:], strict=True)):
        counts = (int(truth.count[k]), int(other.count[k]))
        note = f"{low / 1e3:.3g} to {high / 1e3:.3g} GeV."
        for name in ("response", "resolution"):
            values = [getattr(one, name)[k] for one in (truth, other)]
            errors = [getattr(one, f"{name}_error")[k] for one in (truth, other)]
            if not (np.isfinite([*values, *errors]).all() and min(values) > 0):
                continue
            ratio = values[1] / values[0]
            error = ratio * float(np.hypot(errors[0] / values[0], errors[1] / values[1]))
            found[f"{name}/E{k + 1}"] = Measured(float(ratio), error, counts, note=note, better="null")
            if name == "response":
                response.append(Measured(abs(float(ratio) - 1), error, counts, note=f"largest at {note}"))
    if response:
        found["linearity"] = max(response, key=lambda number: number.value)
    return found
