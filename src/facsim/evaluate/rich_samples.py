"""PidTracks in the RICH detectors as their physics needs them: columns by name, species, weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.events import Events
from facsim.core.geometry import FloatArray
from facsim.physics.rich import HYPOTHESES, SPECIES
from facsim.physics.rich_observables import ANY, DLLS, HITS_PER_TRACK, OF_ANY, SELECTIONS, Selection

OCCUPANCIES = {"nTracks": 1.0, "nSPDHits": HITS_PER_TRACK}


@dataclass(frozen=True)
class PidTracks:
    """Columns of N tracks: DLLs (N, 5), momentum (MeV), pseudorapidity, number of tracks of the event, weight (N,), and
    the members of each species that is told, (N,) each."""

    dlls: FloatArray
    momentum: FloatArray
    eta: FloatArray
    n_tracks: FloatArray
    weight: FloatArray
    species: dict[str, NDArray[np.bool_]]

    def __len__(self) -> int:
        return len(self.dlls)

    def __getitem__(self, rows: NDArray[np.bool_]) -> PidTracks:
        return PidTracks(
            self.dlls[rows],
            self.momentum[rows],
            self.eta[rows],
            self.n_tracks[rows],
            self.weight[rows],
            {name: members[rows] for name, members in self.species.items()},
        )

    def of(self, species: str) -> PidTracks:
        """The tracks of one species; all where species are not told."""
        return self if species == ANY else self[self.species[species]]

    def dll(self, hypothesis: str) -> FloatArray:
        """Difference of log-likelihoods to the pion hypothesis, (N,)."""
        return self.dlls[:, HYPOTHESES.index(hypothesis)]

    @property
    def effective(self) -> float:
        """Effective number of tracks, (sum w)^2 / sum w^2; 0 where the weights have no positive sum."""
        total = float(self.weight.sum())
        return total**2 / float(np.sum(self.weight**2)) if total > 0 else 0.0

    def selections(self) -> tuple[Selection, ...]:
        """Cuts on the species that there are."""
        if not self.species:
            return OF_ANY
        return tuple(selection for selection in SELECTIONS if selection.species in self.species)


def of_events(events: Events) -> PidTracks:
    """The tracks of `events`.

    Raises:
        FacsimError: a table without the five DLLs, or without momentum, pseudorapidity and occupancy.
    """
    schema = events.schema
    names, given = [f.name for f in schema.features], [f.name for f in schema.conditions]
    occupancy = next((name for name in OCCUPANCIES if name in given), None)
    missing = [name for name in DLLS if name not in names] + [name for name in ("P", "eta") if name not in given]
    if schema.representation != "table" or missing or occupancy is None or given[0] != "P":
        raise FacsimError(
            f"RICH tracks are a table with the columns {list(DLLS)} and the conditions P (first), eta, and nTracks or "
            f"nSPDHits, not a {schema.representation} with {names} and {given}."
        )
    x = np.asarray(events.x, dtype=np.float64)[:, [names.index(name) for name in DLLS]]
    weight = np.ones(len(x)) if events.weight is None else np.asarray(events.weight, dtype=np.float64)
    members = {name: np.asarray(events.condition(f"is_{name}") > 0.5) for name in SPECIES if f"is_{name}" in given}
    momentum, eta, hits = (
        np.asarray(events.condition(name), dtype=np.float64) for name in ("P", "eta", str(occupancy))
    )
    return PidTracks(x, momentum, eta, hits / OCCUPANCIES[str(occupancy)], weight, members)
