"""The miniature Geant4 data of a few elements: built in the cache, listed in a manifest, verified at every use."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from facsim.core.cache import build_once, cache_dir
from facsim.core.errors import FacsimError, MissingExtraError
from facsim.core.store import read_json
from facsim.simulate.g4data_folders import DIRECTORIES, Geant4Data
from facsim.simulate.g4data_hadronic import write_nuclear
from facsim.simulate.g4data_tables import write_bremsstrahlung, write_photoelectric, write_rayleigh

FORMAT = "facsim-g4data-2"
MANIFEST = "manifest.json"
SOURCES = ("yamc-core", "xraydb")
NOTE = (
    "miniature data built by facsim from published tables (Seltzer-Berger 1986, Elam 2002): electromagnetic physics "
    "checked to about 1 % on lead-argon (TestEm3); hadronic physics approximate"
)


def miniature(elements: tuple[int, ...]) -> Geant4Data:
    """The miniature data for these elements (charges Z), built in the cache if absent and verified at every use.

    Raises:
        FacsimError: a file differs from the manifest, or the cache cannot be written.
        MissingExtraError: the packages with the tables are missing.
    """
    versions = {name: package_version(name) for name in SOURCES}
    key = json.dumps([FORMAT, elements, versions])
    root = cache_dir() / f"geant4-data-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    build_once(root, lambda folder: _fill(folder, elements, versions))
    sources = ", ".join(f"{name} {number}" for name, number in versions.items())
    return Geant4Data(root, "miniature", verify(root), NOTE, {"sources": sources})


def package_version(name: str) -> str:
    """Version of an installed package.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return version(name)
    except PackageNotFoundError:
        raise MissingExtraError("geant4", name) from None


def _fill(folder: Path, elements: tuple[int, ...], versions: dict[str, str]) -> None:
    for name in DIRECTORIES.values():
        (folder / name).mkdir()
    low_energy = folder / DIRECTORIES["G4LEDATA"]
    write_bremsstrahlung(low_energy, elements)
    write_photoelectric(low_energy, elements)
    write_rayleigh(low_energy, elements)
    write_nuclear(folder / DIRECTORIES["G4PARTICLEXSDATA"])
    (folder / DIRECTORIES["G4ENSDFSTATEDATA"] / "ENSDFSTATE.dat").write_text("", encoding="ascii")
    manifest = {"format": FORMAT, "elements": elements, "sources": versions, "files": _hashes(folder)}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def _hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below `folder` but the manifest, by relative path."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != MANIFEST)
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}


def verify(root: Path) -> str:
    """Compare a miniature directory with its manifest; return the checksum over all files.

    Raises:
        FacsimError: the manifest cannot be read, or a file is missing, additional or changed.
    """
    try:
        expected: dict[str, str] = read_json(root / MANIFEST)["files"]
    except (KeyError, TypeError):
        raise FacsimError(f"'{root / MANIFEST}' lists no files: delete the folder '{root}', it is rebuilt.") from None
    found = _hashes(root)
    wrong = sorted(name for name in {*expected, *found} if expected.get(name) != found.get(name))
    missing = [name for name in DIRECTORIES.values() if not (root / name).is_dir()]
    if wrong or missing:
        raise FacsimError(
            f"the Geant4 data in '{root}' are damaged: '{(wrong or missing)[0]}' does not have its checksum; "
            "delete the folder, it is rebuilt at the next run."
        )
    return hashlib.sha256("".join(f"{name} {found[name]}\n" for name in sorted(found)).encode()).hexdigest()
