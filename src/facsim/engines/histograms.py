"""Histograms of the physics quantities that shards fill, in bins chosen before, so that their sums are exact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.events import Events
from facsim.core.image import ImageGeometry
from facsim.core.showerfile import INCIDENT
from facsim.evaluate.histograms import uhi_histogram
from facsim.evaluate.tasks import find_physics
from facsim.physics.calo import shower_observables
from facsim.physics.observables import OBSERVABLES, plot_bins
from facsim.physics.quantity import Quantity

FloatArray = NDArray[np.float64]
SHOWERS, TABLE = "showers", "table"


@dataclass(frozen=True)
class Binning:
    """Which quantities are counted: of a task's physics, of showers, or of a table's columns, and in which bins."""

    kind: str
    quantities: tuple[Quantity, ...]
    edges: tuple[FloatArray, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `from_dict` is its inverse."""
        items = [{**asdict(q), "edges": e.tolist()} for q, e in zip(self.quantities, self.edges, strict=True)]
        return {"kind": self.kind, "items": items}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Binning:
        """The binning of `to_dict`."""
        items = [dict(item) for item in data["items"]]
        edges = tuple(np.asarray(item.pop("edges"), dtype=np.float64) for item in items)
        return cls(data["kind"], tuple(Quantity(**item) for item in items), edges)


def bin_quantities(pilot: Events, task: str | None) -> Binning | None:
    """Quantities and bins for events of `task` like those of the `pilot`; None where they have none."""
    found = _quantities(pilot, task)
    if found is None:
        return None
    kind, quantities = found
    values = _observe(kind, pilot)
    edges = tuple(
        plot_bins(_finite(column), quantity.log) for quantity, column in zip(quantities, values.T, strict=True)
    )
    return Binning(kind, quantities, edges)


@dataclass
class Filled:
    """Values of a shard's events, to become histograms."""

    binning: Binning
    _values: list[FloatArray] = field(default_factory=list)
    _weights: list[FloatArray] = field(default_factory=list)

    def fill(self, events: Events) -> None:
        """Add events."""
        self._values.append(_observe(self.binning.kind, events))
        if events.weight is not None:
            self._weights.append(np.asarray(events.weight, dtype=np.float64))

    def to_list(self) -> list[dict[str, Any]]:
        """One entry for each quantity: `uhi`, `moments` (sums of weights and of weighted powers), labels; JSON-ready.

        Events without a quantity, such as the depth of an empty shower, are left out of it.
        """
        values = np.concatenate(self._values)
        weight = np.concatenate(self._weights) if self._weights else None
        rows = zip(self.binning.quantities, self.binning.edges, values.T, strict=True)
        return [_entry(quantity, edges, column, weight) for quantity, edges, column in rows]


def _entry(quantity: Quantity, edges: FloatArray, column: FloatArray, weight: FloatArray | None) -> dict[str, Any]:
    there = np.isfinite(column)
    x, w = column[there], np.ones(int(there.sum())) if weight is None else weight[there]
    moments = {"n": float(len(x)), "w": float(w.sum()), "wx": float((w * x).sum()), "wxx": float((w * x * x).sum())}
    histogram = uhi_histogram(edges, x, None if weight is None else w)
    return {**asdict(quantity), "uhi": histogram, "moments": moments}


def _quantities(events: Events, task: str | None) -> tuple[str, tuple[Quantity, ...]] | None:
    physics, schema = None if task is None else find_physics(task), events.schema
    if task is not None and physics is not None:
        return task, physics.quantities
    if schema.representation == "table":
        return TABLE, tuple(Quantity(f.name, f.name, f.unit) for f in schema.features)
    image = schema.geometry is None or isinstance(schema.geometry, ImageGeometry)
    if schema.representation != "grid" or image or INCIDENT not in [f.name for f in schema.conditions]:
        return None
    found = [o for o in OBSERVABLES.values() if o.per == "shower"]
    return SHOWERS, tuple(Quantity(o.name, o.label, o.unit, o.log) for o in found)


def _observe(kind: str, events: Events) -> FloatArray:
    """Values (N, D), NaN where an event has none."""
    if kind == TABLE:
        return np.asarray(events.x, dtype=np.float64)
    if kind != SHOWERS:
        physics = find_physics(kind)
        assert physics is not None
        return physics.observe(events)
    geometry = events.schema.geometry
    assert geometry is not None
    obs = shower_observables(events.cells, events.condition(INCIDENT), geometry)
    columns = []
    for observable in OBSERVABLES.values():
        if observable.per == "shower":
            values = np.asarray(observable.column(obs, geometry), dtype=np.float64)
            columns.append(np.where(observable.absent(obs), np.nan, values))
    return np.column_stack(columns)


def _finite(values: FloatArray) -> FloatArray:
    return values[np.isfinite(values)]
