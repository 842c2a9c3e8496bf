"""Public responses of MPD's TPC digitiser (arXiv 2012.04595): NumPy archives and the raw text of TPC-FastSim.

Archive: `params` (N, 2 to 6): crossing angle and dip angle [deg], drift length [time buckets], pad coordinate [pads],
pad row, pT [GeV]; hits of response i are rows `offsets[i]` to `offsets[i + 1]` of `pad`, `time_bucket`, `amplitude`.
Text: two lines a response, `params:` with the same numbers, then pad, time bucket and amplitude of each hit in turn.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.events import Array, Events, Labels, make_events
from facsim.core.schema import Schema
from facsim.core.sources import check_range
from facsim.data.datasets import numbered
from facsim.data.geometry import GeometryLike, load_geometry
from facsim.data.mpd_files import is_mpd, read_hits
from facsim.physics.tpc_window import PAD_LOW, PADS, TIME_LOW, TIMES, WINDOW, tpc_schema, window_origin

__all__ = ["MPDReader", "is_mpd"]


class MPDReader:
    """`EventSource` over a file of MPD's responses: grids (N, 128, 1) float32 in the file's amplitudes.

    Responses whose parameters lack the drift length or the pad coordinate all lie at one place: their window is put
    around the median hit of the file. Hits outside of the window are left out; `outside` counts them.

    Args:
        path: archive (`.npz`) or text.
        geometry: of other events to compare with; it has to be this window.

    Raises:
        FacsimError: a missing, damaged or wrong file, or another geometry.
    """

    def __init__(self, path: Path, geometry: GeometryLike | None = None) -> None:
        self.path = Path(path)
        if geometry is not None and not load_geometry(geometry).same_cells(WINDOW):
            raise FacsimError(f"'{path}' holds TPC responses of {PADS} pads x {TIMES} time buckets, no other geometry.")
        self._hits = read_hits(self.path)
        self._schema = tpc_schema(self._hits.params.shape[1], {"file": self.path.name})
        pad, time = self._origins()
        event = np.repeat(np.arange(len(self)), np.diff(self._hits.offsets))
        row, column = self._hits.pad - pad[event], self._hits.time - time[event]
        self._inside = (row >= 0) & (row < PADS) & (column >= 0) & (column < TIMES)
        self._cell = (event * PADS + row) * TIMES + column
        self.outside = int((~self._inside).sum())

    @property
    def schema(self) -> Schema:
        return self._schema

    def __len__(self) -> int:
        return len(self._hits.params)

    def read(self, start: int, stop: int) -> Events:
        """Responses `start` to `stop` (exclusive)."""
        check_range(start, stop, len(self))
        cells = PADS * TIMES
        part = slice(*self._hits.offsets[[start, stop]])
        inside = self._inside[part]
        place = self._cell[part][inside] - start * cells
        x = np.bincount(place, self._hits.amplitude[part][inside], (stop - start) * cells)
        images = x.reshape(stop - start, cells, 1).astype(np.float32)
        return make_events(self._schema, images, self._hits.params[start:stop], start)

    def labels(self) -> Labels:
        """Conditions and ids of all responses."""
        return numbered(self._hits.params)

    def _origins(self) -> tuple[Array, Array]:
        if self._hits.params.shape[1] > 3:
            return window_origin(self._hits.params)
        middle = [int(np.median(values)) for values in (self._hits.pad, self._hits.time)]
        ones = np.ones(len(self), dtype=np.int64)
        return (middle[0] + PAD_LOW) * ones, (middle[1] + TIME_LOW) * ones
