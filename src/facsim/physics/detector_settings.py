"""Settings of the parametric detector: tracker, electromagnetic (ECAL) and hadronic calorimeter (HCAL).

The defaults are like CMS. Field, dimensions, cells and the ECAL's 2.8 %/sqrt(E) + 12 %/E + 0.3 % are those of the
detector (JINST 3 S08004), tracks are after arXiv 1405.6569. Thresholds and the response to hadrons are tuned, so that
jets come out as in CMS's full simulation (docs/detector.md). Energies in GeV, lengths in m, angles in rad.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from facsim.core.errors import FacsimError
from facsim.core.geometry import FloatArray

GROOM_POWER = 0.85
Row = tuple[float, ...]


@dataclass(frozen=True)
class Efficiency:
    """Probability to find a track in steps of |eta| and pT.

    Args:
        eta: upper edges of the steps in |eta|; 0 beyond the last.
        pt: lower edges of the steps in pT, GeV; 0 below the first.
        value: by eta, by pT.

    Raises:
        FacsimError: a table of another shape, edges that do not increase, values that are no probabilities.
    """

    eta: Row
    pt: Row
    value: tuple[Row, ...]

    def __post_init__(self) -> None:
        if len(self.value) != len(self.eta) or any(len(row) != len(self.pt) for row in self.value):
            raise FacsimError(
                f"an efficiency in {len(self.eta)} steps of |eta| and {len(self.pt)} of pT needs {len(self.eta)} rows "
                f"of {len(self.pt)} values, not {[len(row) for row in self.value]}."
            )
        if any(low >= high for edges in (self.eta, self.pt) for low, high in pairwise(edges)):
            raise FacsimError(f"the edges of an efficiency must increase, not {self.eta} in |eta| and {self.pt} in pT.")
        if not all(0 <= value <= 1 for row in self.value for value in row):
            raise FacsimError("efficiencies must lie between 0 and 1.")

    def __call__(self, pt: FloatArray, eta: FloatArray) -> FloatArray:
        """Probabilities (N,) at pT (N,), GeV, and pseudorapidity (N,)."""
        table = np.zeros((len(self.eta) + 1, len(self.pt) + 1))
        table[:-1, 1:] = self.value
        row = np.searchsorted(self.eta, np.abs(eta), side="right")
        return np.asarray(table[row, np.searchsorted(self.pt, pt, side="right")])


@dataclass(frozen=True)
class Tracker:
    """Solenoid and tracker.

    Args:
        field: along the beam, T.
        radius, half_length: of the cylinder on which the calorimeters begin, m.
        turns: full turns in the field after which a particle has come to rest.
        hadrons, electrons, muons: efficiencies.
        edges: upper edges in |eta| of the steps of the resolution.
        constant, slope: relative resolution of pT in these steps is `constant` + `slope` pT (1/GeV), in quadrature.
        angle: resolution of eta and phi, rad.

    Raises:
        FacsimError: other numbers of `constant` or `slope` than of `edges`, or a cylinder without size.
    """

    field: float = 3.8
    radius: float = 1.29
    half_length: float = 3.0
    turns: float = 1.0
    hadrons: Efficiency = Efficiency(
        (1.5, 2.5), (0.2, 0.5, 1.0, 100.0), ((0.65, 0.87, 0.93, 0.88), (0.40, 0.70, 0.82, 0.75))
    )
    electrons: Efficiency = Efficiency((1.5, 2.5), (0.5, 2.0, 10.0), ((0.60, 0.80, 0.95), (0.50, 0.75, 0.88)))
    muons: Efficiency = Efficiency((2.4,), (0.5, 3.0), ((0.60, 0.99),))
    edges: Row = (1.0, 1.6, 2.5)
    constant: Row = (0.008, 0.012, 0.018)
    slope: Row = (1.5e-4, 2.5e-4, 5e-4)
    angle: float = 1e-3

    def __post_init__(self) -> None:
        sizes = [len(row) for row in (self.edges, self.constant, self.slope)]
        if len(set(sizes)) > 1 or not sizes[0]:
            raise FacsimError(f"a tracker needs as many 'constant' and 'slope' as 'edges', and has {sizes}.")
        if self.radius <= 0 or self.half_length <= 0:
            raise FacsimError(f"a tracker needs a positive radius and length, not {self.radius, self.half_length}.")

    def resolution(self, pt: FloatArray, eta: FloatArray) -> FloatArray:
        """Relative resolution of pT (N,); beyond the last edge as below it."""
        step = np.minimum(np.searchsorted(self.edges, np.abs(eta), side="right"), len(self.edges) - 1)
        relative = np.hypot(np.asarray(self.constant)[step], np.asarray(self.slope)[step] * pt)
        return np.asarray(relative, dtype=np.float64)


@dataclass(frozen=True)
class Region:
    """A ring of equal cells, both sides of the detector.

    Args:
        eta: its upper edge in |eta|; its lower one is that of the region before.
        cells: from one edge to the other. sectors: cells in azimuth.
        stochastic (sqrt GeV), constant, noise (GeV): relative resolution stochastic / sqrt(E) + constant + noise / E,
            in quadrature; in the HCAL, that of a hadron's energy in both calorimeters.
        threshold: energy of a cell below which it is not read, GeV.
    """

    eta: float
    cells: int
    sectors: int
    stochastic: float
    constant: float
    noise: float
    threshold: float


@dataclass(frozen=True)
class Calorimeter:
    """Cells in eta and phi.

    Args:
        regions: from the centre outwards.
        significance: cells below so many standard deviations of their energy are not read.

    Raises:
        FacsimError: no regions, edges that do not increase from 0, or regions without cells.
    """

    regions: tuple[Region, ...]
    significance: float = 0.0

    def __post_init__(self) -> None:
        edges = [0.0, *(region.eta for region in self.regions)]
        if len(edges) < 2 or any(low >= high for low, high in pairwise(edges)):
            raise FacsimError(f"the regions of a calorimeter need upper edges in |eta| that increase, not {edges[1:]}.")
        if any(region.cells < 1 or region.sectors < 1 for region in self.regions):
            raise FacsimError("each region of a calorimeter needs at least one cell in eta and one sector in azimuth.")

    def column(self, name: str, region: NDArray[np.integer]) -> FloatArray:
        """A setting of the regions with these numbers."""
        values = np.array([getattr(part, name) for part in self.regions], dtype=np.float64)
        return np.asarray(values[region])

    def sigma(self, energy: FloatArray, region: NDArray[np.integer]) -> FloatArray:
        """Standard deviation of energies (N,) in regions (N,), GeV."""
        stochastic, constant, noise = (self.column(name, region) for name in ("stochastic", "constant", "noise"))
        variance = stochastic**2 * np.maximum(energy, 0.0) + (constant * energy) ** 2 + noise**2
        return np.asarray(np.sqrt(variance), dtype=np.float64)


CMS_ECAL = Calorimeter((
    Region(1.479, 85, 360, 0.028, 0.003, 0.12, 0.6),
    Region(3.0, 60, 240, 0.05, 0.005, 0.25, 1.5),
    Region(5.2, 13, 36, 2.0, 0.09, 0.0, 1.0),
))  # fmt: skip
CMS_HCAL = Calorimeter((
    Region(1.305, 15, 72, 1.8, 0.0, 0.0, 0.8),
    Region(1.74, 5, 72, 3.0, 0.0, 0.0, 0.8),
    Region(3.0, 7, 36, 3.0, 0.0, 0.0, 1.2),
    Region(5.2, 13, 36, 2.8, 0.11, 0.0, 1.4),
))  # fmt: skip


@dataclass(frozen=True)
class Detector:
    """A parametric detector like CMS.

    Args:
        tracker, ecal, hcal: its parts.
        showering: probability that a hadron showers in the ECAL already; the others leave `crossing` there.
        share: a and b of the beta distribution of the share of a shower's energy in the ECAL.
        crossing: GeV.
        compensation: h/e of the mean response to hadrons, 1 - (1 - h/e) (E / GeV)^-0.15 (NIM A 572, 633); what it
            takes is not given back. 1 for a compensating calorimeter.
        excess: standard deviations by which calorimeter energy must exceed that of the tracks on it for a neutral
            particle to be seen under them.
        merge: whether touching cells form one neutral particle about each local maximum.
        per_cell: whether energies fluctuate cell by cell, as in Delphes, and not shower by shower.
    """

    tracker: Tracker = Tracker()
    ecal: Calorimeter = CMS_ECAL
    hcal: Calorimeter = CMS_HCAL
    showering: float = 0.45
    share: tuple[float, float] = (1.0, 2.0)
    crossing: float = 0.25
    compensation: float = 0.65
    excess: float = 0.7
    merge: bool = True
    per_cell: bool = False

    def hadronic(self, energy: FloatArray) -> FloatArray:
        """Mean response to hadrons of these energies (N,), GeV, in parts of the energy."""
        falling = np.maximum(energy, 1.0) ** (GROOM_POWER - 1.0)
        return np.asarray(1.0 - (1.0 - self.compensation) * falling, dtype=np.float64)
