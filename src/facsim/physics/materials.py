"""Materials of electromagnetic calorimeters: charge, mass, density, radiation length.

Values: Particle Data Group, Atomic and Nuclear Properties of Materials (pdg.lbl.gov/AtomicNuclearProperties, 2024),
density in g/cm3, radiation length in g/cm2, Z/A in mol/g. The charge of a compound is the mean over its elements
weighted by mass fraction, and its mass number is that charge over the PDG's Z/A, so that Z/A is exact.
"""

from __future__ import annotations

from dataclasses import dataclass

from facsim.core.errors import FacsimError


@dataclass(frozen=True)
class Material:
    """A material: `z`, `a` (g/mol), `density` (g/cm3), radiation length `x0_mass` (g/cm2)."""

    name: str
    z: float
    a: float
    density: float
    x0_mass: float

    @property
    def x0(self) -> float:
        """Radiation length, mm."""
        return 10.0 * self.x0_mass / self.density

    @property
    def z_over_a(self) -> float:
        return self.z / self.a


def _compound(name: str, fractions: dict[int, float], z_over_a: float, density: float, x0_mass: float) -> Material:
    """Compound of elements `fractions` (charge to mass fraction)."""
    z = sum(charge * weight for charge, weight in fractions.items()) / sum(fractions.values())
    return Material(name, z, z / z_over_a, density, x0_mass)


_TABLE = (
    Material("aluminium", 13, 26.982, 2.699, 24.01),
    Material("silicon", 14, 28.086, 2.329, 21.82),
    Material("liquid-argon", 18, 39.948, 1.396, 19.55),
    Material("iron", 26, 55.845, 7.874, 13.84),
    Material("copper", 29, 63.546, 8.960, 12.86),
    Material("liquid-krypton", 36, 83.798, 2.418, 11.37),
    Material("liquid-xenon", 54, 131.293, 2.953, 8.48),
    Material("tungsten", 74, 183.84, 19.30, 6.76),
    Material("lead", 82, 207.2, 11.35, 6.37),
    Material("uranium", 92, 238.029, 18.95, 6.00),
    _compound("plastic-scintillator", {1: 0.0850, 6: 0.9150}, 0.54141, 1.032, 43.90),
    _compound("polystyrene", {1: 0.0774, 6: 0.9226}, 0.53768, 1.060, 43.79),
    _compound("lead-tungstate", {8: 0.1406, 74: 0.4040, 82: 0.4553}, 0.41315, 8.30, 7.39),
    _compound("bgo", {8: 0.1541, 32: 0.1748, 83: 0.6711}, 0.42065, 7.13, 7.97),
    _compound("caesium-iodide", {53: 0.4885, 55: 0.5115}, 0.41569, 4.51, 8.39),
    _compound("air", {6: 0.0001, 7: 0.7553, 8: 0.2318, 18: 0.0128}, 0.49919, 1.205e-3, 36.62),
    _compound("water", {1: 0.1119, 8: 0.8881}, 0.55509, 1.0, 36.08),
)

MATERIALS: dict[str, Material] = {material.name: material for material in _TABLE}

# Chemical symbols and the names Geant4 gives the same materials.
ALIASES: dict[str, str] = {
    "al": "aluminium",
    "si": "silicon",
    "ar": "liquid-argon",
    "lar": "liquid-argon",
    "fe": "iron",
    "cu": "copper",
    "kr": "liquid-krypton",
    "lkr": "liquid-krypton",
    "xe": "liquid-xenon",
    "lxe": "liquid-xenon",
    "w": "tungsten",
    "pb": "lead",
    "u": "uranium",
    "lar_liquid": "liquid-argon",
    "lkrypton": "liquid-krypton",
    "lxenon": "liquid-xenon",
    "plastic_sc_vinyltoluene": "plastic-scintillator",
    "scintillator": "plastic-scintillator",
    "pbwo4": "lead-tungstate",
    "csi": "caesium-iodide",
    "cesium_iodide": "caesium-iodide",
}


def find_material(name: str) -> Material:
    """The material `name`: its name here, its chemical symbol or its Geant4 name (`tungsten`, `W`, `G4_W`).

    Raises:
        FacsimError: no such material.
    """
    key = name.strip().lower().removeprefix("g4_")
    for candidate in (key, key.replace("_", "-"), ALIASES.get(key, ""), ALIASES.get(key.replace("-", "_"), "")):
        if candidate in MATERIALS:
            return MATERIALS[candidate]
    raise FacsimError(f"unknown material '{name}': facsim knows the shower constants of {sorted(MATERIALS)}.")
