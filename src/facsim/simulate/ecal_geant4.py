"""The ECAL's showers by Geant4: plates of lead and scintillator, read out on the plane of fine cells."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.events import Events
from facsim.core.geometry import FloatArray
from facsim.core.rng import generator
from facsim.core.schema import Schema, calorimeter_schema
from facsim.core.showerfile import read_rows, read_schema
from facsim.core.store import open_hdf5, write_store
from facsim.simulate.detector import Slab, Stack
from facsim.simulate.ecal_gun import ECALGun
from facsim.simulate.ecal_readout import FINE, PITCH, electronics, merged
from facsim.simulate.gun import COLUMNS
from facsim.simulate.readout_plane import PlaneDetector, PlaneReadout
from facsim.simulate.showers import put_together, simulate_showers, time_geant4
from facsim.simulate.showers_chunks import Chunk
from facsim.simulate.showers_settings import ShowerSimulation
from facsim.simulate.truth import SimulationReport, Tell

if TYPE_CHECKING:
    from facsim.simulate.ecal import ECALSimulation

AT_ONCE = 1000
SIZE = 1200.0
LEAD, SCINTILLATOR = "G4_Pb", "G4_PLASTIC_SC_VINYLTOLUENE"


class _Showers(ShowerSimulation):
    """Geant4's part: particles of `gun`, or those of the `rows` (energy MeV, theta, phi, x, y, pdg)."""

    detector: PlaneDetector
    gun: ECALGun
    rows: tuple[tuple[float, ...], ...] | None = None

    @property
    def condition_columns(self) -> list[int]:
        return list(range(len(COLUMNS)))

    def shower_schema(self, provenance: dict[str, Any] | None = None) -> Schema:
        detector = self.detector
        return calorimeter_schema(detector.readout.image(detector.name, "", 0.0), COLUMNS, provenance)

    def table(self, seed: int) -> FloatArray:
        if self.rows is not None:
            return np.array(self.rows, dtype=np.float64)
        return self.gun.table(self.gun.draw(self.events, generator(seed, "geant4", "ecal-gun")))


def detector_of(settings: ECALSimulation) -> PlaneDetector:
    """The stack of plates, without absorber before it."""
    thickness = settings.depth / settings.layers
    lead = thickness / 3
    plates = [Slab(material=LEAD, thickness=lead), Slab(material=SCINTILLATOR, thickness=thickness - lead, active=True)]
    return PlaneDetector(
        name="lhcb-ecal",
        stack=[Stack(repeat=settings.layers, layers=plates)],
        size=SIZE,
        readout=PlaneReadout(rows=FINE, columns=FINE, width=PITCH, depth=settings.depth),
        sampling_fraction=settings.sampling_fraction,
    )


def simulate(settings: ECALSimulation, out: Path, seed: int, tell: Tell | None = None) -> SimulationReport:
    """Simulate into the file `out`; as `VectorisedSimulation.simulate`, resumable until Geant4 has finished.

    Raises:
        FacsimError, MissingExtraError: as `showers.simulate_showers`.
    """
    raw = _raw_path(out)
    report = simulate_showers(showers_of(settings), raw, seed, tell)
    _finish(settings, raw, out, seed, report.provenance)
    return replace(report, path=out)


def merge_parts(settings: ECALSimulation, parts: list[Chunk], out: Path, seed: int) -> None:
    """What `simulate` makes of Geant4's showers, which lie in `parts`."""
    raw, showers = _raw_path(out), showers_of(settings)
    provenance = put_together(showers, parts, raw, showers.identity(seed))
    _finish(settings, raw, out, seed, provenance)


def _raw_path(out: Path) -> Path:
    return out.with_name(out.name + ".geant4.h5")


def _finish(settings: ECALSimulation, raw: Path, out: Path, seed: int, provenance: dict[str, Any]) -> None:
    schema = settings.event_schema({**provenance, "settings": settings.model_dump(mode="json")})
    write_store(out, _converted(settings, raw, schema, generator(seed, "ecal", "electronics")))
    raw.unlink(missing_ok=True)


def respond(settings: ECALSimulation, cond: NDArray[Any], seed: int) -> FloatArray:
    """Fine cells (N, 900), MeV, at conditions (N, K)."""
    rows = tuple(tuple(row) for row in settings.gun.table(cond).tolist())
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "showers.h5"
        simulate_showers(showers_of(settings, rows), raw, seed)
        return np.concatenate([batch.cells.astype(np.float64) for batch in _raw(raw)])


def cpu_time(settings: ECALSimulation, cond: NDArray[Any], seed: int) -> FloatArray:
    """CPU time of Geant4 at conditions (N, K), ms each, (N,)."""
    return time_geant4(showers_of(settings), settings.gun.table(cond), seed)


def showers_of(settings: ECALSimulation, rows: tuple[tuple[float, ...], ...] | None = None) -> _Showers:
    """Geant4's part of the simulation, of particles of the gun or of `rows`."""
    return _Showers(
        events=settings.events if rows is None else len(rows),
        workers=settings.workers,
        chunk=min(settings.chunk, 100),
        detector=detector_of(settings),
        particle=settings.particle,
        energy=settings.energy,
        gun=settings.gun,
        rows=rows,
    )


def _raw(path: Path) -> Iterator[Events]:
    with open_hdf5(path) as handle:
        schema, n = read_schema(handle), len(handle["showers"])
        assert schema is not None
        for first in range(0, n, AT_ONCE):
            yield read_rows(handle, schema, first, min(first + AT_ONCE, n))


def _converted(settings: ECALSimulation, path: Path, schema: Schema, rng: np.random.Generator) -> Iterator[Events]:
    """Geant4's showers with the conditions of the task, and what the read-out adds."""
    for batch in _raw(path):
        energy, theta, phi, x, y, pdg = batch.cond.T
        across = energy / 1e3 * np.sin(theta)
        columns = [across * np.cos(phi), across * np.sin(phi), energy / 1e3 * np.cos(theta), x, y, pdg]
        cond = np.column_stack(columns)[:, : len(schema.conditions)]
        cells = electronics(merged(batch.cells.astype(np.float64), settings.cells), settings.effects, rng)
        yield Events(schema, cells.astype(np.float32)[:, :, None], cond, batch.event_id, batch.group_id)
