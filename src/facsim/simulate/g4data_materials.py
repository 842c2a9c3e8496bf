"""Which chemical elements each of Geant4's predefined materials holds, so that data are built for these alone.

Names and elements are those of Geant4's G4NistMaterialBuilder (Geant4 11.4; the materials of the NIST PSTAR and ESTAR
tables and the HEP materials), listed by asking Geant4 itself for the composition of each.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from facsim.core.errors import FacsimError


def _words(*lines: str) -> list[str]:
    return [word for line in lines for word in line.split()]


SYMBOLS = _words(
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb",
    "Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu",
    "Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf",
)

_COMPOUNDS = {
    "H": "Galactic lH2",
    "H Li": "LITHIUM_HYDRIDE",
    "H Li N": "LITHIUM_AMIDE",
    "H C": (
        "ACETYLENE ANTHRACENE BENZENE BUTANE ETHANE ETHYLENE METHANE N-HEPTANE N-HEXANE N-PENTANE NAPHTHALENE "
        "OCTANE PARAFFIN PLASTIC_SC_VINYLTOLUENE POLYETHYLENE POLYPROPYLENE POLYSTYRENE PROPANE RUBBER_BUTYL "
        "RUBBER_NATURAL STILBENE TOLUENE XYLENE lPROPANE"
    ),
    "H C N": "ADENINE ANILINE POLYACRYLONITRILE PYRIDINE",
    "H C N O": (
        "ALANINE CELLULOSE_NITRATE CYTOSINE GLUTAMINE GUANINE KAPTON KEVLAR MUSCLE_WITHOUT_SUCROSE "
        "MUSCLE_WITH_SUCROSE N,N-DIMETHYL_FORMAMIDE NITROBENZENE NYLON-11_RILSAN NYLON-6-10 NYLON-6-6 "
        "NYLON-6/10 NYLON-6/6 NYLON-8062 POLYVINYL_PYRROLIDONE THYMINE TISSUE-METHANE TISSUE-PROPANE "
        "TISSUE_SOFT_ICRU-4 URACIL UREA VALINE"
    ),
    "H C N O F Ca": "A-150_TISSUE",
    "H C N O Na Mg P S Ca": "BONE_CORTICAL_ICRP",
    "H C N O Na P S Cl": "EYE_LENS_ICRP",
    "H C N O Na P S Cl K": "LUNG_ICRP MUSCLE_SKELETAL_ICRP SKIN_ICRP TESTIS_ICRP TISSUE_SOFT_ICRP",
    "H C N O Na P S Cl K Fe": "BLOOD_ICRP",
    "H C N O Na P S K": "MUSCLE_STRIATED_ICRU",
    "H C N O Mg P S Ca": "BONE_COMPACT_ICRU",
    "H C N O Mg Cl": "MS20_TISSUE",
    "H C N O S": "GEL_PHOTO_EMULSION",
    "H C N O S Br Ag I": "PHOTO_EMULSION",
    "H C O": (
        "ACETONE AMBER BAKELITE CELLULOSE_BUTYRATE CELLULOSE_CELLOPHANE CR39 DACRON DEOXYRIBOSE "
        "DNA_DEOXYRIBOSE ETHYL_ALCOHOL ETHYL_CELLULOSE GLYCEROL LUCITE METHANOL MYLAR N-BUTYL_ALCOHOL "
        "N-PROPYL_ALCOHOL OCTADECANOL PLEXIGLASS POLYCARBONATE POLYOXYMETHYLENE POLYVINYL_ACETATE "
        "POLYVINYL_ALCOHOL POLYVINYL_BUTYRAL SUCROSE"
    ),
    "H C O F Si": "C-552",
    "H C O Na Mg Al Si K Ca Fe": "CONCRETE",
    "H C O Mg Ca": "M3_WAX",
    "H C O Mg Ti": "MIX_D_WAX",
    "H C O P": "TRIETHYL_PHOSPHATE",
    "H C O Cl": "DICHLORODIETHYL_ETHER",
    "H C F": "POLYVINYLIDENE_FLUORIDE VITON",
    "H C Cl": (
        "1,2-DICHLOROETHANE CHLOROBENZENE CHLOROFORM NEOPRENE POLYCHLOROSTYRENE POLYVINYLIDENE_CHLORIDE "
        "POLYVINYL_CHLORIDE RUBBER_NEOPRENE TRICHLOROETHYLENE"
    ),
    "H N": "AMMONIA",
    "H N O Na S Cl Fe": "FERROUS_SULFATE",
    "H N O S Ce": "CERIC_SULFATE",
    "H O": "WATER WATER_VAPOR",
    "H O S Ca": "GYPSUM",
    "Li B O": "LITHIUM_TETRABORATE",
    "Li C O": "LITHIUM_CARBONATE",
    "Li O": "LITHIUM_OXIDE",
    "Li F": "LITHIUM_FLUORIDE",
    "Li I": "LITHIUM_IODIDE",
    "Be O": "BERYLLIUM_OXIDE",
    "B C": "BORON_CARBIDE",
    "B O": "BORON_OXIDE",
    "B O Na Al Si K": "Pyrex_Glass",
    "B O Mg": "MAGNESIUM_TETRABORATE",
    "C": "GRAPHITE GRAPHITE_POROUS",
    "C N O Ar": "AIR",
    "C O": "CARBON_DIOXIDE",
    "C O Na": "SODIUM_CARBONATE",
    "C O Mg": "MAGNESIUM_CARBONATE",
    "C O Ca": "CALCIUM_CARBONATE",
    "C F": "TEFLON",
    "C F Cl": "FREON-12 FREON-13 POLYTRIFLUOROCHLOROETHYLENE",
    "C F Br": "FREON-12B2 FREON-13B1",
    "C Cl": "CARBON_TETRACHLORIDE",
    "C U": "URANIUM_DICARBIDE URANIUM_MONOCARBIDE",
    "N": "lN2",
    "N O": "NITROUS_OXIDE",
    "N O Na": "SODIUM_NITRATE",
    "O": "lO2",
    "O Na": "SODIUM_MONOXIDE",
    "O Na Si Ca": "GLASS_PLATE",
    "O Mg": "MAGNESIUM_OXIDE",
    "O Al": "ALUMINUM_OXIDE",
    "O Si": "SILICON_DIOXIDE",
    "O Si Ti As Pb": "GLASS_LEAD",
    "O S Ca": "CALCIUM_SULFATE",
    "O S Ba": "BARIUM_SULFATE",
    "O S La": "LANTHANUM_OXYSULFIDE",
    "O S Gd": "GADOLINIUM_OXYSULFIDE",
    "O K": "POTASSIUM_OXIDE",
    "O Ca": "CALCIUM_OXIDE",
    "O Ca W": "CALCIUM_TUNGSTATE",
    "O Ti": "TITANIUM_DIOXIDE",
    "O Fe": "FERRIC_OXIDE",
    "O Ge Bi": "BGO",
    "O Br La": "LANTHANUM_OXYBROMIDE",
    "O Cd W": "CADMIUM_TUNGSTATE",
    "O W Pb": "PbWO4",
    "O Pb": "LEAD_OXIDE",
    "O U": "URANIUM_OXIDE",
    "O Pu": "PLUTONIUM_DIOXIDE",
    "F Mg": "MAGNESIUM_FLUORIDE",
    "F Ca": "CALCIUM_FLUORIDE",
    "F Cs": "CESIUM_FLUORIDE",
    "F Ba": "BARIUM_FLUORIDE",
    "F W": "TUNGSTEN_HEXAFLUORIDE",
    "Na I": "SODIUM_IODIDE",
    "Cl Ag": "SILVER_CHLORIDE",
    "Cl Tl": "THALLIUM_CHLORIDE",
    "Ar": "lAr",
    "K I": "POTASSIUM_IODIDE",
    "Cr Fe Ni": "STAINLESS-STEEL",
    "Cu Zn Pb": "BRASS BRONZE",
    "Ga As": "GALLIUM_ARSENIDE",
    "Br": "lBr",
    "Br Ag": "SILVER_BROMIDE",
    "Br Ag I": "SILVER_HALIDES",
    "Kr": "lKr",
    "Ag I": "SILVER_IODIDE",
    "Cd Te": "CADMIUM_TELLURIDE",
    "I Cs": "CESIUM_IODIDE",
    "I Hg": "MERCURIC_IODIDE",
    "Xe": "lXe",
}

MATERIALS: dict[str, tuple[int, ...]] = {f"G4_{symbol}": (z,) for z, symbol in enumerate(SYMBOLS, start=1)} | {
    f"G4_{name}": tuple(SYMBOLS.index(symbol) + 1 for symbol in symbols.split())
    for symbols, names in _COMPOUNDS.items()
    for name in names.split()
}
"""Name of a Geant4 material to the charges Z of its elements."""


def unknown_material(name: str) -> str:
    """The sentence for a material that Geant4 does not know, with the nearest names it does know."""
    by_lower = {known.lower(): known for known in MATERIALS}
    wanted = name.lower() if name.lower().startswith("g4_") else f"g4_{name.lower()}"
    near = [by_lower[match] for match in difflib.get_close_matches(wanted, by_lower, n=3, cutoff=0.6)]
    hint = f"did you mean {' or '.join(near)}" if near else "take one of Geant4's NIST names, such as G4_W or G4_PbWO4"
    return f"unknown material '{name}': {hint}?" if near else f"unknown material '{name}': {hint}."


def elements_of(materials: Iterable[str]) -> tuple[int, ...]:
    """Charges Z of all elements in `materials`, sorted.

    Raises:
        FacsimError: a material is not in the table.
    """
    found: set[int] = set()
    for name in materials:
        if name not in MATERIALS:
            raise FacsimError(unknown_material(name))
        found.update(MATERIALS[name])
    return tuple(sorted(found))
