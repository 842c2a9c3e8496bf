"""What physicists look at in RICH particle identification: log-likelihood differences, selections, and bins of tracks.

Momenta are in MeV. Columns of log-likelihood differences (DLLs) are in the order of `rich.HYPOTHESES`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facsim.physics.quantity import Quantity
from facsim.physics.rich import HYPOTHESES, FloatArray, IntArray

DLLS = tuple(f"RichDLL{name}" for name in HYPOTHESES)
SYMBOLS = {"e": "e", "mu": r"\mu", "pi": r"\pi", "k": "K", "p": "p", "bt": r"\mathrm{below}"}
NAMES = {"e": "electrons", "mu": "muons", "pi": "pions", "k": "kaons", "p": "protons"}
PAIRS = (("p", "k"), ("k", "bt"), ("p", "bt"), ("mu", "e"))
"""Differences of two DLLs: the first three are exactly 0 where neither hypothesis gives light."""
MOMENTUM_EDGES = (2e3, 5e3, 10e3, 20e3, 40e3, 60e3, 200e3)
MAP_EDGES = ((2e3, 8e3, 15e3, 25e3, 45e3, 200e3), (2.0, 3.0, 3.5, 5.0))
"""Momentum and pseudorapidity of the map of the separation of kaons and pions."""
CELL_EDGES = ((0.0, 10e3, 50e3, 1000e3), (2.0, 3.0, 3.5, 5.0), (0.0, 150.0, 250.0, 1000.0))
"""Momentum, pseudorapidity and number of tracks of the 27 cells in which samples are compared."""
HITS_PER_TRACK = 2.2
"""Hits of the scintillating pad detector for each track, where they stand for the occupancy."""
TIE = 1e-4
"""Difference of two DLLs up to which they count as equal."""


class Selection(NamedTuple):
    """A cut `DLL > cut` on tracks of one species; `role` is `efficiency` or, of a species not wanted,
    `misidentification`."""

    species: str
    hypothesis: str
    cut: float
    role: str

    @property
    def name(self) -> str:
        """As in score names."""
        return f"{self.species}/RichDLL{self.hypothesis}>{self.cut:g}"

    @property
    def label(self) -> str:
        """Mathtext."""
        return rf"DLL$_{{{SYMBOLS[self.hypothesis]}\pi}}$ > {self.cut:g}"


SELECTIONS = (
    Selection("k", "k", 0.0, "efficiency"),
    Selection("k", "k", 5.0, "efficiency"),
    Selection("pi", "k", 0.0, "misidentification"),
    Selection("pi", "k", 5.0, "misidentification"),
    Selection("p", "p", 5.0, "efficiency"),
    Selection("pi", "p", 5.0, "misidentification"),
    Selection("mu", "mu", 0.0, "efficiency"),
    Selection("pi", "mu", 0.0, "misidentification"),
    Selection("e", "e", 0.0, "efficiency"),
    Selection("pi", "e", 0.0, "misidentification"),
)
ANY = "any"
"""Species of tracks of which it is not told."""
OF_ANY = tuple(
    Selection(ANY, hypothesis, cut, "efficiency") for hypothesis, cut in (("k", 5.0), ("p", 5.0), ("mu", 0.0))
)

QUANTITIES = (
    *(Quantity(name, rf"DLL$_{{{SYMBOLS[short]}\pi}}$") for name, short in zip(DLLS, HYPOTHESES, strict=True)),
    *(Quantity(f"{a}-{b}", rf"DLL$_{{{SYMBOLS[a]}\pi}}$ - DLL$_{{{SYMBOLS[b]}\pi}}$") for a, b in PAIRS),
)


def dll_quantities(dlls: FloatArray) -> FloatArray:
    """The columns of `QUANTITIES`, (N, 9), from the five DLLs (N, 5)."""
    values = np.asarray(dlls, dtype=np.float64)
    pairs = [values[:, HYPOTHESES.index(a)] - values[:, HYPOTHESES.index(b)] for a, b in PAIRS]
    return np.column_stack([values, *pairs])


def ties(dlls: FloatArray, a: str, b: str) -> NDArray[np.bool_]:
    """Tracks (N,) whose DLLs of hypotheses `a` and `b` are equal: below threshold both give no light."""
    difference = dlls[:, HYPOTHESES.index(a)] - dlls[:, HYPOTHESES.index(b)]
    found: NDArray[np.bool_] = np.abs(difference) <= TIE
    return found


def cell_numbers(momentum: FloatArray, eta: FloatArray, n_tracks: FloatArray) -> IntArray:
    """Cell of `CELL_EDGES` of each track, 0 to 26, -1 outside: (N,)."""
    number, outside = np.zeros(len(momentum), dtype=np.int64), np.zeros(len(momentum), dtype=bool)
    for values, edges in zip((momentum, eta, n_tracks), CELL_EDGES, strict=True):
        place = np.searchsorted(edges, values, side="right") - 1
        outside |= (place < 0) | (place >= len(edges) - 1)
        number = number * (len(edges) - 1) + place
    return np.where(outside, -1, number)


def cell_name(number: int) -> str:
    """Bounds of a cell in words."""
    units, parts = (("P", 1e3, " GeV"), ("eta", 1.0, ""), ("nTracks", 1.0, "")), []
    places = np.unravel_index(number, tuple(len(edges) - 1 for edges in CELL_EDGES))
    for (name, scale, unit), edges, place in zip(units, CELL_EDGES, places, strict=True):
        parts.append(f"{name} {edges[place] / scale:g} to {edges[place + 1] / scale:g}{unit}")
    return ", ".join(parts)
