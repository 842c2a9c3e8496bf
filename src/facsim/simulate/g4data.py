"""Geant4's data: the machine's own where it is complete, else a miniature directory for the detector's elements.

The official data sets (2 GB) are not on any package index. The miniature holds what electromagnetic physics needs,
from numbers inside packages of the extra `geant4` (`g4data_tables`), simple stand-ins for hadronic cross sections
(`g4data_hadronic`) and empty folders where Geant4 only asks for existence. Electromagnetic showers agree with a
published TestEm3 reference to about 1 % (benchmarks/testem3.py); hadronic showers are approximate.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from facsim.core.cache import build_once, cache_dir
from facsim.simulate.g4data_folders import DIRECTORIES, Geant4Data
from facsim.simulate.g4data_materials import elements_of
from facsim.simulate.g4data_miniature import miniature

WORLD = "G4_Galactic"
NOTE = "Geant4's official data sets of this machine"


def find_data(materials: set[str]) -> Geant4Data:
    """Geant4 data for a detector of these materials: official if complete, else the miniature, built when absent.

    Raises:
        FacsimError: an unknown material, a changed cached file, no room in the cache, or the packages with the
            tables are missing.
    """
    official = find_official()
    return official if official is not None else miniature(elements_of({*materials, WORLD}))


def find_official() -> Geant4Data | None:
    """The official data sets under $GEANT4_DATA_DIR or calzone's own folder, or behind the G4...DATA variables.

    None when a set is missing, has another version than Geant4 11.4's, or is a stand-in.
    """
    named = os.environ.get("GEANT4_DATA_DIR")
    for root in [Path(named)] if named else [Path.home() / ".local" / "share" / "calzone" / "data"]:
        folders = {key: root / name for key, name in DIRECTORIES.items()}
        if _official(folders):
            return _official_data(root, folders)
    behind = {key: Path(os.environ[key]) for key in DIRECTORIES if os.environ.get(key)}
    if len(behind) < len(DIRECTORIES) or any(p.name != DIRECTORIES[key] for key, p in behind.items()):
        return None
    if not _official(behind):
        return None
    return _official_data(_linked(behind), behind)


def _official(folders: dict[str, Path]) -> bool:
    """Whether every set is there with contents; the miniature leaves most of them empty."""
    if not all(path.is_dir() and any(path.iterdir()) for path in folders.values()):
        return False
    states = folders["G4ENSDFSTATEDATA"] / "ENSDFSTATE.dat"
    return states.is_file() and states.stat().st_size > 0


def _official_data(root: Path, folders: dict[str, Path]) -> Geant4Data:
    """Official data are 2 GB: their checksum is over names and sizes of the electromagnetic and cross-section sets."""
    digest = hashlib.sha256()
    for key in ("G4LEDATA", "G4PARTICLEXSDATA"):
        for path in sorted(p for p in folders[key].rglob("*") if p.is_file()):
            digest.update(f"{path.relative_to(folders[key])} {path.stat().st_size}\n".encode())
    return Geant4Data(root, "official", digest.hexdigest(), NOTE, {"sets": ", ".join(DIRECTORIES.values())})


def _linked(folders: dict[str, Path]) -> Path:
    """A folder in the cache with links to sets that lie apart, because calzone looks for all in one place."""
    name = hashlib.sha256("\n".join(str(path.resolve()) for path in folders.values()).encode()).hexdigest()[:16]
    target = cache_dir() / f"geant4-links-{name}"

    def fill(folder: Path) -> None:
        for key, path in folders.items():
            (folder / DIRECTORIES[key]).symlink_to(path.resolve(), target_is_directory=True)

    build_once(target, fill)
    return target
