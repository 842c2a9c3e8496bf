"""Rows of an array in a NumPy archive, in bounded memory: compressed ones can only be read from the beginning on."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from facsim.core.errors import FacsimError
from facsim.core.events import Array


def names_of(path: Path) -> set[str]:
    """Names of the arrays in an archive; none where it is no archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".npy") for name in archive.namelist()}
    except (OSError, zipfile.BadZipFile):
        return set()


DAMAGE = (OSError, EOFError, KeyError, ValueError, NotImplementedError, zipfile.BadZipFile, zlib.error)
"""What reading a damaged archive raises."""


class NpzRows:
    """An array of an archive, read by ranges of its first axis. Ranges that increase are read in one pass.

    Args:
        path: the archive. name: of the array.

    Raises:
        FacsimError: no such array, pickled objects, columns before rows, or a damaged file.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path, self._member = path, f"{name}.npy"
        self._stream: IO[bytes] | None = None
        self._place = 0
        try:
            with zipfile.ZipFile(path) as archive, archive.open(self._member) as stream:
                self.shape, columns_first, self.dtype = _header(stream)
        except DAMAGE as error:
            raise FacsimError(f"'{path}' has no readable array '{name}': {error}.") from None
        if self.dtype.hasobject or columns_first or not self.shape:
            raise FacsimError(f"'{path}': '{name}' must be an array of numbers in C order, not {self.dtype}.")

    def read(self, start: int, stop: int) -> Array:
        """Rows `start` to `stop` (exclusive).

        Raises:
            FacsimError: the file is damaged there.
        """
        row = int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize
        try:
            if self._stream is None or start < self._place:
                self._reopen()
            assert self._stream is not None
            while self._place < start:
                self._stream.read(min(start - self._place, 1000) * row)
                self._place += min(start - self._place, 1000)
            data = self._stream.read((stop - start) * row)
            self._place = stop
        except DAMAGE as error:
            self._stream = None  # its place is not known any more
            raise FacsimError(f"'{self.path}' is damaged and cannot be read: {error}.") from None
        if len(data) != (stop - start) * row:
            raise FacsimError(f"'{self.path}' is damaged: '{self._member}' ends before row {stop}.")
        return np.frombuffer(data, dtype=self.dtype).reshape(stop - start, *self.shape[1:])

    def _reopen(self) -> None:
        if self._stream is not None:
            self._stream.close()
        # the archive stays open as long as its member does
        self._stream = zipfile.ZipFile(self.path).open(self._member)  # noqa: SIM115
        _header(self._stream)
        self._place = 0


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(stream)
    found: tuple[tuple[int, ...], bool, np.dtype[Any]]
    found = npy.read_array_header_1_0(stream) if version == (1, 0) else npy.read_array_header_2_0(stream)
    return found
