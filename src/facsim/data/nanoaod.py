"""Jets of CMS NanoAOD: reconstructed jets that a generator jet is matched to, as a table given the generator jet.

The match is CMS's own, `Jet_genJetIdx`. Before version 12 it may point beyond the stored generator jets, to one below
their threshold in pT: such jets have no partner here. Source: documentation of the NanoAOD content (CMS Open Data).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.events import Events, make_events
from facsim.core.geometry import IntArray
from facsim.core.schema import Feature, Schema
from facsim.core.sources import check_range
from facsim.data.columns import Ragged, RootColumns

TREE = "Events"
COLUMNS = (Feature("pt", "GeV"), Feature("eta"), Feature("phi", "rad"), Feature("mass", "GeV"))
MATCH = "Jet_genJetIdx"
MARKS = frozenset({MATCH, "GenJet_pt"})
ENTRIES = 10_000


class NanoAODReader:
    """`EventSource` of tables: pT (GeV), eta, phi (rad) and mass (GeV) of jets, conditions the same of their generator
    jet, `gen_pt` and so on. Jets of one collision are a group. Jets without a match are left out.

    Raises:
        FacsimError: a missing or damaged file, missing branches, or no matched jet.
        MissingExtraError: uproot is not installed.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        names = [f"{jet}_{column.name}" for jet in ("Jet", "GenJet") for column in COLUMNS]
        self._columns = RootColumns(self.path, [MATCH, *names], TREE)
        conditions = tuple(Feature(f"gen_{column.name}", column.unit) for column in COLUMNS)
        self._schema = Schema("table", COLUMNS, conditions)
        self._ends = self._count()
        if not len(self):
            raise FacsimError(f"'{path}' has no jets that are matched to generator jets.")

    @property
    def schema(self) -> Schema:
        return self._schema

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def read(self, start: int, stop: int) -> Events:
        """Jets `start` to `stop` (exclusive).

        Raises:
            FacsimError: a range outside the file.
        """
        check_range(start, stop, len(self))
        first, last = np.searchsorted(self._ends, [start, max(stop - 1, start)], side="right").tolist()
        last = min(last + 1, len(self._ends))
        found: dict[str, Any] = self._columns.read(first, last)
        generated = found["GenJet_pt"].counts
        chosen, entry = _matched(found[MATCH], generated)
        partner = (np.cumsum(generated) - generated)[entry] + found[MATCH].values[chosen]
        x = np.column_stack([found[f"Jet_{column.name}"].values[chosen] for column in COLUMNS])
        cond = np.column_stack([found[f"GenJet_{column.name}"].values[partner] for column in COLUMNS])
        cut = slice(start - (int(self._ends[first - 1]) if first else 0), None)
        group = (first + entry)[cut][: stop - start]
        x, cond = x[cut][: stop - start].astype(np.float32), cond[cut][: stop - start].astype(np.float64)
        return make_events(self._schema, x, cond, start, group)

    def _count(self) -> IntArray:
        """(entries,) matched jets up to and with each."""
        counts = []
        for first in range(0, len(self._columns), ENTRIES):
            found = self._columns.read(first, min(first + ENTRIES, len(self._columns)))
            match, generated = found[MATCH], found["GenJet_pt"]
            if not isinstance(match, Ragged) or not isinstance(generated, Ragged):
                raise FacsimError(f"'{self.path}': '{MATCH}' and 'GenJet_pt' should be lists for each collision.")
            counts.append(np.bincount(_matched(match, generated.counts)[1], minlength=len(match.counts)))
        return np.cumsum(np.concatenate([np.zeros(0), *counts])).astype(np.int64)


def _matched(match: Ragged, generated: IntArray) -> tuple[IntArray, IntArray]:
    """Places of jets whose generator jet is stored, and their entries; `generated` (entries,) counts those stored."""
    entry = np.repeat(np.arange(len(match.counts)), match.counts)
    chosen = np.flatnonzero((match.values >= 0) & (match.values < generated[entry]))
    return chosen, entry[chosen]
