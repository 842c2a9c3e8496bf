"""Stand-ins for Geant4's tables of neutron and photonuclear cross sections: simple formulas, good to tens of percent.

Geant4 takes its built-in Glauber-Gribov and Barashenkov cross sections for charged hadrons, and for neutrons above the
last point of these tables (1 GeV), scaled to match there. So only neutrons below 1 GeV and photonuclear reactions
feel these approximations; resonances and nuclear level gammas are absent.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from facsim.core.geometry import FloatArray
from facsim.simulate.g4data_tables import MM2_PER_BARN, write_vector

MAX_NEUTRON_Z = 98
MAX_PHOTONUCLEAR_Z = 95


def mass_number(z: int) -> float:
    """Mass number on the valley of stability, from Z = A / (1.98 + 0.0155 A^(2/3)) (Bethe and Weizsaecker)."""
    if z <= 2:
        return (1.008, 4.0)[z - 1]
    a = np.arange(1.0, 300.0)
    return float(np.interp(z, a / (1.98 + 0.0155 * a ** (2 / 3)), a))


def neutron_inelastic(energy: FloatArray, z: int) -> FloatArray:
    """Barn: J. R. Letaw, R. Silberberg and C. H. Tsao, Astrophys. J. Suppl. 51 (1983) 271, from a linear threshold
    at 0.5 MeV to 10 MeV; for hydrogen a pion-production threshold at 280 MeV."""
    if z == 1:
        return np.where(energy > 280, 0.022 * (1 - np.exp(-(energy - 280) / 200)), 0.0)
    a = mass_number(z)
    high = 0.045 * a**0.7 * (1 + 0.016 * np.sin(5.3 - 2.63 * np.log(a)))
    clipped = np.maximum(energy, 10.0)
    sigma = high * (1 - 0.62 * np.exp(-clipped / 200) * np.sin(10.9 * clipped**-0.28))
    return np.asarray(sigma * np.where(energy < 10, np.clip((energy - 0.5) / 9.5, 0, 1), 1.0))


def neutron_elastic(energy: FloatArray, z: int) -> FloatArray:
    """Barn: a black disc that grows towards low energies; for hydrogen the n-p cross section's shape."""
    if z == 1:
        return np.asarray(20.4 / (1 + energy / 0.25) ** 0.75)
    disc = np.pi * (1.35 * mass_number(z) ** (1 / 3)) ** 2 * 0.01
    return np.asarray(disc * (2.0 / (1 + energy / 20.0) ** 0.5 + 0.6))


def neutron_capture(energy: FloatArray, z: int) -> FloatArray:
    """Barn: 1/v from 1 barn (0.33 for hydrogen) at 0.0253 eV."""
    return np.asarray((0.33 if z == 1 else 1.0) * np.sqrt(2.53e-8 / energy))


def photonuclear(energy: FloatArray, z: int) -> FloatArray:
    """Barn: the giant dipole resonance with the systematics of RIPL for spherical nuclei, and above it absorption by
    quasi-deuterons; zero below 7 MeV.

    T. Belgya et al., RIPL-2, IAEA-TECDOC-1506 (2006), chapter 7; J. S. Levinger, Phys. Rev. 84 (1951) 43; M. B.
    Chadwick et al., Phys. Rev. C 44 (1991) 814.
    """
    a = mass_number(z)
    pairs = max(a - z, 0.0) * z / a
    centre = 31.2 * a ** (-1 / 3) + 20.6 * a ** (-1 / 6)
    width = 0.026 * centre**1.91
    height = 1.2 * 0.120 * pairs / (np.pi * width)
    detuning = (energy**2 - centre**2) / (np.maximum(energy, 1e-3) * width)
    floor = np.maximum(energy, 1.0)
    deuteron = 0.0612 * np.clip(energy - 2.224, 0, None) ** 1.5 / floor**3 * np.exp(-60 / floor)
    return np.where(energy > 7.0, height / (1 + detuning**2) + 6.5 * pairs * deuteron, 0.0)


def write_nuclear(folder: Path) -> None:
    """`neutron/{inel,el,cap}<Z>` and `gamma/inel<Z>` of G4PARTICLEXS, in MeV and mm2.

    All elements are written, because Geant4 reads all of them whatever the detector is made of.
    """
    for name in ("neutron", "gamma"):
        (folder / name).mkdir(parents=True)
    neutron_energy = np.geomspace(1e-11, 1e3, 141)
    photon_energy = np.linspace(0.0, 130.0, 131)
    kinds = {"inel": neutron_inelastic, "el": neutron_elastic, "cap": neutron_capture}
    for z in range(1, MAX_NEUTRON_Z + 1):
        for name, formula in kinds.items():
            write_vector(folder / "neutron" / f"{name}{z}", neutron_energy, formula(neutron_energy, z) * MM2_PER_BARN)
    for z in range(1, MAX_PHOTONUCLEAR_Z + 1):
        write_vector(folder / "gamma" / f"inel{z}", photon_energy, photonuclear(photon_energy, z) * MM2_PER_BARN)
