"""Chunks of a simulation: consecutive events, each chunk a file of its own until all are merged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.geometry import FloatArray
from facsim.core.schema import Schema
from facsim.core.showerfile import append_showers, open_showers, read_extra, read_rows
from facsim.core.store import atomic_path, open_hdf5, read_json, write_error, write_json

SETTINGS = "settings.json"
MIN_CHUNKS = 16
CHUNK_GEV = 2000.0
MERGE_ROWS = 256


@dataclass(frozen=True)
class Chunk:
    """Events `first` to `stop` (exclusive) and the file they go to."""

    first: int
    stop: int
    path: Path


def cut_chunks(energy: FloatArray, largest: int, folder: Path) -> list[Chunk]:
    """Consecutive chunks of events with energies `energy` (MeV), whatever the number of workers.

    A chunk has at most `largest` events, at most a sixteenth of all, and no more than 2 TeV in sum.
    """
    largest = max(1, min(largest, -(-len(energy) // MIN_CHUNKS)))
    chunks, first, total = [], 0, 0.0
    for i, value in enumerate(energy):
        if i > first and (i - first >= largest or total + value > 1000.0 * CHUNK_GEV):
            chunks.append(Chunk(first, i, folder / f"part-{first:08d}.h5"))
            first, total = i, 0.0
        total += value
    return [*chunks, Chunk(first, len(energy), folder / f"part-{first:08d}.h5")]


def claim(folder: Path, identity: dict[str, Any]) -> None:
    """Make the folder of parts, or check that the one there is of the same settings."""
    path = folder / SETTINGS
    if path.is_file():
        if read_json(path).get("fingerprint") != identity["fingerprint"]:
            raise FacsimError(
                f"'{folder}' holds an unfinished simulation with other settings: delete it, or choose another --out."
            )
    else:
        write_json(path, identity)
    try:
        for stale in folder.glob(".*.tmp"):
            stale.unlink(missing_ok=True)
    except OSError as error:
        raise write_error(folder, error) from error


def is_complete(chunk: Chunk) -> bool:
    """Whether the chunk's file is there and whole."""
    if not chunk.path.is_file():
        return False
    try:
        with open_hdf5(chunk.path) as handle:
            return len(handle["showers"]) == chunk.stop - chunk.first
    except (FacsimError, KeyError):
        return False


def spent(chunks: list[Chunk]) -> tuple[float, str]:
    """CPU seconds of Geant4 in the finished `chunks`, and the version of Geant4."""
    seconds, version = 0.0, ""
    for chunk in chunks:
        with open_hdf5(chunk.path) as handle:
            cpu_ms = read_extra(handle, "cpu_ms", 0, chunk.stop - chunk.first)
            seconds += 0.0 if cpu_ms is None else float(cpu_ms.sum()) / 1000.0
            version = str(handle.attrs["geant4"])
    return seconds, version


def merge(chunks: list[Chunk], schema: Schema, out: Path) -> None:
    """Stream the finished `chunks` into the shower file `out`, atomically.

    Raises:
        FacsimError: the disk is full.
    """
    with atomic_path(out) as temporary, open_showers(temporary, "w") as target:
        for chunk in chunks:
            for handle, start, stop in _ranges(chunk):
                rows = read_rows(handle, schema, start, stop)
                append_showers(target, rows, cpu_ms=np.asarray(read_extra(handle, "cpu_ms", start, stop)))


def _ranges(chunk: Chunk) -> Iterator[tuple[Any, int, int]]:
    """The open file of a part and ranges of its rows."""
    count = chunk.stop - chunk.first
    with open_hdf5(chunk.path) as handle:
        for start in range(0, count, MERGE_ROWS):
            yield handle, start, min(start + MERGE_ROWS, count)
