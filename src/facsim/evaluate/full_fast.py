"""Full against fast simulation of the same beam: response, resolution and shapes, each with its error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.geometry import CylinderGeometry
from facsim.evaluate.histograms import column_item
from facsim.evaluate.profiles import profile
from facsim.physics.calo import shower_observables
from facsim.physics.observables import depth, depth_width, hits

FloatArray = NDArray[np.float64]
Json = dict[str, Any]

COLUMNS = {
    "e_total": ("total energy in the read-out", "MeV"),
    "hits": ("cells with energy", ""),
    "depth": ("mean depth", "layers"),
    "depth_width": ("length", "layers"),
    "radius": ("mean radius", "mm"),
}
"""What is compared event by event: label and unit. What is zero in all events is left out, as the depth is in a
read-out of one layer."""
ONE = np.array([-np.inf, np.inf])


@dataclass(frozen=True)
class Observed:
    """What is kept of events: `columns` (N,) by name, energy by layer (N, L) and by ring (N, R), MeV; where layers have
    rings of their own, those of all layers one after the other."""

    columns: dict[str, FloatArray]
    layers: FloatArray
    rings: FloatArray

    def __len__(self) -> int:
        return len(self.layers)

    @classmethod
    def of(cls, cells: NDArray[Any], energy: float, geometry: CylinderGeometry) -> Observed:
        """Of events (N, V) in MeV from a beam of `energy` MeV; cells below the geometry's threshold count as zero."""
        found = shower_observables(cells, np.full(len(cells), energy), geometry)
        rings = np.asarray(found["e_ring"], dtype=np.float64)
        columns = {
            "e_total": np.asarray(found["e_total"], dtype=np.float64),
            "hits": hits(found, geometry),
            "depth": depth(found, geometry),
            "depth_width": depth_width(found, geometry),
            "radius": rings @ _ring_centres(geometry) / (rings.sum(axis=1) + 1e-16),
        }
        return cls(columns, np.asarray(found["e_layer"], dtype=np.float64), rings)

    @classmethod
    def joined(cls, parts: Sequence[Observed]) -> Observed:
        """Several samples as one."""
        columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns}
        stacked = (np.concatenate([getattr(part, name) for part in parts]) for name in ("layers", "rings"))
        return cls(columns, *stacked)


def _ring_centres(geometry: CylinderGeometry) -> FloatArray:
    """Radius of the middle of each ring of `Observed.rings`, mm, (R,)."""
    layers = geometry.layers if geometry.ring_edges is None else geometry.layers[:1]
    edges = [np.asarray(layer.r_edges, dtype=np.float64) for layer in layers]
    return np.concatenate([0.5 * (some[1:] + some[:-1]) for some in edges])


@dataclass(frozen=True)
class Moments:
    """Mean and standard deviation of a column, each with its error."""

    mean: float
    mean_error: float
    width: float
    width_error: float

    @classmethod
    def of(cls, values: FloatArray) -> Moments:
        """Of values (N,), N > 1; the error of the width is that of the sample's own fourth moment, and no less than
        that of normal values, because the fourth moment of a few values is too small, and of two says nothing."""
        found = profile(np.zeros(len(values)), values, ONE)
        mean, mean_error, width, own = (
            float(part[0]) for part in (found.mean, found.mean_error, found.width, found.width_error)
        )
        return cls(mean, mean_error, width, max(own, width / float(np.sqrt(2 * (len(values) - 1)))))

    @property
    def relative(self) -> tuple[float, float]:
        """Width over mean, and its error."""
        return quotient((self.width, self.width_error), (self.mean, self.mean_error))


def quotient(a: tuple[float, float], b: tuple[float, float]) -> tuple[float, float]:
    """a / b of independent (value, error)."""
    value = a[0] / b[0]
    return value, float(np.hypot(a[1], value * b[1])) / abs(b[0])


def compare(full: Observed, fast: Observed, energy: float) -> list[Json]:
    """Rows of full and fast simulation at a beam of `energy` MeV: value and error of each, and fast over full."""
    a, b = ({name: Moments.of(values) for name, values in one.columns.items()} for one in (full, fast))
    totals = (a["e_total"], b["e_total"])
    response = tuple((total.mean / energy, total.mean_error / energy) for total in totals)
    rows = [
        _row("response", "visible over beam energy", "", response[0], response[1]),
        _row("resolution", "width over mean of the energy", "", totals[0].relative, totals[1].relative),
    ]
    for name, (label, unit) in _told(full, fast).items():
        pairs = [(moments[name].mean, moments[name].mean_error) for moments in (a, b)]
        rows.append(_row(name, label, unit, *pairs))
    return rows


def _told(full: Observed, fast: Observed) -> dict[str, tuple[str, str]]:
    """Those of `COLUMNS` that are not zero in all events of one of the two."""
    return {name: told for name, told in COLUMNS.items() if full.columns[name].any() and fast.columns[name].any()}


def _row(name: str, label: str, unit: str, full: tuple[float, float], fast: tuple[float, float]) -> Json:
    ratio, error = quotient(fast, full)
    values = {"full": full[0], "full_error": full[1], "fast": fast[0], "fast_error": fast[1]}
    return {"name": name, "label": label, "unit": unit, **values, "ratio": ratio, "ratio_error": error}


def goal(name: str, label: str, value: float, error: float, limit: float, least: bool) -> Json:
    """Whether a goal was reached: `met`, `missed`, or `open` where the error does not let it be told.

    Args:
        value: measured. limit: wanted. least: whether more is better; otherwise `value` is a distance from zero.
    """
    distance = value - limit if least else limit - abs(value)
    verdict = "open" if abs(distance) < error else "met" if distance > 0 else "missed"
    return {"name": name, "label": label, "value": value, "error": error, "limit": limit, "verdict": verdict}


def mean_profiles(full: Observed, fast: Observed, geometry: CylinderGeometry) -> list[Json]:
    """Mean energy per layer and per ring of both, with errors of the mean; `full` is the reference."""
    found = []
    rings = "ring number" if geometry.ring_edges is not None else "ring number, layer after layer"
    for name, label in (("layers", "layer number"), ("rings", rings)):
        item: Json = {"name": name, "label": label, "unit": "MeV"}
        for role, one in (("reference", full), ("generated", fast)):
            values = getattr(one, name)
            item[role] = values.mean(axis=0).tolist()
            item[f"{role}_error"] = (values.std(axis=0, ddof=1) / np.sqrt(len(values))).tolist()
        item["centres"] = (np.arange(len(item["reference"])) + (0.0 if name == "layers" else 0.5)).tolist()
        found.append(item)
    return found


def distributions(full: Observed, fast: Observed) -> list[Json]:
    """Histograms of the columns of both, in bins of the full simulation."""
    return [
        column_item(name, label, unit, {"reference": full.columns[name], "generated": fast.columns[name]})
        for name, (label, unit) in _told(full, fast).items()
    ]
