"""A detector like that of the published images of dark showers: Delphes' card of CMS as arXiv 2306.13595 changed it.

ECAL cells are one degree by 0.01745 and HCAL cells five times that, both up to |eta| = 2.97; hadrons leave everything
in the HCAL, photons and electrons in the ECAL; a cell is read above two standard deviations of its energy. The numbers
are those of the card in github.com/schhibra/ConvAEforSUEP; what differs from Delphes is told in docs/dark-showers.md.
"""

from __future__ import annotations

from facsim.physics.detector_settings import Calorimeter, Detector, Efficiency, Region, Tracker

CELL = 0.01745
DEGREES = 360
HCAL_CELLS, HCAL_SECTORS = 34, 72
EDGES = (20, 40, 60, 70, 80, 86, 90, 95, 100, 105, 110, 115, 120, 125, 130, 135, 140, 143, 170)
"""Upper edges of the ECAL's regions, in cells: its resolution changes with eta, and is that of a region's middle."""
BARREL, ENDCAP = 86, 143


def _region(low: int, high: int) -> Region:
    eta = (low + high) / 2 * CELL
    if low >= ENDCAP:
        return Region(high * CELL, high - low, DEGREES, 2.08, 0.107, 0.0, 0.5)
    factor = 1 + 0.64 * eta**2 if high <= BARREL else 2.16 + 5.6 * (eta - 2) ** 2
    return Region(high * CELL, high - low, DEGREES, 0.11 * factor, 0.008 * factor, 0.40 * factor, 0.5)


DARK_DETECTOR = Detector(
    Tracker(
        turns=1e9,
        hadrons=Efficiency((1.5, 2.5), (0.1, 1.0), ((0.70, 0.95), (0.60, 0.85))),
        electrons=Efficiency((1.5, 2.5), (0.1, 1.0, 100.0), ((0.73, 0.95, 0.99), (0.50, 0.83, 0.90))),
        muons=Efficiency((1.5, 2.5), (0.1, 1.0), ((0.75, 0.99), (0.70, 0.98))),
        edges=(0.5, 1.5, 2.5),
        constant=(0.06, 0.10, 0.25),
        slope=(1.3e-3, 1.7e-3, 3.1e-3),
        angle=0.0,
    ),
    Calorimeter(tuple(_region(low, high) for low, high in zip((0, *EDGES), EDGES, strict=False)), 2.0),
    Calorimeter((Region(HCAL_CELLS * 5 * CELL, HCAL_CELLS, HCAL_SECTORS, 1.5, 0.05, 0.0, 1.0),), 2.0),
    showering=0.0,
    crossing=0.0,
    compensation=1.0,
    excess=2.0,
    merge=False,
    per_cell=True,
)
