"""A few hundred real Geant4 showers that ship with facsim, for machines without a Geant4 wheel.

Electrons of 1 to 50 GeV, log-uniform, in the detector `par04-w-si`; made by benchmarks/make_sample.py. The file's
provenance holds the settings, the seed, the Geant4 data and the rounding of its cell energies.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

NAME = "par04-w-si-e-.h5"


def sample_path() -> Path:
    """Path of the sample, a CaloChallenge file (400 showers, 6480 cells)."""
    return Path(str(files(__name__) / NAME))
