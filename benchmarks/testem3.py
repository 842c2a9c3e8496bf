"""Compare facsim's Geant4 with the published output of Geant4's own example TestEm3.

    python benchmarks/testem3.py [--events 400] [--json FILE]

1 GeV electrons in 50 x (2.3 mm Pb + 5.7 mm liquid argon), electromagnetic physics option 0, production cut 1 mm. The
reference is the example's output in the Geant4 11.4 source tree (examples/extended/electromagnetic/TestEm3), 100
events with the official data; it gives errors for the energies only. Counts are per event. Unlike the example, calzone
always has photonuclear reactions, which take a few tenths of a percent of the photons between 10 and 20 MeV.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsim.simulate.detector import Detector
from facsim.simulate.detector_files import load_detector
from facsim.simulate.g4data import find_data
from facsim.simulate.geant4 import CM, GAP, event_seed, world_definition

REFERENCE = {
    "energy in Pb (MeV)": (774.0, 1.5),
    "energy in lAr (MeV)": (215.7, 1.3),
    "photons": (508.8, None),
    "electrons": (870.0, None),
    "positrons": (53.9, None),
    "charged steps": (3711.0, None),
    "neutral steps": (3715.0, None),
}
BATCH = 20
PHOTON = 22


def measure(detector: Detector, events: int, seed: int) -> dict[str, NDArray[np.float64]]:
    """Each quantity of `REFERENCE` for each event, shape (events,)."""
    import calzone  # noqa: PLC0415

    world = world_definition(detector)
    for name, volume in world["World"].items():
        if name.startswith("L"):
            volume["role"] = "record_deposits"
    simulation = calzone.Simulation(calzone.Geometry(world))
    simulation.physics = calzone.Physics(em_model="standard", default_cut=detector.cut / CM)
    simulation.sample_deposits = "brief"
    simulation.tracking = True
    parts = []
    for first in range(0, events, BATCH):
        size = min(BATCH, events - first)
        simulation.random.seed = event_seed(seed, first)
        electrons = calzone.particles(
            size, pid=11, energy=1000.0, position=(0.0, 0.0, -GAP / CM), direction=(0.0, 0.0, 1.0)
        )
        parts.append(_count(simulation.run(electrons), size))
    return {name: np.concatenate([part[name] for part in parts]) for name in REFERENCE}


def _count(result: Any, size: int) -> dict[str, NDArray[np.float64]]:
    energy = {"Pb": np.zeros(size), "lAr": np.zeros(size)}
    for path, deposits in result.deposits.items():
        material = "Pb" if int(path.rpartition("L")[2]) % 2 == 0 else "lAr"
        np.add.at(energy[material], deposits["event"].astype(np.int64), deposits["value"])
    tracks, points = result.tracks, result.vertices
    event, pid = tracks["event"].astype(np.int64), tracks["pid"]
    secondary = tracks["parent"] > 0
    count = {code: np.bincount(event[secondary & (pid == code)], minlength=size) for code in (22, 11, -11)}
    # every point of a track but its first ends a step
    kind = {(int(e), int(t)): int(p) for e, t, p in zip(event, tracks["tid"], pid, strict=True)}
    owner = np.array([kind[int(e), int(t)] for e, t in zip(points["event"], points["tid"], strict=True)])
    at = points["event"].astype(np.int64)
    neutral = np.bincount(at[owner == PHOTON], minlength=size) - np.bincount(event[pid == PHOTON], minlength=size)
    charged = np.bincount(at[owner != PHOTON], minlength=size) - np.bincount(event[pid != PHOTON], minlength=size)
    values = (energy["Pb"], energy["lAr"], count[22], count[11], count[-11], charged, neutral)
    return {name: np.asarray(v, dtype=np.float64) for name, v in zip(REFERENCE, values, strict=True)}


def main() -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description="compare with Geant4's example TestEm3")
    parser.add_argument("--events", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    detector = load_detector("pb-lar")
    data = find_data(detector.materials)
    os.environ.update(data.environment())
    measured = measure(detector, arguments.events, arguments.seed)
    print(f"TestEm3, 1 GeV e-, {arguments.events} events, {data.kind} Geant4 data")
    print(f"{'quantity':<20} {'Geant4 11.4, official':>22} {'facsim':>18} {'difference':>11} {'sigma':>6}")
    rows = []
    for name, (value, error) in REFERENCE.items():
        mean = float(measured[name].mean())
        own = float(measured[name].std(ddof=1) / np.sqrt(arguments.events))
        sigma = None if error is None else (mean - value) / float(np.hypot(own, error))
        official = f"{value:.1f}" + ("" if error is None else f" +- {error:.1f}")
        shown = "" if sigma is None else f"{sigma:6.1f}"
        print(
            f"{name:<20} {official:>22} {f'{mean:.1f} +- {own:.1f}':>18} {100 * (mean / value - 1):>9.2f} % {shown:>6}"
        )
        rows.append({"name": name, "reference": value, "error": error, "mean": mean, "own_error": own, "sigma": sigma})
    if arguments.json:
        arguments.json.write_text(json.dumps({"events": arguments.events, "data": data.provenance(), "rows": rows}))


if __name__ == "__main__":
    main()
