"""Tables in text files, CSV or TSV, read by range: only a list of places in the file is held."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.events import Array
from facsim.data.columns import Ragged

BLOCK = 1000
"""Rows between two places in the file that are remembered."""
CHUNK = 1 << 22
SUFFIXES = (".csv", ".tsv", ".txt")
LARGEST_WHOLE = 2.0**53


class TextColumns:
    """Columns of a text file whose first line names them.

    Args:
        path: the file, UTF-8, one row a line.
        keys: columns to read; others may hold anything.
        delimiter: between columns; by default the first of tab, semicolon and comma that the first line has, else
            white space.

    Raises:
        FacsimError: no such file, a compressed one, no names in the first line, or columns that are not there.
    """

    def __init__(self, path: Path, keys: Sequence[str], delimiter: str | None = None) -> None:
        self.path = path
        self._keys = list(dict.fromkeys(keys))
        self.block_rows = BLOCK
        header, self._places, self._length = self._scan()
        self._delimiter = delimiter or next((mark for mark in "\t;," if mark in header), None)
        names = [name.strip().strip('"').strip("'") for name in header.lstrip("#").split(self._delimiter)]
        if all(map(_is_number, names)):
            raise FacsimError(f"the first line of '{path}' must name the columns, and holds numbers: {header[:80]!r}.")
        self.names = names
        missing = [key for key in self._keys if key not in names]
        if missing:
            raise FacsimError(f"'{path}' has no column {_listed(missing)}; it has {_listed(names)}.")
        self._columns = [names.index(key) for key in self._keys]
        self._header_columns = len(names)

    def __len__(self) -> int:
        return self._length

    def read(self, start: int, stop: int) -> dict[str, Array | Ragged]:
        """Rows `start` to `stop` (exclusive) of every column asked for.

        Raises:
            FacsimError: a row that is no row of numbers; it is named.
        """
        if stop <= start:
            return {key: np.empty(0) for key in self._keys}
        first, last = start // BLOCK, -(-stop // BLOCK)
        with self.path.open("rb") as file:
            file.seek(self._places[first])
            text = file.read(self._places[min(last, len(self._places) - 1)] - self._places[first])
        lines = text.decode("utf-8", errors="replace").splitlines()[start - first * BLOCK : stop - first * BLOCK]
        rows = self._parsed(lines, start)
        return {key: _whole(rows[:, k]) for k, key in enumerate(self._keys)}

    def _parsed(self, lines: list[str], start: int) -> Array:
        try:
            rows = self._numbers(lines)
        except (ValueError, IndexError):
            rows = None
        if rows is None or len(rows) != len(lines):
            raise self._bad_row(lines, start)
        return rows

    def _numbers(self, lines: list[str]) -> Array:
        options: dict[str, Any] = {"delimiter": self._delimiter, "usecols": self._columns, "quotechar": '"'}
        return np.loadtxt(lines, dtype=np.float64, ndmin=2, comments=None, **options)

    def _bad_row(self, lines: list[str], start: int) -> FacsimError:
        """The first row that cannot be read, by its line in the file."""
        for number, line in enumerate(lines):
            try:
                if line.strip() and len(self._numbers([line])) == 1:
                    continue
            except (ValueError, IndexError):
                pass
            what = f"expected numbers in {_listed(self._keys)}, not {line[:80]!r}"
            return FacsimError(f"line {start + number + 2} of '{self.path}' cannot be read: {what}.")
        return FacsimError(f"lines {start + 2} to {start + len(lines) + 1} of '{self.path}' cannot be read together.")

    def _scan(self) -> tuple[str, list[int], int]:
        """The first line, the places of every `BLOCK`-th row and of the end, and the number of rows."""
        if not self.path.is_file():
            raise FacsimError(f"'{self.path}' does not exist or is not a file.")
        with self.path.open("rb") as file:
            first = file.readline(CHUNK)
            if first[:2] in (b"\x1f\x8b", b"PK", b"BZ") or b"\0" in first:
                raise FacsimError(f"'{self.path}' is not text (compressed, or another format): expected CSV or TSV.")
            begin, rows, places, ended = file.tell(), 0, [file.tell()], True
            while chunk := file.read(CHUNK):
                found = np.flatnonzero(np.frombuffer(chunk, dtype=np.uint8) == ord("\n"))
                chosen = found[(-rows - 1) % BLOCK :: BLOCK]
                places += (begin + chosen + 1).tolist()
                rows, begin, ended = rows + len(found), begin + len(chunk), chunk.endswith(b"\n")
            rows += not ended
        if places[-1] != begin:
            places.append(begin)
        return first.decode("utf-8-sig", errors="replace").rstrip("\r\n"), places, rows


def _whole(column: Array) -> Array:
    """Whole numbers as such, so that numbers of events can be read."""
    if np.isfinite(column).all() and (np.abs(column) < LARGEST_WHOLE).all() and (column == np.round(column)).all():
        return column.astype(np.int64)
    return column


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
