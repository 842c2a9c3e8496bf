"""The read-out geometries of the four CaloChallenge 2022 data sets (arXiv 2410.21611, section 2, and its XML files).

| name | particle | cells | layers |
|---|---|---|---|
| `ds1-photons` | photon | 368 | ATLAS samplings 0-3, 12 |
| `ds1-pions` | pion | 533 | ATLAS samplings 0-3, 12-14 |
| `ds2-electrons` | electron | 6480 | 45 layers x 16 sectors x 9 rings of 4.65 mm |
| `ds3-electrons` | electron | 40500 | 45 layers x 50 sectors x 18 rings of 2.325 mm |
"""

from __future__ import annotations

from collections.abc import Mapping

from facsim.core.errors import FacsimError
from facsim.core.geometry import CylinderGeometry, Layer, regular_cylinder

DS1_THRESHOLD = 1.0
"""MeV; the challenge's scorer drops cells below it in data set 1."""
PAR04_THRESHOLD = 0.5e-3 / 0.033
"""MeV; 0.5 keV in silicon over the sampling fraction 0.033, for data sets 2 and 3."""

_PHOTONS = (
    Layer(0, (0, 5, 10, 30, 50, 100, 200, 400, 600), 1),
    Layer(1, (0, 2, 4, 6, 8, 10, 12, 15, 20, 30, 40, 50, 70, 90, 120, 150, 200), 10),
    Layer(2, (0, 2, 5, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 130, 160, 200, 250, 300, 350, 400), 10),
    Layer(3, (0, 50, 100, 200, 400, 600), 1),
    Layer(12, (0, 100, 200, 400, 1000, 2000), 1),
)
_PIONS = (
    Layer(0, (0, 5, 10, 30, 50, 100, 200, 400, 600), 1),
    Layer(1, (0, 1, 4, 7, 10, 15, 30, 50, 90, 150, 200), 10),
    Layer(2, (0, 5, 10, 20, 30, 50, 80, 130, 200, 300, 400), 10),
    Layer(3, (0, 50, 100, 200, 400, 600), 1),
    Layer(12, (0, 10, 20, 30, 50, 80, 100, 130, 160, 200, 250, 300, 350, 400, 1000, 2000), 10),
    Layer(13, (0, 10, 20, 30, 50, 80, 100, 130, 160, 200, 250, 300, 350, 400, 600, 1000, 2000), 10),
    Layer(14, (0, 50, 100, 150, 200, 250, 300, 400, 600, 1000, 2000), 1),
)

GEOMETRIES: Mapping[str, CylinderGeometry] = {
    "ds1-photons": CylinderGeometry("ds1-photons", "photon", _PHOTONS, DS1_THRESHOLD),
    "ds1-pions": CylinderGeometry("ds1-pions", "pion", _PIONS, DS1_THRESHOLD),
    "ds2-electrons": regular_cylinder("ds2-electrons", "electron", 45, 16, 9, 4.65, PAR04_THRESHOLD),
    "ds3-electrons": regular_cylinder("ds3-electrons", "electron", 45, 50, 18, 2.325, PAR04_THRESHOLD),
}


def find_geometry(name_or_n_cells: str | int) -> CylinderGeometry:
    """Built-in geometry by name or by its number of cells.

    Raises:
        FacsimError: none has this name or number of cells.
    """
    for name, geometry in GEOMETRIES.items():
        if name_or_n_cells in (name, geometry.n_cells):
            return geometry
    known = ", ".join(f"{name} ({geometry.n_cells} cells)" for name, geometry in GEOMETRIES.items())
    asked = f"'{name_or_n_cells}'" if isinstance(name_or_n_cells, str) else f"with {name_or_n_cells} cells"
    raise FacsimError(f"there is no built-in geometry {asked}; there are {known}.")
