"""facsim: fast detector simulation, from Geant4 truth to an exported surrogate.

The verbs of the command line are functions here: `facsim.run("config.yaml", out="runs/x")`,
`facsim.score("reference.h5", "generated.h5")`. Importing facsim loads nothing heavy; a verb loads what it needs.
"""

from __future__ import annotations

__version__ = "0.1.0"
