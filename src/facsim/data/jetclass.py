"""ROOT files in the layout of JetClass (arXiv 2202.03772): an entry a jet, particles as vectors, labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.events import Array, Events, make_events
from facsim.core.schema import Schema
from facsim.core.sources import check_range
from facsim.data.columns import Ragged, RootColumns
from facsim.data.jet_checks import check_finite, check_jets
from facsim.physics.jet_schema import jet_schema, relative

TREE, LABEL = "tree", "label_"
PARTICLES = ("part_px", "part_py", "part_pz")
JET = ("jet_pt", "jet_eta", "jet_phi")
MARKS = frozenset({PARTICLES[0], JET[0]})
POINTS = 128


class JetClassReader:
    """`EventSource` of clouds (N, 128, 3), conditions `pt` GeV and `eta` of the jet, `is_...` of each `label_...`.

    Particles are relative to the jet that the file names; at most the 128 hardest are kept.

    Raises:
        FacsimError: a missing or damaged file, or branches that are missing.
        MissingExtraError: uproot is not installed.
    """

    def __init__(self, path: Path, branches: frozenset[str]) -> None:
        self.path = Path(path)
        self._labels = sorted(name for name in branches if name.startswith(LABEL))
        self._columns = RootColumns(self.path, [*PARTICLES, *JET, *self._labels], TREE)
        self._schema = jet_schema([name.removeprefix(LABEL) for name in self._labels], POINTS)
        self.block_rows = 1000

    @property
    def schema(self) -> Schema:
        return self._schema

    def __len__(self) -> int:
        return len(self._columns)

    def read(self, start: int, stop: int) -> Events:
        """Jets `start` to `stop` (exclusive).

        Raises:
            FacsimError: a range outside the file, NaN, jets without particles, or labels that are not of one kind.
        """
        check_range(start, stop, len(self))
        found = self._columns.read(start, stop)
        momenta = np.stack([_padded(found[name]) for name in PARTICLES], axis=2)
        check_finite(momenta, str(self.path), start)
        axis = np.column_stack([np.asarray(found[name], dtype=np.float64) for name in JET])
        if not np.isfinite(axis).all() or np.any(axis[:, 0] <= 0):
            raise FacsimError(f"'{self.path}': the jets need a finite {', '.join(JET)} and a positive pT.")
        x = relative(momenta, axis, POINTS)
        check_jets(x, x[:, :, 2] > 0, str(self.path), start)
        labels = np.column_stack([np.zeros((len(x), 0)), *(np.asarray(found[name]) for name in self._labels)])
        if self._labels and not (np.isin(labels, (0, 1)).all() and (labels.sum(axis=1) == 1).all()):
            raise FacsimError(f"'{self.path}': one of {self._labels} must be 1 for each jet and the others 0.")
        cond = np.column_stack([axis[:, :2], labels if len(self._labels) > 1 else labels[:, :0]])
        return make_events(self._schema, x.astype(np.float32), cond, start, mask=x[:, :, 2] > 0)


def _padded(column: Any) -> Array:
    """Vectors (N, most), zeros where they are shorter."""
    if not isinstance(column, Ragged):
        return np.asarray(column, dtype=np.float64).reshape(len(column), -1)
    counts = column.counts
    found = np.zeros((len(counts), int(max(counts.max(initial=0), 1))))
    found[np.arange(found.shape[1]) < counts[:, None]] = column.values
    return found
