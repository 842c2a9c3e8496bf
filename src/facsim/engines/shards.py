"""Shards: consecutive events that are made together, each a file of its own with a stamp that says it is whole.

A shard's file depends on the job's settings and the shard's place alone. It is written in a scratch folder beside its
final place and renamed; its stamp, with the file's checksum, follows. So whoever dies at whatever moment leaves shards
that are whole and stamped, or such as are made again.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import resource
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from facsim import __version__
from facsim.core.errors import FacsimError
from facsim.core.store import read_json, write_error, write_json

FORMAT = "facsim-farm-1"
FOLDER, LOGS = "shards", "logs"
LASTING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)
"""Errors of disks that the next attempt would meet as well; others, such as of a network, may pass."""
LONGEST = 300
"""Letters of an unexpected error that are told."""


@dataclass(frozen=True)
class Shard:
    """Events `first` to `stop` (exclusive), the `index`-th of a job; `item` is what only this one is made from."""

    index: int
    first: int
    stop: int
    item: Mapping[str, Any] = field(default_factory=dict)

    @property
    def events(self) -> int:
        """Number of events."""
        return self.stop - self.first

    @property
    def name(self) -> str:
        """Of its files, without suffix."""
        return f"shard-{self.index:06d}"


def cut(events: int, size: int) -> list[Shard]:
    """Shards of `size` events, the last one as many as are left."""
    return [Shard(i, first, min(first + size, events)) for i, first in enumerate(range(0, events, size))]


@dataclass(frozen=True)
class Job:
    """What all shards of a folder have in common.

    Args:
        task: "module:function"; the function `(job, shard, path)` writes the file `path` and returns JSON-ready facts,
            among them `rows`, the number of events in it.
        settings: JSON-ready; all that the events depend on.
        folder: of the results; shards go to `shards/` in it.
        versions: of the packages that the events depend on; a worker that has others refuses.
        places: where a worker finds what it needs, which the events do not depend on.
        suffix: of a shard's file.
        retries: how often a shard is tried again after an unexpected error or the death of its worker.
    """

    task: str
    settings: Mapping[str, Any]
    folder: Path
    versions: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, Any] = field(default_factory=dict)
    suffix: str = ".h5"
    retries: int = 2

    @cached_property
    def fingerprint(self) -> str:
        """Checksum of all that the events depend on."""
        determining = {"task": self.task, "settings": self.settings, "versions": self.versions}
        return hashlib.sha256(json.dumps(determining, sort_keys=True).encode()).hexdigest()

    def file(self, shard: Shard) -> Path:
        """Where the events of `shard` go."""
        return self.folder / FOLDER / f"{shard.name}{self.suffix}"

    def stamp(self, shard: Shard) -> Path:
        """Where the stamp of `shard` goes."""
        return self.folder / FOLDER / f"{shard.name}.stamp.json"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `from_dict` is its inverse."""
        return {**asdict(self), "folder": str(self.folder.absolute())}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Job:
        """The job of `to_dict`."""
        return cls(**{**data, "folder": Path(data["folder"])})


@dataclass(frozen=True)
class Stamp:
    """The record of a finished shard: whose it is, checksum and size of its file, rows in it, what it cost.

    `seconds` is wall-clock time, `peak_MB` the largest resident memory that its process has had so far.
    """

    format: str
    settings: str
    index: int
    first: int
    stop: int
    item: Mapping[str, Any]
    sha256: str
    bytes: int
    rows: int
    seconds: float
    peak_MB: float
    host: str
    facts: Mapping[str, Any]


def checksum(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def stamp_of(job: Job, shard: Shard) -> Stamp | None:
    """The stamp of a shard whose file is whole; None where the shard has to be made.

    The file is read and its checksum compared, so that half written and damaged files are found.
    """
    try:
        found = Stamp(**read_json(job.stamp(shard)))
        place = (found.index, found.first, found.stop, found.item)
        mine = found.format == FORMAT and found.settings == job.fingerprint
        if not mine or place != (shard.index, shard.first, shard.stop, shard.item):
            return None
        path = job.file(shard)
        return found if path.stat().st_size == found.bytes and checksum(path) == found.sha256 else None
    except (FacsimError, TypeError, OSError):
        return None


def divide(
    job: Job, shards: Sequence[Shard], tell: Callable[[int], None] = lambda done: None
) -> tuple[dict[int, Stamp], list[Shard]]:
    """Stamps of the shards that are whole, by index, and the shards that have to be made; `tell` hears the progress."""
    stamps, missing = {}, []
    for done, shard in enumerate(shards, 1):
        stamp = stamp_of(job, shard)
        if stamp is None:
            missing.append(shard)
        else:
            stamps[shard.index] = stamp
        tell(done)
    return stamps, missing


def make(job: Job, shard: Shard) -> Stamp:
    """Make one shard, unless it is there and whole.

    Raises:
        FacsimError: the task refuses, the disk is full, or other versions are installed here than the job is for.
    """
    found = stamp_of(job, shard)
    if found is not None:
        return found
    check_versions(job.versions)
    work, final = _function(job.task), job.file(shard)
    begin = time.perf_counter()
    with _scratch(final.parent, shard) as folder:
        path = folder / final.name
        facts = work(job, shard, path)
        rows, size, digest = int(facts.pop("rows")), path.stat().st_size, checksum(path)
        path.replace(final)
    numbers = (digest, size, rows, round(time.perf_counter() - begin, 4), peak_memory(), socket.gethostname(), facts)
    stamp = Stamp(FORMAT, job.fingerprint, shard.index, shard.first, shard.stop, shard.item, *numbers)
    write_json(job.stamp(shard), asdict(stamp))
    return stamp


def attempt(job: Job, shard: Shard) -> dict[str, Any]:
    """`make` for a worker: the stamp, or why there is none and whether that is final; JSON-ready."""
    try:
        return {"stamp": asdict(make(job, shard))}
    except FacsimError as error:
        cause = error.__cause__
        return {"error": str(error), "final": not isinstance(cause, OSError) or cause.errno in LASTING}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"[:LONGEST], "final": False}


def check_versions(wanted: Mapping[str, str]) -> None:
    """Refuse to make events with other versions of packages than `wanted`.

    Raises:
        FacsimError: some are others here.
    """
    for name, expected in wanted.items():
        try:
            found = __version__ if name == "facsim" else version(name)
        except PackageNotFoundError:
            found = "none"
        if found != expected:
            raise FacsimError(
                f"these events need {name} {expected}, and the worker on '{socket.gethostname()}' has {found}: "
                "use the same environment everywhere."
            )


def peak_memory() -> float:
    """Largest resident memory of this process so far, MB (10^6 bytes)."""
    status = Path("/proc/self/status")  # what getrusage says includes the parent's before the process became its own
    if status.is_file():
        kilobytes = next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return round(int(kilobytes) * 1024 / 1e6, 1)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 1)  # macOS counts bytes


def sweep(folder: Path) -> None:
    """Remove what processes of this machine that are no more left half done."""
    for path in (folder / FOLDER).glob(".*"):
        host, _, pid = path.name.partition("@")[2].rpartition("@")[0].rpartition("@")
        if host == socket.gethostname() and pid.isdigit() and not _alive(int(pid)):
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _scratch(folder: Path, shard: Shard) -> Iterator[Path]:
    """A folder of one's own beside the shards, removed at the end."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        made = tempfile.mkdtemp(prefix=f".{shard.name}@{socket.gethostname()}@{os.getpid()}@", dir=folder)
        try:
            yield Path(made)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    except FacsimError as error:
        raise FacsimError(str(error).replace(made, str(folder))) from error.__cause__
    except OSError as error:
        raise write_error(folder / shard.name, error) from error


def _alive(pid: int) -> bool:
    with suppress(PermissionError):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
    return True


def _function(task: str) -> Callable[[Job, Shard, Path], dict[str, Any]]:
    module, name = task.split(":")
    found: Callable[[Job, Shard, Path], dict[str, Any]] = getattr(import_module(module), name)
    return found
