"""Files that are whole or absent: atomic writing, and the native chunked HDF5 store of events."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.events import Events, Labels
from facsim.core.growing import GrowingFile
from facsim.core.schema import Schema, parse_schema, store_schema, stored_schema

FORMAT = "facsim-events-1"
ARRAYS = ("x", "cond", "event_id", "group_id", "weight", "mask", "target")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success it is renamed to `path`, on failure removed.

    Raises:
        FacsimError: the disk is full or the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        _remove(temporary)
        raise write_error(path, error) from error
    except BaseException:
        _remove(temporary)
        raise


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


@contextmanager
def told_of(path: Path) -> Iterator[None]:
    """Say plainly that `path` could not be written or removed.

    Raises:
        FacsimError: an `OSError` was met within.
    """
    try:
        yield
    except OSError as error:
        raise write_error(path, error) from error


def write_error(path: Path, error: OSError) -> FacsimError:
    """The sentence for an `OSError` met while writing `path`."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error)
    if full:
        return FacsimError(f"the disk is full: '{path}' was not written; free space or choose another --out.")
    return FacsimError(f"cannot write '{path}': {error.strerror or error}.")


def write_json(path: Path, data: Any) -> None:
    """Write `data` as indented JSON, atomically; NaN is refused."""
    text = json.dumps(data, indent=2, allow_nan=False, sort_keys=False)
    with atomic_path(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Parse a JSON file.

    Raises:
        FacsimError: the file is missing, cannot be read, or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FacsimError(f"'{path}' does not exist.") from None
    except OSError as error:
        raise FacsimError(f"cannot read '{path}': {error.strerror}.") from None
    except json.JSONDecodeError as error:
        raise FacsimError(f"'{path}' is not valid JSON (line {error.lineno}): {error.msg}.") from None
    except (ValueError, RecursionError) as error:  # no UTF-8, thousands of digits, nested without end
        raise FacsimError(f"'{path}' is not valid JSON: {error}.") from None


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading.

    Raises:
        FacsimError: the file is missing, truncated or not HDF5, or damaged where it is read.
    """
    if not path.is_file():
        raise FacsimError(f"'{path}' does not exist or is not a file.")
    try:
        handle = h5py.File(path, "r")
    except OSError as error:
        raise FacsimError(f"'{path}' is not a readable HDF5 file (truncated or another format): {error}.") from None
    with handle:
        try:
            yield handle
        except OSError as error:
            raise FacsimError(f"'{path}' is damaged and cannot be read: {error}.") from error


def write_store(path: Path, batches: Iterable[Events]) -> int:
    """Write batches to the native store, atomically; return the number of events.

    Raises:
        FacsimError: no events, or the disk is full.
    """
    total = 0
    with atomic_path(path) as temporary, GrowingFile(temporary, "w") as handle:
        for batch in batches:
            if total == 0:
                handle.attrs["format"] = FORMAT
                store_schema(handle, batch.schema)
            for name in ARRAYS:
                value = getattr(batch, name)
                if value is not None and value.shape[1:] != (0,):  # HDF5 keeps no columns of no width
                    handle.append(name, value)
            total += len(batch)
        if total == 0:
            raise FacsimError(f"there are no events to write to '{path}'.")
    return total


class StoreReader:
    """`EventSource` over a native store file.

    Raises:
        FacsimError: not a facsim store, or a data set is missing or of another length.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with open_hdf5(path) as handle:
            if handle.attrs.get("format") != FORMAT:
                raise FacsimError(f"'{path}' is not a facsim event store (no format '{FORMAT}').")
            self._schema = parse_schema(stored_schema(handle), str(path))
            needed = [name for name in ARRAYS[:4] if name != "cond" or self._schema.conditions]
            missing = [name for name in needed if name not in handle]
            if missing:
                raise FacsimError(f"'{path}' lacks the data sets {missing}.")
            self._names = [name for name in ARRAYS if name in handle]
            lengths = {name: len(handle[name]) for name in self._names}
            if len(set(lengths.values())) != 1:
                raise FacsimError(f"the data sets of '{path}' disagree in length: {lengths}.")
            self._length = lengths["x"]
            if self._schema.representation == "cloud":
                self._schema = replace(self._schema, points=int(handle["x"].shape[1]))
            self.block_rows: int = handle["x"].chunks[0] if handle["x"].chunks else 256

    @property
    def schema(self) -> Schema:
        return self._schema

    def __len__(self) -> int:
        return self._length

    def read(self, start: int, stop: int) -> Events:
        """Events `start` to `stop` (exclusive)."""
        with open_hdf5(self.path) as handle:
            found = {name: handle[name][start:stop] for name in self._names}
        return Events(self._schema, **{"cond": np.zeros((len(found["x"]), 0)), **found})

    def labels(self) -> Labels:
        """Conditions, ids and weights of all events, read without the events."""
        with open_hdf5(self.path) as handle:
            names = [name for name in ("cond", "event_id", "group_id", "weight") if name in self._names]
            found = {name: handle[name][:] for name in names}
        return Labels(**{"cond": np.zeros((len(self), 0)), **found})
