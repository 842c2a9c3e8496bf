"""Final particles of events in HepMC's text files, version 3 (Asciiv3) and 2 (IO_GenEvent), perhaps gzipped.

Only what a jet needs is read: momenta, PDG numbers and the status. Weights, vertices and history are passed over. An
event counts once the next one or the end of the listing follows: of a file that breaks off the last one is left out.
Source: HepMC3 (arXiv 1912.08005), HepMC2 user manual.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from facsim.core.errors import FacsimError
from facsim.physics.particles import NEUTRINOS, Particles

FINAL = "1"
Record = tuple[list[int], list[list[float]]]
"""PDG numbers and momenta of the final particles of an event."""
TO_GEV = {"GEV": 1.0, "MEV": 1e-3}
# place of the PDG number in a particle's line; four momentum components follow it, then mass and status
PDG_COLUMN = {"HepMC::Asciiv3-START_EVENT_LISTING": 3, "HepMC::IO_GenEvent-START_EVENT_LISTING": 2}


class HepMCEvents:
    """Events of a file, from its beginning on.

    Raises:
        FacsimError: a missing file, one of another format, or a line that cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.read, self._begun = path, 0, 0
        self._events = self._parsed()

    def next(self, events: int, visible: bool = True) -> Particles:
        """Final particles of the next `events` events, fewer where the file ends; GeV."""
        numbers, rows, sizes = [], [], []
        for found, momenta in self._events:
            numbers.append(np.array(found, dtype=np.int64))
            rows.append(np.array(momenta, dtype=np.float64).reshape(-1, 4))
            sizes.append(len(found))
            if len(sizes) == events:
                break
        self.read += len(sizes)
        event = np.repeat(np.arange(len(sizes)), sizes)
        pdg = np.concatenate([np.empty(0, dtype=np.int64), *numbers])
        particles = Particles(len(sizes), event, pdg, np.concatenate([np.empty((0, 4)), *rows]))
        return particles[~np.isin(np.abs(pdg), NEUTRINOS)] if visible else particles

    def _parsed(self) -> Iterator[Record]:
        try:
            with _opened(self.path) as lines:
                yield from self._records(lines)
        except (OSError, EOFError, UnicodeDecodeError) as error:
            raise FacsimError(f"cannot read the HepMC file '{self.path}': {error}.") from None
        except (ValueError, IndexError, KeyError) as error:
            where = f"'{self.path}': event {max(self._begun, 1)} has a line that cannot be read"
            raise FacsimError(f"{where}: {type(error).__name__} {error}.") from None

    def _records(self, lines: IO[str]) -> Iterator[Record]:
        column, scale = None, 1.0
        event: Record | None = None
        for line in lines:
            if line.startswith("P ") and column is not None and event is not None:
                words = line.split()
                if words[column + 6] == FINAL:
                    event[0].append(int(words[column]))
                    event[1].append([scale * float(word) for word in words[column + 1 : column + 5]])
            elif line.startswith(("E ", "HepMC::")):
                if event is not None:
                    yield event
                self._begun += line.startswith("E ")
                event = ([], []) if line.startswith("E ") else None
                column = PDG_COLUMN.get(line.strip(), column)
                if event is not None and column is None:
                    break
            elif line.startswith("U "):
                scale = TO_GEV[line.split()[1]]
        if column is None:
            raise ValueError("expected HepMC 3 Asciiv3 or HepMC 2 IO_GenEvent")


def _opened(path: Path) -> IO[str]:
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rt", encoding="ascii") if zipped else path.open(encoding="ascii")
