"""HDF5 files that grow event by event, on disks that may be full."""

from __future__ import annotations

from io import SEEK_CUR, SEEK_END, SEEK_SET
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np

from facsim.core.events import Array

CACHE_BYTES = 32 * 2**20
CHUNK_BYTES, MOST_BYTES = 4e6, 16e6


class Disk:
    """A file whose writes seem always to succeed, for HDF5 to write to.

    HDF5 2.0 crashes the interpreter when it closes a file that could not be written. So HDF5 never hears of a failure:
    the first one is kept in `error`, and what could not be written stays in memory for the short time until the owner
    of the file asks for it.
    """

    def __init__(self, path: Path, mode: Literal["w", "r+"]) -> None:
        self.path = path
        self.error: OSError | None = None
        self._file = path.open("w+b" if mode == "w" else "r+b", buffering=0)
        self._size = self._file.seek(0, SEEK_END)
        self._place = 0
        self._lost: list[tuple[int, bytes]] = []

    def __repr__(self) -> str:
        return str(self.path)

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        """As of any file."""
        self._place = offset + {SEEK_SET: 0, SEEK_CUR: self._place, SEEK_END: self._size}[whence]
        return self._place

    def tell(self) -> int:
        """As of any file."""
        return self._place

    def write(self, data: bytes | memoryview) -> int:
        """Write all of `data`, or keep what cannot be written."""
        view = memoryview(data).cast("B")
        done = 0
        while done < len(view) and self.error is None:
            try:
                self._file.seek(self._place + done)
                done += self._file.write(view[done:])
            except OSError as error:
                self.error = error
        if done < len(view):
            self._lost.append((self._place + done, bytes(view[done:])))
        self._place += len(view)
        self._size = max(self._size, self._place)
        return len(view)

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Fill `buffer` with what was written, zeros where nothing was."""
        view = memoryview(buffer).cast("B")
        self._file.seek(self._place)
        done = 0
        while done < len(view) and (got := self._file.readinto(view[done:])):
            done += got
        view[done:] = bytes(len(view) - done)
        for start, data in self._lost:
            low, high = max(start, self._place), min(start + len(data), self._place + len(view))
            if low < high:
                view[low - self._place : high - self._place] = data[low - start : high - start]
        self._place += len(view)
        return len(view)

    def read(self, size: int) -> bytes:
        """`size` bytes, as `readinto`."""
        data = bytearray(size)
        self.readinto(data)
        return bytes(data)

    def truncate(self, size: int) -> int:
        """Set the size of the file."""
        if self.error is None:
            try:
                self._file.truncate(size)
            except OSError as error:
                self.error = error
        self._size = size
        return size

    def flush(self) -> None:
        """Nothing to do: writes are not buffered."""

    def close(self) -> None:
        """Close the file and forget what could not be written."""
        self._lost.clear()
        self._file.close()


class GrowingFile(h5py.File):  # type: ignore[misc]
    """An HDF5 file open for appending to data sets whose first axis counts events.

    Data sets stay open, since HDF5 empties a data set's cache of unfinished chunks when it is closed; so each chunk is
    compressed and written once, however small the pieces in which events arrive.

    Args:
        path: the file.
        mode: "w" for a new file, "a" to append to one that may exist.

    Raises:
        OSError: on opening, appending or closing, the file cannot be written, e.g. for a full disk.
    """

    def __init__(self, path: Path, mode: Literal["w", "a"]) -> None:
        mine: Literal["w", "r+"] = "r+" if mode == "a" and path.exists() else "w"
        self.disk = Disk(path, mine)
        self.kept: dict[str, Any] = {}
        try:
            super().__init__(self.disk, mine, rdcc_nbytes=CACHE_BYTES)
        except BaseException:
            self.disk.close()
            raise

    def append(self, name: str, rows: Array, chunk: int | None = None) -> None:
        """Append `rows` to the gzip-compressed data set `name`, made on first use with `chunk` rows to a chunk."""
        if name in self:
            data = self.kept[name] if name in self.kept else self.kept.setdefault(name, self[name])
            first = len(data)
            data.resize(first + len(rows), axis=0)
            data[first:] = rows
        else:
            shape = (chunk or chunk_rows(rows.itemsize * int(np.prod(rows.shape[1:]))), *rows.shape[1:])
            self.kept[name] = self.create_dataset(
                name, data=rows, maxshape=(None, *rows.shape[1:]), chunks=shape, compression="gzip", compression_opts=4
            )
        self.check()

    def check(self) -> None:
        """Raise the error of the first write that failed."""
        if self.disk.error is not None:
            raise self.disk.error

    def close(self) -> None:
        """Write what is unwritten and close the file."""
        self.kept.clear()
        super().close()
        self.disk.close()
        self.check()


def chunk_rows(row_bytes: int, most: int = 4096) -> int:
    """Events to a compressed chunk: a power of two, about 4 MB but from 64 events up to `most`; of large events as many
    as fit into 16 MB, at least one."""

    def power(size: float) -> int:
        return int(2 ** int(np.log2(max(size / max(row_bytes, 1), 1))))

    return min(max(power(CHUNK_BYTES), 64), most, power(MOST_BYTES))
