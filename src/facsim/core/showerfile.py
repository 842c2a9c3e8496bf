"""The layout of shower files: the CaloChallenge's two data sets, and facsim's own in a group beside them.

`incident_energies` (N, 1) and `showers` (N, V), both in MeV, stand at the top of the file exactly as the challenge's
scripts expect (arXiv 2410.21611, section 2). All else is in the group `facsim`, which those scripts do not read: the
attributes `format` and `schema` (JSON; a data set where it is large) and one array per event of each of `event_id`,
`group_id`, `cond` (N, K; only with several conditions), `weight`, and whatever a simulator adds, such as `cpu_ms`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.events import Array, Events, Labels
from facsim.core.growing import GrowingFile, chunk_rows
from facsim.core.schema import SCHEMA, Schema, parse_schema, store_schema, stored_schema
from facsim.core.store import atomic_path

FORMAT = "facsim-showers-1"
ENERGIES = "incident_energies"
SHOWERS = "showers"
GROUP = "facsim"
INCIDENT = "incident_energy"
SMALL_CHUNK = 4096


class ShowerFile(GrowingFile):
    """A shower file open for writing, best by `append_showers`."""

    last_schema: Schema | None = None


def open_showers(path: Path, mode: Literal["w", "a"]) -> ShowerFile:
    """Open a shower file for writing: `mode` is "w" for a new file, "a" to append to one that may exist."""
    return ShowerFile(path, mode)


def append_showers(handle: ShowerFile, events: Events, **extra: Array) -> None:
    """Append `events` to the shower file `handle` (open for writing), creating the data sets on first use.

    Args:
        handle: a file from `open_showers`.
        events: grid events, (N, V, 1) in MeV, with a condition `incident_energy` in MeV.
        extra: further arrays of one entry per event, kept in the group `facsim`, e.g. `cpu_ms` (N,).

    Raises:
        FacsimError: no condition `incident_energy`, another geometry, conditions or extra arrays than the file has,
            or an extra array of the wrong length.
        OSError: the disk is full; inside `core.store.atomic_path` this becomes a sentence.
    """
    _agree(handle, events.schema)
    rows = _per_event(events, extra)
    present = set(extra_names(handle)) if SHOWERS in handle else set(rows)
    if set(rows) != present:
        raise FacsimError(f"'{handle.disk.path}' keeps {sorted(present)} per event, not {sorted(rows)}.")
    energies = events.condition(INCIDENT).astype(np.float64)[:, None]
    handle.append(ENERGIES, energies, SMALL_CHUNK)
    handle.append(SHOWERS, events.cells.astype(np.float32, copy=False), chunk_rows(4 * events.cells.shape[1], 256))
    for name, values in rows.items():
        handle.append(f"{GROUP}/{name}", values, SMALL_CHUNK)


def _agree(handle: ShowerFile, schema: Schema) -> None:
    """Store the schema in a new file; refuse another one than an old file has."""
    if handle.last_schema is schema:
        return
    group = handle.require_group(GROUP)
    if stored_schema(group) is None:
        group.attrs["format"] = FORMAT
        store_schema(group, schema)
    elif read_schema(handle) != schema:
        raise FacsimError(f"the showers to append to '{handle.disk.path}' have another geometry or other conditions.")
    handle.last_schema = schema


def _per_event(events: Events, extra: dict[str, Array]) -> dict[str, Array]:
    rows: dict[str, Array] = {"event_id": events.event_id, "group_id": events.group_id}
    if events.cond.shape[1] > 1:
        rows["cond"] = events.cond
    if events.weight is not None:
        rows["weight"] = events.weight
    for name, values in extra.items():
        if len(values) != len(events):
            raise FacsimError(f"'{name}' has {len(values)} entries for {len(events)} showers.")
    return rows | {name: np.asarray(values) for name, values in extra.items()}


def write_showers(path: str | Path, batches: Iterable[Events]) -> int:
    """Write batches of grid events to a CaloChallenge file, atomically; return the number of showers.

    Raises:
        FacsimError: no events, no condition `incident_energy`, or the disk is full.
    """
    total = 0
    with atomic_path(Path(path)) as temporary, open_showers(temporary, "w") as handle:
        for batch in batches:
            append_showers(handle, batch)
            total += len(batch)
        if total == 0:
            raise FacsimError(f"there are no showers to write to '{path}'.")
    return total


def is_shower_file(handle: h5py.File) -> bool:
    """Whether the file has the two data sets of the CaloChallenge."""
    return ENERGIES in handle and SHOWERS in handle


def read_schema(handle: h5py.File) -> Schema | None:
    """The schema that facsim stored, or None for a file from elsewhere.

    Raises:
        FacsimError: the stored schema cannot be read.
    """
    text = stored_schema(handle[GROUP]) if GROUP in handle else None
    return None if text is None else parse_schema(text, handle.filename)


def extra_names(handle: h5py.File) -> list[str]:
    """Names of the per-event arrays in the group `facsim`, e.g. `event_id`, `cpu_ms`."""
    return sorted(set(handle[GROUP]) - {SCHEMA}) if GROUP in handle else []


def read_extra(handle: h5py.File, name: str, start: int, stop: int) -> Array | None:
    """Rows `start` to `stop` of a per-event array of the group `facsim`; None if the file does not keep it."""
    place: Any = handle.get(GROUP, {})
    return np.asarray(place[name][start:stop]) if name in place else None


def read_rows(handle: h5py.File, schema: Schema, start: int, stop: int) -> Events:
    """Showers `start` to `stop` (exclusive) as events: cells float32, conditions float64, converted while reading."""
    data = handle[SHOWERS]
    stop = min(stop, len(data))
    count = max(stop - start, 0)
    cells = np.empty((count, data.shape[1]), dtype=np.float32)
    if count:
        data.read_direct(cells, np.s_[start:stop])
    labels = read_labels(handle, start, start + count)
    return Events(schema, cells[:, :, None], **vars(labels))


def read_labels(handle: h5py.File, start: int, stop: int) -> Labels:
    """Conditions (float64), ids and weights of showers `start` to `stop`; ids are positions where the file has none."""
    cond = read_extra(handle, "cond", start, stop)
    if cond is None:
        cond = np.asarray(handle[ENERGIES][start:stop], dtype=np.float64).reshape(stop - start, 1)
    event_id = read_extra(handle, "event_id", start, stop)
    if event_id is None:
        event_id = np.arange(start, stop, dtype=np.int64)
    group_id = read_extra(handle, "group_id", start, stop)
    return Labels(cond, event_id, event_id if group_id is None else group_id, read_extra(handle, "weight", start, stop))
