"""The folders of Geant4 data: their official names, the record of a complete set, and building one atomically."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facsim.core.store import write_error

DIRECTORIES = {
    "G4LEDATA": "G4EMLOW8.8",
    "G4LEVELGAMMADATA": "PhotonEvaporation6.1.2",
    "G4ENSDFSTATEDATA": "G4ENSDFSTATE3.0",
    "G4PARTICLEXSDATA": "G4PARTICLEXS4.2",
    "G4SAIDXSDATA": "G4SAIDDATA2.0",
    "G4PIIDATA": "G4PII1.3",
    "G4REALSURFACEDATA": "RealSurface2.2",
    "G4RADIOACTIVEDATA": "RadioactiveDecay6.1.2",
    "G4ABLADATA": "G4ABLA3.3",
    "G4INCLDATA": "G4INCL1.3",
    "G4NEUTRONHPDATA": "G4NDL4.7.1",
    "G4CHANNELINGDATA": "G4CHANNELING2.0",
}
"""The data sets of Geant4 11.4: environment variable and folder name, which calzone insists on."""


@dataclass(frozen=True)
class Geant4Data:
    """A directory of Geant4 data: where, of which kind (`official` or `miniature`), with which checksum."""

    root: Path
    kind: str
    checksum: str
    note: str
    folders: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """The environment variables that make Geant4 read this data."""
        own = {key: str(self.root / name) for key, name in DIRECTORIES.items()}
        return own | {"GEANT4_DATA_DIR": str(self.root)}

    def provenance(self) -> dict[str, Any]:
        """What a file of showers says of the data it was made with."""
        return {"kind": self.kind, "checksum": self.checksum, "note": self.note, **self.folders}


def cache_dir() -> Path:
    """Where facsim keeps what it can rebuild: $FACSIM_CACHE, else facsim/ in $XDG_CACHE_HOME or ~/.cache."""
    own = os.environ.get("FACSIM_CACHE")
    if own:
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "facsim"


def build_once(target: Path, fill: Callable[[Path], None]) -> None:
    """Fill a new folder and rename it to `target`; of several processes that race, the first one wins."""
    if target.is_dir():
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise write_error(target, error) from error
    try:
        fill(temporary)
        temporary.chmod(0o755)
        temporary.rename(target)
    except OSError as error:
        if not target.is_dir():
            raise write_error(target, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
