"""Stamps: what a finished stage was made from and what it left, so that it need not run again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from facsim.core.errors import FacsimError
from facsim.core.store import read_json, write_json

BLOCKS, BLOCK_BYTES = 64, 1 << 20
NEW = "it has not run yet"


@dataclass(frozen=True)
class FileMark:
    """Size, time and checksum of a file; the checksum covers 64 evenly spread MiB of a larger file."""

    size: int
    mtime_ns: int
    digest: str


@dataclass(frozen=True)
class Stamp:
    """The record of a finished stage.

    `settings` is a checksum of the configuration that matters to it, `needs` the identities of the stages before it,
    `inputs` the user's files, `outputs` the files it left (relative to the run directory). `identity` names the
    result: two runs with equal results have equal identities, so that later stages need not be repeated.
    """

    stage: str
    identity: str
    settings: str
    needs: dict[str, str]
    inputs: dict[str, FileMark]
    outputs: dict[str, FileMark]
    finished: str
    seconds: float


def mark(path: Path) -> FileMark:
    """The mark of a file.

    Raises:
        FacsimError: the file does not exist.
    """
    try:
        status = path.stat()
        return FileMark(status.st_size, status.st_mtime_ns, _digest(path, status.st_size))
    except OSError as error:
        raise FacsimError(f"cannot read '{path}': {error.strerror}.") from None


def unchanged(old: FileMark, path: Path) -> bool:
    """Whether `path` is the file that was marked: same size, and same time or, after a copy, same checksum."""
    try:
        status = path.stat()
    except OSError:
        return False
    if status.st_size != old.size:
        return False
    return status.st_mtime_ns == old.mtime_ns or _digest(path, status.st_size) == old.digest


def fingerprint(settings: Any) -> str:
    """Checksum of JSON-ready settings."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()


def read_stamp(path: Path) -> Stamp | None:
    """The stamp in `path`, or None when there is none that can be read."""
    if not path.is_file():
        return None
    try:
        data = read_json(path)
        inputs, outputs = ({name: FileMark(**m) for name, m in data.pop(key).items()} for key in ("inputs", "outputs"))
        return Stamp(**data, inputs=inputs, outputs=outputs)
    except (FacsimError, KeyError, TypeError, AttributeError):
        return None


def write_stamp(
    path: Path,
    stage: str,
    settings: Any,
    needs: Mapping[str, str],
    inputs: Iterable[Path],
    outputs: Iterable[Path],
    seconds: float,
) -> Stamp:
    """Record that `stage` is finished; `path` is `<run>/stamps/<stage>.json`."""
    root = path.parent.parent
    made_from = {str(p): mark(p) for p in inputs}
    left = {str(p.relative_to(root)): mark(p) for p in outputs}
    result = {"stage": stage, "outputs": {name: m.digest for name, m in left.items()}}
    stamp = Stamp(
        stage=stage,
        identity=fingerprint(result),
        settings=fingerprint(settings),
        needs=dict(needs),
        inputs=made_from,
        outputs=left,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(seconds, 3),
    )
    write_json(path, asdict(stamp))
    return stamp


def reason_to_run(
    path: Path, settings: Any, needs: Mapping[str, str], inputs: Iterable[Path], outputs: Iterable[Path]
) -> str | None:
    """Why the stage stamped in `path` has to run, in words; None when all it left still stands."""
    stamp = read_stamp(path)
    if stamp is None:
        return NEW
    if stamp.settings != fingerprint(settings):
        return "its settings changed"
    changed = [name for name, identity in needs.items() if stamp.needs.get(name) != identity]
    if changed:
        return f"the result of '{changed[0]}' changed"
    files = {str(p): p for p in inputs}
    if files.keys() != stamp.inputs.keys() or not all(unchanged(stamp.inputs[k], p) for k, p in files.items()):
        return "its input files changed"
    root = path.parent.parent
    left = {str(p.relative_to(root)): p for p in outputs}
    gone = [k for k, p in left.items() if k not in stamp.outputs or not unchanged(stamp.outputs[k], p)]
    return f"'{gone[0]}' is missing or was changed" if gone else None


def _digest(path: Path, size: int) -> str:
    """SHA-256 of the size and of the whole file, or of evenly spread blocks where it is larger than 64 MiB."""
    total = hashlib.sha256(str(size).encode())
    whole = size <= BLOCKS * BLOCK_BYTES
    with path.open("rb") as handle:
        for block in range(BLOCKS):
            if not whole:
                handle.seek(block * (size - BLOCK_BYTES) // (BLOCKS - 1))
            total.update(handle.read(BLOCK_BYTES))
    return total.hexdigest()
