"""Photoabsorption of argon and methane, and of their mixture in a TPC.

Rounded cross-sections in Mb per atom or molecule at few photon energies in eV, interpolated in the logarithms of both,
after these sources. Argon below its L edge: Marr and West, At. Data Nucl. Data Tables 18 (1976) 497; above: Chantler,
J. Phys. Chem. Ref. Data 24 (1995) 71. Methane: Samson et al., J. Chem. Phys. 90 (1989) 6925, and carbon of Chantler.
Each is scaled to the sum rule of Thomas, Reiche and Kuhn (argon by 1.02, methane by 0.87).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

SUM_RULE = 109.761
"""Integral of the cross-section over the energy for each electron, Mb eV."""
ARGON = (
    (15.76, 28.0), (17, 31.0), (19, 34.0), (21.5, 36.5), (24, 36.0), (27, 33.0), (30, 28.5), (33, 21.0), (36, 13.5),
    (40, 7.0), (44, 2.6), (48, 0.9), (51, 0.85), (56, 1.1), (65, 1.45), (80, 1.55), (100, 1.4), (120, 1.15), (150, 0.8),
    (200, 0.48), (247, 0.33), (248, 4.66), (265, 4.09), (300, 3.08), (350, 2.44), (400, 1.83), (500, 1.11),
    (600, 0.725), (700, 0.498), (850, 0.307), (1000, 0.203), (1500, 0.0671), (2000, 0.0309), (2500, 0.0171),
    (3205, 0.0118), (3206, 0.0864), (3500, 0.0709), (4000, 0.0502), (5000, 0.0277), (7000, 0.0111), (1e4, 0.00407),
    (1.5e4, 0.00125), (2e4, 5.3e-4), (4e4, 6.4e-5), (1e5, 3.6e-6), (1e6, 2e-9),
)  # fmt: skip
METHANE = (
    (12.6, 25.0), (13.5, 45.0), (16, 47.0), (20, 39.0), (25, 29.0), (30, 20.9), (40, 10.9), (50, 6.7), (60, 4.2),
    (80, 2.2), (100, 1.3), (150, 0.48), (200, 0.22), (287, 0.09), (288, 1.05), (400, 0.5), (600, 0.17), (1000, 0.041),
    (2000, 0.0054), (1e4, 4e-5), (1e6, 4e-12),
)  # fmt: skip
P10 = ((0.9, ARGON, 18), (0.1, METHANE, 10))
"""Fraction, cross-section and electrons of the parts of Ar/CH4 90/10."""


def cross_section(points: tuple[tuple[float, float], ...], energy: FloatArray) -> FloatArray:
    """Cross-section in Mb at the energies in eV; 0 below the first point."""
    e, sigma = np.log(np.asarray(points, dtype=np.float64)).T
    return np.where(energy >= points[0][0], np.exp(np.interp(np.log(energy), e, sigma)), 0.0)


def mixture(edges: FloatArray) -> FloatArray:
    """Mean cross-section of Ar/CH4 90/10 per atom or molecule, cm^2, in cells of energy between `edges` (eV)."""
    energy, width = np.sqrt(edges[1:] * edges[:-1]), np.diff(edges)
    total = np.zeros(len(energy))
    for fraction, points, electrons in P10:
        sigma = cross_section(points, energy)
        total += fraction * sigma * SUM_RULE * electrons / np.sum(sigma * width)
    return 1e-18 * total
