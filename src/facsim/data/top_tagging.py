"""The top-tagging reference data (arXiv 1902.09914; Zenodo 2603256), tables that pandas wrote to HDF5, without pandas.

A row holds 200 constituents as E, px, py, pz in GeV, hardest first and zeros as padding, perhaps further numbers, and
the label last: 1 for a top quark's jet, 0 for QCD. Names of the columns are pickled in the file and not read.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.events import Array, Events, make_events
from facsim.core.schema import Schema
from facsim.core.sources import check_range
from facsim.core.store import open_hdf5
from facsim.data.jet_checks import check_finite, check_jets
from facsim.physics.jet_schema import jet_schema, relative_to_sum

TABLE = "table/table"
CONSTITUENTS = 200
KINDS = ("qcd", "top")
IMBALANCE = 1e-3


def is_top_tagging(handle: h5py.File) -> bool:
    """Whether an HDF5 file holds such a table."""
    item = handle.get(TABLE)
    return isinstance(item, h5py.Dataset) and item.dtype.names is not None and "values_block_0" in item.dtype.names


class TopTaggingReader:
    """`EventSource` of clouds (N, 200, 3), conditions `pt` GeV and `eta` of the constituents' sum, `is_qcd`, `is_top`.

    Raises:
        FacsimError: a missing or damaged file, or a table of another layout.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        with open_hdf5(self.path) as handle:
            if not is_top_tagging(handle):
                raise FacsimError(f"'{path}' has no table '{TABLE}' of pandas; it has {sorted(handle)}.")
            types = handle[TABLE].dtype
            blocks = [types[name] for name in types.names if name.startswith("values_block_")]
            if blocks[0].shape[:1] < (4 * CONSTITUENTS,) or blocks[0].base.kind != "f":
                raise FacsimError(
                    f"'{path}': the first block of '{TABLE}' should hold {4 * CONSTITUENTS} momenta, not {blocks[0]}."
                )
            self._length = len(handle[TABLE])
        self._schema = jet_schema(KINDS, CONSTITUENTS)
        self._label = f"values_block_{len(blocks) - 1}"

    @property
    def schema(self) -> Schema:
        return self._schema

    def __len__(self) -> int:
        return self._length

    def read(self, start: int, stop: int) -> Events:
        """Jets `start` to `stop` (exclusive).

        Raises:
            FacsimError: a range outside the file, NaN, jets without particles, particles faster than light, or labels
                other than 0 and 1.
        """
        check_range(start, stop, len(self))
        with open_hdf5(self.path) as handle:
            rows = handle[TABLE][start:stop]
        momenta = rows["values_block_0"][:, : 4 * CONSTITUENTS].reshape(-1, CONSTITUENTS, 4).astype(np.float64)
        check_finite(momenta, str(self.path), start)
        label = rows[self._label].reshape(len(rows), -1)[:, -1]
        if not np.isin(label, (0, 1)).all():
            raise FacsimError(f"'{self.path}': the last column is the label, 0 or 1; it holds {label.max():g}.")
        self._check_order(momenta, start)
        x, axis = relative_to_sum(momenta[..., 1:], CONSTITUENTS)
        cond = np.column_stack([axis[:, :2], label == 0, label == 1])
        check_jets(x, x[:, :, 2] > 0, str(self.path), start)
        return make_events(self._schema, x.astype(np.float32), cond, start, mask=x[:, :, 2] > 0)

    def _check_order(self, momenta: Array, start: int) -> None:
        energy, size = momenta[..., 0], np.linalg.norm(momenta[..., 1:], axis=2)
        wrong = (energy < size * (1 - IMBALANCE)) & (size > 0)
        for row in np.flatnonzero(wrong.any(axis=1))[:1]:
            raise FacsimError(
                f"'{self.path}': jet {start + row} has a particle with less energy than momentum: expected columns E, "
                "px, py, pz in turn."
            )
