"""Jets of Pythia and FastJet: processor time per kind, and their distance to JetNet's own jets.

    python benchmarks/jets_truth.py --jets 10000 --jetnet jetnet-0.2.5-py3-none-any.whl --out jets_truth.json

Times are those of one process with one thread, Pythia's start in every chunk included. FPND (arXiv 2106.11535) is the
Frechet distance to JetNet's real jets in the features of a ParticleNet, for g, q and t with 30 particles. Its network
and statistics come with the package jetnet 0.2.5; without --jetnet (its wheel, unpacked to a temporary folder) that
package has to be installed, and without either there are times only. The radius is 0.4 here, because JetNet's moments
say so: at 0.8, which is the default of the task, FPND is many times larger.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facsim.core.store import StoreReader
from facsim.evaluate.fpnd import JET_TYPES, RESOURCES, fpnd
from facsim.physics.jets import jet_features
from facsim.simulate.jets import JetSimulation


def measured(kind: str, arguments: argparse.Namespace, folder: Path, weights: Path | None) -> dict[str, Any]:
    """Time and, where it can be had, FPND of one kind."""
    path = folder / f"{kind}.h5"
    settings = JetSimulation(
        events=arguments.jets, kinds=(kind,), workers=1, radius=arguments.radius, pile_up=arguments.pile_up
    )
    report = settings.simulate(path, arguments.seed)
    events = StoreReader(path).read(0, arguments.jets)
    features = jet_features(events.x.astype(np.float64))
    row: dict[str, Any] = {
        "kind": kind,
        "jets": arguments.jets,
        "seed": arguments.seed,
        "radius": arguments.radius,
        "pile_up": arguments.pile_up,
        "cpu_s_per_1000": report.cpu_seconds / report.events * 1000,
        "wall_s_per_1000": report.wall_seconds / report.events * 1000,
        "median_mass_GeV": float(np.median(features["mass"] * events.condition("pt"))),
        "median_particles": float(np.median(features["multiplicity"])),
    }
    if kind in JET_TYPES and (weights is not None or find_spec("jetnet")):
        score = fpnd(events.x, kind, weights=weights)
        row |= {"fpnd": score.value, "fpnd_error": score.error}
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jets", type=int, default=10_000, help="of each kind")
    parser.add_argument("--kinds", nargs="+", default=["g", "q", "t", "w", "z"])
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--radius", type=float, default=0.4, help="of the jets")
    parser.add_argument("--pile-up", type=float, default=0.0)
    parser.add_argument("--jetnet", type=Path, help="wheel of jetnet 0.2.5")
    parser.add_argument("--out", type=Path, help="JSON with the rows")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder, weights = Path(name), None
        if arguments.jetnet is not None:
            with zipfile.ZipFile(arguments.jetnet) as wheel:
                wheel.extractall(folder)
            weights = folder / "jetnet" / RESOURCES
        for kind in arguments.kinds:
            rows.append(measured(kind, arguments, folder, weights))
            print(json.dumps(rows[-1]), flush=True)
            if arguments.out is not None:
                arguments.out.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
