"""Arrays of one entry per event in users' HDF5 and ROOT files, flat or of varying length, read by range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import h5py
import numpy as np

from facsim.core.errors import FacsimError, MissingExtraError
from facsim.core.events import Array
from facsim.core.geometry import IntArray
from facsim.core.store import open_hdf5


@dataclass(frozen=True)
class Ragged:
    """Lists of varying length: all `values` end to end (M,), and how many belong to each event, `counts` (N,)."""

    values: Array
    counts: IntArray


class Columns(Protocol):
    """A file of named arrays with one entry per event."""

    block_rows: int

    def __len__(self) -> int: ...

    def read(self, start: int, stop: int) -> dict[str, Array | Ragged]:
        """Entries `start` to `stop` (exclusive) of every array asked for when the file was opened."""
        ...


class HDF5Columns:
    """Data sets of an HDF5 file: numbers (N, ...), variable-length lists (N,), fields of structured data sets.

    Args:
        path: the file.
        keys: data sets to read, `group/data` or `data:field`.
        flat: for lists kept end to end, key of the list -> key of the numbers of entries per event.

    Raises:
        FacsimError: a missing data set, or data sets of different lengths.
    """

    def __init__(self, path: Path, keys: Sequence[str], flat: Mapping[str, str] | None = None) -> None:
        self.path = path
        self._flat = dict(flat or {})
        self._keys = list(dict.fromkeys(keys))
        with open_hdf5(path) as handle:
            lengths = {key: len(self._find(handle, key)) for key in (*self._keys, *self._flat.values())}
            self._ends = {
                counts: np.cumsum(self._find(handle, counts)[:].astype(np.int64)) for counts in set(self._flat.values())
            }
            chunks = [self._find(handle, key).chunks for key in self._keys if key not in self._flat]
        for key, counts in self._flat.items():
            total = int(self._ends[counts][-1]) if len(self._ends[counts]) else 0
            if lengths.pop(key) != total:
                raise FacsimError(f"'{key}' in '{path}' has not the {total} entries that '{counts}' adds up to.")
        if len(set(lengths.values())) > 1:
            raise FacsimError(f"the data sets of '{path}' have different lengths: {lengths}.")
        self._length = next(iter(lengths.values()), 0)
        self.block_rows = min([chunk[0] for chunk in chunks if chunk] or [256])

    def _find(self, handle: h5py.File, key: str) -> Any:
        name, _, field = key.partition(":")
        data = handle.get(name)
        if not isinstance(data, h5py.Dataset) or data.ndim == 0:
            raise FacsimError(f"'{self.path}' has no data set '{name}'; it has {_datasets(handle)}.")
        if field and field not in (data.dtype.names or ()):
            raise FacsimError(f"'{name}' in '{self.path}' has no field '{field}'; it has {data.dtype.names or ()}.")
        kind = data.dtype[field].kind if field else data.dtype.kind
        if kind not in "fiub" and h5py.check_vlen_dtype(data.dtype) is None:
            raise FacsimError(f"'{key}' in '{self.path}' holds {data.dtype}, not numbers.")
        return data

    def __len__(self) -> int:
        return self._length

    def read(self, start: int, stop: int) -> dict[str, Array | Ragged]:
        """Entries `start` to `stop` (exclusive) of every key."""
        with open_hdf5(self.path) as handle:
            return {key: self._read(handle, key, start, stop) for key in self._keys}

    def _read(self, handle: h5py.File, key: str, start: int, stop: int) -> Array | Ragged:
        data, field = self._find(handle, key), key.partition(":")[2]
        if field:
            data = data.fields(field)
        if key in self._flat:
            edges = np.concatenate([[0], self._ends[self._flat[key]]])[start : stop + 1]
            return Ragged(data[edges[0] : edges[-1]], np.diff(edges))
        rows = data[start:stop]
        if rows.dtype != object:
            return np.asarray(rows)
        counts = np.array([len(row) for row in rows], dtype=np.int64)
        return Ragged(np.concatenate(rows) if len(rows) else np.empty(0), counts)


def _datasets(handle: h5py.File) -> list[str]:
    names: list[str] = []
    handle.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    return sorted(names)


class RootColumns:
    """Branches of a ROOT tree, read with uproot: numbers, fixed-size arrays and vectors.

    Args:
        path: the file.
        keys: branches to read.
        tree: name of the tree; may be left out when the file has one.

    Raises:
        MissingExtraError: uproot is not installed.
        FacsimError: not a ROOT file, no such tree or branch.
    """

    def __init__(self, path: Path, keys: Sequence[str], tree: str | None = None) -> None:
        self.path = path
        self._keys = list(dict.fromkeys(keys))
        with self._open() as file:
            trees = file.keys(recursive=True, cycle=False, filter_classname=["TTree", "TNtuple", "ROOT::RNTuple"])
            names = sorted(set(trees))
            if tree is None and len(names) != 1:
                raise FacsimError(f"'{path}' has the trees {names}: say which with 'tree'.")
            if tree is not None and tree not in names:
                raise FacsimError(f"'{path}' has no tree '{tree}'; it has {names}.")
            self._tree = tree or names[0]
            branches = file[self._tree].keys()
            missing = [key for key in self._keys if key not in branches]
            if missing:
                named = ", ".join(f"'{key}'" for key in missing)
                raise FacsimError(f"tree '{self._tree}' of '{path}' has no branch {named}; it has {branches}.")
            self._length = int(file[self._tree].num_entries)
        self.block_rows = 1000

    def _open(self) -> AbstractContextManager[Any]:
        try:
            import awkward  # noqa: F401, PLC0415
            import uproot  # noqa: PLC0415
        except ImportError:
            raise MissingExtraError("root", "uproot") from None
        if not self.path.is_file():
            raise FacsimError(f"'{self.path}' does not exist or is not a file.")
        return _Open(self.path, uproot.open)

    def __len__(self) -> int:
        return self._length

    def read(self, start: int, stop: int) -> dict[str, Array | Ragged]:
        """Entries `start` to `stop` (exclusive) of every branch."""
        with self._open() as file:
            rows = file[self._tree].arrays(self._keys, entry_start=start, entry_stop=stop, library="ak")
            return {key: self._convert(rows[key], key) for key in self._keys}

    def _convert(self, column: Any, key: str) -> Array | Ragged:
        import awkward as ak  # noqa: PLC0415

        try:
            if column.ndim == 2 and "var" in str(column.type):
                return Ragged(ak.to_numpy(ak.flatten(column)), ak.to_numpy(ak.num(column)).astype(np.int64))
            array = np.asarray(ak.to_numpy(column))
        except ValueError:
            raise FacsimError(f"branch '{key}' of '{self.path}' holds {column.type}, not numbers or lists.") from None
        if array.dtype.kind not in "fiub":
            raise FacsimError(f"branch '{key}' of '{self.path}' holds {column.type}, not numbers.")
        return array


class _Open(AbstractContextManager[Any]):
    """An open ROOT file whose damage is told in a sentence."""

    def __init__(self, path: Path, opener: Any) -> None:
        self._path, self._opener = path, opener

    def __enter__(self) -> Any:
        try:
            self._file = self._opener(self._path)
        except Exception as error:
            raise self._damaged(error) from error
        return self._file

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self._file.close()
        if isinstance(error, Exception) and not isinstance(error, FacsimError):
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> FacsimError:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return FacsimError(f"'{self._path}' is not a readable ROOT file (truncated or another format): {lines[0]}.")
