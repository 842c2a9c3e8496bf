"""Quark and gluon jets of EnergyFlow (arXiv 1810.05165; Zenodo 3164691), NumPy archives with `X` and `y`.

`X` (N, M, 4): pT in GeV, rapidity, azimuth and PDG number of each particle, zeros as padding; `y` (N,): 1 for a quark's
jet, 0 for a gluon's. EnergyFlow's list of the files with charm and bottom names one of them twice: read each file once;
`open_events` refuses a path that is given twice.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.events import Events, make_events
from facsim.core.schema import Schema
from facsim.core.sources import check_range
from facsim.data.jet_checks import check_finite, check_jets
from facsim.data.npz_stream import NpzRows, names_of
from facsim.physics.jet_schema import jet_schema, relative_to_sum

JETS, LABELS = "X", "y"
KINDS = ("g", "q")
POINTS = 150
HIGHEST_RAPIDITY = 10.0


def is_quark_gluon(path: Path) -> bool:
    """Whether a file is an archive with arrays `X` and `y`."""
    return path.suffix.lower() == ".npz" and {JETS, LABELS} <= names_of(path)


class QuarkGluonReader:
    """`EventSource` of clouds (N, 150, 3), conditions `pt` GeV and `eta` of the jet, `is_g`, `is_q`.

    Rapidity is taken for pseudorapidity, that is, particles for massless, as the data's authors do; at most the 150
    hardest particles are kept. Read forward in one pass; memory holds what is asked for.

    Raises:
        FacsimError: a missing or damaged file, or arrays of other shapes.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._jets = NpzRows(self.path, JETS)
        labels = NpzRows(self.path, LABELS)
        if len(self._jets.shape) != 3 or self._jets.shape[2] != 4 or labels.shape != self._jets.shape[:1]:
            raise FacsimError(
                f"'{path}': expected X (jets, particles, 4) and y (jets,), not {self._jets.shape} and {labels.shape}."
            )
        self._quark = labels.read(0, labels.shape[0])
        if not np.isin(self._quark, (0, 1)).all():
            raise FacsimError(f"'{path}': 'y' holds 1 for quarks and 0 for gluons, not {np.unique(self._quark)[:5]}.")
        self._schema = jet_schema(KINDS, POINTS)

    @property
    def schema(self) -> Schema:
        return self._schema

    def __len__(self) -> int:
        return int(self._jets.shape[0])

    def read(self, start: int, stop: int) -> Events:
        """Jets `start` to `stop` (exclusive).

        Raises:
            FacsimError: a range outside the file, NaN, jets without particles, or columns in another order.
        """
        check_range(start, stop, len(self))
        found = self._jets.read(start, stop)[..., :3].astype(np.float64)
        check_finite(found, str(self.path), start)
        pt, rapidity, phi = np.moveaxis(found, 2, 0)
        if len(pt) and (pt.min(initial=0.0) < 0 or np.abs(rapidity).max(initial=0.0) > HIGHEST_RAPIDITY):
            raise FacsimError(
                f"'{self.path}': the columns of 'X' do not look like pT, rapidity, phi, PDG number: pT down to "
                f"{pt.min():.3g}, |rapidity| up to {np.abs(rapidity).max():.3g}; are columns swapped?"
            )
        momenta = np.stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(rapidity)], axis=2)
        x, axis = relative_to_sum(momenta, POINTS)
        check_jets(x, x[:, :, 2] > 0, str(self.path), start)
        quark = self._quark[start:stop] == 1
        cond = np.column_stack([axis[:, :2], ~quark, quark])
        return make_events(self._schema, x.astype(np.float32), cond, start, mask=x[:, :, 2] > 0)
