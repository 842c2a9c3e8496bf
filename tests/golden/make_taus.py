"""Write fastjet_taus.json: N-subjettiness about FastJet's winner-take-all kT axes, of the jets in energyflow_efps.json.

Run it in an environment of its own: pip install fastjet; python tests/golden/make_taus.py
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import fastjet

R0 = 0.8
LARGE_RADIUS = 1000.0  # no pair is further apart than this from the beam's point of view: the beam takes nothing


def taus(jet: list[list[float]], n_max: int = 3) -> list[float]:
    """tau_1 to tau_n_max of particles (eta, phi, pT)."""
    real = [fastjet.PtYPhiM(pt, eta, phi, 0.0) for eta, phi, pt in jet if pt > 0]
    definition = fastjet.JetDefinition(fastjet.kt_algorithm, LARGE_RADIUS, fastjet.WTA_pt_scheme)
    sequence = fastjet.ClusterSequence(real, definition)
    total = math.fsum(p.pt() for p in real)
    result = []
    for n in range(1, n_max + 1):
        axes = sequence.exclusive_jets(n)
        result.append(math.fsum(p.pt() * min(p.delta_R(axis) for axis in axes) for p in real) / (R0 * total))
    return result


def main() -> None:
    """Write the file beside this script."""
    here = Path(__file__).parent
    jets = json.loads((here / "energyflow_efps.json").read_text(encoding="utf-8"))["jets"]
    golden = {
        "source": f"fastjet {fastjet.__version__}, kt_algorithm, WTA_pt_scheme, exclusive_jets(1), (2), (3), R0 = {R0}",
        "taus": [taus(jet) for jet in jets],
    }
    (here / "fastjet_taus.json").write_text(json.dumps(golden) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
