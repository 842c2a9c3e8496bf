"""Single showers to draw: of every sample, the one nearest in incident energy to each wanted energy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facsim.core.cell_geometry import geometry_from_dict
from facsim.core.errors import FacsimError
from facsim.core.events import Events
from facsim.core.geometry import Geometry
from facsim.data import open_events
from facsim.report.rundata import CALORIMETER, RunData

VALUES_AT_MOST = 6_000_000  # cells read from each file in search of showers: 24 MB of float32


@dataclass(frozen=True)
class ShowerGallery:
    """Showers side by side: `cells[name]` is (K, V) in MeV, `energies[name]` (K,) in MeV, for K wanted energies."""

    geometry: Geometry
    wanted: NDArray[np.float64]
    cells: dict[str, NDArray[np.float64]]
    energies: dict[str, NDArray[np.float64]]
    searched: int


def shower_gallery(run: RunData, quantiles: tuple[float, ...] = (0.05, 0.5, 0.97)) -> ShowerGallery | None:
    """Showers of truth and of every sample at the quantiles of the incident energy; None without shower files.

    Unreadable files are told in `run.problems`.
    """
    if run.task != CALORIMETER:  # its pictures are those of its physics
        return None
    geometry = run_geometry(run)
    found: dict[str, Events] = {}
    paths = {"reference": truth_file(run), **{sample.name: sample.showers for sample in run.samples}}
    mapping = (run.config.get("data") or {}).get("mapping")
    for name, path in paths.items():
        if path is None:
            continue
        try:
            events = first_showers(path, geometry, mapping if name == "reference" else None)
        except (FacsimError, OSError, KeyError) as error:
            run.problems.append(f"the showers of '{name}' cannot be drawn: {error}")
            continue
        if events is None or not len(events):
            run.problems.append(f"the showers of '{name}' cannot be drawn: '{path.name}' holds none.")
            continue
        geometry = geometry or events.schema.geometry
        found[name] = events
    if geometry is None or not found:
        return None
    guide = next((found[name] for name in found if name != "reference"), next(iter(found.values())))
    wanted = np.quantile(guide.condition("incident_energy"), quantiles)
    return _nearest(geometry, found, np.asarray(wanted, dtype=np.float64))


def _nearest(geometry: Geometry, found: dict[str, Events], wanted: NDArray[np.float64]) -> ShowerGallery:
    cells, energies = {}, {}
    for name, events in found.items():
        incident = np.asarray(events.condition("incident_energy"), dtype=np.float64)
        index = np.abs(np.log(incident[None, :]) - np.log(wanted[:, None])).argmin(axis=1)
        cells[name] = events.cells[index].astype(np.float64)
        energies[name] = incident[index]
    return ShowerGallery(geometry, wanted, cells, energies, max(len(events) for events in found.values()))


def truth_file(run: RunData) -> Path | None:
    """The run's own truth, or the first of the user's files that `data.json` names and that still exists."""
    paths = [run.dir / "truth.h5", *(run.dir / str(name) for name in run.data.get("files") or [])]
    return next((path for path in paths if path.is_file()), None)


def run_geometry(run: RunData) -> Geometry | None:
    """The read-out that `data.json` describes."""
    described = (run.data.get("schema") or {}).get("geometry")
    return geometry_from_dict(described) if described else None


def first_showers(path: Path, geometry: Geometry | None, mapping: str | None = None) -> Events | None:
    """The first showers of a file, as many as fit the budget; None when they are no showers on a cylinder.

    Args:
        path: events in any format facsim reads.
        geometry: the read-out, for files that do not say it.
        mapping: the mapping file of a foreign layout.
    """
    source = open_events(path, geometry=geometry, mapping=mapping)
    found = source.schema.geometry
    if found is None or source.schema.representation != "grid":
        return None
    return source.read(0, min(len(source), max(1, VALUES_AT_MOST // found.n_cells)))
