"""What a scorecard keeps of a sample of showers after one streaming pass."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.events import Events, EventSource
from facsim.core.geometry import Geometry
from facsim.core.rng import generator
from facsim.core.schema import Schema
from facsim.core.sources import batch_rows
from facsim.evaluate.cells import CellFeatures
from facsim.physics.calo import Observations, collect


@dataclass(frozen=True)
class ShowerSample:
    """Observables of all showers, and low-level features of a seeded subset.

    Attributes:
        observations: as from `physics.calo.collect`.
        picked: positions of the subset that classifiers and kernel metrics see, increasing, (n,).
        cells: low-level features of the subset, (n, F).
    """

    observations: Observations
    picked: NDArray[np.int64]
    cells: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.observations)

    @cached_property
    def features(self) -> NDArray[np.float32]:
        """High-level features of all showers, (N, D); in float32, as the observables they are made from."""
        return self.observations.features.astype(np.float32)

    @property
    def groups(self) -> NDArray[np.int64]:
        """Groups of the subset, (n,)."""
        return self.observations.group_id[self.picked]

    @property
    def geometry(self) -> Geometry:
        return self.observations.geometry

    def inside(self, low: float, high: float) -> NDArray[np.bool_]:
        """Showers with incident energy in [low, high) MeV, (N,)."""
        return (self.observations.e_inc >= low) & (self.observations.e_inc < high)


@dataclass
class _Tap:
    """Event source that passes on another's events and keeps low-level features of those at `picked`."""

    source: EventSource
    picked: NDArray[np.int64]
    scale: float
    parts: list[NDArray[np.float32]] = field(default_factory=list)

    @property
    def schema(self) -> Schema:
        return self.source.schema

    def __len__(self) -> int:
        return len(self.source)

    @cached_property
    def _features(self) -> CellFeatures:
        geometry = self.schema.geometry
        if geometry is None:
            raise FacsimError("calorimeter scores need events with a geometry; this file describes none.")
        return CellFeatures(geometry)

    def read(self, start: int, stop: int) -> Events:
        events = self.source.read(start, stop)
        if self.scale != 1.0:
            events = replace(events, x=(events.x * self.scale).astype(events.x.dtype))
        chosen = self.picked[np.searchsorted(self.picked, start) : np.searchsorted(self.picked, stop)] - start
        cells = events.cells[chosen]
        if len(chosen) and np.isfinite(cells).all():  # whoever reads on refuses the others
            self.parts.append(self._features(cells, events.condition("incident_energy")[chosen]))
        return events


def take_sample(source: EventSource, seed: int, most: int, *, scale: float = 1.0) -> ShowerSample:
    """Stream `source` once.

    Args:
        source: showers on a cylinder with the condition `incident_energy` (MeV).
        seed: of the subset.
        most: size of the subset that classifiers and kernel metrics see, at most.
        scale: factor on every cell energy, applied before the threshold (the positive control).

    Raises:
        FacsimError: no geometry, no showers, or energies that are not finite.
    """
    if len(source) == 0:
        raise FacsimError("there are no showers to judge.")
    rng = generator(seed, "subset")
    picked = np.arange(len(source))
    if len(source) > most:
        picked = np.sort(rng.choice(len(source), most, replace=False))
    tap = _Tap(source, picked.astype(np.int64), scale)
    observations = collect(tap, batch_rows(source, 32.0))
    cells = np.concatenate(tap.parts) if tap.parts else np.zeros((0, 0), dtype=np.float32)
    return ShowerSample(observations, tap.picked, cells)
