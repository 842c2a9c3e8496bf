"""Simulate showers with Geant4: any number of workers, seeded event by event, resumable in chunks."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError, MissingExtraError
from facsim.core.geometry import FloatArray
from facsim.core.showerfile import read_extra, read_schema
from facsim.core.store import open_hdf5
from facsim.simulate.g4data import find_data
from facsim.simulate.g4data_folders import Geant4Data
from facsim.simulate.g4data_miniature import package_version
from facsim.simulate.geant4_pool import Pool
from facsim.simulate.gun import COLUMNS
from facsim.simulate.showers_chunks import Chunk, claim, cut_chunks, is_complete, merge, spent
from facsim.simulate.showers_progress import Meter, Progress
from facsim.simulate.showers_settings import ShowerSimulation
from facsim.simulate.truth import SimulationReport, available_processors

__all__ = ["Progress", "ShowerSimulation", "SimulationReport", "simulate_showers", "time_geant4"]

FORMAT = "facsim-geant4-1"


def simulate_showers(
    settings: ShowerSimulation, out: Path, seed: int, progress: Callable[[Progress], None] | None = None
) -> SimulationReport:
    """Simulate showers into the CaloChallenge file `out`, resuming what an earlier, interrupted call left.

    Finished chunks lie in the folder `<out>.parts` until all are there. The showers depend on `settings` and `seed`
    alone, not on the number of workers, the chunks or interruptions.

    Raises:
        FacsimError: parts of other settings lie there, Geant4 failed, physics without its data, or the disk is full.
        MissingExtraError: Geant4 is not installed.
        KeyboardInterrupt: Ctrl-C; the finished chunks are kept.
    """
    begin = time.monotonic()
    data = _data(settings)
    identity = _identity(settings, seed, data)
    folder = out.with_name(out.name + ".parts")
    finished = _finished(out, identity)
    if finished is not None:
        return finished
    claim(folder, identity)
    table = settings.table(seed)
    chunks = cut_chunks(table[:, 0], settings.chunk, folder)
    ready = {chunk.first for chunk in chunks if is_complete(chunk)}
    missing = [chunk for chunk in chunks if chunk.first not in ready]
    workers = min(settings.workers or available_processors(), max(len(missing), 1))
    meter = Meter(table[:, 0], progress, workers)
    for chunk in chunks:
        if chunk.first in ready:
            meter.reuse(chunk)
    # longest first, so that the workers end together
    missing.sort(key=lambda chunk: -table[chunk.first : chunk.stop, 0].sum())
    tasks = [_task(settings, chunk.path, chunk.first, table[chunk.first : chunk.stop], seed) for chunk in missing]
    if tasks:
        Pool(_setup(settings), data.environment(), workers).run(tasks, meter.hear)
    meter.tell()
    provenance = put_together(settings, chunks, out, identity)
    shutil.rmtree(folder, ignore_errors=True)
    reused = sum(chunk.stop - chunk.first for chunk in chunks if chunk.first in ready)
    wall = time.monotonic() - begin
    return SimulationReport(out, settings.events, reused, workers, provenance["cpu_seconds"], wall, provenance)


def write_part(settings: ShowerSimulation, part: Chunk, seed: int) -> float:
    """Simulate the showers of one part in a process of its own and write its file; returns CPU seconds of Geant4.

    Raises:
        FacsimError, MissingExtraError: as of `simulate_showers`.
    """
    data = _data(settings)
    task = _task(settings, part.path, part.first, settings.table(seed)[part.first : part.stop], seed)
    Pool(_setup(settings), data.environment(), 1).run([task], lambda message: None)
    return spent([part])[0]


def put_together(settings: ShowerSimulation, parts: list[Chunk], out: Path, identity: dict[str, Any]) -> dict[str, Any]:
    """Merge the files of all `parts` in `out`; returns the provenance of the showers."""
    cpu_seconds, version = spent(parts)
    provenance = {"simulator": "geant4", "geant4": version, "cpu_seconds": round(cpu_seconds, 3), **identity}
    merge(parts, settings.shower_schema(provenance), out)
    return provenance


def identity_of(settings: ShowerSimulation, seed: int) -> dict[str, Any]:
    """All that determines the showers, and its fingerprint.

    Raises:
        FacsimError, MissingExtraError: as of `simulate_showers`.
    """
    return _identity(settings, seed, _data(settings))


def time_geant4(settings: ShowerSimulation, cond: NDArray[Any], seed: int = 0) -> FloatArray:
    """CPU time of Geant4 for showers at the conditions `cond` (N, K), ms each, shape (N,), in one worker process.

    Scoring in read-out cells is included; start-up and the first event are not.

    Raises:
        FacsimError: the number of conditions is not that of `settings`, or Geant4 failed.
        MissingExtraError: Geant4 is not installed.
    """
    data = _data(settings)
    columns = settings.condition_columns
    cond = np.asarray(cond, dtype=np.float64)
    if cond.ndim != 2 or cond.shape[1] != len(columns) or not len(cond):
        names = [COLUMNS[i].name for i in columns]
        raise FacsimError(f"expected conditions {names}, shape (N, {len(names)}), not shape {cond.shape}.")
    table = settings.model_copy(update={"events": len(cond)}).table(seed)
    table[:, columns] = cond
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "timing.h5"
        task = _task(settings, path, 0, table, seed)
        Pool(_setup(settings), data.environment(), 1).run([task], lambda message: None)
        with open_hdf5(path) as handle:
            return np.asarray(read_extra(handle, "cpu_ms", 0, len(cond)), dtype=np.float64)


def _data(settings: ShowerSimulation) -> Geant4Data:
    if find_spec("calzone") is None:
        raise MissingExtraError("geant4", "calzone")
    data = find_data(settings.detector.materials)
    physics = settings.detector.physics
    if physics.needs_official_data and data.kind != "official":
        raise FacsimError(
            f"the physics em={physics.em}, hadronic={physics.hadronic} needs Geant4's official data sets: point "
            "GEANT4_DATA_DIR to them, or take em standard, option1 or option2 with FTFP_BERT or QGSP_BERT."
        )
    return data


def _identity(settings: ShowerSimulation, seed: int, data: Geant4Data) -> dict[str, Any]:
    """All that determines the showers, and its fingerprint."""
    determining = {
        "format": FORMAT,
        "settings": settings.model_dump(mode="json", exclude={"workers"}),
        "seed": seed,
        "data": data.provenance(),
        "calzone": package_version("calzone"),
    }
    text = json.dumps(determining, sort_keys=True)
    return {"fingerprint": hashlib.sha256(text.encode()).hexdigest(), **determining}


def _finished(out: Path, identity: dict[str, Any]) -> SimulationReport | None:
    """The report of a file that already holds exactly these showers."""
    if not out.is_file():
        return None
    try:
        with open_hdf5(out) as handle:
            schema = read_schema(handle)
            events = len(handle["showers"])
    except (FacsimError, KeyError):
        return None
    provenance = dict(schema.provenance) if schema else {}
    if provenance.get("fingerprint") != identity["fingerprint"]:
        return None
    return SimulationReport(out, events, events, 0, provenance["cpu_seconds"], 0.0, provenance)


def _setup(settings: ShowerSimulation) -> dict[str, Any]:
    return {
        "detector": settings.detector.model_dump(mode="json"),
        "hadrons": settings.hadrons,
        "schema": settings.shower_schema().to_dict(),
    }


def _task(settings: ShowerSimulation, path: Path, first: int, rows: FloatArray, seed: int) -> dict[str, Any]:
    columns = settings.condition_columns
    return {"path": str(path), "first": first, "seed": seed, "rows": rows.tolist(), "conditions": columns}
