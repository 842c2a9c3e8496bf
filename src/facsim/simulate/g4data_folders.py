"""The folders of Geant4 data: their official names, and the record of a complete set."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
