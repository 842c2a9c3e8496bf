"""The ECAL's parametrised showers against their reference resolutions and against Geant4, and their time.

    python benchmarks/ecal_truth.py --showers 300 --seed 1 --out ecal-truth

Geant4's showers are kept in the folder, so that a second call only compares.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from facsim.core.events import Events
from facsim.core.rng import generator
from facsim.core.store import StoreReader
from facsim.physics.ecal_observables import asymmetries, incidence, shower_frame, sparsity, widths
from facsim.simulate.ecal import ECALSimulation
from facsim.simulate.geant4 import geant4_available

REFERENCE = {2: 6.6, 5: 4.0, 10: 3.0, 20: 2.25, 50: 1.6, 100: 1.3}
"""Resolution (%) of the parametrisation of 2 mm lead and 4 mm scintillator, 25 X0, by energy in GeV."""
ENERGIES = [2.0, 5.0, 10.0, 20.0, 50.0]
DEEP = 69


def resolution_table(showers: int, seed: int) -> None:
    """Response, resolution and time of electrons and photons that fly straight."""
    print("E [GeV]  particle  layers  response           resolution [%]   reference [%]  LHCb [%]  ms/shower")
    for energy, expected in REFERENCE.items():
        for particle, layers in (("e-", DEEP), ("e-", 66), ("gamma", 66)):
            truth = ECALSimulation(events=1, particle=particle, energy=energy, slope=0.0, layers=layers)
            rng = generator(seed, "benchmark", particle, layers, energy)
            cond = truth.gun.draw(showers, rng)
            begin = time.process_time()
            total = truth.respond(cond, rng).sum(axis=(1, 2)) / (1e3 * energy)
            spent = 1e3 * (time.process_time() - begin) / showers
            mean, width = total.mean(), total.std(ddof=1) / total.mean()
            lhcb = np.hypot(10 / np.sqrt(energy), 0.9)
            print(
                f"{energy:7g}  {particle:8}  {layers:6}  {mean:.4f} +- {total.std() / showers**0.5:.4f}"
                f"   {100 * width:5.2f} +- {100 * width / (2 * showers) ** 0.5:.2f}"
                f"    {expected:13g}  {lhcb:8.2f}  {spent:.3f}"
            )


def numbers(events: Events) -> dict[str, np.ndarray]:
    """Quantities of each shower by name."""
    where = incidence(events.cond, events.schema)
    frame = shower_frame(where, events.schema.geometry)
    cells = events.cells.astype(np.float64)
    asymmetry, width, share = asymmetries(cells, frame), widths(cells, frame), sparsity(cells, [1e-4, 1e-3, 1e-2])
    names = ("asymmetry along", "asymmetry across", "width along [mm]", "width across [mm]")
    found = dict(zip(names, np.column_stack([asymmetry, width]).T, strict=True))
    found["response"] = cells.sum(axis=1) / (1e3 * np.linalg.norm(where.momentum, axis=1))
    found |= {f"cells above {alpha:g} E": 900 * share[:, k] for k, alpha in enumerate((1e-4, 1e-3, 1e-2))}
    return found


def against_geant4(showers: int, seed: int, folder: Path) -> None:
    """Means and widths of both engines at the same energies."""
    settings = {"events": showers, "energy": {"listed": ENERGIES}, "slope": 0.2, "particle": "gamma", "workers": 1}
    truth = ECALSimulation(**settings, engine="geant4")
    report = truth.simulate(folder / "geant4.h5", seed)
    source = StoreReader(report.path)
    real = source.read(0, len(source))
    print(f"\nGeant4: {len(real)} photons, {1e3 * report.cpu_seconds / len(real):.0f} ms each")
    for spots in (1.0, 0.35):
        made = ECALSimulation(**settings, spots=spots)
        cond = np.tile(real.cond, (10, 1))
        x = made.respond(cond, generator(seed, "benchmark", "parametrised", spots))
        ids = np.arange(len(x))
        compare(real, Events(real.schema, x, cond, ids, ids), f"share of spots {spots:g}")


def compare(real: Events, made: Events, what: str) -> None:
    """Print mean and standard deviation of each quantity by energy."""
    print(
        f"\n{what}\nE [GeV]  quantity              Geant4: mean +- error (sd)        parametrised: mean +- error (sd)"
    )
    energies = [np.round(np.linalg.norm(each.cond[:, :3], axis=1), 3) for each in (real, made)]
    tables = [numbers(each) for each in (real, made)]
    for energy in ENERGIES:
        for name in tables[0]:
            cells = []
            for table, own in zip(tables, energies, strict=True):
                values = table[name][np.isclose(own, energy)]
                error = values.std(ddof=1) / len(values) ** 0.5
                cells.append(f"{values.mean():9.4f} +- {error:.4f} ({values.std(ddof=1):.4f})")
            print(f"{energy:7g}  {name:20}  {cells[0]:32}  {cells[1]}")


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--showers", type=int, default=300, help="of Geant4; five times as many for the table")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("ecal-truth"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    resolution_table(5 * options.showers, options.seed)
    if geant4_available():
        against_geant4(options.showers, options.seed, options.out)
    else:
        print("Geant4 is not installed: no comparison with it.")


if __name__ == "__main__":
    main()
