"""Jets of CMS NanoAOD: reconstructed jets that a generator jet is matched to, as a table given the generator jet.

The match is CMS's own, `Jet_genJetIdx`. Source: documentation of the NanoAOD content (CMS Open Data).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from facsim.core.errors import FacsimError
from facsim.core.events import Array, Events, make_events
from facsim.core.geometry import IntArray
from facsim.core.schema import Feature, Schema
from facsim.core.sources import check_range
from facsim.data.columns import Ragged, RootColumns

TREE = "Events"
COLUMNS = (Feature("pt", "GeV"), Feature("eta"), Feature("phi", "rad"), Feature("mass", "GeV"))
MATCH = "Jet_genJetIdx"
MARKS = frozenset({MATCH, "GenJet_pt"})
ENTRIES = 2000


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
            FacsimError: a range outside the file, or a match to a generator jet that is not there.
        """
        check_range(start, stop, len(self))
        first, last = np.searchsorted(self._ends, [start, max(stop - 1, start)], side="right").tolist()
        last = min(last + 1, len(self._ends))
        found: dict[str, Any] = self._columns.read(first, last)
        match, entry = found[MATCH].values, np.repeat(np.arange(last - first), found[MATCH].counts)
        chosen, partner = self._pairs(match, found["GenJet_pt"].counts, entry)
        x = np.column_stack([found[f"Jet_{column.name}"].values[chosen] for column in COLUMNS])
        cond = np.column_stack([found[f"GenJet_{column.name}"].values[partner] for column in COLUMNS])
        cut = slice(start - (int(self._ends[first - 1]) if first else 0), None)
        group = (first + entry[chosen])[cut][: stop - start]
        x, cond = x[cut][: stop - start].astype(np.float32), cond[cut][: stop - start].astype(np.float64)
        return make_events(self._schema, x, cond, start, group)

    def _pairs(self, match: Array, generated: IntArray, entry: IntArray) -> tuple[IntArray, IntArray]:
        """Places of matched jets, and of their generator jets, in the flat columns."""
        chosen = np.flatnonzero(match >= 0)
        if np.any(match[chosen] >= generated[entry[chosen]]):
            raise FacsimError(f"'{self.path}': '{MATCH}' points to generator jets that are not there.")
        offset = np.cumsum(generated) - generated
        return chosen, offset[entry[chosen]] + match[chosen]

    def _count(self) -> IntArray:
        """(entries,) matched jets up to and with each."""
        columns = RootColumns(self.path, [MATCH], TREE)
        counts = []
        for first in range(0, len(columns), ENTRIES):
            match = columns.read(first, min(first + ENTRIES, len(columns)))[MATCH]
            if not isinstance(match, Ragged):
                raise FacsimError(f"'{self.path}': '{MATCH}' should hold a list of numbers for each collision.")
            entry = np.repeat(np.arange(len(match.counts)), match.counts)
            counts.append(np.bincount(entry, match.values >= 0, len(match.counts)))
        return np.cumsum(np.concatenate([np.zeros(0), *counts])).astype(np.int64)
