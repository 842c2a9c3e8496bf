"""Shards become one: files of events as streams, histograms and moments as sums, in the order of the shards.

Counts are whole numbers and add up exactly; sums of weights and of values are added in the order of the shards by
`math.fsum`, so that they do not depend on who made which shard when.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from facsim.core.errors import FacsimError
from facsim.core.events import Events, chunks, padded
from facsim.core.image import ImageGeometry
from facsim.core.schema import Schema
from facsim.core.showerfile import write_showers
from facsim.core.sources import batch_rows
from facsim.core.store import write_store
from facsim.data import open_events
from facsim.engines.shards import LOGS, Job, Shard, Stamp, checksum

MEGABYTES = 32.0
"""Of events in memory while files are merged."""
Json = dict[str, Any]


def writer_of(schema: Schema) -> Callable[[Path, Iterator[Events]], int]:
    """What writes events of `schema`: CaloChallenge files for showers, the native store for all else."""
    showers = schema.representation == "grid" and not isinstance(schema.geometry, ImageGeometry)
    return write_showers if showers else write_store


def check_whole(job: Job, shards: Sequence[Shard], stamps: Mapping[int, Stamp]) -> None:
    """Refuse shards that are missing, or whose files are not those that were stamped.

    Raises:
        FacsimError: some are.
    """
    missing = [shard.index for shard in shards if shard.index not in stamps]
    if missing:
        raise FacsimError(
            f"{len(missing)} of {len(shards)} shards in '{job.folder}' are missing ({_some(missing)}): "
            f"make them first, by the same command without --merge{where_logs_are(job)}."
        )
    for shard in shards:
        stamp = stamps[shard.index]
        if not job.file(shard).is_file() or checksum(job.file(shard)) != stamp.sha256:
            raise FacsimError(f"'{job.file(shard)}' is not what was stamped: give the same command again to repair it.")


def where_logs_are(job: Job) -> str:
    """Half a sentence on the output of batch jobs, where there were some."""
    logs = job.folder / LOGS
    return f"; what the batch jobs said is in '{logs}'" if logs.is_dir() and any(logs.iterdir()) else ""


def merge_events(
    job: Job,
    shards: Sequence[Shard],
    out: Path,
    provenance: Mapping[str, Any],
    tell: Callable[[int], None] = lambda done: None,
) -> int:
    """Stream the events of all `shards` into the file `out`, atomically; returns their number.

    Raises:
        FacsimError: a shard is damaged or has another number of events than is its, or the disk is full.
    """
    sources = [open_events(job.file(shard)) for shard in shards]
    for shard, source in zip(shards, sources, strict=True):
        if len(source) != shard.events:
            raise FacsimError(f"'{job.file(shard)}' has {len(source)} events in place of {shard.events}.")
    sizes = [source.schema.points or 0 for source in sources]
    schema = replace(sources[0].schema, provenance=dict(provenance), points=max(sizes) or None)

    def batches() -> Iterator[Events]:
        done = 0
        for source in sources:
            for batch in chunks(source, batch_rows(source, MEGABYTES)):
                yield replace(padded(batch, schema.points), schema=schema)
                done += len(batch)
                tell(done)

    total = writer_of(schema)(out, batches())
    if total != sum(shard.events for shard in shards):
        raise FacsimError(f"'{out}' has {total} events in place of {sum(shard.events for shard in shards)}.")
    return total


def merge_histograms(parts: Sequence[Sequence[Json]]) -> list[Json]:
    """Sum, shard by shard, of lists of histograms with the same names: each has `name`, `uhi`, `moments` and labels.

    Raises:
        FacsimError: lists of different histograms, or histograms of different axes or storage.
    """
    if not parts:
        return []
    names = [[item["name"] for item in part] for part in parts]
    if any(own != names[0] for own in names):
        raise FacsimError("shards with different histograms cannot be merged.")
    return [_merged([part[i] for part in parts]) for i in range(len(parts[0]))]


def _merged(items: Sequence[Json]) -> Json:
    first = items[0]
    moments = {key: math.fsum(item["moments"][key] for item in items) for key in first["moments"]}
    return {**first, "uhi": add_uhi([item["uhi"] for item in items]), "moments": moments}


def add_uhi(parts: Sequence[Json]) -> Json:
    """The sum of histograms in UHI JSON (schema 1): values and, where they are kept, variances.

    Raises:
        FacsimError: different axes or storages, or storages that are no sums.
    """
    first = parts[0]
    kinds = {part["storage"]["type"] for part in parts}
    if any(part["axes"] != first["axes"] for part in parts) or len(kinds) != 1:
        raise FacsimError("histograms with different axes or storages cannot be added.")
    if not kinds <= {"int", "double", "weighted"}:
        raise FacsimError(f"histograms of the storage '{first['storage']['type']}' cannot be added.")
    sums = {
        key: _sums([part["storage"][key] for part in parts]) if key in ("values", "variances") else value
        for key, value in first["storage"].items()
    }
    return {**first, "storage": sums}


def _sums(arrays: Sequence[Any]) -> Any:
    """Elementwise sums of nested lists of numbers."""
    if isinstance(arrays[0], list):
        return [_sums(column) for column in zip(*arrays, strict=True)]
    return math.fsum(arrays)


def _some(numbers: Sequence[int], most: int = 5) -> str:
    shown = ", ".join(map(str, numbers[:most]))
    return shown if len(numbers) <= most else f"{shown}, ..."
